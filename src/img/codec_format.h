/* What a picture format gives to codec.c, and what it gets. For the codec_*.c files alone. */
#ifndef SLBSR_IMG_CODEC_FORMAT_H
#define SLBSR_IMG_CODEC_FORMAT_H

#include <stdio.h>

#include "base/io.h"
#include "img/codec.h"

enum {
    SLB_KEEPS_BLOCKS = 1,   /* ICC, EXIF, XMP and density */
    SLB_KEEPS_PNG_OWN = 2,  /* srgb, gamma and chroma, texts */
    SLB_KEEPS_JPEG_OWN = 4, /* IPTC, comments */
};

typedef struct SlbFormat {
    const char *name;       /* for messages: "PNG" */
    const char *extensions; /* without dots, "|" between them */
    int channels;           /* the most that can be written; 0: the format is read only */
    int depth;              /* the most that can be written */
    unsigned keeps;         /* SLB_KEEPS_*: the metadata that can be written */
    bool whole;             /* written at the end, from memory */
    uint64_t max_side;      /* the largest width or height that can be written */
    uint64_t max_bytes;     /* 4 for each pixel and row; 0: as many as there are */

    /* NULL when the format is written only. True when the first bytes of a file are of this
     * format. */
    bool (*sniff)(const unsigned char *head, size_t bytes);
    /* Reads the header: fills reader->info and meta, keeps what it needs in reader->state. The
     * file stands at its beginning. On failure and at the end codec.c calls read_close. */
    SlbStatus (*read_open)(SlbReader *reader, SlbError *err);
    /* rows <= what is left. Must see damage up to the end of the file with the last row. */
    SlbStatus (*read_rows)(SlbReader *reader, unsigned char *out, size_t stride_bytes,
                           uint32_t rows, SlbError *err);
    void (*read_close)(SlbReader *reader); /* safe when state is NULL */

    /* Takes out of *meta what cannot be written of it beside such a picture, and notes that; NULL:
     * `keeps` says all. */
    void (*fit_meta)(const SlbImageInfo *info, SlbMeta *meta);
    /* As for reading. info and meta fit the format and the file is open. */
    SlbStatus (*write_open)(SlbWriter *writer, SlbError *err);
    SlbStatus (*write_rows)(SlbWriter *writer, const unsigned char *in, size_t stride_bytes,
                            uint32_t rows, SlbError *err);
    SlbStatus (*write_end)(SlbWriter *writer, SlbError *err); /* all rows are written */
    void (*write_close)(SlbWriter *writer);                   /* safe when state is NULL */
} SlbFormat;

extern const SlbFormat slb_format_png, slb_format_jpeg, slb_format_pnm, slb_format_pgm,
    slb_format_ppm, slb_format_pam, slb_format_bmp, slb_format_tga;

/* The format of `path`, or that of `options` (NULL is allowed), where it can be written; else NULL.
 */
const SlbFormat *slb_format_to_write(const char *path, const SlbWriteOptions *options);

struct SlbReader {
    const SlbFormat *format;
    char *path;
    FILE *file;
    SlbImageInfo info;
    int orientation; /* 1..8; 0: none is told. EXIF's is the format's to read, XMP's codec.c's */
    uint64_t max_pixels;
    bool limit_given;    /* by SlbReadLimits */
    uint64_t meta_bytes; /* of SlbReadLimits; UINT64_MAX: none is given */
    uint64_t held_bytes; /* slb_reader_bytes; set by read_open */
    SlbMeta meta;
    uint32_t row; /* rows given out so far */
    void *state;  /* of the format */
};

struct SlbWriter {
    const SlbFormat *format;
    SlbOutput output;
    SlbImageInfo info;
    SlbWriteOptions options; /* with the defaults filled in */
    SlbMeta meta; /* the blocks are the caller's; for write_open alone, but for the note */
    uint32_t row; /* rows taken so far */
    void *state;  /* of the format */
};

/* "FILE: damaged PNG file: WHY; ..." */
SlbStatus slb_read_damaged(const SlbReader *reader, const char *why, SlbError *err);

/* For metadata that take more than reader->meta_bytes: SLB_E_MEMORY. */
SlbStatus slb_read_meta_large(const SlbReader *reader, SlbError *err);

/* Checks the size in a header against zero and against the limit, and fills reader->info. */
SlbStatus slb_read_size(SlbReader *reader, uint64_t width, uint64_t height, int channels, int depth,
                        SlbError *err);

/* Takes a block of EXIF, from its TIFF header on, and the orientation in it; the first one counts.
 */
SlbStatus slb_read_exif(SlbReader *reader, const void *exif, size_t bytes, SlbError *err);

/* The next byte behind a picture that has been read; EOF: there is none. A pipe is waited for but a
 * moment: who feeds it may want the result first. */
int slb_read_behind(FILE *file);

/* "FILE: cannot be written: WHY" with the system's reason where there is one, else `why`. */
SlbStatus slb_write_failed(const SlbWriter *writer, int system_error, const char *why,
                           SlbError *err);

#endif
