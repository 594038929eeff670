/* Reading and writing picture files, row by row; the format of an input is told by its content,
 * that of an output by its extension. To add a format: one codec_*.c and one row in the table of
 * codec.c. */
#ifndef SLBSR_IMG_CODEC_H
#define SLBSR_IMG_CODEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "img/image.h"

typedef struct SlbReadLimits {
    uint64_t max_pixels; /* width * height; 0: the default, 2^30 */
    /* Memory that opening may take for metadata, with the copies of large blocks that are made on
     * the way, and for a PNG from a pipe where no temporary file can be made. What needs more is
     * refused, SLB_E_MEMORY. 0: as much as the decoders allow; what is beyond that is left out with
     * a note. */
    uint64_t meta_bytes;
} SlbReadLimits;

typedef struct SlbWriteOptions {
    bool overwrite;
    bool strip;       /* without EXIF, XMP, IPTC, texts and comments */
    int jpeg_quality; /* 1..100; 0: the default, 95 (4:4:4) */
    int png_level;    /* zlib level 1..9; 0: the default, 4 (6: 3 % smaller, 2.4 times the time) */
    const char *format; /* to write, as an extension says it, in any case; NULL: that of the path */
} SlbWriteOptions;

typedef struct SlbReader SlbReader;

/* Opens a PNG, JPEG or PNM file ("-": standard input) and reads its header. SLB_E_INPUT when the
 * file is missing, is no picture, is damaged, is empty (0x0) or exceeds the limits (limits may be
 * NULL). On success the caller closes *reader. */
SLB_MUST_CHECK SlbStatus slb_reader_open(const char *path, const SlbReadLimits *limits,
                                         SlbReader **reader, SlbError *err);
/* The same for a file that is open and stands at its beginning, which may be a pipe; `path` is for
 * messages. The file is the reader's from now on, on failure too. A PNG from a pipe is copied into
 * a file without a name in $TMPDIR (/tmp) first, up to its end: SLB_E_OUTPUT when there is no room
 * for it. */
SLB_MUST_CHECK SlbStatus slb_reader_open_file(FILE *file, const char *path,
                                              const SlbReadLimits *limits, SlbReader **reader,
                                              SlbError *err);
/* Opens `path` for reading, "-" is standard input, and puts its first bytes (fewer where it is
 * shorter; *bytes says how many) into `head`; they are read once more from *file, which the caller
 * closes. SLB_E_INPUT, also for a folder, and for a terminal as standard input. */
enum { SLB_HEAD_BYTES = 8 };
SLB_MUST_CHECK SlbStatus slb_open_head(const char *path, FILE **file,
                                       unsigned char head[SLB_HEAD_BYTES], size_t *bytes,
                                       SlbError *err);
/* What messages call an input: "standard input" for "-", else the path. */
const char *slb_input_name(const char *path);
/* What its format is called: "PNG", "JPEG", "PNM"; SlbWriteOptions.format takes it. */
const char *slb_reader_format(const SlbReader *reader);
const SlbImageInfo *slb_reader_info(const SlbReader *reader);
/* What it brings along; owned by the reader. A PNG may have some of it behind its pixels: that is
 * known from the start, too. */
const SlbMeta *slb_reader_meta(const SlbReader *reader);
/* How the stored rows have to be turned to stand upright, as EXIF has it or, where that tells none,
 * XMP: 1 (as is) to 8. */
int slb_reader_orientation(const SlbReader *reader);
/* slb_reader_info of the picture when it stands upright: width and height change places where the
 * rows have to be turned by 90 degrees. */
SlbImageInfo slb_reader_upright(const SlbReader *reader);
/* Bytes that reading holds beyond a few rows: none where rows are decoded as they are asked for,
 * all of the picture where its file has them in passes (interlaced PNG, progressive JPEG). */
uint64_t slb_reader_bytes(const SlbReader *reader);
/* The next `rows` rows as they are stored, top to bottom. Asking for more than are left is
 * SLB_E_USAGE. A truncated or corrupted file is SLB_E_INPUT: half a picture is never given out as a
 * whole one. */
SLB_MUST_CHECK SlbStatus slb_reader_rows(SlbReader *reader, void *rows_out, size_t stride_bytes,
                                         uint32_t rows, SlbError *err);
void slb_reader_close(SlbReader *reader); /* NULL is allowed */

typedef struct SlbWriter SlbWriter;

/* Writes `meta` as far as the format can hold it (slb_writer_note tells what not); it may be NULL
 * and is used here alone. Checks that the extension of `path` is one of a format that can be
 * written (png, jpg, jpeg, jpe, pnm, pgm, ppm, pam, bmp, tga) and can hold `info`; opens a
 * temporary file beside it; "-" is standard output (base/io.h). JPEG and BMP have no alpha and 8
 * bits only: `info` must fit already (SLB_E_OUTPUT otherwise, with what to do); see
 * slb_format_fits. */
SLB_MUST_CHECK SlbStatus slb_writer_open(const char *path, const SlbImageInfo *info,
                                         const SlbMeta *meta, const SlbWriteOptions *options,
                                         SlbWriter **writer, SlbError *err);
/* All that slb_writer_open checks but for the file itself, which is not touched. `note` gets what
 * slb_writer_note would say, but for an ICC profile that the format's library finds faulty. */
SLB_MUST_CHECK SlbStatus slb_writer_check(const char *path, const SlbImageInfo *info,
                                          const SlbMeta *meta, const SlbWriteOptions *options,
                                          char note[SLB_NOTE_BYTES], SlbError *err);
/* What of the metadata was left out and why, for the user; "" when nothing. */
const char *slb_writer_note(const SlbWriter *writer);
SLB_MUST_CHECK SlbStatus slb_writer_rows(SlbWriter *writer, const void *rows_in,
                                         size_t stride_bytes, uint32_t rows, SlbError *err);
/* Completes the file under its final name (base/io.h); frees the writer in any case. Fewer rows
 * than info->height is SLB_E_USAGE and leaves no file. */
SLB_MUST_CHECK SlbStatus slb_writer_finish(SlbWriter *writer, SlbError *err);
void slb_writer_abort(SlbWriter *writer); /* leaves no file; NULL is allowed */

/* Reduces *info to what the format of `path`, or that of `options` (NULL is allowed), can hold:
 * channels without alpha, depth 8. False when the extension is unknown. */
bool slb_format_fits(const char *path, const SlbWriteOptions *options, SlbImageInfo *info);

/* Bytes that writing such a file holds beyond a few rows: none but for BMP and TGA. */
uint64_t slb_writer_bytes(const char *path, const SlbWriteOptions *options,
                          const SlbImageInfo *info);

/* The format that a file begins like, as the extension to write it by: "png", "pam", "y4m", ...;
 * NULL: none that is read here. `bytes` as slb_open_head gives them. */
const char *slb_head_extension(const unsigned char *head, size_t bytes);

/* Extensions of the formats that are read, for slb_list_folder: "png|jpg|...". */
extern const char *const slb_read_extensions;

/* Whole pictures, on top of the above. The image is the caller's to free. It stands upright: the
 * orientation is applied already, to its metadata too. */
SLB_MUST_CHECK SlbStatus slb_image_load(const char *path, const SlbReadLimits *limits,
                                        SlbImage *image, SlbError *err);
/* The same from a reader of which no row has been taken; the caller still closes it. */
SLB_MUST_CHECK SlbStatus slb_image_read(SlbReader *reader, SlbImage *image, SlbError *err);
/* Alpha is dropped (composited on white) and 16 bits are rounded to 8 where the format needs it. */
SLB_MUST_CHECK SlbStatus slb_image_save(const char *path, const SlbImage *image,
                                        const SlbWriteOptions *options, SlbError *err);
/* The same; `note` gets what slb_writer_note says. Where the writer could not be opened, it stays
 * as it is. */
SLB_MUST_CHECK SlbStatus slb_image_save_noting(const char *path, const SlbImage *image,
                                               const SlbWriteOptions *options,
                                               char note[SLB_NOTE_BYTES], SlbError *err);

/* A PNG file in memory, compressed as far as it goes, without the ICC profile: *bytes bytes at
 * *data, which the caller frees with free(). SLB_E_MEMORY, with nothing to free. */
SLB_MUST_CHECK SlbStatus slb_image_to_png(const SlbImage *image, unsigned char **data,
                                          size_t *bytes, SlbError *err);

#endif
