/* PNG. Every chunk gets the right checksum first: otherwise hardly an input came past the first. */
#include <zlib.h>

#include "fuzz/fuzz_picture.h"

static void put(uint8_t *at, unsigned long value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void mend_checksums(uint8_t *png, size_t bytes)
{
    for (size_t at = 8; bytes >= at + 12;) {
        const uint8_t *p = png + at;
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > bytes - at - 12) return;
        put(png + at + 8 + length, crc32(0, p + 4, (unsigned)length + 4));
        at += 12 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *png = malloc(bytes + 1);
    fuzz_want(png != NULL, "no memory");
    if (bytes) memcpy(png, data, bytes);
    mend_checksums(png, bytes);
    fuzz_picture(png, bytes);
    free(png);
    return 0;
}
