/* The float32 loop for one vector width: SUMS independent sums hide the latency. */
#include "kern/peak_isa.h"
#include "kern/unroll.h"

typedef float Vec __attribute__((vector_size(LANES * 4)));

double NAME(long rounds)
{
    Vec sum[SUMS], a, b;
    for (int i = 0; i < LANES; i++) {
        a[i] = 0.999f;
        b[i] = 0.001f;
    }
    for (int s = 0; s < SUMS; s++) sum[s] = b;
    for (long r = 0; r < rounds; r++) {
        SLB_UNROLL
        for (int s = 0; s < SUMS; s++) sum[s] = sum[s] * a + b;
    }
    Vec all = sum[0];
    for (int s = 1; s < SUMS; s++) all += sum[s];
    volatile float sink = all[0]; /* so that the loop is not left out */
    (void)sink;
    return 2.0 * SUMS * LANES * (double)rounds;
}
