#include "train/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "train/pack_format.h"

/* Pages of so many bytes may be resident before they are given back. */
#define RESIDENT_BYTES ((uint64_t)512 << 20)

struct SlbPack {
    char *path;
    const uint8_t *map;
    size_t bytes;
    uint64_t count;
    atomic_uchar *checked; /* [count] */
    _Atomic uint64_t touched;
};

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

bool slb_pack_is(const char *path)
{
    char magic[sizeof SLB_PACK_MAGIC];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t n = fread(magic, 1, sizeof SLB_PACK_MAGIC - 1, file);
    fclose(file);
    return n == sizeof SLB_PACK_MAGIC - 1 && memcmp(magic, SLB_PACK_MAGIC, n) == 0;
}

SlbPacked slb_pack_at(const SlbPack *pack, uint64_t i)
{
    const uint8_t *entry = pack->map + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
    return (SlbPacked){.width = (uint32_t)get(entry, 4),
                       .height = (uint32_t)get(entry + 4, 4),
                       .channels = (uint32_t)get(entry + 8, 4),
                       .crc = (uint32_t)get(entry + 12, 4),
                       .samples = pack->map + get(entry + 16, 8)};
}

/* Sizes and offsets against each other and the file; samples must follow each other without gaps.
 */
static bool valid(const SlbPack *pack)
{
    if (pack->bytes < SLB_PACK_HEADER || memcmp(pack->map, SLB_PACK_MAGIC, 8) != 0) return false;
    if (pack->count < 1 || pack->count > (pack->bytes - SLB_PACK_HEADER) / SLB_PACK_ENTRY)
        return false;
    uint64_t at = SLB_PACK_HEADER + pack->count * SLB_PACK_ENTRY;
    uint32_t crc = (uint32_t)crc32_z(0, pack->map + SLB_PACK_HEADER, at - SLB_PACK_HEADER);
    if (crc != get(pack->map + 16, 4)) return false;
    for (uint64_t i = 0; i < pack->count; i++) {
        SlbPacked p = slb_pack_at(pack, i);
        if ((p.channels != 1 && p.channels != 3) || !p.width || !p.height) return false;
        if (p.samples != pack->map + at) return false;
        if ((uint64_t)p.width * p.height > (pack->bytes - at) / p.channels) return false;
        at += (uint64_t)p.width * p.height * p.channels;
    }
    return at == pack->bytes;
}

static SlbStatus map_file(SlbPack *pack, const char *path, SlbError *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) close(fd);
        return slb_fail(err, SLB_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    pack->bytes = (size_t)st.st_size;
    void *map = pack->bytes ? mmap(NULL, pack->bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    int why = errno;
    close(fd);
    if (map == MAP_FAILED)
        return slb_fail(err, SLB_E_INPUT, "%s: cannot be mapped: %s", path,
                        pack->bytes ? strerror(why) : "it is empty");
    pack->map = map;
    return SLB_OK;
}

SlbStatus slb_pack_open(const char *path, SlbPack **out, SlbError *err)
{
    SlbPack *pack = slb_calloc(1, sizeof *pack);
    if (!pack) return slb_fail_memory(err, path);
    SlbStatus s = map_file(pack, path, err);
    if (s == SLB_OK) {
        pack->count = pack->bytes >= SLB_PACK_HEADER ? get(pack->map + 8, 8) : 0;
        if (!valid(pack))
            s = slb_fail(err, SLB_E_INPUT, "%s: is a damaged pack file; make it anew", path);
    }
    if (s == SLB_OK) {
        size_t length = strlen(path) + 1;
        pack->path = slb_alloc(length, 1);
        pack->checked = slb_calloc(pack->count, sizeof *pack->checked);
        if (pack->path) memcpy(pack->path, path, length);
        if (!pack->path || !pack->checked) s = slb_fail_memory(err, path);
    }
    if (s != SLB_OK) {
        slb_pack_close(pack);
        return s;
    }
    (void)!madvise((void *)pack->map, pack->bytes, MADV_RANDOM);
    *out = pack;
    return SLB_OK;
}

void slb_pack_close(SlbPack *pack)
{
    if (!pack) return;
    if (pack->map) munmap((void *)pack->map, pack->bytes);
    slb_free(pack->path);
    slb_free((void *)pack->checked);
    slb_free(pack);
}

uint64_t slb_pack_count(const SlbPack *pack)
{
    return pack->count;
}

SlbStatus slb_pack_check(SlbPack *pack, uint64_t i, SlbError *err)
{
    if (atomic_load_explicit(&pack->checked[i], memory_order_relaxed)) return SLB_OK;
    SlbPacked p = slb_pack_at(pack, i);
    size_t bytes = (size_t)p.width * p.height * p.channels;
    if ((uint32_t)crc32_z(0, p.samples, bytes) != p.crc)
        return slb_fail(err, SLB_E_INPUT,
                        "%s: picture %llu is damaged (its checksum differs); make the file anew",
                        pack->path, (unsigned long long)i);
    atomic_store_explicit(&pack->checked[i], 1, memory_order_relaxed);
    slb_pack_touched(pack, bytes);
    return SLB_OK;
}

/* Dropped pages are still in the system's cache, and a thread that is reading one just maps it
 * again. */
void slb_pack_touched(SlbPack *pack, uint64_t bytes)
{
    uint64_t before = atomic_fetch_add(&pack->touched, bytes);
    if ((before + bytes) / RESIDENT_BYTES != before / RESIDENT_BYTES)
        (void)!madvise((void *)pack->map, pack->bytes, MADV_DONTNEED);
}
