// Step 7: Jupyter in .venv, with the TypeScript kernel.
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beginStep, endStep } from '../output.mjs';
import { failureFromLog } from '../process.mjs';
import { hashOf, readStamp, readText, replaceFile, writeStamp } from '../stamps.mjs';
import { isExecutable, isUsable, makeVenv, pip } from './venv.mjs';

const key = ({ root }) => `jupyter ${hashOf(join(root, 'setup/lock-jupyter.txt'))} ${root}`;

/** The text of kernel.json: how Jupyter starts the kernel of this checkout. */
const kernelJson = ({ root }) =>
  JSON.stringify(
    {
      argv: ['node', join(root, 'dist/kernel/main.js'), '{connection_file}'],
      display_name: 'TypeScript (cifar10-fast)',
      language: 'typescript',
      interrupt_mode: 'message',
    },
    undefined,
    2,
  );

const isInstalled = (context) =>
  readStamp(context, 'venv') === key(context) &&
  isUsable(context) &&
  isExecutable(join(context.venv, 'bin/jupyter'));

export const isDone = (context) =>
  isInstalled(context) &&
  existsSync(join(context.kernelspec, 'logo-svg.svg')) &&
  readText(join(context.kernelspec, 'kernel.json')) === kernelJson(context);

export const missing = (context) =>
  isDone(context) ? undefined : 'Jupyter: .venv or the kernel in it is not what setup/ asks for';

async function install(context) {
  const { root, scratch, options } = context;
  if (readStamp(context, 'venv') !== 'bare' || !isUsable(context)) await makeVenv(context);
  writeStamp(context, 'venv', 'begun');
  const flags = '--require-hashes --no-deps --only-binary=:all: --no-warn-script-location';
  const from = options.offline === '' ? [] : ['--no-index', '--find-links', options.offline];
  const lock = join(root, 'setup/lock-jupyter.txt');
  const args = ['install', ...flags.split(' '), ...from, '-r', lock];
  if (!(await pip(context, args, scratch)).ok)
    throw failureFromLog(context, 'pip could not install Jupyter', root);
}

/**
 * Starts the installation, unless it is done. It runs in the background from the addons step on; `run` waits for it, and throws
 * if it failed.
 */
export function begin(context) {
  if (isInstalled(context)) return;
  const scratch = join(context.scratch, 'jupyter');
  mkdirSync(scratch);
  context.jupyter = install({ ...context, scratch });
  context.jupyter.catch(() => {});
}

export async function run(context) {
  const { root, venv, kernelspec } = context;
  beginStep(7, 'Jupyter', venv);
  await context.jupyter;
  mkdirSync(kernelspec, { recursive: true });
  const logos = readdirSync(join(root, 'setup/kernel')).filter((name) => name.startsWith('logo-'));
  for (const name of logos) copyFileSync(join(root, 'setup/kernel', name), join(kernelspec, name));
  replaceFile(join(kernelspec, 'kernel.json'), kernelJson(context));
  writeStamp(context, 'venv', key(context));
  endStep('JupyterLab in .venv, kernel "TypeScript (cifar10-fast)"');
}
