"""airbench94 with Muon in PyTorch on a CPU: the peer of `node bench/airbench.mjs`, and a whole training run.

    python airbench_torch.py '{"mode": "autocast channels-last", "data": BATCHES, "stage": "frozen"}'
    python airbench_torch.py --whole BATCHES [--mode "autocast channels-last compiled"] [--seed 1]

BATCHES is the folder of CIFAR-10's binary batches. The first form uses the protocol of resnet9_torch.py: a JSON line
`{"ready": true, ...}`, then for each line `{"steps": n}` the seconds of n training steps, augmentation included. `stage` is
`learning` while the bias of the whitening layer is trained (3 of 8 epochs) and `frozen` after that. The second form trains the
whole recipe and prints a JSON line with its seconds (training and evaluation, without loading and compiling) and its accuracy.

The hyperparameters are those of src/catalogue/speedrun.ts, the network that of src/models/airbench.ts. A mode is a number
format (`fp32`, `autocast`, or `bf16`: weights included, norms in fp32), then any of `channels-last`, `compiled`.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from resnet9_torch import serve

batch_size, epochs, steps_per_epoch = 2000, 8, 25
steps, whitening_steps = epochs * steps_per_epoch, 3 * steps_per_epoch


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(cout, eps=1e-12, momentum=0.4)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(cout, eps=1e-12, momentum=0.4)
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight.data[: conv.in_channels])
        for norm in (self.norm1, self.norm2):
            norm.weight.requires_grad = False

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        self.whiten.weight.data = whitening_filters(images)
        self.blocks = nn.Sequential(Block(24, 64), Block(64, 256), Block(256, 256))
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def forward(self, x, learns_bias):
        bias = self.whiten.bias if learns_bias else self.whiten.bias.detach()
        x = F.gelu(F.conv2d(x, self.whiten.weight, bias))
        return self.head(self.blocks(x).amax((2, 3))) / 256


def whitening_filters(images):
    patches = F.unfold(images[:5000].float(), 2).transpose(1, 2).reshape(-1, 12).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
    return torch.cat([filters, -filters]).float()


def orthogonal(x):
    """Three Newton-Schulz iterations in bf16 on `[cout, cin kh kw]`, which here is never taller than wide."""
    x = x.bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum 0.6. A step scales each kernel to norm sqrt(cout), then moves it by an orthogonalised direction."""

    def __init__(self, kernels, lr, orthogonalise):
        super().__init__(kernels, {"lr": lr})
        self.orthogonalise = orthogonalise

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for kernel in group["params"]:
                state = self.state[kernel]
                if "velocity" not in state:
                    state["velocity"] = torch.zeros_like(kernel)
                velocity = state["velocity"].mul_(0.6).add_(kernel.grad)
                direction = kernel.grad.add(velocity, alpha=0.6).reshape(len(kernel), -1)
                kernel.mul_(math.sqrt(len(kernel)) / kernel.norm())
                moved = self.orthogonalise(direction).view(kernel.shape).to(kernel.dtype)
                kernel.add_(moved, alpha=-group["lr"])


class Recipe:
    """A network in training. `step` counts from 0 over the whole run."""

    def __init__(self, mode, folder, seed):
        number, *rest = mode.split(" ")
        unknown = set(rest) - {"channels-last", "compiled"}
        if number not in {"fp32", "autocast", "bf16"} or unknown:
            raise SystemExit(f'airbench_torch: there is no mode "{mode}".')
        torch.manual_seed(seed)
        self.is_cast = number == "autocast"
        self.dtype = torch.bfloat16 if number == "bf16" else torch.float32
        self.layout = torch.channels_last if "channels-last" in rest else torch.contiguous_format
        self.train = read_split(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
        self.test = read_split(folder, ["test_batch.bin"])
        net = Airbench(self.train[0])
        if self.dtype != torch.float32:
            net.to(self.dtype)
            for module in net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.float()
        self.net = net.to(memory_format=self.layout).train()
        is_compiled = "compiled" in rest
        self.forward = torch.compile(net) if is_compiled else net
        self.orthogonalise = torch.compile(orthogonal) if is_compiled else orthogonal
        self.restart()

    def restart(self):
        net = self.net
        kernels = [p for p in net.blocks.parameters() if p.dim() == 4]
        biases = [p for p in net.blocks.parameters() if p.dim() == 1 and p.requires_grad]
        decay = 2e-6 * batch_size
        self.sgd = torch.optim.SGD(
            [
                {"params": [net.whiten.bias], "lr": 0.053, "weight_decay": decay / 0.053},
                {"params": biases, "lr": 0.053, "weight_decay": decay / 0.053},
                {"params": [net.head.weight], "lr": 0.67, "weight_decay": decay / 0.67},
            ],
            lr=0,
            momentum=0.85,
            nesterov=True,
        )
        self.muon = Muon(kernels, 0.24, self.orthogonalise)
        self.peaks = [group["lr"] for group in self.sgd.param_groups]
        self.mirrored = torch.rand(len(self.train[0])) < 0.5

    def augmented(self, places, epoch):
        """Crops from images with a reflected border of 2 pixels; mirrors each image in every second epoch."""
        padded = F.pad(self.train[0][places], (2, 2, 2, 2), "reflect")
        down, right = torch.randint(5, (2, len(places), 1))
        rows = (down + torch.arange(32))[:, None, :, None]
        columns = right + torch.arange(32)
        flip = (self.mirrored[places] ^ (epoch % 2 == 1))[:, None]
        columns = torch.where(flip, columns.flip(1), columns)[:, None, None, :]
        examples, colours = torch.arange(len(places))[:, None, None, None], torch.arange(3)[None, :, None, None]
        return padded[examples, colours, rows, columns]

    def logits(self, images, learns_bias):
        images = images.to(self.dtype).contiguous(memory_format=self.layout)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.is_cast):
            return self.forward(images, learns_bias).float()

    def step(self, places, step):
        learns_bias = step < whitening_steps
        rest = 1 - step / steps
        factors = [1 - step / whitening_steps, rest, rest]
        for group, peak, factor in zip(self.sgd.param_groups, self.peaks, factors):
            group["lr"] = peak * factor
        self.muon.param_groups[0]["lr"] = 0.24 * rest
        logits = self.logits(self.augmented(places, step // steps_per_epoch), learns_bias)
        loss = F.cross_entropy(logits, self.train[1][places], label_smoothing=0.2, reduction="sum")
        loss.backward()
        self.sgd.step()
        self.muon.step()
        self.sgd.zero_grad(set_to_none=True)
        self.muon.zero_grad(set_to_none=True)
        return loss.item() / len(places)

    @torch.no_grad()
    def accuracy(self):
        self.net.eval()
        right = 0
        for images, labels in zip(self.test[0].split(batch_size), self.test[1].split(batch_size)):
            both = lambda view: self.logits(view, False) + self.logits(view.flip(3), False)
            padded = F.pad(images, (1, 1, 1, 1), "reflect")
            shifted = both(padded[:, :, :32, :32]) + both(padded[:, :, 2:, 2:])
            right += (both(images) / 4 + shifted / 8).argmax(1).eq(labels).sum().item()
        self.net.train()
        return right / len(self.test[1])


def read_split(folder, names):
    raw = np.concatenate([np.fromfile(Path(folder) / name, np.uint8).reshape(-1, 3073) for name in names])
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)
    images = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).copy()).float()
    return (images / 255 - mean) / deviation, torch.from_numpy(raw[:, 0].astype(np.int64))


def stepper(config):
    """Steps on batches in order, all in one stage of the run."""
    recipe = Recipe(config["mode"], config["data"], 0)
    first = {"learning": 0, "frozen": whitening_steps}[config["stage"]]
    count = [0]

    def step():
        place = count[0] % steps_per_epoch
        count[0] += 1
        return recipe.step(torch.arange(place * batch_size, (place + 1) * batch_size), first + place)

    return step


def whole(folder, mode, seed):
    recipe = Recipe(mode, folder, seed)
    start = {name: value.clone() for name, value in recipe.net.state_dict().items()}
    for step in (0, whitening_steps):
        recipe.step(torch.arange(batch_size), step)
    recipe.accuracy()
    recipe.net.load_state_dict(start)
    recipe.restart()
    before = time.perf_counter()
    for epoch in range(epochs):
        order = torch.randperm(len(recipe.train[0]))
        for index in range(steps_per_epoch):
            places = order[index * batch_size : (index + 1) * batch_size]
            loss = recipe.step(places, epoch * steps_per_epoch + index)
        trained = time.perf_counter() - before
        print(f"epoch {epoch + 1}: loss {loss:.3f}, {trained:.0f} s", file=sys.stderr, flush=True)
    accuracy = recipe.accuracy()
    seconds = time.perf_counter() - before
    found = {"mode": mode, "seed": seed, "trainSec": trained, "seconds": seconds, "accPercent": 100 * accuracy}
    print(json.dumps({"version": torch.__version__, **found}))


if __name__ == "__main__":
    if sys.argv[1].startswith("{"):
        config = json.loads(sys.argv[1])
        serve(stepper(config), config.get("burnIn", 1))
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--whole", metavar="BATCHES", required=True)
        parser.add_argument("--mode", default="autocast channels-last compiled")
        parser.add_argument("--seed", type=int, default=1)
        arguments = parser.parse_args()
        whole(arguments.whole, arguments.mode, arguments.seed)
