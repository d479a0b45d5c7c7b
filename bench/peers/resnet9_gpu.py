"""ResNet-9's training in PyTorch on a GPU: the peer of `npm run bench:gpu -- --part speed`.

    python resnet9_gpu.py '{"mode": "fp16 compiled", "batch": 512, "steps": 97, "epochs": 5}'

Prints one JSON line. Images are random data on the device, shuffled in each epoch, without cropping, mirroring or cutout, so
PyTorch does less work than we do. Weights and images are in low precision and channels last, as in the study's own scripts
(batch norm stays in fp32). No value is read before the end of an epoch, and the clock is read after the device has finished.
`"device": "cpu"` runs it without a GPU, for a trial.

A mode is fp16 or bf16, then `eager`, `compiled` (torch.compile) or `graphs` (torch.compile in mode max-autotune, which
replays CUDA graphs).
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
from resnet9_torch import ResNet9  # noqa: E402


def main(config):
    number, run = config["mode"].split(" ")
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[number]
    device = config.get("device", "cuda")
    batch, steps = config["batch"], config["steps"]
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    widths = config.get("widths", {"prep": 64, "layer1": 128, "layer2": 256, "layer3": 512})
    net = ResNet9(**widths, weight=0.125).to(device, dtype).to(memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and device != "cpu":
            module.float()
    net.train()
    images = torch.randn(batch * steps, 3, 32, 32, device=device).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch * steps,), device=device)
    sgd = torch.optim.SGD(
        net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )
    modes = {"compiled": "default", "graphs": "max-autotune"}
    forward = net if run == "eager" else torch.compile(net, mode=modes[run])
    total = torch.zeros((), device=device)

    def wait():
        if device != "cpu":
            torch.cuda.synchronize()

    def epoch():
        order = torch.randperm(batch * steps, device=device)
        total.zero_()
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            sgd.zero_grad(set_to_none=True)
            loss = F.cross_entropy(forward(images[chosen]).float(), labels[chosen])
            loss.backward()
            sgd.step()
            total.add_(loss.detach())
        return total.item() / steps

    start = time.perf_counter()
    losses = [epoch()]
    wait()
    warm = time.perf_counter() - start
    seconds = []
    for _ in range(config["epochs"]):
        start = time.perf_counter()
        losses.append(epoch())
        wait()
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "peer": "PyTorch " + torch.__version__,
                "device": torch.cuda.get_device_name() if device != "cpu" else "cpu",
                "warmUpSec": warm,
                "epochSec": seconds,
                "losses": losses,
                "imagesPerSec": len(seconds) * batch * steps / sum(seconds),
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
