/* For the targets of picture formats: reads a whole picture, as every command does, through a pipe
 * and piece by piece too, and what was read once more after it was written. */
#ifndef SLBSR_TESTS_FUZZ_FUZZ_PICTURE_H
#define SLBSR_TESTS_FUZZ_FUZZ_PICTURE_H

#include <fcntl.h>
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "img/codec.h"

enum { FUZZ_PIXELS = 1 << 16, FUZZ_WRITTEN = 1 << 12 /* pixels, at most, of what is written */ };

static const SlbReadLimits fuzz_limits = {.max_pixels = FUZZ_PIXELS};

static inline unsigned fuzz_sum_rows(const unsigned char *rows, size_t stride_bytes,
                                     const SlbImageInfo *info, uint32_t count)
{
    unsigned sum = 0;
    for (size_t y = 0; y < count; y++)
        for (size_t i = 0; i < slb_row_bytes(info); i++) sum += rows[y * stride_bytes + i];
    return sum;
}

/* Adds up all samples, so that a memory checker sees those that were never written. */
static inline unsigned fuzz_sum(const SlbImage *image)
{
    return fuzz_sum_rows(image->data, image->stride_bytes, &image->info, image->info.height);
}

static inline void fuzz_put_u32(uint8_t *at, unsigned long value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Gives every chunk of a PNG the right checksum: otherwise hardly an input came past the first. */
static inline void fuzz_mend_png(uint8_t *png, size_t bytes)
{
    for (size_t at = 8; bytes >= at + 12;) {
        const uint8_t *p = png + at;
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > bytes - at - 12) return;
        fuzz_put_u32(png + at + 8 + length, crc32(0, p + 4, (unsigned)length + 4));
        at += 12 + length;
    }
}

/* A pipe that holds these bytes; NULL when they are too many for it. */
static inline FILE *fuzz_pipe(const uint8_t *data, size_t bytes)
{
    int ends[2];
    fuzz_want(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "no pipe");
    bool fits = !bytes || write(ends[1], data, bytes) == (ssize_t)bytes;
    close(ends[1]);
    FILE *file = fits ? fdopen(ends[0], "rb") : NULL;
    if (!file) close(ends[0]);
    return file;
}

/* The picture that came from a file, or its failure, must come from a pipe too. */
static inline void fuzz_from_pipe(FILE *file, const SlbImage *image, SlbStatus expected)
{
    SlbReader *reader;
    SlbImage piped = {0};
    SlbError err = {0};
    SlbStatus status = slb_reader_open_file(file, "fuzz", &fuzz_limits, &reader, &err);
    if (status == SLB_OK) {
        status = slb_image_read(reader, &piped, &err);
        slb_reader_close(reader);
    }
    fuzz_want(status == expected, "another status from a pipe");
    if (status != SLB_OK) return;
    fuzz_want(fuzz_sum(&piped) == fuzz_sum(image), "another picture from a pipe");
    fuzz_want(strcmp(piped.meta.note, image->meta.note) == 0 &&
                  piped.meta.exif.bytes == image->meta.exif.bytes &&
                  piped.meta.xmp.bytes == image->meta.xmp.bytes &&
                  piped.meta.icc.bytes == image->meta.icc.bytes &&
                  piped.meta.texts.bytes == image->meta.texts.bytes,
              "other metadata from a pipe");
    slb_image_free(&piped);
}

/* Takes the rows by one, two, three and so on, up to row `end` or the last, and closes. */
static inline SlbStatus fuzz_pieces(const char *path, uint32_t end, unsigned *sum)
{
    SlbReader *reader;
    SlbError err = {0};
    SlbStatus status = slb_reader_open(path, &fuzz_limits, &reader, &err);
    if (status != SLB_OK) return status;
    const SlbImageInfo *info = slb_reader_info(reader);
    size_t row_bytes = slb_row_bytes(info);
    uint32_t height = end < info->height ? end : info->height, count = 1;
    for (uint32_t y = 0; status == SLB_OK && y < height; y += count++) {
        if (count > height - y) count = height - y;
        unsigned char *rows = malloc(count * row_bytes);
        fuzz_want(rows != NULL, "no memory");
        status = slb_reader_rows(reader, rows, row_bytes, count, &err);
        if (status == SLB_OK) *sum += fuzz_sum_rows(rows, row_bytes, info, count);
        free(rows);
    }
    slb_reader_close(reader);
    return status;
}

/* Writes the picture into a file in memory; returns its path. */
static inline const char *fuzz_save(const SlbImage *image, const char *format, char *note)
{
    const SlbWriteOptions how = {.format = format, .png_level = 1};
    SlbError err = {0};
    int before = fuzz_catch();
    SlbStatus status = slb_image_save_noting("-", image, &how, note, &err);
    const char *path = fuzz_caught(before);
    fuzz_status(status, SLB_OK, &err);
    return path;
}

static inline bool fuzz_same_samples(const SlbImage *a, const SlbImage *b)
{
    if (memcmp(&a->info, &b->info, sizeof a->info) != 0) return false;
    for (size_t y = 0; y < a->info.height; y++)
        if (memcmp(a->data + y * a->stride_bytes, b->data + y * b->stride_bytes,
                   slb_row_bytes(&a->info)) != 0)
            return false;
    return true;
}

static inline void fuzz_write(const SlbImage *image)
{
    char note[SLB_NOTE_BYTES];
    SlbImage again;
    SlbError err = {0};
    const char *path = fuzz_save(image, "png", note);
    fuzz_status(slb_image_load(path, &fuzz_limits, &again, &err), SLB_OK, &err);
    fuzz_want(fuzz_same_samples(image, &again), "a PNG with other samples");
    slb_image_free(&again);
    path = fuzz_save(image, "jpg", note);
    fuzz_status(slb_image_load(path, &fuzz_limits, &again, &err), SLB_OK, &err);
    fuzz_want(again.info.width == image->info.width && again.info.height == image->info.height,
              "a JPEG of another size");
    slb_image_free(&again);
}

static inline void fuzz_check_info(const SlbImageInfo *info)
{
    fuzz_want(info->width && info->height && (uint64_t)info->width * info->height <= FUZZ_PIXELS,
              "a picture beyond the limit");
    fuzz_want(info->channels >= 1 && info->channels <= 4, "channels");
    fuzz_want(info->depth == 8 || info->depth == 16, "depth");
}

static inline void fuzz_picture(const uint8_t *data, size_t bytes)
{
    SlbImage image = {0};
    SlbError err = {0};
    unsigned sum = 0;
    const char *path = fuzz_file(data, bytes);
    setenv("TMPDIR", "/nonexistent", 1); /* a PNG from a pipe is copied into memory then */
    SlbStatus status = slb_image_load(path, &fuzz_limits, &image, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    fuzz_want(status == SLB_OK || (!image.data && !image.meta.icc.data),
              "half a picture after a failure");
    FILE *pipe = fuzz_pipe(data, bytes);
    if (pipe) fuzz_from_pipe(pipe, &image, status);
    fuzz_want(fuzz_pieces(path, UINT32_MAX, &sum) == status, "another status in pieces");
    if (status != SLB_OK) return;
    const SlbImageInfo *info = &image.info;
    fuzz_check_info(info);
    fuzz_want(sum == fuzz_sum(&image), "other samples in pieces");
    fuzz_status(fuzz_pieces(path, info->height / 2, &sum), SLB_OK, &err);
    if ((uint64_t)info->width * info->height <= FUZZ_WRITTEN) fuzz_write(&image);
    slb_image_free(&image);
}

#endif
