"""Checks an ONNX file with onnx's own checker and runs it with numpy, operator by operator as the
specification has them: numpy_run.py MODEL INPUT OUTPUT CHANNELS HEIGHT WIDTH (onnx_cases.h)."""
import os
import sys

os.environ['OPENBLAS_NUM_THREADS'] = '1'  # tests run side by side
import numpy
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx.shape_inference

F = numpy.float32


def conv(x, w, b, kernel_shape, pads):
    k = kernel_shape[0]
    assert pads == [k // 2] * 4 and list(w.shape[2:]) == kernel_shape
    h, width = x.shape[2:]
    x = numpy.pad(x[0], ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    taps = [x[:, i:i + h, j:j + width].reshape(len(x), -1) for i in range(k) for j in range(k)]
    return (w.transpose(0, 2, 3, 1).reshape(len(w), -1) @ numpy.concatenate(taps) + b[:, None]).reshape(1, -1, h, width)


def quantize(x, step, zero):
    return numpy.clip(numpy.rint(x / step) + F(zero), 0, 255).astype(numpy.uint8)


def dequantize(x, step, zero=None, axis=1):
    if step.ndim:
        step = step.reshape([-1 if d == axis else 1 for d in range(x.ndim)])
    return (x.astype(numpy.int32) - (0 if zero is None else int(zero))).astype(F) * step


def depth_to_space(x, blocksize, mode):
    assert mode == b'CRD'
    n, c, h, w = x.shape
    x = x.reshape(n, c // blocksize**2, blocksize, blocksize, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


OPERATORS = {
    'Add': lambda a, b: a + b,
    'Clip': lambda x, low, high: numpy.minimum(numpy.maximum(x, low), high),
    'Conv': conv,
    'DepthToSpace': depth_to_space,
    'DequantizeLinear': dequantize,
    'GreaterOrEqual': lambda a, b: a >= b,
    'LeakyRelu': lambda x, alpha: numpy.where(x < 0, F(alpha) * x, x),
    'QuantizeLinear': quantize,
    'Relu': lambda x: numpy.maximum(x, F(0)),
    'Where': numpy.where,
}


def main(path, source, target, channels, height, width):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert model.producer_name == 'slbsr' and model.doc_string
    channels, height, width = int(channels), int(height), int(width)
    values = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    x = numpy.fromfile(source, F).reshape(height, width, channels)
    (feed,), (fetch,) = model.graph.input, model.graph.output
    assert feed.type.tensor_type.shape.dim[1].dim_value == channels
    values[feed.name] = x.transpose(2, 0, 1)[None]
    for node in model.graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*[values[name] for name in node.input], **attributes)
        assert values[node.output[0]].dtype in (F, numpy.uint8, bool), node
    values[fetch.name][0].transpose(1, 2, 0).astype(F).tofile(target)


main(*sys.argv[1:])
