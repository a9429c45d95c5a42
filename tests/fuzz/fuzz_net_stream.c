/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer on a stream socket that says anything, in pieces of any size, to a NIC that takes frames
 * when it likes: the frames are those that a plain reading of all the bytes finds, and nothing is
 * taken behind a length that no frame has.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netdev.h"
#include "tests/fuzz/machine_ops.h"

#define ROOM   600u /* of the NIC's buffer: longer frames are cut */
#define HEADER 14u  /* what is shorter is no frame */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct net *net;
    const uint8_t *bytes; /* that the peer has sent, from the next frame on */
    size_t len;
    unsigned budget;
    bool up;
};

/* The next frame of the bytes themselves; NULL when there is no whole one. */
static const uint8_t *next_frame(struct reader *r, uint32_t *length)
{
    while (r->len >= 4) {
        const uint8_t *frame = r->bytes + 4;

        memcpy(length, r->bytes, 4);
        *length = ntohl(*length);
        if (*length > NET_FRAME_MAX || r->len - 4 < *length)
            return NULL;
        r->bytes += 4 + *length;
        r->len -= 4 + *length;
        if (*length >= HEADER)
            return frame;
    }
    return NULL;
}

static void readable(void *opaque)
{
    struct reader *r = opaque;

    for (unsigned n = 0; n < r->budget; n++) {
        uint8_t head[20], rest[ROOM - sizeof(head)];
        struct iovec iov[2] = {{head, sizeof(head)}, {rest, sizeof(rest)}};
        ssize_t got = net_receive(r->net, iov, 2);
        const uint8_t *want;
        uint32_t length = 0;
        size_t first, second;

        if (got < 0)
            return;
        want = next_frame(r, &length);
        fuzz_require(want && (ssize_t)length == got, "the frame is the next of the stream");
        first = length < sizeof(head) ? length : sizeof(head);
        second = length < ROOM ? length - first : ROOM - first;
        fuzz_require(memcmp(head, want, first) == 0 && memcmp(rest, want + first, second) == 0,
                     "the frame has the stream's bytes");
    }
}

static void writable(void *opaque)
{
}

static void link_changed(void *opaque, bool up)
{
    ((struct reader *)opaque)->up = up;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct net_config config = {.kind = NET_STREAM, .name = "net0"};
    struct reader r = {.budget = 1};
    struct net_nic nic = {readable, writable, link_changed, &r};
    struct loop *loop;
    uint8_t *sent = malloc(size ? size : 1);
    int fds[2];

    if (!sent || loop_create(&loop) || socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        abort();
    config.fd = fds[0];
    if (net_create(&r.net, loop, &config))
        abort();
    net_attach(r.net, &nic);
    net_want_receive(r.net, true);
    r.bytes = sent;
    for (size_t all = 0; in.left && r.up;) {
        uint8_t how = fuzz_u8(&in);
        size_t piece = how & 0x3f;

        if (piece > in.left)
            piece = in.left;
        memcpy(sent + all, in.data, piece);
        if (send(fds[1], in.data, piece, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)piece) {
            all += piece;
            r.len += piece;
        }
        in.data += piece;
        in.left -= piece;
        r.budget = how & 0x40 ? 1 : 64;
        net_want_receive(r.net, !(how & 0x80));
        loop_turn(loop, 0);
    }
    r.budget = 64;
    net_want_receive(r.net, true);
    for (int i = 0; i < 200; i++)
        loop_turn(loop, 0);
    if (r.up) {
        uint32_t length;

        fuzz_require(!next_frame(&r, &length), "every whole frame has been taken");
    }
    close(fds[1]);
    net_detach(r.net);
    net_destroy(r.net);
    loop_destroy(loop);
    free(sent);
    return 0;
}
