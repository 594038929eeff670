#include "cli/video.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "cli/batch.h"
#include "cli/signals.h"
#include "infer/upscale_video.h"

typedef struct Video {
    const VideoJob *job;
    SlbVideoUpscaler *up;
    SlbVideoWriter *writer;
    uint64_t written; /* frames */
    SlbError unread;  /* why there are no more frames; status 0: it is the end */
    /* The first of the later stages that fails says why; the others stop. */
    atomic_flag told;
    atomic_bool failed;
    SlbError err;
} Video;

typedef struct Frame {
    SlbFrame in, out;
} Frame;

static void fail(Video *v, SlbStatus s, const SlbError *err)
{
    if (s == SLB_OK || atomic_flag_test_and_set(&v->told)) return;
    v->err = *err;
    v->err.status = s;
    atomic_store(&v->failed, true);
}

static void stage_drop(void *context, void *item)
{
    Frame *f = item;
    (void)context;
    slb_frame_free(&f->in);
    slb_frame_free(&f->out);
    slb_free(f);
}

static void *stage_open(void *context, size_t index, uint64_t *bytes)
{
    Video *v = context;
    SlbError *err = &v->unread;
    bool end = false;
    Frame *f = slb_calloc(1, sizeof *f);
    (void)index;
    *bytes = 0; /* the number of frames at a time is bound enough */
    SlbStatus s = f ? SLB_OK : slb_fail_memory(err, "a frame of a video");
    if (s == SLB_OK) s = slb_frame_alloc(&f->in, slb_video_info(v->job->reader), err);
    if (s == SLB_OK) s = slb_video_read(v->job->reader, &f->in, &end, err);
    if (s == SLB_OK && !end) return f;
    if (f) stage_drop(v, f);
    return NULL;
}

static void stage_read(void *context, void *item)
{
    (void)context;
    (void)item; /* what there is between two frames is known only when the next one is read */
}

static int is_cancelled(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return cli_stop_number;
}

static void stage_work(void *context, void *item)
{
    Video *v = context;
    Frame *f = item;
    SlbError err;
    SlbStatus s = slb_frame_alloc(&f->out, slb_video_upscaler_info(v->up), &err);
    if (s == SLB_OK) s = slb_upscale_frame(v->up, &f->in, &f->out, is_cancelled, NULL, &err);
    slb_frame_free(&f->in);
    fail(v, s, &err);
}

static void stage_write(void *context, void *item)
{
    Video *v = context;
    const Frame *f = item;
    SlbError err;
    if (atomic_load(&v->failed)) return;
    SlbStatus s = slb_video_write(v->writer, &f->out, &err);
    fail(v, s, &err);
    if (s == SLB_OK) progress_update(v->job->progress, ++v->written, 0);
}

static bool stage_stopped(void *context)
{
    Video *v = context;
    return cli_stop_asked() || atomic_load(&v->failed);
}

static SlbStatus run(Video *v, SlbError *err)
{
    static const BatchStages stages = {.open = stage_open,
                                       .read = stage_read,
                                       .work = stage_work,
                                       .write = stage_write,
                                       .done = stage_drop,
                                       .drop = stage_drop,
                                       .stopped = stage_stopped};
    const Batch batch = {
        .stages = &stages, .context = v, .count = SIZE_MAX, .memory_bytes = UINT64_MAX};
    SlbStatus s = cli_batch_run(&batch, err);
    if (s != SLB_OK) return s;
    if (cli_stop_number) return slb_fail(err, SLB_PARTIAL, "stopped");
    const SlbError *why = v->failed ? &v->err : &v->unread;
    if (why->status != SLB_OK) *err = *why;
    return why->status;
}

SlbStatus cli_upscale_video(const VideoJob *job, uint64_t *frames, SlbError *err)
{
    Video v = {.job = job, .told = ATOMIC_FLAG_INIT};
    SlbStatus s =
        slb_video_upscaler_create(job->plan, slb_video_info(job->reader), job->scale, &v.up, err);
    if (s == SLB_OK && job->max_bytes)
        s = slb_video_upscaler_limit(v.up, job->max_bytes, job->other_bytes, err);
    if (s == SLB_OK) {
        const SlbVideoInfo *out = slb_video_upscaler_info(v.up);
        s = slb_video_create(job->output, job->overwrite, job->reader, out->width, out->height,
                             &v.writer, err);
    }
    if (s == SLB_OK) s = run(&v, err);
    if (s == SLB_OK && !v.written)
        s = slb_fail(err, SLB_E_INPUT, "%s: a video without a frame; get a whole copy of it",
                     job->input);
    if (s == SLB_OK) {
        s = slb_video_finish(v.writer, err);
        v.writer = NULL;
    }
    slb_video_abort(v.writer);
    slb_video_upscaler_free(v.up);
    *frames = v.written;
    return s;
}
