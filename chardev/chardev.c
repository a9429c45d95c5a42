/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core of every back end: the buffer, who is there, when to write, when to read.
 *
 *              writable                     kernel full                 no progress for stall_ns
 *   (absent) ------------> (direct/gather) ------------> (blocked) ----------------> (stalled)
 *      ^                          ^                          |  EPOLLOUT, progress       |
 *      |   hang-up, from all      +--------------------------+---------------------------+
 *      +----------------------
 *
 * Absent takes everything and drops the oldest: who comes next wants to see how it stands.
 * Blocked takes until the buffer is full, and the front holds the rest.
 * Stalled takes everything and drops the newest, as a line does that nobody listens to: what has
 * been accepted stays, in order.
 */
#include "chardev/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dm/log.h"

int chardev_set_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return -errno;
    return 0;
}

/* ---- watching ------------------------------------------------------------------------------- */

static size_t front_room(const struct chardev *chr)
{
    return chr->front ? chr->front->room(chr->front_opaque) : 0;
}

static void update_watches(struct chardev *chr)
{
    uint32_t in = chr->readable && front_room(chr) ? EPOLLIN : 0;
    uint32_t out = chr->writable && chr->blocked ? EPOLLOUT : 0;

    if (chr->rfd >= 0 && chr->rfd == chr->wfd) {
        in |= out;
        out = 0;
    }
    /* Regular files and /dev/null cannot be watched (EPERM): no input ever comes from there. */
    if (chr->rfd >= 0 && loop_fd_want(chr->loop, &chr->rwatch, in))
        chr->readable = false;
    if (chr->wfd >= 0 && chr->wfd != chr->rfd && loop_fd_want(chr->loop, &chr->wwatch, out))
        chr->blocked = false;
}

static void hangup(struct chardev *chr, bool reading)
{
    if (chr->backend->hangup)
        chr->backend->hangup(chr, reading);
    else
        chardev_set_peer(chr, chr->readable && !reading, chr->writable && reading);
}

/* ---- output --------------------------------------------------------------------------------- */

size_t chardev_peek(struct chardev *chr, const uint8_t **data)
{
    size_t run = CHARDEV_BUFFER - chr->head;

    *data = chr->buffer + chr->head;
    return chr->count < run ? chr->count : run;
}

void chardev_pop(struct chardev *chr, size_t len)
{
    chr->head = (chr->head + len) % CHARDEV_BUFFER;
    chr->count -= len;
}

static void append(struct chardev *chr, const uint8_t *data, size_t len)
{
    size_t tail = (chr->head + chr->count) % CHARDEV_BUFFER;
    size_t run = CHARDEV_BUFFER - tail;

    if (run > len)
        run = len;
    memcpy(chr->buffer + tail, data, run);
    memcpy(chr->buffer, data + run, len - run);
    chr->count += len;
}

/* What may be added now. The reserve is for what a front holds when its line stalls. */
static size_t room_left(const struct chardev *chr)
{
    size_t limit = CHARDEV_BUFFER - (chr->writable && !chr->stalled ? CHARDEV_RESERVE : 0);

    return chr->count < limit ? limit - chr->count : 0;
}

/* Makes room for `len` <= CHARDEV_BUFFER bytes where nobody is there; else says what there is. */
static size_t make_room(struct chardev *chr, size_t len)
{
    size_t room = room_left(chr);

    if (room >= len)
        return len;
    if (chr->writable)
        return room;
    chr->dropped += len - room;
    chardev_pop(chr, len - room);
    return len;
}

static size_t store_escaped(struct chardev *chr, const uint8_t *data, size_t len)
{
    static const uint8_t doubled[2] = {0xff, 0xff};
    size_t taken;

    for (taken = 0; taken < len; taken++) {
        size_t need = data[taken] == 0xff ? 2 : 1;

        if (make_room(chr, need) < need)
            break;
        append(chr, need == 2 ? doubled : data + taken, need);
    }
    return taken;
}

/* Returns how much of the data has been taken: into the buffer, or dropped as the state says. */
static size_t store(struct chardev *chr, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    if (chr->escape_ff) {
        taken = store_escaped(chr, data, len);
    } else {
        if (!chr->writable && len > CHARDEV_BUFFER) {
            taken = len - CHARDEV_BUFFER;
            chr->dropped += taken;
        }
        size_t fits = make_room(chr, len - taken < CHARDEV_BUFFER ? len - taken : CHARDEV_BUFFER);

        append(chr, data + taken, fits);
        taken += fits;
    }
    if (taken < len && chr->stalled) {
        chr->dropped += len - taken;
        taken = len;
    }
    return taken;
}

/* One write call: how many bytes went out; 0 when none can now. */
static size_t put(struct chardev *chr, const uint8_t *data, size_t len)
{
    ssize_t n;

    do {
        n = chr->backend->write ? chr->backend->write(chr, data, len) : write(chr->wfd, data, len);
        if (n < 0 && !chr->backend->write)
            n = -errno;
    } while (n == -EINTR);
    if (n > 0) {
        chr->last_write = loop_now(chr->loop, CLOCK_HOST);
        chr->stalled = false;
        if (timer_armed(&chr->stall_timer))
            timer_arm(&chr->stall_timer, chr->last_write + chr->stall_ns);
        return (size_t)n;
    }
    if (n == -EAGAIN || n == -EWOULDBLOCK || n == 0)
        chr->blocked = true;
    else
        hangup(chr, false);
    return 0;
}

/* A front that was cut short goes on in the next turn: never from inside its own write. */
static void resume_front(struct chardev *chr)
{
    timer_cancel(&chr->stall_timer);
    if (chr->front_waits)
        loop_defer(chr->loop, &chr->resume);
}

static void resume(void *opaque)
{
    struct chardev *chr = opaque;

    if (!chr->front_waits)
        return;
    chr->front_waits = false;
    if (chr->front)
        chr->front->writable(chr->front_opaque);
}

void chardev_flush(struct chardev *chr)
{
    timer_cancel(&chr->gather_timer);
    while (chr->count && chr->writable && !chr->blocked) {
        const uint8_t *data;
        size_t len = chardev_peek(chr, &data);

        chardev_pop(chr, put(chr, data, len));
    }
    if (chr->front_waits && room_left(chr) >= CHARDEV_RESUME_ROOM)
        resume_front(chr);
    update_watches(chr);
}

static void gather_over(void *opaque)
{
    chardev_flush(opaque);
}

static void stall_over(void *opaque)
{
    struct chardev *chr = opaque;

    chr->stalled = true;
    resume_front(chr);
}

size_t chardev_write(struct chardev *chr, const uint8_t *data, size_t len)
{
    uint64_t now = loop_now(chr->loop, CLOCK_HOST);
    bool gather = now - chr->last_write < CHARDEV_GATHER_NS && len < CHARDEV_GATHER_BYTES &&
                  chr->count < CHARDEV_GATHER_BYTES - len;
    size_t taken = 0;

    if (!gather) {
        chardev_flush(chr);
        while (taken < len && !chr->escape_ff && !chr->count && chr->writable && !chr->blocked)
            taken += put(chr, data + taken, len - taken);
    }
    if (taken < len)
        taken += store(chr, data + taken, len - taken);
    if (taken < len) {
        chr->front_waits = true;
        if (!timer_armed(&chr->stall_timer))
            timer_arm(&chr->stall_timer, now + chr->stall_ns);
    }
    if (gather && chr->writable && !chr->blocked) {
        if (!timer_armed(&chr->gather_timer))
            timer_arm(&chr->gather_timer, chr->last_write + CHARDEV_GATHER_NS);
    } else if (chr->writable) {
        chardev_flush(chr);
    }
    return taken;
}

void chardev_send_raw(struct chardev *chr, const uint8_t *data, size_t len)
{
    if (CHARDEV_BUFFER - chr->count < len)
        return;
    append(chr, data, len);
    chardev_flush(chr);
}

/* ---- input ---------------------------------------------------------------------------------- */

void chardev_deliver(struct chardev *chr, const uint8_t *data, size_t len)
{
    if (len && chr->front)
        chr->front->receive(chr->front_opaque, data, len);
}

void chardev_deliver_break(struct chardev *chr)
{
    if (chr->front && chr->front->receive_break)
        chr->front->receive_break(chr->front_opaque);
}

static void pump(struct chardev *chr)
{
    uint8_t data[4096];
    size_t room = front_room(chr);
    ssize_t n;

    if (room > sizeof(data))
        room = sizeof(data);
    if (room && chr->readable && chr->rfd >= 0) {
        n = chr->backend->read ? chr->backend->read(chr, data, room) : read(chr->rfd, data, room);
        if (n < 0 && !chr->backend->read)
            n = -errno;
        if (n > 0 && chr->backend->decode)
            chr->backend->decode(chr, data, (size_t)n);
        else if (n > 0)
            chardev_deliver(chr, data, (size_t)n);
        else if (n != -EAGAIN && n != -EWOULDBLOCK && n != -EINTR)
            hangup(chr, true);
    }
    update_watches(chr);
}

void chardev_accept_input(struct chardev *chr)
{
    pump(chr);
}

/* ---- events --------------------------------------------------------------------------------- */

static void can_write(struct chardev *chr, uint32_t events)
{
    if (events & EPOLLOUT) {
        chr->blocked = false;
        chardev_flush(chr);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        hangup(chr, false);
    }
}

static void read_ready(void *opaque, uint32_t events)
{
    struct chardev *chr = opaque;
    bool reads = chr->readable && front_room(chr);

    if (chr->rfd == chr->wfd && chr->blocked)
        can_write(chr, reads ? events & EPOLLOUT : events);
    if (reads && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        pump(chr);
    else
        update_watches(chr);
}

static void write_ready(void *opaque, uint32_t events)
{
    can_write(opaque, events);
}

void chardev_set_fds(struct chardev *chr, int rfd, int wfd)
{
    loop_fd_remove(chr->loop, &chr->rwatch);
    loop_fd_remove(chr->loop, &chr->wwatch);
    chr->rfd = rfd;
    chr->wfd = wfd;
    chr->blocked = false;
    if (rfd >= 0)
        loop_fd_add(chr->loop, &chr->rwatch, rfd, 0, read_ready, chr);
    if (wfd >= 0 && wfd != rfd)
        loop_fd_add(chr->loop, &chr->wwatch, wfd, 0, write_ready, chr);
}

void chardev_set_peer(struct chardev *chr, bool readable, bool writable)
{
    bool appeared = writable && !chr->writable;

    chr->readable = readable;
    chr->writable = writable;
    if (!writable || appeared) {
        chr->blocked = false;
        chr->stalled = false;
    }
    if (!writable) {
        timer_cancel(&chr->gather_timer);
        resume_front(chr);
    }
    if (appeared)
        chardev_flush(chr);
    else
        update_watches(chr);
}

void chardev_attach(struct chardev *chr, const struct chardev_front *front, void *opaque)
{
    chr->front = front;
    chr->front_opaque = opaque;
    if (!front) {
        chr->front_waits = false;
        timer_cancel(&chr->stall_timer);
    }
    update_watches(chr);
}

/* ---- the line, and what QMP asks ------------------------------------------------------------ */

void chardev_set_break(struct chardev *chr, bool on)
{
    if (chr->backend->set_break)
        chr->backend->set_break(chr, on);
}

void chardev_set_line(struct chardev *chr, uint32_t baud, char parity, unsigned data_bits,
                      unsigned stop_bits)
{
    if (chr->backend->set_line)
        chr->backend->set_line(chr, baud, parity, data_bits, stop_bits);
}

unsigned chardev_modem_lines(struct chardev *chr)
{
    int lines = chr->backend->modem_lines ? chr->backend->modem_lines(chr) : -ENOTTY;

    return lines >= 0 ? (unsigned)lines : CHARDEV_CTS | CHARDEV_DSR | CHARDEV_DCD;
}

void chardev_set_modem_lines(struct chardev *chr, bool dtr, bool rts)
{
    if (chr->backend->set_modem_lines)
        chr->backend->set_modem_lines(chr, dtr, rts);
}

const char *chardev_label(const struct chardev *chr)
{
    return chr->label;
}

const char *chardev_filename(struct chardev *chr)
{
    if (chr->backend->describe)
        chr->backend->describe(chr);
    return chr->filename;
}

bool chardev_is_open(const struct chardev *chr)
{
    return chr->front != NULL;
}

uint64_t chardev_dropped(const struct chardev *chr)
{
    return chr->dropped;
}

int chardev_fd(const struct chardev *chr)
{
    return chr->rfd >= 0 ? chr->rfd : chr->wfd;
}

/* ---- making and unmaking -------------------------------------------------------------------- */

struct chardev *chardev_alloc(size_t size, const struct chardev_backend *backend, struct loop *loop,
                              struct workers *workers, const char *label)
{
    struct chardev *chr = calloc(1, size);

    if (!chr)
        return NULL;
    chr->backend = backend;
    chr->loop = loop;
    chr->workers = workers;
    chr->rfd = chr->wfd = -1;
    chr->stall_ns = CHARDEV_STALL_NS;
    /* Pages that are never touched are never there. */
    chr->buffer = malloc(CHARDEV_BUFFER);
    chr->label = strdup(label);
    if (!chr->buffer || !chr->label) {
        free(chr->buffer);
        free(chr->label);
        free(chr);
        return NULL;
    }
    strncpy(chr->filename, backend->name, sizeof(chr->filename) - 1);
    timer_init(&chr->stall_timer, loop, CLOCK_HOST, stall_over, chr);
    timer_init(&chr->gather_timer, loop, CLOCK_HOST, gather_over, chr);
    chr->resume = (struct loop_work){.run = resume, .opaque = chr};
    return chr;
}

void chardev_destroy(struct chardev *chr)
{
    if (!chr)
        return;
    chardev_attach(chr, NULL, NULL);
    chardev_flush(chr);
    timer_cancel(&chr->stall_timer);
    timer_cancel(&chr->gather_timer);
    loop_defer_cancel(chr->loop, &chr->resume);
    loop_fd_remove(chr->loop, &chr->rwatch);
    loop_fd_remove(chr->loop, &chr->wwatch);
    if (chr->backend->destroy)
        chr->backend->destroy(chr);
    if (chr->wfd >= 0 && chr->wfd != chr->rfd)
        close(chr->wfd);
    if (chr->rfd >= 0)
        close(chr->rfd);
    free(chr->buffer);
    free(chr->label);
    free(chr);
}

static ssize_t null_write(struct chardev *chr, const uint8_t *data, size_t len)
{
    return (ssize_t)len;
}

static const struct chardev_backend null_backend = {.name = "null", .write = null_write};

static int open_null(struct chardev **out, struct loop *loop, const struct chardev_config *config)
{
    struct chardev *chr = chardev_alloc(sizeof(*chr), &null_backend, loop, NULL, config->label);

    if (!chr)
        return -ENOMEM;
    chr->writable = true;
    *out = chr;
    return 0;
}

int chardev_create(struct chardev **out, struct loop *loop, struct workers *workers,
                   const struct chardev_config *config)
{
    switch (config->kind) {
    case CHARDEV_NULL:
        return open_null(out, loop, config);
    case CHARDEV_PTY:
        return chardev_open_pty(out, loop, config);
    case CHARDEV_STDIO:
        return chardev_open_stdio(out, loop, config);
    case CHARDEV_FILE:
        return chardev_open_file(out, loop, workers, config);
    case CHARDEV_PIPE:
        return chardev_open_pipe(out, loop, config);
    case CHARDEV_TTY:
        return chardev_open_tty(out, loop, config);
    case CHARDEV_UNIX:
    case CHARDEV_TCP:
        return chardev_open_socket(out, loop, config);
    case CHARDEV_UDP:
        return chardev_open_udp(out, loop, config);
    }
    return -EINVAL;
}
