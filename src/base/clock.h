/* Time that only runs forward. */
#ifndef SLBSR_BASE_CLOCK_H
#define SLBSR_BASE_CLOCK_H

/* Seconds since some moment in the past (CLOCK_MONOTONIC). */
double slb_seconds(void);

#endif
