#include "cli/processes.h"

#include <stdio.h>

void cli_processes_close(SlbComm *comm, SlbStatus s, SlbError *err)
{
    bool own = slb_comm_has_left(comm) && s != SLB_PARTIAL; /* that is for another one's sake */
    if (comm && s != SLB_OK) {
        if (slb_comm_rank(comm) == 0 || own) fprintf(stderr, "slbsr: %s\n", err->message);
        err->message[0] = 0;
    }
    slb_comm_close(comm);
}
