#!/usr/bin/env bash
# TensorFlow with oneDNN on AVX2: the kernel gradient of a 1x1 convolution with a stride is wrong for fewer than eight input channels.
#
# Expected: results with and without oneDNN differ only by rounding. Here the gradient is finite but off by more than half, as in
# the first shortcut of a residual network that reads RGB. It is right at stride 1, for eight channels, and with
# TF_ENABLE_ONEDNN_OPTS=0. oneDNN writes past its workspace (https://github.com/uxlfoundation/oneDNN/issues/6035), so the image
# size decides whether the error shows: for three channels it does at 32x32, not at 16x16. tf-nightly 2.23.0.dev20261026 has the
# same fault.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 numpy==2.4.6
cat >"$folder/gradient.py" <<'PY'
import os
import sys
import numpy as np
import tensorflow as tf

isOn = os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
random = np.random.default_rng(0)
right = {}
for channels, stride in ((3, 2), (6, 2), (7, 2), (8, 2), (16, 2), (3, 1), (6, 1)):
    side = 32 // stride
    x = random.standard_normal((32, 32, 32, channels), dtype=np.float32)
    dy = random.standard_normal((32, side, side, 8), dtype=np.float32)
    wanted = np.einsum("nhwi,nhwo->io", x[:, ::stride, ::stride].astype(np.float64), dy.astype(np.float64))
    errors = []
    for _ in range(10):
        found = tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=[1, 1, channels, 8], out_backprop=dy, strides=[1, stride, stride, 1], padding="SAME"
        ).numpy()[0, 0]
        errors.append(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    right[channels, stride] = max(errors) < 1e-4
    print(f"TensorFlow {tf.__version__}, oneDNN {'on' if isOn else 'off'}: {channels} channels, stride {stride}: off by {max(errors):.1e}")
expected = {key: not isOn or key[0] >= 8 or key[1] == 1 for key in right}
sys.exit(0 if right == expected else f"changed: right {right}, expected {expected}")
PY
for isOn in 0 1; do
  TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=$isOn ONEDNN_MAX_CPU_ISA=AVX2 timeout 120 "$folder/venv/bin/python" "$folder/gradient.py" 2>"$folder/log" || {
    tail -3 "$folder/log"
    exit 1
  }
done
echo 'as found: wrong with oneDNN for fewer than eight channels and a stride'
