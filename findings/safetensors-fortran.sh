#!/bin/bash
# safetensors.numpy.save_file of a transposed array: 0.7.0 writes its values in order, 0.8.0 writes its memory unchanged.
#
# Expected: the file holds the array's values, or there is an error. 0.7.0 does this. With 0.8.0 the values come back in another
# order, without an error. np.ascontiguousarray before saving avoids it.
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
