/* What a picture brings along besides its pixels: colour profile, EXIF, XMP, IPTC, density. */
#ifndef SLBSR_IMG_META_H
#define SLBSR_IMG_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The largest block that is kept, and the most that a JPEG's are together; what is larger is left
 * out or, where the decoder wants it, refused, before memory is taken for it. */
enum { SLB_META_LIMIT = 16 << 20 };

typedef struct SlbBlock {
    unsigned char *data; /* slb_alloc, or NULL: there is none; a zero byte stands behind */
    size_t bytes;
} SlbBlock;

typedef enum SlbDensityUnit {
    SLB_DENSITY_NONE,   /* not told */
    SLB_DENSITY_ASPECT, /* only the ratio of x and y counts */
    SLB_DENSITY_METRE,  /* pixels a metre */
} SlbDensityUnit;

enum { SLB_NOTE_BYTES = 512 }; /* room for some notes */

typedef struct SlbMeta {
    SlbBlock icc;   /* ICC profile */
    SlbBlock exif;  /* from its TIFF header ("II" or "MM") on */
    SlbBlock xmp;   /* the packet, text in UTF-8 */
    SlbBlock texts; /* of a PNG, for a PNG (codec_png_text.h) */
    /* Of a JPEG, for a JPEG: IPTC records (iptc.h); comments, with a line's end between them. */
    SlbBlock iptc, comment;
    SlbDensityUnit density_unit;
    double density_x, density_y;
    /* PNG's ways to tell colours without a profile: no other format has them. */
    int srgb;       /* sRGB: rendering intent + 1; 0: none */
    uint32_t gamma; /* gAMA, times 100000; 0: none */
    bool has_chroma;
    int32_t chroma[8]; /* cHRM, times 100000: x and y of white, red, green, blue */
    bool has_cicp;
    uint8_t cicp[4]; /* cICP, which stands above all others: primaries, transfer, matrix, range */
    bool has_mastering, has_light;
    uint8_t mastering[24], light[8]; /* mDCV and cLLI beside it, as they are in the file */
    /* What of the file could not be taken over as it is, for the user; "" when nothing. */
    char note[SLB_NOTE_BYTES];
} SlbMeta;

/* Makes *block a copy of `bytes` bytes. SLB_E_MEMORY, with *block empty. */
SLB_MUST_CHECK SlbStatus slb_block_set(SlbBlock *block, const void *data, size_t bytes,
                                       SlbError *err);

/* Adds to meta->note, which stays fit for a terminal (slb_clean); printf-style. */
void slb_meta_note(SlbMeta *meta, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How a picture was changed: first turned upright, then resized. */
typedef struct SlbMetaChange {
    int orientation;         /* the one that was applied to the pixels (img/exif.h); 1: none */
    double scale_x, scale_y; /* by what the upright picture was enlarged */
    uint32_t width, height;  /* of the result */
} SlbMetaChange;

/* The density as two whole numbers, 1 to `most`, of the same ratio or the nearest to it: for files
 * where it is no more than that (SLB_DENSITY_ASPECT). */
void slb_density_aspect(const SlbMeta *meta, uint32_t most, uint32_t *x, uint32_t *y);

/* The orientation, 1..8, that XMP has as tiff:Orientation, an attribute or an element; 0: none. */
int slb_xmp_orientation(const SlbBlock *xmp);

/* The metadata of a changed picture: densities (PNG's and JFIF's, EXIF's, XMP's) grow with the
 * scale, but for a mere ratio, which changes where the picture's shape does, sizes in EXIF and XMP
 * are set, the subject in EXIF stays where it is, and XMP tells no more of films and gain maps that
 * stood behind the picture. If the picture was turned, orientations in them become 1, and the
 * thumbnail goes; else they stay, since nothing was done about them. The note is not taken over.
 * *out is the caller's (slb_meta_free); empty on SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_meta_derive(const SlbMeta *in, const SlbMetaChange *change,
                                         SlbMeta *out, SlbError *err);

/* Bytes of all its blocks. */
uint64_t slb_meta_bytes(const SlbMeta *meta);

/* Frees the blocks and zeroes *meta. */
void slb_meta_free(SlbMeta *meta);

#endif
