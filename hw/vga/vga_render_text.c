/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text: character in plane 0, attribute in plane 1, fonts in plane 2 (32 bytes a character).
 *
 * The guest may change memory while it is drawn: each cell and each byte of a glyph is read once,
 * and whatever it is leads to a byte of plane 2 (a font block of 8 KiB holds 256 glyphs).
 */
#include "hw/vga/vga_core.h"

/* One line of one character: a bit a dot, the leftmost in bit 8 (nine dots) or 7 (eight). */
static uint32_t dots(const struct vga_core *core, const struct crtc_view *view, uint8_t code,
                     uint8_t attribute, uint32_t scan)
{
    uint32_t at = view->font[attribute >> 3 & 1] + code * 32u + scan;
    uint32_t glyph = vga_vram_load8(core, (uint64_t)at * 4 + 2);

    if (view->cell_width == 8)
        return glyph;
    /* The ninth dot goes on with the eighth in line graphics, and is background elsewhere. */
    bool joined = code >= 0xc0 && code <= 0xdf && (view->attr_mode & ATTR_LINE_GRAPHICS);
    return glyph << 1 | (joined ? glyph & 1 : 0);
}

bool vga_text_line(const struct vga_core *core, const struct vga_screen *screen, uint32_t count,
                   uint32_t scan, uint32_t *out)
{
    const struct crtc_view *view = &screen->view;
    const struct text_cursor *cursor = &screen->text_cursor;
    bool blinking = view->attr_mode & ATTR_BLINK, any_blinks = false;
    bool cursor_scan = cursor->shown && scan >= cursor->first && scan <= cursor->last;
    uint32_t all = (1u << view->cell_width) - 1;

    for (uint32_t column = 0; column <= view->columns; column++) {
        uint32_t index = crtc_dword(view, count + column, scan);
        uint32_t cell = vga_vram_load(core, index);
        uint8_t code = (uint8_t)cell, attribute = (uint8_t)(cell >> 8);
        uint32_t bits = dots(core, view, code, attribute, scan);
        uint8_t background = attribute >> 4;

        if (blinking) {
            if (background & 8) {
                any_blinks = true;
                bits = screen->blink_shown ? bits : 0;
            }
            background &= 7;
        }
        /* The attributes of monochrome text that mean "underlined". */
        if ((attribute & 0x77) == 0x01 && scan == view->underline)
            bits = all;
        if (cursor_scan && index == cursor->address)
            bits = all;

        uint32_t fg = screen->color[attribute & 0x0f], bg = screen->color[background];
        for (uint32_t dot = view->cell_width; dot-- > 0;) {
            uint32_t pixel = bits >> dot & 1 ? fg : bg;
            for (uint32_t r = 0; r < view->repeat; r++)
                *out++ = pixel;
        }
    }
    return any_blinks;
}
