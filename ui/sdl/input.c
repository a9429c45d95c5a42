/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window's keys and pointer: from SDL's to those of ui/input.h. */
#include <linux/input-event-codes.h>
#include <string.h>

#include "ui/sdl/window.h"

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_down(const struct window *w, uint16_t code)
{
    return w->down[code / 64] >> code % 64 & 1;
}

static void send_key(struct window *w, uint16_t code, bool down)
{
    uint64_t bit = UINT64_C(1) << code % 64;

    /* What was let go for the guest, by a hot key or a loss of the focus, is up already. */
    if (!down && !is_down(w, code))
        return;
    if (down)
        w->down[code / 64] |= bit;
    else
        w->down[code / 64] &= ~bit;
    w->error = frontend_send_key(w->core, code, down);
}

static void release_all(struct window *w)
{
    memset(w->down, 0, sizeof(w->down));
    w->buttons = 0;
    w->error = frontend_send_release(w->core);
}

void window_grab(struct window *w, bool grab)
{
    if (grab == w->grabbed)
        return;
    w->grabbed = grab;
    SDL_SetWindowGrab(w->window, grab ? SDL_TRUE : SDL_FALSE);
    SDL_SetRelativeMouseMode(grab && !w->absolute ? SDL_TRUE : SDL_FALSE);
    window_show_pointer(w);
    window_title(w);
}

/* The guest has seen Ctrl and Alt go down, and is not to see the end of it. */
static bool hot_key(struct window *w, SDL_Scancode scancode)
{
    switch (scancode) {
    case SDL_SCANCODE_G:
        release_all(w);
        window_grab(w, !w->grabbed);
        return true;
    case SDL_SCANCODE_F:
        release_all(w);
        window_toggle_full_screen(w);
        return true;
    case SDL_SCANCODE_U:
        release_all(w);
        window_fit(w);
        return true;
    default:
        return false;
    }
}

static void take_key(struct window *w, const SDL_KeyboardEvent *event)
{
    const Uint16 both = KMOD_LCTRL | KMOD_LALT;
    bool down = event->state == SDL_PRESSED;
    uint16_t code = scancode_to_evdev(event->keysym.scancode);

    if (down && !event->repeat && (event->keysym.mod & both) == both &&
        hot_key(w, event->keysym.scancode))
        return;
    /* A key repeats for the guest only if it went down for the guest. */
    if (code && !(event->repeat && !is_down(w, code)))
        send_key(w, code, down);
}

static void follow_lamp(struct window *w, uint16_t code, bool on, uint32_t lamp)
{
    if (on == !!(w->leds & lamp))
        return;
    send_key(w, code, true);
    send_key(w, code, false);
}

/*
 * SDL cannot light the keyboard's lamps. What it can tell is the desktop's lock keys, which may
 * have changed while others had the keyboard: the guest gets the key that makes it agree again. Not
 * for a guest that has never lit a lamp: it may not have any.
 */
static void follow_locks(struct window *w)
{
    SDL_Keymod mod = SDL_GetModState();

    if (!w->lit)
        return;
    follow_lamp(w, KEY_CAPSLOCK, mod & KMOD_CAPS, INPUT_LED_CAPS);
    follow_lamp(w, KEY_NUMLOCK, mod & KMOD_NUM, INPUT_LED_NUM);
}

/* ---- pointer --------------------------------------------------------------------------------- */

static uint16_t position(int at, int from, int size)
{
    if (size < 2 || at <= from)
        return 0;
    if (at - from >= size)
        return INPUT_ABS_MAX;
    return (uint16_t)((int64_t)(at - from) * INPUT_ABS_MAX / (size - 1));
}

static void send_pointer(struct window *w, int dx, int dy, int dz)
{
    SDL_Rect place = window_place(w);

    if (w->absolute)
        w->error = frontend_send_abs(w->core, position(w->x, place.x, place.w),
                                     position(w->y, place.y, place.h), dz, w->buttons);
    else if (w->grabbed)
        w->error = frontend_send_rel(w->core, dx, dy, dz, w->buttons);
}

static void take_motion(struct window *w, const SDL_MouseMotionEvent *event)
{
    w->x = event->x;
    w->y = event->y;
    send_pointer(w, event->xrel, event->yrel, 0);
}

static void take_button(struct window *w, const SDL_MouseButtonEvent *event)
{
    static const uint8_t buttons[] = {
        [SDL_BUTTON_LEFT] = INPUT_BUTTON_LEFT,   [SDL_BUTTON_MIDDLE] = INPUT_BUTTON_MIDDLE,
        [SDL_BUTTON_RIGHT] = INPUT_BUTTON_RIGHT, [SDL_BUTTON_X1] = INPUT_BUTTON_SIDE,
        [SDL_BUTTON_X2] = INPUT_BUTTON_EXTRA,
    };
    uint32_t button = event->button < sizeof(buttons) ? buttons[event->button] : 0;

    /* The click that gives the pointer to the guest is not the guest's. */
    if (!w->absolute && !w->grabbed) {
        if (event->state == SDL_PRESSED)
            window_grab(w, true);
        return;
    }
    if (event->state == SDL_PRESSED)
        w->buttons |= button;
    else
        w->buttons &= ~button;
    w->x = event->x;
    w->y = event->y;
    send_pointer(w, 0, 0, 0);
}

static void take_wheel(struct window *w, const SDL_MouseWheelEvent *event)
{
    int dz = event->direction == SDL_MOUSEWHEEL_FLIPPED ? -event->y : event->y;

    if (dz)
        send_pointer(w, 0, 0, dz);
}

/* ---- the window ------------------------------------------------------------------------------ */

static void take_window(struct window *w, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_CLOSE:
        w->error = frontend_send_close(w->core);
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        release_all(w);
        window_grab(w, false);
        break;
    case SDL_WINDOWEVENT_FOCUS_GAINED:
        follow_locks(w);
        break;
    case SDL_WINDOWEVENT_RESIZED:
        if (event->data1 != w->width || event->data2 != w->height)
            w->sized = true;
        w->stale = true;
        break;
    case SDL_WINDOWEVENT_SIZE_CHANGED:
    case SDL_WINDOWEVENT_EXPOSED:
        w->stale = true;
        break;
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED:
        w->visible = w->stale = true;
        break;
    case SDL_WINDOWEVENT_HIDDEN:
    case SDL_WINDOWEVENT_MINIMIZED:
        w->visible = false;
        break;
    }
}

void window_events(struct window *w)
{
    SDL_Event event;

    while (!w->error && SDL_PollEvent(&event)) {
        switch (event.type) {
        case SDL_KEYDOWN:
        case SDL_KEYUP:
            take_key(w, &event.key);
            break;
        case SDL_MOUSEMOTION:
            take_motion(w, &event.motion);
            break;
        case SDL_MOUSEBUTTONDOWN:
        case SDL_MOUSEBUTTONUP:
            take_button(w, &event.button);
            break;
        case SDL_MOUSEWHEEL:
            take_wheel(w, &event.wheel);
            break;
        case SDL_WINDOWEVENT:
            take_window(w, &event.window);
            break;
        }
    }
}
