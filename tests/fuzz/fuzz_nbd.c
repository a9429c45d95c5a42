/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile NBD server: the input is what it answers, from the handshake on, in pieces between
 * which the guest reads, writes, flushes, discards and gives up. In place of slimdm-nbd stands this
 * program: each connection is one end of a socket pair whose other end gets the next bytes.
 *
 * What has to hold: every request is answered exactly once, no buffer of one that was given up is
 * touched, and nothing is read beyond a buffer (the sanitizers' part).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block/block_nbd.h"
#include "dm/log.h"
#include "dm/loop.h"

#define REQUESTS 6
#define BYTES    4096u

struct nbd_peer {
    const uint8_t *data;
    size_t size;
    int end; /* of the server, or -1 */
    struct nbd_wanted *wanted;
    unsigned connections;
    bool honest; /* the handshake is a good one */
};

static struct nbd_peer server;
static struct loop *the_loop;

struct loop *block_servers_loop(const struct block_servers *servers)
{
    return the_loop;
}

bool block_servers_sealed(const struct block_servers *servers)
{
    return false;
}

int nbd_peer_get(struct nbd_peer **out, struct block_servers *servers,
                 const struct nbd_target *target, int fd, char *error, size_t error_size)
{
    *out = &server;
    return 0;
}

void nbd_peer_put(struct nbd_peer *peer, bool wait)
{
}

int nbd_peer_connect(struct nbd_peer *peer, struct nbd_wanted *wanted)
{
    if (peer->connections++ == 4)
        return -ECONNRESET;
    peer->wanted = wanted;
    return 0;
}

void nbd_peer_forget(struct nbd_peer *peer, const struct nbd_wanted *wanted)
{
    if (peer->wanted == wanted)
        peer->wanted = NULL;
}

static void say(size_t n)
{
    n = n < server.size ? n : server.size;
    if (server.end >= 0 && n && send(server.end, server.data, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        n = 0;
    server.data += n;
    server.size -= n;
}

static void hang_up(void)
{
    if (server.end >= 0)
        close(server.end);
    server.end = -1;
}

/* The connection that was asked for: its handshake is the input's, or a good one. */
static void accept_one(void)
{
    static const uint8_t good[] = {
        'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C', 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 1,
        /* NBD_OPT_GO: NBD_REP_INFO with an export of 1 MiB that can all, then NBD_REP_ACK */
        0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 12, 0, 0, 0, 0, 0,
        0, 0, 0x10, 0, 0, 0, 0x2d, 0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 1, 0,
        0, 0, 0};
    struct nbd_wanted *wanted = server.wanted;
    int pair[2];

    server.honest = server.size && (*server.data & 1);
    hang_up();
    server.wanted = NULL;
    if (server.size) {
        server.data++;
        server.size--;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    server.end = pair[1];
    if (server.honest)
        send(server.end, good, sizeof(good), MSG_NOSIGNAL);
    else
        say(server.size < 160 ? server.size : 160);
    wanted->answer(wanted->opaque, pair[0], "");
}

void nbd_peer_wait(struct nbd_peer *peer, int timeout_ms)
{
    if (!peer->wanted)
        return;
    accept_one();
    /* At start-up the program waits: a server that has said all of it hangs up. */
    if (server.end >= 0 && !server.honest)
        shutdown(server.end, SHUT_WR);
}

struct slot {
    struct block_request req;
    uint8_t *buf;
    bool running;
};

static void completed(void *opaque, struct block_request *req)
{
    struct slot *slot = opaque;

    if (!slot->running)
        abort();
    slot->running = false;
    free(slot->buf);
    slot->buf = NULL;
}

static void start(struct block *block, struct slot *slot, uint8_t word, uint8_t where)
{
    struct block_request *req = &slot->req;

    if (slot->running)
        return;
    *req = (struct block_request){.op = (enum block_op)(word % 4),
                                  .offset = where * 512u,
                                  .bytes = BYTES,
                                  .complete = completed,
                                  .opaque = slot};
    slot->buf = calloc(1, BYTES);
    slot->running = true;
    req->niov = 1;
    req->iov[0] = (struct iovec){slot->buf, BYTES};
    if (block_submit(block, req) == BLOCK_DONE)
        completed(slot, req);
}

/* The buffer goes back to its owner at once, as when a guest resets its controller. */
static void give_up(struct slot *slot)
{
    if (!slot->running || slot->req.op != BLOCK_READ)
        return;
    block_cancel(&slot->req);
    if (slot->running) {
        free(slot->buf);
        slot->buf = NULL;
    }
}

static void play(struct block *block, struct slot *slots)
{
    for (unsigned turns = 0; server.size >= 2 && turns < 200; turns++) {
        uint8_t what = server.data[0], more = server.data[1];

        server.data += 2;
        server.size -= 2;
        switch (what & 7) {
        case 0:
        case 1:
        case 2:
            start(block, &slots[what / 8 % REQUESTS], what >> 6, more);
            break;
        case 3:
            give_up(&slots[what / 8 % REQUESTS]);
            break;
        case 4:
            hang_up();
            break;
        default:
            say(more);
            break;
        }
        if (server.wanted)
            accept_one();
        loop_turn(the_loop, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct workers *workers;
    static struct slot slots[REQUESTS];
    struct block_options options = {.discard = true, .servers = (struct block_servers *)&server};
    struct block *block;
    char error[400];

    if (!the_loop) {
        log_set_level(LOG_ERROR);
        if (loop_create(&the_loop) || workers_create(&workers, the_loop, 1))
            abort();
    }
    options.workers = workers;
    server = (struct nbd_peer){.data = data, .size = size, .end = -1};
    if (block_open_path(&block, "nbd:unix:/x", &options, error, sizeof(error)) == 0) {
        play(block, slots);
        hang_up();
        server.connections = 4;
        block_close(block);
        loop_turn(the_loop, 0);
        for (unsigned i = 0; i < REQUESTS; i++)
            if (slots[i].running)
                abort();
    }
    hang_up();
    return 0;
}
