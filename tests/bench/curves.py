#!/usr/bin/env python3
"""Where the shipped x2 models stand: PSNR on the validation pictures over steps of training.

curves.py LOGS OUT.svg

LOGS is weights/logs. A run that began from another's end is drawn behind it. PSNR is that of hard weights.
"""
import csv
import math
import sys

from panel import COLORS, Panel, write

# Panel, then its runs: log, steps before it, label, bits of its weights.
PANELS = [
    ("srnet-e2e-x2", [("srnet-x2-w32", 1800, "float", 32), ("srnet-x2-w32-longer", 27800, "float, rate anew", 32),
                      ("srnet-x2-w2", 51800, "2 bits", 2), ("srnet-x2-w4", 51800, "4 bits", 4),
                      ("srnet-x2-w1a1", 27800, "1 bit, 1-bit activations", 1)]),
    ("VDSR", [("vdsr-w32-mse", 8000, "float, squared error", 32), ("vdsr-w32", 17000, "float, absolute error", 32),
              ("vdsr-w2", 29000, "2 bits", 2), ("vdsr-w1", 29000, "1 bit", 1)]),
]
WIDTH, HEIGHT, LEFT, TOP = 560, 340, 60, 40
SPAN = 1  # dB: how a search begins, far below, would leave no room for how it ends


def read(path, before):
    with open(path) as f:
        return [(before + int(row["step"]), float(row["psnr_x2"])) for row in csv.DictReader(f) if row["psnr_x2"]]


def panel(index, title, runs, logs):
    curves = [(read(f"{logs}/{log}.csv", before), before, label, bits) for log, before, label, bits in runs]
    points = [p for curve in curves for p in curve[0]]
    last = math.ceil(max(step for step, _ in points) / 10000) * 10000
    least, most = min(psnr for _, psnr in points), max(psnr for _, psnr in points)
    low, high = math.floor(max(least, most - SPAN) * 5) / 5, math.ceil(most * 5) / 5

    axes = Panel((index * WIDTH + LEFT, TOP, (index + 1) * WIDTH - 150, HEIGHT), (0, last), (low, high))
    x, y = axes.x, axes.y
    out = axes.axes(f"{title}: PSNR on the validation pictures, x2, dB",
                    "thousand steps, with those of the run it began from",
                    [(step, step // 1000) for step in range(0, last + 1, 10000)],
                    [(i / 5, f"{i / 5:.1f}") for i in range(round(low * 5), round(high * 5) + 1)])
    out.append(f'<clipPath id="panel{index}"><rect x="{axes.left}" y="{TOP}" width="{axes.right - axes.left}" '
               f'height="{HEIGHT - TOP}"/></clipPath>')
    labels = []  # heights taken
    for curve, before, label, bits in sorted(curves, key=lambda c: -c[0][-1][1]):
        path = " ".join(f"{x(step):.1f},{y(psnr):.1f}" for step, psnr in curve)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[bits]}" stroke-width="2" '
                   f'clip-path="url(#panel{index})"/>')
        out += [f'<circle cx="{x(step):.1f}" cy="{y(psnr):.1f}" r="3" fill="{COLORS[bits]}"/>' for step, psnr in curve
                if psnr >= low]
        at = y(curve[-1][1])
        while any(abs(at - other) < 15 for other in labels):
            at += 3
        labels.append(at)
        out.append(f'<path d="M{x(curve[-1][0]):.1f} {y(curve[-1][1]):.1f}L{x(last) + 8:.1f} {at:.1f}" stroke="#ccc" stroke-dasharray="2 3"/>'
                   f'<text x="{x(last) + 10:.1f}" y="{at + 4:.1f}" fill="{COLORS[bits]}">{label} '
                   f'{curve[-1][1]:.2f}</text>')
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    out = []
    for index, (title, runs) in enumerate(PANELS):
        out += panel(index, title, runs, sys.argv[1])
    write(sys.argv[2], WIDTH * len(PANELS), HEIGHT + 60, out)


main()
