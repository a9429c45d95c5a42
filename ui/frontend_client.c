/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/frontend_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/input.h"

#define MESSAGES_PER_TURN 64

struct frontend_client {
    int socket;
    const struct frontend_events *events;
    void *opaque;
    uint32_t width, height; /* of the last mode */
    struct frontend_message message;
};

void frontend_picture_release(struct frontend_picture *picture)
{
    if (picture->mapped)
        munmap((void *)picture->pixels, picture->mapped);
    *picture = (struct frontend_picture){0};
}

int frontend_client_create(struct frontend_client **out, int socket,
                           const struct frontend_events *events, void *opaque)
{
    struct frontend_client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    client->socket = socket;
    client->events = events;
    client->opaque = opaque;
    *out = client;
    return 0;
}

void frontend_client_destroy(struct frontend_client *client)
{
    if (!client)
        return;
    close(client->socket);
    free(client);
}

int frontend_client_fd(const struct frontend_client *client)
{
    return client->socket;
}

/* ---- from the core -------------------------------------------------------------------------- */

/* A picture that could become shorter would end the reader with SIGBUS. */
static int map_picture(int fd, const struct frontend_mode *mode, struct frontend_picture *picture)
{
    size_t size = (size_t)mode->stride * mode->height;
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *map;

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || (uint64_t)st.st_size < size)
        return -EPROTO;
    map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *picture = (struct frontend_picture){map, mode->width, mode->height, mode->stride / 4, size};
    return 0;
}

static int take_mode(struct frontend_client *client, int fd)
{
    const struct frontend_mode *mode = &client->message.mode;
    struct frontend_picture picture;
    int rc = fd < 0 ? -EPROTO : map_picture(fd, mode, &picture);

    if (rc)
        return rc;
    client->width = mode->width;
    client->height = mode->height;
    if (client->events->mode)
        client->events->mode(client->opaque, picture);
    else
        frontend_picture_release(&picture);
    return 0;
}

static int take_damage(struct frontend_client *client)
{
    const struct frontend_damage *damage = &client->message.damage;

    for (uint32_t i = 0; i < damage->count; i++) {
        const struct frontend_rect *r = &damage->rect[i];

        if (r->width == 0 || r->height == 0 || r->x >= client->width || r->y >= client->height ||
            r->width > client->width - r->x || r->height > client->height - r->y)
            return -EPROTO;
    }
    if (client->events->damage)
        client->events->damage(client->opaque, damage->number, damage->rect, damage->count);
    return 0;
}

static int send_body(struct frontend_client *client, struct frontend_message *message);

static int take_hello(struct frontend_client *client)
{
    struct frontend_message ready = {.header.type = FRONTEND_READY,
                                     .ready.version = FRONTEND_VERSION};

    if (client->message.hello.version != FRONTEND_VERSION)
        return -EPROTO;
    if (client->events->hello)
        client->events->hello(client->opaque, client->message.hello.name);
    return send_body(client, &ready);
}

static int dispatch(struct frontend_client *client, int fd)
{
    const struct frontend_events *events = client->events;
    const struct frontend_message *m = &client->message;

    switch (m->header.type) {
    case FRONTEND_HELLO:
        return take_hello(client);
    case FRONTEND_MODE:
        return take_mode(client, fd);
    case FRONTEND_DAMAGE:
        return take_damage(client);
    case FRONTEND_CURSOR:
        if (events->cursor)
            events->cursor(client->opaque, &m->cursor);
        return 0;
    case FRONTEND_INPUT:
        if (events->input)
            events->input(client->opaque, m->input.leds, m->input.absolute);
        return 0;
    case FRONTEND_PASSWORD:
        if (events->password)
            events->password(client->opaque, &m->password);
        explicit_bzero(&client->message, sizeof(client->message));
        return 0;
    default:
        return -EPROTO;
    }
}

int frontend_client_receive(struct frontend_client *client)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        int fd;
        int rc = frontend_message_receive(client->socket, &client->message, &fd, MSG_DONTWAIT);

        if (rc == -EAGAIN)
            return 0;
        if (!rc)
            rc = dispatch(client, fd);
        if (fd >= 0)
            close(fd);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- to the core ---------------------------------------------------------------------------- */

static int send_body(struct frontend_client *client, struct frontend_message *message)
{
    message->header.size = frontend_message_size(message, sizeof(*message));
    if (!message->header.size)
        return -EINVAL;
    return frontend_message_send(client->socket, message, -1, 0);
}

int frontend_send_viewers(struct frontend_client *client, bool watching,
                          const struct frontend_viewer *viewer, uint32_t count)
{
    struct frontend_message m = {.header.type = FRONTEND_VIEWERS};

    if (count > FRONTEND_VIEWERS_MAX)
        count = FRONTEND_VIEWERS_MAX;
    m.viewers.watching = watching;
    m.viewers.count = count;
    if (count)
        memcpy(m.viewers.viewer, viewer, count * sizeof(*viewer));
    return send_body(client, &m);
}

int frontend_send_done(struct frontend_client *client, uint32_t number)
{
    struct frontend_message m = {.header.type = FRONTEND_DONE, .done.number = number};

    return send_body(client, &m);
}

int frontend_send_key(struct frontend_client *client, uint16_t code, bool down)
{
    struct frontend_message m = {.header.type = FRONTEND_KEY, .key = {code, down}};

    return code < INPUT_KEY_COUNT ? send_body(client, &m) : -EINVAL;
}

static int32_t step(int32_t value)
{
    return value > FRONTEND_STEP_MAX    ? FRONTEND_STEP_MAX
           : value < -FRONTEND_STEP_MAX ? -FRONTEND_STEP_MAX
                                        : value;
}

int frontend_send_abs(struct frontend_client *client, uint16_t x, uint16_t y, int32_t dz,
                      uint32_t buttons)
{
    struct frontend_message m = {.header.type = FRONTEND_ABS,
                                 .abs = {x > INPUT_ABS_MAX ? INPUT_ABS_MAX : x,
                                         y > INPUT_ABS_MAX ? INPUT_ABS_MAX : y, step(dz),
                                         buttons & INPUT_BUTTON_ALL}};

    return send_body(client, &m);
}

int frontend_send_rel(struct frontend_client *client, int32_t dx, int32_t dy, int32_t dz,
                      uint32_t buttons)
{
    struct frontend_message m = {.header.type = FRONTEND_REL,
                                 .rel = {step(dx), step(dy), step(dz), buttons & INPUT_BUTTON_ALL}};

    return send_body(client, &m);
}

static int send_empty(struct frontend_client *client, uint32_t type)
{
    struct frontend_message m = {.header.type = type};

    return send_body(client, &m);
}

int frontend_send_release(struct frontend_client *client)
{
    return send_empty(client, FRONTEND_RELEASE);
}

int frontend_send_close(struct frontend_client *client)
{
    return send_empty(client, FRONTEND_CLOSE);
}
