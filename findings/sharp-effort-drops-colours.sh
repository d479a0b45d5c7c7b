#!/bin/bash
# sharp 0.35: png({ effort: 10 }) keeps 256 colours of a picture that has 4,096; png({ compressionLevel: 9 }) keeps all.
#
# Expected: PNG is lossless, and the encoder's "effort" trades time for bytes, as it does for WebP and AVIF in the same library.
# For PNG it is the effort of the quantiser, and setting it enables the palette.
set -euo pipefail
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
(cd "$home" && npm init --yes >/dev/null && npm install --silent --ignore-scripts sharp@0.35.5)

(cd "$home" && node -e '
const sharp = require("sharp");
const side = 64;
const data = Buffer.alloc(3 * side * side);
for (let i = 0; i < side * side; i++) data.set([4 * (i % side), 4 * Math.floor(i / side), 128], 3 * i);
const colours = async (options) => {
  const png = await sharp(data, { raw: { width: side, height: side, channels: 3 } }).png(options).toBuffer();
  const back = await sharp(png).removeAlpha().raw().toBuffer();
  const found = new Set();
  for (let i = 0; i < back.length; i += 3) found.add(back.readUIntBE(i, 3));
  return found.size;
};
(async () => {
  const [usual, effort] = [await colours({ compressionLevel: 9 }), await colours({ effort: 10 })];
  console.log("sharp", sharp.versions.sharp, { compressionLevel: usual, effort });
  if (usual !== side * side || effort > 256) throw new Error("changed");
})();')
echo "as found: effort makes a PNG lossy"
