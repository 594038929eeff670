/* What commands do with whole pictures besides loading and saving them. */
#ifndef SLBSR_CLI_PICTURE_H
#define SLBSR_CLI_PICTURE_H

#include "img/image.h"

/* Drops columns on the right and rows at the bottom, in place, until both sides are multiples of
 * `scale`. SLB_E_INPUT when a side is shorter than that; `name` is for the message. */
SLB_MUST_CHECK SlbStatus cli_crop_to_multiple(SlbImage *image, const char *name, int scale,
                                              SlbError *err);

/* What stands behind the last '/' of a path. */
const char *cli_base_name(const char *path);

#endif
