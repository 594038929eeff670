/* Training: from folders of pictures to a model file. */
#ifndef SLBSR_TRAIN_TRAIN_H
#define SLBSR_TRAIN_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "train/comm.h"
#include "train/engine.h"
#include "train/optimizer.h"

enum { SLB_TRAIN_SCALES = 3 };

/* How a run is going, after a step. Pointers are valid during the call. */
typedef struct SlbTrainReport {
    long step, steps;
    double loss;       /* mean over the steps since the last report, of samples in 0..1 */
    double baseline;   /* the same of the untouched input (bicubic; the nearest pixel for networks
                          that  enlarge by themselves): what the network has to beat */
    double rate;       /* learning rate */
    double sharpness;  /* T = 1 / tau; 0 once the weights are hard (and for float weights) */
    double seconds;    /* of this process, since the first step */
    double left;       /* estimated seconds to the end */
    double data_share; /* of the time of the steps since the last report: making patches; 0..1 */
    double peak_mb;    /* largest memory of this process so far that was resident, 10^6 bytes */
    bool validated;    /* the fields below are set */
    int scale_count;
    const int *scales;
    const double *psnr;      /* [scale_count] of the weights of inference, in float32; dB */
    const double *psnr_soft; /* of W_c, the weights of training; equal to psnr once hard */
    const double *bicubic;
} SlbTrainReport;

/* What the weights of inference are normalized by, in networks with `norm sbn`. */
typedef enum SlbSbn {
    SLB_SBN_CALIBRATED, /* statistics of W_q, estimated at every validation and at the end */
    SLB_SBN_DUAL, /* a moving average of them, by a second forward pass with W_q in every step */
    SLB_SBN_NONE, /* a moving average of the statistics of W_c: plain batch normalization */
} SlbSbn;

typedef struct SlbTrainOptions {
    const char *const *data; /* folders of pictures, or of DIV2K_train_HR or HR in them */
    int data_count;
    const char *net;         /* name or path, for slb_graph_open */
    const char *out;         /* model file; OUT.ckpt and OUT.csv stand beside it */
    const char *init;        /* model to start from, or NULL */
    const char *teacher;     /* model whose output is a second target, or NULL */
    double teacher_share;    /* of the loss against the teacher's output, 0..1 */
    const char *val;         /* folder of pictures to validate on, or NULL */
    const char *command;     /* goes into the model file */
    int bits;                /* 32, 4, 2, 1 */
    int act_bits;            /* of the inputs of low layers: 8, 7 (calibrated at the end), 4, 2, 1
                                (trained with) or 32; 0: 8, or 32 for float weights */
    const SlbMethod *method; /* of the searched layers; NULL: SLB */
    SlbSbn sbn;
    int scales[SLB_TRAIN_SCALES], scale_count; /* the network's own where it has one */
    long steps, warmup;
    int batch, patch; /* patches a step; their side in pixels at output resolution, a multiple of
                         the scale of a network that enlarges */
    uint64_t seed;
    double rate; /* Adam's learning rate after warm-up */
    SlbSchedule schedule;
    long decay_every; /* for SLB_STEPS */
    double average; /* decay of a moving average of the parameters (not of searched ones), which is
                       what is validated and written; 0: none */
    double logit_rate; /* the logits' learning rate is this times `rate` */
    double clip;       /* bound of the gradient's norm; 0: none */
    SlbTempering tempering;
    int restarts;     /* of SLB_TEMPER_SGDR */
    double sharpness; /* T rises from 1 to this ... */
    double anneal_from,
        anneal_to; /* ... between these shares of the steps; then weights are hard */
    SlbLoss loss;
    SlbPrecision precision;
    int threads;      /* of this process */
    SlbComm *comm;    /* the processes that share the work of every batch, all with the same options
                         but threads; NULL: this one alone */
    long val_every;   /* steps between validations */
    int val_pictures; /* at most so many, the first by name; 0: all */
    double checkpoint_seconds;
    double stop_after; /* seconds, after which the run stops as by `stop`, but not before it has
                          come to a state that can be saved, at least ten steps; 0: never */
    bool restart;      /* ignore and replace a checkpoint */
    bool overwrite;    /* a finished model at `out` may be replaced */
    bool dry;          /* no file is written or locked; for slb_train_cost, which sets it */
    const volatile sig_atomic_t *stop; /* nonzero: finish the step, save the last state that is a
                                          multiple of ten steps, return SLB_PARTIAL; NULL: never */
    void (*report)(void *user, const SlbTrainReport *report); /* OUT.csv has its row; NULL: none */
    long report_every;                                        /* steps */
    void (*note)(void *user,
                 const char *line); /* what is worth knowing, e.g. files passed over; NULL: none */
    void *user;
} SlbTrainOptions;

/* Trains, or goes on from OUT.ckpt when that belongs to the same recipe (everything above that
 * changes the result), and writes the model. The result does not depend on `threads`, on the number
 * of processes or on interruptions. Of several processes, rank 0 alone reports, notes and reads and
 * writes files, but for data, val, net and teacher, which all of them read. They end with the same
 * status and message, except that a process that fails alone calls slb_comm_leave, and that the
 * others then end with SLB_PARTIAL; rank 0 writes the checkpoint before, if it is still there. When
 * the loss is no number or jumps, the run goes back by up to ten steps with half the rate, and says
 * so; SLB_E_DIVERGED when that does not help. SLB_PARTIAL: stopped by `stop` or `stop_after`, the
 * checkpoint is written. */
SLB_MUST_CHECK SlbStatus slb_train(const SlbTrainOptions *options, SlbError *err);

/* What a run costs. */
typedef struct SlbTrainCost {
    int convs, low_convs;  /* the second: with searched weights */
    size_t parameters;     /* of the model */
    size_t searched;       /* weights that are searched */
    int values;            /* trained for each of these: logits; 0 without any */
    size_t state_bytes;    /* of all trained values, with gradients, moments of Adam and copies */
    size_t searched_bytes; /* of these, those of the searched weights */
    size_t peak_bytes;     /* memory of this process, its largest so far */
    size_t pictures;       /* to train on */
    int measured;          /* steps */
    double step_seconds;
    double weight_seconds; /* of these: weights from logits, gradients back, optimizer */
} SlbTrainCost;

/* Sets a run up, carries out a few steps and forgets it: no file is written, none that stands at
 * `out` is read. Fails as slb_train does. */
SLB_MUST_CHECK SlbStatus slb_train_cost(const SlbTrainOptions *options, SlbTrainCost *cost,
                                        SlbError *err);

#endif
