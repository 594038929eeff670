/* Values of options that are more than a number or a word. All give SLB_E_USAGE with a line that
 * names `option` ("--size") and says what would do. */
#ifndef SLBSR_CLI_VALUES_H
#define SLBSR_CLI_VALUES_H

#include <stdint.h>

#include "base/status.h"

/* "640x480": two whole numbers from 1 to 2^31 - 1. */
SLB_MUST_CHECK SlbStatus cli_parse_size(const char *option, const char *text, uint32_t *width,
                                        uint32_t *height, SlbError *err);

/* "#rrggbb", "rrggbb", "white", "black". */
SLB_MUST_CHECK SlbStatus cli_parse_colour(const char *option, const char *text, uint8_t rgb[3],
                                          SlbError *err);

/* "512M", "2G", "1.5GiB", "800000K", "1000000": bytes, units of 1024; from 1 MiB to 2^60. */
SLB_MUST_CHECK SlbStatus cli_parse_bytes(const char *option, const char *text, uint64_t *bytes,
                                         SlbError *err);

#endif
