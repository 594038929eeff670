#!/usr/bin/env python3
"""VDSR and SRResNet by PyTorch: what `slbsr bench` and `slbsr bench train` are measured beside.

pytorch.py THREADS infer:int8|infer:f32|train:bf16|train:f32[:srresnet]...

infer is VDSR on a luma plane of 512 x 512 or SRResNet (blocks of two convolutions, no normalization) from 256 x 256 to
512 x 512; train is a step with loss and Adam, of 64 patches of 41 x 41 or of 16 small ones of 48 x 48. int8: FX
quantization by the oneDNN engine, traced and frozen; bf16: autocast; both with channels_last where that is faster.
Prints medians. The default allocator makes it up to 1.8 times slower: set MALLOC_TOP_PAD_=1000000000 and
MALLOC_MMAP_THRESHOLD_=2000000000. (Debian: python3-torch.)
"""
import statistics
import sys
import time

import torch
from torch import nn


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class VDSR(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [conv(1, 64), nn.ReLU(inplace=True)]
        for _ in range(18):
            layers += [conv(64, 64), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers, conv(64, 1))

    def forward(self, x):
        return x + self.body(x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(64, 64), nn.ReLU(inplace=True), conv(64, 64))

    def forward(self, x):
        return x + self.body(x)


class SRResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = conv(3, 64)
        self.body = nn.Sequential(*[Block() for _ in range(16)], conv(64, 64))
        self.tail = nn.Sequential(conv(64, 256), nn.PixelShuffle(2), conv(64, 3))

    def forward(self, x):
        first = self.head(x)
        return self.tail(first + self.body(first))


def median_ms(run, repeats=7):
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[2:])


def channels_last(tensor_or_net):
    return tensor_or_net.to(memory_format=torch.channels_last)


def inference(kind, is_vdsr):
    net = (VDSR() if is_vdsr else SRResNet()).eval()
    x = torch.rand(1, 1, 512, 512) if is_vdsr else torch.rand(1, 3, 256, 256)
    if kind == "int8":
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
        torch.backends.quantized.engine = "onednn"
        prepared = prepare_fx(net, get_default_qconfig_mapping("onednn"), (x,))
        prepared(x)
        net = torch.jit.freeze(torch.jit.trace(convert_fx(prepared), x))
    else:
        net, x = channels_last(net), channels_last(x)
    with torch.no_grad():
        return median_ms(lambda: net(x))


def training(kind, is_vdsr):
    net = channels_last(VDSR() if is_vdsr else SRResNet()).train()
    small = torch.rand(64, 1, 41, 41) if is_vdsr else torch.rand(16, 3, 48, 48)
    large = torch.rand(64, 1, 41, 41) if is_vdsr else torch.rand(16, 3, 96, 96)
    small = channels_last(small)
    loss = nn.MSELoss() if is_vdsr else nn.L1Loss()
    adam = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step():
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "bf16"):
            made = net(small)
        loss(made.float(), large).backward()
        adam.step()

    return median_ms(step)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    for word in sys.argv[2:]:
        what, kind, *net = word.split(":")
        ms = {"infer": inference, "train": training}[what](kind, net != ["srresnet"])
        print(f"PyTorch {torch.__version__}, {sys.argv[1]} threads, {word}: {ms:.1f} ms", flush=True)


main()
