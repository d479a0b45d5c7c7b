#!/usr/bin/env bash
# TensorFlow on a CPU without oneDNN's bf16: the kernel gradient of a bf16 convolution sums 1,024 ones to 512.
#
# Expected: bf16 operations multiply in 16 bits and accumulate in fp32, as on GPUs, so a sum of ones is exact up to one rounding.
# The forward convolution, the matrix product and the plain sum do that. The kernel gradient accumulates partial sums in bf16,
# whose spacing exceeds the addends above 256: 1,024 ones give 512, 4,096 give 1,536. The number of terms is the batch size times
# the pixels of the map, so ordinary training is affected: 16 images of 8x8 have 1,024. Random values hide the error as 2 % of
# noise. oneDNN serves bf16 from AVX-512 on; older processors, and TF_ENABLE_ONEDNN_OPTS=0 anywhere, take this path without a
# warning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 numpy==2.4.6
cat >"$folder/ones.py" <<'PY'
import sys
import tensorflow as tf

# The error depends on the number of threads that share the sum.
tf.config.threading.set_intra_op_parallelism_threads(1)
bf16 = tf.bfloat16


def ones(*shape, dtype=bf16):
    return tf.ones(shape, dtype)


def kernelGradient(images, side, dtype):
    dy = ones(images, side, side, 4, dtype=dtype)
    found = tf.raw_ops.Conv2DBackpropFilter(
        input=dy, filter_sizes=[1, 1, 4, 4], out_backprop=dy, strides=[1, 1, 1, 1], padding="SAME"
    )
    return float(tf.cast(found, tf.float32)[0, 0, 0, 0])


found = {}
for images, side in ((4, 8), (16, 8), (16, 16), (64, 16)):
    terms = images * side * side
    found[terms] = kernelGradient(images, side, bf16)
    print(f"TensorFlow {tf.__version__}: kernel gradient of {terms} ones: fp32 {kernelGradient(images, side, tf.float32)}, bf16 {found[terms]}")
forward = float(tf.cast(tf.nn.conv2d(ones(1, 4, 4, 4096), ones(1, 1, 4096, 4), 1, "SAME"), tf.float32)[0, 0, 0, 0])
product = float(tf.cast(tf.matmul(ones(1, 4096), ones(4096, 1)), tf.float32)[0, 0])
total = float(tf.cast(tf.reduce_sum(ones(4096)), tf.float32))
print(f"4096 ones in bf16: forward convolution {forward}, matrix product {product}, sum {total}")
isAsFound = found[256] == 256 and found[1024] <= 768 and found[4096] <= 3072 and forward == product == total == 4096
sys.exit(0 if isAsFound else "changed")
PY
TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0 timeout 120 "$folder/venv/bin/python" "$folder/ones.py" 2>"$folder/log" || {
  tail -3 "$folder/log"
  exit 1
}
echo 'as found: the kernel gradient adds up in bf16, everything else in fp32'
