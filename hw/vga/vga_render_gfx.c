/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graphics modes, legacy and packed: from bytes of video memory to XRGB pixels. */
#include <endian.h>
#include "hw/vga/vga_core.h"

void vga_planar_pixels(uint32_t planes, uint8_t pixel[8])
{
    for (unsigned x = 0; x < 8; x++) {
        unsigned bit = 7 - x;
        pixel[x] = (uint8_t)((planes >> bit & 1) | (planes >> (8 + bit) & 1) << 1 |
                             (planes >> (16 + bit) & 1) << 2 | (planes >> (24 + bit) & 1) << 3);
    }
}

/* CGA's shift mode: two bits a pixel from plane 0 then 1, two more above them from 2 then 3. */
static void cga_pixels(uint32_t planes, uint8_t pixel[8])
{
    for (unsigned x = 0; x < 8; x++) {
        unsigned bit = 6 - 2 * (x & 3);
        uint32_t pair = x < 4 ? planes : planes >> 8;
        pixel[x] = (uint8_t)((pair >> bit & 3) | (pair >> (16 + bit) & 3) << 2);
    }
}

void vga_graphics_line(const struct vga_core *core, const struct vga_screen *screen, uint32_t count,
                       uint32_t scan, uint32_t *out)
{
    const struct crtc_view *view = &screen->view;

    for (uint32_t column = 0; column <= view->columns; column++) {
        uint32_t planes = vga_vram_load(core, crtc_dword(view, count + column, scan));
        uint8_t pixel[8];

        if (view->kind == CRTC_PACKED) {
            for (unsigned x = 0; x < 4; x++)
                pixel[x] = (uint8_t)(planes >> 8 * x);
        } else if (view->kind == CRTC_CGA) {
            cga_pixels(planes, pixel);
        } else {
            vga_planar_pixels(planes, pixel);
        }
        for (uint32_t x = 0; x < view->cell_width; x++) {
            for (uint32_t r = 0; r < view->repeat; r++)
                *out++ = screen->color[pixel[x]];
        }
    }
}

/* ---- packed pixels --------------------------------------------------------------------------- */

static uint32_t widen5(uint32_t level)
{
    return level << 3 | level >> 2;
}

static uint32_t widen6(uint32_t level)
{
    return level << 2 | level >> 4;
}

static uint32_t from_555(uint32_t v)
{
    return widen5(v >> 10 & 0x1f) << 16 | widen5(v >> 5 & 0x1f) << 8 | widen5(v & 0x1f);
}

static uint32_t from_565(uint32_t v)
{
    return widen5(v >> 11 & 0x1f) << 16 | widen6(v >> 5 & 0x3f) << 8 | widen5(v & 0x1f);
}

static void line_16(const uint8_t *bytes, uint32_t width, bool big_endian, bool deep_green,
                    uint32_t *out)
{
    unsigned low = big_endian ? 1 : 0;

    for (uint32_t x = 0; x < width; x++, bytes += 2) {
        uint32_t v = bytes[low] | (uint32_t)bytes[low ^ 1] << 8;
        out[x] = deep_green ? from_565(v) : from_555(v);
    }
}

static void line_24(const uint8_t *bytes, uint32_t width, bool big_endian, uint32_t *out)
{
    unsigned blue = big_endian ? 2 : 0;

    for (uint32_t x = 0; x < width; x++, bytes += 3)
        out[x] = (uint32_t)bytes[2 - blue] << 16 | (uint32_t)bytes[1] << 8 | bytes[blue];
}

static void line_32(const uint8_t *bytes, uint32_t width, bool big_endian, uint32_t *out)
{
    if (big_endian) {
        for (uint32_t x = 0; x < width; x++, bytes += 4)
            out[x] = (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
        return;
    }
    for (uint32_t x = 0; x < width; x++, bytes += 4) {
        uint32_t v;
        memcpy(&v, bytes, sizeof(v));
        out[x] = le32toh(v) & 0xffffff;
    }
}

void vga_packed_line(const struct packed_mode *mode, const uint32_t color[256],
                     const uint8_t *bytes, uint32_t *out)
{
    bool big_endian = mode->big_endian;

    switch (mode->bpp) {
    case 4:
        for (uint32_t x = 0; x < mode->width; x += 8, bytes += 4) {
            uint8_t pixel[8];
            vga_planar_pixels(bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                                  (uint32_t)bytes[3] << 24,
                              pixel);
            for (unsigned i = 0; i < 8; i++)
                out[x + i] = color[pixel[i]];
        }
        break;
    case 8:
        for (uint32_t x = 0; x < mode->width; x++)
            out[x] = color[bytes[x]];
        break;
    case 15:
        line_16(bytes, mode->width, big_endian, false, out);
        break;
    case 16:
        line_16(bytes, mode->width, big_endian, true, out);
        break;
    case 24:
        line_24(bytes, mode->width, big_endian, out);
        break;
    default:
        line_32(bytes, mode->width, big_endian, out);
        break;
    }
}

void vga_cursor_line(const struct vga_cursor *cursor, uint32_t y, uint32_t width, uint32_t *line)
{
    if (y < cursor->y || y - cursor->y >= cursor->size)
        return;
    const uint8_t *row[2];
    for (unsigned p = 0; p < 2; p++)
        row[p] = cursor->planes[p] + (y - cursor->y) * (cursor->size / 8);
    for (uint32_t i = 0; i < cursor->size && cursor->x + i < width; i++) {
        unsigned bit = 7 - i % 8;
        unsigned pixel = (row[0][i / 8] >> bit & 1u) | (row[1][i / 8] >> bit & 1u) << 1;

        if (pixel & 2)
            line[cursor->x + i] = cursor->color[pixel & 1];
        else if (pixel)
            line[cursor->x + i] ^= 0xffffff;
    }
}
