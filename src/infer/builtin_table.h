/* The generated table behind infer/builtin.h. */
#ifndef SLBSR_INFER_BUILTIN_TABLE_H
#define SLBSR_INFER_BUILTIN_TABLE_H

#include "infer/builtin.h"

extern const SlbBuiltin slb_builtin_table[]; /* by name; a NULL name ends it; see src/embed.cmake */

#endif
