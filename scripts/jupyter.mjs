// Opens the demo in Jupyter of .venv. Further arguments are passed to Jupyter:
//
//   node scripts/jupyter.mjs lab [NOTEBOOK.ipynb] [--no-browser …]
//   node scripts/jupyter.mjs notebook
//
// Jupyter's options: .venv/bin/jupyter lab --help-all. By default it listens on this machine only and requires a token.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, '.venv/bin');
const [program = 'lab', ...args] = process.argv.slice(2);
// Every option but --help is Jupyter's.
if ([program, ...args].includes('--help')) {
  optionsOf(import.meta.url, {}, { mostWords: Infinity });
}
if (!existsSync(join(bin, `jupyter-${program}`))) {
  console.error(`jupyter: ${bin} has no jupyter-${program}. Run: ./kernel-setup.sh`);
  process.exit(1);
}
// Jupyter refuses to run as root, as in most containers, without this flag.
const asRoot = process.getuid?.() === 0 ? ['--allow-root'] : [];
const opened = args.some((arg) => arg.endsWith('.ipynb')) ? [] : ['notebooks/demo.ipynb'];
const child = spawn(join(bin, `jupyter-${program}`), [...asRoot, ...opened, ...args], {
  cwd: root,
  env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  stdio: 'inherit',
});
// Ctrl-C also reaches Jupyter, which asks for confirmation.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('close', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});
