#include "img/codec_cmyk.h"

#include "base/mem.h"

struct SlbInks {
    unsigned flip;       /* 255 where that is full ink */
    SlbProfile *profile; /* NULL: the formula */
};

const char *slb_cmyk_library(void)
{
#ifdef SLBSR_LCMS
    return slb_profile_library();
#else
    return NULL;
#endif
}

static SlbStatus use_profile(SlbInks *inks, const SlbBlock *icc, bool inverted, SlbError *err)
{
#ifdef SLBSR_LCMS
    return icc->data ? slb_profile_open(icc, inverted, &inks->profile, err) : SLB_OK;
#else
    (void)inks, (void)icc, (void)inverted, (void)err;
    return SLB_OK;
#endif
}

static void tell(SlbMeta *meta, const SlbInks *inks)
{
    if (inks->profile)
        slb_meta_note(meta, "CMYK became sRGB by its ICC profile");
    else if (!meta->icc.data)
        slb_meta_note(meta, "CMYK became RGB by a plain formula, as it has no ICC profile");
    else
        slb_meta_note(
            meta, "CMYK became RGB by a plain formula, as %s; for exact colours convert it first",
            slb_cmyk_library() ? "its ICC profile cannot be used"
                               : "this build lacks lcms2, which reads its ICC profile");
}

SlbStatus slb_inks_open(SlbMeta *meta, bool inverted, SlbInks **inks, SlbError *err)
{
    SlbInks *new = *inks = slb_calloc(1, sizeof *new);
    if (!new) return slb_fail_memory(err, "the inks of a picture");
    new->flip = inverted ? 0 : 255;
    SlbStatus s = use_profile(new, &meta->icc, inverted, err);
    if (s != SLB_OK) {
        slb_inks_close(new);
        *inks = NULL;
        return s;
    }
    tell(meta, new);
    slb_free(meta->icc.data);
    meta->icc = (SlbBlock){0};
    return SLB_OK;
}

/* R = white less what cyan and black take away, and so on. */
void slb_inks_mix(const SlbInks *inks, const unsigned char *in, size_t width, unsigned char *rgb)
{
#ifdef SLBSR_LCMS
    if (inks->profile) {
        slb_profile_mix(inks->profile, in, width, rgb);
        return;
    }
#endif
    for (size_t x = 0; x < width; x++) {
        const unsigned char *ink = in + 4 * x;
        unsigned black = ink[3] ^ inks->flip;
        for (size_t c = 0; c < 3; c++)
            rgb[3 * x + c] = (unsigned char)(((ink[c] ^ inks->flip) * black + 127) / 255);
    }
}

void slb_inks_close(SlbInks *inks)
{
#ifdef SLBSR_LCMS
    if (inks) slb_profile_close(inks->profile);
#endif
    slb_free(inks);
}
