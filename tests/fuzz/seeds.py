#!/usr/bin/env python3
"""Writes seeds of fuzzing that no program at hand writes as they are wanted here: small, and each for something that the
parsers treat in its own way. The same bytes every time.
    tests/fuzz/seeds.py            (into tests/fuzz/corpus)
"""
import json
import os
import struct
import zlib

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, data):
    os.makedirs(os.path.join(CORPUS, target), exist_ok=True)
    with open(os.path.join(CORPUS, target, name), "wb") as file:
        file.write(data)


def noise(count, seed=1):
    """Floats from -0.5 to 0.5, multiples of 1/64: exact in 16 bits too."""
    values = []
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) % 2**31
        values.append((seed >> 16) % 64 / 64 - 0.5)
    return values


# ---- JPEG: blocks of one colour each, so that the code is short ----


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


class Bits:
    def __init__(self):
        self.text = ""

    def put(self, value, count):
        if count:
            self.text += format(value, "0%db" % count)

    def flush(self):
        text = self.text + "1" * (-len(self.text) % 8)
        self.text = ""
        data = int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
        return data.replace(b"\xff", b"\xff\x00")


DC_CODES = {0: "00", 1: "010", 2: "011", 3: "100", 4: "101", 5: "110", 6: "1110", 7: "11110", 8: "111110"}
TABLES = segment(0xDB, b"\x00" + bytes([8] * 64))
TABLES += segment(0xC4, b"\x00" + bytes([0, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(9)))
TABLES += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00")  # the end of a block and nothing else


def put_dc(bits, difference):
    size = abs(difference).bit_length()
    bits.text += DC_CODES[size]
    bits.put(difference if difference > 0 else difference + (1 << size) - 1, size)


def scan(components, first, last, blocks, restart, progressive):
    data = segment(0xDA, bytes([len(components)]) + b"".join(bytes([c, 0]) for c in components)
                   + bytes([first, last, 0]))
    bits, before = Bits(), {}
    for i, unit in enumerate(blocks):
        if restart and i and i % restart == 0:
            data += bits.flush() + b"\xff" + bytes([0xD0 + (i // restart - 1) % 8])
            before = {}
        for c in components:
            if first == 0:
                put_dc(bits, unit[c - 1] - before.get(c, 0))
                before[c] = unit[c - 1]
            if first > 0 or not progressive:
                bits.text += "0"
    return data + bits.flush()


def jpeg(components, ahead=b"", progressive=False, restart=0):
    blocks = [[(37 * i + 50 * c) % 101 - 50 for c in range(components)] for i in range(6)]  # 3 x 2 of them
    ids = list(range(1, components + 1))
    data = b"\xff\xd8" + ahead + TABLES
    data += segment(0xC2 if progressive else 0xC0, struct.pack(">BHHB", 8, 13, 21, components)
                    + b"".join(bytes([c, 0x11, 0]) for c in ids))
    if restart:
        data += segment(0xDD, struct.pack(">H", restart))
    if progressive:
        data += scan(ids, 0, 0, blocks, restart, True)
        for c in ids:
            data += scan([c], 1, 63, blocks, restart, True)
    else:
        data += scan(ids, 0, 63, blocks, restart, False)
    return data + b"\xff\xd9"


def adobe(transform):
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def jpegs():
    profile = struct.pack(">I", 160) + b"lcms\x02\x10\x00\x00mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(120)
    halves = (profile[:60], profile[60:])
    icc = b"".join(segment(0xE2, b"ICC_PROFILE\x00" + bytes([i + 1, 2]) + part) for i, part in enumerate(halves))
    write("jpeg", "ycck.jpg", jpeg(4, adobe(2)))
    write("jpeg", "cmyk-without-profile.jpg", jpeg(4, adobe(0)))
    write("jpeg", "cmyk-without-adobe.jpg", jpeg(4))
    write("jpeg", "adobe-rgb.jpg", jpeg(3, adobe(0)))
    write("jpeg", "icc-in-two.jpg", jpeg(3, icc))
    write("jpeg", "progressive-restart.jpg", jpeg(3, progressive=True, restart=2))


def cmyk():
    """The profile of the seed that has one."""
    with open(os.path.join(CORPUS, "jpeg", "cmyk-profile.jpg"), "rb") as file:
        data = file.read()
    at = data.index(b"ICC_PROFILE\x00")
    length = struct.unpack(">H", data[at - 2:at])[0]
    write("cmyk", "profile", b"\x01" + data[at + 14:at - 2 + length])
    write("cmyk", "header", b"\x00" + data[at + 14:at + 14 + 132])


# ---- PNG ----


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, ahead=b"", interlaced=0):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + ahead + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def adam7(width, height, pixel_bytes):
    """The rows of all passes, each with another filter."""
    data, n = b"", 0
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        across, down = -(-(width - x) // dx), -(-(height - y) // dy)
        for _ in range(down if across > 0 else 0):
            data += bytes([n % 5]) + bytes((n * 7 + i * 3) % 256 for i in range(across * pixel_bytes))
            n += 1
    return data


def pngs():
    write("png", "interlaced-rgba-16.png", png(9, 7, 16, 6, adam7(9, 7, 8), interlaced=1))
    palettes = chunk(b"sPLT", b"eight\x00\x08" + bytes(range(12))) + chunk(b"sPLT", b"wide\x00\x10" + bytes(range(20)))
    write("png", "splt.png", png(2, 1, 8, 0, b"\x00\x10\x20", palettes))
    greys = chunk(b"PLTE", bytes(v for g in (0, 85, 170, 255) for v in (g, g, g))) + chunk(b"tRNS", b"\x00\x80")
    write("png", "grey-palette-trns.png", png(5, 2, 2, 3, b"\x00\x1b\x40\x00\xe4\x80", greys))


# ---- safetensors ----


FORMATS = {"F32": "f", "F64": "d", "F16": "e"}


def elements(dtype, values):
    if dtype == "U8":
        return bytes(values)
    if dtype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    return struct.pack("<%d%s" % (len(values), FORMATS[dtype]), *values)


def tensors(meta, listed):
    """listed: (name, dtype, shape, values)."""
    header, data = {"__metadata__": meta} if meta else {}, b""
    for name, dtype, shape, values in listed:
        begin = len(data)
        data += elements(dtype, values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def conv(i, low_bits, act_bits, outputs, inputs, kernel):
    name, count = "conv%02d" % i, outputs * inputs * kernel * kernel
    shape = [outputs, inputs, kernel, kernel]
    bias = (name + ".bias", "F32", [outputs], noise(outputs, 7 + i))
    if low_bits == 32:
        return [(name + ".weight", "F32", shape, noise(count, i)), bias]
    packed = bytearray((37 * j + 11) % 256 for j in range(-(-count * low_bits // 8)))
    if count * low_bits % 8:
        packed[-1] &= (1 << count * low_bits % 8) - 1
    listed = [(name + ".weight", "U8", [len(packed)], packed), bias,
              (name + ".scale", "F32", [outputs], [abs(v) + 0.25 for v in noise(outputs, i)])]
    return listed + ([(name + ".in_step", "F32", [1], [1 / 64])] if act_bits < 32 else [])


def model(net, bits, act_bits, convs, scales="2,3,4"):
    """convs: (low, outputs, inputs, kernel)."""
    meta = {"format": "slbsr 1", "net": net, "weight_bits": str(bits), "act_bits": str(act_bits), "scales": scales,
            "command": "x", "figures": "x2 30.5 dB (bicubic 29.25), x3 28 dB"}
    listed = []
    for i, (low, outputs, inputs, kernel) in enumerate(convs):
        listed += conv(i, bits if low else 32, act_bits, outputs, inputs, kernel)
    return tensors(meta, listed)


def models():
    net = "input y bicubic\nconv 4 3x3 full relu\nconv 4 3x3 low norm relu\nconv 1 3x3 full\nadd input\n"
    convs = ((False, 4, 1, 3), (True, 4, 4, 3), (False, 1, 4, 3))
    for bits, act_bits in ((1, 1), (2, 2), (4, 4), (2, 7), (1, 4)):
        write("model", "w%d-a%d" % (bits, act_bits), model(net, bits, act_bits, convs))
    net = ("input rgb\nconv 4 3x3 full relu\nname a\nconv 4 1x1 low norm\nlrelu\nadd a\nconv 4 3x3 low relu\nadd a\n"
           "conv 12 3x3 full\nshuffle 2\n")
    convs = ((False, 4, 3, 3), (True, 4, 4, 1), (True, 4, 4, 3), (False, 12, 4, 3))
    for bits, act_bits in ((2, 8), (1, 1), (32, 32)):
        write("model", "rgb-shuffle-skips-w%d-a%d" % (bits, act_bits), model(net, bits, act_bits, convs, "2"))
    write("model", "shuffle-3-1x1", model("input y\nconv 9 1x1 full\nshuffle 3\n", 32, 32, ((False, 9, 1, 1),), "3"))
    write("model", "weights-alone", tensors(None, conv(0, 32, 32, 4, 1, 3)))


def foreign():
    for dtype, text in (("F16", "conv00 head\nconv01 body.1.weight\n- mean_shift\n"), ("BF16", ""),
                        ("F32", "# nothing\n\nconv01\tbody.1 # second\n- mean_shift\n"), ("F64", "- mean_shift.weight\n")):
        listed = [("head.weight", dtype, [4, 3, 3, 3], noise(108)), ("head.bias", dtype, [4], noise(4)),
                  ("body.1.weight", dtype, [12, 4, 1, 1], noise(48))]
        if "mean_shift" in text:
            listed.append(("mean_shift.weight", dtype, [3], noise(3)))
        write("foreign", dtype.lower(), struct.pack("<H", len(text)) + text.encode() + tensors({"format": "pt"}, listed))


def checkpoint():
    """Of the second network of fuzz_checkpoint.c."""
    listed = []
    layers = ((0, {"weight": 2, "bias": 2}), (1, {"weight": 16, "scale": 2, "bias": 2, "gamma": 2}),
              (2, {"weight": 8, "bias": 4}))
    for i, params in layers:
        for param, size in params.items():
            searched = i == 1 and param == "weight"
            for field in ("value", "moment1", "moment2") + (() if searched else ("average",)):
                listed.append(("conv%02d.%s.%s" % (i, param, field), "F32", [size], noise(size)))
        if i == 1:
            listed.append(("conv01.moments", "F32", [8], noise(8)))
    write("checkpoint", "sbn", tensors({"format": "slbsr checkpoint 1", "state": "20 1 0.001 0.01", "recipe": "fuzz"}, listed))


# ---- Metadata: the head is described in fuzz_meta.c ----


def meta(how, kind, colours=b"\x00", exif=b"", xmp=b"", texts=(), icc=b"", first=0):
    text = b"".join(bytes([kind_of, len(t)]) + t for kind_of, t in texts)
    return (bytes([first, 1, how, kind]) + colours + struct.pack("<HHHHH", 28, 29, len(exif), len(xmp), len(text))
            + exif + xmp + text + icc)


def metas():
    chroma = struct.pack("<8i", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    other = struct.pack("<8i", 31270, 32900, 73470, 26530, 11500, 82600, 15700, 1800)
    exif = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    xmp = b'<x:xmpmeta tiff:Orientation="6" tiff:ImageWidth="7"/>'
    zipped = b"long\x00\x00" + zlib.compress(b"text " * 20)
    texts = ((0, b"Title\x00of it"), (1, b"Note\x00\x00\x00de\x00Notiz\x00Gr\xc3\xbc\xc3\x9fe"), (2, zipped),
             (1, b"Packed\x00\x01\x00\x00\x00" + zlib.compress(b"more " * 9)))
    write("meta", "png-srgb-16", meta(10, 7, b"\x03", exif, xmp))
    write("meta", "png-gamma-chroma", meta(0, 2, b"\x28" + struct.pack("<I", 45455) + chroma))
    write("meta", "png-cicp", meta(0, 3, b"\x10\x09\x10\x00\x01"))
    write("meta", "png-texts", meta(5, 1, texts=texts, exif=exif))
    write("meta", "jpeg-colours-lost", meta(1, 6, b"\x38" + struct.pack("<I", 100000) + other + b"\x09\x10\x00\x01",
                                            exif, xmp, texts))
    write("meta", "pam-16", meta(2, 7, exif=exif))
    write("meta", "bmp", meta(3, 3, xmp=xmp))
    write("meta", "tga", meta(4, 3))
    write("meta", "file-png", meta(0, 2, exif=exif, first=252))


# ---- The rest ----


def y4m(words, frames):
    return b"YUV4MPEG2 " + words + b"\n" + b"".join(b"FRAME" + p + b"\n" + d for p, d in frames)


def samples(count, depth=8):
    if depth == 8:
        return bytes((31 * i + 16) % 256 for i in range(count))
    return b"".join(struct.pack("<H", 997 * i % (1 << depth)) for i in range(count))


def videos():
    write("y4m", "422", y4m(b"W5 H2 F25:1 Ip A1:1 C422", [(b"", samples(10 + 12))] * 2))
    write("y4m", "444", y4m(b"W3 H3 C444", [(b"", samples(27))] * 2))
    write("y4m", "420p16", y4m(b"W4 H4 F30:1 C420p16", [(b"", samples(24, 16))]))
    write("y4m", "mono12", y4m(b"W3 H2 Cmono12", [(b"", samples(6, 12))]))
    write("y4m", "420paldv", y4m(b"W4 H2 Ip C420paldv", [(b"", samples(12))]))
    write("y4m", "full-range", y4m(b"W4 H4 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=FULL", [(b"", samples(24))]))
    write("y4m", "odd-422p10", y4m(b"W5 H3 C422p10", [(b"", samples(15 + 18, 10))]))
    write("y4m", "frame-words", y4m(b"W2 H2", [(b" Ip", samples(6)), (b" Ip XA", samples(6))]))


def log():
    columns = ["step", "seconds", "loss", "bicubic_loss", "rate", "sharpness"]
    for scale in (2, 3, 4):
        columns += ["%s_x%d" % (name, scale) for name in ("psnr", "psnr_soft", "bicubic")]
    columns += ["data_share", "peak_mb"]
    rows = [",".join(columns)]
    for step in range(100, 500, 100):
        figures = ["%.4f" % (29 + step / 400 + i / 8) for i in range(9)] if step % 200 == 0 else [""] * 9
        rows.append(",".join(["%d,%.1f,%.9g,0.0012,0.0001,%g" % (step, step / 9, 0.1 / step, step / 50)] + figures
                             + ["0.01000,512"]))
    write("log", "all-columns.csv", ("\n".join(rows) + "\n").encode())


def pack(pictures):
    """Checksums stay 0: the target mends them."""
    tiles = [-(-w // 64) * -(-h // 64) for w, h, _ in pictures]
    at = 24 + 24 * len(pictures) + 4 * sum(tiles)
    index, data = b"", b""
    for width, height, channels in pictures:
        index += struct.pack("<IIIIQ", width, height, channels, 0, at + len(data))
        data += bytes((i * i // 7 + i) % 256 for i in range(width * height * channels))
    return b"SLBPACK2" + struct.pack("<QII", len(pictures), 0, 0) + index + bytes(4 * sum(tiles)) + data[:-1] + b"\x01"


def texts():
    write("text", "plain", b"a <b> & \"c\" 'd' \\ /")
    write("text", "controls", bytes(range(1, 32)) + b"\x7f")
    write("text", "utf-8", "Gr\u00fc\u00dfe \u20ac \U0001f600 \ufffd".encode())
    write("text", "c1", b"a\xc2\x80b\xc2\x9f")
    write("text", "no-utf-8", b"\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82 \xc3")
    for name, how, template, names in (
            ("lines", 0, b"{name}-{scale}x.{ext}", b"a.png\n/b/c.jpg\n./d.y4m\nno-extension\n-\n"),
            ("zeros", 1, b"{model}{name}.png", b"a b.png\0line\nbreak.jpg\0../up/x.ppm\0"),
            ("clash", 4, b"one.{ext}", b"a.png\nb.png\n"), ("dots", 2, b"{name}.{ext}", b"..\n.\n.png\na.\n...\n/\n"),
            ("wrong", 0, b"{nam}", b"a.png\n")):
        write("list", name, bytes([how, len(template)]) + template + names)
    write("options", "values", b"upscale\n640x480\n#00ff7F\nwhite\n1.5GiB\n800000K\n{name}-{scale}x.{ext}\n{model}\n--max-memory=2G")


jpegs()
cmyk()
pngs()
models()
foreign()
checkpoint()
metas()
videos()
log()
write("pack", "patches", pack(((12, 9, 3), (9, 13, 1))))
write("pack", "tiles", pack(((70, 66, 1),)))
texts()
