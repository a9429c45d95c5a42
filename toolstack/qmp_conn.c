/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client.
 *
 *     reading ──message──▶ running ──answer──▶ output empty? ── yes ─▶ reading
 *                            │ late                └─ no: not read from until it takes its answers
 *                            ▼
 *                          owed a reply: not read from; a hang-up is still noticed
 *
 * It is closed when the client has gone (at once, so that the next one in the backlog gets in),
 * after a message beyond the limits, and when it takes nothing for QMP_STUCK_NS or lets more than
 * QMP_OUTPUT_MAX pile up. A closed connection is freed in the next turn of the loop: somebody up
 * the stack may be working on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build_config.h"
#include "dm/log.h"
#include "toolstack/qmp_internal.h"

#define QMP_STUCK_NS    20000000000ull
#define QMP_QUIT_NS     1000000000ull
#define OUTPUT_LOW      (64u << 10) /* with more than this waiting, no command is run */
#define COMMANDS_A_TURN 16
#define OUTPUT_KEPT     4096

static size_t pending(const struct qmp_conn *conn)
{
    return conn->out_len - conn->out_pos;
}

/* ---- closing -------------------------------------------------------------------------------- */

static void drop_fds(struct qmp_conn *conn)
{
    for (unsigned i = 0; i < conn->nfds; i++)
        close(conn->fds[i]);
    conn->nfds = 0;
}

void qmp_conn_close(struct qmp_conn *conn)
{
    struct qmp *qmp = conn->qmp;

    if (conn->dead)
        return;
    conn->dead = true;
    loop_fd_remove(qmp->loop, &conn->lfd);
    close(conn->lfd.fd);
    drop_fds(conn);
    timer_cancel(&conn->stuck);
    loop_defer_cancel(qmp->loop, &conn->more);
    if (conn->reply)
        qmp_reply_orphan(conn->reply);
    if (conn->listener) {
        conn->listener->connections--;
        qmp_listener_resume(conn->listener);
    }
    if (--qmp->connections == 0)
        fdsets_drop_transient(qmp->fdsets);
    loop_defer(qmp->loop, &qmp->reap);
    if (conn->quitting)
        qmp_quit_now(qmp);
}

void qmp_conn_reap(void *opaque)
{
    struct qmp *qmp = opaque;
    struct qmp_conn **link = &qmp->conns;

    while (*link) {
        struct qmp_conn *conn = *link;

        if (!conn->dead) {
            link = &conn->next;
            continue;
        }
        *link = conn->next;
        qmp_parser_fini(&conn->parser);
        explicit_bzero(conn->in, sizeof(conn->in));
        free(conn->out);
        free(conn);
    }
}

/* ---- output --------------------------------------------------------------------------------- */

static void flush(struct qmp_conn *conn)
{
    bool progress = false;

    while (!conn->dead && pending(conn)) {
        ssize_t n = conn->mute ? (ssize_t)pending(conn)
                               : send(conn->lfd.fd, conn->out + conn->out_pos, pending(conn),
                                      MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            conn->mute = true; /* what it has sent before it went is still done */
            continue;
        }
        conn->out_pos += (size_t)n;
        progress = true;
    }
    if (pending(conn) == 0) {
        conn->out_pos = conn->out_len = 0;
        if (conn->out_room > OUTPUT_KEPT) {
            free(conn->out);
            conn->out = NULL;
            conn->out_room = 0;
        }
        timer_cancel(&conn->stuck);
    } else if (progress || !timer_armed(&conn->stuck)) {
        timer_arm(&conn->stuck, loop_now(conn->qmp->loop, CLOCK_HOST) + QMP_STUCK_NS);
    }
}

static bool reserve(struct qmp_conn *conn, size_t len)
{
    size_t room = conn->out_room ? conn->out_room : 512;
    char *out;

    if (conn->out_pos) {
        memmove(conn->out, conn->out + conn->out_pos, pending(conn));
        conn->out_len -= conn->out_pos;
        conn->out_pos = 0;
    }
    if (len > QMP_OUTPUT_MAX - conn->out_len)
        return false;
    while (room < conn->out_len + len)
        room *= 2;
    if (room == conn->out_room)
        return true;
    out = realloc(conn->out, room);
    if (!out)
        return false;
    conn->out = out;
    conn->out_room = room;
    return true;
}

/* Whether commands may be run or read now: none is in hand, and the answers are being taken. */
static bool may_run(const struct qmp_conn *conn)
{
    return !conn->dead && !conn->reply && !conn->closing && pending(conn) <= OUTPUT_LOW;
}

static bool is_over(const struct qmp_conn *conn)
{
    return pending(conn) == 0 && !conn->reply &&
           (conn->closing || (conn->eof && conn->in_pos == conn->in_len));
}

/* What the connection waits for now: its descriptor, or just the next turn. */
static void update_events(struct qmp_conn *conn)
{
    /* Never 0: a hang-up has to be noticed in every case, and it is always reported. */
    uint32_t events = EPOLLHUP;

    if (conn->dead)
        return;
    if (is_over(conn) || (may_run(conn) && conn->in_pos < conn->in_len))
        loop_defer(conn->qmp->loop, &conn->more);
    if (may_run(conn) && conn->in_pos == conn->in_len && !conn->eof)
        events |= EPOLLIN;
    else if (!conn->half && !conn->eof)
        events |= EPOLLRDHUP;
    if (pending(conn))
        events |= EPOLLOUT;
    if (loop_fd_want(conn->qmp->loop, &conn->lfd, events))
        qmp_conn_close(conn);
}

/* A socket counts as writable only when most of it is free again: see whether it takes a little. */
static void stuck(void *opaque)
{
    struct qmp_conn *conn = opaque;
    size_t before = pending(conn);

    flush(conn);
    if (pending(conn) < before) {
        update_events(conn);
        return;
    }
    log_guest("QMP: a client that does not read its answers has been dropped");
    qmp_conn_close(conn);
}

void qmp_conn_send_text(struct qmp_conn *conn, const char *text, size_t len)
{
    if (conn->dead || conn->mute)
        return;
    if (!reserve(conn, len + 2)) {
        log_guest("QMP: a client that lets its answers pile up has been dropped");
        qmp_conn_close(conn);
        return;
    }
    memcpy(conn->out + conn->out_len, text, len);
    memcpy(conn->out + conn->out_len + len, "\r\n", 2);
    conn->out_len += len + 2;
    flush(conn);
    if (!conn->running)
        update_events(conn);
}

void qmp_conn_send(struct qmp_conn *conn, struct json_object *message)
{
    int style = conn->flags & QMP_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                         : JSON_C_TO_STRING_PLAIN;
    size_t len = 0;
    const char *text =
        json_object_to_json_string_length(message, style | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

    if (text)
        qmp_conn_send_text(conn, text, len);
    else
        qmp_conn_close(conn); /* out of memory: better no answer than half of one */
    json_object_put(message);
}

/* ---- input ---------------------------------------------------------------------------------- */

static void take(struct qmp_conn *conn)
{
    const char *why = NULL;
    size_t used = 0;
    enum qmp_parsed parsed = qmp_parser_feed(&conn->parser, conn->in + conn->in_pos,
                                             conn->in_len - conn->in_pos, &used, &why);

    conn->in_pos += used;
    switch (parsed) {
    case QMP_PARSE_MORE:
        break;
    case QMP_PARSE_MESSAGE:
        qmp_run_message(conn, conn->parser.text, conn->parser.len);
        qmp_parser_reset(&conn->parser);
        break;
    case QMP_PARSE_BROKEN:
        qmp_send_error(conn, QMP_GENERIC_ERROR, why);
        break;
    case QMP_PARSE_LIMIT:
        log_guest("QMP: a client has been dropped: %s", why);
        conn->closing = true;
        qmp_send_error(conn, QMP_GENERIC_ERROR, why);
        break;
    }
}

/* Runs what has come in, as far as it may be run now, and decides how it goes on. */
static void run(struct qmp_conn *conn)
{
    unsigned budget = COMMANDS_A_TURN;

    conn->running = true;
    while (may_run(conn) && conn->in_pos < conn->in_len && budget-- > 0) {
        if (conn->quitting)
            conn->in_pos = conn->in_len; /* waits for its EOF only */
        else
            take(conn);
    }
    conn->running = false;
    if (conn->in_pos == conn->in_len) {
        explicit_bzero(conn->in, conn->in_len);
        conn->in_pos = conn->in_len = 0;
    }
    if (is_over(conn))
        qmp_conn_close(conn);
    else
        update_events(conn);
}

static void run_more(void *opaque)
{
    run(opaque);
}

void qmp_conn_resume(struct qmp_conn *conn)
{
    if (!conn->dead && !conn->running)
        loop_defer(conn->qmp->loop, &conn->more);
}

static void keep_fds(struct qmp_conn *conn, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (conn->nfds < QMP_FDS_MAX)
                conn->fds[conn->nfds++] = fd;
            else
                close(fd);
        }
    }
}

int qmp_conn_take_fd(struct qmp_conn *conn)
{
    int fd = -1;

    if (conn->nfds) {
        fd = conn->fds[0];
        conn->nfds--;
        memmove(&conn->fds[0], &conn->fds[1], conn->nfds * sizeof(conn->fds[0]));
    }
    return fd;
}

static void receive(struct qmp_conn *conn)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * QMP_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = conn->in, .iov_len = sizeof(conn->in)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(conn->lfd.fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0) {
        qmp_conn_close(conn);
        return;
    }
    keep_fds(conn, &msg);
    conn->in_pos = 0;
    conn->in_len = (size_t)n;
    if (n == 0)
        conn->eof = true;
}

static void ready(void *opaque, uint32_t events)
{
    struct qmp_conn *conn = opaque;
    bool gone = events & (EPOLLHUP | EPOLLERR);

    if (gone)
        conn->mute = true;
    if (events & EPOLLRDHUP)
        conn->half = true;
    if (pending(conn))
        flush(conn);
    if (gone && (conn->reply || conn->eof || conn->closing)) {
        qmp_conn_close(conn);
        return;
    }
    if (!conn->dead && !conn->reply && !conn->eof && !conn->closing &&
        pending(conn) <= OUTPUT_LOW && conn->in_pos == conn->in_len && (gone || (events & EPOLLIN)))
        receive(conn);
    if (!conn->dead)
        run(conn);
}

/* ---- opening and ending --------------------------------------------------------------------- */

static void greet(struct qmp_conn *conn)
{
    static const char greeting[] =
        "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7},"
        "\"package\":\"slimdm " SLIMDM_VERSION "\"},\"capabilities\":[]}}";

    qmp_conn_send_text(conn, greeting, sizeof(greeting) - 1);
}

int qmp_conn_open(struct qmp *qmp, struct qmp_listener *listener, int fd, unsigned flags)
{
    struct qmp_conn *conn = calloc(1, sizeof(*conn));
    int rc;

    if (!conn)
        return -ENOMEM;
    conn->qmp = qmp;
    conn->listener = listener;
    conn->flags = flags;
    conn->more = (struct loop_work){.run = run_more, .opaque = conn};
    timer_init(&conn->stuck, qmp->loop, CLOCK_HOST, stuck, conn);
    rc = loop_fd_add(qmp->loop, &conn->lfd, fd, EPOLLIN | EPOLLHUP, ready, conn);
    if (rc) {
        free(conn);
        return rc;
    }
    conn->next = qmp->conns;
    qmp->conns = conn;
    qmp->connections++;
    if (listener)
        listener->connections++;
    greet(conn);
    return 0;
}

/*
 * The client reads its answer and closes; then we end. One that does not close, or that never
 * reads, cannot keep us.
 */
void qmp_conn_quit(struct qmp_conn *conn)
{
    struct qmp *qmp = conn->qmp;

    if (!timer_armed(&qmp->quit))
        timer_arm(&qmp->quit, loop_now(qmp->loop, CLOCK_HOST) + QMP_QUIT_NS);
    conn->quitting = true;
    if (conn->dead)
        qmp_quit_now(qmp);
}
