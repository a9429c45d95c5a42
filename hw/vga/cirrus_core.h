/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the CL-GD5446 share, private to this folder. */
#ifndef HW_VGA_CIRRUS_CORE_H
#define HW_VGA_CIRRUS_CORE_H

#include "hw/vga/cirrus.h"
#include "hw/vga/cirrus_rect.h"
#include "hw/vga/vga_core.h"

/* Sequencer registers of the extension. */
enum {
    SR_UNLOCK = 0x06,
    SR_EXTENDED_MODE = 0x07,
    SR_DRAM_CONTROL = 0x0f,
    SR_CURSOR_X = 0x10, /* index bits 7:5 are the low bits of the position */
    SR_CURSOR_Y = 0x11,
    SR_CURSOR_ATTRIBUTES = 0x12,
    SR_CURSOR_PATTERN = 0x13,
    SR_MEMORY_SIZE = 0x15,
    SR_CONFIGURATION = 0x17,
    SR_MCLK = 0x1f,
    CIRRUS_SR_COUNT = 0x20,

    UNLOCK_KEY = 0x12,
    UNLOCK_MASK = 0x17,
    UNLOCK_LOCKED = 0x0f,

    EXTENDED_256 = 0x01, /* packed pixels */
    EXTENDED_BPP = 0x0e,

    CURSOR_ENABLE = 0x01,
    CURSOR_HIDDEN_DAC = 0x02, /* 3c9 reaches the colours of the cursor */
    CURSOR_LARGE = 0x04,

    CONFIGURATION_FIXED = 0x38, /* bus type: read-only */
    CONFIGURATION_MMIO = 0x04,
    CONFIGURATION_MMIO_LINEAR = 0x40,
};

/* Graphics controller registers of the extension. */
enum {
    GR_OFFSET_0 = 0x09,
    GR_OFFSET_1 = 0x0a,
    GR_EXTENSIONS = 0x0b,
    GR_BACKGROUND_1 = 0x10,
    GR_FOREGROUND_1 = 0x11,
    GR_BACKGROUND_2 = 0x12,
    GR_FOREGROUND_2 = 0x13,
    GR_BACKGROUND_3 = 0x14,
    GR_FOREGROUND_3 = 0x15,
    GR_TIMING = 0x18,
    GR_BLT_WIDTH = 0x20,
    GR_BLT_HEIGHT = 0x22,
    GR_BLT_DST_PITCH = 0x24,
    GR_BLT_SRC_PITCH = 0x26,
    GR_BLT_DST = 0x28,
    GR_BLT_DST_HIGH = 0x2a,
    GR_BLT_SRC = 0x2c,
    GR_BLT_SKIP = 0x2f,
    GR_BLT_MODE = 0x30,
    GR_BLT_START = 0x31,
    GR_BLT_ROP = 0x32,
    GR_BLT_EXTENSION = 0x33,
    GR_BLT_KEY = 0x34,
    CIRRUS_GR_COUNT = 0x3a,

    EXT_DUAL_OFFSET = 0x01,
    EXT_BY_8 = 0x02,
    EXT_WRITE_MODES = 0x04,
    EXT_LATCH_8 = 0x08,
    EXT_WRITES_16 = 0x10,
    EXT_OFFSET_16K = 0x20,

    BLT_STATUS_BUSY = 0x01,
    BLT_STATUS_START = 0x02,
    BLT_STATUS_RESET = 0x04,
    BLT_STATUS_PROGRESS = 0x08,
    BLT_STATUS_FIFO = 0x10,
    BLT_STATUS_AUTOSTART = 0x80,
};

/* CRT controller registers of the extension. */
enum {
    CR_EXT_FIRST = 0x19,
    CR_INTERLACE = 0x1a,
    CR_EXT_DISPLAY = 0x1b,
    CR_OVERLAY = 0x1d,
    CR_EXT_COUNT = 5, /* 19..1d */
    CR_LATCH = 0x22,
    CR_ATTR_FLIP_FLOP = 0x24,
    CR_PART_STATUS = 0x25,
    CR_ATTR_INDEX = 0x26,
    CR_ID = 0x27,

    CIRRUS_ID_GD5446 = 0xb8,
};

#define CIRRUS_PALETTE 16

struct cirrus_state {
    uint8_t sr[CIRRUS_SR_COUNT]; /* from 06 on; of 02 the bits that count in write modes 4 and 5 */
    uint8_t gr[CIRRUS_GR_COUNT]; /* 00, 01 and 05 with the bits that VGA does not have */
    uint8_t cr[CR_EXT_COUNT];
    uint8_t hidden_dac, hidden_dac_reads;
    uint8_t hidden_palette[CIRRUS_PALETTE * 3];
    uint16_t cursor_x, cursor_y;
    uint8_t latch[8];

    /* A blit that waits for data from the processor, or has more lines to draw. */
    bool feeding, drawing;
    uint8_t blt_mode, blt_extension, blt_rop, blt_skip;
    uint16_t blt_key, blt_width, blt_height, blt_dst_pitch, blt_src_pitch;
    uint32_t blt_dst, blt_src, blt_foreground, blt_background;
    uint16_t blt_piece;              /* which comes next */
    uint16_t blt_fill;               /* bytes of it that are there */
    uint8_t blt_data[BLT_WIDTH_MAX]; /* those */
};

extern const struct state_desc cirrus_state_desc;

struct cirrus {
    struct vga_core core; /* first: one is cast to the other */
    struct cirrus_state *s;
    struct pci_function pci;
    struct pci_rom rom;
    struct io_region linear;   /* the frame buffer, while the frames are not there */
    struct io_region aperture; /* source data of blits */

    struct loop_work power_on; /* what memory holds when power comes on */
    struct timer slice;        /* for the next lines of a large blit */

    /* After a blit from the processor the frame buffer stays trapped for a while: see cirrus.c. */
    struct timer settle;
    bool lingering;
    unsigned plain_accesses;
};

static inline struct cirrus *cirrus_of(const struct vga_core *core)
{
    return (struct cirrus *)(uintptr_t)core;
}

/* ---- cirrus.c -------------------------------------------------------------------------------- */

/* Something has changed that decides whether the frame buffer must be trapped. */
void cirrus_place(struct cirrus *c);

/* ---- cirrus_regs.c --------------------------------------------------------------------------- */

/* Which bits of the graphics controller's registers are in `gr`; 31 is the blitter's. */
extern const uint8_t cirrus_gr_mask[CIRRUS_GR_COUNT];

uint8_t cirrus_port_read(struct vga_core *core, uint16_t port);
void cirrus_port_write(struct vga_core *core, uint16_t port, uint8_t value);
/* Graphics controller registers also have addresses in memory. */
uint8_t cirrus_read_gr(struct cirrus *c, uint8_t index);
void cirrus_write_gr(struct cirrus *c, uint8_t index, uint8_t value);
uint8_t cirrus_mmio_read(struct cirrus *c, uint8_t offset);
void cirrus_mmio_write(struct cirrus *c, uint8_t offset, uint8_t value);

/* ---- cirrus_mem.c ---------------------------------------------------------------------------- */

void cirrus_window_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t length);
void cirrus_window_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t length);
uint8_t cirrus_linear_read(struct cirrus *c, uint32_t address);
void cirrus_linear_write(struct cirrus *c, uint32_t address, uint8_t value);
/* Whether the frame buffer is more than memory now. */
bool cirrus_linear_special(const struct cirrus *c);

/* ---- cirrus_blt.c ---------------------------------------------------------------------------- */

void cirrus_blt_control(struct cirrus *c, uint8_t value);
void cirrus_blt_start(struct cirrus *c);
void cirrus_blt_abort(struct cirrus *c);
/* Goes on with a large blit: from its timer, and after a load. */
void cirrus_blt_go_on(struct cirrus *c);
/* A byte of source data, while s->feeding. */
void cirrus_blt_feed(struct cirrus *c, uint8_t value);
/* The rectangle that is under way. */
void cirrus_blt_waiting(const struct cirrus_state *s, struct cirrus_rect *rect);

/* ---- cirrus_screen.c ------------------------------------------------------------------------- */

int cirrus_packed(const struct vga_core *core, struct packed_mode *mode);
void cirrus_cursor(const struct vga_core *core, struct vga_cursor *cursor);

#endif
