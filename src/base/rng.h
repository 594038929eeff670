/* Random numbers keyed by position, not by history: (seed, stream, index) always gives the same
 * number, so that a resumed or parallel run draws what an unbroken one draws. */
#ifndef SLBSR_BASE_RNG_H
#define SLBSR_BASE_RNG_H

#include <stdint.h>

typedef struct SlbRng {
    uint64_t state;
} SlbRng;

/* A generator for one purpose: seed of the run, stream (what it is for), index (step, sample). */
SlbRng slb_rng(uint64_t seed, uint64_t stream, uint64_t index);

/* 64 uniform bits (SplitMix64, Steele et al. 2014). */
uint64_t slb_rng_next(SlbRng *rng);

/* Uniform integer in [0, n), n > 0. The bias is below n / 2^64. */
uint64_t slb_rng_below(SlbRng *rng, uint64_t n);

/* Uniform in [0, 1), 53 bits. */
double slb_rng_uniform(SlbRng *rng);

/* Standard normal (Box-Muller, one value a call). */
double slb_rng_normal(SlbRng *rng);

#endif
