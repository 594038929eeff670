/* An example of slbsr.h: makes a PPM picture larger as it streams by, in memory that does not
 * depend on its height.
 *
 *     cc enlarge.c $(pkg-config --cflags --libs slbsr) -o enlarge
 *     enlarge 2.5 <photo.ppm >large.ppm
 */
#include <slbsr.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 16 }; /* that are pulled at a time */

/* The header of a PPM of 8 bits without comments; 0 when it is something else. */
static int read_header(FILE *file, SlbsrImage *image)
{
    unsigned width, height;
    if (fscanf(file, "P6 %u %u 255%*1[ \t\r\n]", &width, &height) != 2) return 0;
    *image = (SlbsrImage){.width = width, .height = height, .channels = 3, .depth = 8};
    return width > 0 && height > 0 && width < 1u << 28;
}

static int show(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    fprintf(stderr, "\r%3d %%", (int)(100.0 * (double)done / (double)total));
    return 0; /* go on */
}

static int fail(const char *why)
{
    fprintf(stderr, "enlarge: %s\n", why);
    return 1;
}

/* Rows in and rows out until there are no more of either. NULL or why not. */
static const char *stream(SlbsrContext *context, size_t in_bytes, unsigned char *row,
                          size_t out_bytes, unsigned char *rows, SlbsrError *error)
{
    for (;;) {
        uint32_t got;
        if (slbsr_pull(context, rows, out_bytes, ROWS, &got, error) != SLBSR_OK) return error->text;
        if (got) {
            if (fwrite(rows, out_bytes, got, stdout) != got) return "cannot write";
        } else if (slbsr_wanted(context)) {
            if (fread(row, 1, in_bytes, stdin) != in_bytes) return "the picture ends too early";
            if (slbsr_push(context, row, in_bytes, 1, error) != SLBSR_OK) return error->text;
        } else {
            return NULL;
        }
    }
}

int main(int argc, char **argv)
{
    SlbsrOptions options = {.struct_bytes = sizeof options, .bits = 1, .progress = show};
    SlbsrContext *context;
    SlbsrImage in, out = {0};
    SlbsrError error;
    options.scale = argc > 1 ? atof(argv[1]) : 2;
    if (!read_header(stdin, &in)) return fail("no PPM picture of 8 bits on standard input");
    if (slbsr_context_new(&options, &context, &error) != SLBSR_OK) return fail(error.text);
    if (slbsr_begin(context, &in, &out, &error) != SLBSR_OK) return fail(error.text);
    size_t in_bytes = (size_t)in.width * 3, out_bytes = (size_t)out.width * 3;
    unsigned char *row = malloc(in_bytes), *rows = malloc(out_bytes * ROWS);
    printf("P6\n%u %u\n255\n", out.width, out.height);
    const char *why =
        row && rows ? stream(context, in_bytes, row, out_bytes, rows, &error) : "out of memory";
    if (!why && fflush(stdout) != 0) why = "cannot write";
    fputc('\n', stderr);
    free(row);
    free(rows);
    slbsr_context_free(context);
    return why ? fail(why) : 0;
}
