/* Commands that several processes carry out together (train/comm.h). */
#ifndef SLBSR_CLI_PROCESSES_H
#define SLBSR_CLI_PROCESSES_H

#include "train/comm.h"

/* Ends the work of a command with status `s`. With several processes the message of *err is printed
 * here and taken out of it: once one of them has left with a failure, mpirun ends the others, and
 * the one that has to speak must have done so. That is rank 0, and one that fails for reasons of
 * its own. */
void cli_processes_close(SlbComm *comm, SlbStatus s, SlbError *err);

#endif
