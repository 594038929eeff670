#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

SlbStatus slb_fail(SlbError *err, SlbStatus status, const char *format, ...)
{
    if (!err) return status;
    err->status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    slb_clean(err->message);
    return status;
}

SlbStatus slb_fail_memory(SlbError *err, const char *what)
{
    return slb_fail(err, SLB_E_MEMORY, "out of memory: %s; try a smaller image or fewer threads",
                    what);
}

SlbStatus slb_fail_system(SlbError *err, SlbStatus status, const char *path, const char *what)
{
    if (errno == ENOMEM) return slb_fail_memory(err, path);
    return slb_fail(err, status, "%s: %s: %s", path, what, strerror(errno));
}

bool slb_error_tells(const SlbError *err, int why)
{
    const char *reason = strerror(why);
    size_t length = strlen(err->message), n = strlen(reason);
    return length > n + 2 && strcmp(err->message + length - n, reason) == 0 &&
           strncmp(err->message + length - n - 2, ": ", 2) == 0;
}
