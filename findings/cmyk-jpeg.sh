#!/bin/bash
# The same CMYK JPEG without a profile, decoded by Pillow 13 and by sharp 0.35 (libvips): blues differ by 98 of 255.
#
# Expected: two decoders of the same JPEG differ by a level or two. Pillow inverts each ink, so the (30, 40, 220) that it wrote
# comes back; libvips converts with a built-in printing-press profile, which has no such blue.
set -euo pipefail
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
(cd "$home" && npm init --yes >/dev/null && npm install --silent --ignore-scripts sharp@0.35.5)

"$home/venv/bin/python" - "$home/blue.jpg" <<'PYTHON'
import sys
import PIL
from PIL import Image

Image.new("RGB", (16, 16), (30, 40, 220)).convert("CMYK").save(sys.argv[1], quality=95, subsampling=0)
found = Image.open(sys.argv[1]).convert("RGB").getpixel((3, 3))
print("Pillow", PIL.__version__, found)
if max(abs(a - b) for a, b in zip(found, (30, 40, 220))) > 2:
    sys.exit("changed: Pillow")
PYTHON

(cd "$home" && node -e '
const sharp = require("sharp");
sharp("blue.jpg").toColourspace("srgb").raw().toBuffer().then((data) => {
  const found = [...data.subarray(0, 3)];
  console.log("sharp", sharp.versions.sharp, "libvips", sharp.versions.vips, found);
  if (Math.abs(found[2] - 220) < 60) throw new Error("changed: sharp");
});')
echo "as found: the same file is (30, 40, 220) for one and a dark blue for the other"
