/* Files that have no name to tell what they are. */
#include "img/codec_format.h"
#include "img/y4m.h"

const char *slb_head_extension(const unsigned char *head, size_t bytes)
{
    if (slb_is_y4m(head, bytes)) return "y4m";
    if (slb_format_png.sniff(head, bytes)) return "png";
    if (slb_format_jpeg.sniff(head, bytes)) return "jpg";
    if (!slb_format_pnm.sniff(head, bytes)) return NULL;
    return head[1] == '7' ? "pam" : "pnm"; /* PNM would lose alpha */
}
