/* EXIF: the orientation, which changes how a picture looks, and what has to follow when the picture
 * is changed. */
#ifndef SLBSR_IMG_EXIF_H
#define SLBSR_IMG_EXIF_H

#include "img/image.h"
#include "img/meta.h"

/* The orientation, 1..8, in a block of EXIF (from its TIFF header "II" or "MM" on). 1, as it is
 * stored, when there is none or the block is faulty. */
int slb_exif_orientation(const unsigned char *exif, size_t bytes);
/* The same, but 0 when there is none or the block is faulty. */
int slb_exif_told_orientation(const unsigned char *exif, size_t bytes);

/* Brings a block of EXIF up to date in place, as slb_meta_derive says, and returns its bytes: fewer
 * where a thumbnail stood at its end and went. Tags that are missing stay missing; a faulty block
 * is left alone from the fault on. `exif` may be NULL. */
size_t slb_exif_change(unsigned char *exif, size_t bytes, const SlbMetaChange *change);

/* Turns and mirrors a picture, so that one stored with this orientation stands upright. Width and
 * height change places for 5..8. SLB_E_MEMORY leaves *image as it is. */
SLB_MUST_CHECK SlbStatus slb_image_orient(SlbImage *image, int orientation, SlbError *err);

#endif
