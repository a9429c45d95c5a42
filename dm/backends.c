/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the command line's words to open files, terminals and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/log.h"
#include "dm/machine_pv.h"

/* ---- serial ports --------------------------------------------------------------------------- */

static int chardev_kind(enum config_chardev_kind kind, enum chardev_kind *out)
{
    switch (kind) {
    case CONFIG_CHARDEV_NULL:
    case CONFIG_CHARDEV_VC:
        *out = CHARDEV_NULL;
        return 0;
    case CONFIG_CHARDEV_PTY:
        *out = CHARDEV_PTY;
        return 0;
    case CONFIG_CHARDEV_STDIO:
        *out = CHARDEV_STDIO;
        return 0;
    case CONFIG_CHARDEV_FILE:
        *out = CHARDEV_FILE;
        return 0;
    case CONFIG_CHARDEV_PIPE:
        *out = CHARDEV_PIPE;
        return 0;
    case CONFIG_CHARDEV_DEVICE:
        *out = CHARDEV_TTY;
        return 0;
    case CONFIG_CHARDEV_UNIX:
        *out = CHARDEV_UNIX;
        return 0;
    case CONFIG_CHARDEV_TCP:
        *out = CHARDEV_TCP;
        return 0;
    case CONFIG_CHARDEV_UDP:
        *out = CHARDEV_UDP;
        return 0;
    case CONFIG_CHARDEV_NONE:
    case CONFIG_CHARDEV_RING:
        break;
    }
    return -EOPNOTSUPP;
}

static int open_chardev(struct dm *dm, const struct config_chardev *c, struct chardev **out)
{
    struct chardev_config cc = {
        .label = c->id,
        .path = c->path,
        .host = c->host,
        .port = c->port,
        .local_host = c->local_host,
        .local_port = c->local_port,
        .fd = c->fd,
        .server = c->server,
        .wait = c->wait,
        .telnet = c->telnet,
        .nodelay = c->nodelay,
        .append = c->append,
        .reconnect_s = c->reconnect,
    };
    int rc = chardev_kind(c->kind, &cc.kind);

    if (rc) {
        log_error("%s: the back end \"%s\" cannot carry a serial port", c->id,
                  c->spec ? c->spec : "");
        return rc;
    }
    return chardev_create(out, dm->env.loop, dm->env.workers, &cc);
}

int backends_open_serial(struct dm *dm)
{
    const struct config *config = dm->config;

    for (unsigned n = 0; n < CONFIG_SERIAL_MAX; n++) {
        int rc;

        if (!config->serial[n].present)
            continue;
        rc = open_chardev(dm, &config->chardev[config->serial[n].chardev], &dm->serial[n]);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- QMP ------------------------------------------------------------------------------------ */

/* The socket that xentop reads knows only answers. */
static bool takes_events(const struct config_chardev *c)
{
    return strcmp(c->id, "libxenstat-cmd") != 0;
}

int backends_open_qmp(struct dm *dm)
{
    const struct config *config = dm->config;

    for (unsigned i = 0; i < config->fdset_count; i++) {
        const struct config_fdset *f = &config->fdset[i];
        int64_t set = fdsets_add(qmp_fdsets(dm->qmp), f->set, f->fd, f->opaque, true);

        if (set < 0) {
            log_error("-add-fd fd=%d,set=%u: %s", f->fd, f->set, strerror((int)-set));
            return (int)set;
        }
    }
    for (unsigned i = 0; i < config->monitor_count; i++) {
        const struct config_chardev *c = &config->chardev[config->monitor[i].chardev];
        unsigned flags =
            (takes_events(c) ? 0 : QMP_NO_EVENTS) | (config->monitor[i].pretty ? QMP_PRETTY : 0);
        int rc;

        if (c->kind != CONFIG_CHARDEV_UNIX || !c->server) {
            log_error("-mon chardev=%s: QMP is served on listening UNIX sockets only", c->id);
            return -EOPNOTSUPP;
        }
        if (c->fd >= 0)
            rc = qmp_listen_fd(dm->qmp, c->fd, flags);
        else
            rc = qmp_listen_unix(dm->qmp, c->path, flags);
        if (rc) {
            log_error("-chardev %s: cannot listen on %s: %s", c->id,
                      c->path ? c->path : "the given descriptor", strerror(-rc));
            return rc;
        }
    }
    return 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

void backends_close(struct dm *dm)
{
    machine_pv_close(dm->pv);
    dm->pv = NULL;
    for (unsigned i = 0; i < CONFIG_DRIVE_MAX; i++) {
        if (dm->drive[i].block)
            block_close(dm->drive[i].block);
        backends_forget_drive(&dm->drive[i]);
    }
    backends_close_nets(dm);
    for (unsigned n = 0; n < CONFIG_SERIAL_MAX; n++)
        chardev_destroy(dm->serial[n]);
}
