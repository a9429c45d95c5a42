/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -display sdl: the window's program, and what its close button does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/frontend.h"
#include "dm/log.h"

/*
 * The power button's status bit is the hypervisor's, and only an unstable interface sets it. What
 * is left is what "xl shutdown" does: the guest's drivers are asked by xenstore. They say there
 * that they can be. Whoever listens to QMP is told in every case.
 */
static bool ask_drivers(struct dm *dm)
{
    char path[80], *able;
    bool asked;

    if (dm->restricted)
        return false;
    snprintf(path, sizeof(path), "/local/domain/%u/control/feature-poweroff", dm->config->domid);
    able = xen_store_read(dm->xen, path);
    asked = able && strcmp(able, "1") == 0;
    free(able);
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", dm->config->domid);
    return asked && xen_store_write(dm->xen, path, "poweroff") == 0;
}

static void window_closed(void *opaque)
{
    struct dm *dm = opaque;

    qmp_event(dm->qmp, "POWERDOWN", NULL);
    if (ask_drivers(dm))
        log_guest("the window was closed: the guest is asked to power off");
    else
        log_guest("the window was closed, but no driver of the guest can be asked to power off; "
                  "\"xl trigger %u power\" presses its power button",
                  dm->config->domid);
}

int frontend_add_sdl(struct dm *dm, struct frontends *hub)
{
    const char *display = getenv("DISPLAY");
    char program[256];
    const char *argv[] = {program, dm->config->full_screen ? "--full-screen" : NULL, NULL};
    int rc;

    if (!display || !display[0]) {
        log_warn("-display sdl: DISPLAY is not set (display= in the guest's configuration); the "
                 "guest starts without a window");
        return 0;
    }
    if (frontend_program("slimdm-supervise", program, sizeof(program)) ||
        frontend_program("slimdm-sdl", program, sizeof(program))) {
        log_warn("-display sdl: %s is not installed; the guest starts without a window", program);
        return 0;
    }
    rc = frontends_add(hub, argv);
    if (rc < 0)
        return rc;
    frontends_on_close(hub, window_closed, dm);
    return 1;
}
