#include "net/safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/io.h"
#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

_Static_assert(SLB_TENSOR_NAME_BYTES == 128 && SLB_MAX_DIMS == 5, "as the messages say");

enum {
    LENGTH_BYTES = 8,
    MAX_HEADER_BYTES = 4 << 20,
    MAX_TENSORS = 21504, /* a checkpoint of the largest network there can be has 20460 */
    MAX_META = 256,
};
#define MAX_FILE_BYTES ((size_t)64 << 30)

static const struct {
    const char *name;
    size_t bytes;
} dtypes[SLB_DTYPES] = {
    [SLB_BOOL] = {"BOOL", 1},       [SLB_U8] = {"U8", 1},           [SLB_I8] = {"I8", 1},
    [SLB_F8_E5M2] = {"F8_E5M2", 1}, [SLB_F8_E4M3] = {"F8_E4M3", 1}, [SLB_I16] = {"I16", 2},
    [SLB_U16] = {"U16", 2},         [SLB_F16] = {"F16", 2},         [SLB_BF16] = {"BF16", 2},
    [SLB_I32] = {"I32", 4},         [SLB_U32] = {"U32", 4},         [SLB_F32] = {"F32", 4},
    [SLB_F64] = {"F64", 8},         [SLB_I64] = {"I64", 8},         [SLB_U64] = {"U64", 8}};

struct SlbTensorFile {
    unsigned char *owned; /* NULL when the caller's */
    const unsigned char *data;
    size_t data_bytes;
    cJSON *header;
    SlbTensor *tensors; /* in the order of their data */
    size_t count;
};

const char *slb_dtype_name(SlbDtype dtype)
{
    return dtypes[dtype].name;
}

/* True when a JSON number is a whole one that a size_t holds. */
static bool whole(const cJSON *item, size_t *value)
{
    if (!cJSON_IsNumber(item)) return false;
    double v = item->valuedouble;
    if (!(v >= 0.0 && v <= 9007199254740992.0)) return false;
    *value = (size_t)v;
    return (double)*value == v;
}

static bool tensor_bytes(const SlbTensor *t, size_t *bytes)
{
    *bytes = dtypes[t->dtype].bytes;
    for (int d = 0; d < t->dims; d++)
        if (__builtin_mul_overflow(*bytes, t->shape[d], bytes)) return false;
    return true;
}

static bool repeated_key(const cJSON *object)
{
    for (const cJSON *a = object->child; a; a = a->next)
        for (const cJSON *b = a->next; b; b = b->next)
            if (strcmp(a->string, b->string) == 0) return true;
    return false;
}

/* One entry of the header. Returns what is wrong with it, NULL when nothing; *damaged is false when
 * a valid file could have that. */
static const char *read_entry(const cJSON *entry, const unsigned char *data, size_t data_bytes,
                              SlbTensor *t, bool *damaged)
{
    size_t length = strlen(entry->string);
    *damaged = false;
    if (length >= SLB_TENSOR_NAME_BYTES) return "its name is longer than 127 bytes";
    *damaged = true;
    if (!length) return "its name is empty";
    memcpy(t->name, entry->string, length + 1);
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    if (!cJSON_IsObject(entry) || cJSON_GetArraySize(entry) != 3 || !cJSON_IsString(dtype) ||
        !cJSON_IsArray(shape) || !cJSON_IsArray(offsets))
        return "it must have dtype, shape and data_offsets, each once";
    int k = 0;
    while (k < SLB_DTYPES && strcmp(dtypes[k].name, dtype->valuestring) != 0) k++;
    *damaged = false;
    if (k == SLB_DTYPES) return "its dtype is not known here";
    t->dtype = (SlbDtype)k;
    if (cJSON_GetArraySize(shape) > SLB_MAX_DIMS) return "it has more than 5 dimensions";
    *damaged = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, shape)
    {
        if (!whole(item, &t->shape[t->dims++])) return "its shape is not of whole numbers";
    }
    size_t begin, end;
    if (cJSON_GetArraySize(offsets) != 2 || !whole(offsets->child, &begin) ||
        !whole(offsets->child->next, &end) || begin > end || end > data_bytes)
        return "its data_offsets lie outside the file";
    if (!tensor_bytes(t, &t->bytes) || t->bytes != end - begin)
        return "its data_offsets do not fit its shape";
    t->data = data + begin;
    return NULL;
}

static int by_place(const void *a, const void *b)
{
    const SlbTensor *s = a, *t = b;
    const unsigned char *p = s->data, *q = t->data;
    if (p != q) return p < q ? -1 : 1;
    return s->bytes < t->bytes ? -1 : s->bytes > t->bytes; /* empty tensors come first */
}

static SlbStatus check_meta(const SlbTensorFile *f, const char *name, SlbError *err)
{
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(f->header, "__metadata__");
    if (!meta) return SLB_OK;
    if (!cJSON_IsObject(meta) || cJSON_GetArraySize(meta) > MAX_META || repeated_key(meta))
        return slb_fail(err, SLB_E_MODEL, "%s: damaged: its __metadata__ is not a plain object",
                        name);
    const cJSON *item;
    cJSON_ArrayForEach(item, meta)
    {
        if (!cJSON_IsString(item))
            return slb_fail(err, SLB_E_MODEL, "%s: damaged: __metadata__ '%s' is not a string",
                            name, item->string);
    }
    const char *crc = slb_tensors_meta(f, "crc32");
    char actual[9];
    snprintf(actual, sizeof actual, "%08lx", crc32_z(0, f->data, f->data_bytes) & 0xffffffffu);
    if (crc && strcmp(crc, actual) != 0)
        return slb_fail(err, SLB_E_MODEL,
                        "%s: damaged: the checksum of its data is wrong; "
                        "fetch or make the file again",
                        name);
    return SLB_OK;
}

/* Fills f->tensors and checks that they cover the data section exactly. */
static SlbStatus read_entries(SlbTensorFile *f, const char *name, SlbError *err)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, f->header)
    {
        if (strcmp(entry->string, "__metadata__") == 0) continue;
        bool damaged;
        const char *wrong =
            read_entry(entry, f->data, f->data_bytes, &f->tensors[f->count++], &damaged);
        if (wrong)
            return slb_fail(err, SLB_E_MODEL, "%s: %s: tensor '%.64s': %s", name,
                            damaged ? "damaged" : "cannot be used", entry->string, wrong);
    }
    if (f->count) qsort(f->tensors, f->count, sizeof *f->tensors, by_place);
    const unsigned char *expected = f->data;
    for (size_t i = 0; i < f->count; i++) {
        if (f->tensors[i].data != expected)
            return slb_fail(err, SLB_E_MODEL,
                            "%s: damaged: tensor '%s' overlaps another or "
                            "leaves a gap",
                            name, f->tensors[i].name);
        expected += f->tensors[i].bytes;
    }
    if (expected != f->data + f->data_bytes)
        return slb_fail(err, SLB_E_MODEL, "%s: damaged: there is more behind the last tensor",
                        name);
    return SLB_OK;
}

/* The header as JSON, with nothing but white space behind it. */
static cJSON *parse_header(const char *text, size_t bytes)
{
    const char *end = NULL;
    if (bytes == 0 || text[0] != '{') return NULL;
    cJSON *header = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (!header) return NULL;
    while (end < text + bytes && strchr(" \t\r\n", *end) && *end) end++;
    if (end == text + bytes && cJSON_IsObject(header)) return header;
    cJSON_Delete(header);
    return NULL;
}

static SlbStatus parse_file(SlbTensorFile *f, const unsigned char *data, size_t bytes,
                            const char *name, SlbError *err)
{
    uint64_t length = 0;
    if (bytes >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return slb_fail(err, SLB_E_MODEL,
                        "%s: a PyTorch checkpoint, which only Python reads; save it there with "
                        "safetensors.torch.save_file(model.state_dict(), 'NAME.safetensors')",
                        name);
    if (bytes >= LENGTH_BYTES) memcpy(&length, data, LENGTH_BYTES);
    if (bytes < LENGTH_BYTES || length > bytes - LENGTH_BYTES || length > MAX_HEADER_BYTES)
        return slb_fail(err, SLB_E_MODEL, "%s: not a safetensors file, or cut short", name);
    errno = 0;
    f->header = parse_header((const char *)data + LENGTH_BYTES, (size_t)length);
    if (!f->header && errno == ENOMEM) return slb_fail_memory(err, name);
    if (!f->header)
        return slb_fail(err, SLB_E_MODEL, "%s: not a safetensors file: no JSON header", name);
    int entries = cJSON_GetArraySize(f->header);
    if (entries > MAX_TENSORS)
        return slb_fail(err, SLB_E_MODEL, "%s: more than %d tensors", name, MAX_TENSORS);
    if (repeated_key(f->header))
        return slb_fail(err, SLB_E_MODEL, "%s: damaged: a tensor is there twice", name);
    f->tensors = slb_calloc((size_t)entries + 1, sizeof *f->tensors);
    if (!f->tensors) return slb_fail_memory(err, name);
    f->data = data + LENGTH_BYTES + length;
    f->data_bytes = bytes - LENGTH_BYTES - (size_t)length;
    SlbStatus s = read_entries(f, name, err);
    return s == SLB_OK ? check_meta(f, name, err) : s;
}

SlbStatus slb_tensors_parse(const unsigned char *data, size_t bytes, int own, const char *name,
                            SlbTensorFile **file, SlbError *err)
{
    SlbTensorFile *f = slb_calloc(1, sizeof *f);
    if (!f) return slb_fail_memory(err, name);
    SlbStatus s = parse_file(f, data, bytes, name, err);
    if (s != SLB_OK) {
        slb_tensors_close(f);
        return s;
    }
    if (own) f->owned = (unsigned char *)data;
    *file = f;
    return SLB_OK;
}

/* Bytes of data that the header lays claim to; 0 when it is no header, SIZE_MAX when memory is out.
 */
static size_t claimed_bytes(const char *text, size_t bytes)
{
    errno = 0;
    cJSON *header = parse_header(text, bytes);
    const cJSON *entry;
    size_t most = 0;
    if (!header && errno == ENOMEM) return SIZE_MAX; /* cJSON does not tell */
    cJSON_ArrayForEach(entry, header)
    {
        const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
        size_t end;
        if (whole(cJSON_GetArrayItem(offsets, 1), &end) && end > most) most = end;
    }
    cJSON_Delete(header);
    return most;
}

/* Makes room for `more` bytes behind the `*used` of *data and reads them, as many as there are:
 * never much more than the file turns out to hold, whatever its header claims. */
static SlbStatus read_more(FILE *file, const char *path, size_t more, unsigned char **data,
                           size_t *used, SlbError *err)
{
    for (size_t step = 1 << 20; more > 0; step *= 2) {
        size_t want = more < step ? more : step;
        unsigned char *larger = slb_alloc(*used + want, 1);
        if (!larger) return slb_fail_memory(err, path);
        if (*used) memcpy(larger, *data, *used);
        slb_free(*data);
        *data = larger;
        size_t n = fread(*data + *used, 1, want, file);
        *used += n;
        more -= n;
        if (ferror(file)) return slb_fail_system(err, SLB_E_MODEL, path, "cannot be read");
        if (n < want) return SLB_OK; /* that is all */
    }
    return SLB_OK;
}

/* The length, then the header, then the data it claims and one byte more, which shows that there is
 * too much: a file that is no model is refused without reading all of it. */
static SlbStatus read_parts(FILE *file, const char *path, unsigned char **data, size_t *bytes,
                            SlbError *err)
{
    uint64_t length = 0;
    SlbStatus s = read_more(file, path, LENGTH_BYTES, data, bytes, err);
    if (s == SLB_OK && *bytes == LENGTH_BYTES) memcpy(&length, *data, LENGTH_BYTES);
    if (s != SLB_OK || length > MAX_HEADER_BYTES) return s; /* the parser says what is wrong */
    s = read_more(file, path, (size_t)length, data, bytes, err);
    if (s != SLB_OK || *bytes < LENGTH_BYTES + length) return s;
    size_t claimed = claimed_bytes((const char *)*data + LENGTH_BYTES, (size_t)length);
    if (claimed == SIZE_MAX) return slb_fail_memory(err, path);
    if (claimed > MAX_FILE_BYTES)
        return slb_fail(err, SLB_E_MODEL, "%s: its tensors claim %zu bytes, over the limit of %zu",
                        path, claimed, MAX_FILE_BYTES);
    return read_more(file, path, claimed + 1, data, bytes, err);
}

SlbStatus slb_tensors_open(const char *path, SlbTensorFile **file, SlbError *err)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    FILE *stream = fopen(path, "rbe");
    if (!stream) return slb_fail_system(err, SLB_E_MODEL, path, "cannot be opened");
    struct stat st;
    SlbStatus s = SLB_OK;
    if (fstat(fileno(stream), &st) == 0 && S_ISDIR(st.st_mode))
        s = slb_fail(err, SLB_E_MODEL, "%s: is a folder, a file is expected", path);
    if (s == SLB_OK) s = read_parts(stream, path, &data, &bytes, err);
    fclose(stream);
    if (s == SLB_OK) s = slb_tensors_parse(data, bytes, 1, path, file, err);
    if (s != SLB_OK) slb_free(data);
    return s;
}

void slb_tensors_close(SlbTensorFile *file)
{
    if (!file) return;
    cJSON_Delete(file->header);
    slb_free(file->tensors);
    slb_free(file->owned);
    slb_free(file);
}

size_t slb_tensors_count(const SlbTensorFile *file)
{
    return file->count;
}

const SlbTensor *slb_tensors_at(const SlbTensorFile *file, size_t index)
{
    return &file->tensors[index];
}

const SlbTensor *slb_tensors_find(const SlbTensorFile *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

const char *slb_tensors_meta(const SlbTensorFile *file, const char *key)
{
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(file->header, "__metadata__");
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, key));
}

static bool add_numbers(cJSON *entry, const char *name, const size_t *values, int count)
{
    cJSON *array = cJSON_AddArrayToObject(entry, name);
    for (int i = 0; array && i < count; i++) {
        cJSON *number = cJSON_CreateNumber((double)values[i]);
        if (!number || !cJSON_AddItemToArray(array, number)) return false;
    }
    return array != NULL;
}

static bool add_entry(cJSON *header, const SlbTensor *t, size_t begin)
{
    cJSON *entry = cJSON_AddObjectToObject(header, t->name);
    if (!entry || !cJSON_AddStringToObject(entry, "dtype", dtypes[t->dtype].name)) return false;
    const size_t offsets[] = {begin, begin + t->bytes};
    return add_numbers(entry, "shape", t->shape, t->dims) &&
           add_numbers(entry, "data_offsets", offsets, 2);
}

static bool add_meta(cJSON *header, const SlbTensorMeta *meta, size_t meta_count, unsigned long crc)
{
    cJSON *object = cJSON_AddObjectToObject(header, "__metadata__");
    bool ok = object != NULL;
    for (size_t i = 0; ok && i < meta_count; i++)
        ok = cJSON_AddStringToObject(object, meta[i].key, meta[i].value) != NULL;
    char hex[9];
    snprintf(hex, sizeof hex, "%08lx", crc & 0xffffffffu);
    return ok && cJSON_AddStringToObject(object, "crc32", hex);
}

/* The header's text (freed with cJSON_free), NULL when memory is out. */
static char *make_header(const SlbTensor *tensors, size_t count, const SlbTensorMeta *meta,
                         size_t meta_count)
{
    cJSON *header = cJSON_CreateObject();
    unsigned long crc = crc32_z(0, NULL, 0);
    for (size_t i = 0; i < count; i++)
        if (tensors[i].bytes) crc = crc32_z(crc, tensors[i].data, tensors[i].bytes);
    bool ok = header && add_meta(header, meta, meta_count, crc);
    size_t begin = 0;
    for (size_t i = 0; ok && i < count; i++) {
        ok = add_entry(header, &tensors[i], begin);
        begin += tensors[i].bytes;
    }
    char *text = ok ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

/* Write errors show at the commit. */
static void write_all(FILE *file, const char *header, const SlbTensor *tensors, size_t count)
{
    size_t length = strlen(header);
    uint64_t padded = (length + 7) / 8 * 8;
    fwrite(&padded, LENGTH_BYTES, 1, file);
    fwrite(header, 1, length, file);
    for (; length < padded; length++) fputc(' ', file);
    for (size_t i = 0; i < count; i++)
        if (tensors[i].bytes) fwrite(tensors[i].data, 1, tensors[i].bytes, file);
}

SlbStatus slb_tensors_write(const char *path, const SlbTensor *tensors, size_t count,
                            const SlbTensorMeta *meta, size_t meta_count, bool overwrite,
                            SlbError *err)
{
    size_t all = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        if (!tensor_bytes(&tensors[i], &bytes) || bytes != tensors[i].bytes)
            return slb_fail(err, SLB_E_USAGE, "%s: tensor '%s': its bytes do not fit its shape",
                            path, tensors[i].name);
        if (__builtin_add_overflow(all, bytes, &all)) all = SIZE_MAX;
    }
    if (count > MAX_TENSORS || all > MAX_FILE_BYTES - MAX_HEADER_BYTES - LENGTH_BYTES)
        return slb_fail(err, SLB_E_USAGE, "%s: larger than what can be read back", path);
    char *header = make_header(tensors, count, meta, meta_count);
    if (!header) return slb_fail_memory(err, path);
    if (strlen(header) > MAX_HEADER_BYTES - 8) {
        cJSON_free(header);
        return slb_fail(err, SLB_E_USAGE, "%s: too much metadata for a model file", path);
    }
    SlbOutput out;
    SlbStatus s = slb_output_open(&out, path, overwrite, err);
    if (s == SLB_OK) {
        write_all(out.file, header, tensors, count);
        s = slb_output_commit(&out, err);
    }
    cJSON_free(header);
    return s;
}
