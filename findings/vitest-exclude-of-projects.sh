#!/usr/bin/env bash
# vitest 4.1.12: `--exclude` on the command line adds to the configuration's `exclude`. In a project that has an `exclude` of
# its own, the flag has no effect, without a warning: the files run.
# Expected: the flag excludes the files in both cases. Prints what is listed, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --ignore-scripts vitest@4.1.12 >/dev/null
mkdir a b
printf "import { test } from 'vitest';\ntest('x', () => {});\n" | tee a/a.test.js >b/b.test.js

options="include: ['**/*.test.js'], exclude: ['node_modules/**']"
echo "export default { test: { $options } };" >whole.config.mjs
echo "export default { test: { projects: [{ test: { name: 'p', $options } }] } };" >project.config.mjs

listed() {
  npx vitest list --filesOnly --config "$1.config.mjs" --exclude 'b/**' | sed 's/^\[p\] //' | sort | tr '\n' ' '
}

echo "vitest $(node -p "require('vitest/package.json').version"), Node $(node --version), --exclude 'b/**'"
whole=$(listed whole)
project=$(listed project)
echo "one configuration: $whole"
echo "a project with its own exclude: $project"
[[ $whole == 'a/a.test.js ' ]] && [[ $project == 'a/a.test.js b/b.test.js ' ]] || {
  echo 'this has changed'
  exit 1
}
