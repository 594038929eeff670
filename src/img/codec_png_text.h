/* The texts of a PNG, such as its author, or the parameters of the program that made it: between
 * reading and writing they are one block, meta->texts. For codec_png.c alone. */
#ifndef SLBSR_IMG_CODEC_PNG_TEXT_H
#define SLBSR_IMG_CODEC_PNG_TEXT_H

#include <png.h>

#include "img/meta.h"

/* Takes those that libpng has read into meta->texts, but for XMP (key `xmp_key`) and for
 * what would be wrong of a changed picture. Notes a profile among these that the file has nowhere
 * else: EXIF, XMP and the ICC profile are read before. SLB_E_MEMORY. */
SLB_MUST_CHECK SlbStatus slb_png_take_texts(png_structp png, png_infop info, const char *xmp_key,
                                            SlbMeta *meta, SlbError *err);

/* Gives the block back to libpng, whose errors are longjmps. */
void slb_png_put_texts(png_structp png, png_infop info, const SlbBlock *texts);

#endif
