/* Records of training runs, as 'slbsr plot' reads them. */
#include "cli/train_log.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
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
    train_log_free(&log);
    return 0;
}
