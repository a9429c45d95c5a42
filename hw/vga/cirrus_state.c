/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of what the CL-GD5446 adds to the state of a VGA adapter. */
#include "hw/vga/cirrus_core.h"

static const struct state_field cirrus_fields[] = {
    STATE_ARRAY(struct cirrus_state, sr),
    STATE_ARRAY(struct cirrus_state, gr),
    STATE_ARRAY(struct cirrus_state, cr),
    STATE_FIELD(struct cirrus_state, hidden_dac),
    STATE_FIELD(struct cirrus_state, hidden_dac_reads, .max = 4),
    STATE_ARRAY(struct cirrus_state, hidden_palette),
    STATE_FIELD(struct cirrus_state, cursor_x, .max = 0x7ff),
    STATE_FIELD(struct cirrus_state, cursor_y, .max = 0x7ff),
    STATE_ARRAY(struct cirrus_state, latch),
    STATE_FIELD(struct cirrus_state, feeding),
    STATE_FIELD(struct cirrus_state, drawing),
    STATE_FIELD(struct cirrus_state, blt_mode),
    STATE_FIELD(struct cirrus_state, blt_extension),
    STATE_FIELD(struct cirrus_state, blt_rop),
    STATE_FIELD(struct cirrus_state, blt_skip),
    STATE_FIELD(struct cirrus_state, blt_key),
    STATE_FIELD(struct cirrus_state, blt_width, .max = BLT_WIDTH_MAX),
    STATE_FIELD(struct cirrus_state, blt_height, .max = BLT_HEIGHT_MAX),
    STATE_FIELD(struct cirrus_state, blt_dst_pitch, .max = 0x1fff),
    STATE_FIELD(struct cirrus_state, blt_src_pitch, .max = 0x1fff),
    STATE_FIELD(struct cirrus_state, blt_dst),
    STATE_FIELD(struct cirrus_state, blt_src),
    STATE_FIELD(struct cirrus_state, blt_foreground),
    STATE_FIELD(struct cirrus_state, blt_background),
    STATE_FIELD(struct cirrus_state, blt_piece, .max = BLT_HEIGHT_MAX - 1),
    STATE_FIELD(struct cirrus_state, blt_fill, .max = BLT_WIDTH_MAX - 1),
    STATE_ARRAY(struct cirrus_state, blt_data),
};

static const char *cirrus_check(const void *state)
{
    const struct cirrus_state *s = state;
    struct cirrus_rect rect;

    for (unsigned i = 0; i < CIRRUS_GR_COUNT; i++) {
        if (i != GR_BLT_START && (s->gr[i] & ~cirrus_gr_mask[i]))
            return "gr";
    }
    if (!s->feeding && !s->drawing)
        return s->blt_piece ? "blt_piece" : s->blt_fill ? "blt_fill" : NULL;
    cirrus_blt_waiting(s, &rect);
    if (cirrus_rect_check(&rect) || s->feeding == s->drawing ||
        s->feeding != ((rect.mode & BLT_SYSTEM_SOURCE) != 0))
        return "blt_mode";
    if (s->blt_piece >= (s->feeding ? cirrus_rect_pieces(&rect) : rect.height))
        return "blt_piece";
    return s->blt_fill >= (s->feeding ? cirrus_rect_piece(&rect) : 1) ? "blt_fill" : NULL;
}

const struct state_desc cirrus_state_desc =
    STATE_DESC("cirrus", 1, struct cirrus_state, cirrus_fields, cirrus_check);
