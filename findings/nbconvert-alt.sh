#!/usr/bin/env bash
# nbconvert's HTML export cannot take a picture's alt text from the notebook.
#
# Every <img> of an output gets alt="No description has been provided for this image" after the page is made. "alt" in the
# metadata of the MIME type and the output's text/plain are ignored. A custom template is the workaround.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nbconvert==7.17.2
cat >convert.py <<'PY'
import re
import nbconvert
import nbformat
png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
output = nbformat.v4.new_output(
    "display_data",
    data={"image/png": png, "text/plain": "accuracy by epoch"},
    metadata={"image/png": {"alt": "accuracy by epoch", "width": 10}, "alt": "accuracy by epoch"},
)
cell = nbformat.v4.new_code_cell("show()", outputs=[output])
html, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
tag = re.sub(r'base64,[^"]*', "base64,…", re.search(r"<img[^>]*>", html).group())
print(f"nbconvert {nbconvert.__version__}: {tag}")
raise SystemExit(0 if 'alt="No description has been provided for this image"' in tag and 'width="10"' in tag else 1)
PY
venv/bin/python convert.py || { echo 'changed: the description is used'; exit 1; }
