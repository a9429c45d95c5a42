/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, Mouse) with the wheel and the five
 * buttons of Microsoft's IntelliMouse, which a driver finds by three sample rates in a row:
 *
 *   id 0 (3 bytes) --200,100,80--> id 3 (4 bytes) --200,200,80--> id 4 (4 bytes)
 *
 * Packets are made when the controller takes them, from a list of moves: one move for each state
 * of the buttons, in which movement adds up. So a slow guest gets fewer, larger packets, no click
 * is lost in a fast sequence, and what a packet cannot hold stays for the next. The sample rate
 * is kept and not used: the events come no faster than a viewer sends them.
 */
#include "hw/ps2/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOVES      8u
#define MOVE_MAX   32767
#define PACKET_MAX 4u

enum { REMOTE = 0x40, REPORTING = 0x20, SCALING = 0x10 }; /* of the status byte */

enum {
    CMD_SCALING_1 = 0xe6,
    CMD_SCALING_2 = 0xe7,
    CMD_RESOLUTION = 0xe8,
    CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea,
    CMD_READ = 0xeb,
    CMD_WRAP_OFF = 0xec,
    CMD_WRAP = 0xee,
    CMD_REMOTE = 0xf0,
    CMD_ID = 0xf2,
    CMD_RATE = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
};

struct mouse_state {
    uint8_t id, flags;
    bool wrap;
    uint8_t rate, resolution;
    uint8_t rates[3]; /* the last three, the newest last */
    uint8_t command;  /* waits for its argument; 0: none does */
    uint8_t last_taken;

    uint8_t reply[PS2_REPLIES], reply_count;
    uint8_t packet[PACKET_MAX], packet_len, packet_pos;

    /* Two's complement. The buttons of the last move are those that are down now. */
    uint16_t dx[MOVES], dy[MOVES], dz[MOVES];
    uint8_t move_buttons[MOVES], move_count;
    uint8_t buttons;
};

static const struct state_field mouse_fields[] = {
    STATE_FIELD(struct mouse_state, id, .max = 4),
    STATE_FIELD(struct mouse_state, flags, .bits = REMOTE | REPORTING | SCALING),
    STATE_FIELD(struct mouse_state, wrap),
    STATE_FIELD(struct mouse_state, rate, .reset = 100),
    STATE_FIELD(struct mouse_state, resolution, .max = 3, .reset = 2),
    STATE_ARRAY(struct mouse_state, rates),
    STATE_FIELD(struct mouse_state, command),
    STATE_FIELD(struct mouse_state, last_taken),
    STATE_ARRAY(struct mouse_state, reply),
    STATE_FIELD(struct mouse_state, reply_count, .max = PS2_REPLIES),
    STATE_ARRAY(struct mouse_state, packet),
    STATE_FIELD(struct mouse_state, packet_len, .max = PACKET_MAX),
    STATE_FIELD(struct mouse_state, packet_pos, .max = PACKET_MAX),
    STATE_ARRAY(struct mouse_state, dx),
    STATE_ARRAY(struct mouse_state, dy),
    STATE_ARRAY(struct mouse_state, dz),
    STATE_ARRAY(struct mouse_state, move_buttons, .bits = INPUT_BUTTON_ALL),
    STATE_FIELD(struct mouse_state, move_count, .max = MOVES),
    STATE_FIELD(struct mouse_state, buttons, .bits = INPUT_BUTTON_ALL),
};

static const char *mouse_check(const void *opaque)
{
    const struct mouse_state *s = opaque;

    if (s->id != 0 && s->id != 3 && s->id != 4)
        return "id";
    if (s->packet_pos > s->packet_len)
        return "packet_pos";
    return NULL;
}

static const struct state_desc mouse_desc =
    STATE_DESC("ps2-mouse", 1, struct mouse_state, mouse_fields, mouse_check);

struct mouse {
    struct mouse_state *s;
    struct input *input;
    struct input_sink sink;
    struct ps2_line line;
};

/* ---- moves ---------------------------------------------------------------------------------- */

static int clamp(int64_t value, int limit)
{
    return value > limit ? limit : value < -limit ? -limit : (int)value;
}

static void add(uint16_t *sum, int32_t delta)
{
    *sum = (uint16_t)clamp((int64_t)(int16_t)*sum + delta, MOVE_MAX);
}

/* Takes what fits into one packet, the rest stays. */
static int take(uint16_t *sum, int limit)
{
    int part = clamp((int16_t)*sum, limit);

    *sum = (uint16_t)((int16_t)*sum - part);
    return part;
}

static void drop_moves(struct mouse_state *s)
{
    s->move_count = 0;
    s->packet_len = s->packet_pos = 0;
}

static bool streams(const struct mouse_state *s)
{
    return (s->flags & REPORTING) && !(s->flags & REMOTE) && !s->wrap;
}

static void mouse_rel(void *opaque, int32_t dx, int32_t dy, int32_t dz, uint32_t buttons)
{
    struct mouse *mouse = opaque;
    struct mouse_state *s = mouse->s;
    bool pressed;

    buttons &= s->id == 4 ? INPUT_BUTTON_ALL
                          : INPUT_BUTTON_LEFT | INPUT_BUTTON_RIGHT | INPUT_BUTTON_MIDDLE;
    if (s->id == 0)
        dz = 0;
    pressed = buttons != s->buttons;
    if (!pressed && dx == 0 && dy == 0 && dz == 0)
        return;
    s->buttons = (uint8_t)buttons;
    if (!streams(s) && !(s->flags & REMOTE))
        return;
    if ((pressed || s->move_count == 0) && s->move_count < MOVES) {
        unsigned i = s->move_count++;

        s->dx[i] = s->dy[i] = s->dz[i] = 0;
    }
    s->move_buttons[s->move_count - 1] = s->buttons;
    /* Here y grows upwards, and the wheel counts towards the user. */
    add(&s->dx[s->move_count - 1], dx);
    add(&s->dy[s->move_count - 1], dy == INT32_MIN ? INT32_MAX : -dy);
    add(&s->dz[s->move_count - 1], dz == INT32_MIN ? INT32_MAX : -dz);
    if (streams(s))
        ps2_ready(&mouse->line);
}

/* 2:1 scaling, of what is reported by itself only. */
static int scale(const struct mouse_state *s, int d)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int size = d < 0 ? -d : d;

    if (!(s->flags & SCALING) || (s->flags & REMOTE))
        return d;
    size = size < 6 ? small[size] : 2 * size;
    return d < 0 ? -size : size;
}

/* The packet of the oldest move, or of no movement. Returns its length. */
static unsigned make_packet(struct mouse_state *s, uint8_t *packet)
{
    int dx = 0, dy = 0, dz = 0;
    uint8_t buttons = s->buttons;

    if (s->move_count) {
        buttons = s->move_buttons[0];
        dx = scale(s, take(&s->dx[0], 127));
        dy = scale(s, take(&s->dy[0], 127));
        dz = take(&s->dz[0], 7);
        if (!s->dx[0] && !s->dy[0] && !s->dz[0]) {
            s->move_count--;
            memmove(s->dx, s->dx + 1, s->move_count * sizeof(s->dx[0]));
            memmove(s->dy, s->dy + 1, s->move_count * sizeof(s->dy[0]));
            memmove(s->dz, s->dz + 1, s->move_count * sizeof(s->dz[0]));
            memmove(s->move_buttons, s->move_buttons + 1, s->move_count);
        }
    }
    packet[0] = (uint8_t)((dy < 0) << 5 | (dx < 0) << 4 | 8 | (buttons & 7));
    packet[1] = (uint8_t)dx;
    packet[2] = (uint8_t)dy;
    if (s->id == 0)
        return 3;
    packet[3] = (uint8_t)dz;
    if (s->id == 4)
        packet[3] = (uint8_t)((dz & 0x0f) | (buttons & INPUT_BUTTON_SIDE ? 0x10 : 0) |
                              (buttons & INPUT_BUTTON_EXTRA ? 0x20 : 0));
    return 4;
}

/* ---- commands ------------------------------------------------------------------------------- */

static void reply(struct mouse_state *s, uint8_t byte)
{
    ps2_reply(s->reply, &s->reply_count, byte);
}

static void set_defaults(struct mouse_state *s)
{
    s->flags = 0;
    s->wrap = false;
    s->rate = 100;
    s->resolution = 2;
    memset(s->rates, 0, sizeof(s->rates));
    drop_moves(s);
}

static void set_rate(struct mouse_state *s, uint8_t rate)
{
    static const uint8_t wheel[3] = {200, 100, 80};
    static const uint8_t buttons[3] = {200, 200, 80};

    s->rate = rate;
    s->rates[0] = s->rates[1];
    s->rates[1] = s->rates[2];
    s->rates[2] = rate;
    if (memcmp(s->rates, wheel, sizeof(wheel)) == 0)
        s->id = 3;
    else if (memcmp(s->rates, buttons, sizeof(buttons)) == 0)
        s->id = 4;
}

/* Returns whether the byte was an argument of the command and not a command itself. */
static bool argument(struct mouse_state *s, uint8_t command, uint8_t byte)
{
    if (byte >= CMD_SCALING_1)
        return false;
    if (command == CMD_RATE && byte) {
        set_rate(s, byte);
    } else if (command == CMD_RESOLUTION && byte <= 3) {
        s->resolution = byte;
    } else {
        reply(s, PS2_RESEND);
        return true;
    }
    reply(s, PS2_ACK);
    return true;
}

/* Left is the highest bit here, unlike in packets. */
static uint8_t status(const struct mouse_state *s)
{
    return s->flags | (s->buttons & INPUT_BUTTON_LEFT ? 4 : 0) |
           (s->buttons & INPUT_BUTTON_MIDDLE ? 2 : 0) | (s->buttons & INPUT_BUTTON_RIGHT ? 1 : 0);
}

static void command_byte(struct mouse_state *s, uint8_t byte)
{
    uint8_t packet[PACKET_MAX];
    unsigned len;

    switch (byte) {
    case CMD_SCALING_1:
        s->flags &= (uint8_t)~SCALING;
        break;
    case CMD_SCALING_2:
        s->flags |= SCALING;
        break;
    case CMD_RESOLUTION:
    case CMD_RATE:
        s->command = byte;
        break;
    case CMD_STATUS:
        reply(s, PS2_ACK);
        reply(s, status(s));
        reply(s, s->resolution);
        reply(s, s->rate);
        return;
    case CMD_STREAM:
        s->flags &= (uint8_t)~REMOTE;
        drop_moves(s);
        break;
    case CMD_READ:
        reply(s, PS2_ACK);
        len = make_packet(s, packet);
        for (unsigned i = 0; i < len; i++)
            reply(s, packet[i]);
        return;
    case CMD_WRAP_OFF:
        s->wrap = false;
        break;
    case CMD_WRAP:
        s->wrap = true;
        drop_moves(s);
        break;
    case CMD_REMOTE:
        s->flags |= REMOTE;
        drop_moves(s);
        break;
    case CMD_ID:
        reply(s, PS2_ACK);
        reply(s, s->id);
        return;
    case CMD_ENABLE:
        s->flags |= REPORTING;
        drop_moves(s);
        break;
    case CMD_DISABLE:
        s->flags &= (uint8_t)~REPORTING;
        drop_moves(s);
        break;
    case CMD_DEFAULTS:
        set_defaults(s);
        break;
    case CMD_RESEND:
        reply(s, s->last_taken);
        return;
    case CMD_RESET:
        set_defaults(s);
        s->id = 0;
        reply(s, PS2_ACK);
        reply(s, PS2_SELF_TEST_OK);
        reply(s, 0);
        return;
    default:
        reply(s, PS2_RESEND);
        return;
    }
    reply(s, PS2_ACK);
}

void mouse_write(struct mouse *mouse, uint8_t byte)
{
    struct mouse_state *s = mouse->s;
    uint8_t command = s->command;

    s->command = 0;
    if (s->wrap && byte != CMD_WRAP_OFF && byte != CMD_RESET)
        reply(s, byte);
    else if (!command || !argument(s, command, byte))
        command_byte(s, byte);
}

bool mouse_pending(const struct mouse *mouse)
{
    const struct mouse_state *s = mouse->s;

    return s->reply_count || s->packet_pos < s->packet_len || (streams(s) && s->move_count);
}

uint8_t mouse_take(struct mouse *mouse)
{
    struct mouse_state *s = mouse->s;

    if (s->reply_count) {
        s->last_taken = ps2_take_reply(s->reply, &s->reply_count);
    } else {
        if (s->packet_pos == s->packet_len) {
            s->packet_len = (uint8_t)make_packet(s, s->packet);
            s->packet_pos = 0;
        }
        s->last_taken = s->packet[s->packet_pos++];
    }
    return s->last_taken;
}

/* ---- life cycle ----------------------------------------------------------------------------- */

void mouse_reset(struct mouse *mouse)
{
    state_reset(&mouse_desc, mouse->s);
}

int mouse_create(struct mouse **out, struct arena *arena, struct input *input, struct ps2_line line)
{
    struct mouse *mouse = calloc(1, sizeof(*mouse));

    if (!mouse)
        return -ENOMEM;
    mouse->s = arena_alloc(arena, "ps2-mouse", &mouse_desc);
    if (!mouse->s) {
        free(mouse);
        return -ENOMEM;
    }
    mouse->input = input;
    mouse->line = line;
    mouse->sink = (struct input_sink){.name = "ps2-mouse", .rel = mouse_rel, .opaque = mouse};
    input_sink_add(input, &mouse->sink);
    *out = mouse;
    return 0;
}

void mouse_destroy(struct mouse *mouse)
{
    /* Removing lets go of what is held: no news for the controller any more. */
    mouse->line.ready = NULL;
    input_sink_remove(mouse->input, &mouse->sink);
    free(mouse);
}
