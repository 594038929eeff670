/* Pack files. The checksum of the index is mended first. */
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "train/pack.h"
#include "train/pack_format.h"

static void mend_checksum(uint8_t *pack, size_t bytes)
{
    uint64_t count = 0;
    if (bytes < SLB_PACK_HEADER) return;
    memcpy(&count, pack + 8, sizeof count);
    if (count > (bytes - SLB_PACK_HEADER) / SLB_PACK_ENTRY) return;
    size_t index = (size_t)count * SLB_PACK_ENTRY, left = bytes - SLB_PACK_HEADER - index;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t side[2];
        memcpy(side, pack + SLB_PACK_HEADER + i * SLB_PACK_ENTRY, sizeof side);
        uint64_t tiles = slb_pack_tiles(side[0], side[1]);
        if (tiles > left / SLB_PACK_CRC) return;
        index += (size_t)tiles * SLB_PACK_CRC;
        left -= (size_t)tiles * SLB_PACK_CRC;
    }
    uint32_t crc = (uint32_t)crc32_z(0, pack + SLB_PACK_HEADER, index);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbPack *pack;
    SlbError err = {0};
    uint8_t *copy = malloc(bytes + 1);
    fuzz_want(copy != NULL, "no memory");
    if (bytes) memcpy(copy, data, bytes);
    mend_checksum(copy, bytes);
    const char *path = fuzz_file(copy, bytes);
    free(copy);
    (void)slb_pack_is(path);
    SlbStatus status = slb_pack_open(path, &pack, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) return 0;
    read_all(pack);
    slb_pack_close(pack);
    return 0;
}
