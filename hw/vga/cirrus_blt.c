/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BitBLT engine's registers and its life:
 *
 *     idle --start, source in memory--> drawing --last line--> idle
 *     idle --start, source from the processor--> feeding --last byte--> idle
 *     drawing, feeding --reset bit, other mode in SR07, reset--> idle
 *
 * All parameters are latched at the start. Up to SLICE_BYTES are drawn at once, which is nearly
 * every blit; the rest of a larger one follows in later turns of the loop, a slice each, so that
 * nobody waits long for it. Busy shows until the end. A start meanwhile is lost.
 */
#include "hw/vga/cirrus_core.h"

#define SLICE_BYTES (1u << 20)

static uint32_t gr16(const struct cirrus_state *s, unsigned index)
{
    return s->gr[index] | (uint32_t)s->gr[index + 1] << 8;
}

static uint32_t gr24(const struct cirrus_state *s, unsigned index)
{
    return gr16(s, index) | (uint32_t)s->gr[index + 2] << 16;
}

static uint32_t color(const struct cirrus_state *s, unsigned first)
{
    return s->gr[first] | (uint32_t)s->gr[GR_BACKGROUND_1 + first] << 8 |
           (uint32_t)s->gr[GR_BACKGROUND_2 + first] << 16 |
           (uint32_t)s->gr[GR_BACKGROUND_3 + first] << 24;
}

static void latch_rect(const struct cirrus_state *s, struct cirrus_rect *rect)
{
    *rect = (struct cirrus_rect){
        .mode = s->gr[GR_BLT_MODE],
        .extension = s->gr[GR_BLT_EXTENSION],
        .rop = s->gr[GR_BLT_ROP],
        .skip = s->gr[GR_BLT_SKIP],
        .key = (uint16_t)gr16(s, GR_BLT_KEY),
        .width = (uint16_t)(gr16(s, GR_BLT_WIDTH) + 1),
        .height = (uint16_t)(gr16(s, GR_BLT_HEIGHT) + 1),
        .dst_pitch = (uint16_t)gr16(s, GR_BLT_DST_PITCH),
        .src_pitch = (uint16_t)gr16(s, GR_BLT_SRC_PITCH),
        .dst = gr24(s, GR_BLT_DST),
        .src = gr24(s, GR_BLT_SRC),
        .foreground = color(s, GR_ENABLE_SET_RESET),
        .background = color(s, GR_SET_RESET),
    };
}

static void keep_rect(struct cirrus_state *s, const struct cirrus_rect *rect)
{
    s->blt_mode = rect->mode;
    s->blt_extension = rect->extension;
    s->blt_rop = rect->rop;
    s->blt_skip = rect->skip;
    s->blt_key = rect->key;
    s->blt_width = rect->width;
    s->blt_height = rect->height;
    s->blt_dst_pitch = rect->dst_pitch;
    s->blt_src_pitch = rect->src_pitch;
    s->blt_dst = rect->dst;
    s->blt_src = rect->src;
    s->blt_foreground = rect->foreground;
    s->blt_background = rect->background;
}

void cirrus_blt_waiting(const struct cirrus_state *s, struct cirrus_rect *rect)
{
    *rect = (struct cirrus_rect){
        .mode = s->blt_mode,
        .extension = s->blt_extension,
        .rop = s->blt_rop,
        .skip = s->blt_skip,
        .key = s->blt_key,
        .width = s->blt_width,
        .height = s->blt_height,
        .dst_pitch = s->blt_dst_pitch,
        .src_pitch = s->blt_src_pitch,
        .dst = s->blt_dst,
        .src = s->blt_src,
        .foreground = s->blt_foreground,
        .background = s->blt_background,
    };
}

static void memory_written(void *opaque, uint32_t address, uint32_t length)
{
    vga_vram_written(opaque, address, length);
}

/* The memory of the chip; base NULL while it is not mapped. */
static struct cirrus_memory memory_of(struct cirrus *c)
{
    return (struct cirrus_memory){.base = c->core.vram->base,
                                  .mask = (uint32_t)c->core.memory - 1,
                                  .written = memory_written,
                                  .opaque = &c->core};
}

static void end(struct cirrus *c)
{
    struct cirrus_state *s = c->s;

    s->gr[GR_BLT_START] &=
        (uint8_t) ~(BLT_STATUS_BUSY | BLT_STATUS_START | BLT_STATUS_PROGRESS | BLT_STATUS_FIFO);
    bool fed = s->feeding;
    s->feeding = false;
    s->drawing = false;
    s->blt_piece = 0;
    s->blt_fill = 0;
    timer_cancel(&c->slice);
    if (fed)
        cirrus_place(c);
}

void cirrus_blt_go_on(struct cirrus *c)
{
    struct cirrus_state *s = c->s;
    struct cirrus_memory memory = memory_of(c);
    struct cirrus_rect rect;

    if (!s->drawing)
        return;
    cirrus_blt_waiting(s, &rect);
    uint32_t lines = SLICE_BYTES / rect.width, left = rect.height - s->blt_piece;
    lines = lines < left ? lines : left;
    if (memory.base)
        cirrus_rect_draw(&memory, &rect, s->blt_piece, s->blt_piece + lines);
    /* Fonts of text modes may be overwritten too. */
    vga_planes_written(&c->core, 0x0f);
    if (lines == left) {
        end(c);
        return;
    }
    s->blt_piece = (uint16_t)(s->blt_piece + lines);
    timer_arm(&c->slice, loop_now(c->core.loop, CLOCK_GUEST));
}

void cirrus_blt_start(struct cirrus *c)
{
    struct cirrus_state *s = c->s;
    struct cirrus_rect rect;

    if (s->drawing)
        return;
    if (s->feeding)
        end(c);
    latch_rect(s, &rect);
    if (cirrus_rect_check(&rect)) {
        end(c);
        return;
    }
    keep_rect(s, &rect);
    s->gr[GR_BLT_START] |= BLT_STATUS_BUSY | BLT_STATUS_PROGRESS;
    if (rect.mode & BLT_SYSTEM_SOURCE) {
        s->feeding = true;
        memset(s->blt_data, 0, sizeof(s->blt_data));
        cirrus_place(c);
    } else {
        s->drawing = true;
        cirrus_blt_go_on(c);
    }
}

void cirrus_blt_abort(struct cirrus *c)
{
    end(c);
}

void cirrus_blt_control(struct cirrus *c, uint8_t value)
{
    struct cirrus_state *s = c->s;
    uint8_t old = s->gr[GR_BLT_START];
    const uint8_t status = BLT_STATUS_BUSY | BLT_STATUS_PROGRESS | BLT_STATUS_FIFO;

    s->gr[GR_BLT_START] = (uint8_t)((old & status) | (value & ~status));
    if (value & BLT_STATUS_RESET)
        cirrus_blt_abort(c);
    else if (!(old & BLT_STATUS_START) && (value & BLT_STATUS_START))
        cirrus_blt_start(c);
}

void cirrus_blt_feed(struct cirrus *c, uint8_t value)
{
    struct cirrus_state *s = c->s;
    struct cirrus_memory memory = memory_of(c);
    struct cirrus_rect rect;

    cirrus_blt_waiting(s, &rect);
    s->blt_data[s->blt_fill++ % BLT_WIDTH_MAX] = value;
    if (s->blt_fill < cirrus_rect_piece(&rect))
        return;
    vga_planes_written(&c->core, 0x0f);
    if (memory.base)
        cirrus_rect_draw_piece(&memory, &rect, s->blt_piece, s->blt_data);
    s->blt_fill = 0;
    if (++s->blt_piece >= cirrus_rect_pieces(&rect))
        end(c);
}
