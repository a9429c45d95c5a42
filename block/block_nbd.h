/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images behind an NBD server. Three parts:
 *
 *     block_url.c      what a path means: which server, or which program is to be one
 *     block_servers.c  slimdm-nbd, a small process of its own for each server, which starts it if
 *                      need be, connects to it, and hands over the connection
 *     block_nbd.c      the requests, by libnbd, on the loop
 */
#ifndef BLOCK_BLOCK_NBD_H
#define BLOCK_BLOCK_NBD_H

#include "block/block_backend.h"
#include "block/nbd_wire.h"

/* What stands before a ':' that comes before every '/' is a protocol. */
bool block_path_is_url(const char *path);

#define NBD_ARGS_MAX 16
#define NBD_TEXT_MAX 4608 /* a path whose commas are doubled, and a few words */

/* How to reach the server of an image: the arguments of slimdm-nbd, and the export's name. */
struct nbd_target {
    const char *arg[NBD_ARGS_MAX + 1]; /* into text, or literals; NULL at the end */
    char text[3][NBD_TEXT_MAX];
    char export_name[256];
};

/* `fd`: the image is the descriptor NBD_IMAGE_FD of slimdm-nbd; -1: the path. 0 or -EINVAL. */
int nbd_target_parse(struct nbd_target *target, const char *path, int fd,
                     const struct block_options *options, char *error, size_t error_size);

int block_nbd_open(struct block **out, const char *path, int fd,
                   const struct block_options *options, char *error, size_t error_size);

/* ---- block_servers.c ------------------------------------------------------------------------- */

struct loop *block_servers_loop(const struct block_servers *servers);
bool block_servers_sealed(const struct block_servers *servers);

/*
 * The way to one server. Two images with the same arguments share it, when they have no descriptor.
 * Blocks while slimdm-nbd is started: some milliseconds.
 */
struct nbd_peer;
int nbd_peer_get(struct nbd_peer **out, struct block_servers *servers,
                 const struct nbd_target *target, int fd, char *error, size_t error_size);
/* With `wait`, and for the last one: until the server has let go of the image, at most 10 s. */
void nbd_peer_put(struct nbd_peer *peer, bool wait);

/*
 * Asks for a connection; answer() comes later, once: with a socket, which is the callee's, or with
 * -errno and a reason. Returns 0 or -errno.
 */
struct nbd_wanted {
    void (*answer)(void *opaque, int fd, const char *reason);
    void *opaque;
};
int nbd_peer_connect(struct nbd_peer *peer, struct nbd_wanted *wanted);
/* answer() does not come any more. */
void nbd_peer_forget(struct nbd_peer *peer, const struct nbd_wanted *wanted);
/* Waits at most so long for one answer, and delivers it. For start-up. */
void nbd_peer_wait(struct nbd_peer *peer, int timeout_ms);

#endif
