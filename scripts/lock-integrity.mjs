// Adds the missing hashes to package-lock.json. `npm install` leaves out the hashes of optional packages that it does not
// download (the linter's and the compiler's binaries for other platforms); this script queries npm's registry for them. Run it
// after `npm install NAME`; test/package-lock.test.ts fails if a hash is missing.
//
//   node scripts/lock-integrity.mjs
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

optionsOf(import.meta.url);

const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));

/** The SHA-512 of a package. Exits with 1 if the registry has none. */
function integrityOf(name, version) {
  const spec = `${name}@${version}`;
  const { stdout } = spawnSync('npm', ['view', spec, 'dist.integrity'], { encoding: 'utf8' });
  const integrity = stdout.trim();
  if (/^sha512-[\w+/]+=*$/.test(integrity)) return integrity;
  console.error(`lock-integrity: the registry has no SHA-512 for ${spec}; got "${integrity}".`);
  return process.exit(1);
}

let count = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '' || entry.link || entry.integrity !== undefined) continue;
  const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const { version, ...rest } = entry;
  lock.packages[path] = { version, integrity: integrityOf(name, version), ...rest };
  count += 1;
}
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`${count} hashes added to package-lock.json`);
