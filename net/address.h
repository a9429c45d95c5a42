/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses as the command line gives them: inside of net/. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <sys/socket.h>

#include "net/netdev.h"

struct net_sockaddr {
    struct sockaddr_storage addr;
    socklen_t len; /* 0: not given */
};

/* Looks the address up. 0, also when none is given; or -errno after logging why, with `name`. */
int net_address_find(struct net_sockaddr *out, const struct net_address *address, int type,
                     bool passive, const char *name);

/* A new socket, close-on-exec and not blocking, bound to the address; the file of a UNIX socket
 * that is left over is replaced, and is made for its owner only. Descriptor or -errno. */
int net_address_bind(struct net_sockaddr *at, const struct net_address *address, int type);

/* Text for messages. */
void net_address_text(const struct net_address *address, char *out, size_t size);

#endif
