#!/bin/bash
# safetensors.numpy.save_file of a transposed array: 0.7.0 writes its numbers, 0.8.0 writes its memory under its shape.
#
# A good guess: the file holds what the array holds, or there is an error. It is so in 0.7.0. In 0.8.0 the numbers come back in
# another order, and nothing is said. np.ascontiguousarray before saving helps.
set -euo pipefail
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"

check() {
  "$home/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 "safetensors==$1"
  "$home/venv/bin/python" - "$home/x.safetensors" <<'PYTHON'
import sys
import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

wanted = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {"transposed": wanted.T.copy().T, "fortran": np.asfortranarray(wanted), "copied": np.ascontiguousarray(wanted.T.copy().T)}
save_file(arrays, sys.argv[1])
found = load_file(sys.argv[1])
print("safetensors", safetensors.__version__, {name: found[name].tolist() for name in arrays})
right = {name: bool((found[name] == wanted).all()) for name in arrays}
isOld = safetensors.__version__ == "0.7.0"
expected = {"transposed": isOld, "fortran": isOld, "copied": True}
if right != expected:
    sys.exit(f"changed: {right}, expected {expected}")
PYTHON
}

check 0.7.0
check 0.8.0
echo "as found: 0.8.0 scrambles arrays that are not in C order, 0.7.0 does not"
