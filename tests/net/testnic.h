/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A NIC that only counts and remembers, on a loop of its own. */
#ifndef TESTS_NET_TESTNIC_H
#define TESTS_NET_TESTNIC_H

#include "net/netdev.h"

#define TESTNIC_FRAMES 64
#define TESTNIC_ROOM   2048u

struct testnic {
    struct loop *loop;
    struct net *net;
    struct net_nic ops;
    unsigned budget; /* frames that it takes a call; 0: as many as there are */
    bool take;       /* readable() receives; else it only counts */

    unsigned readables, writables, changes;
    bool up; /* as it was told last */
    unsigned frames;
    ssize_t length[TESTNIC_FRAMES]; /* as net_receive() said */
    uint8_t frame[TESTNIC_FRAMES][TESTNIC_ROOM];
    ssize_t last_error;
};

/* A loop, and a link that is made on it and attached. Zeroes the rest. */
void testnic_init(struct testnic *nic);
int testnic_open(struct testnic *nic, const struct net_config *config);
void testnic_fini(struct testnic *nic);

/* Turns of the loop until cond, at most ms. */
#define testnic_until(nic, cond, ms)                                                               \
    for (int waits_ = 0; !(cond) && waits_ < (ms); waits_++)                                       \
    loop_turn((nic)->loop, 1)
/* A few turns, in which whatever is ready happens. */
void testnic_turns(struct testnic *nic);

/* Sends `len` bytes, all `fill`, in three pieces. As net_send(). */
int testnic_send(struct testnic *nic, uint8_t fill, size_t len);
/* Whether frame i is `len` bytes of `fill`. */
bool testnic_got(const struct testnic *nic, unsigned i, uint8_t fill, size_t len);

#endif
