import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { installKernel, uninstallKernel } from '../kernel/install';
import type { KernelPlace } from '../kernel/install';
import { startKernel } from '../kernel/start';
import type { Command, Given } from './flags';

const actions = ['install', 'uninstall', 'run'] as const;

/** `kernel`: the Jupyter kernel, for an existing Jupyter; the one that set-up installs has it. */
export const kernel: Command = {
  name: 'kernel',
  positionals: ['install|uninstall|run', '[CONNECTION_FILE]'],
  flags: {
    user: { help: 'install, uninstall: for you, in every Jupyter that you start' },
    prefix: {
      value: 'DIR',
      help: 'install, uninstall: for the Jupyter of one environment, such as a virtualenv',
    },
    replace: {
      help: 'install, uninstall: under the name tslab, replacing any kernel of that name (default: cifar10-fast)',
    },
  },
  examples: ['kernel install --user', 'kernel install --prefix .venv --replace'],
  run: (given) => {
    const [action, file] = given.positionals;
    switch (action) {
      case 'install':
      case 'uninstall':
        if (file !== undefined) {
          throw new UsageError(`kernel ${action}: "${file}" is one argument too many.`);
        }
        return Promise.resolve(action === 'install' ? install(given) : uninstall(given));
      case 'run':
        if (file === undefined) {
          throw new UsageError(
            'kernel run: the connection file is missing. Jupyter writes it and passes its name.',
          );
        }
        startKernel(file);
        // The kernel exits the process.
        return new Promise(() => undefined);
      default:
        throw new UsageError(
          `kernel: unknown action "${action}"; known: ${actions.join(', ')}.${nearestHint(action, actions)}`,
        );
    }
  },
};

function install(given: Given): number {
  const folder = installKernel(placeOf('install', given), given.switches.has('replace'));
  process.stdout.write(`installed in ${folder}; "jupyter kernelspec list" shows it\n`);
  return 0;
}

function uninstall(given: Given): number {
  const folder = uninstallKernel(placeOf('uninstall', given), given.switches.has('replace'));
  process.stdout.write(`removed ${folder}\n`);
  return 0;
}

function placeOf(action: string, { values, switches }: Given): KernelPlace {
  const prefix = values.get('prefix');
  const isUser = switches.has('user');
  if (isUser === (prefix !== undefined)) {
    throw new UsageError(
      `kernel ${action}: give either --user or --prefix DIR, to select the Jupyter.`,
    );
  }
  return prefix === undefined ? { user: true } : { prefix };
}
