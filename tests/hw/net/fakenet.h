/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A back-end whose two ends the test holds: net/net.h on two queues of frames. */
#ifndef TESTS_HW_NET_FAKENET_H
#define TESTS_HW_NET_FAKENET_H

#include "dm/loop.h"
#include "net/net.h"

#define FAKENET_FRAMES 2048
#define FAKENET_SENT   4096

struct fakenet_frame {
    uint8_t *data; /* of its own allocation, so that a sanitizer sees its end */
    size_t len;
    struct net_offload work;
    bool offloaded;
    int pieces;
};

struct net {
    struct loop *loop;
    struct net_nic nic;
    bool attached, up, want, offload;
    unsigned want_calls;

    struct fakenet_frame sent[FAKENET_SENT];
    unsigned nsent;
    unsigned room;  /* frames taken until -EAGAIN */
    int send_error; /* what every send gives instead */
    bool blocked;

    struct fakenet_frame waiting[FAKENET_FRAMES]; /* to be received, a queue */
    unsigned first, nwaiting;
    int receive_error;
    struct loop_work poll; /* readable(), once a turn */
};

void fakenet_init(struct net *net, struct loop *loop);
void fakenet_fini(struct net *net);
/* A frame arrives; readable() is called in the next turn if it is wanted. */
void fakenet_arrive(struct net *net, const void *data, size_t len);
/* Room for so many frames; writable() is called if the NIC waits for it. */
void fakenet_make_room(struct net *net, unsigned frames);
void fakenet_set_link(struct net *net, bool up);
void fakenet_forget_sent(struct net *net);

#endif
