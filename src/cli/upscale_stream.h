/* A picture from file to file, row by row. */
#ifndef SLBSR_CLI_UPSCALE_STREAM_H
#define SLBSR_CLI_UPSCALE_STREAM_H

#include "img/codec.h"
#include "infer/upscaler.h"

/* Upscales what `reader` gives, from its first row on, into the file `output`: in memory are the
 * bands of the upscaler and what cli_stream_bytes says. The picture must stand upright;
 * options->wrap must not have SLB_WRAP_Y. The metadata follow; `note` gets what slb_writer_note
 * says, and stays as it is where the writer could not be opened. Failures as those of the parts
 * (img/codec.h, infer/upscaler.h); no file is left then. */
SLB_MUST_CHECK SlbStatus cli_upscale_stream(const SlbPlan *plan, SlbReader *reader,
                                            const SlbUpscaleOptions *options, const char *output,
                                            const SlbWriteOptions *how, char note[SLB_NOTE_BYTES],
                                            SlbError *err);

/* Bytes of the rows that are handed over at a time. */
uint64_t cli_stream_bytes(const SlbImageInfo *in, const SlbImageInfo *out);

#endif
