/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A viewer's bytes.
 *
 *     sock --> websocket --> in[] --> gate --> pair --> library
 *     sock <-- out[] <-- websocket <------------ pair <-- library
 *
 * Nothing waits: what a socket does not take stays in out[] or held[], which are bounded, and what
 * would fill them is not read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ui/vnc/viewer.h"

#define MESSAGES_PER_TURN 64
#define OUT_LIMIT_MIN     (1u << 20)

/* ---- out ------------------------------------------------------------------------------------ */

static size_t waiting(const struct viewer *v)
{
    return v->out_length - v->out_at;
}

static size_t out_limit(const struct viewer *v)
{
    size_t two = (size_t)v->server->width * v->server->height * 8;

    return two > OUT_LIMIT_MIN ? two : OUT_LIMIT_MIN;
}

/* Room for `more` bytes behind those that wait. */
static bool make_room(struct viewer *v, size_t more)
{
    size_t room = v->out_room ? v->out_room : VIEWER_CHUNK;
    uint8_t *bigger;

    if (v->out_at) {
        memmove(v->out, v->out + v->out_at, waiting(v));
        v->out_length = waiting(v);
        v->out_at = 0;
    }
    while (room < v->out_length + more)
        room *= 2;
    if (room == v->out_room)
        return true;
    bigger = realloc(v->out, room);
    if (!bigger)
        return false;
    v->out = bigger;
    v->out_room = room;
    return true;
}

static void append(struct viewer *v, const void *data, size_t length)
{
    if (!make_room(v, length)) {
        v->closing = true;
        return;
    }
    if (!waiting(v))
        v->since = server_now();
    memcpy(v->out + v->out_length, data, length);
    v->out_length += length;
}

static void send_frame(struct viewer *v, uint8_t opcode, const void *data, size_t length)
{
    uint8_t header[WEBSOCKET_HEADER_MAX];

    append(v, header, websocket_header(opcode, length, header));
    append(v, data, length);
}

void viewer_send(void *opaque, const void *data, size_t length)
{
    struct viewer *v = opaque;

    if (v->upgraded)
        send_frame(v, 2, data, length);
    else
        append(v, data, length);
}

static void count_backlog(struct viewer *v)
{
    size_t before;

    if (!v->shared)
        return;
    before = atomic_exchange(&v->shared->backlog, waiting(v));
    if (before > ENCODER_BACKLOG && waiting(v) <= ENCODER_BACKLOG)
        encoder_wake(v->server->encoder);
}

/* Writes what the socket takes. false: it is broken. */
static bool flush(struct viewer *v)
{
    while (waiting(v)) {
        ssize_t n = send(v->sock, v->out + v->out_at, waiting(v), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        v->out_at += (size_t)n;
        v->since = server_now();
    }
    v->out_at = v->out_length = 0;
    if (v->out_room > VIEWER_CHUNK) {
        free(v->out);
        v->out = NULL;
        v->out_room = 0;
    }
    return true;
}

/* ---- what is waited for --------------------------------------------------------------------- */

static void want(struct viewer *v, int fd, uint32_t *known, uint32_t events, bool pair)
{
    struct epoll_event ev = {.events = events};

    if (*known == events)
        return;
    /* Index of the viewer, and which of its sockets. */
    ev.data.u64 = (uint64_t)(v - v->server->viewer) << 8 | (pair ? 3 : 2);
    epoll_ctl(v->server->epoll, EPOLL_CTL_MOD, fd, &ev);
    *known = events;
}

static void update_interest(struct viewer *v)
{
    bool may_read = !v->closing && !v->held_length && v->in_length < sizeof(v->in);

    if (v->sock < 0)
        return;
    count_backlog(v);
    want(v, v->sock, &v->sock_events, (may_read ? EPOLLIN : 0u) | (waiting(v) ? EPOLLOUT : 0u),
         false);
    if (v->pair >= 0)
        want(v, v->pair, &v->pair_events,
             (waiting(v) < out_limit(v) ? EPOLLIN : 0u) | (v->held_length ? EPOLLOUT : 0u), true);
}

static bool watch(struct viewer *v, int fd, uint32_t *known, bool pair)
{
    struct epoll_event ev = {.events = EPOLLIN};

    ev.data.u64 = (uint64_t)(v - v->server->viewer) << 8 | (pair ? 3 : 2);
    *known = EPOLLIN;
    return epoll_ctl(v->server->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/* ---- to the library ------------------------------------------------------------------------- */

/* false: the encoder has closed it. */
static bool push_held(struct viewer *v)
{
    while (v->held_at < v->held_length) {
        ssize_t n = send(v->pair, v->held + v->held_at, v->held_length - v->held_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        v->held_at += (size_t)n;
    }
    v->held_at = v->held_length = 0;
    return true;
}

static void to_library(void *opaque, const void *data, size_t length)
{
    struct viewer *v = opaque;

    /* held[] is empty: no message is taken from the viewer while it is not. */
    memcpy(v->held, data, length);
    v->held_length = length;
    if (!push_held(v))
        v->closing = true;
}

/* ---- admission ------------------------------------------------------------------------------ */

void viewer_begin(struct viewer *v)
{
    if (!v->waiting)
        return;
    v->waiting = false;
    atomic_fetch_add(&v->shared->users, 1);
    encoder_add(v->server->encoder, v->shared);
}

static bool check_login(void *opaque, const uint8_t challenge[16], const uint8_t answer[16])
{
    return server_login(((struct viewer *)opaque)->server, challenge, answer);
}

static bool admit(void *opaque, bool shared)
{
    struct viewer *v = opaque;
    struct server *s = v->server;
    int pair[2];

    if (!shared && s->config.share == ENCODER_SHARE_FORCE)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return false;
    v->shared = calloc(1, sizeof(*v->shared));
    if (!v->shared || !watch(v, pair[0], &v->pair_events, true)) {
        free(v->shared);
        v->shared = NULL;
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    v->shared->socket = pair[1];
    atomic_store(&v->shared->users, 1);
    v->pair = pair[0];
    v->skip = GATE_LIBRARY_PREFIX;
    v->logged_in = v->waiting = true;
    v->since = server_now();
    server_tell_viewers(s);
    /* A viewer that cannot be told of another size is to get the right one at once. */
    if (s->have_picture)
        viewer_begin(v);
    return true;
}

static void set_features(void *opaque, uint32_t mask)
{
    struct viewer *v = opaque;

    atomic_store(&v->shared->features, mask);
    encoder_wake(v->server->encoder);
}

static const struct gate_ops gate_ops = {
    .send = viewer_send,
    .to_library = to_library,
    .login = check_login,
    .admit = admit,
    .key = viewer_key,
    .raw_key = viewer_raw_key,
    .pointer = viewer_pointer,
    .features = set_features,
};

static void greet(struct viewer *v)
{
    uint8_t challenge[16];

    if (getrandom(challenge, sizeof(challenge), 0) != sizeof(challenge)) {
        v->closing = true;
        return;
    }
    gate_open(&v->gate, &gate_ops, v, v->server->password.login != FRONTEND_LOGIN_OPEN, challenge);
}

/* ---- in ------------------------------------------------------------------------------------- */

static void forget_input(struct viewer *v, size_t used)
{
    v->in_length -= used;
    memmove(v->in, v->in + used, v->in_length);
}

/* Messages that are there; the rest after the others have had their turn. */
static void take_messages(struct viewer *v)
{
    size_t at = 0;

    v->more = false;
    for (int i = 0; !v->closing && !v->held_length; i++) {
        ssize_t n;

        if (i == MESSAGES_PER_TURN) {
            v->more = true;
            break;
        }
        n = gate_take(&v->gate, v->in + at, v->in_length - at);

        if (n == 0)
            break;
        if (n < 0) {
            v->closing = true;
            break;
        }
        at += (size_t)n;
    }
    forget_input(v, at);
}

static void upgrade(struct viewer *v)
{
    char answer[WEBSOCKET_ANSWER_MAX];
    size_t length;
    ssize_t n = websocket_request(v->in, v->in_length, answer, &length);

    if (n == 0)
        return;
    if (n < 0) {
        v->gate.why = "it does not speak WebSocket";
        v->closing = true;
        return;
    }
    append(v, answer, length);
    forget_input(v, (size_t)n);
    v->upgraded = true;
    greet(v);
    /* A browser waits for the answer; what it sent before would have to be decoded. */
    if (v->in_length)
        v->closing = true;
}

/* The last `fresh` bytes of in[] are frames: in their place comes what is in them. */
static void decode(struct viewer *v, size_t fresh)
{
    size_t begin = v->in_length - fresh;

    v->in_length = begin;
    while (fresh && !v->closing) {
        size_t used;
        ssize_t n = websocket_decode(&v->ws, v->in + begin, fresh, &used);

        if (n < 0) {
            v->closing = true;
            return;
        }
        if (v->ws.pong)
            send_frame(v, 10, v->ws.control, v->ws.control_length);
        v->in_length += (size_t)n;
        fresh -= used;
        memmove(v->in + v->in_length, v->in + begin + used, fresh);
        begin = v->in_length;
    }
}

static void receive(struct viewer *v)
{
    ssize_t n = recv(v->sock, v->in + v->in_length, sizeof(v->in) - v->in_length, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        viewer_close(v, NULL);
        return;
    }
    v->in_length += (size_t)n;
    if (v->websocket && !v->upgraded)
        upgrade(v);
    else if (v->websocket)
        decode(v, (size_t)n);
}

/* ---- both directions ------------------------------------------------------------------------ */

static void settle(struct viewer *v)
{
    if (v->sock < 0)
        return;
    if (!v->websocket || v->upgraded)
        take_messages(v);
    if (!flush(v) || (v->closing && !waiting(v))) {
        viewer_close(v, v->gate.why);
        return;
    }
    update_interest(v);
}

void viewer_network(struct viewer *v, uint32_t events)
{
    if (events & EPOLLIN && !v->closing && !v->held_length && v->in_length < sizeof(v->in))
        receive(v);
    else if (events & (EPOLLHUP | EPOLLERR))
        viewer_close(v, NULL);
    settle(v);
}

static bool pull(struct viewer *v)
{
    uint8_t *chunk = v->server->chunk;
    ssize_t n = recv(v->pair, chunk, VIEWER_CHUNK, MSG_DONTWAIT);
    size_t skip;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    skip = (size_t)n < v->skip ? (size_t)n : v->skip;
    v->skip -= skip;
    if ((size_t)n > skip)
        viewer_send(v, chunk + skip, (size_t)n - skip);
    return true;
}

void viewer_encoder(struct viewer *v, uint32_t events)
{
    bool alive = true;

    if (v->pair < 0)
        return;
    if (events & EPOLLOUT)
        alive = push_held(v);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && alive)
        alive = pull(v);
    if (!alive) {
        close(v->pair);
        v->pair = -1;
        v->held_length = 0;
        v->closing = true;
    }
    settle(v);
}

void viewer_go_on(struct viewer *v)
{
    settle(v);
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void describe(struct viewer *v)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t length = sizeof(address);
    struct frontend_viewer *about = &v->about;

    memset(about, 0, sizeof(*about));
    about->websocket = v->websocket;
    if (getpeername(v->sock, (struct sockaddr *)&address, &length) || address.ss_family == AF_UNIX)
        return;
    about->family = address.ss_family == AF_INET6 ? 6 : 4;
    if (getnameinfo((struct sockaddr *)&address, length, about->host, sizeof(about->host),
                    about->service, sizeof(about->service), NI_NUMERICHOST | NI_NUMERICSERV))
        about->host[0] = about->service[0] = '\0';
}

void viewer_open(struct viewer *v, int sock, bool websocket)
{
    struct server *server = v->server;
    int on = 1;

    memset(v, 0, sizeof(*v));
    v->server = server;
    v->sock = sock;
    v->pair = -1;
    v->websocket = websocket;
    v->since = server_now();
    describe(v);
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (!watch(v, sock, &v->sock_events, false)) {
        viewer_close(v, NULL);
        return;
    }
    if (!websocket)
        greet(v);
    settle(v);
}

void viewer_close(struct viewer *v, const char *why)
{
    bool known = v->logged_in;

    if (v->sock < 0)
        return;
    if (why)
        server_say(v->server, "viewer %s: %s", v->about.host[0] ? v->about.host : "(local)", why);
    viewer_release(v);
    close(v->sock);
    v->sock = -1;
    if (v->pair >= 0)
        close(v->pair);
    v->pair = -1;
    if (v->shared) {
        if (v->waiting) /* the encoder never saw it */
            close(v->shared->socket);
        encoder_viewer_put(v->shared);
    }
    v->shared = NULL;
    v->logged_in = v->waiting = false;
    free(v->out);
    v->out = NULL;
    v->out_at = v->out_length = v->out_room = 0;
    explicit_bzero(&v->gate, sizeof(v->gate));
    if (known)
        server_tell_viewers(v->server);
}
