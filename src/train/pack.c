#include "train/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/pack_format.h"

/* Pages of so many bytes may be resident before they are given back. */
#define RESIDENT_BYTES ((uint64_t)512 << 20)

struct SlbPack {
    char *path;
    const uint8_t *map;
    size_t bytes;
    uint64_t count, tiles;
    uint64_t *first_tile;  /* [count] */
    atomic_uchar *checked; /* [tiles] */
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
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* no stream: it could fail for want of memory */
    if (fd < 0) return false;
    ssize_t n = read(fd, magic, SLB_PACK_FAMILY);
    close(fd);
    return n == SLB_PACK_FAMILY && memcmp(magic, SLB_PACK_MAGIC, (size_t)n) == 0;
}

SlbPacked slb_pack_at(const SlbPack *pack, uint64_t i)
{
    const uint8_t *entry = pack->map + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
    return (SlbPacked){.width = (uint32_t)get(entry, 4),
                       .height = (uint32_t)get(entry + 4, 4),
                       .channels = (uint32_t)get(entry + 8, 4),
                       .samples = pack->map + get(entry + 16, 8)};
}

/* Counts the tiles; false when the file cannot have so many. */
static bool count_tiles(SlbPack *pack)
{
    for (uint64_t i = 0; i < pack->count; i++) {
        const uint8_t *entry = pack->map + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
        pack->first_tile[i] = pack->tiles;
        pack->tiles += slb_pack_tiles((uint32_t)get(entry, 4), (uint32_t)get(entry + 4, 4));
        if (pack->tiles > pack->bytes / SLB_PACK_CRC) return false;
    }
    return true;
}

/* Sizes and offsets against each other and the file; samples must follow each other without gaps.
 */
static bool valid(const SlbPack *pack)
{
    uint64_t entries = SLB_PACK_HEADER + pack->count * SLB_PACK_ENTRY;
    if (pack->tiles > (pack->bytes - entries) / SLB_PACK_CRC) return false;
    uint64_t at = entries + pack->tiles * SLB_PACK_CRC;
    uint32_t crc = (uint32_t)crc32_z(0, pack->map + SLB_PACK_HEADER, at - SLB_PACK_HEADER);
    if (crc != get(pack->map + 16, 4)) return false;
    for (uint64_t i = 0; i < pack->count; i++) {
        const uint8_t *entry = pack->map + SLB_PACK_HEADER + i * SLB_PACK_ENTRY;
        if (get(entry + 16, 8) != at) return false; /* before a pointer is made of it */
        SlbPacked p = slb_pack_at(pack, i);
        if ((p.channels != 1 && p.channels != 3) || !p.width || !p.height) return false;
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
        SlbStatus s = slb_fail_system(err, SLB_E_INPUT, path, "cannot be opened");
        if (fd >= 0) close(fd);
        return s;
    }
    pack->bytes = (size_t)st.st_size;
    void *map = pack->bytes ? mmap(NULL, pack->bytes, PROT_READ, MAP_SHARED, fd, 0) : NULL;
    SlbStatus s = SLB_OK;
    if (!pack->bytes)
        s = slb_fail(err, SLB_E_INPUT, "%s: cannot be mapped: it is empty", path);
    else if (map == MAP_FAILED)
        s = slb_fail_system(err, SLB_E_INPUT, path, "cannot be mapped");
    else
        pack->map = map;
    close(fd);
    return s;
}

/* The number of pictures and room for what is kept about them; `damaged` when the file has no room
 * for so many. */
static SlbStatus read_header(SlbPack *pack, const char *path, bool *damaged, SlbError *err)
{
    *damaged = pack->bytes < SLB_PACK_HEADER;
    if (!*damaged) pack->count = get(pack->map + 8, 8);
    if (pack->count < 1 || pack->count > (pack->bytes - SLB_PACK_HEADER) / SLB_PACK_ENTRY)
        *damaged = true;
    if (*damaged) return SLB_OK;
    if (memcmp(pack->map, SLB_PACK_MAGIC, sizeof SLB_PACK_MAGIC - 1) != 0)
        return slb_fail(err, SLB_E_INPUT,
                        "%s: is no pack file of this version; make it anew with 'slbsr pack'",
                        path);
    size_t length = strlen(path) + 1;
    pack->path = slb_alloc(length, 1);
    pack->first_tile = slb_calloc(pack->count, sizeof *pack->first_tile);
    if (!pack->path || !pack->first_tile) return slb_fail_memory(err, path);
    memcpy(pack->path, path, length);
    *damaged = !count_tiles(pack);
    return SLB_OK;
}

SlbStatus slb_pack_open(const char *path, SlbPack **out, SlbError *err)
{
    bool damaged = false;
    SlbPack *pack = slb_calloc(1, sizeof *pack);
    if (!pack) return slb_fail_memory(err, path);
    SlbStatus s = map_file(pack, path, err);
    if (s == SLB_OK) s = read_header(pack, path, &damaged, err);
    if (s == SLB_OK && (damaged || !valid(pack)))
        s = slb_fail(err, SLB_E_INPUT, "%s: is a damaged pack file; make it anew", path);
    if (s == SLB_OK) {
        pack->checked = slb_calloc(pack->tiles, sizeof *pack->checked);
        if (!pack->checked) s = slb_fail_memory(err, path);
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
    slb_free(pack->first_tile);
    slb_free((void *)pack->checked);
    slb_free(pack);
}

uint64_t slb_pack_count(const SlbPack *pack)
{
    return pack->count;
}

/* The rows of the window and of its tiles, in pieces: the system reads no more than so much ahead
 * at a time. */
void slb_pack_expect(const SlbPack *pack, const SlbPackWindow *window)
{
    const size_t piece = 128 << 10;
    SlbPacked p = slb_pack_at(pack, window->i);
    uint64_t first = window->y / SLB_PACK_TILE * SLB_PACK_TILE;
    uint64_t end = slb_pack_across(window->y + window->height) * SLB_PACK_TILE;
    size_t row = (size_t)p.width * p.channels, offset = (size_t)(p.samples - pack->map);
    size_t from = (offset + first * row) / piece * piece;
    size_t to = offset + (end < p.height ? end : p.height) * row;
    for (; from < to; from += piece)
        (void)!madvise((void *)(pack->map + from), to - from < piece ? to - from : piece,
                       MADV_WILLNEED);
}

static SlbStatus check_tile(SlbPack *pack, uint64_t i, uint64_t tile, SlbError *err)
{
    uint64_t number = pack->first_tile[i] + tile;
    atomic_uchar *checked = &pack->checked[number];
    if (atomic_load_explicit(checked, memory_order_relaxed)) return SLB_OK;
    SlbPacked p = slb_pack_at(pack, i);
    const uint8_t *sums = pack->map + SLB_PACK_HEADER + pack->count * SLB_PACK_ENTRY;
    if (slb_pack_crc(p.samples, p.width, p.height, p.channels, tile) !=
        get(sums + number * SLB_PACK_CRC, SLB_PACK_CRC))
        return slb_fail(err, SLB_E_INPUT,
                        "%s: picture %llu is damaged (its checksum differs); make the file anew",
                        pack->path, (unsigned long long)i);
    atomic_store_explicit(checked, 1, memory_order_relaxed);
    slb_pack_touched(pack, (uint64_t)SLB_PACK_TILE * p.width * p.channels); /* whole pages */
    return SLB_OK;
}

SlbStatus slb_pack_check(SlbPack *pack, const SlbPackWindow *w, SlbError *err)
{
    uint64_t across = slb_pack_across(slb_pack_at(pack, w->i).width);
    uint64_t right = slb_pack_across(w->x + w->width), low = slb_pack_across(w->y + w->height);
    SlbStatus s = SLB_OK;
    for (uint64_t y = w->y / SLB_PACK_TILE; y < low; y++)
        for (uint64_t x = w->x / SLB_PACK_TILE; s == SLB_OK && x < right; x++)
            s = check_tile(pack, w->i, y * across + x, err);
    return s;
}

/* Dropped pages are still in the system's cache, and a thread that is reading one just maps it
 * again. */
void slb_pack_touched(SlbPack *pack, uint64_t bytes)
{
    uint64_t before = atomic_fetch_add(&pack->touched, bytes);
    if ((before + bytes) / RESIDENT_BYTES != before / RESIDENT_BYTES)
        (void)!madvise((void *)pack->map, pack->bytes, MADV_DONTNEED);
}
