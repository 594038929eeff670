/* What reading and writing PNG by libpng share. Its errors come back by longjmp: every function
 * that calls setjmp keeps what changes after it in the state, never in a local variable. For
 * codec_png*.c alone. */
#ifndef SLBSR_IMG_CODEC_PNG_H
#define SLBSR_IMG_CODEC_PNG_H

#include <png.h>

#include "img/codec_format.h"

/* The keyword of the text that is XMP. */
#define SLB_PNG_XMP_KEY "XML:com.adobe.xmp"

/* So many texts that cannot be unpacked are the last that libpng gets to see: each takes it as long
 * as a large one, but no memory by which that would be bounded. */
enum { SLB_PNG_MAX_FAULTY = 16 };

typedef struct PngState {
    png_structp png;
    png_infop info;
    unsigned char *whole; /* an interlaced picture, NULL otherwise */
    size_t most_bytes;    /* of a block for libpng; what claims more is no picture */
    size_t left_bytes;    /* of all blocks that libpng may ask for; then it leaves chunks out */
    size_t used_bytes;    /* of all blocks that it has now */
    size_t most_used;     /* that these may be; likewise */
    size_t rest_bytes;    /* what was left of them when metadata had been copied */
    bool crowded;         /* a block was refused for left_bytes */
    bool starved;         /* for most_used alone */
    int faulty_texts;     /* that could not be unpacked */
    bool no_memory;
    int system_error;
    char message[160], warning[160];
    char profile[160]; /* the last warning of a profile, as others may follow; "" when none */
} PngState;

/* What libpng calls; the state is its pointer for errors and for memory. */
void slb_png_on_error(png_structp png, png_const_charp text);
void slb_png_on_warning(png_structp png, png_const_charp text);
png_voidp slb_png_on_alloc(png_structp png, png_alloc_size_t bytes);
void slb_png_on_free(png_structp png, png_voidp block);

/* Of the format: see codec_format.h. */
bool slb_png_sniff(const unsigned char *head, size_t bytes);
SlbStatus slb_png_read_open(SlbReader *r, SlbError *err);
SlbStatus slb_png_read_rows(SlbReader *r, unsigned char *out, size_t stride_bytes, uint32_t rows,
                            SlbError *err);
void slb_png_read_close(SlbReader *r);

/* Takes what libpng does not know into r->meta, and notes what of the PNG that begins at `start` is
 * left out, by the names of its chunks. Not told: those that describe the pixels as they were, as
 * nearly every PNG has some of them, or help to show them (codec_png_unknown.c). */
void slb_png_read_unknown(SlbReader *r, off_t start);

/* Sees to it that r->file can be read in any order: what comes through a pipe is copied, up to the
 * end of the picture, into a file without a name in $TMPDIR (/tmp), or into memory, which
 * r->held_bytes counts, where no file can be made there. SLB_E_INPUT for what is larger than such
 * a picture can be or over the limit of pixels; SLB_E_OUTPUT when the copy finds no room,
 * SLB_E_MEMORY when it would take more memory than r->meta_bytes. What is damaged is copied as far
 * as it goes: the decoder tells. */
SLB_MUST_CHECK SlbStatus slb_png_make_file(SlbReader *r, SlbError *err);

#endif
