// Checks out and sets up the earlier build that `--network fastest` compares with:
//
//   node bench/before.mjs            into bench/.builds, which Git ignores; 1 to 3 minutes
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from '../scripts/options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const revision = '0d90edb';

export const earlier = { revision, folder: join(root, 'bench/.builds', revision) };

function setUp() {
  const { folder } = earlier;
  if (existsSync(join(folder, 'dist/index.js'))) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const run = (cwd, command, ...args) => execFileSync(command, args, { cwd, stdio: 'inherit' });
  run(root, 'git', 'clone', '--quiet', root, folder);
  run(folder, 'git', 'checkout', '--quiet', revision);
  run(folder, './kernel-setup.sh', '--no-data', '--no-jupyter');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  optionsOf(import.meta.url);
  setUp();
}
