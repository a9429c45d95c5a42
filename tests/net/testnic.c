/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/net/testnic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void readable(void *opaque)
{
    struct testnic *nic = opaque;

    nic->readables++;
    for (unsigned n = 0; nic->take && (nic->budget == 0 || n < nic->budget); n++) {
        uint8_t *to = nic->frame[nic->frames % TESTNIC_FRAMES];
        struct iovec iov[2] = {{to, 700}, {to + 700, TESTNIC_ROOM - 700}};
        ssize_t got = net_receive(nic->net, iov, 2);

        if (got < 0) {
            nic->last_error = got;
            return;
        }
        nic->length[nic->frames++ % TESTNIC_FRAMES] = got;
    }
}

static void writable(void *opaque)
{
    ((struct testnic *)opaque)->writables++;
}

static void link_changed(void *opaque, bool up)
{
    struct testnic *nic = opaque;

    nic->changes++;
    nic->up = up;
}

void testnic_init(struct testnic *nic)
{
    memset(nic, 0, sizeof(*nic));
    if (loop_create(&nic->loop))
        abort();
    nic->ops = (struct net_nic){readable, writable, link_changed, nic};
    nic->take = true;
}

int testnic_open(struct testnic *nic, const struct net_config *config)
{
    int rc = net_create(&nic->net, nic->loop, config);

    if (!rc)
        net_attach(nic->net, &nic->ops);
    return rc;
}

void testnic_fini(struct testnic *nic)
{
    if (nic->net)
        net_detach(nic->net);
    net_destroy(nic->net);
    loop_destroy(nic->loop);
}

void testnic_turns(struct testnic *nic)
{
    for (int i = 0; i < 5; i++)
        loop_turn(nic->loop, 1);
}

int testnic_send(struct testnic *nic, uint8_t fill, size_t len)
{
    uint8_t *data = malloc(len);
    struct iovec iov[3] = {{data, 14}, {data + 14, 1}, {data + 15, len - 15}};
    int rc;

    if (!data)
        abort();
    memset(data, fill, len);
    rc = net_send(nic->net, iov, 3);
    free(data);
    return rc;
}

bool testnic_got(const struct testnic *nic, unsigned i, uint8_t fill, size_t len)
{
    if (i >= nic->frames || nic->length[i] != (ssize_t)len)
        return false;
    for (size_t at = 0; at < len && at < TESTNIC_ROOM; at++)
        if (nic->frame[i][at] != fill)
            return false;
    return true;
}
