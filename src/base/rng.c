#include "base/rng.h"

#include <math.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

SlbRng slb_rng(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t s = mix(seed + 0x9e3779b97f4a7c15u);
    s = mix(s ^ (stream + 0x9e3779b97f4a7c15u));
    return (SlbRng){mix(s ^ (index + 0x9e3779b97f4a7c15u))};
}

uint64_t slb_rng_next(SlbRng *rng)
{
    return mix(rng->state += 0x9e3779b97f4a7c15u);
}

uint64_t slb_rng_below(SlbRng *rng, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)slb_rng_next(rng) * n) >> 64);
}

double slb_rng_uniform(SlbRng *rng)
{
    return (double)(slb_rng_next(rng) >> 11) * 0x1p-53;
}

double slb_rng_normal(SlbRng *rng)
{
    double u = 1.0 - slb_rng_uniform(rng); /* (0, 1]: the logarithm is finite */
    double v = slb_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925286766559 * v);
}
