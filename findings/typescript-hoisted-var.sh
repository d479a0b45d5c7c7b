#!/usr/bin/env bash
# For an exported `var` that is declared inside a block, TypeScript writes a declaration file that does not compile.
#
# `if (…) { var x = 2 } export { x }` is valid: `var` belongs to the module. The compiler reports nothing and exports x in
# JavaScript; in the .d.ts it writes `export { x };` and no declaration of x. An importer gets an error in a generated file or,
# with skipLibCheck, silently an x of type any. Seen in 6.0.3 and 7.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private":true}' >package.json
npm install --silent --no-audit --no-fund typescript6@npm:typescript@6.0.3 typescript7@npm:typescript@7.0.2
cat >made.ts <<'TS'
if (Math.random() < 2) { var x = 2; }
export { x };
TS
printf 'import { x } from "./out/made.js";\nexport const text: string = x;\n' >user.ts
for name in typescript6 typescript7; do
  tsc=node_modules/$name/$([[ -f node_modules/$name/lib/tsc.js ]] && echo lib/tsc.js || echo bin/tsc)
  echo "== $(node "$tsc" --version)"
  rm -rf out
  node "$tsc" --ignoreConfig --declaration --module nodenext --target es2022 --outDir out made.ts
  echo "declarations: $(cat out/made.d.ts)"
  [[ $(cat out/made.d.ts) == 'export { x };' ]] || { echo 'changed: x is declared'; exit 1; }
  if errors=$(node "$tsc" --ignoreConfig --noEmit --strict --module nodenext user.ts); then
    echo 'changed: the declaration file compiles'
    exit 1
  fi
  echo "a user: $errors"
  node "$tsc" --ignoreConfig --noEmit --strict --skipLibCheck --module nodenext user.ts
  echo 'a user with skipLibCheck: a number is taken for a string, no error'
done
