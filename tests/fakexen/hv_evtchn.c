/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels as the Linux evtchn driver shows them: a delivered port is masked and queued on
 * its file until it is unmasked; an event on a masked port is kept as pending.
 */
#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "hv.h"

int hv_guest_port_new(struct hv *hv)
{
    for (uint32_t port = 3; port < HV_PORTS; port++) { /* 1 and 2 belong to xenstore and console */
        if (hv->gport[port].used)
            continue;
        hv->gport[port] = (struct hv_guest_port){.used = 1};
        return (int)port;
    }
    return -ENOSPC;
}

void hv_guest_port_free(struct hv_view *v, uint32_t port)
{
    struct hv_guest_port *g = &v->hv->gport[port];

    if (g->local)
        v->hv->lport[g->local].guest = 0;
    g->used = 0;
    g->local = 0;
}

static void wake(struct hv_view *v, int handle)
{
    const uint64_t one = 1;

    if (v->event_fd[handle] >= 0 && write(v->event_fd[handle], &one, sizeof one) < 0)
        return; /* the counter is full: it is readable anyway */
}

static void raise_local(struct hv_view *v, uint32_t local)
{
    struct hv_local_port *l = &v->hv->lport[local];
    struct hv_handle *h;

    if (l->masked) {
        l->pending = 1;
        return;
    }
    h = &v->hv->handle[l->handle];
    if (h->tail - h->head == HV_QUEUE)
        return;
    l->masked = 1;
    l->pending = 0;
    h->port[h->tail++ % HV_QUEUE] = local;
    if (h->tail - h->head == 1)
        wake(v, l->handle);
}

static int local_new(struct hv_view *v, int handle, uint32_t guest)
{
    for (uint32_t port = 64; port < HV_PORTS; port++) { /* the low numbers are dom0's own */
        if (v->hv->lport[port].used)
            continue;
        v->hv->lport[port] = (struct hv_local_port){.used = 1, .handle = handle, .guest = guest};
        return (int)port;
    }
    return -ENOSPC;
}

int hv_bind(struct hv_view *v, int handle, uint32_t guest)
{
    struct hv_guest_port *g;
    int local;

    if (guest >= HV_PORTS || !v->hv->gport[guest].used || v->hv->gport[guest].local)
        return -EINVAL;
    g = &v->hv->gport[guest];
    local = local_new(v, handle, guest);
    if (local < 0)
        return local;
    g->local = (uint32_t)local;
    raise_local(v, g->local); /* so that nothing sent while it was unbound is lost */
    return local;
}

int hv_bind_other(struct hv_view *v, int handle)
{
    return local_new(v, handle, 0);
}

static struct hv_local_port *own(struct hv_view *v, int handle, uint32_t local)
{
    if (local >= HV_PORTS || !v->hv->lport[local].used || v->hv->lport[local].handle != handle)
        return NULL;
    return &v->hv->lport[local];
}

int hv_unbind(struct hv_view *v, int handle, uint32_t local)
{
    struct hv_local_port *l = own(v, handle, local);

    if (!l)
        return -ENOTCONN;
    if (l->guest)
        v->hv->gport[l->guest].local = 0;
    l->used = 0;
    return 0;
}

int hv_unmask(struct hv_view *v, int handle, uint32_t local)
{
    struct hv_local_port *l = own(v, handle, local);

    if (!l)
        return -EINVAL;
    l->masked = 0;
    if (l->pending)
        raise_local(v, local);
    return 0;
}

int hv_notify(struct hv_view *v, int handle, uint32_t local)
{
    struct hv *hv = v->hv;
    struct hv_local_port *l = own(v, handle, local);

    if (!l)
        return -ENOTCONN;
    if (!l->guest)
        return 0;
    __atomic_add_fetch(&hv->gport[l->guest].notified, 1, __ATOMIC_RELEASE);
    __atomic_add_fetch(&hv->notify_seq, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&hv->vcpu_waiting, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &hv->notify_seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return 0;
}

/* Takes the next delivered port of a file, or -EAGAIN. *empty tells whether the queue has run dry
 * with it. */
int hv_next_port(struct hv_view *v, int handle, bool *empty)
{
    struct hv_handle *h = &v->hv->handle[handle];

    while (h->head != h->tail) {
        uint32_t port = h->port[h->head++ % HV_QUEUE];

        *empty = h->head == h->tail;
        if (own(v, handle, port))
            return (int)port;
    }
    *empty = true;
    return -EAGAIN;
}

void hv_signal(struct hv_view *v, uint32_t guest)
{
    uint32_t local = guest < HV_PORTS ? v->hv->gport[guest].local : 0;

    if (local)
        raise_local(v, local);
}

void hv_handle_release(struct hv_view *v, int handle)
{
    for (uint32_t port = 0; port < HV_PORTS; port++)
        if (v->hv->lport[port].used && v->hv->lport[port].handle == handle)
            hv_unbind(v, handle, port);
    v->hv->handle[handle].used = 0;
    v->hv->handle[handle].head = v->hv->handle[handle].tail = 0;
}
