#include "net/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/name_map.h"

enum { OIHW = 4, LISTED = 3, FREE = 0, TAKEN = -1 };

static const char weight_end[] = ".weight", bias_end[] = ".bias";

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* -- reading -- */

typedef struct Import {
    const SlbTensorFile *file;
    const char *path;
    const SlbNameMap *map;
    const SlbTensor **order; /* the weights, in the order they are taken */
    size_t order_count;
    int *use; /* [tensors of the file] FREE, TAKEN, or the line of the map that leaves it out */
    SlbModel *model;
    SlbForeignMatch *matches;
    const SlbTensor **chosen; /* [convolutions] weights */
    SlbError *err;
} Import;

static int *use_of(const Import *im, const SlbTensor *t)
{
    return &im->use[t - slb_tensors_at(im->file, 0)];
}

/* "conv_first.weight [64,3,3,3]" */
static size_t describe(const SlbTensor *t, char *text, size_t room)
{
    size_t n = (size_t)snprintf(text, room, "%s [", t->name);
    for (int d = 0; d < t->dims && n < room; d++)
        n += (size_t)snprintf(text + n, room - n, "%s%zu", d ? "," : "", t->shape[d]);
    if (n < room) n += (size_t)snprintf(text + n, room - n, "]");
    return n;
}

/* Runs of digits compare as numbers, the rest byte by byte. */
static int natural_order(const void *a, const void *b)
{
    const char *first = (*(const SlbTensor *const *)a)->name, *s = first;
    const char *second = (*(const SlbTensor *const *)b)->name, *t = second;
    while (*s && *t) {
        size_t m = strspn(s, "0123456789"), n = strspn(t, "0123456789");
        if (m && n) {
            unsigned long long x = strtoull(s, NULL, 10), y = strtoull(t, NULL, 10);
            if (x != y) return x < y ? -1 : 1;
            s += m;
            t += n;
        } else {
            if (*s != *t) return (unsigned char)*s < (unsigned char)*t ? -1 : 1;
            s++;
            t++;
        }
    }
    return *s ? 1 : *t ? -1 : strcmp(first, second);
}

/* Whether PyTorch's writer puts `b` behind `a`: types one after the other, names within them. */
static bool sorted_before(const SlbTensor *a, const SlbTensor *b)
{
    return a->dtype != b->dtype ? a->dtype > b->dtype : strcmp(a->name, b->name) < 0;
}

/* The tensors with four dimensions, in the order in which convolutions take them. */
static void put_in_order(Import *im)
{
    bool sorted = true;
    for (size_t i = 0; i < slb_tensors_count(im->file); i++) {
        const SlbTensor *t = slb_tensors_at(im->file, i);
        if (t->dims != OIHW) continue;
        if (im->order_count && !sorted_before(im->order[im->order_count - 1], t)) sorted = false;
        im->order[im->order_count++] = t;
    }
    if (sorted && im->order_count)
        qsort(im->order, im->order_count, sizeof *im->order, natural_order);
}

static SlbStatus leave_out(Import *im)
{
    for (size_t m = 0; im->map && m < im->map->count; m++) {
        const MappedName *item = &im->map->item[m];
        size_t length = strlen(item->name), found = 0;
        for (size_t i = 0; item->conv == SLB_LEFT_OUT && i < slb_tensors_count(im->file); i++) {
            const SlbTensor *t = slb_tensors_at(im->file, i);
            if (strncmp(t->name, item->name, length) != 0) continue;
            if (t->name[length] && t->name[length] != '.') continue;
            *use_of(im, t) = item->line;
            found++;
        }
        if (item->conv == SLB_LEFT_OUT && !found)
            return slb_fail(im->err, SLB_E_MODEL,
                            "%s: has no '%s' to leave out, as line %d of the "
                            "map says",
                            im->path, item->name, item->line);
    }
    return SLB_OK;
}

static bool fits(const SlbTensor *t, const SlbConvParams *c)
{
    size_t k = (size_t)c->kernel;
    return t->dims == OIHW && t->shape[0] == (size_t)c->out_channels &&
           t->shape[1] == (size_t)c->in_channels && t->shape[2] == k && t->shape[3] == k;
}

/* The weights that the map names for a convolution. */
static SlbStatus find_mapped(Import *im, const MappedName *item, const SlbTensor **weight)
{
    char name[SLB_TENSOR_NAME_BYTES + sizeof weight_end];
    snprintf(name, sizeof name, "%s%s", item->name, weight_end);
    *weight = slb_tensors_find(im->file, name);
    if (!*weight) *weight = slb_tensors_find(im->file, item->name);
    if (*weight) return SLB_OK;
    return slb_fail(im->err, SLB_E_MODEL, "%s: has no '%s', which line %d of the map wants",
                    im->path, name, item->line);
}

static SlbStatus take_mapped(Import *im, int conv)
{
    const MappedName *item = slb_names_of(im->map, conv);
    const SlbConvParams *c = &im->model->conv[conv];
    const SlbTensor *t;
    char text[256];
    if (!item) return SLB_OK;
    SlbStatus s = find_mapped(im, item, &t);
    if (s != SLB_OK) return s;
    describe(t, text, sizeof text);
    if (*use_of(im, t) == TAKEN)
        return slb_fail(im->err, SLB_E_MODEL, "%s: line %d of the map takes '%s' once more",
                        im->path, item->line, t->name);
    if (*use_of(im, t) != FREE)
        return slb_fail(im->err, SLB_E_MODEL,
                        "%s: line %d of the map takes '%s', which line %d leaves out", im->path,
                        item->line, t->name, *use_of(im, t));
    if (!fits(t, c))
        return slb_fail(im->err, SLB_E_MODEL,
                        "%s: %s does not fit conv%02d, which wants [%d,%d,%d,%d]", im->path, text,
                        conv, c->out_channels, c->in_channels, c->kernel, c->kernel);
    *use_of(im, t) = TAKEN;
    im->chosen[conv] = t;
    return SLB_OK;
}

static SlbStatus take_first(Import *im, int conv)
{
    const SlbConvParams *c = &im->model->conv[conv];
    for (size_t i = 0; !im->chosen[conv] && i < im->order_count; i++) {
        const SlbTensor *t = im->order[i];
        if (*use_of(im, t) != FREE || !fits(t, c)) continue;
        *use_of(im, t) = TAKEN;
        im->chosen[conv] = t;
    }
    if (im->chosen[conv]) return SLB_OK;
    return slb_fail(im->err, SLB_E_MODEL,
                    "%s: no weights [%d,%d,%d,%d] are left for conv%02d; it holds another network, "
                    "or the map is wrong",
                    im->path, c->out_channels, c->in_channels, c->kernel, c->kernel, conv);
}

static SlbStatus check_map(const SlbNameMap *map, const SlbGraph *g, SlbError *err)
{
    for (size_t i = 0; map && i < map->count; i++)
        if (map->item[i].conv >= g->conv_count)
            return slb_fail(err, SLB_E_MODEL,
                            "conv%02d, in line %d of the map, is not in the network; its last one "
                            "is conv%02d",
                            map->item[i].conv, map->item[i].line, g->conv_count - 1);
    return SLB_OK;
}

static SlbStatus choose_weights(Import *im)
{
    const SlbGraph *g = im->model->graph;
    SlbStatus s = check_map(im->map, g, im->err);
    if (s == SLB_OK) s = leave_out(im);
    for (int i = 0; s == SLB_OK && i < g->conv_count; i++) s = take_mapped(im, i);
    for (int i = 0; s == SLB_OK && i < g->conv_count; i++) s = take_first(im, i);
    return s;
}

static float from_f16(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float v = exponent == 31  ? fraction ? NAN : INFINITY
              : exponent == 0 ? ldexpf((float)fraction, -24)
                              : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits & 0x8000 ? -v : v;
}

static float from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float v;
    memcpy(&v, &wide, sizeof v);
    return v;
}

/* Element i; data may be unaligned. NAN for types that are no floats. */
static float element(const SlbTensor *t, size_t i)
{
    const unsigned char *data = t->data;
    uint16_t half;
    float single;
    double wide;
    switch (t->dtype) {
    case SLB_F32: return memcpy(&single, data + i * sizeof single, sizeof single), single;
    case SLB_F64: return memcpy(&wide, data + i * sizeof wide, sizeof wide), (float)wide;
    case SLB_F16: return memcpy(&half, data + i * sizeof half, sizeof half), from_f16(half);
    case SLB_BF16: return memcpy(&half, data + i * sizeof half, sizeof half), from_bf16(half);
    default: return NAN;
    }
}

static SlbStatus copy_values(Import *im, const SlbTensor *t, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = element(t, i);
        if (!isfinite(values[i]))
            return slb_fail(im->err, SLB_E_MODEL,
                            "%s: tensor '%s' has values that are no finite floats", im->path,
                            t->name);
    }
    return SLB_OK;
}

/* The bias that goes with the weights of a convolution, NULL when there is none or the map leaves
 * it out. */
static const SlbTensor *find_bias(const Import *im, const SlbTensor *weight)
{
    char name[SLB_TENSOR_NAME_BYTES];
    if (!ends_with(weight->name, weight_end)) return NULL;
    int stem = (int)(strlen(weight->name) - strlen(weight_end));
    snprintf(name, sizeof name, "%.*s%s", stem, weight->name, bias_end);
    const SlbTensor *bias = slb_tensors_find(im->file, name);
    return bias && *use_of(im, bias) == FREE ? bias : NULL;
}

static SlbStatus read_conv(Import *im, int conv)
{
    SlbConvParams *c = &im->model->conv[conv];
    const SlbTensor *weight = im->chosen[conv], *bias = find_bias(im, weight);
    SlbForeignMatch *m = &im->matches[conv];
    char text[256];
    memcpy(m->weight, weight->name, sizeof m->weight);
    m->dtype = weight->dtype;
    m->bias = bias != NULL;
    SlbStatus s = copy_values(im, weight, c->weight, slb_conv_weights(c));
    if (s != SLB_OK || !bias) return s;
    describe(bias, text, sizeof text);
    if (bias->dims != 1 || bias->shape[0] != (size_t)c->out_channels)
        return slb_fail(im->err, SLB_E_MODEL, "%s: %s is no bias for '%s'", im->path, text,
                        weight->name);
    *use_of(im, bias) = TAKEN;
    return copy_values(im, bias, c->bias, (size_t)c->out_channels);
}

/* Everything must have found its place: what is left over may matter. */
static SlbStatus check_rest(Import *im)
{
    char list[512];
    size_t left = 0, n = 0;
    for (size_t i = 0; i < slb_tensors_count(im->file); i++) {
        if (im->use[i] != FREE) continue;
        if (left++ >= LISTED || n >= sizeof list) continue;
        if (n) n += (size_t)snprintf(list + n, sizeof list - n, ", ");
        if (n < sizeof list) n += describe(slb_tensors_at(im->file, i), list + n, sizeof list - n);
    }
    if (!left) return SLB_OK;
    return slb_fail(im->err, SLB_E_MODEL,
                    "%s: %zu of its tensors belong to no convolution of the network: %s%s; a line "
                    "'- NAME' of a map leaves one out",
                    im->path, left, list, left > LISTED ? ", ..." : "");
}

static SlbStatus import_all(Import *im)
{
    put_in_order(im);
    SlbStatus s = choose_weights(im);
    for (int i = 0; s == SLB_OK && i < im->model->graph->conv_count; i++) s = read_conv(im, i);
    return s == SLB_OK ? check_rest(im) : s;
}

static SlbStatus import_file(Import *im, const SlbGraph *net)
{
    size_t tensors = slb_tensors_count(im->file), convs = (size_t)net->conv_count;
    SlbStatus s = slb_model_create(net, 32, &im->model, im->err);
    if (s != SLB_OK) return s;
    im->order = slb_calloc(tensors, sizeof *im->order);
    im->use = slb_calloc(tensors, sizeof *im->use);
    im->chosen = slb_calloc(convs, sizeof *im->chosen);
    im->matches = slb_calloc(convs, sizeof *im->matches);
    if (im->order && im->use && im->chosen && im->matches)
        s = import_all(im);
    else
        s = slb_fail_memory(im->err, im->path);
    slb_free(im->order);
    slb_free(im->use);
    slb_free(im->chosen);
    return s;
}

SlbStatus slb_foreign_load(const char *path, const SlbGraph *net, const SlbNameMap *map,
                           SlbModel **model, SlbForeignMatch **matches, SlbError *err)
{
    SlbTensorFile *file;
    SlbStatus s = slb_tensors_open(path, &file, err);
    if (s != SLB_OK) return s;
    Import im = {.file = file, .path = path, .map = map, .err = err};
    const char *format = slb_tensors_meta(file, "format");
    if (format && strncmp(format, "slbsr ", 6) == 0)
        s = slb_fail(err, SLB_E_MODEL, "%s: is a model of slbsr already; use it as it is", path);
    else
        s = import_file(&im, net);
    slb_tensors_close(file);
    if (s != SLB_OK) {
        slb_model_free(im.model);
        slb_free(im.matches);
        return s;
    }
    *model = im.model;
    *matches = im.matches;
    return SLB_OK;
}

/* -- writing -- */

static SlbStatus name_tensors(const SlbNameMap *map, int conv, SlbTensor *weight, SlbTensor *bias,
                              SlbError *err)
{
    const MappedName *item = slb_names_of(map, conv);
    char stem[SLB_TENSOR_NAME_BYTES];
    snprintf(stem, sizeof stem, "conv%02d", conv);
    if (item) memcpy(stem, item->name, sizeof stem);
    if (ends_with(stem, weight_end)) stem[strlen(stem) - strlen(weight_end)] = 0;
    if (strlen(stem) + sizeof weight_end > sizeof weight->name)
        return slb_fail(err, SLB_E_MODEL, "'%s': too long a name for the weights of conv%02d", stem,
                        conv);
    strcpy(stpcpy(weight->name, stem), weight_end);
    strcpy(stpcpy(bias->name, stem), bias_end);
    return SLB_OK;
}

/* Tensors 2 i and 2 i + 1 for convolution i; the weights go to *room. */
static SlbStatus list_tensors(const SlbModel *m, const SlbNameMap *map, SlbTensor *tensors,
                              float *room, SlbError *err)
{
    for (int i = 0; i < m->graph->conv_count; i++) {
        const SlbConvParams *c = &m->conv[i];
        size_t outputs = (size_t)c->out_channels, k = (size_t)c->kernel;
        SlbTensor *t = &tensors[2 * i];
        t[0] = (SlbTensor){.dtype = SLB_F32,
                           .dims = OIHW,
                           .shape = {outputs, (size_t)c->in_channels, k, k},
                           .bytes = slb_conv_weights(c) * sizeof *room,
                           .data = room};
        t[1] = (SlbTensor){.dtype = SLB_F32,
                           .dims = 1,
                           .shape = {outputs},
                           .bytes = outputs * sizeof *room,
                           .data = c->bias};
        SlbStatus s = name_tensors(map, i, &t[0], &t[1], err);
        if (s != SLB_OK) return s;
        slb_conv_effective(c, room);
        room += slb_conv_weights(c);
    }
    return SLB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* No two convolutions may have one name: nothing could read the file. */
static SlbStatus check_names(const SlbTensor *tensors, size_t convs, SlbError *err)
{
    const char **name = slb_alloc(convs, sizeof *name);
    if (!name) return slb_fail_memory(err, "the names of the weights");
    for (size_t i = 0; i < convs; i++) name[i] = tensors[2 * i].name;
    qsort(name, convs, sizeof *name, by_name);
    SlbStatus s = SLB_OK;
    for (size_t i = 1; s == SLB_OK && i < convs; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            s = slb_fail(err, SLB_E_MODEL,
                         "two convolutions would be called '%s'; give each a name of its own in "
                         "the map",
                         name[i]);
    slb_free(name);
    return s;
}

SlbStatus slb_foreign_save(const SlbModel *model, const SlbNameMap *map, const char *path,
                           bool overwrite, SlbError *err)
{
    static const SlbTensorMeta meta[] = {{"format", "pt"}}; /* as PyTorch's own files have */
    size_t convs = (size_t)model->graph->conv_count, count = 0;
    for (size_t i = 0; i < convs; i++) count += slb_conv_weights(&model->conv[i]);
    SlbStatus s = check_map(map, model->graph, err);
    if (s != SLB_OK) return s;
    SlbTensor *tensors = slb_calloc(2 * convs, sizeof *tensors);
    float *weights = slb_alloc(count, sizeof *weights);
    s = tensors && weights ? list_tensors(model, map, tensors, weights, err)
                           : slb_fail_memory(err, path);
    if (s == SLB_OK) s = check_names(tensors, convs, err);
    if (s == SLB_OK) s = slb_tensors_write(path, tensors, 2 * convs, meta, 1, overwrite, err);
    slb_free(tensors);
    slb_free(weights);
    return s;
}
