"""Reads an exported SavedModel with Python's TensorFlow and compares its logits with ours.

Usage: saved_model.py FOLDER IMAGES LOGITS, where IMAGES holds bytes [N,32,32,3] and LOGITS float32 [N,10].
Prints a line for each check and exits with 1 if one fails.
"""

import sys

import numpy as np
import tensorflow as tf

folder, images_file, logits_file = sys.argv[1:]
images = np.fromfile(images_file, np.uint8).reshape(-1, 32, 32, 3)
expected = np.fromfile(logits_file, np.float32).reshape(-1, 10)
model = tf.saved_model.load(folder)
passed = failed = 0


def check(name, error, bar):
    global passed, failed
    ok = bool(error <= bar)
    passed, failed = passed + ok, failed + (not ok)
    print(f"{'ok' if ok else 'FAILED'}  {name}: {error:.2e}, at most {bar:.0e}")


scale = np.abs(expected).max()
exponents = np.exp(expected - expected.max(axis=1, keepdims=True))
probabilities = exponents / exponents.sum(axis=1, keepdims=True)
for name, given in [
    ("serving_default", tf.constant(images.astype(np.float32))),
    ("bytes", tf.constant(images)),
]:
    found = model.signatures[name](images=given)
    check(f"{name}, logits", np.abs(found["logits"] - expected).max() / scale, 1e-4)
    check(f"{name}, probabilities", np.abs(found["probabilities"] - probabilities).max(), 1e-4)
    one = model.signatures[name](images=given[:1])
    check(f"{name}, one image", np.abs(one["logits"] - expected[:1]).max() / scale, 1e-4)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
