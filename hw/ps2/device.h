/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two devices behind the controller. Each is a serial line: the controller writes a byte to
 * it, and takes one from it when it has a place to put it. What has not been taken stays in the
 * device. Private to hw/ps2/.
 */
#ifndef HW_PS2_DEVICE_H
#define HW_PS2_DEVICE_H

#include "dm/arena.h"
#include "ui/input.h"

/* Called when an event of the host has made a byte available. */
struct ps2_line {
    void (*ready)(void *opaque);
    void *opaque;
};

static inline void ps2_ready(const struct ps2_line *line)
{
    if (line->ready)
        line->ready(line->opaque);
}

struct kbd;
struct mouse;

int kbd_create(struct kbd **out, struct arena *arena, struct input *input, struct ps2_line line);
void kbd_destroy(struct kbd *kbd);
void kbd_reset(struct kbd *kbd);
void kbd_loaded(struct kbd *kbd);
void kbd_write(struct kbd *kbd, uint8_t byte);
bool kbd_pending(const struct kbd *kbd);
/* The next byte; call only when one is pending. */
uint8_t kbd_take(struct kbd *kbd);

int mouse_create(struct mouse **out, struct arena *arena, struct input *input,
                 struct ps2_line line);
void mouse_destroy(struct mouse *mouse);
void mouse_reset(struct mouse *mouse);
void mouse_write(struct mouse *mouse, uint8_t byte);
bool mouse_pending(const struct mouse *mouse);
uint8_t mouse_take(struct mouse *mouse);

/* Replies wait in a queue of this many bytes. A guest that reads none loses the oldest. */
#define PS2_REPLIES 16u

enum { PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_SELF_TEST_OK = 0xaa };

static inline void ps2_reply(uint8_t *queue, uint8_t *count, uint8_t byte)
{
    if (*count == PS2_REPLIES) {
        for (unsigned i = 1; i < PS2_REPLIES; i++)
            queue[i - 1] = queue[i];
        --*count;
    }
    queue[(*count)++] = byte;
}

static inline uint8_t ps2_take_reply(uint8_t *queue, uint8_t *count)
{
    uint8_t byte = queue[0];

    --*count;
    for (unsigned i = 0; i < *count; i++)
        queue[i] = queue[i + 1];
    return byte;
}

#endif
