/* Activation codes for a model that is finished: other bits, or other pictures to fit them to. */
#ifndef SLBSR_TRAIN_RECALIBRATE_H
#define SLBSR_TRAIN_RECALIBRATE_H

#include <stdint.h>

#include "net/model.h"

typedef struct SlbRecalibration {
    const char *const *data; /* folders of pictures or packs, as for slb_train */
    int data_count;
    int act_bits; /* 8, 7, 4, 2, 1: of the codes; 32: none, activations stay float */
    int patch; /* side of a patch, pixels at output resolution, a multiple of the network's scale */
    uint64_t seed;
    int threads;
    const char *val;  /* folder of pictures for the model's figures; NULL: they stay as they are */
    int val_pictures; /* the first so many; 0: all */
} SlbRecalibration;

/* Sets act_bits, the steps of the low layers' inputs, as slb_train does at its end
 * (train/calibrate.h), and with `val` the figures; nothing else of the model changes. SLB_E_USAGE
 * for a model of float weights; SLB_E_INPUT without usable pictures; SLB_E_MODEL when its
 * activations are not finite; SLB_E_MEMORY. On failure the model is as it was. */
SLB_MUST_CHECK SlbStatus slb_recalibrate(SlbModel *model, const SlbRecalibration *how,
                                         SlbError *err);

#endif
