"""The models of bench/models/zoo.mjs in PyTorch: the peer of `npm run bench -- --models`.

    python models_torch.py '{"model": "convnet", "precision": "bf16", "batch": 128, "batches": 6}'

A step is an epoch on random data: examples are shuffled; loss and accuracy are read once, at its end. Images are channels
last, and bf16 is torch.autocast with weights in fp32, as in our own training. The protocol is that of resnet9_torch.py.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from resnet9_torch import serve  # noqa: E402


def conv_block(cin, cout):
    return [
        nn.Conv2d(cin, cout, 3, padding=1, bias=False),
        nn.BatchNorm2d(cout, momentum=0.01, eps=1e-3),
        nn.ReLU(inplace=True),
    ]


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2000, 64)
        self.lstm = nn.LSTM(64, 64, batch_first=True)
        self.dense = nn.Linear(64, 2)

    def forward(self, x):
        _, (last, _) = self.lstm(self.embedding(x))
        return self.dense(last[0])


def make(name):
    """The model, its optimiser, the shape of an example and the number of classes."""
    if name == "convnet":
        net = nn.Sequential(
            *conv_block(3, 32),
            *conv_block(32, 32),
            nn.MaxPool2d(2),
            *conv_block(32, 64),
            *conv_block(64, 64),
            nn.MaxPool2d(2),
            *conv_block(64, 128),
            *conv_block(128, 128),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(128, 10),
        )
        return net, torch.optim.Adam(net.parameters(), 1e-3), (3, 32, 32), 10
    if name == "mnist":
        net = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(1024, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, 10),
        )
        return net, torch.optim.RMSprop(net.parameters(), 1e-3, 0.9), (1, 28, 28), 10
    if name == "tabular":
        dense = [nn.Linear(64, 256), nn.ReLU()]
        for _ in range(7):
            dense += [nn.Linear(256, 256), nn.ReLU()]
        net = nn.Sequential(*dense, nn.Linear(256, 2))
        return net, torch.optim.Adam(net.parameters(), 1e-3), (64,), 2
    net = Text()
    return net, torch.optim.Adam(net.parameters(), 1e-3), (40,), 2


def epochs(name, precision, batch, batches):
    torch.manual_seed(0)
    net, optimiser, shape, classes = make(name)
    net.train()
    count = batch * batches
    if name == "text":
        examples = torch.randint(0, 2000, (count, *shape))
    else:
        examples = torch.rand(count, *shape)
    if len(shape) == 3:
        net = net.to(memory_format=torch.channels_last)
        examples = examples.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (count,))

    def epoch():
        order = torch.randperm(count)
        loss_sum = torch.zeros(())
        correct = torch.zeros(())
        for step in range(batches):
            chosen = order[step * batch : (step + 1) * batch]
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                outputs = net(examples[chosen])
            loss = F.cross_entropy(outputs.float(), labels[chosen])
            loss.backward()
            optimiser.step()
            loss_sum += loss.detach()
            correct += (outputs.argmax(1) == labels[chosen]).sum()
        return loss_sum.item() / batches

    return epoch


if __name__ == "__main__":
    config = json.loads(sys.argv[1])
    run = epochs(config["model"], config["precision"], config["batch"], config["batches"])
    serve(run, config.get("burnIn", 1))
