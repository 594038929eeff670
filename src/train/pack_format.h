/* Numbers of the pack format (pack.h), for pack.c and pack_write.c. */
#ifndef SLBSR_TRAIN_PACK_FORMAT_H
#define SLBSR_TRAIN_PACK_FORMAT_H

#define SLB_PACK_MAGIC "SLBPACK1"
enum { SLB_PACK_HEADER = 24, SLB_PACK_ENTRY = 24 };

#endif
