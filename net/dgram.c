/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagram sockets: each datagram is a frame (QEMU's -netdev dgram).
 *
 * A descriptor that was given is connected already (a socket pair): when its peer is gone, so is
 * the link. With addresses the peer may come and go: frames are lost while it is away. The socket
 * is connected to it, so that nobody else can send into the guest.
 */
#include "net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm/log.h"
#include "net/address.h"

struct dgram {
    struct net net;
    struct net_sockaddr peer; /* len 0: a descriptor that was given */
    bool connected;
    bool packets; /* SOCK_SEQPACKET: an empty one is the end */
    char *unlink_path;
};

static struct dgram *dgram_of(struct net *net)
{
    return (struct dgram *)net;
}

static void peer_gone(struct net *net)
{
    struct dgram *dgram = dgram_of(net);

    if (dgram->peer.len) {
        struct sockaddr none = {.sa_family = AF_UNSPEC};

        /* Whoever comes to that address next may send to us only when we are free of the old. */
        connect(net->fd, &none, sizeof(none));
        dgram->connected = false;
        return;
    }
    log_guest("netdev %s: the other end of the socket is gone; the guest's cable is out",
              net->name);
    net_lost(net);
}

static int dgram_error(struct net *net, int error)
{
    if (error == EINTR)
        return -EAGAIN;
    /* What has come back about an earlier datagram says nothing of this one. */
    if (error == ECONNREFUSED || error == ECONNRESET || error == EPIPE || error == ENOTCONN)
        peer_gone(net);
    return -error;
}

static bool find_peer(struct dgram *dgram)
{
    if (!dgram->connected && dgram->peer.len)
        dgram->connected = connect(dgram->net.fd, (const struct sockaddr *)&dgram->peer.addr,
                                   dgram->peer.len) == 0;
    return dgram->connected;
}

static int dgram_send(struct net *net, const struct iovec *iov, int count, size_t len,
                      const struct net_offload *work)
{
    /* sendmsg() changes nothing in the pieces: the cast only takes its missing const away. */
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};

    if (!find_peer(dgram_of(net)))
        return -ENOTCONN;
    if (sendmsg(net->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    return dgram_error(net, errno);
}

static ssize_t dgram_receive(struct net *net, const struct iovec *iov, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    ssize_t n = recvmsg(net->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0 && errno == ECONNREFUSED && dgram_of(net)->peer.len)
        return 0; /* an ICMP message, read now; there may be datagrams behind it */
    if (n == 0 && dgram_of(net)->packets)
        return dgram_error(net, EPIPE);
    return n < 0 ? dgram_error(net, errno) : n;
}

static void dgram_trouble(struct net *net)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(net->fd, SOL_SOCKET, SO_ERROR, &error, &len) || !error)
        error = EPIPE; /* a hang-up */
    dgram_error(net, error);
}

static void dgram_destroy(struct net *net)
{
    struct dgram *dgram = dgram_of(net);

    net_fini(net);
    if (dgram->unlink_path)
        unlink(dgram->unlink_path);
    free(dgram->unlink_path);
    free(dgram);
}

static const struct net_backend dgram_backend = {
    .kind = "dgram",
    .send = dgram_send,
    .receive = dgram_receive,
    .trouble = dgram_trouble,
    .destroy = dgram_destroy,
};

/* ---- making --------------------------------------------------------------------------------- */

static int check_descriptor(int fd, const char *name, bool *packets)
{
    int type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof(type);

    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
        (type != SOCK_DGRAM && type != SOCK_SEQPACKET)) {
        log_error("-netdev dgram,id=%s: descriptor %d is not a socket for datagrams", name, fd);
        return -EINVAL;
    }
    *packets = type == SOCK_SEQPACKET;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC) ? -errno : 0;
}

static bool is_multicast(const struct net_sockaddr *at)
{
    if (at->addr.ss_family == AF_INET)
        return IN_MULTICAST(ntohl(((const struct sockaddr_in *)&at->addr)->sin_addr.s_addr));
    return at->addr.ss_family == AF_INET6 &&
           IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)&at->addr)->sin6_addr);
}

/* The descriptor, or -errno. */
static int open_socket(struct dgram *dgram, const struct net_config *config)
{
    struct net_sockaddr local;
    int fd, rc;

    rc = net_address_find(&local, &config->local, SOCK_DGRAM, true, config->name);
    if (!rc)
        rc = net_address_find(&dgram->peer, &config->remote, SOCK_DGRAM, false, config->name);
    if (rc)
        return rc;
    if (!dgram->peer.len || (local.len && local.addr.ss_family != dgram->peer.addr.ss_family))
        return -EDESTADDRREQ;
    if (is_multicast(&dgram->peer))
        return -EOPNOTSUPP;
    if (!local.len)
        return socket(dgram->peer.addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fd = net_address_bind(&local, &config->local, SOCK_DGRAM);
    if (fd >= 0 && config->local.path && !config->local.abstract)
        dgram->unlink_path = strdup(config->local.path);
    return fd;
}

static int start(struct dgram *dgram, const struct net_config *config)
{
    int fd = config->fd, rc = 0;

    if (fd >= 0) {
        rc = check_descriptor(fd, config->name, &dgram->packets);
        dgram->connected = true;
    } else {
        fd = open_socket(dgram, config);
        rc = fd < 0 ? fd : 0;
    }
    if (!rc) {
        rc = net_connected(&dgram->net, fd);
        if (rc && config->fd < 0)
            close(fd);
    }
    if (rc)
        log_error("-netdev dgram,id=%s: %s", config->name, strerror(-rc));
    return rc;
}

int net_dgram_create(struct net **out, struct loop *loop, const struct net_config *config)
{
    struct dgram *dgram = calloc(1, sizeof(*dgram));
    int rc = dgram ? net_init(&dgram->net, &dgram_backend, loop, config->name) : -ENOMEM;

    if (!rc) {
        rc = start(dgram, config);
        if (rc) {
            dgram_destroy(&dgram->net);
            return rc;
        }
        *out = &dgram->net;
        return 0;
    }
    free(dgram);
    return rc;
}
