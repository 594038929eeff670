#include "cli/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/embed.h"
#include "base/text.h"
#include "img/codec.h"

void html_text(FILE *out, const char *text)
{
    for (const char *c = text; *c;) {
        size_t n = slb_utf8_bytes(c);
        switch (*c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default:
            if (n == 0 || slb_control_at(c))
                fputs("&#xfffd;", out);
            else
                fwrite(c, 1, n, out);
        }
        c += n ? n : 1;
    }
}

/* An embedded file as it is. */
static void put_embedded(FILE *out, const char *name)
{
    for (const SlbEmbed *e = slb_embed; e->name; e++)
        if (strcmp(e->name, name) == 0) fwrite(e->data, 1, (size_t)(e->end - e->data), out);
}

static const char beginning[] = "<!doctype html>\n<html lang=\"en\">\n<head>\n"
                                "<meta charset=\"utf-8\">\n<meta name=\"generator\" "
                                "content=\"slbsr ";

void html_begin(FILE *out, const char *generator, const char *title)
{
    fprintf(out, "%s%s\">\n", beginning, generator);
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>",
          out);
    html_text(out, title);
    fputs("</title>\n<style>\n", out);
    put_embedded(out, "page.css");
    fputs("</style>\n</head>\n<body>\n<h1>", out);
    html_text(out, title);
    fputs("</h1>\n", out);
}

void html_end(FILE *out, const char *script, const char *command_line)
{
    fputs("<footer>\n<p>Made by slbsr " SLBSR_VERSION ":</p>\n<pre class=\"command\">", out);
    html_text(out, command_line);
    fputs("</pre>\n</footer>\n", out);
    if (script) {
        fputs("<script>\n", out);
        put_embedded(out, script);
        fputs("</script>\n", out);
    }
    fputs("</body>\n</html>\n", out);
}

void html_number(FILE *out, double value, int decimals)
{
    if (isnan(value))
        fputs("&ndash;", out);
    else if (isinf(value))
        fputs(value > 0 ? "&infin;" : "&minus;&infin;", out);
    else
        fprintf(out, "%.*f", decimals, value);
}

void html_cell(FILE *out, double value, int decimals, const char *classes)
{
    fputs("<td", out);
    if (classes && *classes) fprintf(out, " class=\"%s\"", classes);
    if (isfinite(value)) fprintf(out, " data-value=\"%.6f\"", value);
    fputc('>', out);
    html_number(out, value, decimals);
    fputs("</td>", out);
}

static void put_base64(FILE *out, const unsigned char *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        unsigned v = (unsigned)data[i] << 16;
        if (left > 1) v |= (unsigned)data[i + 1] << 8;
        if (left > 2) v |= data[i + 2];
        const char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                              left > 1 ? digits[v >> 6 & 63] : '=',
                              left > 2 ? digits[v & 63] : '='};
        fwrite(four, 1, sizeof four, out);
    }
}

SlbStatus html_picture(FILE *out, const SlbImage *image, const char *attributes, const char *alt,
                       SlbError *err)
{
    unsigned char *png;
    size_t bytes;
    SlbStatus s = slb_image_to_png(image, &png, &bytes, err);
    if (s != SLB_OK) return s;
    fprintf(out, "<img %s width=\"%u\" height=\"%u\" alt=\"", attributes, image->info.width,
            image->info.height);
    html_text(out, alt);
    fputs("\" src=\"data:image/png;base64,", out);
    put_base64(out, png, bytes);
    fputs("\">", out);
    free(png);
    return SLB_OK;
}

static bool is_ours(const char *path, const char *generator)
{
    char head[sizeof beginning + 32] = "", want[sizeof head];
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false; /* a pipe would be waited for */
    FILE *file = fopen(path, "rbe");
    if (!file) return false;
    size_t n = fread(head, 1, sizeof head - 1, file);
    fclose(file);
    head[n] = 0;
    int length = snprintf(want, sizeof want, "%s%s\"", beginning, generator);
    return length > 0 && strncmp(head, want, (size_t)length) == 0;
}

SlbStatus html_open(SlbOutput *out, const char *path, bool overwrite, const char *generator,
                    SlbError *err)
{
    if (strcmp(path, "-") == 0)
        return slb_fail(err, SLB_E_USAGE, "--html: a page goes into a file; give its name");
    return slb_output_open(out, path, overwrite || is_ours(path, generator), err);
}
