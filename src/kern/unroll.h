/* SLB_UNROLL before a loop whose number of rounds is a constant once its function is inlined: all
 * rounds are written out, so that arrays of sums are registers. gcc has its own word for it and
 * clang does not know that one: without it clang 14 leaves sums in memory, at a third of the
 * speed. */
#ifndef SLBSR_KERN_UNROLL_H
#define SLBSR_KERN_UNROLL_H

#if defined(__clang__)
#define SLB_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SLB_UNROLL _Pragma("GCC unroll 16")
#endif

#endif
