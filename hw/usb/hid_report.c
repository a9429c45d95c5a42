/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events that wait, and the reports made of them.
 *
 *     tablet    buttons, X (16 bits), Y (16 bits), wheel
 *     mouse     buttons, X, Y, wheel; without the wheel in boot protocol
 *     keyboard  modifiers, 0, six usages
 *
 * The queue is bounded. Movements are merged with those that wait; a press or release of a button
 * keeps its place. When the queue is full its last entry takes the newest state (pointers), or
 * its first one counts as told (keyboard): the guest may miss something in between, but no button
 * or key stays down.
 */
#include <string.h>

#include "hw/usb/hid_internal.h"

#define WHEEL_MAX     127
#define MOVE_MAX      127
#define SUM_MAX       0x7fff /* of movements that wait */
#define MODIFIERS     0xe0u  /* usages E0 to E7 */
#define ROLLOVER      0x01u  /* ErrorRollOver: more keys than a report holds */
#define REPORT_USAGES 6u

/* ---- pointers ------------------------------------------------------------------------------- */

static int32_t bounded(int64_t value, int32_t max)
{
    return (int32_t)(value > max ? max : value < -max ? -max : value);
}

static uint32_t add(uint32_t sum, int32_t more)
{
    return (uint32_t)bounded((int64_t)(int32_t)sum + more, SUM_MAX);
}

/* Whether what comes with these buttons may go into the last entry that waits. */
static bool merges(const struct hid_state *s, uint8_t buttons)
{
    uint8_t before = s->count > 1 ? s->event_buttons[s->count - 2] : s->buttons;

    if (s->count == 0)
        return false;
    if (s->count == HID_EVENTS)
        return true;
    return s->event_buttons[s->count - 1] == buttons && before == buttons;
}

/* The entry that an event goes into: the last one, or a new one. */
static unsigned entry_for(struct hid *hid, uint32_t buttons)
{
    struct hid_state *s = hid->s;

    if (!merges(s, (uint8_t)buttons)) {
        s->event_x[s->count] = s->event_y[s->count] = 0;
        s->event_dx[s->count] = s->event_dy[s->count] = s->event_dz[s->count] = 0;
        s->count++;
    }
    s->event_buttons[s->count - 1] = (uint8_t)(buttons & INPUT_BUTTON_ALL);
    return s->count - 1u;
}

static void tell(struct hid *hid, bool was_empty)
{
    if (hid->plug.has_data)
        hid->plug.has_data(hid->plug.controller, &hid->plug, was_empty);
}

void hid_tablet_event(void *opaque, uint16_t x, uint16_t y, int32_t dz, uint32_t buttons)
{
    struct hid *hid = opaque;
    struct hid_state *s = hid->s;
    bool was_empty = s->count == 0;
    unsigned i;

    if (was_empty && x == s->x && y == s->y && dz == 0 && buttons == s->buttons)
        return; /* nothing new */
    i = entry_for(hid, buttons);
    s->event_x[i] = x > INPUT_ABS_MAX ? INPUT_ABS_MAX : x;
    s->event_y[i] = y > INPUT_ABS_MAX ? INPUT_ABS_MAX : y;
    s->event_dz[i] = add(s->event_dz[i], dz);
    tell(hid, was_empty);
}

void hid_mouse_event(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct hid *hid = opaque;
    struct hid_state *s = hid->s;
    bool was_empty = s->count == 0;
    unsigned i;

    if (was_empty && dx == 0 && dy == 0 && dz == 0 && buttons == s->buttons)
        return;
    i = entry_for(hid, buttons);
    s->event_dx[i] = add(s->event_dx[i], dx);
    s->event_dy[i] = add(s->event_dy[i], dy);
    s->event_dz[i] = add(s->event_dz[i], dz);
    tell(hid, was_empty);
}

static void drop_first(struct hid_state *s)
{
    size_t n = --s->count;

    memmove(s->event_x, s->event_x + 1, n * sizeof(s->event_x[0]));
    memmove(s->event_y, s->event_y + 1, n * sizeof(s->event_y[0]));
    memmove(s->event_dx, s->event_dx + 1, n * sizeof(s->event_dx[0]));
    memmove(s->event_dy, s->event_dy + 1, n * sizeof(s->event_dy[0]));
    memmove(s->event_dz, s->event_dz + 1, n * sizeof(s->event_dz[0]));
    memmove(s->event_buttons, s->event_buttons + 1, n * sizeof(s->event_buttons[0]));
    memmove(s->event_usage, s->event_usage + 1, n * sizeof(s->event_usage[0]));
    memmove(s->event_down, s->event_down + 1, n * sizeof(s->event_down[0]));
}

/* Takes as much of a movement as a report's byte holds. */
static uint8_t take(uint32_t *sum, int32_t max)
{
    int32_t part = bounded((int32_t)*sum, max);

    *sum -= (uint32_t)part;
    return (uint8_t)part;
}

static size_t pointer_report(const struct hid *hid, uint8_t report[HID_REPORT_MAX], uint8_t dx,
                             uint8_t dy, uint8_t dz)
{
    const struct hid_state *s = hid->s;

    report[0] = s->buttons;
    if (hid->kind == HID_TABLET) {
        report[1] = (uint8_t)s->x;
        report[2] = (uint8_t)(s->x >> 8);
        report[3] = (uint8_t)s->y;
        report[4] = (uint8_t)(s->y >> 8);
        report[5] = dz;
        return 6;
    }
    report[1] = dx;
    report[2] = dy;
    report[3] = dz;
    return s->boot_protocol ? HID_BOOT_MOUSE : 4;
}

static size_t next_pointer(struct hid *hid, uint8_t report[HID_REPORT_MAX])
{
    struct hid_state *s = hid->s;
    uint8_t dx = take(&s->event_dx[0], MOVE_MAX);
    uint8_t dy = take(&s->event_dy[0], MOVE_MAX);
    uint8_t dz = take(&s->event_dz[0], WHEEL_MAX);

    s->x = s->event_x[0];
    s->y = s->event_y[0];
    s->buttons = s->event_buttons[0];
    /* A movement longer than a report holds goes on with the next one. */
    if (!s->event_dx[0] && !s->event_dy[0] && !s->event_dz[0])
        drop_first(s);
    return pointer_report(hid, report, dx, dy, dz);
}

/* ---- keyboard ------------------------------------------------------------------------------- */

static bool is_down(const struct hid_state *s, unsigned usage)
{
    return s->keys[usage / 8] >> usage % 8 & 1;
}

static void set_down(struct hid_state *s, unsigned usage, bool down)
{
    uint8_t bit = (uint8_t)(1u << usage % 8);

    if (down)
        s->keys[usage / 8] |= bit;
    else
        s->keys[usage / 8] &= (uint8_t)~bit;
}

bool hid_keys_down(const struct hid *hid)
{
    for (size_t i = 0; i < sizeof(hid->s->keys); i++)
        if (hid->s->keys[i])
            return true;
    return false;
}

static void next_key(struct hid_state *s)
{
    set_down(s, s->event_usage[0], s->event_down[0]);
    drop_first(s);
}

/* Whether the key will be down for the host after all that waits. */
static bool will_be_down(const struct hid_state *s, uint8_t usage)
{
    for (unsigned i = s->count; i-- > 0;)
        if (s->event_usage[i] == usage)
            return s->event_down[i];
    return is_down(s, usage);
}

void hid_key_event(void *opaque, uint16_t code, bool down)
{
    struct hid *hid = opaque;
    struct hid_state *s = hid->s;
    uint8_t usage = hid_usage(code);
    bool was_empty = s->count == 0;

    /* A USB host repeats keys by itself. */
    if (usage == 0 || will_be_down(s, usage) == down)
        return;
    if (s->count == HID_EVENTS)
        next_key(s);
    s->event_usage[s->count] = usage;
    s->event_down[s->count] = down;
    s->count++;
    tell(hid, was_empty);
}

static size_t keyboard_report(const struct hid_state *s, uint8_t report[HID_REPORT_MAX])
{
    unsigned n = 0;

    memset(report, 0, HID_REPORT_MAX);
    report[0] = s->keys[MODIFIERS / 8];
    for (unsigned usage = ROLLOVER + 1; usage < MODIFIERS; usage++) {
        if (!is_down(s, usage))
            continue;
        if (n == REPORT_USAGES) {
            memset(report + 2, ROLLOVER, REPORT_USAGES);
            break;
        }
        report[2 + n++] = (uint8_t)usage;
    }
    return HID_REPORT_MAX;
}

/* ---- both ----------------------------------------------------------------------------------- */

size_t hid_report_next(struct hid *hid, uint8_t report[HID_REPORT_MAX])
{
    if (hid->kind != HID_KEYBOARD)
        return next_pointer(hid, report);
    next_key(hid->s);
    return keyboard_report(hid->s, report);
}

size_t hid_report_now(const struct hid *hid, uint8_t report[HID_REPORT_MAX])
{
    if (hid->kind == HID_KEYBOARD)
        return keyboard_report(hid->s, report);
    return pointer_report(hid, report, 0, 0, 0);
}
