/* YUV4MPEG2: the header and all frames. The first few of a small video are enlarged by a network
 * that changes nothing, written, and read again. */
#include "fuzz/fuzz.h"
#include "img/y4m.h"
#include "infer/upscale_video.h"

enum { FUZZ_PIXELS = 1 << 16, MAX_SIDE = 32, MAX_FRAMES = 4 };

static const SlbPlan *plan(void)
{
    static const char text[] = "input y bicubic\nconv 1 3x3 full\nadd input\n";
    static SlbPlan *made;
    const SlbPlanOptions how = {.level = SLB_CPU_C, .threads = 1};
    SlbGraph *graph;
    SlbModel *model;
    SlbError err = {0};
    if (made) return made;
    fuzz_status(slb_graph_parse(text, strlen(text), "net", &graph, &err), SLB_OK, &err);
    fuzz_status(slb_model_create(graph, 32, &model, &err), SLB_OK, &err); /* weights of 0 */
    fuzz_status(slb_plan_create(model, &how, &made, &err), SLB_OK, &err);
    slb_model_free(model);
    slb_graph_free(graph);
    return made;
}

static SlbVideoReader *open_video(const char *path, SlbStatus expected)
{
    SlbVideoReader *reader;
    SlbError err = {0};
    FILE *file = fopen(path, "rb");
    fuzz_want(file != NULL, "no stream");
    fuzz_status(slb_video_open(file, "fuzz", FUZZ_PIXELS, &reader, &err), expected, &err);
    return reader;
}

static void use_frame(const SlbVideoInfo *info, const SlbFrame *frame)
{
    size_t sample = info->depth > 8 ? 2 : 1;
    for (int p = 0; p < info->planes; p++) {
        size_t samples = (size_t)slb_plane_width(info, p) * slb_plane_height(info, p);
        fuzz_use(frame->plane[p][0] + frame->plane[p][samples * sample - 1]);
    }
}

/* Reads up to `most` frames; each goes to `see`. Returns how many there were. */
static int read_frames(SlbVideoReader *reader, int most, SlbStatus expected,
                       void (*see)(const SlbFrame *frame, void *user), void *user)
{
    const SlbVideoInfo *info = slb_video_info(reader);
    SlbFrame frame;
    SlbError err = {0};
    int frames = 0;
    fuzz_status(slb_frame_alloc(&frame, info, &err), SLB_OK, &err);
    for (bool end = false; frames < most; frames++) {
        SlbStatus status = slb_video_read(reader, &frame, &end, &err);
        fuzz_status(status, expected, &err);
        if (status != SLB_OK || end) break;
        use_frame(info, &frame);
        if (see) see(&frame, user);
    }
    slb_frame_free(&frame);
    return frames;
}

typedef struct Enlarging {
    SlbVideoUpscaler *up;
    SlbVideoWriter *writer;
    SlbFrame out;
} Enlarging;

static void enlarge_frame(const SlbFrame *frame, void *user)
{
    Enlarging *e = user;
    SlbError err = {0};
    fuzz_status(slb_upscale_frame(e->up, frame, &e->out, NULL, NULL, &err), SLB_OK, &err);
    fuzz_status(slb_video_write(e->writer, &e->out, &err), SLB_OK, &err);
}

/* Returns how many frames were written to standard output. */
static int enlarge(SlbVideoReader *reader, int scale)
{
    Enlarging e;
    SlbError err = {0};
    const SlbVideoInfo *in = slb_video_info(reader);
    fuzz_status(slb_video_upscaler_create(plan(), in, scale, &e.up, &err), SLB_OK, &err);
    const SlbVideoInfo *out = slb_video_upscaler_info(e.up);
    fuzz_status(slb_frame_alloc(&e.out, out, &err), SLB_OK, &err);
    fuzz_status(slb_video_create("-", false, reader, out->width, out->height, &e.writer, &err),
                SLB_OK, &err);
    int frames = read_frames(reader, MAX_FRAMES, SLB_E_INPUT, enlarge_frame, &e);
    fuzz_status(slb_video_finish(e.writer, &err), SLB_OK, &err);
    slb_frame_free(&e.out);
    slb_video_upscaler_free(e.up);
    return frames;
}

static void enlarge_and_read(const char *path, int scale)
{
    SlbVideoReader *reader = open_video(path, SLB_OK);
    int before = fuzz_catch(), frames = enlarge(reader, scale);
    SlbVideoReader *again = open_video(fuzz_caught(before), SLB_OK);
    SlbVideoInfo want = *slb_video_info(reader);
    const SlbVideoInfo *got = slb_video_info(again);
    want.width *= (uint32_t)scale;
    want.height *= (uint32_t)scale;
    fuzz_want(got->width == want.width && got->height == want.height && got->depth == want.depth &&
                  got->planes == want.planes && got->shift_x == want.shift_x &&
                  got->shift_y == want.shift_y && got->full_range == want.full_range,
              "a video of another kind");
    fuzz_want(read_frames(again, MAX_FRAMES + 1, SLB_OK, NULL, NULL) == frames,
              "another number of frames");
    slb_video_close(again);
    slb_video_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *path = fuzz_file(data, bytes);
    if (bytes >= 8) (void)slb_is_y4m(data, bytes);
    SlbVideoReader *reader = open_video(path, SLB_E_INPUT);
    if (!reader) return 0;
    const SlbVideoInfo info = *slb_video_info(reader);
    fuzz_want(info.width && info.height && (uint64_t)info.width * info.height <= FUZZ_PIXELS,
              "a picture beyond the limit");
    (void)read_frames(reader, INT32_MAX, SLB_E_INPUT, NULL, NULL);
    slb_video_close(reader);
    if (info.width <= MAX_SIDE && info.height <= MAX_SIDE)
        enlarge_and_read(path, 2 + (int)(bytes % 3));
    return 0;
}
