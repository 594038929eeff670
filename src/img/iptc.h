/* IPTC records (IIM: captions, credits, keywords) among the image resources of Photoshop, which
 * JPEG files hold in segments APP13. Of those resources the records alone are taken: the others are
 * thumbnails, resolutions and guides of the picture as it was. */
#ifndef SLBSR_IMG_IPTC_H
#define SLBSR_IMG_IPTC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "img/meta.h"

/* Bytes of the segment around records. */
enum { SLB_IPTC_HEAD = 26 };

/* The records in the contents of an APP13 segment into *iptc, which is empty before and stays so
 * where there are none, or where they do not end within it. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_iptc_read(const unsigned char *segment, size_t bytes, SlbBlock *iptc,
                                       SlbError *err);

/* Whether such a segment seems to have records, wherever in it: for a note when none could be read.
 */
bool slb_iptc_is_there(const unsigned char *segment, size_t bytes);

/* The first SLB_IPTC_HEAD bytes of a segment; behind them stand the records and, where they are an
 * odd number of bytes, a zero. */
void slb_iptc_head(size_t iptc_bytes, unsigned char head[SLB_IPTC_HEAD]);

#endif
