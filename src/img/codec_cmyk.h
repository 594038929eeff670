/* CMYK pixels to RGB, for the codecs: by the picture's own ICC profile where this build has lcms2
 * (Little CMS), else by a plain formula. */
#ifndef SLBSR_IMG_CODEC_CMYK_H
#define SLBSR_IMG_CODEC_CMYK_H

#include "img/meta.h"

typedef struct SlbInks SlbInks;

/* What reads CMYK profiles: "Little CMS 2.14"; NULL: this build does not. */
const char *slb_cmyk_library(void);

/* Makes ready for pixels of C, M, Y, K, 8 bits each; where `inverted`, as Adobe's files are, 255 is
 * no ink. The profile in meta->icc is used and taken out, since it says nothing of RGB; how the
 * colours came about is added to the note. A profile that does not do is no failure. The caller
 * closes *inks, and may free *meta before. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_inks_open(SlbMeta *meta, bool inverted, SlbInks **inks, SlbError *err);

/* `inks`: 4 bytes a pixel; `rgb`: 3. White paper becomes 255. */
void slb_inks_mix(const SlbInks *inks, const unsigned char *in, size_t width, unsigned char *rgb);

void slb_inks_close(SlbInks *inks); /* NULL is allowed */

/* ---- Of lcms2, for codec_cmyk.c alone ---- */

typedef struct SlbProfile SlbProfile;

const char *slb_profile_library(void);
/* *profile is NULL where the block is no profile of CMYK that can be used: one of more than 4 MiB,
 * or with multi-process elements, which would take too long, among them. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_profile_open(const SlbBlock *icc, bool inverted, SlbProfile **profile,
                                          SlbError *err);
void slb_profile_mix(const SlbProfile *profile, const unsigned char *in, size_t width,
                     unsigned char *rgb);
void slb_profile_close(SlbProfile *profile); /* NULL is allowed */

#endif
