/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between core and front-end: their sizes, what is well formed, sending, receiving. */
#include "ui/frontend_proto.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "dm/passfd.h"
#include "ui/input.h"

#define BODY(member)                                                                               \
    (uint32_t)(offsetof(struct frontend_message, member) +                                         \
               sizeof(((struct frontend_message *)0)->member))
#define UP_TO(member) (uint32_t) offsetof(struct frontend_message, member)

/* `fixed` bytes and `count` elements; the counts themselves lie within `fixed`. */
static uint32_t counted(uint32_t length, uint32_t fixed, const uint32_t *count, uint32_t max,
                        uint32_t element)
{
    return length < fixed || *count > max ? 0 : fixed + *count * element;
}

static uint32_t cursor_size(const struct frontend_cursor *cursor, uint32_t length)
{
    if (length < UP_TO(cursor.argb) || cursor->width > FRONTEND_CURSOR_MAX ||
        cursor->height > FRONTEND_CURSOR_MAX)
        return 0;
    return UP_TO(cursor.argb) + cursor->width * cursor->height * 4;
}

uint32_t frontend_message_size(const struct frontend_message *message, uint32_t length)
{
    if (length < sizeof(message->header))
        return 0;
    switch (message->header.type) {
    case FRONTEND_HELLO:
        return BODY(hello);
    case FRONTEND_MODE:
        return BODY(mode);
    case FRONTEND_DAMAGE:
        return counted(length, UP_TO(damage.rect), &message->damage.count, FRONTEND_RECTS_MAX,
                       sizeof(struct frontend_rect));
    case FRONTEND_CURSOR:
        return cursor_size(&message->cursor, length);
    case FRONTEND_INPUT:
        return BODY(input);
    case FRONTEND_PASSWORD:
        return BODY(password);
    case FRONTEND_READY:
        return BODY(ready);
    case FRONTEND_VIEWERS:
        return counted(length, UP_TO(viewers.viewer), &message->viewers.count, FRONTEND_VIEWERS_MAX,
                       sizeof(struct frontend_viewer));
    case FRONTEND_DONE:
        return BODY(done);
    case FRONTEND_KEY:
        return BODY(key);
    case FRONTEND_ABS:
        return BODY(abs);
    case FRONTEND_REL:
        return BODY(rel);
    case FRONTEND_RELEASE:
    case FRONTEND_CLOSE:
        return sizeof(message->header);
    default:
        return 0;
    }
}

static bool is_step(int32_t value)
{
    return value >= -FRONTEND_STEP_MAX && value <= FRONTEND_STEP_MAX;
}

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool is_mode(const struct frontend_mode *mode)
{
    return mode->width > 0 && mode->width <= FRONTEND_SIDE_MAX && mode->height > 0 &&
           mode->height <= FRONTEND_SIDE_MAX && mode->stride % 4 == 0 &&
           mode->stride / 4 >= mode->width && mode->stride / 4 <= FRONTEND_SIDE_MAX;
}

static bool is_cursor(const struct frontend_cursor *cursor)
{
    if (cursor->width == 0 || cursor->height == 0)
        return cursor->width == 0 && cursor->height == 0;
    return cursor->hot_x < cursor->width && cursor->hot_y < cursor->height;
}

static bool are_viewers(const struct frontend_viewers *viewers)
{
    for (uint32_t i = 0; i < viewers->count; i++) {
        const struct frontend_viewer *v = &viewers->viewer[i];

        if (!is_text(v->host, sizeof(v->host)) || !is_text(v->service, sizeof(v->service)) ||
            (v->family != 0 && v->family != 4 && v->family != 6) || v->websocket > 1)
            return false;
    }
    return viewers->watching <= 1;
}

static bool is_sound(const struct frontend_message *m)
{
    switch (m->header.type) {
    case FRONTEND_HELLO:
        return is_text(m->hello.name, sizeof(m->hello.name));
    case FRONTEND_MODE:
        return is_mode(&m->mode);
    case FRONTEND_DAMAGE:
        return m->damage.count > 0;
    case FRONTEND_CURSOR:
        return is_cursor(&m->cursor);
    case FRONTEND_INPUT:
        return m->input.absolute <= 1;
    case FRONTEND_PASSWORD:
        return m->password.login <= FRONTEND_LOGIN_PASSWORD;
    case FRONTEND_VIEWERS:
        return are_viewers(&m->viewers);
    case FRONTEND_KEY:
        return m->key.code < INPUT_KEY_COUNT && m->key.down <= 1;
    case FRONTEND_ABS:
        return m->abs.x <= INPUT_ABS_MAX && m->abs.y <= INPUT_ABS_MAX && is_step(m->abs.dz) &&
               m->abs.buttons <= INPUT_BUTTON_ALL;
    case FRONTEND_REL:
        return is_step(m->rel.dx) && is_step(m->rel.dy) && is_step(m->rel.dz) &&
               m->rel.buttons <= INPUT_BUTTON_ALL;
    default:
        return true;
    }
}

int frontend_message_check(const struct frontend_message *message, uint32_t length)
{
    uint32_t size = frontend_message_size(message, length);

    if (size == 0 || size != length || message->header.size != length)
        return -EPROTO;
    return is_sound(message) ? 0 : -EPROTO;
}

int frontend_message_send(int socket, const struct frontend_message *message, int pass_fd,
                          int flags)
{
    return passfd_send(socket, message, message->header.size, pass_fd, flags) < 0 ? -errno : 0;
}

int frontend_message_receive(int socket, struct frontend_message *message, int *fd, int flags)
{
    int got, rc;
    ssize_t n = passfd_receive(socket, message, sizeof(*message), fd, flags, &got);

    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        rc = -EPIPE;
    else if (got & (MSG_TRUNC | MSG_CTRUNC))
        rc = -EPROTO;
    else
        rc = frontend_message_check(message, (uint32_t)n);
    if (rc && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}
