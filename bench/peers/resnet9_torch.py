"""ResNet-9's training step, or a matrix product, in PyTorch: the peer of `npm run bench`.

    python resnet9_torch.py '{"kind": "step", "mode": "bf16 channels-last", "batch": 512, "problem": DIR}'
    python resnet9_torch.py '{"kind": "matmul", "precision": "bf16", "size": 4096, "chain": 4}'

One process measures one thing. After its burn-in it prints a JSON line `{"ready": true, ...}`. For each line
`{"steps": n}` on standard input it runs n steps and prints `{"seconds": [...], "losses": [...], ...}`. It exits at the end of
standard input. bench/worker.mjs implements the same protocol in JavaScript.

A mode is a number format, then any combination of `channels-last` and `compiled`.
    fp32      PyTorch's default
    medium    fp32 outside, bf16 inside of convolutions and products; oneDNN does it only on CPUs with AMX
    autocast  bf16 by torch.autocast, master weights in fp32
    bf16      everything in bf16, weights included, which no recipe trains with: less work than ours
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class ConvBn(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.res1 = ConvBn(channels, channels)
        self.res2 = ConvBn(channels, channels)

    def forward(self, x):
        return x + self.res2(self.res1(x))


class Stage(ConvBn):
    """Convolution, batch norm, ReLU, a pool that halves the image, and perhaps a residual block."""

    def __init__(self, cin, cout, has_residual):
        super().__init__(cin, cout)
        if has_residual:
            self.residual = Residual(cout)
        self.has_residual = has_residual

    def forward(self, x):
        x = F.max_pool2d(super().forward(x), 2)
        return self.residual(x) if self.has_residual else x


class ResNet9(nn.Module):
    """Parameters have the paths of src/models/resnet9.ts, with dots for slashes."""

    def __init__(self, prep, layer1, layer2, layer3, weight):
        super().__init__()
        self.prep = ConvBn(3, prep)
        self.layer1 = Stage(prep, layer1, True)
        self.layer2 = Stage(layer1, layer2, False)
        self.layer3 = Stage(layer2, layer3, True)
        self.linear = nn.Linear(layer3, 10, bias=False)
        self.weight = weight

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.prep(x))))
        return self.linear(F.max_pool2d(x, 4).flatten(1)) * self.weight


def read_problem(folder):
    """Reads the manifest of bench/problem.mjs, and its tensors by name, channels last as written."""
    manifest = json.loads((Path(folder) / "problem.json").read_text())
    blob = (Path(folder) / "problem.bin").read_bytes()
    types = {"float32": np.float32, "int32": np.int32}
    tensors = {}
    for name, entry in manifest["tensors"].items():
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(blob, types[entry["dtype"]], count, entry["offset"])
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return manifest, tensors


def load(net, tensors):
    """Loads the starting weights. Kernels are HWIO in the file and OIHW here; matrices are transposed."""
    orders = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
    state = {}
    for name, old in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = old
        else:
            value = tensors["network/" + name.replace(".", "/")]
            state[name] = value.permute(orders[value.dim()]).contiguous()
    net.load_state_dict(state)


def training_step(mode, batch, folder):
    number, *rest = mode.split(" ")
    unknown = set(rest) - {"channels-last", "compiled"}
    if number not in {"fp32", "medium", "autocast", "bf16"} or unknown:
        raise SystemExit(f'resnet9_torch: there is no mode "{mode}".')
    manifest, tensors = read_problem(folder)
    net = ResNet9(**manifest["net"])
    load(net, tensors)
    images = tensors["images"][:batch].permute(0, 3, 1, 2)
    layout = torch.channels_last if "channels-last" in rest else torch.contiguous_format
    dtype = torch.bfloat16 if number == "bf16" else torch.float32
    images = images.to(dtype).contiguous(memory_format=layout)
    labels = tensors["labels"][:batch].long()
    net = net.to(dtype).to(memory_format=layout).train()
    if number == "medium":
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    sgd = torch.optim.SGD(
        net.parameters(),
        lr=manifest["lr"],
        momentum=manifest["momentum"],
        weight_decay=manifest["weightDecay"],
        nesterov=True,
        fused=True,
    )
    forward = torch.compile(net) if "compiled" in rest else net

    def step():
        sgd.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=number == "autocast"):
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        sgd.step()
        return loss.item()

    return step


def matrix_product(precision, size, chain):
    """`chain` products of square matrices, one after the other; the second factor keeps the numbers small."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(size, size, generator=generator).to(dtype)
    second = ((torch.rand(size, size, generator=generator) * 2 - 1) * (3 / size) ** 0.5).to(dtype)

    def step():
        with torch.no_grad():
            x = first
            for _ in range(chain):
                x = x @ second
            return x[0, 0].item()

    return step


def serve(step, burn_in):
    def answer(count):
        seconds, losses = [], []
        before = time.process_time()
        for _ in range(count):
            start = time.perf_counter()
            losses.append(step())
            seconds.append(time.perf_counter() - start)
        return {
            "seconds": seconds,
            "losses": losses,
            "cpuSec": time.process_time() - before,
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    def say(message):
        print(json.dumps(message), flush=True)

    say({"ready": True, "version": torch.__version__, **answer(burn_in)})
    for line in sys.stdin:
        say(answer(json.loads(line)["steps"]))


if __name__ == "__main__":
    config = json.loads(sys.argv[1])
    if config["kind"] == "matmul":
        made = matrix_product(config["precision"], config["size"], config["chain"])
    else:
        made = training_step(config["mode"], config["batch"], config["problem"])
    serve(made, config.get("burnIn", 2))
