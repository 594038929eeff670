/* Upscaling of the files in a list. */
#ifndef SLBSR_CLI_UPSCALE_FILES_H
#define SLBSR_CLI_UPSCALE_FILES_H

#include "cli/file_list.h"
#include "cli/progress.h"
#include "cli/upscale_models.h"
#include "img/codec.h"
#include "infer/upscale.h"

typedef struct UpscaleFiles {
    const FileList *files; /* with their outputs */
    UpscaleModels *models;
    SlbReadLimits limits; /* of the pictures */
    SlbWantedSize size;
    SlbAlpha alpha;
    unsigned wrap; /* SLB_WRAP_* */
    bool tta;
    uint8_t background[3];    /* R, G, B */
    const char *for_pictures; /* option that was given and means nothing to a video; NULL: none */
    uint64_t max_memory;      /* bytes of the whole program; 0: no limit */
    SlbWriteOptions how; /* format NULL: the output's name says it, of standard output the input */
    bool make_folders;   /* those of the outputs, where they are missing */
    bool skip_existing;
    bool json;    /* results as an object a line on standard output */
    bool quiet;   /* errors only */
    bool verbose; /* a line for each file */
    ProgressMode progress;
} UpscaleFiles;

/* Upscales one file after the other, reading ahead and writing behind (cli/batch.h), and says in
 * their order what went wrong. The status of a single file is that file's. Of several, with the sum
 * in *err: SLB_PARTIAL when some failed, or all with more than one status, else theirs;
 * SLB_E_OUTPUT when an output failed for want of room (of a quota, too) or as its file system is
 * for reading alone: the rest is not begun; 128 + n when signal n ended it: what is done by then is
 * whole, the file at work is dropped. Errors of the result lines are left to stdout's own flag. */
SLB_MUST_CHECK SlbStatus cli_upscale_files(const UpscaleFiles *job, SlbError *err);

/* Says for each file what would be made of it, what memory that takes and how long about: the time
 * of the network, from a measurement of a fraction of a second. Nothing is written. Status as
 * above. */
SLB_MUST_CHECK SlbStatus cli_upscale_dry_run(const UpscaleFiles *job, SlbError *err);

#endif
