"""Reads an exported network with Python's TensorFlow and with onnxruntime and compares their logits with ours.

Usage: exported.py FOLDER IMAGES LOGITS, where FOLDER holds saved_model.pb and network.onnx, IMAGES bytes [N,32,32,3] and
LOGITS float32 [N,10]. Prints a line for each check and exits with 1 if one fails.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

folder, images_file, logits_file = sys.argv[1:]
images = np.fromfile(images_file, np.uint8).reshape(-1, 32, 32, 3)
expected = np.fromfile(logits_file, np.float32).reshape(-1, 10)
passed = failed = 0


def check(name, error, bar):
    global passed, failed
    ok = bool(error <= bar)
    passed, failed = passed + ok, failed + (not ok)
    print(f"{'ok' if ok else 'FAILED'}  {name}: {error:.2e}, at most {bar:.0e}")


scale = np.abs(expected).max()
exponents = np.exp(expected - expected.max(axis=1, keepdims=True))
probabilities = exponents / exponents.sum(axis=1, keepdims=True)


def compare(name, run):
    found = run(images)
    check(f"{name}, logits", np.abs(found["logits"] - expected).max() / scale, 1e-4)
    check(f"{name}, probabilities", np.abs(found["probabilities"] - probabilities).max(), 1e-4)
    one = run(images[:1])
    check(f"{name}, one image", np.abs(one["logits"] - expected[:1]).max() / scale, 1e-4)


model = tf.saved_model.load(folder)
serving, takes_bytes = (model.signatures[name] for name in ("serving_default", "bytes"))
compare("serving_default", lambda x: serving(images=tf.constant(x.astype(np.float32))))
compare("bytes", lambda x: takes_bytes(images=tf.constant(x)))

file = os.path.join(folder, "network.onnx")
onnx.checker.check_model(file, full_check=True)
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
compare("ONNX", lambda x: dict(zip(names, session.run(names, {"images": x.astype(np.float32)}))))
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
