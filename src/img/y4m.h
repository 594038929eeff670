/* Uncompressed video as programs pipe it to each other: YUV4MPEG2 (mjpegtools, yuv4mpeg(5)). Read
 * and written here: progressive, 8 to 16 bits a sample, 4:2:0, 4:2:2, 4:4:4 and luma alone. */
#ifndef SLBSR_IMG_Y4M_H
#define SLBSR_IMG_Y4M_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/* True when a file that begins with these bytes, 8 of them or more, is such a video. */
bool slb_is_y4m(const unsigned char *head, size_t bytes);

enum { SLB_Y4M_LINE = 1024 }; /* most bytes of a header line, its newline among them */

typedef struct SlbVideoInfo {
    uint32_t width, height; /* of luma, pixels, at least 1 */
    int depth;              /* bits of a sample, 8..16 */
    int planes;             /* 1: luma; 3: Y, Cb, Cr */
    int shift_x, shift_y;   /* chroma has so many times half the samples of luma, rounded up */
    /* Where chroma samples lie, from the left and upper border, in chroma samples: 0.5 in the
     * middle between the luma samples they go with, 0.25 on the first of two. */
    double site_x, site_y;
    bool full_range; /* luma is 0..255 (in 8 bits), else 16..235 */
} SlbVideoInfo;

/* Samples of plane p, 0 or above it, in a row and in a column. */
static inline uint32_t slb_plane_width(const SlbVideoInfo *info, int p)
{
    return p ? (info->width + ((1u << info->shift_x) - 1)) >> info->shift_x : info->width;
}
static inline uint32_t slb_plane_height(const SlbVideoInfo *info, int p)
{
    return p ? (info->height + ((1u << info->shift_y) - 1)) >> info->shift_y : info->height;
}

typedef struct SlbFrame {
    unsigned char *plane[3]; /* owned; contiguous rows of uint8_t or, above 8 bits, uint16_t in the
                                machine's byte order */
    char parameters[SLB_Y4M_LINE]; /* what stands behind "FRAME": "" or " Ip ..." */
} SlbFrame;

/* Makes room for the planes of such a video. SLB_E_MEMORY, with nothing to free. */
SLB_MUST_CHECK SlbStatus slb_frame_alloc(SlbFrame *frame, const SlbVideoInfo *info, SlbError *err);
void slb_frame_free(SlbFrame *frame); /* safe on a zeroed frame */

/* Bytes that slb_frame_alloc takes. */
uint64_t slb_frame_bytes(const SlbVideoInfo *info);

typedef struct SlbVideoReader SlbVideoReader;

/* Reads the header of `file`, which stands at its beginning and is the reader's from now on, on
 * failure too; `path` is for messages. Chroma is what C says, where there is none XYSCSS= as older
 * programs have it, and 420jpeg without either; of 420 the words jpeg (in the middle), mpeg2 (left)
 * and paldv (top left) say where samples lie; of more than 8 bits it is left, as in ffmpeg. Range
 * is limited unless XCOLORRANGE=FULL says other. SLB_E_INPUT for what is damaged, interlaced or of
 * another kind, and for more than `max_pixels` (0: 2^30) of them. */
SLB_MUST_CHECK SlbStatus slb_video_open(FILE *file, const char *path, uint64_t max_pixels,
                                        SlbVideoReader **reader, SlbError *err);
const SlbVideoInfo *slb_video_info(const SlbVideoReader *reader);

/* The next frame into one of slb_frame_alloc; *end: there is none, and `frame` is untouched.
 * Samples beyond the depth become the largest. SLB_E_INPUT, naming the frame, for one that is cut
 * short. */
SLB_MUST_CHECK SlbStatus slb_video_read(SlbVideoReader *reader, SlbFrame *frame, bool *end,
                                        SlbError *err);
void slb_video_close(SlbVideoReader *reader); /* NULL is allowed */

typedef struct SlbVideoWriter SlbVideoWriter;

/* Opens `path` ("-": standard output) for video that is like that of `like`, header and all, but of
 * another size. Errors as those of slb_output_open; SLB_E_INPUT when a header of SLB_Y4M_LINE bytes
 * has no room for the size. */
SLB_MUST_CHECK SlbStatus slb_video_create(const char *path, bool overwrite,
                                          const SlbVideoReader *like, uint32_t width,
                                          uint32_t height, SlbVideoWriter **writer, SlbError *err);
const SlbVideoInfo *slb_video_writer_info(const SlbVideoWriter *writer);
SLB_MUST_CHECK SlbStatus slb_video_write(SlbVideoWriter *writer, const SlbFrame *frame,
                                         SlbError *err);
/* Completes the file; frees the writer in any case. */
SLB_MUST_CHECK SlbStatus slb_video_finish(SlbVideoWriter *writer, SlbError *err);
void slb_video_abort(SlbVideoWriter *writer); /* NULL is allowed */

#endif
