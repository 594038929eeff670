#include "img/iptc.h"

#include <string.h>

static const char name[] = "Photoshop 3.0";               /* with its zero byte */
static const char records[] = {'8', 'B', 'I', 'M', 4, 4}; /* what their resource begins with */

enum { MARK = 4 /* bytes of "8BIM" */, NAMELESS = 2 /* bytes of an empty name */ };

static size_t read_size(const unsigned char *p)
{
    size_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 8 | p[i];
    return value;
}

/* A resource: "8BIM", its number (2 bytes), a name behind its length (both together even), the size
 * of the data (4), the data, padded to an even size. */
SlbStatus slb_iptc_read(const unsigned char *segment, size_t bytes, SlbBlock *iptc, SlbError *err)
{
    size_t at = sizeof name;
    if (bytes < at || memcmp(segment, name, at) != 0) return SLB_OK;
    while (bytes - at >= 12 && memcmp(segment + at, records, MARK) == 0) {
        bool wanted = memcmp(segment + at, records, sizeof records) == 0;
        size_t named = ((size_t)segment[at + 6] + 2) & ~(size_t)1;
        if (bytes - at < 6 + named + 4) return SLB_OK;
        at += 6 + named + 4;
        size_t size = read_size(segment + at - 4);
        if (size > bytes - at) return SLB_OK;
        if (wanted && size) return slb_block_set(iptc, segment + at, size, err);
        size += size % 2;
        if (size > bytes - at) return SLB_OK;
        at += size;
    }
    return SLB_OK;
}

bool slb_iptc_is_there(const unsigned char *segment, size_t bytes)
{
    return memmem(segment, bytes, records, sizeof records) != NULL;
}

void slb_iptc_head(size_t iptc_bytes, unsigned char head[SLB_IPTC_HEAD])
{
    size_t at = sizeof name;
    memset(head, 0, SLB_IPTC_HEAD);
    memcpy(head, name, at);
    memcpy(head + at, records, sizeof records);
    at += sizeof records + NAMELESS;
    for (int i = 0; i < 4; i++) head[at++] = (unsigned char)(iptc_bytes >> (24 - 8 * i));
}
