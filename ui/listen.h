/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets of front-ends. They are bound before rights are given away, by the process that
 * has to tell the toolstack the port; who accepts on them has no name, no path and no address.
 */
#ifndef UI_LISTEN_H
#define UI_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_FDS_MAX 4 /* a name may stand for several addresses */

struct listen_socket {
    int fd[LISTEN_FDS_MAX];
    unsigned count;
    char host[108];     /* address of the first in text, or the path */
    char service[8];    /* port in text; "" for a UNIX socket */
    const char *family; /* "ipv4", "ipv6", "unix" */
};

struct listen_where {
    const char *address; /* NULL or "": all */
    unsigned port, last; /* the first one that is free, of port .. last */
    bool ipv4, ipv6;     /* only this family; both false: either */
};

/* 0, or -errno with `err` saying why, for the command line's user. */
int listen_tcp(struct listen_socket *out, const struct listen_where *where, char *err,
               size_t err_size);
/* Replaces a socket that lies at `path` already. */
int listen_unix(struct listen_socket *out, const char *path, char *err, size_t err_size);
void listen_close(struct listen_socket *socket);

#endif
