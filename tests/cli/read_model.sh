#!/bin/sh
# weights/read_model.py, which reads models with numpy alone: the weights it unpacks are those that slbsr exports, and
# the layer it runs gives what slbsr's integer kernels give. Needs numpy (Debian: python3-numpy).
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
for python in python3 /usr/bin/python3 ''; do
    [ -n "$python" ] || { echo "skipped: python3 has no numpy (Debian: python3-numpy)"; exit 77; }
    "$python" -c 'import numpy' 2>/dev/null && break
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

awk 'BEGIN { print "P2 37 29 65535"; for (i = 0; i < 37 * 29; i++) print 16000 + i * i * 577 % 30011 }' >in.pgm
for model in vdsr-w1 vdsr-w2; do
    "$program" export $model $model.float.safetensors || exit 1
done
PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 "$python" - "$program" "$source/weights" <<'PYTHON'
import json, struct, subprocess, sys
import numpy
program, folder = sys.argv[1:]
sys.path.insert(0, folder)
import read_model as r

for model in 'vdsr-w1', 'vdsr-w2':
    metadata, tensors = r.read(f'{folder}/{model}.safetensors')
    exported = r.read(f'{model}.float.safetensors')[1]
    for i in range(20):
        name = f'conv{i:02d}'
        want = exported[name + '.weight']
        low = name + '.scale' in tensors
        got = r.weights(tensors, name, int(metadata['weight_bits']), want.shape) if low else tensors[name + '.weight']
        assert got.dtype == want.dtype and (got == want).all(), f'{model}: {name} is not what slbsr exports'
        assert low == (0 < i < 19), name


def write(path, net, bits, tensors):
    """A model of slbsr. It has no checksum, which a reader does not miss."""
    header, data = {}, b''
    for name, t in tensors.items():
        header[name] = {'dtype': {'uint8': 'U8', 'float32': 'F32'}[t.dtype.name], 'shape': t.shape,
                        'data_offsets': [len(data), len(data) + t.nbytes]}
        data += t.tobytes()
    header['__metadata__'] = {'format': 'slbsr 1', 'net': net, 'weight_bits': str(bits),
                              'act_bits': '32' if bits == 32 else '8'}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + data)


def enlarge(model):
    subprocess.run([program, 'upscale', 'in.pgm', 'out.pgm', '-s', '2', '-y', '-j', '1', '-m', model], check=True)
    data = open('out.pgm', 'rb').read()
    assert data.startswith(b'P5\n74 58\n65535\n'), data[:20]
    return numpy.frombuffer(data[-2 * 74 * 58:], '>u2').reshape(58, 74) / 65535


# What stands around the low layer doubles the one channel and takes one of three: what comes out is the layer's.
F = numpy.float32
ones, none = numpy.ones((2, 1, 1, 1), F), numpy.zeros(1, F)
write('bicubic.safetensors', 'input y bicubic\nconv 1 1x1 full\n', 32, {'conv00.weight': ones[:1], 'conv00.bias': none})
bicubic = enlarge('bicubic.safetensors')
random = numpy.random.RandomState(5)
for bits in 1, 2, 4:
    tensors = {'conv00.weight': ones, 'conv00.bias': numpy.zeros(2, F),
               'conv01.weight': random.randint(0, 256, -(-54 * bits // 8)).astype(numpy.uint8),
               'conv01.bias': numpy.array([0.5, 0.4, 0.6], F), 'conv01.scale': numpy.array([0.06, -0.05, 0.02], F),
               'conv01.in_step': numpy.array([1 / 200], F), 'conv02.bias': none}
    tensors['conv01.weight'][-1] &= (1 << (54 * bits - 1) % 8 + 1) - 1  # bits behind the end are 0
    codes = r.quantize(numpy.stack([bicubic, bicubic]), tensors['conv01.in_step'])
    want = r.layer(codes, tensors, 'conv01', bits, (3, 2, 3, 3))
    for channel in range(3):
        choice = numpy.eye(3, dtype=F)[channel].reshape(1, 3, 1, 1)
        write('layer.safetensors', 'input y bicubic\nconv 2 1x1 full relu\nconv 3 3x3 low\nconv 1 1x1 full\n', bits,
              {**tensors, 'conv02.weight': choice})
        # At the border slbsr has the picture go on, numpy has zeros.
        error = abs(enlarge('layer.safetensors') - numpy.clip(want[channel], 0, 1))[1:-1, 1:-1]
        assert want[channel].std() > 0.003 and 0 < want[channel].min() and want[channel].max() < 1, 'a poor test'
        # The picture that numpy gets has 16 bits: few of its samples become another code than slbsr's.
        other = (error > 1.01 / 65535).mean()
        assert other < 0.02 and error.max() < 0.002, f'{bits} bits, channel {channel}: {other} differ, by {error.max()}'
PYTHON
