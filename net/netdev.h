/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making links: what -netdev asks for. The NIC's side is in net/net.h.
 *
 * A link is up while its cable is in (net_set_link) and its back-end has somebody at the other end:
 * a tap always, a stream socket while it is connected. Names and addresses are looked up when the
 * link is made and never again, so that it can be made before privilege is given away.
 */
#ifndef NET_NETDEV_H
#define NET_NETDEV_H

#include "dm/loop.h"
#include "net/net.h"

enum net_kind {
    NET_NONE,   /* no back-end: the cable is not plugged in */
    NET_TAP,    /* an interface of the host */
    NET_STREAM, /* stream socket: each frame behind its length, 32 bits in network order */
    NET_DGRAM,  /* datagram or packet socket: each datagram a frame */
};

struct net_address {
    const char *path;        /* UNIX socket, or NULL */
    const char *host, *port; /* internet address, or NULL */
    unsigned port_to;        /* server: the last port to try, 0 = port only */
    bool abstract;           /* path is a name without a file */
    bool ipv4, ipv6;         /* only this family; both false = either */
    bool numeric;            /* host is not looked up in the name service */
    bool keep_alive;
};

/* Zero a struct, set kind, name and fd. Strings are copied. */
struct net_config {
    enum net_kind kind;
    const char *name;   /* id of the -netdev, for messages */
    const char *ifname; /* TAP, unless fd is given */
    int fd;             /* an open descriptor to take over, or -1 */
    /* STREAM: where to listen or to connect to. DGRAM: the other end. */
    struct net_address remote;
    struct net_address local; /* DGRAM */
    bool server;
    unsigned reconnect_s; /* STREAM client: seconds between tries, 0 = once */
};

/*
 * Returns 0 or -errno, after logging why. A descriptor that was given is the link's afterwards, and
 * still the caller's after an error. The process must ignore SIGPIPE or not have any.
 */
int net_create(struct net **out, struct loop *loop, const struct net_config *config);
/* The NIC has been detached. NULL is allowed. */
void net_destroy(struct net *net);

/* Plugs the cable in or pulls it out. Frames that came while it was out are lost. The NIC is told,
 * also when nothing has changed. */
void net_set_link(struct net *net, bool up);
/* Whether the cable is in, whatever there is at the other end. */
bool net_cable_in(const struct net *net);

/* "tap", "stream", "dgram" or "none"; valid for ever. */
const char *net_kind_name(const struct net *net);

#endif
