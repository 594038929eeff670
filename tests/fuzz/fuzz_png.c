/* PNG, with checksums mended first. */
#include "fuzz/fuzz_picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *png = malloc(bytes + 1);
    fuzz_want(png != NULL, "no memory");
    if (bytes) memcpy(png, data, bytes);
    fuzz_mend_png(png, bytes);
    fuzz_picture(png, bytes);
    free(png);
    return 0;
}
