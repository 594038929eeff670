/* A whole video larger, frame by frame: one is read and one written while one is worked on. */
#ifndef SLBSR_CLI_VIDEO_H
#define SLBSR_CLI_VIDEO_H

#include "cli/progress.h"
#include "img/y4m.h"
#include "infer/plan.h"

typedef struct VideoJob {
    const SlbPlan *plan;
    int scale;
    uint64_t max_bytes, other_bytes; /* as for slb_video_upscaler_limit; 0: no limit */
    const char *input;               /* its name, for messages */
    SlbVideoReader *reader;          /* of which no frame has been taken */
    const char *output;              /* path; "-": standard output */
    bool overwrite;
    Progress *progress; /* counts frames */
} VideoJob;

/* Upscales to the end of the video, or until a signal asks to stop (cli/signals.h): SLB_PARTIAL.
 * SLB_E_INPUT for a video without a frame. A
 * file appears whole or not at all; of a pipe, frames that were written are gone. *frames gets
 * their number. */
SLB_MUST_CHECK SlbStatus cli_upscale_video(const VideoJob *job, uint64_t *frames, SlbError *err);

#endif
