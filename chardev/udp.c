/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP: each write is a datagram to one peer; what it sends is a stream to us. */
#include "chardev/backend.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dm/log.h"

#define DATAGRAM_BYTES 1400u /* fits the usual MTU */

/* A datagram is read whole or lost, so that it waits here until the front has taken it. */
struct udp {
    struct chardev chr;
    size_t at, len;
    uint8_t data[2048];
};

static ssize_t udp_read(struct chardev *chr, uint8_t *data, size_t len)
{
    struct udp *udp = (struct udp *)chr;

    if (udp->at == udp->len) {
        ssize_t n = recv(chr->rfd, udp->data, sizeof(udp->data), 0);

        /* Nobody at the other port yet, or an empty datagram: no reason to stop. */
        if (n <= 0)
            return -EAGAIN;
        udp->at = 0;
        udp->len = (size_t)n;
    }
    if (len > udp->len - udp->at)
        len = udp->len - udp->at;
    memcpy(data, udp->data + udp->at, len);
    udp->at += len;
    return (ssize_t)len;
}

static ssize_t udp_write(struct chardev *chr, const uint8_t *data, size_t len)
{
    ssize_t n = send(chr->wfd, data, len < DATAGRAM_BYTES ? len : DATAGRAM_BYTES, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -errno;
    return n > 0 ? n : (ssize_t)(len < DATAGRAM_BYTES ? len : DATAGRAM_BYTES);
}

static const struct chardev_backend udp_backend = {
    .name = "udp", .read = udp_read, .write = udp_write};

static int udp_socket(const struct chardev_config *config)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *to, *from = NULL;
    int fd = -1, rc;

    rc = getaddrinfo(config->host && config->host[0] ? config->host : "localhost", config->port,
                     &hints, &to);
    if (rc)
        return -EADDRNOTAVAIL;
    hints.ai_family = to->ai_family;
    hints.ai_flags = AI_PASSIVE;
    if (config->local_port)
        rc = getaddrinfo(config->local_host && config->local_host[0] ? config->local_host : NULL,
                         config->local_port, &hints, &from);
    if (rc == 0)
        fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (rc || fd < 0 || (from && bind(fd, from->ai_addr, from->ai_addrlen)) ||
        connect(fd, to->ai_addr, to->ai_addrlen)) {
        rc = rc ? -EADDRNOTAVAIL : -errno;
        if (fd >= 0)
            close(fd);
        fd = rc;
    }
    freeaddrinfo(to);
    if (from)
        freeaddrinfo(from);
    return fd;
}

int chardev_open_udp(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct udp), &udp_backend, loop, NULL, config->label);
    int fd;

    if (!chr)
        return -ENOMEM;
    fd = udp_socket(config);
    if (fd < 0) {
        log_error("%s: udp to %s:%s: %s", config->label, config->host ? config->host : "",
                  config->port ? config->port : "", strerror(-fd));
        chardev_destroy(chr);
        return fd;
    }
    chardev_set_fds(chr, fd, fd);
    chardev_set_peer(chr, true, true);
    *out = chr;
    return 0;
}
