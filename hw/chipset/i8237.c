/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two Intel 8237A (data sheet 231466) as in a PC: channels 0 to 3 at 00h-0Fh, channels 4 to 7 at
 * C0h-DFh with a stride of two ports, page registers at 81h-8Fh and high page registers at
 * 481h-48Fh.
 *
 *     address, count:  low byte --access--> high byte --access--> low byte ...  (one flip-flop)
 *     0Ch, 0Dh:        back to the low byte
 *
 * Writing an address or count loads base and current alike; reading gives the current one.
 *
 *     DREQ, unmasked, controller on ──▶ bytes move ── count runs out ──▶ TC: masked, or, with
 *                                          ▲                             autoinit, begun again
 *                                          └───────────────────────────────┘
 *
 * Addresses wrap within 64 KiB: the page registers give the bits above and do not count. What a
 * channel reaches is RAM, never another device's registers.
 *
 * Left out: transfers of the 16-bit channels, by software request and from memory to memory, for
 * which nothing in this machine asks; the temporary register reads as zero. Bus timing (demand,
 * single, block mode; priorities). Page ports that belong to no channel (80h, 84h-86h, 88h,
 * 8Ch-8Eh) are not claimed.
 */
#include "hw/chipset/i8237.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dm/device.h"

/* Registers from 8 on; below are address and count of the four channels in turn. */
enum {
    REG_COMMAND = 0x8, /* read: status */
    REG_REQUEST = 0x9,
    REG_SINGLE_MASK = 0xa,
    REG_MODE = 0xb,
    REG_CLEAR_FLIP_FLOP = 0xc,
    REG_MASTER_CLEAR = 0xd,
    REG_CLEAR_MASK = 0xe,
    REG_ALL_MASK = 0xf,

    CHANNELS = 4,
    CHANNEL_MASK = 3,
    COMMAND_DISABLE = 1 << 2,
    MODE_VERIFY = 0 << 2,
    MODE_TO_MEMORY = 1 << 2,
    MODE_FROM_MEMORY = 2 << 2,
    MODE_TYPE = 3 << 2,
    MODE_AUTOINIT = 1 << 4,
    MODE_DECREMENT = 1 << 5,
    MODE_CASCADE = 3 << 6,
    SET_BIT = 1 << 2, /* of request and single mask writes */
    ALL_CHANNELS = 0x0f,
};

struct i8237_state {
    uint16_t base_address[CHANNELS], base_count[CHANNELS];
    uint16_t current_address[CHANNELS], current_count[CHANNELS];
    uint8_t mode[CHANNELS]; /* bits 7:2 as written; the channel bits are zero */
    uint8_t page[CHANNELS], high_page[CHANNELS];
    uint8_t command;
    uint8_t mask;           /* bit n: channel n is masked */
    uint8_t request;        /* bit n: software request */
    uint8_t terminal_count; /* bit n: reached since the status was read */
    bool high_byte;         /* the flip-flop */
};

static const struct state_field i8237_fields[] = {
    STATE_ARRAY(struct i8237_state, base_address),
    STATE_ARRAY(struct i8237_state, base_count),
    STATE_ARRAY(struct i8237_state, current_address),
    STATE_ARRAY(struct i8237_state, current_count),
    STATE_ARRAY(struct i8237_state, mode, .bits = 0xfc),
    STATE_ARRAY(struct i8237_state, page),
    STATE_ARRAY(struct i8237_state, high_page),
    STATE_FIELD(struct i8237_state, command),
    STATE_FIELD(struct i8237_state, mask, .bits = ALL_CHANNELS, .reset = ALL_CHANNELS),
    STATE_FIELD(struct i8237_state, request, .bits = ALL_CHANNELS),
    STATE_FIELD(struct i8237_state, terminal_count, .bits = ALL_CHANNELS),
    STATE_FIELD(struct i8237_state, high_byte),
};
static const struct state_desc i8237_desc =
    STATE_DESC("i8237", 1, struct i8237_state, i8237_fields, NULL);

/* The page registers of a controller that lie in a row: 81h-83h, then 87h, and again + 8. */
struct page_row {
    uint16_t base;
    uint8_t length;
};
static const struct page_row page_rows[] = {{0x81, 3},  {0x87, 1},  {0x89, 3},  {0x8f, 1},
                                            {0x481, 3}, {0x487, 1}, {0x489, 3}, {0x48f, 1}};
#define PAGE_ROWS (sizeof(page_rows) / sizeof(page_rows[0]))

struct i8237;

struct controller {
    struct i8237 *dma;
    struct i8237_state *state;
    struct io_region registers;
    unsigned stride; /* log2 of the distance between registers */
};

/* The device at the end of a channel. */
struct requester {
    struct i8237 *dma;
    unsigned channel;
    bool dreq; /* a pin: the device derives it from its own state */
    void (*ready)(void *opaque);
    void *opaque;
};

/* What a row of page registers is to its handler. */
struct pages {
    struct i8237 *dma;
    struct io_region region;
};

struct i8237 {
    struct guestmem *mem;
    struct controller controller[2];
    struct pages pages[PAGE_ROWS];
    struct requester requester[CHANNELS]; /* of the first controller */
};

/* ---- channel and control registers ----------------------------------------------------------- */

static void master_clear(struct i8237_state *s)
{
    s->command = 0;
    s->request = 0;
    s->terminal_count = 0;
    s->mask = ALL_CHANNELS;
    s->high_byte = false;
}

static uint8_t half(struct i8237_state *s, uint16_t value)
{
    uint8_t byte = s->high_byte ? (uint8_t)(value >> 8) : (uint8_t)value;

    s->high_byte = !s->high_byte;
    return byte;
}

static void load_half(struct i8237_state *s, uint16_t *base, uint16_t *current, uint8_t value)
{
    if (s->high_byte)
        *base = (uint16_t)((*base & 0x00ff) | value << 8);
    else
        *base = (uint16_t)((*base & 0xff00) | value);
    *current = *base;
    s->high_byte = !s->high_byte;
}

static uint8_t requests(const struct controller *controller)
{
    uint8_t bits = controller->state->request;

    for (unsigned i = 0; i < CHANNELS && controller == &controller->dma->controller[0]; i++)
        bits |= (uint8_t)(controller->dma->requester[i].dreq << i);
    return bits;
}

/* Whether the channel is on and moves data of its own (cascade passes on another controller's). */
static bool served(const struct i8237_state *s, unsigned channel)
{
    return !(s->command & COMMAND_DISABLE) && !(s->mask & 1u << channel) &&
           (s->mode[channel] & MODE_CASCADE) != MODE_CASCADE;
}

/* A register has been written: whoever waits for the channel may go on. */
static void tell_requesters(const struct controller *controller)
{
    struct i8237 *dma = controller->dma;

    for (unsigned i = 0; i < CHANNELS && controller == &dma->controller[0]; i++) {
        struct requester *r = &dma->requester[i];

        if (r->dreq && served(controller->state, i))
            r->ready(r->opaque);
    }
}

static uint64_t registers_read(void *opaque, uint64_t offset, unsigned size)
{
    struct controller *controller = opaque;
    struct i8237_state *s = controller->state;
    unsigned reg = (offset >> controller->stride) & 0xf;
    unsigned channel = reg >> 1 & CHANNEL_MASK;
    uint8_t value;

    if (reg < REG_COMMAND)
        return half(s, reg & 1 ? s->current_count[channel] : s->current_address[channel]);
    switch (reg) {
    case REG_COMMAND:
        value = (uint8_t)(requests(controller) << 4 | s->terminal_count);
        s->terminal_count = 0;
        return value;
    case REG_ALL_MASK:
        return s->mask;
    default:
        return 0;
    }
}

static void registers_write(void *opaque, uint64_t offset, unsigned size, uint64_t wide)
{
    struct controller *controller = opaque;
    struct i8237_state *s = controller->state;
    unsigned reg = (offset >> controller->stride) & 0xf;
    uint8_t value = (uint8_t)wide;
    unsigned channel = value & CHANNEL_MASK;
    uint8_t bit = (uint8_t)(1u << channel);

    switch (reg) {
    case REG_COMMAND:
        s->command = value;
        break;
    case REG_REQUEST:
        s->request = value & SET_BIT ? s->request | bit : s->request & (uint8_t)~bit;
        break;
    case REG_SINGLE_MASK:
        s->mask = value & SET_BIT ? s->mask | bit : s->mask & (uint8_t)~bit;
        break;
    case REG_MODE:
        s->mode[channel] = value & (uint8_t)~CHANNEL_MASK;
        break;
    case REG_CLEAR_FLIP_FLOP:
        s->high_byte = false;
        break;
    case REG_MASTER_CLEAR:
        master_clear(s);
        break;
    case REG_CLEAR_MASK:
        s->mask = 0;
        break;
    case REG_ALL_MASK:
        s->mask = value & ALL_CHANNELS;
        break;
    default: /* 0 to 7 */
        channel = reg >> 1 & CHANNEL_MASK;
        if (reg & 1)
            load_half(s, &s->base_count[channel], &s->current_count[channel], value);
        else
            load_half(s, &s->base_address[channel], &s->current_address[channel], value);
    }
    tell_requesters(controller);
}

static const struct io_ops registers_ops = {
    .read = registers_read, .write = registers_write, .sizes = 1};

/* ---- page registers -------------------------------------------------------------------------- */

/* Which register a page port is: the wiring of the AT. Offset 7 of the second is refresh. */
static uint8_t *page_register(struct pages *pages, uint64_t offset)
{
    static const uint8_t channel_of[8] = {[1] = 2, [2] = 3, [3] = 1, [7] = 0};
    unsigned port = (unsigned)(pages->region.base + offset);
    struct i8237_state *s = pages->dma->controller[port >> 3 & 1].state;
    unsigned channel = channel_of[port & 7];

    return port >= 0x400 ? &s->high_page[channel] : &s->page[channel];
}

static uint64_t page_read(void *opaque, uint64_t offset, unsigned size)
{
    return *page_register(opaque, offset);
}

static void page_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    *page_register(opaque, offset) = (uint8_t)value;
}

static const struct io_ops page_ops = {.read = page_read, .write = page_write, .sizes = 1};

/* ---- transfers ------------------------------------------------------------------------------- */

static void reverse(uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t byte = buf[i];

        buf[i] = buf[len - 1 - i];
        buf[len - 1 - i] = byte;
    }
}

/*
 * len bytes from the current address on, which stay within its 64 KiB. A decrementing channel
 * meets them in the other order. Missing memory reads as ones and swallows what is written.
 */
static void move(struct i8237 *dma, unsigned channel, bool to_memory, uint8_t *buf, size_t len)
{
    struct i8237_state *s = dma->controller[0].state;
    bool down = s->mode[channel] & MODE_DECREMENT;
    uint64_t page = (uint64_t)s->high_page[channel] << 24 | (uint64_t)s->page[channel] << 16;
    uint64_t first = page | s->current_address[channel];

    if (down) {
        first -= len - 1;
        if (to_memory)
            reverse(buf, len);
    }
    if (to_memory)
        (void)guestmem_write(dma->mem, first, buf, len);
    else
        (void)guestmem_read(dma->mem, first, buf, len);
    if (down)
        reverse(buf, len);
}

static void count_down(struct i8237_state *s, unsigned channel, size_t len, bool *tc)
{
    bool down = s->mode[channel] & MODE_DECREMENT;
    uint16_t step = (uint16_t)len;

    s->current_address[channel] =
        (uint16_t)(down ? s->current_address[channel] - step : s->current_address[channel] + step);
    *tc = len == s->current_count[channel] + 1u;
    s->current_count[channel] = (uint16_t)(s->current_count[channel] - step);
    if (!*tc)
        return;
    s->terminal_count |= (uint8_t)(1u << channel);
    if (s->mode[channel] & MODE_AUTOINIT) {
        s->current_address[channel] = s->base_address[channel];
        s->current_count[channel] = s->base_count[channel];
    } else {
        s->mask |= (uint8_t)(1u << channel);
    }
}

static size_t channel_transfer(void *opaque, enum isa_dma_direction direction, uint8_t *buf,
                               size_t len, bool *tc)
{
    struct requester *r = opaque;
    struct i8237_state *s = r->dma->controller[0].state;
    unsigned channel = r->channel;
    uint8_t type = s->mode[channel] & MODE_TYPE;
    bool to_memory = direction == ISA_DMA_TO_MEMORY;
    size_t moved = 0;

    *tc = false;
    if (!served(s, channel) || (type != (to_memory ? MODE_TO_MEMORY : MODE_FROM_MEMORY) &&
                                !(type == MODE_VERIFY && to_memory)))
        return 0;
    while (moved < len && !*tc) {
        bool down = s->mode[channel] & MODE_DECREMENT;
        size_t n = down ? s->current_address[channel] + 1u : 0x10000u - s->current_address[channel];

        if (n > s->current_count[channel] + 1u)
            n = s->current_count[channel] + 1u;
        if (n > len - moved)
            n = len - moved;
        if (type != MODE_VERIFY)
            move(r->dma, channel, to_memory, buf + moved, n);
        count_down(s, channel, n, tc);
        moved += n;
    }
    return moved;
}

static void channel_request(void *opaque, bool level)
{
    ((struct requester *)opaque)->dreq = level;
}

struct isa_dma i8237_attach(struct i8237 *dma, unsigned channel, void (*ready)(void *opaque),
                            void *opaque)
{
    struct requester *r = &dma->requester[channel & CHANNEL_MASK];

    r->ready = ready;
    r->opaque = opaque;
    return (struct isa_dma){.request = channel_request, .transfer = channel_transfer, .opaque = r};
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static void i8237_reset(void *opaque)
{
    struct i8237 *dma = opaque;

    for (unsigned i = 0; i < 2; i++)
        state_reset(&i8237_desc, dma->controller[i].state);
}

static const struct device_ops ops = {
    .name = "i8237", .stays_on = true, .reset = i8237_reset, .destroy = free};

static int controller_init(struct i8237 *dma, const struct dm_env *env, unsigned index)
{
    struct controller *controller = &dma->controller[index];

    controller->dma = dma;
    controller->state = arena_alloc(env->arena, index == 0 ? "dma0" : "dma1", &i8237_desc);
    if (!controller->state)
        return -ENOMEM;
    controller->stride = index;
    controller->registers = (struct io_region){.name = index == 0 ? "dma0" : "dma1",
                                               .kind = IO_PORT,
                                               .base = index == 0 ? 0x00 : 0xc0,
                                               .length = 16u << index,
                                               .ops = &registers_ops,
                                               .dev = controller};
    return iospace_add(env->io, &controller->registers);
}

int i8237_create(struct i8237 **out, const struct dm_env *env)
{
    struct i8237 *dma = calloc(1, sizeof(*dma));

    if (!dma)
        return -ENOMEM;
    int err = device_register(env->devices, &ops, dma);
    if (err) {
        free(dma);
        return err;
    }
    *out = dma;
    dma->mem = env->mem;
    for (unsigned i = 0; i < CHANNELS; i++) {
        dma->requester[i].dma = dma;
        dma->requester[i].channel = i;
    }
    for (unsigned i = 0; i < 2; i++) {
        err = controller_init(dma, env, i);
        if (err)
            return err;
    }
    for (unsigned i = 0; i < PAGE_ROWS; i++) {
        dma->pages[i].dma = dma;
        dma->pages[i].region = (struct io_region){.name = "dma-page",
                                                  .kind = IO_PORT,
                                                  .base = page_rows[i].base,
                                                  .length = page_rows[i].length,
                                                  .ops = &page_ops,
                                                  .dev = &dma->pages[i]};
        err = iospace_add(env->io, &dma->pages[i].region);
        if (err)
            return err;
    }
    return 0;
}
