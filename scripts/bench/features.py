"""Times LPIPS (AlexNet, VGG16) and I3D in PyTorch on the CPU, with random weights, in the shapes of
`go test ./eval/metric/features -run x -bench .`, to be run in turns with it.
Call: python scripts/bench/features.py [rounds]"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Images(nn.Module):
    """Features of an image network: (out, kernel, stride, pad, pool before it, compared)."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers
        channels = 3
        self.convs, self.linear = nn.ModuleList(), nn.ModuleList()
        for out, kernel, stride, pad, _, compared in layers:
            self.convs.append(nn.Conv2d(channels, out, kernel, stride, pad))
            if compared:
                self.linear.append(nn.Conv2d(out, 1, 1, bias=False))
            channels = out

    def features(self, x):
        for conv, (_, _, _, _, pool, compared) in zip(self.convs, self.layers):
            if pool:
                x = F.max_pool2d(x, pool, 2)
            x = F.relu(conv(x), inplace=False)
            if compared:
                yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    def forward(self, a, b):
        both = zip(self.features(a), self.features(b), self.linear)
        return sum(linear((x - y).square()).mean((2, 3)) for x, y, linear in both)


ALEX = [(64, 11, 4, 2, 0, True), (192, 5, 1, 2, 3, True), (384, 3, 1, 1, 3, True), (256, 3, 1, 1, 0, True), (256, 3, 1, 1, 0, True)]
VGG = [
    (min(64 << block, 512), 3, 1, 1, 2 if block and not i else 0, i == n - 1)
    for block, n in enumerate([2, 2, 3, 3, 3])
    for i in range(n)
]


def same(x, kernel, stride):
    pads = []
    for size, k, s in zip(x.shape[2:], kernel, stride):
        missing = max((size - 1) // s * s + k - size, 0)
        pads = [missing // 2, missing - missing // 2] + pads
    return F.pad(x, pads) if any(pads) else x


class Unit(nn.Module):
    """A convolution with a bias, as batch norm becomes when weights are fixed, then ReLU."""

    def __init__(self, channels, out, kernel, stride=1):
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv = nn.Conv3d(channels, out, kernel, stride)

    def forward(self, x):
        return F.relu(self.conv(same(x, self.kernel, self.stride)))


def pool(x, kernel, stride):
    return F.max_pool3d(same(x, kernel, stride), kernel, stride)


class Mixed(nn.Module):
    def __init__(self, channels, o):
        super().__init__()
        self.b0, self.b1a, self.b1b = Unit(channels, o[0], 1), Unit(channels, o[1], 1), Unit(o[1], o[2], 3)
        self.b2a, self.b2b, self.b3b = Unit(channels, o[3], 1), Unit(o[3], o[4], 3), Unit(channels, o[5], 1)

    def forward(self, x):
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pool(x, (3, 3, 3), (1, 1, 1)))], 1)


class I3D(nn.Module):
    OUTS = [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128),
            (384, 192, 384, 48, 128, 128)]

    def __init__(self):
        super().__init__()
        self.stem, self.b, self.c = Unit(3, 64, 7, 2), Unit(64, 64, 1), Unit(64, 192, 3)
        channels, self.mixed = 192, nn.ModuleList()
        for o in self.OUTS:
            self.mixed.append(Mixed(channels, o))
            channels = o[0] + o[2] + o[4] + o[5]
        self.logits = nn.Conv3d(channels, 400, 1)

    def forward(self, x):
        n, c, t, h, w = x.shape
        x = F.interpolate(x.transpose(1, 2).reshape(n * t, c, h, w), size=(224, 224), mode="bilinear", align_corners=False)
        x = x.reshape(n, t, c, 224, 224).transpose(1, 2)
        x = pool(self.stem(x), (1, 3, 3), (1, 2, 2))
        x = pool(self.c(self.b(x)), (1, 3, 3), (1, 2, 2))
        for i, mixed in enumerate(self.mixed):
            if i == 2:
                x = pool(x, (3, 3, 3), (2, 2, 2))
            if i == 7:
                x = pool(x, (2, 2, 2), (2, 2, 2))
            x = mixed(x)
        return self.logits(F.avg_pool3d(x, (2, 7, 7), 1)).mean((2, 3, 4))


def measure(name, n, unit, run):
    run()
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    times.sort()
    print(f"{name:12} {n / times[len(times) // 2]:8.2f} {unit}, median of 5", flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.manual_seed(0)
    cases = []
    for name, layers, n in [("lpips-alex", ALEX, 16), ("lpips-vgg", VGG, 2)]:
        net, a, b = Images(layers).eval(), torch.rand(n, 3, 128, 128) * 2 - 1, torch.rand(n, 3, 128, 128) * 2 - 1
        cases.append((name, n, "pairs/s", lambda net=net, a=a, b=b: net(a, b)))
    i3d, clip = I3D().eval(), torch.rand(1, 3, 16, 64, 64) * 2 - 1
    cases.append(("i3d", 16, "frames/s", lambda: i3d(clip)))
    with torch.inference_mode():
        for _ in range(rounds):
            for case in cases:
                measure(*case)


if __name__ == "__main__":
    main()
