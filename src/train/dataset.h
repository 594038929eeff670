/* Pictures to train on, and the patches cut from them. */
#ifndef SLBSR_TRAIN_DATASET_H
#define SLBSR_TRAIN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "train/pack.h"

/* One picture: uint8 samples, HWC without padding. */
typedef struct SlbPicture {
    const uint8_t *samples;           /* owned by the dataset, or mapped from a pack */
    uint32_t width, height, channels; /* 1: Y; 3: RGB */
    SlbPack *pack;                    /* where it is mapped from, or NULL */
    uint64_t index;                   /* in the pack */
} SlbPicture;

typedef struct SlbDataset {
    size_t count;
    SlbPicture *picture;
    uint64_t *area_before; /* [count + 1] pixels of the pictures before this one */
    SlbPack **pack;        /* [pack_count] */
    int pack_count;
    size_t too_small, unreadable; /* files passed over */
    SlbError first_unreadable;
} SlbDataset;

/* The pictures of the sources that are at least `min_side` pixels in both directions
 * (slb_dataset_least_side of the patches to come). A source is a
 * pack file (train/pack.h), which is mapped, or a folder, whose pictures are loaded into memory, as
 * Y planes for `channels` 1, as RGB (grey ones as Y) for 3; a
 * folder that holds no picture itself may hold them in DIV2K_train_HR or HR. Unreadable files are
 * counted and passed over; none usable at all is SLB_E_INPUT. Freed with slb_dataset_free. */
SLB_MUST_CHECK SlbStatus slb_dataset_load(const char *const *sources, int source_count,
                                          int channels, uint32_t min_side, int threads,
                                          SlbDataset *dataset, SlbError *err);

/* The least side of a picture that has patches of side `side` whatever the scale: a picture is cut
 * to a multiple of the scale first. */
uint32_t slb_dataset_least_side(int side, const int *scales, int scale_count);
void slb_dataset_free(SlbDataset *dataset);

/* What decides a patch. */
typedef struct SlbPatchKey {
    uint64_t seed, stream, index; /* base/rng.h */
    int scale;
    int side;      /* pixels at output resolution; a multiple of `scale` unless `enlarged` */
    int channels;  /* 1: Y; 3: RGB */
    bool enlarged; /* the input is enlarged to output resolution again (`input y bicubic`) */
} SlbPatchKey;

/* Samples of the input and of the target. */
static inline size_t slb_patch_input_side(const SlbPatchKey *key)
{
    return (size_t)(key->enlarged ? key->side : key->side / key->scale);
}
static inline size_t slb_patch_inputs(const SlbPatchKey *key)
{
    return slb_patch_input_side(key) * slb_patch_input_side(key) * (size_t)key->channels;
}
static inline size_t slb_patch_targets(const SlbPatchKey *key)
{
    return (size_t)key->side * (size_t)key->side * (size_t)key->channels;
}

/* Margin around a patch, in multiples of the scale, beyond which the resampling reaches nothing. */
enum { SLB_PATCH_MARGIN = 5 };

/* A patch at a random place (uniform over all pixels), in one of eight orientations, as floats of
 * 0..1, HWC. The target is the picture's Y or RGB; the input the same after bicubic downsampling by
 * key->scale, either rounded to 8 bits at the end, or (enlarged) upsampled again without rounding
 * in between. (imresize rounds between its two passes too: few samples differ, by one level.)
 * SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_dataset_patch(const SlbDataset *dataset, const SlbPatchKey *key,
                                           float *input, float *target, SlbError *err);

/* Tells that the patch of a key will be wanted soon, so that its samples may come from a disk
 * meanwhile. */
void slb_dataset_expect(const SlbDataset *dataset, const SlbPatchKey *key);

/* The files of a folder as slb_dataset_load finds them (base/io.h: slb_list_folder). */
SLB_MUST_CHECK SlbStatus slb_dataset_files(const char *folder, char ***names, size_t *count,
                                           SlbError *err);

#endif
