/* A file on its way from INPUT to OUTPUT, for cli/upscale_files.h: what a run and a dry run share.
 */
#ifndef SLBSR_CLI_UPSCALE_PICTURE_H
#define SLBSR_CLI_UPSCALE_PICTURE_H

#include <cjson/cJSON.h>

#include "cli/upscale_files.h"
#include "img/y4m.h"

enum { MAX_NOTES = 4 };

typedef struct Picture {
    const FileEntry *file;
    size_t index; /* in the list */
    SlbReader *reader;
    SlbVideoReader *video; /* instead of `reader` */
    uint64_t frames;       /* of it, that were written */
    SlbImageInfo from, to; /* upright; width 0: not known */
    int factor;            /* slb_upscale_factor of them */
    UpscaleModel *model;   /* that enlarges it; NULL: not known */
    uint64_t bytes;        /* of memory that it will take */
    uint64_t other_bytes;  /* under a limit: what is not the upscaler's */
    bool streamed;         /* from file to file, else read, worked on and written as a whole */
    SlbImage in, out;
    SlbWriteOptions how;
    bool skipped;   /* the output exists, and that is enough */
    double seconds; /* that the stages took */
    /* Of the metadata: what the output is expected not to hold, once it is written what it does
     * not; "": nothing. */
    char lost[SLB_NOTE_BYTES];
    struct {
        const char *path; /* what it is about: not owned */
        char *text;
    } note[MAX_NOTES];
    int notes;
    SlbStatus status;
    SlbError err;
} Picture;

/* Entry `index` of the list, of which nothing has been opened. NULL when memory is out. */
Picture *picture_create(const UpscaleFiles *job, size_t index);
void picture_free(Picture *p);

/* Opens the input, picture or video, and checks all but the output file itself: sizes, memory, the
 * format and what it cannot keep, which is noted. */
SLB_MUST_CHECK SlbStatus picture_open(const UpscaleFiles *job, Picture *p);

/* Bytes that the whole program takes with this picture alone, once it is open: a bound. */
uint64_t picture_memory(const UpscaleFiles *job, const Picture *p);

/* The factor by which a video is enlarged; 0: it cannot have that size. */
int cli_video_scale(const SlbWantedSize *size);

/* How its picture is upscaled, for slb_upscale_image or cli_upscale_stream. */
SlbUpscaleOptions picture_options(const UpscaleFiles *job, const Picture *p);

/* True when the output is standard output. */
bool picture_is_piped(const Picture *p);

/* What messages call the output. */
const char *picture_output(const Picture *p);

/* Notes wait until it is the file's turn to be told about; printf-style. `path` is not copied. */
void picture_note(Picture *p, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says the notes and, where there are other files, what went wrong. */
void picture_tell(const UpscaleFiles *job, const Picture *p);

/* An object for the result line; the caller adds what else there is to say. */
cJSON *picture_result(const Picture *p, const char *status);

#endif
