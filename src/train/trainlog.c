#include "train/trainlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

enum { MAX_LOG_BYTES = 1 << 28, FIXED_COLUMNS = 8 };

static void write_header(FILE *file, const int *scales, int scale_count)
{
    fprintf(file, "step,seconds,loss,bicubic_loss,rate,sharpness");
    for (int i = 0; i < scale_count; i++)
        fprintf(file, ",psnr_x%d,psnr_soft_x%d,bicubic_x%d", scales[i], scales[i], scales[i]);
    fprintf(file, ",data_share,peak_mb\n");
}

static int columns(const char *line)
{
    int n = 1;
    for (; *line && *line != '\n'; line++) n += *line == ',';
    return n;
}

/* Copies the rows up to `step` of an older file, without its header; one of fewer columns (of an
 * earlier version) lacks the last ones. */
static void copy_rows(FILE *file, const char *text, int scale_count, long step)
{
    int missing = FIXED_COLUMNS + 3 * scale_count - columns(text);
    for (const char *line = strchr(text, '\n'); line && *++line;) {
        size_t length = strcspn(line, "\n");
        if (line[length] != '\n') return; /* a row that was cut off */
        if (strtol(line, NULL, 10) <= step) {
            fwrite(line, 1, length, file);
            for (int i = 0; i < missing; i++) fputc(',', file);
            fputc('\n', file);
        }
        line += length;
    }
}

SlbStatus slb_trainlog_begin(const char *path, const int *scales, int scale_count, long step,
                             SlbError *err)
{
    static const char beginning[] = "step,seconds,loss";
    unsigned char *old = NULL;
    size_t bytes = 0;
    if (access(path, F_OK) == 0) { /* a log that is gone begins anew */
        SlbStatus read = slb_read_file(path, MAX_LOG_BYTES, SLB_E_OUTPUT, &old, &bytes, err);
        if (read != SLB_OK) return read;
    }
    if (old && bytes && strncmp((const char *)old, beginning, strlen(beginning)) != 0) {
        slb_free(old);
        return slb_fail(err, SLB_E_OUTPUT,
                        "%s: is no training log; move it away or choose another --out", path);
    }
    SlbOutput out;
    SlbStatus s = slb_output_open(&out, path, true, err);
    if (s == SLB_OK) {
        write_header(out.file, scales, scale_count);
        if (old && bytes && step > 0) copy_rows(out.file, (const char *)old, scale_count, step);
        s = slb_output_commit(&out, err);
    }
    slb_free(old);
    return s;
}

SlbStatus slb_trainlog_add(const char *path, const SlbTrainReport *report, SlbError *err)
{
    FILE *file = fopen(path, "ae");
    if (!file) return slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be opened");
    fprintf(file, "%ld,%.1f,%.9g,%.9g,%.6g,%.6g", report->step, report->seconds, report->loss,
            report->baseline, report->rate, report->sharpness);
    for (int i = 0; i < report->scale_count; i++) {
        if (report->validated)
            fprintf(file, ",%.4f,%.4f,%.4f", report->psnr[i], report->psnr_soft[i],
                    report->bicubic[i]);
        else
            fprintf(file, ",,,");
    }
    fprintf(file, ",%.5f,%.0f\n", report->data_share, report->peak_mb);
    int failed = ferror(file);
    if (fclose(file) != 0 || failed)
        return slb_fail_system(err, SLB_E_OUTPUT, path, "cannot be written");
    return SLB_OK;
}
