/* What the checks of kernels share (tests/kern/check_*.c, run by test_kernels.c): every kernel that
 * this machine can run against plain loops, over odd sizes and extreme values, in memory whose ends
 * are watched. SLBSR_SEED=N takes other numbers than usual; messages say which were taken. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/guarded.h"

/* The groups: each runs its tests and returns the number of those that failed. */
int check_conv_u8(void);
int check_conv_xnor(void);
int check_conv_f32(void);
int check_conv_bf16(void);
int check_edge(void);
int check_tensor(void);

static inline uint64_t check_seed(void)
{
    const char *text = getenv("SLBSR_SEED");
    return text ? strtoull(text, NULL, 10) : 20;
}

/* Numbers of their own for each of `stream` and `index`. */
static inline SlbRng check_rng(uint64_t stream, uint64_t index)
{
    return slb_rng(check_seed(), stream, index);
}

/* Zeroed, 64-byte aligned; slb_free. */
static inline void *room(size_t count, size_t size)
{
    void *block = slb_calloc(count, size);
    assert_non_null(block);
    return block;
}

#endif
