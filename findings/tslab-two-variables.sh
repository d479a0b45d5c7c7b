#!/usr/bin/env bash
# In tslab, a variable that two cells use becomes two variables.
#
# A cell runs as a CommonJS module: a function reads the variable of its own cell, and an assignment in a later cell goes to a
# property of `exports`. So a function never sees what a later cell assigns, and its next assignment overwrites it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts tslab@1.0.22
cat >cells.cjs <<'JS'
const { createConverter } = require('tslab/dist/converter.js');
const { createExecutor } = require('tslab/dist/executor.js');
const results = [];
const node = createConverter({ isJS: false, isBrowser: false });
const executor = createExecutor(process.cwd(), { node }, { log: (value) => results.push(value), error: console.error });
(async () => {
  for (const cell of [
    'let lr = 0.1; function rate() { return lr }',
    'lr = 0.2; rate()',
    'let n = 0; function bump() { n += 1; return n }',
    'n = 100; bump()',
    'n',
  ]) {
    await executor.execute(cell);
    console.log(`> ${cell}${results.length > 0 ? `   // ${results.at(-1)}` : ''}`);
  }
  node.close();
  console.log(`tslab ${require('tslab/package.json').version}: ${results.join(', ')}`);
  process.exit(results.join() === '0.1,1,1' ? 0 : 1);
})();
JS
node cells.cjs || { echo 'changed: expected 0.1, 1, 1'; exit 1; }
