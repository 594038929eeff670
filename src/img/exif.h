/* The one thing of EXIF that changes how a picture looks: its orientation. */
#ifndef SLBSR_IMG_EXIF_H
#define SLBSR_IMG_EXIF_H

#include "img/image.h"

/* The orientation, 1..8, in a block of EXIF (from its TIFF header "II" or "MM" on). 1, as it is
 * stored, when there is none or the block is faulty. */
int slb_exif_orientation(const unsigned char *exif, size_t bytes);

/* Turns and mirrors a picture, so that one stored with this orientation stands upright. Width and
 * height change places for 5..8. SLB_E_MEMORY leaves *image as it is. */
SLB_MUST_CHECK SlbStatus slb_image_orient(SlbImage *image, int orientation, SlbError *err);

#endif
