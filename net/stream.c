/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stream sockets: each frame behind its length, 32 bits in network order. This is what QEMU's
 * -netdev stream and socket, passt, slirp4netns and many others speak.
 *
 *   server: listening -> connected -> (end, error, nonsense) -> listening
 *   client: connecting -> connected -> (end, error, nonsense) -> waiting reconnect_s -> connecting
 *
 * The link is up while it is connected. The peer is not trusted: a length that no frame has ends
 * the connection before anything of that length is waited for.
 */
#include "net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dm/log.h"
#include "net/address.h"

#define LENGTH_BYTES 4
/* At least one frame of the greatest length; many of the usual one come in one read. */
#define IN_BYTES (LENGTH_BYTES + NET_FRAME_MAX + 1024)

struct stream {
    struct net net;
    struct net_sockaddr at; /* where to connect to */
    bool keep_alive;
    unsigned reconnect_s;
    struct timer retry;
    int listener; /* or -1 */
    int joining;  /* a socket on its way to being connected, or -1 */
    struct loop_fd listener_watch, joining_watch;
    char *unlink_path;

    size_t in_at, in_end;   /* what has been read and not been taken: in[in_at .. in_end - 1] */
    size_t out_at, out_end; /* the rest of a frame that has been sent in part */
    uint8_t *out;           /* made when first needed */
    struct iovec iov[NET_IOV_MAX + 1]; /* of the call in progress */
    uint8_t in[IN_BYTES];
};

static struct stream *stream_of(struct net *net)
{
    return (struct stream *)net;
}

static void connect_later(struct stream *stream);

/* ---- connected and not ---------------------------------------------------------------------- */

static void hang_up(struct net *net, const char *why)
{
    struct stream *stream = stream_of(net);

    log_guest("netdev %s: %s; the guest's cable is out", net->name, why);
    net_lost(net);
    if (stream->listener >= 0)
        loop_fd_want(net->loop, &stream->listener_watch, EPOLLIN);
    else
        connect_later(stream);
}

static int begin(struct stream *stream, int fd)
{
    int one = 1, rc;

    if (stream->at.addr.ss_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (stream->keep_alive)
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    stream->in_at = stream->in_end = 0;
    stream->out_at = stream->out_end = 0;
    rc = net_connected(&stream->net, fd);
    if (!rc && stream->listener >= 0)
        loop_fd_want(stream->net.loop, &stream->listener_watch, 0);
    return rc;
}

/* As begin(), with a descriptor that is closed when it fails. */
static void begin_late(struct stream *stream, int fd)
{
    int rc = begin(stream, fd);

    if (rc) {
        close(fd);
        connect_later(stream);
    } else {
        log_guest("netdev %s: connected", stream->net.name);
    }
}

/* ---- to the peer ---------------------------------------------------------------------------- */

static int send_error(struct net *net, int error)
{
    if (error == EAGAIN || error == EINTR)
        return -EAGAIN;
    hang_up(net, strerror(error));
    return -error;
}

/* What the socket did not take of length and frame, from byte `done` on. */
static int keep_rest(struct stream *stream, const struct iovec *iov, int count, size_t done)
{
    if (!stream->out)
        stream->out = malloc(LENGTH_BYTES + NET_FRAME_MAX);
    if (!stream->out) {
        hang_up(&stream->net, "no memory for the rest of a frame");
        return -ENOMEM;
    }
    stream->out_at = stream->out_end = 0;
    for (int i = 0; i < count; i++) {
        size_t skip = done < iov[i].iov_len ? done : iov[i].iov_len;

        memcpy(stream->out + stream->out_end, (const uint8_t *)iov[i].iov_base + skip,
               iov[i].iov_len - skip);
        stream->out_end += iov[i].iov_len - skip;
        done -= skip;
    }
    stream->net.flushing = true;
    net_watch(&stream->net);
    return 0;
}

static int stream_send(struct net *net, const struct iovec *iov, int count, size_t len,
                       const struct net_offload *work)
{
    uint32_t length = htonl((uint32_t)len);
    struct iovec *all = stream_of(net)->iov;
    struct msghdr msg = {.msg_iov = all, .msg_iovlen = (size_t)count + 1};
    ssize_t n;

    all[0] = (struct iovec){&length, sizeof(length)};
    memcpy(all + 1, iov, (size_t)count * sizeof(*iov));
    n = sendmsg(net->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return send_error(net, errno);
    if ((size_t)n < LENGTH_BYTES + len)
        return keep_rest(stream_of(net), all, count + 1, (size_t)n);
    return 0;
}

static bool stream_flush(struct net *net)
{
    struct stream *stream = stream_of(net);
    ssize_t n = send(net->fd, stream->out + stream->out_at, stream->out_end - stream->out_at,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return send_error(net, errno) != -EAGAIN;
    stream->out_at += (size_t)n;
    return stream->out_at == stream->out_end;
}

/* ---- from the peer -------------------------------------------------------------------------- */

/* The length before the next frame, whatever it says; false while it is not there yet. */
static bool next_length(const struct stream *stream, uint32_t *length)
{
    if (stream->in_end - stream->in_at < LENGTH_BYTES)
        return false;
    memcpy(length, stream->in + stream->in_at, LENGTH_BYTES);
    *length = ntohl(*length);
    return true;
}

static bool stream_buffered(const struct net *net)
{
    const struct stream *stream = (const struct stream *)net;
    uint32_t length;

    return next_length(stream, &length) &&
           (length > NET_FRAME_MAX || stream->in_end - stream->in_at - LENGTH_BYTES >= length);
}

static int read_more(struct stream *stream)
{
    struct net *net = &stream->net;
    ssize_t n;

    if (stream->in_at > 0) {
        memmove(stream->in, stream->in + stream->in_at, stream->in_end - stream->in_at);
        stream->in_end -= stream->in_at;
        stream->in_at = 0;
    }
    n = recv(net->fd, stream->in + stream->in_end, sizeof(stream->in) - stream->in_end,
             MSG_DONTWAIT);
    if (n > 0) {
        stream->in_end += (size_t)n;
        return 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -EAGAIN;
    hang_up(net, n == 0 ? "the other end has gone" : strerror(errno));
    return -ENOTCONN;
}

static void scatter(const struct iovec *iov, int count, const uint8_t *from, size_t len)
{
    for (int i = 0; i < count && len; i++) {
        size_t n = len < iov[i].iov_len ? len : iov[i].iov_len;

        memcpy(iov[i].iov_base, from, n);
        from += n;
        len -= n;
    }
}

static ssize_t stream_receive(struct net *net, const struct iovec *iov, int count)
{
    struct stream *stream = stream_of(net);
    uint32_t length;

    while (!stream_buffered(net)) {
        int rc = read_more(stream);

        if (rc)
            return rc;
    }
    next_length(stream, &length);
    if (length > NET_FRAME_MAX) {
        hang_up(net, "the other end does not speak the protocol (a frame over 64 KiB)");
        return -EPROTO;
    }
    scatter(iov, count, stream->in + stream->in_at + LENGTH_BYTES, length);
    stream->in_at += LENGTH_BYTES + length;
    return (ssize_t)length;
}

/* Nobody reads, so that nobody finds the end of the stream otherwise. */
static void stream_trouble(struct net *net)
{
    hang_up(net, "the other end has gone");
}

/* ---- server --------------------------------------------------------------------------------- */

static void client_waits(void *opaque, uint32_t events)
{
    struct stream *stream = opaque;
    int fd = accept4(stream->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        begin_late(stream, fd);
}

static int start_server(struct stream *stream, const struct net_config *config)
{
    int fd = net_address_bind(&stream->at, &config->remote, SOCK_STREAM);

    if (fd < 0)
        return fd;
    if (config->remote.path && !config->remote.abstract)
        stream->unlink_path = strdup(config->remote.path);
    stream->listener = fd;
    if (listen(fd, 1))
        return -errno;
    return loop_fd_add(stream->net.loop, &stream->listener_watch, fd, EPOLLIN, client_waits,
                       stream);
}

/* ---- client --------------------------------------------------------------------------------- */

static void stop_joining(struct stream *stream)
{
    if (stream->joining >= 0)
        loop_fd_remove(stream->net.loop, &stream->joining_watch);
    stream->joining = -1;
}

static void joined(void *opaque, uint32_t events)
{
    struct stream *stream = opaque;
    int fd = stream->joining, error = 0;
    socklen_t len = sizeof(error);

    stop_joining(stream);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        begin_late(stream, fd);
        return;
    }
    close(fd);
    if (!stream->reconnect_s)
        log_error("netdev %s: cannot connect: %s", stream->net.name, strerror(error));
    connect_later(stream);
}

/* 0: connected or on the way; -errno: not now. */
static int try_connect(struct stream *stream)
{
    int fd = socket(stream->at.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&stream->at.addr, stream->at.len) == 0) {
        rc = begin(stream, fd);
    } else {
        rc = -errno;
        if (rc == -EINPROGRESS) {
            rc =
                loop_fd_add(stream->net.loop, &stream->joining_watch, fd, EPOLLOUT, joined, stream);
            stream->joining = rc ? -1 : fd;
        }
    }
    if (rc)
        close(fd);
    return rc;
}

static void retry_now(void *opaque)
{
    struct stream *stream = opaque;

    if (try_connect(stream))
        connect_later(stream);
    else if (stream->net.carrier)
        log_guest("netdev %s: connected", stream->net.name);
}

static void connect_later(struct stream *stream)
{
    if (stream->reconnect_s && stream->at.len && stream->listener < 0)
        timer_arm(&stream->retry,
                  loop_now(stream->net.loop, CLOCK_HOST) + stream->reconnect_s * 1000000000ull);
}

static int start_client(struct stream *stream)
{
    int rc = try_connect(stream);

    if (!rc || !stream->reconnect_s)
        return rc;
    connect_later(stream);
    return 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static void stream_destroy(struct net *net)
{
    struct stream *stream = stream_of(net);
    int joining = stream->joining;

    timer_cancel(&stream->retry);
    stop_joining(stream);
    if (joining >= 0)
        close(joining);
    if (stream->listener >= 0) {
        loop_fd_remove(net->loop, &stream->listener_watch);
        close(stream->listener);
    }
    if (stream->unlink_path)
        unlink(stream->unlink_path);
    free(stream->unlink_path);
    net_fini(net);
    free(stream->out);
    free(stream);
}

static const struct net_backend stream_backend = {
    .kind = "stream",
    .send = stream_send,
    .receive = stream_receive,
    .buffered = stream_buffered,
    .flush = stream_flush,
    .trouble = stream_trouble,
    .destroy = stream_destroy,
};

static int take_descriptor(struct stream *stream, int fd)
{
    int type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof(type);

    if (flags < 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
        return -EPROTOTYPE;
    len = sizeof(stream->at.addr);
    if (getsockname(fd, (struct sockaddr *)&stream->at.addr, &len) ||
        fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return -errno;
    return begin(stream, fd);
}

static int start(struct stream *stream, const struct net_config *config)
{
    int rc;

    if (config->fd >= 0)
        return take_descriptor(stream, config->fd);
    rc = net_address_find(&stream->at, &config->remote, SOCK_STREAM, config->server, config->name);
    if (rc)
        return rc;
    return config->server ? start_server(stream, config) : start_client(stream);
}

int net_stream_create(struct net **out, struct loop *loop, const struct net_config *config)
{
    struct stream *stream = malloc(sizeof(*stream));
    int rc = stream ? net_init(&stream->net, &stream_backend, loop, config->name) : -ENOMEM;

    if (rc) {
        free(stream);
        return rc;
    }
    stream->at.len = 0;
    stream->keep_alive = config->remote.keep_alive;
    stream->reconnect_s = config->reconnect_s;
    stream->listener = stream->joining = -1;
    stream->unlink_path = NULL;
    stream->in_at = stream->in_end = 0;
    stream->out = NULL;
    timer_init(&stream->retry, loop, CLOCK_HOST, retry_now, stream);
    rc = start(stream, config);
    if (rc) {
        char text[160];

        net_address_text(&config->remote, text, sizeof(text));
        log_error("-netdev stream,id=%s: %s %s: %s", config->name,
                  config->fd >= 0  ? "descriptor"
                  : config->server ? "cannot listen on"
                                   : "cannot connect to",
                  config->fd >= 0 ? "" : text, strerror(-rc));
        stream_destroy(&stream->net);
        return rc;
    }
    *out = &stream->net;
    return 0;
}
