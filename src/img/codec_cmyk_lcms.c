/* CMYK profiles by lcms2. Compiled where that is found (SLBSR_LCMS). */
#include <stdio.h>
#include <stdlib.h>

#include <lcms2.h>
#include <lcms2_plugin.h>

#include "base/mem.h"
#include "img/codec_cmyk.h"

/* Tables for 4 inks are a few megabytes; a profile that wants more than this is a hostile one. */
enum { BLOCK_LIMIT = 256 << 20, PROFILE_LIMIT = 4 << 20 };

struct SlbProfile {
    cmsContext context;
    cmsHTRANSFORM transform;
    bool starved; /* memory was out: otherwise lcms fails because of the profile */
};

const char *slb_profile_library(void)
{
    static char name[32];
    int version = cmsGetEncodedCMMversion(); /* 2140 */
    snprintf(name, sizeof name, "Little CMS %d.%d", version / 1000, version % 1000 / 10);
    return name;
}

/* ---- Memory: as malloc has it, but that a lack of it is noticed ---- */

static void *resize(cmsContext context, void *block, cmsUInt32Number bytes)
{
    SlbProfile *p = cmsGetContextUserData(context);
    if (bytes > BLOCK_LIMIT) return NULL;
    void *grown = realloc(block, bytes ? bytes : 1);
    if (!grown && p) p->starved = true;
    return grown;
}

static void *take(cmsContext context, cmsUInt32Number bytes)
{
    return resize(context, NULL, bytes);
}

static void give_back(cmsContext context, void *block)
{
    (void)context;
    free(block);
}

static cmsContext create_context(SlbProfile *p)
{
    cmsPluginMemHandler memory = {.base = {.Magic = cmsPluginMagicNumber,
                                           .ExpectedVersion = 2000,
                                           .Type = cmsPluginMemHandlerSig},
                                  .MallocPtr = take,
                                  .FreePtr = give_back,
                                  .ReallocPtr = resize};
    cmsContext context = cmsCreateContext(&memory, p);
    if (!context) p->starved = true;
    return context;
}

/* ---- The transform ---- */

/* Chains of any number of steps, which lcms takes for each of a few hundred thousand mixtures
 * before it is ready: minutes for a hostile file. No press has them, and they stand beside tables.
 */
static bool has_chains(cmsHPROFILE profile)
{
    static const cmsTagSignature tags[] = {
        cmsSigDToB0Tag, cmsSigDToB1Tag, cmsSigDToB2Tag, cmsSigDToB3Tag,
        cmsSigBToD0Tag, cmsSigBToD1Tag, cmsSigBToD2Tag, cmsSigBToD3Tag,
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (cmsIsTag(profile, tags[i])) return true;
    return false;
}

/* Paper becomes white, the darkest ink black, as programs that show pictures have it. */
static cmsHTRANSFORM create_transform(cmsContext context, const SlbBlock *icc, bool inverted)
{
    cmsHTRANSFORM transform = NULL;
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(context, icc->data, (cmsUInt32Number)icc->bytes);
    cmsHPROFILE to = cmsCreate_sRGBProfileTHR(context);
    if (from && to && cmsGetColorSpace(from) == cmsSigCmykData && !has_chains(from))
        transform = cmsCreateTransformTHR(context, from, inverted ? TYPE_CMYK_8_REV : TYPE_CMYK_8,
                                          to, TYPE_RGB_8, INTENT_RELATIVE_COLORIMETRIC,
                                          cmsFLAGS_BLACKPOINTCOMPENSATION);
    if (from) cmsCloseProfile(from);
    if (to) cmsCloseProfile(to);
    return transform;
}

SlbStatus slb_profile_open(const SlbBlock *icc, bool inverted, SlbProfile **profile, SlbError *err)
{
    static const char what[] = "the ICC profile of a picture";
    *profile = NULL;
    if (icc->bytes > PROFILE_LIMIT) return SLB_OK;
    SlbProfile *p = slb_calloc(1, sizeof *p);
    if (!p) return slb_fail_memory(err, what);
    p->context = create_context(p);
    if (p->context) p->transform = create_transform(p->context, icc, inverted);
    if (p->transform) {
        *profile = p;
        return SLB_OK;
    }
    bool starved = p->starved;
    slb_profile_close(p);
    return starved ? slb_fail_memory(err, what) : SLB_OK;
}

void slb_profile_mix(const SlbProfile *profile, const unsigned char *in, size_t width,
                     unsigned char *rgb)
{
    cmsDoTransform(profile->transform, in, rgb, (cmsUInt32Number)width);
}

void slb_profile_close(SlbProfile *profile)
{
    if (!profile) return;
    if (profile->transform) cmsDeleteTransform(profile->transform);
    if (profile->context) cmsDeleteContext(profile->context);
    slb_free(profile);
}
