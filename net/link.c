/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all links have in common: who is attached, whether the link is up, what is watched.
 *
 * The NIC may be in the middle of a call when a back-end finds out that its other end is gone;
 * therefore it is told of that in the next turn, and of nothing else behind its back.
 */
#include "net/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ETHERNET_HEADER 14
/* What is shorter than a header is no frame: skipped, so many of them in one call. */
#define SKIPPED_MAX 16
/* Frames that waited while the cable was out; a tap holds at most 1000 unless told otherwise. */
#define DISCARD_MAX 1024

static bool live(const struct net *net)
{
    return net->attached && net->cable && net->carrier;
}

/* ---- watching ------------------------------------------------------------------------------- */

void net_watch(struct net *net)
{
    /* Errors and hang-ups are always looked out for: nobody may want to read for a long time. */
    uint32_t events = EPOLLERR | EPOLLRDHUP;

    if (net->fd < 0)
        return;
    if (live(net) && net->want)
        events |= EPOLLIN;
    if (net->flushing || (net->blocked && live(net)))
        events |= EPOLLOUT;
    loop_fd_want(net->loop, &net->watch, events);
    if ((events & EPOLLIN) && net->backend->buffered && net->backend->buffered(net))
        loop_defer(net->loop, &net->again);
}

static void receive_more(struct net *net)
{
    if (!live(net) || !net->want)
        return;
    net->nic.readable(net->nic.opaque);
    if (live(net) && net->want && net->backend->buffered && net->backend->buffered(net))
        loop_defer(net->loop, &net->again);
}

static void receive_again(void *opaque)
{
    receive_more(opaque);
}

static void unblock(struct net *net)
{
    net->blocked = false;
    net_watch(net);
    if (net->attached)
        net->nic.writable(net->nic.opaque);
}

static void ready(void *opaque, uint32_t events)
{
    struct net *net = opaque;

    if ((events & EPOLLOUT) && net->flushing) {
        net->flushing = !net->backend->flush(net);
        net_watch(net);
    }
    if ((events & EPOLLOUT) && net->blocked && !net->flushing && live(net))
        unblock(net);
    if ((events & EPOLLIN) && live(net) && net->want)
        receive_more(net);
    else if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) && net->fd >= 0)
        net->backend->trouble(net);
    else if (events & EPOLLIN)
        net_watch(net);
}

/* ---- up and down ---------------------------------------------------------------------------- */

bool net_link_up(const struct net *net)
{
    return net->cable && net->carrier;
}

bool net_cable_in(const struct net *net)
{
    return net->cable;
}

static void tell_link(void *opaque)
{
    struct net *net = opaque;
    bool up = net_link_up(net);

    loop_defer_cancel(net->loop, &net->notify);
    if (net->attached)
        net->nic.link_changed(net->nic.opaque, up);
    /* A frame that waits for room is lost now; its owner finds out by trying again. */
    if (!up && net->blocked)
        unblock(net);
    net_watch(net);
}

static void discard(struct net *net)
{
    uint8_t scrap[ETHERNET_HEADER];
    struct iovec iov = {scrap, sizeof(scrap)};

    for (int i = 0; i < DISCARD_MAX && net->fd >= 0; i++)
        if (net->backend->receive(net, &iov, 1) < 0)
            return;
}

void net_set_link(struct net *net, bool up)
{
    if (up && !net->cable)
        discard(net);
    if (up != net->cable && net->backend->link)
        net->backend->link(net, up);
    net->cable = up;
    tell_link(net);
}

int net_connected(struct net *net, int fd)
{
    int rc = loop_fd_add(net->loop, &net->watch, fd, EPOLLERR, ready, net);

    if (rc)
        return rc;
    net->fd = fd;
    net->carrier = true;
    loop_defer(net->loop, &net->notify);
    net_watch(net);
    return 0;
}

static void disconnect(struct net *net)
{
    if (net->fd < 0)
        return;
    loop_fd_remove(net->loop, &net->watch);
    close(net->fd);
    net->fd = -1;
    net->flushing = false;
    loop_defer_cancel(net->loop, &net->again);
}

void net_lost(struct net *net)
{
    disconnect(net);
    net->carrier = false;
    loop_defer(net->loop, &net->notify);
}

/* ---- the NIC's calls ------------------------------------------------------------------------ */

void net_attach(struct net *net, const struct net_nic *nic)
{
    net->nic = *nic;
    net->attached = true;
    net->want = false;
    net->blocked = false;
    tell_link(net);
}

void net_detach(struct net *net)
{
    net->attached = false;
    net->want = false;
    net->blocked = false;
    loop_defer_cancel(net->loop, &net->again);
    loop_defer_cancel(net->loop, &net->notify);
    net_watch(net);
    /* An interface without a NIC behind it stays for the toolstack, but nothing goes in. */
    if (net->backend->link)
        net->backend->link(net, false);
    discard(net);
}

static int send_frame(struct net *net, const struct iovec *iov, int count,
                      const struct net_offload *work)
{
    size_t len = 0;
    int rc;

    if (count < 1 || count > NET_IOV_MAX)
        return -E2BIG;
    if (!net_link_up(net))
        return -ENETDOWN;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    if (len > NET_FRAME_MAX || len < ETHERNET_HEADER)
        return -EMSGSIZE;
    rc = net->flushing ? -EAGAIN : net->backend->send(net, iov, count, len, work);
    if (rc == -EAGAIN) {
        net->blocked = true;
        net_watch(net);
    }
    return rc;
}

int net_send(struct net *net, const struct iovec *iov, int count)
{
    return send_frame(net, iov, count, NULL);
}

bool net_has_offload(const struct net *net)
{
    return net->backend->offload;
}

int net_send_offload(struct net *net, const struct iovec *iov, int count,
                     const struct net_offload *work)
{
    return send_frame(net, iov, count, work);
}

ssize_t net_receive(struct net *net, const struct iovec *iov, int count)
{
    if (count < 1 || count > NET_IOV_MAX)
        return -E2BIG;
    if (!net_link_up(net))
        return -ENETDOWN;
    for (int i = 0; i < SKIPPED_MAX; i++) {
        ssize_t n = net->backend->receive(net, iov, count);

        if (n < 0 || n >= ETHERNET_HEADER)
            return n;
    }
    return -EAGAIN;
}

void net_want_receive(struct net *net, bool want)
{
    if (net->want == want)
        return;
    net->want = want;
    /* A ring that is full now and then costs no system call: when a frame comes meanwhile, ready()
     * stops looking. */
    if (want)
        net_watch(net);
}

/* ---- making --------------------------------------------------------------------------------- */

int net_init(struct net *net, const struct net_backend *backend, struct loop *loop,
             const char *name)
{
    *net = (struct net){
        .backend = backend,
        .loop = loop,
        .name = strdup(name),
        .cable = true,
        .fd = -1,
        .again = {.run = receive_again, .opaque = net},
        .notify = {.run = tell_link, .opaque = net},
    };
    return net->name ? 0 : -ENOMEM;
}

void net_fini(struct net *net)
{
    disconnect(net);
    loop_defer_cancel(net->loop, &net->notify);
    free(net->name);
}

static void none_destroy(struct net *net)
{
    net_fini(net);
    free(net);
}

static const struct net_backend none_backend = {.kind = "none", .destroy = none_destroy};

static int none_create(struct net **out, struct loop *loop, const struct net_config *config)
{
    struct net *net = malloc(sizeof(*net));
    int rc = net ? net_init(net, &none_backend, loop, config->name) : -ENOMEM;

    if (rc)
        free(net);
    else
        *out = net;
    return rc;
}

int net_create(struct net **out, struct loop *loop, const struct net_config *config)
{
    switch (config->kind) {
    case NET_NONE:
        break;
    case NET_TAP:
        return net_tap_create(out, loop, config);
    case NET_STREAM:
        return net_stream_create(out, loop, config);
    case NET_DGRAM:
        return net_dgram_create(out, loop, config);
    }
    return none_create(out, loop, config);
}

void net_destroy(struct net *net)
{
    if (net)
        net->backend->destroy(net);
}

const char *net_kind_name(const struct net *net)
{
    return net->backend->kind;
}
