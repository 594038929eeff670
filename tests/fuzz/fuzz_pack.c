/* Pack files, read as such and as pictures to train on. The checksums of the index and, but for one
 * in eight inputs, of the samples are mended first. */
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "train/dataset.h"
#include "train/pack.h"
#include "train/pack_format.h"

enum { SCALE = 2, SIDE = 6, PATCHES = 3, SAMPLES = SIDE * SIDE * 3 };

/* Where the tiles' checksums of picture `i` stand, if the ones before it have theirs at `at`;
 * returns where they end, 0 when that is beyond the file. */
static size_t tiles_end(const uint8_t *pack, size_t bytes, uint64_t i, size_t at)
{
    uint32_t side[2];
    memcpy(side, pack + SLB_PACK_HEADER + i * SLB_PACK_ENTRY, sizeof side);
    uint64_t tiles = slb_pack_tiles(side[0], side[1]);
    return tiles > (bytes - at) / SLB_PACK_CRC ? 0 : at + (size_t)tiles * SLB_PACK_CRC;
}

/* The pictures' samples follow each other; *at is where those of this one are, *sums its sums. */
static bool mend_tiles(uint8_t *pack, size_t bytes, uint64_t i, size_t *sums, size_t *at)
{
    uint32_t entry[3];
    memcpy(entry, pack + SLB_PACK_HEADER + i * SLB_PACK_ENTRY, sizeof entry);
    uint64_t area = (uint64_t)entry[0] * entry[1], tiles = slb_pack_tiles(entry[0], entry[1]);
    if (!entry[2] || area > (bytes - *at) / entry[2]) return false;
    for (uint64_t t = 0; t < tiles; t++, *sums += SLB_PACK_CRC) {
        uint32_t crc = slb_pack_crc(pack + *at, entry[0], entry[1], entry[2], t);
        memcpy(pack + *sums, &crc, sizeof crc);
    }
    *at += (size_t)area * entry[2];
    return true;
}

static void mend_checksums(uint8_t *pack, size_t bytes)
{
    uint64_t count = 0;
    if (bytes < SLB_PACK_HEADER) return;
    memcpy(&count, pack + 8, sizeof count);
    if (count > (bytes - SLB_PACK_HEADER) / SLB_PACK_ENTRY) return;
    size_t sums = SLB_PACK_HEADER + (size_t)count * SLB_PACK_ENTRY, end = sums;
    for (uint64_t i = 0; i < count; i++)
        if (!(end = tiles_end(pack, bytes, i, end))) return;
    bool whole = pack[bytes - 1] % 8 != 0;
    size_t at = end;
    for (uint64_t i = 0; whole && i < count; i++) whole = mend_tiles(pack, bytes, i, &sums, &at);
    uint32_t crc = (uint32_t)crc32_z(0, pack + SLB_PACK_HEADER, end - SLB_PACK_HEADER);
    memcpy(pack + 16, &crc, sizeof crc);
}

static void read_all(SlbPack *pack)
{
    for (uint64_t i = 0; i < slb_pack_count(pack); i++) {
        SlbError err = {0};
        SlbPacked p = slb_pack_at(pack, i);
        size_t bytes = (size_t)p.width * p.height * p.channels;
        fuzz_want(bytes > 0, "an empty picture");
        const SlbPackWindow all = {i, 0, 0, p.width, p.height};
        slb_pack_expect(pack, &all);
        fuzz_status(slb_pack_check(pack, &all, &err), SLB_E_INPUT, &err);
        fuzz_use(p.samples[0] + p.samples[bytes - 1]);
    }
}

static void check_patch(const float *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fuzz_want(samples[i] >= -1.0f && samples[i] <= 2.0f, "a sample far from 0..1");
}

static void cut_patches(const char *path, int channels, bool enlarged)
{
    static const int scales[] = {SCALE};
    float input[SAMPLES], target[SAMPLES];
    SlbDataset set;
    SlbError err = {0};
    uint32_t least = slb_dataset_least_side(SIDE, scales, 1);
    SlbStatus status = slb_dataset_load(&path, 1, channels, least, 1, &set, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) return;
    for (uint64_t i = 0; i < PATCHES && status == SLB_OK; i++) {
        const SlbPatchKey key = {
            .index = i, .scale = SCALE, .side = SIDE, .channels = channels, .enlarged = enlarged};
        slb_dataset_expect(&set, &key);
        status = slb_dataset_patch(&set, &key, input, target, &err);
        fuzz_status(status, SLB_E_INPUT, &err);
        if (status != SLB_OK) break;
        check_patch(input, slb_patch_inputs(&key));
        check_patch(target, slb_patch_targets(&key));
    }
    slb_dataset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbPack *pack;
    SlbError err = {0};
    uint8_t *copy = malloc(bytes + 1);
    fuzz_want(copy != NULL, "no memory");
    if (bytes) memcpy(copy, data, bytes);
    mend_checksums(copy, bytes);
    const char *path = fuzz_file(copy, bytes);
    free(copy);
    (void)slb_pack_is(path);
    SlbStatus status = slb_pack_open(path, &pack, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) return 0;
    read_all(pack);
    slb_pack_close(pack);
    cut_patches(path, 1, true);
    cut_patches(path, 3, false);
    return 0;
}
