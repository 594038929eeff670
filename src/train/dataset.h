/* Pictures to train on, and the patches cut from them. */
#ifndef SLBSR_TRAIN_DATASET_H
#define SLBSR_TRAIN_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The Y planes of all pictures, in memory: one byte a pixel. */
typedef struct SlbDataset {
    size_t count;
    uint8_t **plane;
    uint32_t *width, *height;
    uint64_t *area_before;        /* [count + 1] pixels of the pictures before this one */
    size_t too_small, unreadable; /* files passed over */
    SlbError first_unreadable;
} SlbDataset;

/* Loads the pictures of the folders that are at least `min_side` pixels in both directions. A
 * folder that holds no picture itself may hold them in DIV2K_train_HR or HR. Unreadable files are
 * counted and passed over; none usable at all is SLB_E_INPUT. Freed with slb_dataset_free. */
SLB_MUST_CHECK SlbStatus slb_dataset_load(const char *const *folders, int folder_count,
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
