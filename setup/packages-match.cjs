'use strict';
/**
 * Is node_modules what package-lock.json asks for, by npm's own record? Exit code 0 or 1.
 *
 * npm writes node_modules/.package-lock.json as the last act of an installation. After `npm install NAME` it agrees with
 * the new package-lock.json, and a clean installation would only bring the same again.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

/** Path -> entry, without the checkout itself and what is a link. */
function packagesOf(file) {
  const { packages } = JSON.parse(readFileSync(join(__dirname, '..', file), 'utf8'));
  return new Map(Object.entries(packages).filter(([path, entry]) => path !== '' && !entry.link));
}

function matches() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  const isSame = ([path, { version, integrity }]) =>
    wanted.get(path)?.version === version && wanted.get(path)?.integrity === integrity;
  const isHere = ([path, { optional }]) => present.has(path) || optional === true;
  return [...present].every(isSame) && [...wanted].every(isHere);
}

try {
  process.exitCode = matches() ? 0 : 1;
} catch {
  // No record, or one that is not whole: install.
  process.exitCode = 1;
}
