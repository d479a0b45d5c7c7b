"""Reads files of a run with third-party packages, and prints their contents as JSON.

    python read-formats.py events FOLDER      every scalar by tag: [[step, value, wall time], ...]
    python read-formats.py checkpoint FILE    metadata, and the type, shape, SHA-256 and sum of each tensor
"""

import hashlib
import json
import sys


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    # By default TensorBoard keeps only a sample of a long series; 0 keeps everything.
    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        tag: [[event.step, event.value, event.wall_time] for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def checkpoint(file):
    import numpy
    from safetensors import safe_open

    tensors = {}
    with safe_open(file, framework="numpy") as opened:
        for name in opened.keys():
            tensor = opened.get_tensor(name)
            little = numpy.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
            tensors[name] = {
                "dtype": str(tensor.dtype),
                "shape": list(tensor.shape),
                "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
                "sum": float(tensor.sum(dtype=numpy.float64)),
            }
        return {"metadata": opened.metadata(), "tensors": tensors}


readers = {"events": events, "checkpoint": checkpoint}

if __name__ == "__main__":
    _, what, path = sys.argv
    json.dump(readers[what](path), sys.stdout)
