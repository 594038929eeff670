/* YUV4MPEG2: the header and all frames. */
#include "fuzz/fuzz.h"
#include "img/y4m.h"

enum { FUZZ_PIXELS = 1 << 16 };

static void read_frames(SlbVideoReader *reader)
{
    const SlbVideoInfo *info = slb_video_info(reader);
    size_t sample = info->depth > 8 ? 2 : 1;
    SlbFrame frame = {0};
    SlbError err = {0};
    bool end = false;
    fuzz_want(info->width && info->height && (uint64_t)info->width * info->height <= FUZZ_PIXELS,
              "a picture beyond the limit");
    fuzz_status(slb_frame_alloc(&frame, info, &err), SLB_OK, &err);
    while (!end) {
        SlbStatus status = slb_video_read(reader, &frame, &end, &err);
        fuzz_status(status, SLB_E_INPUT, &err);
        if (status != SLB_OK || end) break;
        for (int p = 0; p < info->planes; p++) {
            size_t samples = (size_t)slb_plane_width(info, p) * slb_plane_height(info, p);
            fuzz_use(frame.plane[p][0] + frame.plane[p][samples * sample - 1]);
        }
    }
    slb_frame_free(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    SlbVideoReader *reader;
    SlbError err = {0};
    FILE *file = fopen(fuzz_file(data, bytes), "rb");
    fuzz_want(file != NULL, "no stream");
    if (bytes >= 8) (void)slb_is_y4m(data, bytes);
    SlbStatus status = slb_video_open(file, "fuzz", FUZZ_PIXELS, &reader, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) return 0;
    read_frames(reader);
    slb_video_close(reader);
    return 0;
}
