/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers that the CL-GD5446 adds to the files of a VGA (CL-GD5446 Technical Reference
 * Manual), and the blitter's at their addresses in memory.
 *
 * The hidden DAC register is behind 3c6: it is what the fifth access meets after four reads of
 * that port in a row; any other access of the DAC begins anew.
 *
 * SR06 tells whether the extension is unlocked, but locks nothing: no driver relies on that.
 * Left out: EEPROM and DDC lines (SR08 is storage), clock synthesiser, signature generator.
 */
#include "hw/vga/cirrus_core.h"

const uint8_t cirrus_gr_mask[CIRRUS_GR_COUNT] = {
    [GR_SET_RESET] = 0xff,
    [GR_ENABLE_SET_RESET] = 0xff,
    [GR_MODE] = 0x7f,
    [GR_OFFSET_0] = 0xff,
    [GR_OFFSET_1] = 0xff,
    [GR_EXTENSIONS] = 0xff,
    [0x0c] = 0xff,
    [0x0d] = 0xff,
    [0x0e] = 0xff,
    [GR_BACKGROUND_1] = 0xff,
    [GR_FOREGROUND_1] = 0xff,
    [GR_BACKGROUND_2] = 0xff,
    [GR_FOREGROUND_2] = 0xff,
    [GR_BACKGROUND_3] = 0xff,
    [GR_FOREGROUND_3] = 0xff,
    [GR_TIMING] = 0xff,
    [GR_BLT_WIDTH] = 0xff,
    [GR_BLT_WIDTH + 1] = 0x1f,
    [GR_BLT_HEIGHT] = 0xff,
    [GR_BLT_HEIGHT + 1] = 0x07,
    [GR_BLT_DST_PITCH] = 0xff,
    [GR_BLT_DST_PITCH + 1] = 0x1f,
    [GR_BLT_SRC_PITCH] = 0xff,
    [GR_BLT_SRC_PITCH + 1] = 0x1f,
    [GR_BLT_DST] = 0xff,
    [GR_BLT_DST + 1] = 0xff,
    [GR_BLT_DST_HIGH] = 0x3f,
    [GR_BLT_SRC] = 0xff,
    [GR_BLT_SRC + 1] = 0xff,
    [GR_BLT_SRC + 2] = 0x3f,
    [GR_BLT_SKIP] = 0xff,
    [GR_BLT_MODE] = 0xff,
    [GR_BLT_ROP] = 0xff,
    [GR_BLT_EXTENSION] = 0xff,
    [GR_BLT_KEY] = 0xff,
    [GR_BLT_KEY + 1] = 0xff,
    [0x38] = 0xff,
    [0x39] = 0xff,
};

/* ---- sequencer ------------------------------------------------------------------------------- */

static void write_sr(struct cirrus *c, uint8_t value)
{
    struct cirrus_state *s = c->s;
    uint8_t index = c->core.s->seq_index & 0x1f;
    uint16_t fraction = c->core.s->seq_index >> 5;

    switch (index) {
    case SR_MAP_MASK:
        s->sr[index] = value;
        vga_port_write(&c->core, 0x3c5, value);
        break;
    case 0x00:
    case 0x01:
    case 0x03:
    case 0x04:
        vga_port_write(&c->core, 0x3c5, value);
        break;
    case 0x05:
        break;
    case SR_UNLOCK:
        s->sr[index] = (value & UNLOCK_MASK) == UNLOCK_KEY ? UNLOCK_KEY : UNLOCK_LOCKED;
        break;
    case SR_EXTENDED_MODE:
        if (s->sr[index] != value)
            cirrus_blt_abort(c); /* another mode: nothing of the old one goes on */
        s->sr[index] = value;
        break;
    case SR_CURSOR_X:
        s->sr[index] = value;
        s->cursor_x = (uint16_t)(value << 3 | fraction);
        break;
    case SR_CURSOR_Y:
        s->sr[index] = value;
        s->cursor_y = (uint16_t)(value << 3 | fraction);
        break;
    case SR_CONFIGURATION:
        s->sr[index] =
            (uint8_t)((s->sr[index] & CONFIGURATION_FIXED) | (value & ~CONFIGURATION_FIXED));
        cirrus_place(c);
        break;
    default:
        s->sr[index] = value;
        break;
    }
}

static uint8_t read_sr(struct cirrus *c)
{
    uint8_t index = c->core.s->seq_index & 0x1f;

    return index <= 0x04 ? vga_port_read(&c->core, 0x3c5) : c->s->sr[index];
}

/* ---- graphics controller --------------------------------------------------------------------- */

void cirrus_write_gr(struct cirrus *c, uint8_t index, uint8_t value)
{
    struct cirrus_state *s = c->s;

    if (index == GR_BLT_START) {
        cirrus_blt_control(c, value);
        return;
    }
    if (index <= GR_BIT_MASK)
        c->core.s->gfx[index] = value & vga_gfx_mask[index];
    if (index >= CIRRUS_GR_COUNT)
        return;
    s->gr[index] = value & cirrus_gr_mask[index];
    if (index == GR_MODE || index == GR_EXTENSIONS)
        cirrus_place(c);
    if (index == GR_BLT_DST_HIGH && (s->gr[GR_BLT_START] & BLT_STATUS_AUTOSTART))
        cirrus_blt_start(c);
}

uint8_t cirrus_read_gr(struct cirrus *c, uint8_t index)
{
    if (index >= CIRRUS_GR_COUNT)
        return 0xff;
    if (index <= GR_BIT_MASK && cirrus_gr_mask[index] == 0)
        return c->core.s->gfx[index];
    return c->s->gr[index];
}

/* ---- CRT controller -------------------------------------------------------------------------- */

static void write_cr(struct cirrus *c, uint16_t port, uint8_t value)
{
    uint8_t index = c->core.s->crtc_index;

    if (index < CR_EXT_FIRST)
        vga_port_write(&c->core, port, value);
    else if (index < CR_EXT_FIRST + CR_EXT_COUNT && vga_port_answers(c->core.s, port))
        c->s->cr[index - CR_EXT_FIRST] = value;
}

static uint8_t read_cr(struct cirrus *c, uint16_t port)
{
    const struct vga_state *vga = c->core.s;
    uint8_t index = vga->crtc_index;

    if (index < CR_EXT_FIRST || !vga_port_answers(vga, port))
        return vga_port_read(&c->core, port);
    if (index < CR_EXT_FIRST + CR_EXT_COUNT)
        return c->s->cr[index - CR_EXT_FIRST];
    switch (index) {
    case CR_LATCH:
        return (uint8_t)(vga->latch >> 8 * (vga->gfx[GR_READ_MAP] & 3));
    case CR_ATTR_FLIP_FLOP:
        return vga->attr_data ? 0x80 : 0;
    case CR_PART_STATUS:
        return 0;
    case CR_ATTR_INDEX:
        return vga->attr_index & 0x3f;
    case CR_ID:
        return CIRRUS_ID_GD5446;
    default:
        return 0xff;
    }
}

/* ---- DAC ------------------------------------------------------------------------------------- */

static bool hidden_palette(const struct cirrus *c)
{
    return c->s->sr[SR_CURSOR_ATTRIBUTES] & CURSOR_HIDDEN_DAC;
}

static uint8_t *palette_entry(struct cirrus *c, uint8_t index)
{
    return c->s->hidden_palette + index % CIRRUS_PALETTE * 3;
}

static uint8_t read_dac(struct cirrus *c, uint16_t port)
{
    struct vga_state *vga = c->core.s;
    struct cirrus_state *s = c->s;

    if (port == 0x3c6 && s->hidden_dac_reads < 4) {
        s->hidden_dac_reads++;
        return vga->dac_mask;
    }
    s->hidden_dac_reads = 0;
    if (port == 0x3c6)
        return s->hidden_dac;
    if (port == 0x3c9 && hidden_palette(c)) {
        uint8_t value = palette_entry(c, vga->dac_read_index)[vga->dac_phase];
        vga_dac_next_read(vga);
        return value;
    }
    return vga_port_read(&c->core, port);
}

static void write_dac(struct cirrus *c, uint16_t port, uint8_t value)
{
    struct vga_state *vga = c->core.s;
    struct cirrus_state *s = c->s;
    bool armed = s->hidden_dac_reads == 4;

    s->hidden_dac_reads = 0;
    if (port == 0x3c6 && armed) {
        s->hidden_dac = value;
    } else if (port == 0x3c9 && hidden_palette(c)) {
        uint8_t *entry = palette_entry(c, vga->dac_write_index);
        vga_dac_next_write(vga, value, entry);
    } else {
        vga_port_write(&c->core, port, value);
    }
}

/* ---- ports ----------------------------------------------------------------------------------- */

uint8_t cirrus_port_read(struct vga_core *core, uint16_t port)
{
    struct cirrus *c = cirrus_of(core);

    switch (port) {
    case 0x3c5:
        return read_sr(c);
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        return read_dac(c, port);
    case 0x3cf:
        return cirrus_read_gr(c, core->s->gfx_index);
    case 0x3b5:
    case 0x3d5:
        return read_cr(c, port);
    default:
        return vga_port_read(core, port);
    }
}

void cirrus_port_write(struct vga_core *core, uint16_t port, uint8_t value)
{
    struct cirrus *c = cirrus_of(core);

    switch (port) {
    case 0x3c4:
        core->s->seq_index = value; /* its upper bits belong to the cursor's position */
        break;
    case 0x3c5:
        write_sr(c, value);
        break;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        write_dac(c, port, value);
        break;
    case 0x3ce:
        core->s->gfx_index = value;
        break;
    case 0x3cf:
        cirrus_write_gr(c, core->s->gfx_index, value);
        break;
    case 0x3b5:
    case 0x3d5:
        write_cr(c, port, value);
        break;
    default:
        vga_port_write(core, port, value);
        break;
    }
}

/* ---- the blitter in memory ------------------------------------------------------------------- */

/* The register at an offset, or 0xff. */
static uint8_t mmio_register(uint8_t offset)
{
    static const uint8_t map[0x41] = {
        GR_SET_RESET,
        GR_BACKGROUND_1,
        GR_BACKGROUND_2,
        GR_BACKGROUND_3,
        GR_ENABLE_SET_RESET,
        GR_FOREGROUND_1,
        GR_FOREGROUND_2,
        GR_FOREGROUND_3,
        GR_BLT_WIDTH,
        GR_BLT_WIDTH + 1,
        GR_BLT_HEIGHT,
        GR_BLT_HEIGHT + 1,
        GR_BLT_DST_PITCH,
        GR_BLT_DST_PITCH + 1,
        GR_BLT_SRC_PITCH,
        GR_BLT_SRC_PITCH + 1,
        GR_BLT_DST,
        GR_BLT_DST + 1,
        GR_BLT_DST_HIGH,
        0xff,
        GR_BLT_SRC,
        GR_BLT_SRC + 1,
        GR_BLT_SRC + 2,
        GR_BLT_SKIP,
        GR_BLT_MODE,
        0xff,
        GR_BLT_ROP,
        GR_BLT_EXTENSION,
        GR_BLT_KEY,
        GR_BLT_KEY + 1,
        0xff,
        0xff,
        0x38,
        0x39,
        [0x22 ... 0x3f] = 0xff,
        [0x40] = GR_BLT_START,
    };

    return offset < sizeof(map) ? map[offset] : 0xff;
}

uint8_t cirrus_mmio_read(struct cirrus *c, uint8_t offset)
{
    return cirrus_read_gr(c, mmio_register(offset));
}

void cirrus_mmio_write(struct cirrus *c, uint8_t offset, uint8_t value)
{
    cirrus_write_gr(c, mmio_register(offset), value);
}
