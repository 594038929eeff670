#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static atomic_long fail_countdown; /* 0: off */

void slb_mem_give_back(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

void slb_mem_fail_at(long n)
{
    atomic_store(&fail_countdown, n);
}

static int must_fail(void)
{
    return atomic_load_explicit(&fail_countdown, memory_order_relaxed) > 0 &&
           atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void *slb_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SLB_MEM_LIMIT) return NULL;
    if (must_fail()) return NULL;
    bytes = (bytes + SLB_ALIGN) / SLB_ALIGN * SLB_ALIGN; /* aligned_alloc wants a multiple, not 0 */
    return aligned_alloc(SLB_ALIGN, bytes);
}

void *slb_calloc(size_t count, size_t size)
{
    void *block = slb_alloc(count, size);
    if (block) memset(block, 0, count * size);
    return block;
}

void slb_free(void *block)
{
    free(block);
}
