/* PBM, PGM, PPM and PAM. */
#include "fuzz/fuzz_picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_picture(data, bytes);
    return 0;
}
