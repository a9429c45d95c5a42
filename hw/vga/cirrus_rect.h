/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rectangle that the BitBLT engine of the CL-GD5446 draws, with everything that decides on it:
 * latched when the blit starts, so that nothing a guest writes later changes it.
 */
#ifndef HW_VGA_CIRRUS_RECT_H
#define HW_VGA_CIRRUS_RECT_H

#include "hw/vga/cirrus_rop.h"

enum {
    /* GR30 */
    BLT_BACKWARD = 0x01,
    BLT_SYSTEM_DEST = 0x02,
    BLT_SYSTEM_SOURCE = 0x04,
    BLT_TRANSPARENT = 0x08,
    BLT_PIXEL_SHIFT = 4, /* two bits: bytes a pixel less one */
    BLT_PATTERN = 0x40,
    BLT_EXPAND = 0x80,

    /* GR33 */
    BLT_EXT_DWORD = 0x01,  /* lines of a monochrome source from the processor are whole dwords */
    BLT_EXT_INVERT = 0x02, /* transparent expansion draws its zeros */
    BLT_EXT_SOLID = 0x04,

    BLT_WIDTH_MAX = 8192, /* bytes */
    BLT_HEIGHT_MAX = 2048,
    BLT_PATTERN_MAX = 256,
};

struct cirrus_rect {
    uint8_t mode, extension; /* GR30, GR33 */
    uint8_t rop;             /* GR32 */
    uint8_t skip;            /* GR2F */
    uint16_t key;            /* GR34, GR35 */
    uint16_t width;          /* bytes, 1..BLT_WIDTH_MAX */
    uint16_t height;         /* 1..BLT_HEIGHT_MAX */
    uint16_t dst_pitch, src_pitch;
    uint32_t dst, src; /* any value: masked at each access */
    uint32_t foreground, background;
};

/* Whether the chip can draw it: -EINVAL for sizes and combinations of modes that it does not have.
 * Nothing below may be called for a rectangle that this refuses. */
int cirrus_rect_check(const struct cirrus_rect *rect);

/* Draws lines [first, end) of a rectangle whose source is in video memory; end <= its height. */
void cirrus_rect_draw(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                      uint32_t first, uint32_t end);

/*
 * A source from the processor comes in pieces of this many bytes, at most BLT_WIDTH_MAX: lines, or
 * the whole of a pattern at once.
 */
uint32_t cirrus_rect_piece(const struct cirrus_rect *rect);
/* How many pieces: its height, or 1 for a pattern. */
uint32_t cirrus_rect_pieces(const struct cirrus_rect *rect);
/* Draws piece n; `data` has BLT_WIDTH_MAX bytes, of which cirrus_rect_piece() count. */
void cirrus_rect_draw_piece(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                            uint32_t n, const uint8_t *data);

#endif
