/* What belongs to one training run; shared by trainer.c (the loop) and run*.c (setting up,
 * stepping, finishing). */
#ifndef SLBSR_TRAIN_RUN_H
#define SLBSR_TRAIN_RUN_H

#include "base/lock.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/optimizer.h"
#include "train/reduce.h"
#include "train/train.h"
#include "train/validate.h"

/* A batch is summed in so many parts at most. How many depends on its size alone, not on threads
 * and processes, so that these do not change the result. */
enum { MAX_BATCH_PARTS = 256 };

/* The state itself, the last good one, and what a checkpoint is written from. */
enum { SLB_STATE_COPIES = 3 };

/* Steps between the states that checkpoints hold and that a run falls back to. An unbroken run and
 * a resumed one fall back to the same state, since checkpoints are made of these states only. */
enum { SLB_GOOD_EVERY = 10 };

/* Where the time of the steps went, in seconds, summed over all steps of a run. `patches`,
 * `forward` and `backward` are means over the threads; what is missing to `batch` is waiting.
 * `reduce` is waiting for other processes. */
typedef struct RunTimes {
    double weights, batch, patches, forward, backward, reduce, gradients, update;
} RunTimes;

/* Of the steps as a whole. */
static inline double run_seconds(const RunTimes *t)
{
    return t->weights + t->batch + t->reduce + t->gradients + t->update;
}

/* A finished network that shows what to aim at. */
typedef struct Teacher {
    SlbEngine *engine; /* NULL: there is none */
    SlbWeights *weights;
    SlbSlot **slot; /* [threads] */
    int threads;
    unsigned long crc; /* CRC-32 of weights and biases: of the recipe, as files are made anew */
} Teacher;

typedef struct Run {
    const SlbTrainOptions *options;
    const SlbMethod *method; /* of the searched layers */
    int act_bits;            /* of the inputs of low layers: 32, 8, 7, 4, 2, 1 */
    SlbCpu cpu;
    SlbGraph *graph;
    SlbTrainState now;  /* what the next step starts from */
    SlbTrainState good; /* as it was at the last multiple of SLB_GOOD_EVERY whose loss was usual */
    int jumps;          /* the last so many losses were far above the usual; 0 in a good state */
    bool fallen;        /* the run fell back, and has not come to a good state since */
    long fell_at;       /* the step it fell at */
    SlbSaver *saver;
    float **effective; /* [conv_count] OIHW: weights, then their gradients */
    SlbEngine *engine;
    SlbWeights *weights;
    Teacher teacher;
    SlbDataset dataset;
    bool expecting; /* the dataset has been told of the patches of the step that comes next */
    SlbValidation *validation; /* NULL without --val */
    SlbWeights *hard, *soft;   /* for the validation's engine */
    float *step;         /* [conv_count] steps of activations of 7 and 8 bits; 0 until calibrated */
    int workers;         /* threads that have pictures to do */
    SlbSlot **slot;      /* [slots] */
    int slots;           /* one a worker; one a picture where `normalized` */
    bool normalized;     /* the network has convolutions with sbn */
    SlbMoments *moments; /* then: of the last batch */
    float *pictures;     /* and room for a batch: inputs, targets, the teacher's results */
    int parts, from, to; /* of a batch; this process's: from `from` on, before `to` */
    SlbReduction *reduction;
    double norm; /* of the gradients of the last step; 0 when that fell back */
    RunTimes times;
    char *recipe, *checkpoint_path, *log_path; /* malloc */
    SlbLock lock; /* OUT.lock: two runs must not write the same checkpoint */
} Run;

/* Everything up to the first step, a checkpoint included. On failure *run can and must be freed. */
SLB_MUST_CHECK SlbStatus run_create(Run *run, const SlbTrainOptions *options, SlbError *err);
void run_free(Run *run);

/* True in the process that reads and writes files and reports. */
static inline bool run_leads(const Run *run)
{
    return slb_comm_rank(run->options->comm) == 0;
}

/* Weights of all layers into *weights, for `engine`; from the averages of the parameters when
 * `averaged`. */
void run_set_weights(const Run *run, const SlbEngine *engine, SlbWeights *weights, bool hard,
                     bool averaged);

/* Loads the teacher of the options, if there is one; it must have the same kind of input and the
 * same factor (SLB_E_MODEL). */
SLB_MUST_CHECK SlbStatus run_teacher_create(Run *run, SlbError *err);
void run_teacher_free(Run *run);
/* What the teacher makes of one patch's input, into `out`; by one of the threads. */
void run_teacher_show(const Run *run, int thread, const float *in, float *out);

/* Which patch is number `i` of the batch of a step. */
SlbPatchKey run_patch_key(const Run *run, long step, int i);

/* The loss, not divided, if the network passed its input on, each pixel as large as it has to be.
 */
double run_input_loss(const SlbPatchKey *key, const float *in, const float *target, SlbLoss loss);

/* -- networks with batch normalization: run_norm.c -- */

/* The batch of this step: its loss and gradients, and the moving averages of its statistics. */
SLB_MUST_CHECK SlbStatus run_norm_batch(Run *run, double *loss, double *baseline, SlbError *err);
/* Estimates the statistics of W_q anew, where they are calibrated. */
SLB_MUST_CHECK SlbStatus run_norm_estimate(Run *run, SlbError *err);
/* The statistics of the first weights. With `adopt`, scale and bias behind the normalizations
 * become such that the network computes what its weights and biases say, as they come from a model.
 */
SLB_MUST_CHECK SlbStatus run_norm_start(Run *run, bool adopt, SlbError *err);
/* Whose statistics weights of that form are normalized by. */
SlbNormState run_norm_state(const Run *run, bool hard);

/* Codes of 7 and 8 bits are so fine that they are calibrated at the end; coarser ones are trained
 * with. */
static inline bool run_trains_codes(const Run *run)
{
    return run->act_bits < 7;
}

/* The form of the run's patches: all of a key but stream, index and, with several scales, scale. */
static inline SlbPatchKey run_patch_form(const Run *run)
{
    return (SlbPatchKey){.seed = run->options->seed,
                         .scale = run->options->scales[0],
                         .side = run->options->patch,
                         .channels = run->graph->nodes[0].channels,
                         .enlarged = run->graph->enlarged};
}

/* One step; *loss is the batch's, *baseline that of its untouched input. When the loss goes astray,
 * the state falls back to run->good with a lower rate (run->fallen); SLB_E_DIVERGED when that does
 * not help. SLB_E_MEMORY; SLB_PARTIAL as in train/comm.h. */
SLB_MUST_CHECK SlbStatus run_step(Run *run, double *loss, double *baseline, SlbError *err);

/* The steps of the inputs of low layers, from the weights as they are: learned ones start from
 * them, and activations of 7 and 8 bits need no others. */
SLB_MUST_CHECK SlbStatus run_calibrate(Run *run, SlbError *err);

/* PSNR by scale with hard and with soft weights, both with quantized activations (those of 7
 * and 8 bits once the run is at its end). */
SLB_MUST_CHECK SlbStatus run_validate(Run *run, double *psnr, double *psnr_soft, SlbError *err);

/* Calibrates activations of 7 and 8 bits if that is still to do, writes the model and removes the
 * checkpoint; rank 0 does. */
SLB_MUST_CHECK SlbStatus run_finish(Run *run, const char *figures, SlbError *err);

/* Where the schedule is: for the step that comes next. */
bool run_is_hard(const Run *run);
bool run_is_soft(const Run *run); /* neither hard nor of a method without a temperature */
double run_sharpness(const Run *run);
double run_rate(const Run *run);

#endif
