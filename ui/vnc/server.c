/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/vnc/server.h"

#include <errno.h>
#include <rfb/rfb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ui/vnc/viewer.h"

/* Logins that may fail in a row before each further one has to wait, twice as long each time. */
#define FAILURES_FREE 5u
#define PAUSE_MAX_MS  60000
#define LINES_MAX     1000u
#define EVENTS        32

/* What an event belongs to: the low byte of its data. */
enum { TAG_CORE, TAG_LISTEN, TAG_NETWORK, TAG_ENCODER };

int64_t server_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void server_say(struct server *s, const char *format, ...)
{
    char line[256];
    va_list args;

    if (s->said >= LINES_MAX)
        return;
    s->said++;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(stderr, "slimdm-vnc: %s%s\n", line,
            s->said == LINES_MAX ? " (nothing more will be said)" : "");
}

/* ---- logins --------------------------------------------------------------------------------- */

static bool is_equal(const uint8_t a[16], const uint8_t b[16])
{
    unsigned different = 0;

    for (int i = 0; i < 16; i++)
        different |= a[i] ^ b[i];
    return different == 0;
}

static void count_failure(struct server *s, int64_t now)
{
    unsigned beyond = ++s->failures > FAILURES_FREE ? s->failures - FAILURES_FREE : 0;
    int64_t pause = beyond == 0 ? 0 : beyond > 6 ? PAUSE_MAX_MS : INT64_C(1000) << beyond;

    s->refuse_until = now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

/* The answer is the challenge, encrypted with the password as a DES key. */
bool server_login(struct server *s, const uint8_t challenge[16], const uint8_t answer[16])
{
    uint8_t expected[16];
    char key[9] = "";
    int64_t now = server_now();
    bool right;

    if (s->password.login == FRONTEND_LOGIN_OPEN)
        return false; /* the rules have changed since it was asked */
    memcpy(expected, challenge, sizeof(expected));
    memcpy(key, s->password.text, sizeof(s->password.text));
    rfbEncryptBytes(expected, key);
    right = is_equal(expected, answer) && s->password.login == FRONTEND_LOGIN_PASSWORD &&
            time(NULL) < s->password.deadline && now >= s->refuse_until;
    explicit_bzero(key, sizeof(key));
    explicit_bzero(expected, sizeof(expected));
    if (right)
        s->failures = 0;
    else if (now >= s->refuse_until)
        count_failure(s, now);
    return right;
}

/* ---- from the core -------------------------------------------------------------------------- */

static void take_hello(void *opaque, const char *guest_name)
{
    struct server *s = opaque;

    snprintf(s->name, sizeof(s->name), "%s", guest_name[0] ? guest_name : "slimdm");
    s->named = true;
}

static void take_mode(void *opaque, struct frontend_picture picture)
{
    struct server *s = opaque;

    s->width = picture.width;
    s->height = picture.height;
    s->have_picture = true;
    encoder_mode(s->encoder, picture);
    for (unsigned i = 0; i < VIEWERS; i++)
        viewer_begin(&s->viewer[i]);
}

static void take_damage(void *opaque, uint32_t number, const struct frontend_rect *rect,
                        uint32_t count)
{
    encoder_damage(((struct server *)opaque)->encoder, number, rect, count);
}

static void take_cursor(void *opaque, const struct frontend_cursor *cursor)
{
    encoder_cursor(((struct server *)opaque)->encoder, cursor);
}

static void take_input(void *opaque, uint32_t leds, bool absolute)
{
    struct server *s = opaque;

    s->leds = leds;
    s->absolute = absolute;
    if (s->encoder)
        encoder_input(s->encoder, leds, absolute);
}

static void take_password(void *opaque, const struct frontend_password *password)
{
    ((struct server *)opaque)->password = *password;
}

static const struct frontend_events core_events = {
    .hello = take_hello,
    .mode = take_mode,
    .damage = take_damage,
    .cursor = take_cursor,
    .input = take_input,
    .password = take_password,
};

/* ---- to the core ---------------------------------------------------------------------------- */

void server_tell_viewers(struct server *s)
{
    struct frontend_viewer list[VIEWERS];
    uint32_t count = 0;

    for (unsigned i = 0; i < VIEWERS; i++)
        if (s->viewer[i].sock >= 0 && s->viewer[i].logged_in)
            list[count++] = s->viewer[i].about;
    /* With the last one the core forgets the picture, and sends it again with the next. */
    if (!count)
        s->have_picture = false;
    frontend_send_viewers(s->core, count > 0, list, count);
}

/* ---- viewers -------------------------------------------------------------------------------- */

static unsigned newcomers(const struct server *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < VIEWERS; i++)
        n += s->viewer[i].sock >= 0 && !s->viewer[i].logged_in;
    return n;
}

static struct viewer *free_place(struct server *s)
{
    for (unsigned i = 0; i < VIEWERS; i++)
        if (s->viewer[i].sock < 0)
            return &s->viewer[i];
    return NULL;
}

static void accept_viewer(struct server *s, unsigned listener)
{
    int sock = accept4(s->config.listen[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct viewer *v = free_place(s);

    if (sock < 0)
        return;
    if (!v || newcomers(s) >= NEWCOMERS) {
        server_say(s, "one viewer too many is turned away");
        close(sock);
        return;
    }
    viewer_open(v, sock, s->config.websocket[listener]);
}

/* Milliseconds until this viewer's time is up; -1: it has all the time in the world. */
static int64_t time_left(const struct viewer *v, int64_t now)
{
    int64_t limit = -1;

    if (v->sock < 0)
        return -1;
    if (!v->logged_in)
        limit = LOGIN_MS;
    else if (v->waiting)
        limit = PICTURE_MS;
    else if (v->out_length > v->out_at)
        limit = STALL_MS;
    if (limit < 0)
        return -1;
    return v->since + limit > now ? v->since + limit - now : 0;
}

static void time_up(struct viewer *v)
{
    if (!v->logged_in)
        viewer_close(v, "it has not logged in in time");
    else if (v->waiting)
        viewer_begin(v); /* the guest has no screen */
    else
        viewer_close(v, "it takes nothing any more");
}

/* Ends what is due, goes on where there is more; milliseconds until the next is due. */
static int check_viewers(struct server *s)
{
    int64_t now = server_now(), next = -1;

    for (unsigned i = 0; i < VIEWERS; i++) {
        int64_t left = time_left(&s->viewer[i], now);

        if (s->viewer[i].more)
            viewer_go_on(&s->viewer[i]);
        if (s->viewer[i].more)
            next = 0;
        if (left == 0)
            time_up(&s->viewer[i]);
        else if (left > 0 && (next < 0 || left < next))
            next = left;
    }
    return (int)next;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static unsigned tag_of(const struct epoll_event *event)
{
    return event->data.u64 & 0xff;
}

static int handle(struct server *s, const struct epoll_event *event)
{
    unsigned index = (unsigned)(event->data.u64 >> 8);

    switch (tag_of(event)) {
    case TAG_CORE:
        return frontend_client_receive(s->core);
    case TAG_LISTEN:
        accept_viewer(s, index);
        return 0;
    case TAG_NETWORK:
        if (s->viewer[index].sock >= 0)
            viewer_network(&s->viewer[index], event->events);
        return 0;
    default:
        viewer_encoder(&s->viewer[index], event->events);
        return 0;
    }
}

int server_run(struct server *s)
{
    int rc = 0;

    while (!rc) {
        struct epoll_event event[EVENTS];
        int n = epoll_wait(s->epoll, event, EVENTS, check_viewers(s));

        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n && !rc; i++)
            if (tag_of(&event[i]) != TAG_LISTEN)
                rc = handle(s, &event[i]);
        /* Last: who comes must not be taken for who has just left that place. */
        for (int i = 0; i < n && !rc; i++)
            if (tag_of(&event[i]) == TAG_LISTEN)
                rc = handle(s, &event[i]);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* ---- start ---------------------------------------------------------------------------------- */

static int watch(struct server *s, int fd, uint64_t data)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* The guest's name is what the library is set up with. */
static int wait_for_hello(struct server *s)
{
    int rc = 0;

    while (!rc && !s->named) {
        struct epoll_event event;

        if (epoll_wait(s->epoll, &event, 1, -1) < 0 && errno != EINTR)
            return -errno;
        rc = frontend_client_receive(s->core);
    }
    return rc;
}

int server_create(struct server **out, const struct server_config *config, int core_fd)
{
    struct server *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return -ENOMEM;
    s->config = *config;
    s->password.login = FRONTEND_LOGIN_LOCKED; /* until the core has said otherwise */
    s->width = s->height = 1;
    for (unsigned i = 0; i < VIEWERS; i++)
        s->viewer[i] = (struct viewer){.server = s, .sock = -1, .pair = -1};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    rc = s->epoll < 0 ? -errno : frontend_client_create(&s->core, core_fd, &core_events, s);
    if (!rc)
        rc = watch(s, core_fd, TAG_CORE);
    if (!rc)
        rc = wait_for_hello(s);
    if (!rc)
        rc = encoder_create(&s->encoder, s->core, s->name, config->share);
    if (!rc)
        rc = encoder_start(s->encoder);
    if (!rc)
        encoder_input(s->encoder, s->leds, s->absolute);
    for (unsigned i = 0; i < config->listen_count && !rc; i++)
        rc = watch(s, config->listen[i], (uint64_t)i << 8 | TAG_LISTEN);
    *out = s;
    return rc;
}
