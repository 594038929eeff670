/* VDSR on a luma plane by oneDNN 3, layer by layer: what `slbsr bench vdsr-w2` is measured beside.
 * 20 convolutions 3x3, bias and ReLU in them; activations in the layouts that the library likes
 * best, weights brought to theirs before. The sum with the input, which every program needs, is
 * left out. cc -O2 onednn_vdsr.c -ldnnl -o onednn_vdsr OMP_NUM_THREADS=2 ./onednn_vdsr f32|int8
 * (ONEDNN_MAX_CPU_ISA=AVX2, AVX512_CORE_VNNI, ...: narrower kernels) Prints the median of many
 * runs, their least and their most. */
#include <dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIDE = 512, CHANNELS = 64, LAYERS = 20, RUNS = 15, MAX_ARGS = 7 };

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void ok(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return;
    fprintf(stderr, "%s: oneDNN's status %d\n", what, (int)status);
    exit(1);
}

static dnnl_memory_desc_t shape(int n, const dnnl_dims_t dims, dnnl_data_type_t type,
                                dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md;
    ok(dnnl_memory_desc_create_with_tag(&md, n, dims, type, tag), "shape");
    return md;
}

/* Memory of small numbers: small bytes, or floats around 0. */
static dnnl_memory_t filled(const_dnnl_memory_desc_t md, dnnl_data_type_t type)
{
    dnnl_memory_t memory;
    void *data;
    size_t bytes = dnnl_memory_desc_get_size(md);
    ok(dnnl_memory_create(&memory, md, engine, DNNL_MEMORY_ALLOCATE), "memory");
    ok(dnnl_memory_get_data_handle(memory, &data), "memory");
    for (size_t i = 0; type != dnnl_f32 && i < bytes; i++)
        ((uint8_t *)data)[i] = (i * 2654435761u >> 16) & 63;
    for (size_t i = 0; type == dnnl_f32 && i < bytes / sizeof(float); i++)
        ((float *)data)[i] = (float)((i * 2654435761u >> 16) & 255) / 2560.0f - 0.05f;
    return memory;
}

static dnnl_memory_t scales(int n, float value)
{
    void *data;
    dnnl_memory_t memory = filled(shape(1, (dnnl_dims_t){n}, dnnl_f32, dnnl_x), dnnl_f32);
    ok(dnnl_memory_get_data_handle(memory, &data), "scales");
    for (int i = 0; i < n; i++) ((float *)data)[i] = value;
    return memory;
}

typedef struct Layer {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[MAX_ARGS];
    int arg_count;
} Layer;

/* One convolution. `in`, `out`: layouts that are settled already; NULL: the library's choice. */
static Layer layer(int in_channels, int out_channels, const_dnnl_memory_desc_t in,
                   const_dnnl_memory_desc_t out, int is_int8, int relu)
{
    dnnl_data_type_t type = is_int8 ? dnnl_u8 : dnnl_f32,
                     weight_type = is_int8 ? dnnl_s8 : dnnl_f32;
    const dnnl_dims_t one = {1, 1}, none = {0, 0};
    dnnl_memory_desc_t weights =
        shape(4, (dnnl_dims_t){out_channels, in_channels, 3, 3}, weight_type, dnnl_format_tag_any);
    dnnl_memory_desc_t bias = shape(1, (dnnl_dims_t){out_channels}, dnnl_f32, dnnl_x);
    if (!in) in = shape(4, (dnnl_dims_t){1, in_channels, SIDE, SIDE}, type, dnnl_format_tag_any);
    if (!out) out = shape(4, (dnnl_dims_t){1, out_channels, SIDE, SIDE}, type, dnnl_format_tag_any);
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t post;
    Layer l = {0};
    ok(dnnl_primitive_attr_create(&attr), "attributes");
    ok(dnnl_post_ops_create(&post), "attributes");
    if (relu) ok(dnnl_post_ops_append_eltwise(post, dnnl_eltwise_relu, 0, 0), "ReLU");
    ok(dnnl_primitive_attr_set_post_ops(attr, post), "ReLU");
    if (is_int8) {
        ok(dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_SRC, 0), "scales");
        ok(dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_WEIGHTS, 1), "scales");
        ok(dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_DST, 0), "scales");
    }
    ok(dnnl_convolution_forward_primitive_desc_create(&l.desc, engine, dnnl_forward_inference,
                                                      dnnl_convolution_direct, in, weights, bias,
                                                      out, one, none, one, one, attr),
       "convolution");
    ok(dnnl_primitive_create(&l.primitive, l.desc), "convolution");
    l.args[l.arg_count++] = (dnnl_exec_arg_t){
        DNNL_ARG_WEIGHTS,
        filled(dnnl_primitive_desc_query_md(l.desc, dnnl_query_weights_md, 0), weight_type)};
    l.args[l.arg_count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, filled(bias, dnnl_f32)};
    if (is_int8) {
        l.args[l.arg_count++] =
            (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, scales(1, 1)};
        l.args[l.arg_count++] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS,
                                                  scales(out_channels, 0.001f)};
        l.args[l.arg_count++] =
            (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, scales(1, 1)};
    }
    return l;
}

static void connect(Layer *l, dnnl_memory_t in, dnnl_memory_t out)
{
    l->args[l->arg_count++] = (dnnl_exec_arg_t){DNNL_ARG_SRC, in};
    l->args[l->arg_count++] = (dnnl_exec_arg_t){DNNL_ARG_DST, out};
}

static double run(const Layer *net)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < LAYERS; i++)
        ok(dnnl_primitive_execute(net[i].primitive, stream, net[i].arg_count, net[i].args), "run");
    ok(dnnl_stream_wait(stream), "run");
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int is_int8 = argc == 2 && strcmp(argv[1], "int8") == 0;
    if (argc != 2 || (!is_int8 && strcmp(argv[1], "f32") != 0)) {
        fputs("usage: onednn_vdsr f32|int8\n", stderr);
        return 2;
    }
    ok(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    ok(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    Layer net[LAYERS];
    net[1] = layer(CHANNELS, CHANNELS, NULL, NULL, is_int8, 1);
    const_dnnl_memory_desc_t in = dnnl_primitive_desc_query_md(net[1].desc, dnnl_query_src_md, 0);
    const_dnnl_memory_desc_t out = dnnl_primitive_desc_query_md(net[1].desc, dnnl_query_dst_md, 0);
    for (int i = 2; i < LAYERS - 1; i++) net[i] = layer(CHANNELS, CHANNELS, in, out, is_int8, 1);
    net[0] = layer(1, CHANNELS, NULL, in, is_int8, 1);
    net[LAYERS - 1] = layer(CHANNELS, 1, out, NULL, is_int8, 0);

    dnnl_data_type_t type = is_int8 ? dnnl_u8 : dnnl_f32;
    dnnl_memory_t held[2] = {filled(in, type), filled(out, type)};
    for (int i = 0; i < LAYERS; i++) {
        dnnl_memory_t from = held[(i + 1) % 2], to = held[i % 2];
        if (i == 0)
            from = filled(dnnl_primitive_desc_query_md(net[0].desc, dnnl_query_src_md, 0), type);
        if (i == LAYERS - 1)
            to = filled(dnnl_primitive_desc_query_md(net[i].desc, dnnl_query_dst_md, 0), type);
        connect(&net[i], from, to);
    }
    double ms[RUNS];
    for (int i = 0; i < 2; i++) run(net);
    for (int i = 0; i < RUNS; i++) ms[i] = run(net);
    qsort(ms, RUNS, sizeof *ms, by_size);
    const char *kernel;
    ok(dnnl_primitive_desc_query(net[1].desc, dnnl_query_impl_info_str, 0, &kernel), "query");
    printf("oneDNN %d.%d.%d, VDSR, %d x %d, %s (%s): %.1f ms (%.1f to %.1f)\n", DNNL_VERSION_MAJOR,
           DNNL_VERSION_MINOR, DNNL_VERSION_PATCH, SIDE, SIDE, argv[1], kernel, ms[RUNS / 2], ms[0],
           ms[RUNS - 1]);
    return 0;
}
