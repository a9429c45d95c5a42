/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Front-ends: what they are told, and what is heard of them. */
#include "ui/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dm/log.h"
#include "ui/frontend_private.h"

/* How long a front-end may take to answer. It has to copy pixels only. */
#define PATIENCE_NS 10000000000ull
/* Messages taken from a front-end before the guest has its turn again. */
#define MESSAGES_PER_TURN 64

static void detach(struct frontend *fe);

/* ---- to a front-end ------------------------------------------------------------------------- */

static int send_message(struct frontend *fe, uint32_t type, int fd)
{
    struct frontend_message *m = &fe->hub->outgoing;

    m->header.type = type;
    m->header.size = frontend_message_size(m, sizeof(*m));
    return frontend_message_send(fe->socket, m, fd, MSG_DONTWAIT);
}

static int tell_hello(struct frontend *fe)
{
    struct frontend_hello *hello = &fe->hub->outgoing.hello;

    hello->version = FRONTEND_VERSION;
    memcpy(hello->name, fe->hub->guest_name, sizeof(hello->name));
    return send_message(fe, FRONTEND_HELLO, -1);
}

static int tell_input(struct frontend *fe)
{
    fe->hub->outgoing.input =
        (struct frontend_input){input_leds(fe->hub->input), fe->hub->absolute};
    return send_message(fe, FRONTEND_INPUT, -1);
}

static int tell_password(struct frontend *fe)
{
    int rc;

    fe->hub->outgoing.password = fe->password;
    rc = send_message(fe, FRONTEND_PASSWORD, -1);
    explicit_bzero(&fe->hub->outgoing.password, sizeof(fe->password));
    return rc;
}

static int tell_mode(struct frontend *fe)
{
    const struct surface *surface = &fe->hub->frame.surface;

    fe->hub->outgoing.mode =
        (struct frontend_mode){surface->width, surface->height, surface->width * 4};
    return send_message(fe, FRONTEND_MODE, fe->hub->frame.shared_fd);
}

static int tell_damage(struct frontend *fe)
{
    struct frontend_damage *damage = &fe->hub->outgoing.damage;
    int rc;

    damage->number = fe->number + 1;
    damage->count = fe->damage.count;
    memcpy(damage->rect, fe->damage.rect, fe->damage.count * sizeof(damage->rect[0]));
    rc = send_message(fe, FRONTEND_DAMAGE, -1);
    if (rc)
        return rc;
    fe->number++;
    fe->damage.count = 0;
    fe->drawing = true;
    timer_arm(&fe->patience, loop_now(fe->hub->loop, CLOCK_HOST) + PATIENCE_NS);
    return 0;
}

/* In this order: the mode before the damage in it. */
static const struct {
    uint32_t what;
    int (*tell)(struct frontend *fe);
} tellers[] = {
    {TELL_HELLO, tell_hello},
    {TELL_INPUT, tell_input},
    {TELL_PASSWORD, tell_password},
    {TELL_MODE, tell_mode},
};

void frontend_flush(struct frontend *fe)
{
    int rc = 0;

    if (fe->socket < 0)
        return;
    for (size_t i = 0; i < sizeof(tellers) / sizeof(tellers[0]) && !rc; i++) {
        if (!(fe->tell & tellers[i].what))
            continue;
        /* A picture that is still being read is not replaced. */
        if (tellers[i].what == TELL_MODE && fe->drawing)
            break;
        rc = tellers[i].tell(fe);
        if (!rc)
            fe->tell &= ~tellers[i].what;
    }
    if (!rc && !fe->drawing && !(fe->tell & TELL_MODE) && fe->damage.count)
        rc = tell_damage(fe);
    loop_fd_want(fe->hub->loop, &fe->lfd, rc == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
    /* Other errors show as the end of the socket. */
}

static void tell_all(struct frontends *hub, uint32_t what)
{
    for (unsigned i = 0; i < hub->count; i++) {
        hub->frontend[i].tell |= what;
        frontend_flush(&hub->frontend[i]);
    }
}

static void leds_changed(void *opaque, uint32_t leds)
{
    tell_all(opaque, TELL_INPUT);
}

/* The guest's driver has begun or ceased to use its tablet. */
static void pointer_changed(void *opaque, bool absolute)
{
    struct frontends *hub = opaque;

    hub->absolute = absolute;
    tell_all(hub, TELL_INPUT);
}

/* ---- from a front-end ----------------------------------------------------------------------- */

static void take_viewers(struct frontend *fe, const struct frontend_viewers *viewers)
{
    bool before = fe->viewers.watching;

    memset(&fe->viewers, 0, sizeof(fe->viewers));
    memcpy(&fe->viewers, viewers,
           offsetof(struct frontend_viewers, viewer) + viewers->count * sizeof(viewers->viewer[0]));
    if (fe->viewers.watching && !before)
        draw_all_for(fe);
    if (!fe->viewers.watching) {
        fe->tell &= ~(uint32_t)TELL_MODE;
        fe->damage.count = 0;
    }
    draw_watch(fe->hub);
    frontend_flush(fe);
}

static int take_done(struct frontend *fe, uint32_t number)
{
    if (!fe->drawing || number != fe->number)
        return -EPROTO;
    fe->drawing = false;
    timer_cancel(&fe->patience);
    frontend_flush(fe);
    draw_ready(fe->hub);
    return 0;
}

static int take_ready(struct frontend *fe, uint32_t version)
{
    if (fe->ready || version != FRONTEND_VERSION)
        return -EPROTO;
    fe->ready = true;
    timer_cancel(&fe->patience);
    return 0;
}

/* 0 or -EPROTO. The message is well formed; whether it belongs here is seen now. */
static int take(struct frontend *fe, const struct frontend_message *m)
{
    struct frontends *hub = fe->hub;

    if (m->header.type == FRONTEND_READY)
        return take_ready(fe, m->ready.version);
    if (!fe->ready)
        return -EPROTO;
    switch (m->header.type) {
    case FRONTEND_VIEWERS:
        take_viewers(fe, &m->viewers);
        return 0;
    case FRONTEND_DONE:
        return take_done(fe, m->done.number);
    case FRONTEND_KEY:
        input_key(hub->input, (uint16_t)m->key.code, m->key.down);
        break;
    case FRONTEND_ABS:
        input_abs(hub->input, (uint16_t)m->abs.x, (uint16_t)m->abs.y, m->abs.dz, m->abs.buttons);
        break;
    case FRONTEND_REL:
        input_rel(hub->input, m->rel.dx, m->rel.dy, m->rel.dz, m->rel.buttons);
        break;
    case FRONTEND_RELEASE:
        input_release_all(hub->input);
        break;
    case FRONTEND_CLOSE:
        if (hub->closed)
            hub->closed(hub->closed_opaque);
        return 0;
    default:
        return -EPROTO;
    }
    draw_soon(hub);
    return 0;
}

static void hear(void *opaque, uint32_t events)
{
    struct frontend *fe = opaque;
    struct frontend_message *m = &fe->hub->incoming;

    if (events & EPOLLOUT)
        frontend_flush(fe);
    for (int i = 0; i < MESSAGES_PER_TURN && fe->socket >= 0; i++) {
        int fd, rc = frontend_message_receive(fe->socket, m, &fd, MSG_DONTWAIT);

        if (fd >= 0)
            close(fd);
        if (rc == -EAGAIN)
            return;
        if (!rc)
            rc = take(fe, m);
        if (rc == -EPROTO) {
            log_guest("%s (process %d) does not keep to the protocol; it is ended", fe->name,
                      fe->pid);
            frontend_kill(fe);
        }
        if (rc) {
            detach(fe);
            return;
        }
    }
}

static void no_answer(void *opaque)
{
    struct frontend *fe = opaque;

    log_guest("%s (process %d) has not answered for %llu s; it is ended", fe->name, fe->pid,
              PATIENCE_NS / 1000000000ull);
    frontend_kill(fe);
    detach(fe);
}

/* ---- incarnations --------------------------------------------------------------------------- */

static void detach(struct frontend *fe)
{
    struct frontends *hub = fe->hub;

    if (fe->socket < 0)
        return;
    loop_fd_remove(hub->loop, &fe->lfd);
    timer_cancel(&fe->patience);
    close(fe->socket);
    fe->socket = -1;
    fe->ready = fe->drawing = false;
    fe->damage.count = 0;
    memset(&fe->viewers, 0, sizeof(fe->viewers));
    /* What its viewers held down is down no more. */
    input_release_all(hub->input);
    draw_watch(hub);
    draw_ready(hub);
}

int frontends_attach(struct frontends *hub, unsigned index, int socket, pid_t pid)
{
    struct frontend *fe;
    int rc;

    if (index >= hub->count) {
        close(socket);
        return -EINVAL;
    }
    fe = &hub->frontend[index];
    detach(fe);
    rc = loop_fd_add(hub->loop, &fe->lfd, socket, EPOLLIN, hear, fe);
    if (rc) {
        close(socket);
        return rc;
    }
    fe->socket = socket;
    fe->pid = pid;
    fe->number = 0;
    fe->tell = TELL_HELLO | TELL_INPUT | TELL_PASSWORD;
    timer_arm(&fe->patience, loop_now(hub->loop, CLOCK_HOST) + PATIENCE_NS);
    frontend_flush(fe);
    return 0;
}

/* ---- start ---------------------------------------------------------------------------------- */

int frontends_create(struct frontends **out, struct loop *loop, struct input *input,
                     const char *name)
{
    struct frontends *hub = calloc(1, sizeof(*hub));
    int rc;

    if (!hub)
        return -ENOMEM;
    hub->loop = loop;
    hub->input = input;
    hub->supervisor = -1;
    snprintf(hub->guest_name, sizeof(hub->guest_name), "%s", name ? name : "");
    rc = draw_init(hub);
    if (rc) {
        free(hub);
        return rc;
    }
    hub->absolute = input_wants_abs(input);
    hub->leds =
        (struct input_led_watch){.leds = leds_changed, .pointer = pointer_changed, .opaque = hub};
    input_led_watch_add(input, &hub->leds);
    *out = hub;
    return 0;
}

static void free_argv(char **argv)
{
    for (char **arg = argv; arg && *arg; arg++)
        free(*arg);
    free(argv);
}

static char **copy_argv(const char *const *argv)
{
    size_t count = 0;
    char **copy;

    while (argv[count])
        count++;
    copy = calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(argv[i]);
        if (!copy[i]) {
            free_argv(copy);
            return NULL;
        }
    }
    return copy;
}

int frontends_add(struct frontends *hub, const char *const *argv)
{
    const char *slash = strrchr(argv[0], '/');
    struct frontend *fe;

    if (hub->count == FRONTENDS_MAX)
        return -ENOSPC;
    fe = &hub->frontend[hub->count];
    *fe = (struct frontend){.hub = hub, .index = hub->count, .socket = -1};
    fe->argv = copy_argv(argv);
    if (!fe->argv)
        return -ENOMEM;
    fe->name = fe->argv[0] + (slash ? slash + 1 - argv[0] : 0);
    fe->password = (struct frontend_password){.login = FRONTEND_LOGIN_OPEN, .deadline = INT64_MAX};
    timer_init(&fe->patience, hub->loop, CLOCK_HOST, no_answer, fe);
    hub->count++;
    return (int)fe->index;
}

void frontends_destroy(struct frontends *hub)
{
    if (!hub)
        return;
    frontends_launched(hub);
    for (unsigned i = 0; i < hub->count; i++)
        detach(&hub->frontend[i]);
    supervisor_close(hub);
    input_led_watch_remove(hub->input, &hub->leds);
    draw_fini(hub);
    for (unsigned i = 0; i < hub->count; i++) {
        free_argv(hub->frontend[i].argv);
        explicit_bzero(&hub->frontend[i].password, sizeof(hub->frontend[i].password));
    }
    free(hub);
}

/* ---- what is known and set ------------------------------------------------------------------ */

void frontends_set_password(struct frontends *hub, unsigned index,
                            const struct frontend_password *password)
{
    struct frontend *fe = &hub->frontend[index];

    fe->password = *password;
    fe->tell |= TELL_PASSWORD;
    frontend_flush(fe);
}

const struct frontend_password *frontends_password(const struct frontends *hub, unsigned index)
{
    return &hub->frontend[index].password;
}

const struct frontend_viewers *frontends_viewers(const struct frontends *hub, unsigned index)
{
    return &hub->frontend[index].viewers;
}

void frontends_on_close(struct frontends *hub, void (*closed)(void *opaque), void *opaque)
{
    hub->closed = closed;
    hub->closed_opaque = opaque;
}
