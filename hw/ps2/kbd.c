/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, Keyboard): 105 keys and the
 * usual multimedia ones, scan code sets 1, 2 and 3.
 *
 *   host events --> event queue --> sequence (one key's bytes, in the set of that moment) --> taken
 *   commands ----> replies -------------------------------------------------------------------^
 *
 * Replies overtake scan codes; a sequence that a command interrupts is sent again from its start,
 * so that a prefix is never parted from its code. The keyboard knows which keys are down, and
 * which of those the guest has been told of: when events are lost (the queue is full, scanning is
 * off), the break codes the guest lacks follow as soon as they can, and no key stays stuck.
 *
 * Left out on purpose: keys do not repeat of themselves. Whoever shows the guest's screen sends
 * repeated presses, and knows when the user lets go; the typematic rate is kept and not used.
 */
#include "hw/ps2/device.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/ps2/scancodes.h"

#define EVENTS         32u
#define EVENT_DOWN     0x8000u
#define KEY_BYTES      (INPUT_KEY_COUNT / 8)
#define TYPEMATIC_HALF 0x2b /* 10.9 a second after 500 ms */

enum {
    CMD_LEDS = 0xed,
    CMD_ECHO = 0xee,
    CMD_SET = 0xf0,
    CMD_ID = 0xf2,
    CMD_TYPEMATIC = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_ALL_REPEAT = 0xf7,
    CMD_ALL_BREAK = 0xf8,
    CMD_ALL_MAKE = 0xf9,
    CMD_ALL_REPEAT_BREAK = 0xfa,
    CMD_KEY_REPEAT = 0xfb,
    CMD_KEY_BREAK = 0xfc,
    CMD_KEY_MAKE = 0xfd,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
};

struct kbd_state {
    uint8_t scan_set;
    uint8_t leds, typematic;
    bool scanning;
    uint8_t command; /* waits for its argument; 0: none does */
    uint8_t last_taken;

    uint8_t reply[PS2_REPLIES], reply_count;
    uint8_t seq[SCAN_SEQUENCE_MAX], seq_len, seq_pos;
    uint16_t event[EVENTS];
    uint8_t event_count;

    uint8_t down[KEY_BYTES]; /* by evdev code: what the host says */
    uint8_t told[KEY_BYTES]; /* what the guest believes */
    bool lost;               /* they may differ beyond what is queued */
    bool sysrq_made;         /* Print Screen went out as Alt-SysRq */

    uint8_t set3_break[32], set3_repeat[32]; /* by set 3 code: what is sent in that set */
};

static const struct state_field kbd_fields[] = {
    STATE_FIELD(struct kbd_state, scan_set, .min = 1, .max = 3, .reset = 2),
    STATE_FIELD(struct kbd_state, leds, .bits = 7),
    STATE_FIELD(struct kbd_state, typematic, .max = 0x7f, .reset = TYPEMATIC_HALF),
    STATE_FIELD(struct kbd_state, scanning, .reset = 1),
    STATE_FIELD(struct kbd_state, command),
    STATE_FIELD(struct kbd_state, last_taken),
    STATE_ARRAY(struct kbd_state, reply),
    STATE_FIELD(struct kbd_state, reply_count, .max = PS2_REPLIES),
    STATE_ARRAY(struct kbd_state, seq),
    STATE_FIELD(struct kbd_state, seq_len, .max = SCAN_SEQUENCE_MAX),
    STATE_FIELD(struct kbd_state, seq_pos, .max = SCAN_SEQUENCE_MAX),
    STATE_ARRAY(struct kbd_state, event),
    STATE_FIELD(struct kbd_state, event_count, .max = EVENTS),
    STATE_ARRAY(struct kbd_state, down, .flags = STATE_KEEP),
    STATE_ARRAY(struct kbd_state, told),
    STATE_FIELD(struct kbd_state, lost),
    STATE_FIELD(struct kbd_state, sysrq_made),
    STATE_ARRAY(struct kbd_state, set3_break),
    STATE_ARRAY(struct kbd_state, set3_repeat),
};

static const char *kbd_check(const void *opaque)
{
    const struct kbd_state *s = opaque;

    if (s->seq_pos > s->seq_len)
        return "seq_pos";
    for (unsigned i = 0; i < EVENTS; i++)
        if ((s->event[i] & ~EVENT_DOWN) >= INPUT_KEY_COUNT)
            return "event";
    return NULL;
}

static const struct state_desc kbd_desc =
    STATE_DESC("ps2-keyboard", 1, struct kbd_state, kbd_fields, kbd_check);

struct kbd {
    struct kbd_state *s;
    struct input *input;
    struct input_sink sink;
    struct ps2_line line;
};

static bool bit_get(const uint8_t *bits, unsigned i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static void bit_set(uint8_t *bits, unsigned i, bool on)
{
    if (on)
        bits[i / 8] |= (uint8_t)(1u << i % 8);
    else
        bits[i / 8] &= (uint8_t) ~(1u << i % 8);
}

/* ---- from keys to bytes --------------------------------------------------------------------- */

static bool any_told(const struct kbd_state *s, unsigned a, unsigned b)
{
    return bit_get(s->told, a) || bit_get(s->told, b);
}

static void put_sequence(struct kbd_state *s, const uint8_t *bytes, unsigned len)
{
    memcpy(s->seq, bytes, len);
    s->seq_len = (uint8_t)len;
    s->seq_pos = 0;
}

static void pause_sequence(struct kbd_state *s, bool down)
{
    static const uint8_t pause[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
    static const uint8_t brk[] = {0xe0, 0x7e, 0xe0, 0xf0, 0x7e};

    if (!down)
        return;
    if (any_told(s, KEY_LEFTCTRL, KEY_RIGHTCTRL))
        put_sequence(s, brk, sizeof(brk));
    else
        put_sequence(s, pause, sizeof(pause));
}

static void print_sequence(struct kbd_state *s, bool down)
{
    static const uint8_t print[] = {0xe0, 0x12, 0xe0, 0x7c};
    static const uint8_t print_up[] = {0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12};
    static const uint8_t sysrq[] = {0x84};
    static const uint8_t sysrq_up[] = {0xf0, 0x84};

    if (down)
        s->sysrq_made = any_told(s, KEY_LEFTALT, KEY_RIGHTALT);
    if (s->sysrq_made)
        put_sequence(s, down ? sysrq : sysrq_up, down ? sizeof(sysrq) : sizeof(sysrq_up));
    else
        put_sequence(s, down ? print : print_up, down ? sizeof(print) : sizeof(print_up));
}

static void plain_sequence(struct kbd_state *s, uint16_t code, bool down)
{
    uint8_t bytes[3];
    unsigned n = 0;

    if (!code || (!down && (code & SCAN_MAKE_ONLY)))
        return;
    if (code & SCAN_EXTENDED)
        bytes[n++] = 0xe0;
    if (!down)
        bytes[n++] = 0xf0;
    bytes[n++] = (uint8_t)code;
    put_sequence(s, bytes, n);
}

static void set3_sequence(struct kbd_state *s, uint16_t key, bool down, bool repeat)
{
    uint8_t code = scan_set3(key);

    if (code && (down ? !repeat || bit_get(s->set3_repeat, code) : bit_get(s->set3_break, code)))
        plain_sequence(s, code, down);
}

/* The bytes of one event become the current sequence, which may stay empty. */
static void make_sequence(struct kbd_state *s, uint16_t key, bool down)
{
    bool repeat = down && bit_get(s->told, key);

    s->seq_len = s->seq_pos = 0;
    if (!down && !bit_get(s->told, key))
        return; /* the guest has not heard of the press either */
    if (s->scan_set == 3) {
        set3_sequence(s, key, down, repeat);
    } else {
        if (key == KEY_PAUSE)
            pause_sequence(s, down && !repeat);
        else if (key == KEY_SYSRQ)
            print_sequence(s, down);
        else
            plain_sequence(s, scan_set2(key), down);
        if (s->scan_set == 1)
            s->seq_len = (uint8_t)scan_translate_sequence(s->seq, s->seq_len);
    }
    bit_set(s->told, key, down);
}

/* A key that the guest believes to be down and that is not, or INPUT_KEY_COUNT. */
static unsigned find_stuck(const struct kbd_state *s)
{
    for (unsigned i = 0; i < KEY_BYTES; i++) {
        uint8_t stuck = s->told[i] & (uint8_t)~s->down[i];

        if (stuck)
            return i * 8 + (unsigned)__builtin_ctz(stuck);
    }
    return INPUT_KEY_COUNT;
}

/* Starts the next sequence when the last one has been sent. Bounded: each turn of the loop takes
 * away an event or a stuck key. */
static void next_sequence(struct kbd_state *s)
{
    while (s->seq_pos == s->seq_len && s->scanning) {
        unsigned stuck;

        if (s->event_count) {
            uint16_t event = s->event[0];

            s->event_count--;
            memmove(s->event, s->event + 1, s->event_count * sizeof(s->event[0]));
            make_sequence(s, event & (uint16_t)~EVENT_DOWN, event & EVENT_DOWN);
            continue;
        }
        stuck = s->lost ? find_stuck(s) : INPUT_KEY_COUNT;
        if (stuck == INPUT_KEY_COUNT) {
            s->lost = false;
            return;
        }
        make_sequence(s, (uint16_t)stuck, false);
    }
}

static void kbd_key(void *opaque, uint16_t code, bool down)
{
    struct kbd *kbd = opaque;
    struct kbd_state *s = kbd->s;

    if (code >= INPUT_KEY_COUNT)
        return;
    bit_set(s->down, code, down);
    if (!s->scanning || s->event_count == EVENTS) {
        s->lost = true;
        return;
    }
    s->event[s->event_count++] = (uint16_t)(code | (down ? EVENT_DOWN : 0));
    next_sequence(s);
    ps2_ready(&kbd->line);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void reply(struct kbd_state *s, uint8_t byte)
{
    ps2_reply(s->reply, &s->reply_count, byte);
}

/* What has not been sent is dropped; what the guest lacks by that is made up for later. */
static void drop_codes(struct kbd_state *s)
{
    s->event_count = 0;
    s->seq_len = s->seq_pos = 0;
    s->lost = true;
}

static void set3_all(struct kbd_state *s, bool breaks, bool repeats)
{
    memset(s->set3_break, breaks ? 0xff : 0, sizeof(s->set3_break));
    memset(s->set3_repeat, repeats ? 0xff : 0, sizeof(s->set3_repeat));
}

static void set_defaults(struct kbd_state *s)
{
    /* Ctrl, left Shift, Caps Lock, left Alt, right Shift. */
    static const uint8_t with_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};

    s->scan_set = 2;
    s->typematic = TYPEMATIC_HALF;
    set3_all(s, false, true);
    for (unsigned i = 0; i < sizeof(with_break); i++) {
        bit_set(s->set3_break, with_break[i], true);
        bit_set(s->set3_repeat, with_break[i], false);
    }
    drop_codes(s);
}

static void set_leds(struct kbd *kbd, uint8_t leds)
{
    kbd->s->leds = leds;
    input_set_leds(kbd->input, leds);
}

static void argument(struct kbd *kbd, uint8_t command, uint8_t byte)
{
    struct kbd_state *s = kbd->s;

    switch (command) {
    case CMD_LEDS:
        set_leds(kbd, byte & 7);
        break;
    case CMD_SET:
        if (byte > 3) {
            reply(s, PS2_RESEND);
            return;
        }
        reply(s, PS2_ACK);
        if (byte == 0)
            reply(s, s->scan_set);
        else
            s->scan_set = byte;
        return;
    case CMD_TYPEMATIC:
        s->typematic = byte & 0x7f;
        break;
    default: /* CMD_KEY_*: more keys may follow, until a command does */
        bit_set(s->set3_break, byte, command == CMD_KEY_BREAK);
        bit_set(s->set3_repeat, byte, command == CMD_KEY_REPEAT);
        s->command = command;
        break;
    }
    reply(s, PS2_ACK);
}

static void command_byte(struct kbd *kbd, uint8_t byte)
{
    struct kbd_state *s = kbd->s;

    switch (byte) {
    case CMD_ECHO:
        reply(s, CMD_ECHO);
        return;
    case CMD_RESEND:
        reply(s, s->last_taken);
        return;
    case CMD_LEDS:
    case CMD_SET:
    case CMD_TYPEMATIC:
    case CMD_KEY_REPEAT:
    case CMD_KEY_BREAK:
    case CMD_KEY_MAKE:
        s->command = byte;
        reply(s, PS2_ACK);
        return;
    case CMD_ID:
        reply(s, PS2_ACK);
        reply(s, 0xab);
        reply(s, 0x83);
        return;
    case CMD_ENABLE:
        s->scanning = true;
        break;
    case CMD_DISABLE:
        set_defaults(s);
        s->scanning = false;
        break;
    case CMD_DEFAULTS:
        set_defaults(s);
        break;
    case CMD_ALL_REPEAT:
        set3_all(s, false, true);
        break;
    case CMD_ALL_BREAK:
        set3_all(s, true, false);
        break;
    case CMD_ALL_MAKE:
        set3_all(s, false, false);
        break;
    case CMD_ALL_REPEAT_BREAK:
        set3_all(s, true, true);
        break;
    case CMD_RESET:
        set_defaults(s);
        s->scanning = true;
        memset(s->told, 0, sizeof(s->told));
        set_leds(kbd, 0);
        reply(s, PS2_ACK);
        reply(s, PS2_SELF_TEST_OK);
        return;
    default:
        reply(s, PS2_RESEND);
        return;
    }
    reply(s, PS2_ACK);
}

void kbd_write(struct kbd *kbd, uint8_t byte)
{
    struct kbd_state *s = kbd->s;
    uint8_t command = s->command;
    /* Codes of keys in set 3 go beyond 80. */
    uint8_t first_command = command >= CMD_KEY_REPEAT ? CMD_LEDS : 0x80;

    s->command = 0;
    s->seq_pos = s->seq_pos < s->seq_len ? 0 : s->seq_len;
    if (command && byte < first_command)
        argument(kbd, command, byte);
    else
        command_byte(kbd, byte);
    next_sequence(s);
}

bool kbd_pending(const struct kbd *kbd)
{
    const struct kbd_state *s = kbd->s;

    return s->reply_count || (s->scanning && s->seq_pos < s->seq_len);
}

uint8_t kbd_take(struct kbd *kbd)
{
    struct kbd_state *s = kbd->s;

    if (s->reply_count)
        s->last_taken = ps2_take_reply(s->reply, &s->reply_count);
    else
        s->last_taken = s->seq[s->seq_pos++];
    next_sequence(s);
    return s->last_taken;
}

/* ---- life cycle ----------------------------------------------------------------------------- */

/* Keys that are held stay known as down; the guest has not been told of any. */
void kbd_reset(struct kbd *kbd)
{
    state_reset(&kbd_desc, kbd->s);
    set_defaults(kbd->s);
    kbd->s->lost = false;
    input_set_leds(kbd->input, 0);
}

/* Keys that were down on another host are not down here. */
void kbd_loaded(struct kbd *kbd)
{
    struct kbd_state *s = kbd->s;

    for (unsigned key = 0; key < INPUT_KEY_COUNT; key++) {
        if (!bit_get(s->down, key) || input_key_is_down(kbd->input, (uint16_t)key))
            continue;
        bit_set(s->down, key, false);
        s->lost = true;
    }
    next_sequence(s);
    input_set_leds(kbd->input, s->leds);
}

int kbd_create(struct kbd **out, struct arena *arena, struct input *input, struct ps2_line line)
{
    struct kbd *kbd = calloc(1, sizeof(*kbd));

    if (!kbd)
        return -ENOMEM;
    kbd->s = arena_alloc(arena, "ps2-keyboard", &kbd_desc);
    if (!kbd->s) {
        free(kbd);
        return -ENOMEM;
    }
    kbd->input = input;
    kbd->line = line;
    kbd->sink = (struct input_sink){.name = "ps2-keyboard", .key = kbd_key, .opaque = kbd};
    input_sink_add(input, &kbd->sink);
    kbd_reset(kbd);
    *out = kbd;
    return 0;
}

void kbd_destroy(struct kbd *kbd)
{
    /* Removing lets go of what is held: no news for the controller any more. */
    kbd->line.ready = NULL;
    input_sink_remove(kbd->input, &kbd->sink);
    free(kbd);
}
