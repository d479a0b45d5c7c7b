import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { installKernel } from '../kernel/install';
import { startKernel } from '../kernel/start';
import type { Command, Given } from './flags';

const actions = ['install', 'run'] as const;

/** `kernel`: the Jupyter kernel, for a Jupyter that is there already; the one of set-up has it. */
export const kernel: Command = {
  name: 'kernel',
  summary: 'The Jupyter kernel for TypeScript: install it into a Jupyter, or run it.',
  positionals: ['install|run', '[CONNECTION_FILE]'],
  flags: {
    user: { help: 'install: for you, in every Jupyter that you start' },
    prefix: {
      value: 'DIR',
      help: 'install: for the Jupyter of one environment, as of a virtualenv',
    },
    replace: {
      help: 'install: under the name tslab, in the place of what has it; else as cifar10-fast',
    },
  },
  examples: ['kernel install --user', 'kernel install --prefix .venv --replace'],
  run: (given) => {
    const [action, file] = given.positionals;
    switch (action) {
      case 'install':
        if (file !== undefined) {
          throw new UsageError(`kernel install: "${file}" is one argument too many.`);
        }
        return Promise.resolve(install(given));
      case 'run':
        if (file === undefined) {
          throw new UsageError(
            'kernel run: the connection file is missing. Jupyter writes one and puts its name here.',
          );
        }
        startKernel(file);
        // The kernel ends the process.
        return new Promise(() => undefined);
      default:
        throw new UsageError(
          `kernel: there is no "${action}", only ${actions.join(' and ')}.${nearestHint(action, actions)}`,
        );
    }
  },
};

function install({ values, switches }: Given): number {
  const prefix = values.get('prefix');
  const isUser = switches.has('user');
  if (isUser === (prefix !== undefined)) {
    throw new UsageError(
      'kernel install: give either --user or --prefix DIR, so that it is clear which Jupyter is meant.',
    );
  }
  const place = prefix === undefined ? ({ user: true } as const) : { prefix };
  const folder = installKernel(place, switches.has('replace'));
  process.stdout.write(`installed in ${folder}; "jupyter kernelspec list" shows it\n`);
  return 0;
}
