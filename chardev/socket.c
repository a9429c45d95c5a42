/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX and TCP stream sockets, as server (one client at a time, the next waits in the backlog) or
 * as client (optionally trying again), with telnet's rules around the bytes where asked for.
 *
 *   server: listening -> connected -> (end of file, error) -> listening
 *   client: connecting -> connected -> (end of file, error) -> waiting reconnect_s -> connecting
 *
 * Everything that needs a resolver or a name in the file system happens once, before the guest
 * runs; an address found then is what reconnecting uses.
 */
#include "chardev/backend.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/telnet.h"
#include "dm/log.h"

struct sock {
    struct chardev chr;
    struct telnet telnet;
    bool tcp, server, nodelay;
    unsigned reconnect_s;
    int listener;
    struct loop_fd listen_watch;
    int connecting; /* a client's socket until it is connected, or -1 */
    struct loop_fd connect_watch;
    struct timer retry;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char *unlink_path; /* ours, removed at the end */
    char name[160];    /* "unix:/path" or "tcp:host:port" */
    char peer[120];    /* "host:port" of a TCP client */
    bool connected;
};

static struct sock *sock_of(struct chardev *chr)
{
    return (struct sock *)chr;
}

static void retry_later(struct sock *sock);

static void name_of(const struct sockaddr *addr, socklen_t len, char *out, size_t size)
{
    char host[64], port[16];

    out[0] = 0;
    if (getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, size, addr->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void connected(struct sock *sock, int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int one = 1;

    chardev_set_nonblock(fd);
    sock->peer[0] = 0;
    if (sock->tcp) {
        if (sock->nodelay)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
            name_of((struct sockaddr *)&peer, len, sock->peer, sizeof(sock->peer));
    }
    sock->connected = true;
    if (sock->listener >= 0)
        loop_fd_want(sock->chr.loop, &sock->listen_watch, 0);
    chardev_set_fds(&sock->chr, fd, fd);
    if (sock->telnet.on)
        telnet_greet(&sock->chr, &sock->telnet);
    chardev_set_peer(&sock->chr, true, true);
}

static void disconnect(struct sock *sock)
{
    struct chardev *chr = &sock->chr;
    int fd = chr->rfd;

    chardev_set_peer(chr, false, false);
    chardev_set_fds(chr, -1, -1);
    if (fd >= 0)
        close(fd);
    sock->connected = false;
    if (sock->listener >= 0)
        loop_fd_want(chr->loop, &sock->listen_watch, EPOLLIN);
    else
        retry_later(sock);
}

static void sock_hangup(struct chardev *chr, bool reading)
{
    /* What the peer has sent before it left is read first. */
    if (!reading && chr->readable)
        chardev_set_peer(chr, true, false);
    else
        disconnect(sock_of(chr));
}

static ssize_t sock_write(struct chardev *chr, const uint8_t *data, size_t len)
{
    ssize_t n = send(chr->wfd, data, len, MSG_NOSIGNAL);

    return n < 0 ? -errno : n;
}

static void sock_decode(struct chardev *chr, uint8_t *data, size_t len)
{
    if (sock_of(chr)->telnet.on)
        telnet_decode(chr, &sock_of(chr)->telnet, data, len);
    else
        chardev_deliver(chr, data, len);
}

static void sock_set_break(struct chardev *chr, bool on)
{
    if (sock_of(chr)->telnet.on && sock_of(chr)->connected && on)
        telnet_break(chr);
}

static void sock_describe(struct chardev *chr)
{
    struct sock *sock = sock_of(chr);
    bool peer = sock->tcp && sock->connected && sock->peer[0];

    snprintf(chr->filename, sizeof(chr->filename), "%s%s%s%s%s",
             sock->connected ? "" : "disconnected:", sock->name, sock->server ? ",server=on" : "",
             peer ? " <-> " : "", peer ? sock->peer : "");
}

static void sock_destroy(struct chardev *chr)
{
    struct sock *sock = sock_of(chr);

    timer_cancel(&sock->retry);
    if (sock->listener >= 0) {
        loop_fd_remove(chr->loop, &sock->listen_watch);
        close(sock->listener);
    }
    if (sock->connecting >= 0) {
        loop_fd_remove(chr->loop, &sock->connect_watch);
        close(sock->connecting);
    }
    if (sock->unlink_path)
        unlink(sock->unlink_path);
    free(sock->unlink_path);
}

static const struct chardev_backend sock_backend = {
    .name = "socket",
    .hangup = sock_hangup,
    .write = sock_write,
    .decode = sock_decode,
    .set_break = sock_set_break,
    .describe = sock_describe,
    .destroy = sock_destroy,
};

/* ---- server --------------------------------------------------------------------------------- */

static void client_waits(void *opaque, uint32_t events)
{
    struct sock *sock = opaque;
    int fd = accept4(sock->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        connected(sock, fd);
}

/* A socket left over by a process that is gone is in the way; anything else is not ours. */
static int bind_unix(struct sock *sock, int fd, const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        unlink(path);
    }
    /* The mode of the descriptor is what bind() gives the name: never open to others, not even for
     * a moment. */
    if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&sock->addr, sock->addr_len))
        return -errno;
    sock->unlink_path = strdup(path);
    return 0;
}

static int bind_tcp(struct sock *sock, int fd)
{
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&sock->addr, sock->addr_len) ? -errno : 0;
}

static int start_server(struct sock *sock, const struct chardev_config *config)
{
    struct loop *loop = sock->chr.loop;
    struct pollfd pfd;
    int rc;

    if (config->fd >= 0) {
        sock->listener = config->fd;
    } else {
        sock->listener = socket(sock->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock->listener < 0)
            return -errno;
        rc = sock->tcp ? bind_tcp(sock, sock->listener)
                       : bind_unix(sock, sock->listener, config->path);
        if (rc)
            return rc;
        if (listen(sock->listener, 1))
            return -errno;
        sock->addr_len = sizeof(sock->addr);
        if (sock->tcp &&
            getsockname(sock->listener, (struct sockaddr *)&sock->addr, &sock->addr_len) == 0 &&
            config->port && strcmp(config->port, "0") == 0) {
            char where[120];

            name_of((struct sockaddr *)&sock->addr, sock->addr_len, where, sizeof(where));
            snprintf(sock->name, sizeof(sock->name), "%s:%s", sock->telnet.on ? "telnet" : "tcp",
                     where);
        }
    }
    chardev_set_nonblock(sock->listener);
    loop_fd_add(loop, &sock->listen_watch, sock->listener, EPOLLIN, client_waits, sock);
    if (!config->wait)
        return 0;
    log_info("%s: waiting for a client at %s", sock->chr.label, sock->name);
    pfd = (struct pollfd){.fd = sock->listener, .events = POLLIN};
    while (!sock->connected) {
        if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
            return -errno;
        client_waits(sock, 0);
    }
    return 0;
}

/* ---- client --------------------------------------------------------------------------------- */

static void try_connect(struct sock *sock);

static void retry_now(void *opaque)
{
    try_connect(opaque);
}

static void retry_later(struct sock *sock)
{
    if (sock->reconnect_s && sock->addr_len)
        timer_arm(&sock->retry,
                  loop_now(sock->chr.loop, CLOCK_HOST) + sock->reconnect_s * 1000000000ull);
}

static void connect_ends(void *opaque, uint32_t events)
{
    struct sock *sock = opaque;
    int fd = sock->connecting, error = 0;
    socklen_t len = sizeof(error);

    loop_fd_remove(sock->chr.loop, &sock->connect_watch);
    sock->connecting = -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        connected(sock, fd);
    } else {
        close(fd);
        retry_later(sock);
    }
}

static void try_connect(struct sock *sock)
{
    int fd = socket(sock->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        retry_later(sock);
    } else if (connect(fd, (struct sockaddr *)&sock->addr, sock->addr_len) == 0) {
        connected(sock, fd);
    } else if (errno == EINPROGRESS) {
        sock->connecting = fd;
        loop_fd_add(sock->chr.loop, &sock->connect_watch, fd, EPOLLOUT, connect_ends, sock);
    } else {
        close(fd);
        retry_later(sock);
    }
}

static int start_client(struct sock *sock, const struct chardev_config *config)
{
    int fd = config->fd;

    if (fd < 0 && sock->reconnect_s) {
        try_connect(sock);
        return 0;
    }
    if (fd < 0) {
        fd = socket(sock->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        if (connect(fd, (struct sockaddr *)&sock->addr, sock->addr_len)) {
            int rc = -errno;

            close(fd);
            return rc;
        }
    }
    connected(sock, fd);
    return 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static int find_address(struct sock *sock, const struct chardev_config *config)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = config->server ? AI_PASSIVE : 0};
    struct sockaddr_un *un = (struct sockaddr_un *)&sock->addr;
    struct addrinfo *found;
    int rc;

    if (!sock->tcp) {
        if (!config->path || !config->path[0])
            return -EINVAL;
        if (strlen(config->path) >= sizeof(un->sun_path))
            return -ENAMETOOLONG;
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, config->path);
        sock->addr_len = sizeof(*un);
        return 0;
    }
    rc = getaddrinfo(config->host && config->host[0] ? config->host : NULL, config->port, &hints,
                     &found);
    if (rc) {
        log_error("%s: %s: %s", config->label, sock->name, gai_strerror(rc));
        return -EADDRNOTAVAIL;
    }
    memcpy(&sock->addr, found->ai_addr, found->ai_addrlen);
    sock->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int chardev_open_socket(struct chardev **out, struct loop *loop,
                        const struct chardev_config *config)
{
    struct chardev *chr =
        chardev_alloc(sizeof(struct sock), &sock_backend, loop, NULL, config->label);
    struct sock *sock = (struct sock *)chr;
    int rc = 0;

    if (!chr)
        return -ENOMEM;
    sock->listener = sock->connecting = -1;
    sock->tcp = config->kind == CHARDEV_TCP;
    sock->server = config->server;
    sock->nodelay = config->nodelay;
    sock->reconnect_s = config->reconnect_s;
    sock->telnet.on = sock->tcp && config->telnet;
    chr->escape_ff = sock->telnet.on;
    timer_init(&sock->retry, loop, CLOCK_HOST, retry_now, sock);
    if (sock->tcp)
        snprintf(sock->name, sizeof(sock->name), "%s:%s:%s", sock->telnet.on ? "telnet" : "tcp",
                 config->host ? config->host : "", config->port ? config->port : "");
    else
        snprintf(sock->name, sizeof(sock->name), "unix:%s", config->path ? config->path : "");
    if (config->fd < 0)
        rc = find_address(sock, config);
    if (rc == 0)
        rc = config->server ? start_server(sock, config) : start_client(sock, config);
    if (rc) {
        log_error("%s: cannot %s %s: %s", config->label,
                  config->server ? "listen at" : "connect to", sock->name, strerror(-rc));
        chardev_destroy(chr);
        return rc;
    }
    *out = chr;
    return 0;
}
