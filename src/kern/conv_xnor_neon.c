/* CNT counts the ones of 16 bytes at a time. */
#include <arm_neon.h>
#include <stdint.h>

#define LANES 4
#define PIXELS 4
#define WHOLE_LANES 0
#define NAME slb_conv_xnor_neon

typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

static inline Bits count(Bits x)
{
    return (Bits)vcntq_u8((uint8x16_t)x);
}

#include "kern/conv_xnor_tmpl.h"
