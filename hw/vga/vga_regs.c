/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register files of the IBM VGA: miscellaneous output, sequencer, graphics controller, CRT
 * controller, attribute controller and DAC (IBM VGA/XGA Technical Reference).
 *
 * The two states that registers have beyond their values:
 *     attribute controller:  index --write 3c0--> data --write 3c0--> index;  read 3ba/3da: index
 *     DAC:  component 0 -> 1 -> 2 -> 0, at each third the entry is complete and the index moves on
 *
 * Retrace is worked out from the guest's clock and the CRT controller's timing. The vertical
 * retrace bit is shown for half of the blank time, longer than a real one (64 us), so that a
 * slow guest that polls for it does not miss it for many frames.
 *
 * Left out: vertical interrupt, light pen, the sense of the monitor (input status 0 is zero).
 */
#include "hw/vga/vga_core.h"

const uint8_t vga_seq_mask[SR_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff};
const uint8_t vga_gfx_mask[GR_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
const uint8_t vga_attr_mask[AR_COUNT] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                         0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                         0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

/* ---- input status 1 -------------------------------------------------------------------------- */

enum { STATUS_BLANK = 0x01, STATUS_RETRACE = 0x08 };

struct beam {
    uint32_t line_ns;
    uint32_t total, display; /* lines */
};

static struct beam crtc_timing(const struct vga_core *core)
{
    const struct vga_state *s = core->s;
    const uint8_t *cr = s->crtc;
    uint32_t hz = (s->misc >> MISC_CLOCK_SHIFT & 3) == 1 ? 28322000 : 25175000;
    uint32_t dots = (cr[CR_H_TOTAL] + 5u) * (s->seq[SR_CLOCKING] & CLOCKING_8_DOT ? 8 : 9);
    struct beam beam;

    if (s->seq[SR_CLOCKING] & CLOCKING_HALF)
        dots *= 2;
    beam.line_ns = (uint32_t)(dots * UINT64_C(1000000000) / hz);
    beam.total =
        (cr[CR_V_TOTAL] | (cr[CR_OVERFLOW] & 0x01) << 8 | (cr[CR_OVERFLOW] & 0x20) << 4) + 2u;
    beam.display =
        (cr[CR_V_DISPLAY_END] | (cr[CR_OVERFLOW] & 0x02) << 7 | (cr[CR_OVERFLOW] & 0x40) << 3) + 1u;
    if (cr[CR_MODE] & CRMODE_V_HALF) {
        beam.total *= 2;
        beam.display *= 2;
    }

    /* VBE modes do not set timings, and half-set modes have none: then 640 x 480 at 60 Hz. */
    uint64_t frame = (uint64_t)beam.line_ns * beam.total;
    if (vbe_enabled(core) || frame < 5000000 || frame > 40000000 || beam.display + 8 > beam.total)
        beam = (struct beam){.line_ns = 31778, .total = 525, .display = 480};
    return beam;
}

uint8_t vga_status1(const struct vga_core *core, uint64_t now)
{
    struct beam beam = crtc_timing(core);
    uint64_t in_frame = now % ((uint64_t)beam.line_ns * beam.total);
    uint32_t line = (uint32_t)(in_frame / beam.line_ns);
    uint32_t in_line = (uint32_t)(in_frame % beam.line_ns);
    uint32_t blank = beam.total - beam.display;
    uint8_t status = 0;

    if (line >= beam.display || in_line >= beam.line_ns - beam.line_ns / 5)
        status |= STATUS_BLANK;
    if (line >= beam.display + blank / 4 && line < beam.total - blank / 4)
        status |= STATUS_RETRACE;
    return status;
}

/* ---- sequencer, graphics controller ---------------------------------------------------------- */

static void write_seq(struct vga_state *s, uint8_t value)
{
    uint8_t index = s->seq_index & (SR_COUNT - 1);

    s->seq[index] = value & vga_seq_mask[index];
}

static void write_gfx(struct vga_state *s, uint8_t value)
{
    uint8_t index = s->gfx_index & (GR_COUNT - 1);

    s->gfx[index] = value & vga_gfx_mask[index];
}

/* ---- CRT controller -------------------------------------------------------------------------- */

static void write_crtc(struct vga_state *s, uint8_t value)
{
    uint8_t index = s->crtc_index;

    if (index >= CR_COUNT)
        return;
    if (index <= CR_OVERFLOW && (s->crtc[CR_V_RETRACE_END] & CR_PROTECT)) {
        if (index == CR_OVERFLOW)
            s->crtc[index] = (uint8_t)((s->crtc[index] & ~OVERFLOW_LINE_COMPARE) |
                                       (value & OVERFLOW_LINE_COMPARE));
        return;
    }
    s->crtc[index] = value;
}

/* ---- attribute controller -------------------------------------------------------------------- */

static void write_attr(struct vga_state *s, uint8_t value)
{
    uint8_t index = s->attr_index & 0x1f;

    if (!s->attr_data)
        s->attr_index = value & 0x3f;
    else if (index < AR_COUNT)
        s->attr[index] = value & vga_attr_mask[index];
    s->attr_data = !s->attr_data;
}

static uint8_t read_attr(const struct vga_state *s)
{
    uint8_t index = s->attr_index & 0x1f;

    return index < AR_COUNT ? s->attr[index] : 0;
}

/* ---- DAC ------------------------------------------------------------------------------------- */

void vga_dac_next_write(struct vga_state *s, uint8_t component, uint8_t entry[3])
{
    s->dac_cache[s->dac_phase] = component;
    if (++s->dac_phase == 3) {
        memcpy(entry, s->dac_cache, 3);
        s->dac_phase = 0;
        s->dac_write_index++;
    }
}

void vga_dac_next_read(struct vga_state *s)
{
    if (++s->dac_phase == 3) {
        s->dac_phase = 0;
        s->dac_read_index++;
    }
}

static void write_dac(struct vga_state *s, uint8_t value)
{
    bool wide = s->vbe[VBE_ENABLE] & VBE_8BIT_DAC;

    vga_dac_next_write(s, wide ? value : value & 0x3f, s->dac + s->dac_write_index * 3);
}

static uint8_t read_dac(struct vga_state *s)
{
    uint8_t value = s->dac[s->dac_read_index * 3 + s->dac_phase];

    vga_dac_next_read(s);
    return value;
}

/* ---- ports ----------------------------------------------------------------------------------- */

bool vga_port_answers(const struct vga_state *s, uint16_t port)
{
    bool color = port >= 0x3d0, mono = port < 0x3c0;

    return !(color || mono) || color == ((s->misc & MISC_COLOR) != 0);
}

uint8_t vga_port_read(struct vga_core *core, uint16_t port)
{
    struct vga_state *s = core->s;

    /* The flip-flop is reset at either address: drivers do it before they have chosen one. */
    if (port == 0x3ba || port == 0x3da)
        s->attr_data = false;
    if (!vga_port_answers(s, port))
        return 0xff;
    switch (port) {
    case 0x3c0:
        return s->attr_data ? 0 : s->attr_index;
    case 0x3c1:
        return read_attr(s);
    case 0x3c2:
        return 0;
    case 0x3c3:
        return s->enable;
    case 0x3c4:
        return s->seq_index;
    case 0x3c5:
        return s->seq[s->seq_index & (SR_COUNT - 1)];
    case 0x3c6:
        return s->dac_mask;
    case 0x3c7:
        return s->dac_state;
    case 0x3c8:
        return s->dac_write_index;
    case 0x3c9:
        return read_dac(s);
    case 0x3ca:
        return s->feature;
    case 0x3cc:
        return s->misc;
    case 0x3ce:
        return s->gfx_index;
    case 0x3cf:
        return s->gfx[s->gfx_index & (GR_COUNT - 1)];
    case 0x3b4:
    case 0x3d4:
        return s->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return s->crtc_index < CR_COUNT ? s->crtc[s->crtc_index] : 0;
    case 0x3ba:
    case 0x3da:
        return vga_status1(core, loop_now(core->loop, CLOCK_GUEST));
    default:
        return 0;
    }
}

void vga_port_write(struct vga_core *core, uint16_t port, uint8_t value)
{
    struct vga_state *s = core->s;

    if (!vga_port_answers(s, port))
        return;
    switch (port) {
    case 0x3c0:
        write_attr(s, value);
        break;
    case 0x3c2:
        s->misc = value;
        break;
    case 0x3c3:
        s->enable = value & 1;
        break;
    case 0x3c4:
        s->seq_index = value & (SR_COUNT - 1);
        break;
    case 0x3c5:
        write_seq(s, value);
        break;
    case 0x3c6:
        s->dac_mask = value;
        break;
    case 0x3c7:
        s->dac_read_index = value;
        s->dac_state = DAC_READING;
        s->dac_phase = 0;
        break;
    case 0x3c8:
        s->dac_write_index = value;
        s->dac_state = DAC_WRITING;
        s->dac_phase = 0;
        break;
    case 0x3c9:
        write_dac(s, value);
        break;
    case 0x3ce:
        s->gfx_index = value & (GR_COUNT - 1);
        break;
    case 0x3cf:
        write_gfx(s, value);
        break;
    case 0x3b4:
    case 0x3d4:
        s->crtc_index = value;
        break;
    case 0x3b5:
    case 0x3d5:
        write_crtc(s, value);
        break;
    case 0x3ba:
    case 0x3da:
        s->feature = value & 0x10;
        break;
    default:
        break;
    }
}
