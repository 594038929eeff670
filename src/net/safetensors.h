/* safetensors files: 8-byte little-endian header length, JSON header, raw data. Limits are checked
 * before anything is allocated. */
#ifndef SLBSR_NET_SAFETENSORS_H
#define SLBSR_NET_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* In the order in which the reference implementation's writer tells types apart: it writes tensors
 * of the last of them first, and those of one type by their names. */
typedef enum SlbDtype {
    SLB_BOOL,
    SLB_U8,
    SLB_I8,
    SLB_F8_E5M2,
    SLB_F8_E4M3,
    SLB_I16,
    SLB_U16,
    SLB_F16,
    SLB_BF16,
    SLB_I32,
    SLB_U32,
    SLB_F32,
    SLB_F64,
    SLB_I64,
    SLB_U64,
    SLB_DTYPES,
} SlbDtype;

enum { SLB_MAX_DIMS = 5, SLB_TENSOR_NAME_BYTES = 128 };

typedef struct SlbTensor {
    char name[SLB_TENSOR_NAME_BYTES];
    SlbDtype dtype;
    int dims;
    size_t shape[SLB_MAX_DIMS];
    size_t bytes;
    const void *data; /* in the file's buffer when read (maybe unaligned: copy it); the caller's
                         when written */
} SlbTensor;

typedef struct SlbTensorFile SlbTensorFile;

/* "F32" */
const char *slb_dtype_name(SlbDtype dtype);

/* Parses a file in memory; takes `data` over (slb_free) on success only when `own` is set; tensors
 * point into it. `name` is for messages. SLB_E_MODEL for anything that is not exactly a valid file.
 */
SLB_MUST_CHECK SlbStatus slb_tensors_parse(const unsigned char *data, size_t bytes, int own,
                                           const char *name, SlbTensorFile **file, SlbError *err);
/* Reads and parses the file at `path` (at most 64 GiB). */
SLB_MUST_CHECK SlbStatus slb_tensors_open(const char *path, SlbTensorFile **file, SlbError *err);
void slb_tensors_close(SlbTensorFile *file); /* NULL is allowed */

size_t slb_tensors_count(const SlbTensorFile *file);
/* Number `index` of them in the order of their data, below the count. */
const SlbTensor *slb_tensors_at(const SlbTensorFile *file, size_t index);
const SlbTensor *slb_tensors_find(const SlbTensorFile *file, const char *name); /* NULL: absent */
/* A value of __metadata__, NULL when absent; owned by the file. */
const char *slb_tensors_meta(const SlbTensorFile *file, const char *key);

typedef struct SlbTensorMeta {
    const char *key, *value;
} SlbTensorMeta;

/* Writes atomically (base/io.h). Metadata gets a "crc32" of the data section besides
 * `meta`; reading checks it where it is present. The header is padded with spaces to a multiple of
 * 8 bytes. */
SLB_MUST_CHECK SlbStatus slb_tensors_write(const char *path, const SlbTensor *tensors, size_t count,
                                           const SlbTensorMeta *meta, size_t meta_count,
                                           bool overwrite, SlbError *err);

#endif
