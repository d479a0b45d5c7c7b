"""The training step of `--network fastest`, or its convolutions one by one, in PyTorch.

    python speedrun_torch.py '{"kind": "step", "mode": "autocast channels-last", "batch": 1024, "problem": DIR}'
    python speedrun_torch.py '{"kind": "convolutions", "precision": "bf16", "shapes": [[images, size, cin, cout], ...]}'

Modes and the protocol are those of resnet9_torch.py. Convolutions are in the given precision, channels last, with padding 1.
The output is a line of JSON with the milliseconds of the forward pass, of the gradient with respect to the input and of the
gradient with respect to the kernel, for each shape.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from resnet9_torch import read_problem, serve
from torch import nn


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(cout)

    def forward(self, x):
        x = F.silu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.silu(self.norm2(self.conv2(x)))


class Head(nn.Module):
    def __init__(self, cin):
        super().__init__()
        self.linear = nn.Linear(cin, 10, bias=False)

    def forward(self, x):
        return self.linear(x.amax((2, 3)))


class Speedrun(nn.Module):
    """Parameters have the paths of bench/speedrun.mjs, with dots for slashes."""

    def __init__(self, widths):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        self.block1 = Block(24, widths[0])
        self.block2 = Block(widths[0], widths[1])
        self.block3 = Block(widths[1], widths[2])
        self.head = Head(widths[2])

    def forward(self, x):
        return self.head(self.block3(self.block2(self.block1(F.silu(self.whiten(x))))))


def load(net, tensors):
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
    manifest, tensors = read_problem(folder)
    net = Speedrun(manifest["widths"])
    load(net, tensors)
    layout = torch.channels_last if "channels-last" in rest else torch.contiguous_format
    dtype = torch.bfloat16 if number == "bf16" else torch.float32
    images = tensors["images"][:batch].permute(0, 3, 1, 2).to(dtype).contiguous(memory_format=layout)
    labels = tensors["labels"][:batch].long()
    net = net.to(dtype).to(memory_format=layout).train()
    if number == "medium":
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    moving = [parameter for parameter in net.parameters() if parameter.requires_grad]
    sgd = torch.optim.SGD(
        moving, lr=manifest["lr"], momentum=manifest["momentum"], nesterov=True, fused=True
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


def time_convolution(precision, images, size, cin, cout):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32

    def filled(*shape):
        tensor = torch.randn(shape, dtype=dtype)
        return tensor.contiguous(memory_format=torch.channels_last)

    x, kernel, dy = filled(images, cin, size, size), filled(cout, cin, 3, 3), filled(images, cout, size, size)

    def gradient(mask):
        return torch.ops.aten.convolution_backward(
            dy, x, kernel, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask
        )

    calls = [
        lambda: F.conv2d(x, kernel, padding=1),
        lambda: gradient([True, False, False]),
        lambda: gradient([False, True, False]),
    ]
    best = []
    for call in calls:
        times = []
        for _ in range(6):
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        best.append(min(times))
    return best


if __name__ == "__main__":
    config = json.loads(sys.argv[1])
    if config["kind"] == "convolutions":
        with torch.no_grad():
            print(json.dumps({"ms": [time_convolution(config["precision"], *shape) for shape in config["shapes"]]}))
    else:
        serve(
            training_step(config["mode"], config["batch"], config["problem"]),
            config.get("burnIn", 2),
        )
