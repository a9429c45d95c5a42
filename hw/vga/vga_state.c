/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of the adapter's state. */
#include "hw/vga/vga_core.h"

static const struct state_field vga_fields[] = {
    /* Set once when the device is made, and from then on by what really happens to the frames. */
    STATE_FIELD(struct vga_state, vram_gpa, .flags = STATE_KEEP),
    STATE_FIELD(struct vga_state, latch),
    STATE_FIELD(struct vga_state, vbe_index),
    STATE_ARRAY(struct vga_state, vbe),
    STATE_FIELD(struct vga_state, misc),
    STATE_FIELD(struct vga_state, feature),
    STATE_FIELD(struct vga_state, enable, .reset = 1),
    STATE_FIELD(struct vga_state, seq_index), /* all eight bits count on a Cirrus */
    STATE_ARRAY(struct vga_state, seq),
    STATE_FIELD(struct vga_state, gfx_index),
    STATE_ARRAY(struct vga_state, gfx),
    STATE_FIELD(struct vga_state, crtc_index),
    STATE_ARRAY(struct vga_state, crtc),
    STATE_FIELD(struct vga_state, attr_index, .max = 0x3f),
    STATE_ARRAY(struct vga_state, attr),
    STATE_FIELD(struct vga_state, attr_data),
    STATE_FIELD(struct vga_state, dac_mask, .reset = 0xff),
    STATE_FIELD(struct vga_state, dac_state, .max = 3),
    STATE_FIELD(struct vga_state, dac_read_index),
    STATE_FIELD(struct vga_state, dac_write_index),
    STATE_FIELD(struct vga_state, dac_phase, .max = 2),
    STATE_ARRAY(struct vga_state, dac_cache),
    STATE_ARRAY(struct vga_state, dac),
    STATE_FIELD(struct vga_state, big_endian),
};

/* Writes keep registers within their masks; so must a saved state. The VBE registers are not
 * checked here: what they say depends on the memory, and vbe_packed() asks at each use. */
static const char *vga_check(const void *state)
{
    const struct vga_state *s = state;

    if (s->vram_gpa & 0xfff)
        return "vram_gpa";
    for (unsigned i = 0; i < SR_COUNT; i++) {
        if (s->seq[i] & ~vga_seq_mask[i])
            return "seq";
    }
    for (unsigned i = 0; i < GR_COUNT; i++) {
        if (s->gfx[i] & ~vga_gfx_mask[i])
            return "gfx";
    }
    for (unsigned i = 0; i < AR_COUNT; i++) {
        if (s->attr[i] & ~vga_attr_mask[i])
            return "attr";
    }
    return NULL;
}

const struct state_desc vga_state_desc =
    STATE_DESC("vga", 1, struct vga_state, vga_fields, vga_check);
