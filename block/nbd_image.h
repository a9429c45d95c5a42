/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image behind an NBD server: requests go out by libnbd, answers come back on the loop.
 * block_nbd.c has the requests, nbd_connection.c the connection:
 *
 *              connection asked for       handshake done
 *     DOWN ──────────────────────▶ WAITING ─▶ SHAKING ──▶ UP
 *      ▲                              │ 10 s, refused │    │ server gone
 *      └──────────────────────────────┴───────────────┘    └──▶ WAITING
 *
 * When the server goes away, what it had not answered is sent once more to the next connection;
 * what fails there again is an error. While DOWN, requests fail; at most once a second one of them
 * is a reason to try again, so that nothing runs while the guest is idle.
 *
 * A server that goes away may take answered writes with it. Then flushes fail until the guest
 * writes again: it has to know, and tries a failed flush some more times by itself.
 */
#ifndef BLOCK_NBD_IMAGE_H
#define BLOCK_NBD_IMAGE_H

#include "block/block_nbd.h"
#include "block/nbd_api.h"
#include "dm/loop.h"

#define NBD_DRAIN_MS 30000

enum nbd_state { NBD_DOWN, NBD_WAITING, NBD_SHAKING, NBD_UP };

struct nbd {
    const struct nbd_api *api;
    struct loop *loop;
    struct nbd_peer *peer;
    char *name;
    char *export_name;
    bool discard; /* wanted */
    bool writes;  /* is open for writing: its server's end is waited for */
    bool fua;     /* every write is to be stable when it is answered */

    enum nbd_state state;
    struct nbd_handle *h; /* SHAKING and UP */
    struct nbd_wanted wanted;
    struct loop_fd lfd;
    bool polled; /* the loop has lfd */
    struct timer timeout;
    uint64_t next_try; /* DOWN: not before this host time, ns */
    struct loop_work work;

    uint64_t size;
    bool read_only, can_flush, can_trim, can_fua;
    bool opened; /* the first connection has been made */
    bool dirty;  /* writes have been answered since the last flush went out */
    bool lost;   /* and may have been lost with a server */
    bool told;   /* a flush has said so */

    struct block_request *queue, **queue_end;       /* not sent */
    struct block_request *finished, **finished_end; /* answered by the server, or failed */
    unsigned in_flight;
    struct block_request *issuing; /* until libnbd has answered it or its call returns */
    bool in_turn, closing;
};

/* ---- block_nbd.c ----------------------------------------------------------------------------- */

extern const struct block_ops nbd_ops[2]; /* [1]: discards are worth sending */

void nbd_fail_queue(struct nbd *nbd, int error);
/* After everything that may have changed something: looks at the connection, sends, answers. */
void nbd_turn(struct nbd *nbd);
void nbd_deferred(void *nbd);
void nbd_free(struct nbd *nbd);
void nbd_image_close(void *nbd);

/* ---- nbd_connection.c ------------------------------------------------------------------------ */

/* Notices that a handshake has ended, or a connection. */
void nbd_connection_look(struct nbd *nbd);
void nbd_connection_close(struct nbd *nbd);
void nbd_connection_ask(struct nbd *nbd);
/* Gives up: everything that waits fails. */
void nbd_connection_failed(struct nbd *nbd, const char *reason);
/* Lets the loop look at the socket for what libnbd waits for. */
void nbd_poll_update(struct nbd *nbd);
uint64_t nbd_now_ms(void);

#endif
