/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network's side of slimdm-vnc: accepts viewers, lets them through the gate, carries bytes
 * between their sockets and the encoder, and gives their keys and pointers to the core.
 *
 * Bounds: VIEWERS viewers; four that have not logged in, ten seconds each; no more bytes waiting
 * for a viewer than two pictures (or 1 MiB), and it is dropped when it has taken none for half a
 * minute; 64 messages of one viewer before the others have their turn.
 */
#ifndef UI_VNC_SERVER_H
#define UI_VNC_SERVER_H

#include "ui/vnc/encoder.h"
#include "ui/vnc/keysym.h"

#define SERVER_LISTEN_MAX 8

struct server_config {
    int listen[SERVER_LISTEN_MAX];
    bool websocket[SERVER_LISTEN_MAX];
    unsigned listen_count;
    enum encoder_share share;
    struct keymap *keymap; /* stays the caller's; NULL: symbols mean nothing */
};

struct server;

/* `core_fd` is the socket to the core. 0 or -errno. */
int server_create(struct server **out, const struct server_config *config, int core_fd);

/* Serves until the core is gone: 0, or -errno when it cannot go on. */
int server_run(struct server *server);

#endif
