// Opens Jupyter of .venv on the demo. Passes the arguments after the name on to it:
//
//   node scripts/jupyter.mjs lab [NOTEBOOK.ipynb] [--no-browser …]
//   node scripts/jupyter.mjs notebook
//
// Its own options: .venv/bin/jupyter lab --help-all. It listens on this machine only and asks for a token: Jupyter's defaults.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, '.venv/bin');
const [program = 'lab', ...args] = process.argv.slice(2);
// Any other option is Jupyter's.
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
// Ctrl-C goes to Jupyter, too, which asks whether it is meant.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('close', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});
