/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy window 0xa0000-0xbffff onto the four planes: graphics controller and sequencer as the
 * processor sees them (IBM VGA/XGA Technical Reference).
 *
 *     address --GR6 window, bank--> linear --SR4/GR5 addressing--> dword of planes, plane(s)
 *     write:  data --rotate--> set/reset --> function with latch --> bit mask --SR2--> planes
 *     read:   dword --> latch;  mode 0: one plane;  mode 1: comparison of all planes
 *
 * An access of several bytes is a row of byte accesses, lowest first, the latch loaded by each. A
 * write that the ALU would pass on as it is stores just the bytes of its planes, so that it does
 * not put back what another vCPU has changed beside them.
 *
 * Bounds: without VBE all addresses wrap at 256 KiB; with VBE the bank register applies. In both
 * cases the final offset is compared with the size of the memory (CVE-2016-3710).
 */
#include "hw/vga/vga_core.h"

static uint32_t fourfold(uint8_t value)
{
    return value * 0x01010101u;
}

/* Bit p of a nibble becomes all bits of byte p. */
static uint32_t plane_bits(uint8_t nibble)
{
    return ((nibble & 1u) | (nibble & 2u) << 7 | (nibble & 4u) << 14 | (nibble & 8u) << 21) * 0xff;
}

static uint8_t rotated(const struct vga_state *s, uint8_t value)
{
    unsigned by = s->gfx[GR_DATA_ROTATE] & 7;

    return (uint8_t)(value >> by | value << (8 - by));
}

/* What one write would leave in all four planes, the latch being `latch`. */
static uint32_t alu(const struct vga_state *s, uint8_t value, uint32_t latch)
{
    uint8_t bit_mask = s->gfx[GR_BIT_MASK];
    uint32_t set_reset = plane_bits(s->gfx[GR_SET_RESET]);
    uint32_t data, mask;

    switch (s->gfx[GR_MODE] & 3) {
    case 0:
        mask = plane_bits(s->gfx[GR_ENABLE_SET_RESET]);
        data = (fourfold(rotated(s, value)) & ~mask) | (set_reset & mask);
        break;
    case 1:
        return latch;
    case 2:
        data = plane_bits(value & 0x0f);
        break;
    default:
        data = set_reset;
        bit_mask &= rotated(s, value);
        break;
    }
    switch (s->gfx[GR_DATA_ROTATE] >> 3 & 3) {
    case 1:
        data &= latch;
        break;
    case 2:
        data |= latch;
        break;
    case 3:
        data ^= latch;
        break;
    default:
        break;
    }
    mask = fourfold(bit_mask);
    return (data & mask) | (latch & ~mask);
}

/* Whether the ALU hands written bytes through as they are. */
static bool alu_transparent(const struct vga_state *s)
{
    return (s->gfx[GR_MODE] & 3) == 0 && s->gfx[GR_DATA_ROTATE] == 0 &&
           s->gfx[GR_ENABLE_SET_RESET] == 0 && s->gfx[GR_BIT_MASK] == 0xff;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/*
 * Where a run of bytes from `offset` in the window on lies in linear memory. Returns how many of
 * them are in the decoded part of the window, 0 for none; only then *linear is set.
 */
static size_t decode(const struct vga_core *core, uint32_t offset, size_t length, uint64_t *linear)
{
    static const struct {
        uint32_t start, length;
    } windows[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    const struct vga_state *s = core->s;
    unsigned map = s->gfx[GR_MISC] >> GMISC_MAP_SHIFT & 3;
    uint32_t start = windows[map].start, end = start + windows[map].length;

    if (!(s->misc & MISC_RAM_ENABLE) || offset < start || offset >= end)
        return 0;
    *linear = offset - start;
    if (vbe_enabled(core) && start == 0)
        *linear += (uint64_t)s->vbe[VBE_BANK] << 16;
    return length < end - offset ? length : end - offset;
}

/* The dword of planes, or UINT64_MAX when it is outside the memory. */
static uint64_t dword_at(const struct vga_core *core, uint64_t index)
{
    if (!vbe_enabled(core))
        index %= VGA_PLANE_SIZE;
    return vga_vram_ok(core, index * 4, 4) ? index : UINT64_MAX;
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint8_t read_byte(struct vga_core *core, uint64_t linear)
{
    struct vga_state *s = core->s;
    unsigned plane = s->gfx[GR_READ_MAP];
    uint64_t index = linear;

    if (s->seq[SR_MEMORY_MODE] & MEMORY_CHAIN4) {
        index = linear >> 2;
        plane = linear & 3;
    } else if (s->gfx[GR_MODE] & MODE_ODD_EVEN) {
        index = linear >> 1;
        plane = (plane & 2) | (linear & 1);
    }
    index = dword_at(core, index);
    if (index == UINT64_MAX)
        return 0xff;
    s->latch = vga_vram_load(core, index);
    if (!(s->gfx[GR_MODE] & MODE_READ_1))
        return (uint8_t)(s->latch >> 8 * plane);

    uint32_t differs =
        (s->latch ^ plane_bits(s->gfx[GR_COLOR_COMPARE])) & plane_bits(s->gfx[GR_COLOR_DONT_CARE]);
    differs |= differs >> 16;
    differs |= differs >> 8;
    return (uint8_t)~differs;
}

void vga_mem_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t length)
{
    const struct vga_state *s = core->s;

    while (length > 0) {
        uint64_t linear;
        size_t run = decode(core, offset, length, &linear);

        if (run == 0) { /* outside the window; it may begin further on */
            *buf++ = 0xff;
            offset++;
            length--;
            continue;
        }
        if ((s->seq[SR_MEMORY_MODE] & MEMORY_CHAIN4) && !(s->gfx[GR_MODE] & MODE_READ_1) &&
            vga_vram_ok(core, linear, run)) {
            vga_vram_copy(core, buf, linear, run);
            read_byte(core, linear + run - 1); /* for the latch */
        } else {
            for (size_t i = 0; i < run; i++)
                buf[i] = read_byte(core, linear + i);
        }
        buf += run;
        offset += (uint32_t)run;
        length -= run;
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Bytes of memory that one run of writes has touched: [low, high). */
struct touched {
    uint64_t low, high;
};

static void write_byte(struct vga_core *core, uint64_t linear, uint8_t value, bool transparent,
                       struct touched *touched)
{
    struct vga_state *s = core->s;
    uint8_t planes = s->seq[SR_MAP_MASK];
    uint64_t index = linear;

    if (s->seq[SR_MEMORY_MODE] & MEMORY_CHAIN4) {
        index = linear >> 2;
        planes &= (uint8_t)(1 << (linear & 3));
    } else if (!(s->seq[SR_MEMORY_MODE] & MEMORY_NO_ODD_EVEN)) {
        index = linear >> 1;
        planes &= linear & 1 ? 0x0a : 0x05;
    }
    index = dword_at(core, index);
    if (index == UINT64_MAX || planes == 0)
        return;

    uint32_t result = transparent ? fourfold(value) : alu(s, value, s->latch);
    uint8_t *at = core->vram->base + index * 4;
    for (unsigned p = 0; p < 4; p++) {
        if (planes & 1u << p)
            __atomic_store_n(at + p, (uint8_t)(result >> 8 * p), __ATOMIC_RELAXED);
    }
    vga_planes_written(core, planes);
    if (index * 4 < touched->low)
        touched->low = index * 4;
    if (index * 4 + 4 > touched->high)
        touched->high = index * 4 + 4;
}

void vga_mem_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t length)
{
    const struct vga_state *s = core->s;
    bool transparent = alu_transparent(s);
    bool linear_bytes =
        transparent && (s->seq[SR_MEMORY_MODE] & MEMORY_CHAIN4) && s->seq[SR_MAP_MASK] == 0x0f;
    struct touched touched = {UINT64_MAX, 0};

    while (length > 0) {
        uint64_t linear;
        size_t run = decode(core, offset, length, &linear);

        if (run == 0) {
            buf++;
            offset++;
            length--;
            continue;
        }
        if (linear_bytes && vga_vram_ok(core, linear, run)) {
            memcpy(core->vram->base + linear, buf, run);
            vga_planes_written(core, 0x0f);
            vga_vram_written(core, linear, run);
        } else {
            for (size_t i = 0; i < run; i++)
                write_byte(core, linear + i, buf[i], transparent, &touched);
        }
        buf += run;
        offset += (uint32_t)run;
        length -= run;
    }
    if (touched.high > touched.low)
        vga_vram_written(core, touched.low, touched.high - touched.low);
}
