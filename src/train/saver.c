/* Checkpoints written by a thread of their own. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "train/checkpoint.h"

struct SlbSaver {
    const char *path, *recipe;
    SlbTrainState copy; /* belongs to the thread while there is one */
    pthread_t thread;
    bool started;     /* there is a thread to join */
    atomic_bool busy; /* it has not finished */
    SlbStatus status; /* of its work */
    SlbError error;
};

SlbStatus slb_saver_create(const char *path, const char *recipe, SlbTrainState *copy,
                           SlbSaver **saver, SlbError *err)
{
    SlbSaver *s = slb_calloc(1, sizeof *s);
    if (!s) {
        slb_state_free(copy);
        return slb_fail_memory(err, path);
    }
    s->path = path;
    s->recipe = recipe;
    s->copy = *copy;
    *copy = (SlbTrainState){0};
    *saver = s;
    return SLB_OK;
}

static void *write_copy(void *argument)
{
    SlbSaver *s = argument;
    s->status = slb_checkpoint_save(s->path, s->recipe, &s->copy, &s->error);
    atomic_store(&s->busy, false);
    return NULL;
}

SlbStatus slb_saver_wait(SlbSaver *saver, SlbError *err)
{
    if (!saver->started) return SLB_OK;
    pthread_join(saver->thread, NULL);
    saver->started = false;
    if (saver->status != SLB_OK && err) *err = saver->error;
    return saver->status;
}

SlbStatus slb_saver_start(SlbSaver *saver, const SlbTrainState *state, SlbError *err)
{
    SlbStatus s = slb_saver_wait(saver, err);
    if (s != SLB_OK) return s;
    slb_state_copy(state, &saver->copy);
    atomic_store(&saver->busy, true);
    if (pthread_create(&saver->thread, NULL, write_copy, saver) != 0) {
        write_copy(saver); /* no thread to be had: at once, then */
        if (saver->status != SLB_OK && err) *err = saver->error;
        return saver->status;
    }
    saver->started = true;
    return SLB_OK;
}

bool slb_saver_busy(SlbSaver *saver)
{
    return saver->started && atomic_load(&saver->busy);
}

void slb_saver_free(SlbSaver *saver)
{
    if (!saver) return;
    (void)!slb_saver_wait(saver, NULL);
    slb_state_free(&saver->copy);
    slb_free(saver);
}
