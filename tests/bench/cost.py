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

COLORS = {1: "#b5473c", 2: "#2f6f9f", 4: "#3d7d4b", 32: "#666666"}


def ask(program, *words):
    return json.loads(subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(options):
    rows = []
    for model in ask(options.slbsr, "models", "--json")["models"]:
        report = ask(options.slbsr, "bench", model["name"], "--json", "--size", str(options.size), "--repeat",
                     str(options.repeat), "-j", str(options.threads))
        runs = {run["run"]: run for run in report["upscale"]}
        run = runs.get("packed") or runs["float"]
        pixels = options.size * options.size
        for scale in model["scales"]:
            rows.append({
                "model": model["name"], "weight_bits": model["weight_bits"], "act_bits": model["activation_bits"],
                "scale": scale["scale"], "bytes": model["bytes"],
                "mac_per_pixel": round(run["gops"] * 1e9 * run["ms"] / 1e3 / 2 / pixels),
                "ms_per_megapixel": round(run["ms"] * 1e6 / pixels, 2), "threads": options.threads,
                "psnr": scale["psnr"], "gain": round(scale["psnr"] - scale["bicubic_psnr"], 4)})
    return rows


def draw(rows, path):
    """One panel a scale: gain over time, which is logarithmic; colours tell bits."""
    scales = sorted({row["scale"] for row in rows})
    width, height, left, top = 380, 320, 60, 40
    times = [row["ms_per_megapixel"] for row in rows]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    gains = [row["gain"] for row in rows]
    least, most = math.floor(min(gains) * 2) / 2, math.ceil(max(gains) * 2) / 2
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * len(scales)} {height + 60}" '
           'font-family="sans-serif" font-size="12" fill="#222">', '<rect width="100%" height="100%" fill="#fff"/>']
    for panel, scale in enumerate(scales):
        def x(ms):
            return panel * width + left + (math.log10(ms) - low) / (high - low) * (width - left - 20)

        def y(gain):
            return top + (most - gain) / (most - least) * (height - top)

        out.append(f'<text x="{x(10 ** low)}" y="20" font-weight="bold">x{scale}: gain over bicubic, dB</text>')
        for power in range(low, high + 1):
            at = x(10 ** power)
            out.append(f'<path d="M{at} {top}V{height}" stroke="#ddd"/><text x="{at}" y="{height + 18}" '
                       f'text-anchor="middle">{10 ** power:g}</text>')
        for i in range(int(least * 2), int(most * 2) + 1):
            out.append(f'<path d="M{x(10 ** low)} {y(i / 2)}H{x(10 ** high)}" stroke="#ddd"/><text '
                       f'x="{x(10 ** low) - 8}" y="{y(i / 2) + 4}" text-anchor="end">{i / 2:g}</text>')
        out.append(f'<text x="{(x(10 ** low) + x(10 ** high)) / 2}" y="{height + 40}" text-anchor="middle">'
                   f'ms for a megapixel, {rows[0]["threads"]} threads</text>')
        placed = []  # boxes that text must not cover: left, top, right, bottom
        points = sorted((row for row in rows if row["scale"] == scale), key=lambda row: -row["gain"])
        for row in points:
            at, level = x(row["ms_per_megapixel"]), y(row["gain"])
            placed.append((at - 6, level - 6, at + 6, level + 6))
            out.append(f'<circle cx="{at:.1f}" cy="{level:.1f}" r="5" fill="{COLORS[row["weight_bits"]]}"/>')
        for row in points:
            at, level = x(row["ms_per_megapixel"]), y(row["gain"])
            room = 6.5 * len(row["model"])
            for below, right in itertools.product((0, -14, 14, -28, 28, -42, 42), (True, False)):
                begin = at + 9 if right else at - 9 - room
                box = (begin, level + below - 7, begin + room, level + below + 6)
                if begin > panel * width + left - 20 and begin + room < (panel + 1) * width + 20 and not any(
                        box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in placed):
                    break
            placed.append(box)
            if below:
                out.append(f'<path d="M{at:.1f} {level:.1f}L{at + (8 if right else -8):.1f} {level + below:.1f}" '
                           'stroke="#999"/>')
            out.append(f'<text x="{at + (9 if right else -9):.1f}" y="{level + below + 4:.1f}" '
                       f'text-anchor="{"start" if right else "end"}">{row["model"]}</text>')
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


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
