/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory as the processor sees it: the window at 0xa0000 and the linear aperture.
 *
 *     SR07 bit 0 = 0    the window is that of VGA proper
 *     SR07 bit 0 = 1    a0000-a7fff and a8000-affff: packed pixels from two offsets (GR09, GR0A)
 *                       b8000-b80ff: registers of the blitter, when SR17 says so
 *     a blit waits for data    every write to either is data for it
 *
 * GR0B changes what one byte means: addresses count 8 or 16 bytes, and in write modes 4 and 5 each
 * bit of it is a pixel (bit 7 the leftmost), of which the map mask drops some at 8 bits a pixel.
 * Every address is masked to the size of the memory.
 */
#include "hw/vga/cirrus_core.h"

#define BANK_SIZE   0x8000u
#define WINDOW_MMIO 0x18000u /* offset of the blitter's registers in the window */

static unsigned write_mode(const struct cirrus *c)
{
    return c->s->gr[GR_MODE] & 7;
}

static bool by_16(const struct cirrus *c)
{
    return (c->s->gr[GR_EXTENSIONS] & (EXT_WRITES_16 | EXT_WRITE_MODES)) ==
           (EXT_WRITES_16 | EXT_WRITE_MODES);
}

/* Write modes 4 and 5. */
static bool expanding(const struct cirrus *c)
{
    return (c->s->gr[GR_EXTENSIONS] & EXT_WRITE_MODES) && (write_mode(c) & 6) == 4;
}

/* Write mode 1 copies eight bytes at once. */
static bool copying_8(const struct cirrus *c)
{
    return (c->s->gr[GR_EXTENSIONS] & EXT_LATCH_8) && write_mode(c) == 1;
}

bool cirrus_linear_special(const struct cirrus *c)
{
    const uint8_t mmio = CONFIGURATION_MMIO | CONFIGURATION_MMIO_LINEAR;

    return c->s->feeding || (c->s->sr[SR_CONFIGURATION] & mmio) == mmio || by_16(c) ||
           (c->s->gr[GR_EXTENSIONS] & EXT_BY_8) || expanding(c) || copying_8(c);
}

/* ---- bytes of memory ------------------------------------------------------------------------- */

/* An address as GR0B has it scaled, inside the memory. */
static uint32_t scaled(const struct cirrus *c, uint32_t address)
{
    if (by_16(c))
        address <<= 4;
    else if (c->s->gr[GR_EXTENSIONS] & EXT_BY_8)
        address <<= 3;
    return address & ((uint32_t)c->core.memory - 1);
}

static void store(struct cirrus *c, uint32_t address, uint8_t value)
{
    address &= (uint32_t)c->core.memory - 1;
    if (vga_vram_ok(&c->core, address, 1))
        __atomic_store_n(c->core.vram->base + address, value, __ATOMIC_RELAXED);
}

static uint8_t read_memory(struct cirrus *c, uint32_t address)
{
    address = scaled(c, address);
    if (c->s->gr[GR_EXTENSIONS] & EXT_LATCH_8) {
        for (unsigned i = 0; i < 8; i++)
            c->s->latch[i] = vga_vram_load8(&c->core, (address & ~7u) + i);
    }
    return vga_vram_load8(&c->core, address);
}

/* Eight pixels: foreground for ones, in mode 5 background for zeros. */
static void expand_byte(struct cirrus *c, uint32_t address, uint8_t value)
{
    const struct cirrus_state *s = c->s;
    unsigned bytes = by_16(c) ? 2 : 1;
    bool opaque = write_mode(c) == 5;

    for (unsigned x = 0; x < 8; x++) {
        bool bit = value >> (7 - x) & 1;

        if ((!bit && !opaque) || (bytes == 1 && !(s->sr[SR_MAP_MASK] >> (7 - x) & 1)))
            continue;
        store(c, address + x * bytes, s->gr[bit ? GR_ENABLE_SET_RESET : GR_SET_RESET]);
        if (bytes == 2)
            store(c, address + x * 2 + 1, s->gr[bit ? GR_FOREGROUND_1 : GR_BACKGROUND_1]);
    }
    vga_vram_written(&c->core, address & ~15u, 16);
}

static void write_memory(struct cirrus *c, uint32_t address, uint8_t value)
{
    address = scaled(c, address);
    vga_planes_written(&c->core, 0x0f);
    if (expanding(c)) {
        expand_byte(c, address, value);
        /* Eight pixels may reach into the next block of 16 bytes, or wrap. */
        uint32_t last = (address + 15) & ((uint32_t)c->core.memory - 1);
        vga_vram_written(&c->core, last & ~15u, 16);
        return;
    }
    if (copying_8(c)) {
        for (unsigned i = 0; i < 8; i++)
            store(c, (address & ~7u) + i, c->s->latch[i]);
    } else {
        store(c, address, value);
    }
    vga_vram_written(&c->core, address & ~7u, 8);
}

/* ---- the linear aperture --------------------------------------------------------------------- */

/* Whether an address is one of the blitter's registers at the end of the aperture. */
static bool linear_mmio(const struct cirrus *c, uint32_t address)
{
    const uint8_t mmio = CONFIGURATION_MMIO | CONFIGURATION_MMIO_LINEAR;
    uint32_t end = (uint32_t)c->core.memory;

    return (c->s->sr[SR_CONFIGURATION] & mmio) == mmio && (address & (end - 1)) >= end - 256;
}

uint8_t cirrus_linear_read(struct cirrus *c, uint32_t address)
{
    if (linear_mmio(c, address))
        return cirrus_mmio_read(c, (uint8_t)address);
    return c->s->feeding ? 0xff : read_memory(c, address);
}

void cirrus_linear_write(struct cirrus *c, uint32_t address, uint8_t value)
{
    if (linear_mmio(c, address))
        cirrus_mmio_write(c, (uint8_t)address, value);
    else if (c->s->feeding)
        cirrus_blt_feed(c, value);
    else
        write_memory(c, address, value);
}

/* ---- the window ------------------------------------------------------------------------------ */

/* The address in memory of a byte in one of the two banks; false beyond the end of memory. */
static bool banked(const struct cirrus *c, uint32_t offset, uint32_t *address)
{
    const struct cirrus_state *s = c->s;
    bool dual = s->gr[GR_EXTENSIONS] & EXT_DUAL_OFFSET;
    unsigned bank = offset / BANK_SIZE;
    uint32_t base = s->gr[dual && bank ? GR_OFFSET_1 : GR_OFFSET_0];

    base <<= s->gr[GR_EXTENSIONS] & EXT_OFFSET_16K ? 14 : 12;
    *address = base + (dual ? offset % BANK_SIZE : offset);
    return *address < c->core.memory;
}

static bool window_mmio(const struct cirrus *c, uint32_t offset)
{
    return offset >= WINDOW_MMIO && offset < WINDOW_MMIO + 0x100 &&
           (c->s->sr[SR_CONFIGURATION] & (CONFIGURATION_MMIO | CONFIGURATION_MMIO_LINEAR)) ==
               CONFIGURATION_MMIO;
}

static uint8_t window_read_byte(struct cirrus *c, uint32_t offset)
{
    uint32_t address;

    if (window_mmio(c, offset))
        return cirrus_mmio_read(c, (uint8_t)offset);
    if (offset >= 2 * BANK_SIZE || c->s->feeding || !banked(c, offset, &address))
        return 0xff;
    return read_memory(c, address);
}

static void window_write_byte(struct cirrus *c, uint32_t offset, uint8_t value)
{
    uint32_t address;

    if (window_mmio(c, offset))
        cirrus_mmio_write(c, (uint8_t)offset, value);
    else if (offset >= 2 * BANK_SIZE)
        return;
    else if (c->s->feeding)
        cirrus_blt_feed(c, value);
    else if (banked(c, offset, &address))
        write_memory(c, address, value);
}

void cirrus_window_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t length)
{
    struct cirrus *c = cirrus_of(core);

    if (!(c->s->sr[SR_EXTENDED_MODE] & EXTENDED_256)) {
        vga_mem_read(core, offset, buf, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        buf[i] = window_read_byte(c, offset + (uint32_t)i);
}

void cirrus_window_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t length)
{
    struct cirrus *c = cirrus_of(core);

    if (!(c->s->sr[SR_EXTENDED_MODE] & EXTENDED_256)) {
        vga_mem_write(core, offset, buf, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        window_write_byte(c, offset + (uint32_t)i, buf[i]);
}
