#!/usr/bin/env python3
"""Makes data/before_after.png: python3 data/before_after.py build/slbsr

A part of data/hr/cat.png, made three times smaller, three times: as it is, every pixel a square; enlarged bicubically;
enlarged by slbsr with 2-bit weights. Needs nothing but Python and slbsr.
"""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

SCALE = 3
LEFT, TOP, WIDTH, HEIGHT = 0, 0, 240, 160  # of the part, in pixels of the result


def run(*words):
    subprocess.run([program, *words, "--overwrite"], check=True)


def read_ppm(path):
    """Rows of pixels, each three numbers."""
    with open(path, "rb") as file:
        magic, size, most = (file.readline().split() for _ in range(3))
        assert magic == [b"P6"] and most == [b"255"]
        width, height = map(int, size)
        data = file.read()
    return [[data[(y * width + x) * 3:][:3] for x in range(width)] for y in range(height)]


def cubic(x):
    """Keys' kernel with a = -0.5."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0


def taps(size):
    """For each output the four inputs it is made of, with their weights."""
    for i in range(size * SCALE):
        u = (i + 0.5) / SCALE - 0.5
        yield [(min(max(j, 0), size - 1), cubic(u - j)) for j in range(int(u // 1) - 1, int(u // 1) + 3)]


def bicubic(rows):
    wide = [[[sum(w * row[j][c] for j, w in t) for c in range(3)] for t in taps(len(rows[0]))] for row in rows]
    tall = [[[sum(w * wide[j][x][c] for j, w in t) for c in range(3)] for x in range(len(wide[0]))]
            for t in taps(len(rows))]
    return [[bytes(min(max(int(v + 0.5), 0), 255) for v in pixel) for pixel in row] for row in tall]


def squares(rows):
    return [[row[x // SCALE] for x in range(len(row) * SCALE)] for row in rows for _ in range(SCALE)]


def write_png(path, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    data = b"".join(b"\0" + b"".join(row) for row in rows)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) +
                   chunk(b"IEND", b""))


program = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as work:
    small, large = os.path.join(work, "small.ppm"), os.path.join(work, "large.ppm")
    run("downscale", os.path.join(here, "hr", "cat.png"), small, "--scale", str(SCALE))
    run("upscale", small, large, "--scale", str(SCALE), "--bits", "2")
    before, after = read_ppm(small), read_ppm(large)
panels = squares(before), bicubic(before), after
gap = [b"\xff\xff\xff"] * 6
rows = [panels[0][y][LEFT:LEFT + WIDTH] + gap + panels[1][y][LEFT:LEFT + WIDTH] + gap + panels[2][y][LEFT:LEFT + WIDTH]
        for y in range(TOP, TOP + HEIGHT)]
write_png(os.path.join(here, "before_after.png"), rows)
