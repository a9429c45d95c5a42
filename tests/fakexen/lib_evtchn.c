/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxenevtchn.so.1: a file that becomes readable when a bound port was signalled. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>
#include "lib.h"

struct xenevtchn_handle {
    int fd, number;
};

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    struct hv_view *v = lib_view();
    RPC_NOT_CLEARED struct rpc message;
    xenevtchn_handle *h;
    int fds[4] = {-1, -1, -1, -1}, rc;

    rpc_begin(&message, RPC_EVT_OPEN);
    message.number = flags;
    rc = v ? hv_fault(v, __func__) : -errno;
    if (!rc)
        rc = lib_restricted() ? -EPERM : lib_ask_hv(&message, fds);
    h = rc ? NULL : malloc(sizeof *h);
    if (rc) {
        errno = -rc;
        return NULL;
    }
    if (!h)
        return NULL;
    h->fd = fds[0];
    if (flags & XENEVTCHN_NO_CLOEXEC) {
        h->fd = dup(fds[0]);
        close(fds[0]);
    }
    h->number = (int)message.number;
    v->event_fd[h->number] = h->fd;
    return h;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned open_flags)
{
    struct hv_view *v = lib_view();
    struct rpc message = {.op = RPC_EVT_ADOPT, .wide = rpc_eventfd_id(fd)};
    xenevtchn_handle *h;
    int fds[4], rc;

    rc = v ? hv_fault(v, __func__) : -errno;
    if (!rc)
        rc = open_flags ? -EINVAL : lib_ask_hv(&message, fds);
    if (rc) {
        errno = -rc;
        return NULL;
    }
    h = malloc(sizeof *h);
    if (!h)
        return NULL;
    *h = (xenevtchn_handle){.fd = fd, .number = (int)message.number};
    v->event_fd[h->number] = fd;
    return h;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    struct hv_view *v = lib_view();
    struct rpc message = {.op = RPC_EVT_CLOSE};
    int fds[4];

    if (!xce)
        return 0;
    message.number = (uint32_t)xce->number;
    v->event_fd[xce->number] = -1;
    lib_ask_hv(&message, fds);
    close(xce->fd);
    free(xce);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct hv_view *v = lib_view();
    int rc = hv_fault(v, __func__);

    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_notify(v, xce->number, port);
    hv_unlock(v->hv);
    return lib_result(rc);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    struct hv_view *v = lib_view();
    int rc = lib_enter(__func__, domid);

    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_bind(v, xce->number, remote_port);
    hv_log(v, HV_REC_BIND, rc < 0 ? rc : 0, remote_port, rc < 0 ? 0 : (uint64_t)rc, 0, 0, 0);
    hv_unlock(v->hv);
    return lib_result(rc);
}

static xenevtchn_port_or_error_t bind_other(xenevtchn_handle *xce, const char *name)
{
    struct hv_view *v = lib_view();
    int rc = hv_fault(v, name);

    if (!rc && lib_restricted())
        rc = -EPERM;
    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_bind_other(v, xce->number);
    hv_unlock(v->hv);
    return lib_result(rc);
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    return bind_other(xce, __func__);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    return bind_other(xce, __func__);
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct hv_view *v = lib_view();
    int rc = hv_fault(v, __func__);

    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_unbind(v, xce->number, port);
    hv_unlock(v->hv);
    return lib_result(rc);
}

/*
 * As read() on the real file: one port an event, blocking or EAGAIN as the descriptor's flags say.
 */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    struct hv_view *v = lib_view();
    uint64_t count;

    for (;;) {
        bool empty;
        int port;

        hv_lock(v->hv);
        port = hv_next_port(v, xce->number, &empty);
        if (port >= 0 && empty) /* nothing left: stop being readable. Signals need the lock, so none
                                   is lost here */
            empty = read(xce->fd, &count, sizeof count) == sizeof count;
        hv_unlock(v->hv);
        if (port >= 0)
            return port;
        if (read(xce->fd, &count, sizeof count) < 0)
            return -1;
    }
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct hv_view *v = lib_view();
    int rc = hv_fault(v, __func__);

    if (rc)
        return lib_result(rc);
    hv_lock(v->hv);
    rc = hv_unmask(v, xce->number, port);
    hv_unlock(v->hv);
    return lib_result(rc);
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    return lib_result(lib_restrict(domid));
}
