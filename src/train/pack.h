/* Pack files: pictures decoded once, to be mapped into memory by every training run.
 *
 * Little-endian: 8 bytes "SLBPACK2", u64 number of pictures, u32 CRC-32 of the index, u32 zero; the
 * index: 24 bytes a picture, u32 width, u32 height, u32 channels (1 grey, 3 RGB), u32 zero, u64
 * offset of its samples in the file; then a u32 for each tile of 64 x 64 pixels (or what is left
 * of them) of each picture, row by row: the CRC-32 of its samples; then the samples, uint8 HWC, one
 * picture behind the other. */
#ifndef SLBSR_TRAIN_PACK_H
#define SLBSR_TRAIN_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct SlbPackReport {
    uint64_t pictures, bytes; /* of the file as it will be, or is */
    uint64_t unreadable;      /* files passed over */
    SlbError first_unreadable;
} SlbPackReport;

/* The pictures of a folder (found as slb_dataset_files does), as their headers tell. */
typedef struct SlbPackPlan SlbPackPlan;

/* Reads the headers. SLB_E_INPUT when there is no usable picture. The caller frees *plan. */
SLB_MUST_CHECK SlbStatus slb_pack_plan(const char *folder, SlbPackPlan **plan, SlbError *err);
void slb_pack_plan_free(SlbPackPlan *plan); /* NULL is allowed */
/* What the pack will hold; after slb_pack_write, what it holds. Owned by the plan. */
const SlbPackReport *slb_pack_report(const SlbPackPlan *plan);

/* Decodes all of them with `threads` threads into a pack file, written as base/io.h does. Alpha is
 * dropped, 16 bits are rounded to 8. Files that turn out damaged only now are passed over, too.
 * `progress` (may be NULL) is called by one thread at a time; nonzero cancels (SLB_PARTIAL). Once a
 * plan. */
SLB_MUST_CHECK SlbStatus slb_pack_write(SlbPackPlan *plan, const char *path, bool overwrite,
                                        int threads,
                                        int (*progress)(void *user, uint64_t done, uint64_t total),
                                        void *user, SlbError *err);

/* One picture of a pack. */
typedef struct SlbPacked {
    const uint8_t *samples;
    uint32_t width, height, channels;
} SlbPacked;

typedef struct SlbPack SlbPack;

/* True when the file at `path` begins like a pack. */
bool slb_pack_is(const char *path);

/* Maps a pack. Header, index and sizes are checked now, samples by slb_pack_check. SLB_E_INPUT for
 * anything wrong. */
SLB_MUST_CHECK SlbStatus slb_pack_open(const char *path, SlbPack **pack, SlbError *err);
void slb_pack_close(SlbPack *pack); /* NULL is allowed */
uint64_t slb_pack_count(const SlbPack *pack);
SlbPacked slb_pack_at(const SlbPack *pack, uint64_t i);

/* A window of picture i, in pixels. */
typedef struct SlbPackWindow {
    uint64_t i;
    uint32_t x, y, width, height;
} SlbPackWindow;

/* Tells that the window will be read soon: the system may begin to fetch it. Any thread. */
void slb_pack_expect(const SlbPack *pack, const SlbPackWindow *window);

/* Checks the tiles that the window touches against their CRC, each of them once. Any thread.
 * SLB_E_INPUT when they are damaged. */
SLB_MUST_CHECK SlbStatus slb_pack_check(SlbPack *pack, const SlbPackWindow *window, SlbError *err);

/* Tells that `bytes` of samples have been read; now and then gives the pages back, so that a set of
 * any size does not fill the memory of the process. */
void slb_pack_touched(SlbPack *pack, uint64_t bytes);

#endif
