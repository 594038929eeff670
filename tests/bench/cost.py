#!/usr/bin/env python3
"""What a decibel costs: every built-in model's gain over bicubic beside its time, on this machine.

cost.py SLBSR OUT [--threads N] [--size N] [--repeat N]

OUT.csv gets a row for each model and scale: bits of weights and activations, bytes, multiplications for a pixel of the
result, milliseconds for a megapixel of it, PSNR on the validation pictures and the gain over bicubic (both of the model
file itself); OUT.svg draws gain over time. Run it on a machine that does nothing else.
"""
import argparse
import csv
import itertools
import json
import math
import subprocess

from panel import COLORS, Panel, legend, write

WIDTH, HEIGHT, LEFT, TOP = 380, 320, 60, 40


def ask(program, *words):
    return json.loads(subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(options):
    rows = []
    for model in ask(options.slbsr, "models", "--json")["models"]:
        report = ask(options.slbsr, "bench", model["name"], "--json", "--size", str(options.size), "--repeat",
                     str(options.repeat), "-j", str(options.threads))
        runs = {run["run"]: run for run in report["upscale"]}
        run = runs.get("packed") or runs["float"]
        rate = run["mpixel_per_s"]  # of a result that is as large as asked for, or the next multiple of the factor
        for scale in model["scales"]:
            rows.append({
                "model": model["name"], "weight_bits": model["weight_bits"], "act_bits": model["activation_bits"],
                "scale": scale["scale"], "bytes": model["bytes"],
                "mac_per_pixel": round(run["gops"] * 1e3 / 2 / rate),
                "ms_per_megapixel": round(1e3 / rate, 2), "threads": options.threads,
                "psnr": scale["psnr"], "gain": round(scale["psnr"] - scale["bicubic_psnr"], 4)})
    return rows


def panel(index, rows, ranges):
    """The gain of the models of one scale over their time."""
    (low, high), (least, most) = ranges
    axes = Panel((index * WIDTH + LEFT, TOP, (index + 1) * WIDTH - 20, HEIGHT), (10 ** low, 10 ** high), (least, most),
                 log=True)
    out = axes.axes(f'x{rows[0]["scale"]}: gain over bicubic, dB', f'ms for a megapixel, {rows[0]["threads"]} threads',
                    [(10 ** power, f"{10 ** power:g}") for power in range(low, high + 1)],
                    [(i / 2, f"{i / 2:g}") for i in range(int(least * 2), int(most * 2) + 1)])
    placed = []  # boxes that text must not cover: left, top, right, bottom
    points = sorted(rows, key=lambda row: -row["gain"])
    for row in points:
        at, level = axes.x(row["ms_per_megapixel"]), axes.y(row["gain"])
        placed.append((at - 6, level - 6, at + 6, level + 6))
        out.append(f'<circle cx="{at:.1f}" cy="{level:.1f}" r="5" fill="{COLORS[row["weight_bits"]]}"/>')
    for row in points:
        at, level = axes.x(row["ms_per_megapixel"]), axes.y(row["gain"])
        room = 6.5 * len(row["model"])
        for below, right in itertools.product((0, -14, 14, -28, 28, -42, 42), (True, False)):
            begin = at + 9 if right else at - 9 - room
            box = (begin, level + below - 7, begin + room, level + below + 6)
            if begin > axes.left - 20 and begin + room < axes.right + 40 and not any(
                    box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in placed):
                break
        placed.append(box)
        if below:
            out.append(f'<path d="M{at:.1f} {level:.1f}L{at + (8 if right else -8):.1f} {level + below:.1f}" '
                       'stroke="#999"/>')
        out.append(f'<text x="{at + (9 if right else -9):.1f}" y="{level + below + 4:.1f}" '
                   f'text-anchor="{"start" if right else "end"}">{row["model"]}</text>')
    return out


def draw(rows, path):
    """One panel a scale: gain over time, which is logarithmic; colours tell bits."""
    times = [math.log10(row["ms_per_megapixel"]) for row in rows]
    gains = [row["gain"] * 2 for row in rows]
    ranges = ((math.floor(min(times)), math.ceil(max(times))),
              (math.floor(min(gains)) / 2, math.ceil(max(gains)) / 2))
    scales = sorted({row["scale"] for row in rows})
    out = legend(LEFT, HEIGHT + 64)
    for index, scale in enumerate(scales):
        out += panel(index, [row for row in rows if row["scale"] == scale], ranges)
    write(path, WIDTH * len(scales), HEIGHT + 80, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slbsr")
    parser.add_argument("out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rows = measure(options)
    with open(options.out + ".csv", "w", newline="") as f:
        writer = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.out + ".svg")
    print(open(options.out + ".csv").read(), end="")


main()
