/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of the BitBLT engine:
 *
 *     copy             forward or backward, optionally with a transparent colour
 *     pattern          8 x 8 pixels, repeated
 *     expansion        a bit a pixel: foreground or background, or foreground and nothing
 *     pattern + expansion   the two together; with the solid bit: foreground everywhere
 *
 * All but the copy within video memory make a line of source bytes first, with a mask of what is
 * drawn of them. Every address goes through cirrus_rop.c.
 */
#include "hw/vga/cirrus_rect.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static uint32_t pixel_bytes(const struct cirrus_rect *rect)
{
    return (rect->mode >> BLT_PIXEL_SHIFT & 3) + 1u;
}

/* Bytes, and pixels of a monochrome source, at the left edge that are not drawn. */
static uint32_t skip_bytes(const struct cirrus_rect *rect)
{
    uint32_t pixel = pixel_bytes(rect);

    return pixel == 3 ? rect->skip & 0x1fu : (rect->skip & 7u) * pixel;
}

static uint32_t skip_pixels(const struct cirrus_rect *rect)
{
    return skip_bytes(rect) / pixel_bytes(rect);
}

static bool is_solid(const struct cirrus_rect *rect)
{
    return (rect->extension & BLT_EXT_SOLID) &&
           (rect->mode & (BLT_TRANSPARENT | BLT_PATTERN | BLT_EXPAND)) ==
               (BLT_PATTERN | BLT_EXPAND) &&
           !(rect->mode & BLT_SYSTEM_SOURCE);
}

int cirrus_rect_check(const struct cirrus_rect *rect)
{
    if (rect->width == 0 || rect->width > BLT_WIDTH_MAX || rect->height == 0 ||
        rect->height > BLT_HEIGHT_MAX || (rect->mode & BLT_SYSTEM_DEST))
        return -EINVAL;
    if ((rect->mode & BLT_TRANSPARENT) && !(rect->mode & (BLT_EXPAND | BLT_PATTERN)) &&
        pixel_bytes(rect) > 2)
        return -EINVAL;
    return 0;
}

/* ---- lines of source bytes ------------------------------------------------------------------- */

struct line {
    uint8_t bytes[BLT_WIDTH_MAX];
    uint8_t drawn[BLT_WIDTH_MAX]; /* when some are not */
    bool some;
};

static void skip_left(const struct cirrus_rect *rect, struct line *line)
{
    uint32_t skip = skip_bytes(rect);

    line->some = skip > 0;
    if (line->some) {
        memset(line->drawn, 1, rect->width);
        memset(line->drawn, 0, skip < rect->width ? skip : rect->width);
    }
}

/* Pixel p of the line is bit 7 - p % 8 of byte p / 8; of byte 0 always for a pattern. */
static void expand(const struct cirrus_rect *rect, const uint8_t *bits, bool pattern,
                   struct line *line)
{
    bool transparent = rect->mode & BLT_TRANSPARENT;
    bool invert = transparent && (rect->extension & BLT_EXT_INVERT);
    uint32_t pixel = pixel_bytes(rect), p = skip_pixels(rect);

    line->some = transparent || skip_bytes(rect) > 0;
    if (line->some)
        memset(line->drawn, 0, rect->width);
    for (uint32_t x = skip_bytes(rect); x < rect->width; p++) {
        bool bit = (bits[pattern ? 0 : p / 8] >> (7 - p % 8) & 1) != invert;
        uint32_t color = bit != invert ? rect->foreground : rect->background;

        for (uint32_t b = 0; b < pixel && x < rect->width; b++, x++) {
            line->bytes[x] = (uint8_t)(color >> 8 * b);
            line->drawn[x] = !transparent || bit;
        }
    }
}

static void put(const struct cirrus_memory *memory, const struct cirrus_rect *rect, uint32_t dst,
                const struct line *line)
{
    cirrus_rop_put(memory, cirrus_rop_table(rect->rop), dst, line->bytes,
                   line->some ? line->drawn : NULL, rect->width);
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* Bytes from row to row of a pattern in memory. */
static uint32_t pattern_pitch(const struct cirrus_rect *rect)
{
    uint32_t pixel = pixel_bytes(rect);

    return rect->mode & BLT_EXPAND ? 1 : pixel == 3 ? 32 : 8 * pixel;
}

static void draw_pattern(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                         const uint8_t pattern[BLT_PATTERN_MAX], uint32_t first, uint32_t end)
{
    uint32_t pitch = pattern_pitch(rect), period = 8 * pixel_bytes(rect);
    uint32_t dst = rect->dst + first * rect->dst_pitch;
    struct line line;

    for (uint32_t y = first; y < end; y++, dst += rect->dst_pitch) {
        const uint8_t *row = pattern + ((rect->src + y) & 7) * pitch;

        if (rect->mode & BLT_EXPAND) {
            expand(rect, row, true, &line);
        } else {
            skip_left(rect, &line);
            for (uint32_t x = 0; x < rect->width; x++)
                line.bytes[x] = row[x % period];
        }
        put(memory, rect, dst, &line);
    }
}

static void draw_solid(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                       uint32_t first, uint32_t end)
{
    uint32_t pixel = pixel_bytes(rect), dst = rect->dst + first * rect->dst_pitch;
    struct line line;

    line.some = false;
    for (uint32_t x = 0; x < rect->width; x++)
        line.bytes[x] = (uint8_t)(rect->foreground >> 8 * (x % pixel));
    for (uint32_t y = first; y < end; y++, dst += rect->dst_pitch)
        put(memory, rect, dst, &line);
}

/* A pattern lies at a multiple of its size; the low bits of the address say where it begins. */
static void draw_pattern_from_memory(const struct cirrus_memory *memory,
                                     const struct cirrus_rect *rect, uint32_t first, uint32_t end)
{
    uint8_t pattern[BLT_PATTERN_MAX];
    uint32_t size = pattern_pitch(rect) * 8, base = rect->src & ~(size - 1);

    for (uint32_t i = 0; i < size; i++)
        pattern[i] = cirrus_load(memory, base + i);
    draw_pattern(memory, rect, pattern, first, end);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void draw_expanded_line(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                               uint32_t dst, const uint8_t *bits)
{
    struct line line;

    expand(rect, bits, false, &line);
    put(memory, rect, dst, &line);
}

static void draw_expansion(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                           uint32_t first, uint32_t end)
{
    uint32_t pixel = pixel_bytes(rect), skip = skip_bytes(rect);
    uint32_t drawn = rect->width > skip ? rect->width - skip : 0;
    /* Each line begins with a new byte of the source, which has no pitch. */
    uint32_t count = (skip_pixels(rect) + (drawn + pixel - 1) / pixel + 7) / 8;
    uint32_t dst = rect->dst + first * rect->dst_pitch, src = rect->src + first * count;
    uint8_t bits[BLT_WIDTH_MAX / 8 + 2];

    for (uint32_t y = first; y < end; y++, dst += rect->dst_pitch, src += count) {
        for (uint32_t i = 0; i < count && i < sizeof(bits); i++)
            bits[i] = cirrus_load(memory, src + i);
        draw_expanded_line(memory, rect, dst, bits);
    }
}

static void draw_copy(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                      uint32_t first, uint32_t end)
{
    uint8_t table = cirrus_rop_table(rect->rop);
    bool backward = rect->mode & BLT_BACKWARD;
    uint32_t dst_step = backward ? -(uint32_t)rect->dst_pitch : rect->dst_pitch;
    uint32_t src_step = backward ? -(uint32_t)rect->src_pitch : rect->src_pitch;
    uint32_t dst = rect->dst + first * dst_step, src = rect->src + first * src_step;

    for (uint32_t y = first; y < end; y++, dst += dst_step, src += src_step) {
        if (rect->mode & BLT_TRANSPARENT)
            cirrus_rop_transparent(memory, table, rect->key, pixel_bytes(rect), dst, NULL, src,
                                   rect->width, backward);
        else
            cirrus_rop_copy(memory, table, dst, src, rect->width, backward);
    }
}

void cirrus_rect_draw(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                      uint32_t first, uint32_t end)
{
    if (is_solid(rect))
        draw_solid(memory, rect, first, end);
    else if (rect->mode & BLT_PATTERN)
        draw_pattern_from_memory(memory, rect, first, end);
    else if (rect->mode & BLT_EXPAND)
        draw_expansion(memory, rect, first, end);
    else
        draw_copy(memory, rect, first, end);
}

/* ---- a source from the processor ------------------------------------------------------------- */

uint32_t cirrus_rect_piece(const struct cirrus_rect *rect)
{
    uint32_t pixels = rect->width / pixel_bytes(rect);

    if (rect->mode & BLT_PATTERN)
        return pattern_pitch(rect) * 8;
    if (!(rect->mode & BLT_EXPAND))
        return (rect->width + 3u) & ~3u;
    uint32_t bytes = rect->extension & BLT_EXT_DWORD ? (pixels + 31) / 32 * 4 : (pixels + 7) / 8;
    return bytes > 0 ? bytes : 1;
}

uint32_t cirrus_rect_pieces(const struct cirrus_rect *rect)
{
    return rect->mode & BLT_PATTERN ? 1 : rect->height;
}

void cirrus_rect_draw_piece(const struct cirrus_memory *memory, const struct cirrus_rect *rect,
                            uint32_t n, const uint8_t *data)
{
    uint8_t table = cirrus_rop_table(rect->rop);
    uint32_t dst = rect->dst + n * rect->dst_pitch;

    if (rect->mode & BLT_PATTERN) {
        draw_pattern(memory, rect, data, 0, rect->height);
    } else if (rect->mode & BLT_EXPAND) {
        draw_expanded_line(memory, rect, dst, data);
    } else if (rect->mode & BLT_TRANSPARENT) {
        cirrus_rop_transparent(memory, table, rect->key, pixel_bytes(rect), dst, data, 0,
                               rect->width, false);
    } else {
        cirrus_rop_put(memory, table, dst, data, NULL, rect->width);
    }
}
