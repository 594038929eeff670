/* PSNR of a network on a set of pictures, in float32: by the VDSR protocol (img/protocol.h), or,
 * when the network enlarges by itself, by the RGB protocol: an 8-bit picture made smaller, the
 * network, Y of the 8-bit result (of `input y` networks the Y that comes out) against Y, none
 * rounded. Zeros begin at the picture's border, as at that of a patch in training; upscaling, which
 * `slbsr eval` measures, lets networks that enlarge see a few mirrored pixels there. */
#ifndef SLBSR_TRAIN_VALIDATE_H
#define SLBSR_TRAIN_VALIDATE_H

#include "train/comm.h"
#include "train/engine.h"

typedef struct SlbValidation SlbValidation;

/* Loads the first `most` pictures of a folder (0: all) and prepares them for the scales. `graph`
 * and `comm`, the processes that share the work, must outlive it. `act_bits` as of
 * slb_engine_create. */
SLB_MUST_CHECK SlbStatus slb_validation_create(const char *folder, int most, const SlbGraph *graph,
                                               int act_bits, const int *scales, int scale_count,
                                               const SlbCpu *cpu, int threads, SlbComm *comm,
                                               SlbValidation **validation, SlbError *err);
void slb_validation_free(SlbValidation *validation); /* NULL is allowed */

size_t slb_validation_items(const SlbValidation *validation); /* pictures times scales */

/* Mean PSNR of the bicubic pictures, by scale; owned by the validation. */
const double *slb_validation_bicubic(const SlbValidation *validation);

/* The engine whose weights are asked for below: float32. */
const SlbEngine *slb_validation_engine(const SlbValidation *validation);

/* Mean PSNR with `weights` by scale into psnr[scale_count], without pictures that bicubic or the
 * network gives back without an error (INFINITY when there are no others); all processes call it at
 * the same time and get the same. SLB_E_MEMORY; SLB_PARTIAL as in train/comm.h. */
SLB_MUST_CHECK SlbStatus slb_validation_run(SlbValidation *validation, const SlbWeights *weights,
                                            double *psnr, SlbError *err);

#endif
