// Runs an ONNX file with ONNX Runtime: onnxruntime_run.cjs MODEL INPUT OUTPUT CHANNELS HEIGHT WIDTH (onnx_cases.h).
// NODE_PATH says where ONNX Runtime is.
const fs = require('fs')
const ort = require('onnxruntime-node')

async function main(model, source, target, channels, height, width) {
    [channels, height, width] = [channels, height, width].map(Number)
    const bytes = fs.readFileSync(source)
    const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const planes = new Float32Array(pixels.length)
    for (let c = 0; c < channels; c++)
        for (let p = 0; p < height * width; p++) planes[c * height * width + p] = pixels[p * channels + c]
    const session = await ort.InferenceSession.create(model)
    const { output } = await session.run({ input: new ort.Tensor('float32', planes, [1, channels, height, width]) })
    const size = output.dims[2] * output.dims[3]
    const result = new Float32Array(size * channels)
    for (let c = 0; c < channels; c++)
        for (let p = 0; p < size; p++) result[p * channels + c] = output.data[c * size + p]
    fs.writeFileSync(target, Buffer.from(result.buffer))
}

main(...process.argv.slice(2)).catch(error => {
    console.error(error.message)
    process.exitCode = 1
})
