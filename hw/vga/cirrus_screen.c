/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CL-GD5446 shows in its own modes: packed pixels of 8 to 32 bits with the timing of the
 * CRT controller, and the hardware cursor.
 *
 * Left out: the extension's bits of start address and pitch in the modes of VGA proper, the video
 * overlay, panning by pixels in packed modes.
 */
#include <errno.h>
#include "hw/vga/cirrus_core.h"

#define CURSOR_MEMORY (16u << 10) /* patterns are in the last of video memory */

/* The low bits of the hidden DAC register tell 16 bits a pixel from 15. */
static uint32_t depth_16(const struct cirrus_state *s)
{
    return (s->hidden_dac & 0x0f) == 0 ? 15 : 16;
}

static uint32_t depth(const struct cirrus_state *s)
{
    switch (s->sr[SR_EXTENDED_MODE] & EXTENDED_BPP) {
    case 0x02: /* with a doubled clock */
    case 0x06:
        return depth_16(s);
    case 0x04:
        return 24;
    case 0x08:
        return 32;
    default:
        return 8;
    }
}

static uint8_t crtc_ext(const struct cirrus_state *s, unsigned index)
{
    return s->cr[index - CR_EXT_FIRST];
}

int cirrus_packed(const struct vga_core *core, struct packed_mode *mode)
{
    const struct vga_state *vga = core->s;
    const struct cirrus_state *s = cirrus_of(core)->s;
    uint32_t display = crtc_ext(s, CR_EXT_DISPLAY);

    if (!(s->sr[SR_EXTENDED_MODE] & EXTENDED_256) || !(vga->gfx[GR_MISC] & GMISC_GRAPHICS) ||
        (vga->gfx[GR_MODE] >> MODE_SHIFT & 3) < 2)
        return 0;
    mode->bpp = depth(s);
    mode->width = (vga->crtc[CR_H_DISPLAY_END] + 1u) * 8;
    mode->height = crtc_display_lines(vga);
    if (crtc_ext(s, CR_INTERLACE) & 1)
        mode->height *= 2;
    mode->pitch = (vga->crtc[CR_OFFSET] | (display & 0x10) << 4) << 3;
    mode->row_bytes = mode->width * ((mode->bpp + 7) / 8);
    /* Counted in dwords, 20 bits of it. */
    uint64_t start = (uint32_t)vga->crtc[CR_START_HIGH] << 8 | vga->crtc[CR_START_LOW] |
                     (display & 0x01) << 16 | (display & 0x0c) << 15 |
                     (uint32_t)(crtc_ext(s, CR_OVERLAY) & 0x80) << 12;
    mode->start = (start * 4) & (core->memory - 1);
    mode->split = crtc_split_line(vga);
    mode->repeat = ((vga->crtc[CR_MAX_SCAN] & 0x1f) + 1u) << (vga->crtc[CR_MAX_SCAN] >> 7);
    mode->wrap = true;
    /* SeaBIOS turns the screen off (SR1 bit 5) in each extended mode that it sets, and never on. */
    mode->blank = !(vga->attr_index & AR_INDEX_PAS);
    return mode->width < 16 || mode->height < 16 ? -EINVAL : 1;
}

static uint32_t cursor_color(const struct cirrus_state *s, unsigned entry)
{
    uint32_t xrgb = 0;

    for (unsigned c = 0; c < 3; c++) {
        uint32_t level = s->hidden_palette[entry * 3 + c] & 0x3f;
        xrgb = xrgb << 8 | level << 2 | level >> 4;
    }
    return xrgb;
}

void cirrus_cursor(const struct vga_core *core, struct vga_cursor *cursor)
{
    const struct cirrus_state *s = cirrus_of(core)->s;
    bool large = s->sr[SR_CURSOR_ATTRIBUTES] & CURSOR_LARGE;
    uint64_t pattern = core->memory - CURSOR_MEMORY;

    if (!(s->sr[SR_CURSOR_ATTRIBUTES] & CURSOR_ENABLE) || core->memory < CURSOR_MEMORY)
        return;
    cursor->x = s->cursor_x;
    cursor->y = s->cursor_y;
    cursor->size = large ? 64 : 32;
    cursor->color[0] = cursor_color(s, 0);
    cursor->color[1] = cursor_color(s, 15);
    if (large) {
        /* Rows of both planes in turn. */
        pattern += (s->sr[SR_CURSOR_PATTERN] & 0x3cu) * 256;
        for (unsigned row = 0; row < 64; row++) {
            vga_vram_copy(core, cursor->planes[0] + row * 8, pattern + row * 16, 8);
            vga_vram_copy(core, cursor->planes[1] + row * 8, pattern + row * 16 + 8, 8);
        }
    } else {
        pattern += (s->sr[SR_CURSOR_PATTERN] & 0x3fu) * 256;
        vga_vram_copy(core, cursor->planes[0], pattern, 128);
        vga_vram_copy(core, cursor->planes[1], pattern + 128, 128);
    }
}
