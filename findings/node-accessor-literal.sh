#!/usr/bin/env bash
# An object literal with a getter and a setter of the same name has slow properties in V8; with defineProperty, they are fast.
#
# `{ get a() {…}, set a(v) {…} }` adds the accessors one after the other, and the second turns the object into a dictionary.
# Object.defineProperty adds both at once. Reads and assignments differ by a factor of about twelve.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private":true}' >package.json
npm install --silent --no-audit --no-fund node@20.20.2
cat >accessors.js <<'JS'
'use strict';
let value = 0;
const literal = { get a() { return value; }, set a(next) { value = next; } };
const defined = {};
Object.defineProperty(defined, 'a', { get: () => value, set: (next) => { value = next; }, enumerable: true });
const round = (object) => {
  for (let i = 0; i < 5e6; i++) object.a += i;
};
const time = (object) => {
  // A separate function for each object, because each function has its own type feedback.
  const run = new Function('object', `(${round})(object)`);
  const start = performance.now();
  run(object);
  return (performance.now() - start) / 5;
};
const found = [literal, defined].map((object) => %HasFastProperties(object));
console.log(`Node ${process.version}, V8 ${process.versions.v8}`);
console.log(`fast properties: literal ${found[0]}, defineProperty ${found[1]}`);
console.log(`ns a round: literal ${time(literal).toFixed(1)}, defineProperty ${time(defined).toFixed(1)}`);
process.exit(found.join() === 'false,true' ? 0 : 1);
JS
node_modules/node/bin/node --allow-natives-syntax accessors.js || { echo 'changed: expected false, true'; exit 1; }
