/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What link.c and the back-ends know of each other: inside of net/. */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "net/netdev.h"

struct net_backend {
    const char *kind;
    bool offload; /* send() takes work */
    /*
     * One frame of `len` bytes in at most NET_IOV_MAX pieces; as net_send(). After -EAGAIN the
     * descriptor is watched for room.
     */
    int (*send)(struct net *net, const struct iovec *iov, int count, size_t len,
                const struct net_offload *work);
    ssize_t (*receive)(struct net *net, const struct iovec *iov, int count);
    /* Whether receive() has a frame without asking the descriptor. NULL: never. */
    bool (*buffered)(const struct net *net);
    /* There is room in the descriptor: hands on what is left of a frame. Returns whether another
     * one can be taken. NULL: always. */
    bool (*flush)(struct net *net);
    /* The descriptor shows EPOLLERR or a hang-up and is not being read. */
    void (*trouble)(struct net *net);
    /* The link, seen from the NIC, has changed: tell the other end. May be NULL. */
    void (*link)(struct net *net, bool up);
    void (*destroy)(struct net *net);
};

struct net {
    const struct net_backend *backend;
    struct loop *loop;
    char *name;
    struct net_nic nic; /* while attached */
    bool attached;
    bool cable;    /* is in */
    bool carrier;  /* there is another end */
    bool want;     /* the NIC has room */
    bool blocked;  /* writable() is owed */
    bool flushing; /* the back-end holds the rest of a frame */
    int fd;        /* what frames go through, or -1 */
    struct loop_fd watch;
    struct loop_work again;  /* frames are buffered and the NIC wants them */
    struct loop_work notify; /* the link has changed while the NIC was in a call */
};

/* For the back-ends' create functions: fills in what is common. 0 or -ENOMEM. */
int net_init(struct net *net, const struct net_backend *backend, struct loop *loop,
             const char *name);
/* Undoes net_init() and closes the descriptor; the struct is its maker's. */
void net_fini(struct net *net);

/* Frames go through fd from now on: there is another end. Takes fd over. 0 or -errno. */
int net_connected(struct net *net, int fd);
/* The other end is gone: closes the descriptor. The NIC is told in the next turn. */
void net_lost(struct net *net);
/* Watches the descriptor for what is wanted now. */
void net_watch(struct net *net);

/* Each makes one kind of link; as net_create(). */
int net_tap_create(struct net **out, struct loop *loop, const struct net_config *config);
int net_stream_create(struct net **out, struct loop *loop, const struct net_config *config);
int net_dgram_create(struct net **out, struct loop *loop, const struct net_config *config);

#endif
