"""Reads a model of slbsr with numpy and nothing else, unpacks its low-bit weights and runs one layer
on 8-bit codes as slbsr does. The format stands in weights/README.md.

    python3 weights/read_model.py weights/vdsr-w2.safetensors conv01
"""
import json
import struct
import sys

import numpy


def read(path):
    """The metadata and the tensors of a safetensors file: (dict of str, dict of arrays)."""
    with open(path, 'rb') as file:
        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
        data = file.read()
    metadata = header.pop('__metadata__', {})
    types = {'U8': 'u1', 'F32': '<f4'}
    tensors = {}
    for name, t in header.items():
        begin, end = t['data_offsets']
        tensors[name] = numpy.frombuffer(data[begin:end], types[t['dtype']]).reshape(t['shape'])
    return metadata, tensors


def unpack(packed, bits, shape):
    """Packed weights as the odd whole numbers 2 k - (n - 1), n = 2^bits: int32 [O][I][K][K]."""
    k = (packed[:, None] >> numpy.arange(0, 8, bits, dtype=numpy.uint8)) & (2**bits - 1)
    return 2 * k.ravel()[:numpy.prod(shape)].reshape(shape).astype(numpy.int32) - (2**bits - 1)


def weights(tensors, name, bits, shape):
    """The float weights that a low-bit convolution means: float32 [O][I][K][K]."""
    scale = tensors[name + '.scale'].astype(float)[:, None, None, None]
    return (scale * (unpack(tensors[name + '.weight'], bits, shape) / (2**bits - 1))).astype(numpy.float32)


def quantize(values, step):
    """Values of at least 0 to codes: a code c means c * step."""
    return numpy.clip(numpy.rint(values / step), 0, 255).astype(numpy.uint8)


def layer(codes, tensors, name, bits, shape):
    """A low-bit convolution of codes [I][H][W], with zeros around: float [O][H][W]. The sums are whole."""
    integers, reach = unpack(tensors[name + '.weight'], bits, shape), shape[2] // 2
    unit = tensors[name + '.in_step'].astype(float) * tensors[name + '.scale'] / (2**bits - 1)
    sums = numpy.rint(tensors[name + '.bias'] / unit).astype(numpy.int64)[:, None, None]
    height, width = codes.shape[1:]
    padded = numpy.pad(codes.astype(numpy.int32), ((0, 0), (reach, reach), (reach, reach)))
    for y in range(shape[2]):
        for x in range(shape[3]):
            sums = sums + numpy.tensordot(integers[:, :, y, x], padded[:, y:y + height, x:x + width], 1)
    return sums * unit[:, None, None]


def main(path, name):
    metadata, tensors = read(path)
    bits, outputs = int(metadata['weight_bits']), len(tensors[name + '.bias'])
    shape = (outputs, outputs, 3, 3)  # of VDSR's low-bit layers; in general metadata['net'] tells it
    print(f'{name}: {outputs} -> {outputs} channels, 3x3, {bits} bits')
    for value, count in zip(*numpy.unique(unpack(tensors[name + '.weight'], bits, shape), return_counts=True)):
        print(f'  weight {value:+d}/{2**bits - 1}: {count} times')
    codes = quantize(numpy.full((outputs, 5, 5), 0.5), tensors[name + '.in_step'])
    print(f'  channel 0 where all inputs are 0.5:\n{layer(codes, tensors, name, bits, shape)[0]}')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
