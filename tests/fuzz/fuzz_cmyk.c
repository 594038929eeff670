/* ICC profiles of CMYK pictures, by lcms2: only where that is built in. It takes its time, which
 * the target of JPEG has no use for. Input: a byte that says whether inks are inverted, then the
 * profile. */
#include "fuzz/fuzz.h"
#include "img/codec_cmyk.h"

enum { PIXELS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const unsigned char inks[4 * PIXELS] = {255, 0, 0, 0,  0,   255, 0,   0,
                                                   9,   8, 7, 60, 255, 255, 255, 255};
    FuzzInput in = {data, bytes};
    unsigned char rgb[3 * PIXELS];
    SlbBlock icc;
    SlbProfile *profile;
    SlbError err = {0};
    bool inverted = fuzz_byte(&in) & 1;
    fuzz_want(slb_block_set(&icc, in.at, in.left, &err) == SLB_OK, "no memory");
    fuzz_status(slb_profile_open(&icc, inverted, &profile, &err), SLB_OK, &err);
    slb_free(icc.data);
    if (profile) {
        slb_profile_mix(profile, inks, PIXELS, rgb);
        for (int i = 0; i < 3 * PIXELS; i++) fuzz_use(rgb[i]);
    }
    slb_profile_close(profile);
    return 0;
}
