/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/net/fakenet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void poll_queue(void *opaque)
{
    struct net *net = opaque;

    if (!net->attached || !net->want || !net->nwaiting)
        return;
    net->nic.readable(net->nic.opaque);
    if (net->attached && net->want && net->nwaiting)
        loop_defer(net->loop, &net->poll);
}

void fakenet_init(struct net *net, struct loop *loop)
{
    memset(net, 0, sizeof(*net));
    net->loop = loop;
    net->up = true;
    net->room = UINT32_MAX;
    net->poll = (struct loop_work){.run = poll_queue, .opaque = net};
}

void fakenet_forget_sent(struct net *net)
{
    while (net->nsent)
        free(net->sent[--net->nsent].data);
}

static void forget_first(struct net *net)
{
    free(net->waiting[net->first].data);
    net->first = (net->first + 1) % FAKENET_FRAMES;
    net->nwaiting--;
}

void fakenet_fini(struct net *net)
{
    fakenet_forget_sent(net);
    while (net->nwaiting)
        forget_first(net);
}

void fakenet_arrive(struct net *net, const void *data, size_t len)
{
    struct fakenet_frame *f = &net->waiting[(net->first + net->nwaiting) % FAKENET_FRAMES];

    if (net->nwaiting == FAKENET_FRAMES)
        return;
    f->data = malloc(len ? len : 1);
    if (!f->data)
        abort();
    memcpy(f->data, data, len);
    f->len = len;
    net->nwaiting++;
    if (net->want)
        loop_defer(net->loop, &net->poll);
}

void fakenet_make_room(struct net *net, unsigned frames)
{
    net->room = frames;
    if (frames && net->blocked && net->attached) {
        net->blocked = false;
        net->nic.writable(net->nic.opaque);
    }
}

void fakenet_set_link(struct net *net, bool up)
{
    net->up = up;
    if (net->attached)
        net->nic.link_changed(net->nic.opaque, up);
}

/* ---- net/net.h --------------------------------------------------------------------------------
 */

void net_attach(struct net *net, const struct net_nic *nic)
{
    net->nic = *nic;
    net->attached = true;
    nic->link_changed(nic->opaque, net->up);
}

void net_detach(struct net *net)
{
    net->attached = net->want = false;
    loop_defer_cancel(net->loop, &net->poll);
}

static int take(struct net *net, const struct iovec *iov, int count, const struct net_offload *work)
{
    struct fakenet_frame *f = &net->sent[net->nsent];
    size_t at = 0;

    if (net->send_error)
        return net->send_error;
    if (count > NET_IOV_MAX)
        return -E2BIG;
    if (net->room == 0 || net->nsent == FAKENET_SENT) {
        net->blocked = true;
        return -EAGAIN;
    }
    net->room--;
    memset(f, 0, sizeof(*f));
    for (int i = 0; i < count; i++)
        f->len += iov[i].iov_len;
    if (f->len > NET_FRAME_MAX)
        return -EMSGSIZE;
    f->data = malloc(f->len ? f->len : 1);
    if (!f->data)
        abort();
    for (int i = 0; i < count; at += iov[i++].iov_len)
        memcpy(f->data + at, iov[i].iov_base, iov[i].iov_len);
    f->pieces = count;
    if (work) {
        f->offloaded = true;
        f->work = *work;
    }
    net->nsent++;
    return 0;
}

int net_send(struct net *net, const struct iovec *iov, int count)
{
    return take(net, iov, count, NULL);
}

bool net_has_offload(const struct net *net)
{
    return net->offload;
}

int net_send_offload(struct net *net, const struct iovec *iov, int count,
                     const struct net_offload *work)
{
    return take(net, iov, count, work);
}

ssize_t net_receive(struct net *net, const struct iovec *iov, int count)
{
    const struct fakenet_frame *f = &net->waiting[net->first];
    size_t at = 0, len;

    if (net->receive_error)
        return net->receive_error;
    if (!net->nwaiting)
        return -EAGAIN;
    len = f->len;
    for (int i = 0; i < count && at < len; i++) {
        size_t n = iov[i].iov_len < len - at ? iov[i].iov_len : len - at;

        memcpy(iov[i].iov_base, f->data + at, n);
        at += n;
    }
    forget_first(net);
    return (ssize_t)len;
}

void net_want_receive(struct net *net, bool want)
{
    net->want = want;
    net->want_calls++;
    if (want && net->nwaiting)
        loop_defer(net->loop, &net->poll);
}

bool net_link_up(const struct net *net)
{
    return net->up;
}
