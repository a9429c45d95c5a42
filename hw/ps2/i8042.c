/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 8042 keyboard controller with the PS/2's second port (IBM PS/2 Hardware Interface
 * Technical Reference, Keyboard/Auxiliary Device Controller).
 *
 * The output buffer holds one byte and where it came from. When it is free it is filled from, in
 * this order: the controller's own replies, the keyboard, the mouse; the bytes of a port that is
 * disabled stay in its device. After the guest has read a byte the next one of a device appears
 * BYTE_GAP_NS later: IRQ 1 and 12 are edges to the PIC, and there are handlers that read port 60
 * twice and mean the same byte. The translation of set 2 to set 1 happens on the way from the
 * keyboard into the buffer.
 *
 * Left out on purpose: the input buffer is never full (commands take no time), the diagnostic dump
 * (AC), the password, and the masking of A20, which Xen has no need for: the bit is kept.
 */
#include "hw/ps2/i8042.h"

#include <errno.h>
#include <stdlib.h>

#include "dm/device.h"
#include "hw/ps2/device.h"
#include "hw/ps2/scancodes.h"

#define PORT_DATA    0x60
#define PORT_COMMAND 0x64
#define IRQ_KBD      1
#define IRQ_AUX      12

/* 0.1 to 1 ms are safe: DOS handlers are done with the first byte, and nobody waits for long. */
#define BYTE_GAP_NS 200000u

#define REPLIES 4u

enum {
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_COMMAND = 0x08,
    STATUS_KEYLOCK = 0x10, /* not locked */
    STATUS_AUX = 0x20,
};
enum {
    CTR_KBD_IRQ = 0x01,
    CTR_AUX_IRQ = 0x02,
    CTR_SYS = 0x04,
    CTR_KBD_OFF = 0x10,
    CTR_AUX_OFF = 0x20,
    CTR_TRANSLATE = 0x40,
};
enum { OUT_RESET = 0x01, OUT_A20 = 0x02, OUT_ONES = 0xcc, OUT_KBD_OBF = 0x10, OUT_AUX_OBF = 0x20 };

/* Who the byte in the output buffer comes from. A reply counts as the keyboard's for the IRQ. */
enum { FROM_CONTROLLER, FROM_KBD, FROM_AUX };

enum {
    CMD_READ_RAM = 0x20, /* ..3f; 20 itself is the command byte (CTR) */
    CMD_WRITE_RAM = 0x60,
    CMD_VERSION = 0xa1,
    CMD_PASSWORD = 0xa4,
    CMD_AUX_OFF = 0xa7,
    CMD_AUX_ON = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_OFF = 0xad,
    CMD_KBD_ON = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_WRITE_KBD_BUFFER = 0xd2,
    CMD_WRITE_AUX_BUFFER = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_TEST_INPUTS = 0xe0,
    CMD_PULSE = 0xf0, /* ..ff */
};

struct i8042_state {
    uint8_t ctr;
    uint8_t flags; /* STATUS_SYS, STATUS_COMMAND */
    uint8_t outport;
    uint8_t command; /* waits for its data byte; 0: none does */
    uint8_t data, source;
    bool obf;
    bool released; /* f0 has been swallowed: the next code is that of a release */
    bool reset_asked;
    uint8_t ram[32];
    uint8_t reply[REPLIES], reply_source[REPLIES], reply_count;
    uint64_t next_at; /* guest clock: when a device's byte may appear; TIMER_NEVER: at once */
};

static const struct state_field i8042_fields[] = {
    STATE_FIELD(struct i8042_state, ctr, .reset = CTR_KBD_IRQ | CTR_AUX_IRQ),
    STATE_FIELD(struct i8042_state, flags, .bits = STATUS_SYS | STATUS_COMMAND,
                .reset = STATUS_COMMAND),
    STATE_FIELD(struct i8042_state, outport, .reset = OUT_RESET | OUT_A20 | OUT_ONES),
    STATE_FIELD(struct i8042_state, command),
    STATE_FIELD(struct i8042_state, data),
    STATE_FIELD(struct i8042_state, source, .max = FROM_AUX),
    STATE_FIELD(struct i8042_state, obf),
    STATE_FIELD(struct i8042_state, released),
    STATE_FIELD(struct i8042_state, reset_asked),
    STATE_ARRAY(struct i8042_state, ram),
    STATE_ARRAY(struct i8042_state, reply),
    STATE_ARRAY(struct i8042_state, reply_source, .max = FROM_AUX),
    STATE_FIELD(struct i8042_state, reply_count, .max = REPLIES),
    STATE_FIELD(struct i8042_state, next_at, .reset = TIMER_NEVER),
};

static const struct state_desc i8042_desc =
    STATE_DESC("i8042", 1, struct i8042_state, i8042_fields, NULL);

struct i8042 {
    struct i8042_state *s;
    struct loop *loop;
    struct iospace *io;
    struct platform_ops platform;
    struct irq irq_kbd, irq_aux;
    struct io_region data_region, command_region;
    struct timer gap;
    struct kbd *kbd;
    struct mouse *mouse;
};

/* ---- the output buffer ---------------------------------------------------------------------- */

static void update_irqs(struct i8042 *kc)
{
    const struct i8042_state *s = kc->s;
    bool aux = s->source == FROM_AUX;

    irq_set(&kc->irq_kbd, s->obf && !aux && (s->ctr & CTR_KBD_IRQ));
    irq_set(&kc->irq_aux, s->obf && aux && (s->ctr & CTR_AUX_IRQ));
}

static void put(struct i8042_state *s, uint8_t byte, uint8_t source)
{
    s->data = byte;
    s->source = source;
    s->obf = true;
}

static bool kbd_waits(const struct i8042 *kc)
{
    return !(kc->s->ctr & CTR_KBD_OFF) && kbd_pending(kc->kbd);
}

static bool aux_waits(const struct i8042 *kc)
{
    return !(kc->s->ctr & CTR_AUX_OFF) && mouse_pending(kc->mouse);
}

/* The keyboard's next byte, translated. f0 becomes the top bit of the code that follows it. */
static void put_kbd(struct i8042 *kc)
{
    struct i8042_state *s = kc->s;
    uint8_t byte = kbd_take(kc->kbd);

    if (!(s->ctr & CTR_TRANSLATE)) {
        s->released = false;
        put(s, byte, FROM_KBD);
        return;
    }
    if (byte == 0xf0) {
        s->released = true;
        if (!kbd_pending(kc->kbd))
            return;
        byte = kbd_take(kc->kbd);
    }
    put(s, scan_translate(byte) | (s->released ? 0x80 : 0), FROM_KBD);
    s->released = false;
}

static void fill(struct i8042 *kc)
{
    struct i8042_state *s = kc->s;

    if (s->obf)
        return;
    if (s->reply_count) {
        put(s, s->reply[0], s->reply_source[0]);
        s->reply_count--;
        for (unsigned i = 0; i < s->reply_count; i++) {
            s->reply[i] = s->reply[i + 1];
            s->reply_source[i] = s->reply_source[i + 1];
        }
    } else if (s->next_at == TIMER_NEVER) {
        if (kbd_waits(kc))
            put_kbd(kc);
        else if (aux_waits(kc))
            put(s, mouse_take(kc->mouse), FROM_AUX);
    }
}

static void settle(struct i8042 *kc)
{
    fill(kc);
    update_irqs(kc);
}

static void gap_over(void *opaque)
{
    struct i8042 *kc = opaque;

    kc->s->next_at = TIMER_NEVER;
    settle(kc);
}

/* Replies too wait for the gap when they are behind a byte that has just been read. */
static uint8_t read_data(struct i8042 *kc)
{
    struct i8042_state *s = kc->s;

    if (s->obf) {
        s->obf = false;
        if (s->reply_count || kbd_waits(kc) || aux_waits(kc)) {
            s->next_at = loop_now(kc->loop, CLOCK_GUEST) + BYTE_GAP_NS;
            timer_arm(&kc->gap, s->next_at);
        }
    }
    return s->data;
}

static void device_ready(void *opaque)
{
    settle(opaque);
}

/* ---- commands ------------------------------------------------------------------------------- */

/* A guest that asks without reading loses the oldest answers. */
static void reply_from(struct i8042_state *s, uint8_t byte, uint8_t source)
{
    if (s->reply_count == REPLIES) {
        s->reply_count--;
        for (unsigned i = 0; i < REPLIES - 1; i++) {
            s->reply[i] = s->reply[i + 1];
            s->reply_source[i] = s->reply_source[i + 1];
        }
    }
    s->reply[s->reply_count] = byte;
    s->reply_source[s->reply_count++] = source;
}

static void reply(struct i8042_state *s, uint8_t byte)
{
    reply_from(s, byte, FROM_CONTROLLER);
}

/* Once: a guest that hammers on the reset line gets no more than one. */
static void ask_reset(struct i8042 *kc)
{
    if (kc->s->reset_asked)
        return;
    kc->s->reset_asked = true;
    if (kc->platform.power)
        kc->platform.power(kc->platform.opaque, POWER_REBOOT);
}

static void write_outport(struct i8042 *kc, uint8_t value)
{
    kc->s->outport = value;
    if (!(value & OUT_RESET))
        ask_reset(kc);
}

static uint8_t outport(const struct i8042_state *s)
{
    uint8_t value = (uint8_t)(s->outport & ~(OUT_KBD_OBF | OUT_AUX_OBF));

    if (s->obf)
        value |= s->source == FROM_AUX ? OUT_AUX_OBF : OUT_KBD_OBF;
    return value;
}

static void write_ctr(struct i8042_state *s, uint8_t value)
{
    s->ctr = value;
    if (value & CTR_SYS)
        s->flags |= STATUS_SYS;
}

static void write_command(struct i8042 *kc, uint8_t command)
{
    struct i8042_state *s = kc->s;

    s->flags |= STATUS_COMMAND;
    s->command = 0;
    if (command >= CMD_READ_RAM && command < CMD_READ_RAM + 0x20) {
        reply(s, command == CMD_READ_RAM ? s->ctr : s->ram[command & 0x1f]);
        return;
    }
    if ((command >= CMD_WRITE_RAM && command < CMD_WRITE_RAM + 0x20) ||
        (command >= CMD_WRITE_OUTPUT && command <= CMD_WRITE_AUX)) {
        s->command = command;
        return;
    }
    if (command >= CMD_PULSE) {
        if (!(command & OUT_RESET))
            ask_reset(kc);
        return;
    }
    switch (command) {
    case CMD_VERSION:
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
    case CMD_TEST_INPUTS:
        reply(s, 0x00);
        break;
    case CMD_PASSWORD:
        reply(s, 0xf1); /* none installed */
        break;
    case CMD_AUX_OFF:
        s->ctr |= CTR_AUX_OFF;
        break;
    case CMD_AUX_ON:
        s->ctr &= (uint8_t)~CTR_AUX_OFF;
        break;
    case CMD_SELF_TEST:
        s->flags |= STATUS_SYS;
        s->reply_count = 0;
        reply(s, 0x55);
        break;
    case CMD_KBD_OFF:
        s->ctr |= CTR_KBD_OFF;
        break;
    case CMD_KBD_ON:
        s->ctr &= (uint8_t)~CTR_KBD_OFF;
        break;
    case CMD_READ_INPUT:
        reply(s, 0x80);
        break;
    case CMD_READ_OUTPUT:
        reply(s, outport(s));
        break;
    case CMD_A20_OFF:
        s->outport &= (uint8_t)~OUT_A20;
        break;
    case CMD_A20_ON:
        s->outport |= OUT_A20;
        break;
    default:
        break;
    }
}

static void write_data(struct i8042 *kc, uint8_t value)
{
    struct i8042_state *s = kc->s;
    uint8_t command = s->command;

    s->flags &= (uint8_t)~STATUS_COMMAND;
    s->command = 0;
    switch (command) {
    case 0:
        /* Whoever speaks to the keyboard turns its port on. */
        s->ctr &= (uint8_t)~CTR_KBD_OFF;
        s->released = false;
        kbd_write(kc->kbd, value);
        break;
    case CMD_WRITE_RAM:
        write_ctr(s, value);
        break;
    case CMD_WRITE_OUTPUT:
        write_outport(kc, value);
        break;
    case CMD_WRITE_KBD_BUFFER:
        reply_from(s, value, FROM_KBD);
        break;
    case CMD_WRITE_AUX_BUFFER:
        reply_from(s, value, FROM_AUX);
        break;
    case CMD_WRITE_AUX:
        s->ctr &= (uint8_t)~CTR_AUX_OFF;
        mouse_write(kc->mouse, value);
        break;
    default:
        s->ram[command & 0x1f] = value;
        break;
    }
}

/* ---- ports ---------------------------------------------------------------------------------- */

static uint64_t data_read(void *dev, uint64_t offset, unsigned size)
{
    struct i8042 *kc = dev;
    uint8_t value = read_data(kc);

    update_irqs(kc);
    return value;
}

static void data_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    write_data(dev, (uint8_t)value);
    settle(dev);
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned size)
{
    const struct i8042_state *s = ((struct i8042 *)dev)->s;

    return STATUS_KEYLOCK | s->flags | (s->obf ? STATUS_OBF : 0) |
           (s->obf && s->source == FROM_AUX ? STATUS_AUX : 0);
}

static void command_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    write_command(dev, (uint8_t)value);
    settle(dev);
}

static const struct io_ops data_ops = {.read = data_read, .write = data_write, .sizes = 1};
static const struct io_ops command_ops = {.read = status_read, .write = command_write, .sizes = 1};

/* ---- life cycle ----------------------------------------------------------------------------- */

static void i8042_reset(void *dev)
{
    struct i8042 *kc = dev;

    timer_cancel(&kc->gap);
    state_reset(&i8042_desc, kc->s);
    kbd_reset(kc->kbd);
    mouse_reset(kc->mouse);
    update_irqs(kc);
}

static void i8042_loaded(void *dev)
{
    struct i8042 *kc = dev;
    uint64_t latest = loop_now(kc->loop, CLOCK_GUEST) + BYTE_GAP_NS;

    kbd_loaded(kc->kbd);
    /* Never further off than it can be set: the state may come from anywhere. */
    if (kc->s->next_at != TIMER_NEVER && kc->s->next_at > latest)
        kc->s->next_at = latest;
    timer_arm(&kc->gap, kc->s->next_at);
    if (!timer_armed(&kc->gap))
        fill(kc);
    update_irqs(kc);
}

static void i8042_destroy(void *dev)
{
    struct i8042 *kc = dev;

    timer_cancel(&kc->gap);
    iospace_remove(kc->io, &kc->data_region);
    iospace_remove(kc->io, &kc->command_region);
    if (kc->kbd)
        kbd_destroy(kc->kbd);
    if (kc->mouse)
        mouse_destroy(kc->mouse);
    free(kc);
}

static const struct device_ops i8042_device = {
    .name = "i8042", .reset = i8042_reset, .loaded = i8042_loaded, .destroy = i8042_destroy};

static int add_ports(struct i8042 *kc)
{
    int rc;

    kc->data_region = (struct io_region){.name = "i8042-data",
                                         .kind = IO_PORT,
                                         .base = PORT_DATA,
                                         .length = 1,
                                         .ops = &data_ops,
                                         .dev = kc};
    kc->command_region = (struct io_region){.name = "i8042-command",
                                            .kind = IO_PORT,
                                            .base = PORT_COMMAND,
                                            .length = 1,
                                            .ops = &command_ops,
                                            .dev = kc};
    rc = iospace_add(kc->io, &kc->data_region);
    return rc ? rc : iospace_add(kc->io, &kc->command_region);
}

int i8042_create(struct i8042 **out, const struct dm_env *env, struct input *input)
{
    struct i8042 *kc = calloc(1, sizeof(*kc));
    struct ps2_line line = {.ready = device_ready, .opaque = kc};
    int rc;

    if (!kc)
        return -ENOMEM;
    kc->loop = env->loop;
    kc->io = env->io;
    kc->platform = env->platform;
    timer_init(&kc->gap, env->loop, CLOCK_GUEST, gap_over, kc);
    kc->irq_kbd = irq_router_isa(env->irqs, IRQ_KBD);
    kc->irq_aux = irq_router_isa(env->irqs, IRQ_AUX);
    kc->s = arena_alloc(env->arena, "i8042", &i8042_desc);
    rc = kc->s ? kbd_create(&kc->kbd, env->arena, input, line) : -ENOMEM;
    if (rc == 0)
        rc = mouse_create(&kc->mouse, env->arena, input, line);
    if (rc == 0)
        rc = add_ports(kc);
    if (rc == 0)
        rc = device_register(env->devices, &i8042_device, kc);
    if (rc) {
        i8042_destroy(kc);
        return rc;
    }
    *out = kc;
    return 0;
}
