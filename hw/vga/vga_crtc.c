/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CRT controller shows: the registers of VGA proper worked out into a struct crtc_view
 * that the drawing code follows. Made anew for each picture, and bounded by itself: every value
 * that a guest can write gives either a view or -EINVAL.
 *
 * Left out: cursor skew, overscan border, sync reset. The widths of sync and blanking do not
 * matter.
 */
#include <errno.h>
#include "hw/vga/vga_core.h"

/* Beyond these no text mode exists: what is seen then is a mode set half done. */
#define TEXT_MAX_COLUMNS 160
#define TEXT_MAX_ROWS    100

/* The rates of a VGA at 70 Hz: the cursor changes every 16 frames, characters every 32. */
#define CURSOR_HALF_NS UINT64_C(228000000)

void vga_dac_colors(const struct vga_core *core, uint32_t color[256])
{
    const struct vga_state *s = core->s;
    bool wide = s->vbe[VBE_ENABLE] & VBE_8BIT_DAC;

    for (unsigned i = 0; i < 256; i++) {
        const uint8_t *entry = s->dac + (i & s->dac_mask) * 3;
        uint32_t xrgb = 0;

        for (unsigned c = 0; c < 3; c++) {
            uint32_t level = entry[c];
            if (!wide) {
                level &= 0x3f;
                level = level << 2 | level >> 4;
            }
            xrgb = xrgb << 8 | level;
        }
        color[i] = xrgb;
    }
}

void vga_attr_colors(const struct vga_core *core, uint32_t color[16])
{
    const struct vga_state *s = core->s;
    uint32_t dac[256];

    vga_dac_colors(core, dac);
    for (unsigned i = 0; i < 16; i++) {
        unsigned entry = s->attr[i & s->attr[AR_PLANE_ENABLE]];
        unsigned select = s->attr[AR_COLOR_SELECT];

        if (s->attr[AR_MODE] & ATTR_P54_SELECT)
            entry = (entry & 0x0f) | (select & 3) << 4;
        color[i] = dac[entry | (select & 0x0c) << 4];
    }
}

uint32_t crtc_display_lines(const struct vga_state *s)
{
    const uint8_t *cr = s->crtc;
    uint32_t lines =
        (cr[CR_V_DISPLAY_END] | (cr[CR_OVERFLOW] & 0x02) << 7 | (cr[CR_OVERFLOW] & 0x40) << 3) + 1u;

    return cr[CR_MODE] & CRMODE_V_HALF ? lines * 2 : lines;
}

uint32_t crtc_split_line(const struct vga_state *s)
{
    const uint8_t *cr = s->crtc;
    uint32_t line = (cr[CR_LINE_COMPARE] | (cr[CR_OVERFLOW] & OVERFLOW_LINE_COMPARE) << 4 |
                     (cr[CR_MAX_SCAN] & 0x40) << 3) +
                    1u;

    return cr[CR_MODE] & CRMODE_V_HALF ? line * 2 : line;
}

static void get_text(const struct vga_state *s, struct crtc_view *view)
{
    uint8_t map = s->seq[SR_CHARACTER_MAP];
    unsigned select_b = (map & 3) | (map >> 2 & 4), select_a = (map >> 2 & 3) | (map >> 3 & 4);
    uint8_t pan = s->attr[AR_PEL_PANNING];

    view->cell_width = s->seq[SR_CLOCKING] & CLOCKING_8_DOT ? 8 : 9;
    view->repeat = s->seq[SR_CLOCKING] & CLOCKING_HALF ? 2 : 1;
    /* With nine dots, 8 means no shift, and 0 one dot. */
    view->pan = view->cell_width == 8 ? pan & 7 : pan >= 8 ? 0 : pan + 1u;

    /* Selects 0-3 are the even 8 KiB blocks of plane 2, 4-7 the odd ones. */
    view->font[0] = (select_b & 3) * 0x4000u + (select_b >> 2) * 0x2000u;
    view->font[1] = (select_a & 3) * 0x4000u + (select_a >> 2) * 0x2000u;
    view->attr_mode = s->attr[AR_MODE];
    view->underline = s->crtc[CR_UNDERLINE] & 0x1f;
}

void crtc_get_cursor(const struct vga_core *core, uint64_t now, struct vga_screen *screen)
{
    const uint8_t *cr = core->s->crtc;
    struct text_cursor *cursor = &screen->text_cursor;

    cursor->address = (uint32_t)cr[CR_CURSOR_HIGH] << 8 | cr[CR_CURSOR_LOW];
    cursor->first = cr[CR_CURSOR_START] & 0x1f;
    cursor->last = cr[CR_CURSOR_END] & 0x1f;
    cursor->enabled = !(cr[CR_CURSOR_START] & CURSOR_OFF) && cursor->first <= cursor->last;
    cursor->shown = cursor->enabled && now / CURSOR_HALF_NS % 2 == 0;
    screen->blink_shown = now / (2 * CURSOR_HALF_NS) % 2 == 0;
}

uint64_t crtc_cursor_change(uint64_t now)
{
    return CURSOR_HALF_NS - now % CURSOR_HALF_NS;
}

uint64_t crtc_blink_change(uint64_t now)
{
    return 2 * CURSOR_HALF_NS - now % (2 * CURSOR_HALF_NS);
}

static void get_graphics(const struct vga_state *s, struct crtc_view *view)
{
    uint8_t pan = s->attr[AR_PEL_PANNING] & 7;

    if (view->kind == CRTC_PACKED) {
        view->cell_width = 4;
        view->repeat = 2;
        view->pan = pan / 2;
    } else {
        view->cell_width = 8;
        view->repeat = s->seq[SR_CLOCKING] & CLOCKING_HALF ? 2 : 1;
        view->pan = pan;
    }
    /* The processor's spacing of bytes in a plane against that of the address counter. */
    view->cpu_shift = s->seq[SR_MEMORY_MODE] & MEMORY_CHAIN4        ? 2
                      : s->seq[SR_MEMORY_MODE] & MEMORY_NO_ODD_EVEN ? 0
                                                                    : 1;
    view->crt_shift = s->crtc[CR_UNDERLINE] & UNDERLINE_DWORD ? 2
                      : s->crtc[CR_MODE] & CRMODE_BYTE        ? 0
                                                              : 1;
}

int crtc_get_view(const struct vga_core *core, struct crtc_view *view)
{
    const struct vga_state *s = core->s;
    const uint8_t *cr = s->crtc;
    unsigned shift = s->gfx[GR_MODE] >> MODE_SHIFT & 3;

    view->kind = !(s->gfx[GR_MISC] & GMISC_GRAPHICS) ? CRTC_TEXT
                 : shift == 0                        ? CRTC_PLANAR
                 : shift == 1                        ? CRTC_CGA
                                                     : CRTC_PACKED;
    view->columns = cr[CR_H_DISPLAY_END] + 1u;
    view->height = crtc_display_lines(s);
    view->scans = (cr[CR_MAX_SCAN] & 0x1f) + 1u;
    view->scan_double = cr[CR_MAX_SCAN] >> 7;
    view->split = crtc_split_line(s);
    view->start =
        ((uint32_t)cr[CR_START_HIGH] << 8 | cr[CR_START_LOW]) + (cr[CR_PRESET_ROW] >> 5 & 3);
    view->pitch = cr[CR_OFFSET] * 2u;
    view->preset = cr[CR_PRESET_ROW] & 0x1f;
    view->blank = !(s->attr_index & AR_INDEX_PAS) || (s->seq[SR_CLOCKING] & CLOCKING_SCREEN_OFF);
    if (view->kind == CRTC_TEXT)
        get_text(s, view);
    else
        get_graphics(s, view);
    view->pan_below = s->attr[AR_MODE] & ATTR_PANNING_COMPATIBLE ? 0 : view->pan;
    view->width = view->columns * view->cell_width * view->repeat;
    view->mode = cr[CR_MODE];

    /* A mode set passes through anything. Each of these would be no picture. */
    if (view->kind == CRTC_TEXT) {
        uint32_t row_lines = view->scans << view->scan_double;
        if (view->columns > TEXT_MAX_COLUMNS || row_lines < 2 ||
            view->height > TEXT_MAX_ROWS * row_lines)
            return -EINVAL;
    }
    return view->width < 16 || view->height < 16 ? -EINVAL : 0;
}

uint32_t crtc_dword(const struct crtc_view *view, uint32_t count, uint32_t scan)
{
    uint8_t mode = view->mode;
    uint32_t address;

    count &= 0xffff;
    if (view->kind == CRTC_TEXT)
        return count;
    address = count << view->crt_shift;
    if (view->crt_shift == 1)
        address |= count >> (mode & CRMODE_WRAP_15 ? 15 : 13) & 1;
    /* CGA and Hercules keep the lines of a row in blocks of 8 KiB. */
    if (!(mode & CRMODE_ROW_SCAN_13))
        address = (address & ~0x2000u) | (scan & 1) << 13;
    if (!(mode & CRMODE_ROW_SCAN_14))
        address = (address & ~0x4000u) | (scan & 2) << 13;
    return (address >> view->cpu_shift) % VGA_PLANE_SIZE;
}

struct crtc_line crtc_line_at(const struct crtc_view *view, uint32_t y)
{
    bool below = y >= view->split;
    uint32_t line = below ? y - view->split : y;
    uint32_t scans = (line >> view->scan_double) + (below ? 0 : view->preset % view->scans);

    return (struct crtc_line){
        .count = (below ? 0 : view->start) + scans / view->scans * view->pitch,
        .scan = scans % view->scans,
        .pan = (below ? view->pan_below : view->pan) * view->repeat,
    };
}
