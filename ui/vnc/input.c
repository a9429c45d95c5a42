/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A viewer's keys and pointer: from RFB's to those of ui/input.h. */
#include <string.h>

#include "ui/keys.h"
#include "ui/vnc/viewer.h"

/* ---- keys ----------------------------------------------------------------------------------- */

static bool is_down(const struct viewer *v, uint16_t code)
{
    return v->down[code / 64] >> code % 64 & 1;
}

static bool held_by_another(const struct viewer *v, uint16_t code)
{
    for (unsigned i = 0; i < VIEWERS; i++) {
        const struct viewer *other = &v->server->viewer[i];

        if (other != v && other->sock >= 0 && is_down(other, code))
            return true;
    }
    return false;
}

static void send_key(void *opaque, uint16_t code, bool down)
{
    struct viewer *v = opaque;
    uint64_t bit = UINT64_C(1) << code % 64;

    if (down)
        v->down[code / 64] |= bit;
    else
        v->down[code / 64] &= ~bit;
    if (down || !held_by_another(v, code))
        frontend_send_key(v->server->core, code, down);
}

void viewer_key(void *opaque, uint32_t keysym, bool down)
{
    struct viewer *v = opaque;

    if (v->server->config.keymap)
        keymap_key(v->server->config.keymap, &v->keys, keysym, down, &v->server->leds, send_key, v);
}

void viewer_raw_key(void *opaque, uint32_t xt_code, bool down)
{
    int code = key_from_pc_number(xt_code);

    if (code >= 0)
        send_key(opaque, (uint16_t)code, down);
}

void viewer_release(struct viewer *v)
{
    v->keys.count = 0;
    for (uint16_t code = 0; code < INPUT_KEY_COUNT; code++)
        if (is_down(v, code))
            send_key(v, code, false);
    if (v->buttons)
        frontend_send_rel(v->server->core, 0, 0, 0, 0);
    v->buttons = 0;
}

/* ---- pointer -------------------------------------------------------------------------------- */

enum {
    RFB_LEFT = 1,
    RFB_MIDDLE = 2,
    RFB_RIGHT = 4,
    RFB_WHEEL_UP = 8,
    RFB_WHEEL_DOWN = 16,
    RFB_BACK = 128,
};

static uint32_t guest_buttons(uint32_t rfb)
{
    return (rfb & RFB_LEFT ? INPUT_BUTTON_LEFT : 0) | (rfb & RFB_MIDDLE ? INPUT_BUTTON_MIDDLE : 0) |
           (rfb & RFB_RIGHT ? INPUT_BUTTON_RIGHT : 0) | (rfb & RFB_BACK ? INPUT_BUTTON_SIDE : 0);
}

/* 0 .. size - 1 to 0 .. INPUT_ABS_MAX. */
static uint16_t position(uint16_t at, uint32_t size)
{
    if (size < 2)
        return 0;
    if (at >= size)
        return INPUT_ABS_MAX;
    return (uint16_t)((uint64_t)at * INPUT_ABS_MAX / (size - 1));
}

void viewer_pointer(void *opaque, uint32_t buttons, uint16_t x, uint16_t y)
{
    struct viewer *v = opaque;
    struct server *s = v->server;
    uint32_t pressed = buttons & ~v->buttons;
    int32_t dz = (pressed & RFB_WHEEL_UP ? 1 : 0) - (pressed & RFB_WHEEL_DOWN ? 1 : 0);
    bool knows_modes = atomic_load(&v->shared->features) & GATE_POINTER_MODE;

    v->buttons = buttons;
    if (knows_modes && !s->absolute)
        frontend_send_rel(s->core, x - 0x7fff, y - 0x7fff, dz, guest_buttons(buttons));
    else
        frontend_send_abs(s->core, position(x, s->width), position(y, s->height), dz,
                          guest_buttons(buttons));
}
