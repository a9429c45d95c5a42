/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "-machine none": libxl 4.20 and later asks the program what its command line understands before
 * it starts it for a guest. No domain is named and none is touched; QMP is all there is.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "dm/dm.h"
#include "dm/log.h"

static enum qmp_run_state probe_state(void *opaque)
{
    return QMP_STATE_PRELAUNCH;
}

static void probe_quit(void *opaque)
{
    life_end(opaque, 0);
}

static void probe_signal(void *opaque, int signum)
{
    life_end(opaque, 0);
}

static const struct qmp_ops probe_ops = {.run_state = probe_state, .quit = probe_quit};

int dm_run_probe(const struct config *config)
{
    struct dm *dm = calloc(1, sizeof(*dm));
    int status = 1;
    int rc;

    if (!dm) {
        log_error("out of memory");
        return 1;
    }
    dm->config = config;
    signal(SIGPIPE, SIG_IGN);
    rc = loop_create(&dm->env.loop);
    if (!rc)
        rc = loop_signal(dm->env.loop, SIGTERM, probe_signal, dm);
    if (!rc)
        rc = loop_signal(dm->env.loop, SIGHUP, probe_signal, dm);
    if (!rc)
        rc = loop_signal(dm->env.loop, SIGINT, probe_signal, dm);
    if (!rc)
        rc = qmp_create(&dm->qmp, dm->env.loop, &probe_ops, dm);
    if (rc)
        log_error("cannot start QMP: %s", strerror(-rc));
    if (!rc)
        rc = backends_open_qmp(dm);
    if (!rc && config->monitor_count)
        status = loop_run(dm->env.loop);
    else if (!rc)
        log_error("-machine none without -mon: there is nothing to do");
    if (dm->qmp)
        qmp_destroy(dm->qmp);
    loop_destroy(dm->env.loop);
    free(dm);
    return status;
}
