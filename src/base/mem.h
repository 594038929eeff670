/* One allocator for everything whose size comes from outside. */
#ifndef SLBSR_BASE_MEM_H
#define SLBSR_BASE_MEM_H

#include <stddef.h>

/* Bytes of alignment of every block: a cache line, and the widest vector register. */
enum { SLB_ALIGN = 64 };

/* Room for `count` elements of `size` bytes, aligned to SLB_ALIGN, contents undefined. NULL when
 * count * size overflows or exceeds SLB_MEM_LIMIT, or when memory is out. A count of 0 gives a
 * valid block of no use. The caller frees it with slb_free. */
void *slb_alloc(size_t count, size_t size);

/* slb_alloc, filled with zero bytes. */
void *slb_calloc(size_t count, size_t size);

/* Frees a block of slb_alloc or slb_calloc. NULL is allowed. */
void slb_free(void *block);

/* For programs whose memory is bounded: from now on blocks of 256 KiB or more, those of other
 * libraries too, go back to the system when they are freed. glibc's malloc keeps such blocks after
 * the first ones otherwise, for the thread that had them, while the next thread takes as much
 * again. To be called before there are other threads. Nothing happens with other C libraries. */
void slb_mem_give_back(void);

/* Sizes of files and the limits on them are taken for granted all over. */
_Static_assert(sizeof(size_t) >= 8, "slbsr needs a 64-bit system");

/* Largest single block that is given out: 1 TiB; sizes above it are overflow or nonsense. */
#define SLB_MEM_LIMIT ((size_t)1 << 40)

/* For tests: the n-th allocation from now on (1 is the next) fails, and only that; 0 switches off.
 */
void slb_mem_fail_at(long n);

#endif
