// The virtual environment .venv: pip fetches TensorFlow's wheels with it, and Jupyter lives in it.
import { accessSync, constants, existsSync, realpathSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { failureFromLog, run } from '../process.mjs';
import { writeStamp } from '../stamps.mjs';
import { needTool } from '../tools.mjs';

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the interpreter that the environment was made with still exists, in the same minor version. */
export function isUsable({ venv }) {
  const python = join(venv, 'bin/python');
  if (!isExecutable(python)) return false;
  const program = basename(realpathSync(python));
  return !program.startsWith('python3.') || existsSync(join(venv, 'lib', program));
}

/** Makes an environment with nothing but pip. Its stamp: `bare`, then `begun`, then what was installed. */
export async function makeVenv(context) {
  const [python] = needTool(context, 'python');
  rmSync(join(context.stamps, 'venv'), { force: true });
  if (!(await run(context, python, ['-m', 'venv', '--clear', context.venv])).ok)
    throw failureFromLog(
      context,
      `${python} could not create the environment ${context.venv}`,
      context.root,
    );
  writeStamp(context, 'venv', 'bare');
}

/** Runs pip with the user's settings (mirror, proxy, certificates) and without the user's packages. */
export function pip(context, args, scratch) {
  const python = join(context.venv, 'bin/python');
  return run(context, python, ['-I', '-m', 'pip', '--quiet', '--no-input', ...args], {
    env: { PIP_USER: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1', TMPDIR: scratch },
  });
}
