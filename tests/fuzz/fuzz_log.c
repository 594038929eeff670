/* Records of training runs, as 'slbsr plot' reads them, and the page that it makes of them. */
#include "cli/train_html.h"
#include "cli/train_log.h"
#include "fuzz/fuzz.h"

enum { MAX_ROWS = 256 /* for a page */, MAX_PAGE = 1 << 26 };

/* The page of this record once, or of several, with the input as its command line. */
static void write_page(const TrainLog *log, bool several, const char *command_line)
{
    static const char end[] = "</body>\n</html>\n";
    const TrainLog logs[] = {*log, *log, *log};
    const char *path = fuzz_path("page.html");
    unsigned char *page;
    size_t bytes;
    SlbError err = {0};
    fuzz_status(train_html_write(path, true, logs, several ? 3 : 1, command_line, &err), SLB_OK,
                &err);
    fuzz_status(slb_read_file(path, MAX_PAGE, SLB_E_INPUT, &page, &bytes, &err), SLB_OK, &err);
    fuzz_want(strlen((char *)page) == bytes, "a zero byte in a page");
    const char *body = strstr((char *)page, "<h1>");
    fuzz_want(body && !strstr(body, "<script") && !strstr(body, "<p>nan"), "no page of a run");
    fuzz_want(bytes > sizeof end && strcmp((char *)page + bytes - (sizeof end - 1), end) == 0,
              "a page without an end");
    slb_free(page);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const FuzzInput in = {data, bytes};
    TrainLog log;
    SlbError err = {0};
    double step = 0, sum = 0;
    SlbStatus status = train_log_read(fuzz_file(data, bytes), &log, &err);
    fuzz_status(status, SLB_E_INPUT, &err);
    if (status != SLB_OK) return 0;
    for (int c = 0; c < log.columns; c++) {
        for (size_t row = 0; row < log.rows; row++) sum += log.value[c][row];
        (void)train_log_last(&log, log.column[c], &step);
    }
    fuzz_use(sum + step);
    if (log.rows <= MAX_ROWS) {
        char *text = fuzz_text(&in);
        write_page(&log, bytes % 2, text);
        free(text);
    }
    train_log_free(&log);
    return 0;
}
