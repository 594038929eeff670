#include "cli/upscale_stream.h"

#include <string.h>

#include "base/mem.h"

/* Rows that are handed over at a time. */
static uint32_t piece(const SlbImageInfo *info)
{
    enum { MOST = 64, BYTES = 4 << 20 };
    size_t rows = BYTES / slb_row_bytes(info);
    return rows < 1 ? 1 : rows > MOST ? MOST : (uint32_t)rows;
}

uint64_t cli_stream_bytes(const SlbImageInfo *in, const SlbImageInfo *out)
{
    return (uint64_t)piece(in) * slb_row_bytes(in) + (uint64_t)piece(out) * slb_row_bytes(out);
}

/* All rows, through `in` and `out`, which hold a piece each. */
static SlbStatus run(SlbUpscaler *up, SlbReader *reader, SlbWriter *writer, void *in, void *out,
                     SlbError *err)
{
    const SlbImageInfo *from = slb_upscaler_in(up), *to = slb_upscaler_out(up);
    size_t in_bytes = slb_row_bytes(from), out_bytes = slb_row_bytes(to);
    SlbStatus s = SLB_OK;
    while (s == SLB_OK) {
        uint32_t wants = slb_upscaler_wants(up), ready = slb_upscaler_ready(up);
        if (wants) {
            if (wants > piece(from)) wants = piece(from);
            s = slb_reader_rows(reader, in, in_bytes, wants, err);
            if (s == SLB_OK) slb_upscaler_push(up, in, in_bytes, wants);
        } else if (ready) {
            if (ready > piece(to)) ready = piece(to);
            s = slb_upscaler_pull(up, out, out_bytes, ready, err);
            if (s == SLB_OK) s = slb_writer_rows(writer, out, out_bytes, ready, err);
        } else {
            return SLB_OK;
        }
    }
    return s;
}

static SlbStatus open_writer(const SlbReader *reader, const SlbUpscaler *up, const char *output,
                             const SlbWriteOptions *how, SlbWriter **writer, SlbError *err)
{
    const SlbImageInfo *in = slb_upscaler_in(up), *out = slb_upscaler_out(up);
    SlbMeta meta;
    SlbMetaChange change = {1, (double)out->width / in->width, (double)out->height / in->height,
                            out->width, out->height};
    SlbStatus s = slb_meta_derive(slb_reader_meta(reader), &change, &meta, err);
    if (s != SLB_OK) return s;
    s = slb_writer_open(output, out, &meta, how, writer, err);
    slb_meta_free(&meta);
    return s;
}

SlbStatus cli_upscale_stream(const SlbPlan *plan, SlbReader *reader,
                             const SlbUpscaleOptions *options, const char *output,
                             const SlbWriteOptions *how, char note[SLB_NOTE_BYTES], SlbError *err)
{
    const SlbImageInfo *in = slb_reader_info(reader), *out = &options->out;
    SlbUpscaler *up;
    SlbWriter *writer = NULL;
    SlbStatus s = slb_upscaler_create(plan, in, options, &up, err);
    if (s != SLB_OK) return s;
    unsigned char *rows_in = slb_alloc(piece(in), slb_row_bytes(in));
    unsigned char *rows_out = slb_alloc(piece(out), slb_row_bytes(out));
    if (!rows_in || !rows_out) s = slb_fail_memory(err, "rows of a picture");
    if (s == SLB_OK) s = open_writer(reader, up, output, how, &writer, err);
    if (s == SLB_OK) memcpy(note, slb_writer_note(writer), SLB_NOTE_BYTES);
    if (s == SLB_OK) s = run(up, reader, writer, rows_in, rows_out, err);
    if (s == SLB_OK) {
        s = slb_writer_finish(writer, err);
        writer = NULL;
    }
    slb_writer_abort(writer);
    slb_free(rows_in);
    slb_free(rows_out);
    slb_upscaler_free(up);
    return s;
}
