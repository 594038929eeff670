/* Pictures to train on, and the patches cut from them. */
#ifndef SLBSR_TRAIN_DATASET_H
#define SLBSR_TRAIN_DATASET_H

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

/* The pictures of the sources that are at least `min_side` pixels in both directions. A source is a
 * pack file (train/pack.h), which is mapped, or a folder, whose Y planes are loaded into memory; a
 * folder that holds no picture itself may hold them in DIV2K_train_HR or HR. Unreadable files are
 * counted and passed over; none usable at all is SLB_E_INPUT. Freed with slb_dataset_free. */
SLB_MUST_CHECK SlbStatus slb_dataset_load(const char *const *sources, int source_count,
                                          uint32_t min_side, int threads, SlbDataset *dataset,
                                          SlbError *err);
void slb_dataset_free(SlbDataset *dataset);

/* What decides a patch. */
typedef struct SlbPatchKey {
    uint64_t seed, stream, index; /* base/rng.h */
    int scale;
    int side; /* pixels at output resolution */
} SlbPatchKey;

/* Margin around a patch, in multiples of the scale, beyond which the resampling reaches nothing. */
enum { SLB_PATCH_MARGIN = 5 };

/* A patch at a random place (uniform over all pixels), in one of eight orientations: its Y and the
 * same after bicubic down- and upsampling of the picture by key->scale, [side][side] floats, Y /
 * 255. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_dataset_patch(const SlbDataset *dataset, const SlbPatchKey *key,
                                           float *input, float *target, SlbError *err);

/* The files of a folder as slb_dataset_load finds them (base/io.h: slb_list_folder). */
SLB_MUST_CHECK SlbStatus slb_dataset_files(const char *folder, char ***names, size_t *count,
                                           SlbError *err);

#endif
