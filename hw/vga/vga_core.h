/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a VGA adapter that every model of it shares, private to this folder: register
 * files, the legacy memory window, the Bochs VBE registers, and the drawing of the screen.
 *
 * Video memory is kept as dwords of four planes: byte p of dword i is byte i of plane p. That makes
 * chain-4 memory and the linear frame buffer the same bytes. Odd/even memory keeps byte pair i
 * (even and odd address) in planes 0 and 1 of dword i.
 */
#ifndef HW_VGA_VGA_CORE_H
#define HW_VGA_VGA_CORE_H

#include <string.h>
#include "dm/arena.h"
#include "dm/loop.h"
#include "hw/vga/vram.h"
#include "ui/surface.h"

/* Miscellaneous output register (written at 0x3c2). */
enum { MISC_COLOR = 0x01, MISC_RAM_ENABLE = 0x02, MISC_CLOCK_SHIFT = 2 };

/* Sequencer registers. */
enum {
    SR_RESET = 0,
    SR_CLOCKING = 1,
    SR_MAP_MASK = 2,
    SR_CHARACTER_MAP = 3,
    SR_MEMORY_MODE = 4,
    SR_COUNT = 8,

    CLOCKING_8_DOT = 0x01,
    CLOCKING_HALF = 0x08,
    CLOCKING_SCREEN_OFF = 0x20,

    MEMORY_NO_ODD_EVEN = 0x04,
    MEMORY_CHAIN4 = 0x08,
};

/* Graphics controller registers. */
enum {
    GR_SET_RESET = 0,
    GR_ENABLE_SET_RESET = 1,
    GR_COLOR_COMPARE = 2,
    GR_DATA_ROTATE = 3,
    GR_READ_MAP = 4,
    GR_MODE = 5,
    GR_MISC = 6,
    GR_COLOR_DONT_CARE = 7,
    GR_BIT_MASK = 8,
    GR_COUNT = 16,

    MODE_READ_1 = 0x08,
    MODE_ODD_EVEN = 0x10,
    MODE_SHIFT = 5, /* two bits: 0 planar, 1 CGA, 2 and 3 packed 256 colours */

    GMISC_GRAPHICS = 0x01,
    GMISC_MAP_SHIFT = 2,
};

/* CRT controller registers. */
enum {
    CR_H_TOTAL = 0x00,
    CR_H_DISPLAY_END = 0x01,
    CR_V_TOTAL = 0x06,
    CR_OVERFLOW = 0x07,
    CR_PRESET_ROW = 0x08,
    CR_MAX_SCAN = 0x09,
    CR_CURSOR_START = 0x0a,
    CR_CURSOR_END = 0x0b,
    CR_START_HIGH = 0x0c,
    CR_START_LOW = 0x0d,
    CR_CURSOR_HIGH = 0x0e,
    CR_CURSOR_LOW = 0x0f,
    CR_V_RETRACE_START = 0x10,
    CR_V_RETRACE_END = 0x11,
    CR_V_DISPLAY_END = 0x12,
    CR_OFFSET = 0x13,
    CR_UNDERLINE = 0x14,
    CR_MODE = 0x17,
    CR_LINE_COMPARE = 0x18,
    CR_COUNT = 0x19,

    CR_PROTECT = 0x80, /* of V_RETRACE_END: registers 0-7 are read-only */
    OVERFLOW_LINE_COMPARE = 0x10,
    CURSOR_OFF = 0x20,         /* of CURSOR_START */
    UNDERLINE_DWORD = 0x40,    /* of UNDERLINE: the address counter counts dwords */
    CRMODE_ROW_SCAN_13 = 0x01, /* 0: address bit 13 is row scan bit 0 */
    CRMODE_ROW_SCAN_14 = 0x02, /* 0: address bit 14 is row scan bit 1 */
    CRMODE_V_HALF = 0x04,      /* vertical timing counts in pairs of lines */
    CRMODE_WRAP_15 = 0x20,     /* word mode: bit 15, not 13, wraps to bit 0 */
    CRMODE_BYTE = 0x40,
};

/* Attribute controller registers. */
enum {
    AR_MODE = 0x10,
    AR_OVERSCAN = 0x11,
    AR_PLANE_ENABLE = 0x12,
    AR_PEL_PANNING = 0x13,
    AR_COLOR_SELECT = 0x14,
    AR_COUNT = 0x15,

    AR_INDEX_PAS = 0x20, /* of the index: palette address source, 1 shows the picture */

    ATTR_LINE_GRAPHICS = 0x04,
    ATTR_BLINK = 0x08,
    ATTR_PANNING_COMPATIBLE = 0x20,
    ATTR_P54_SELECT = 0x80,
};

/* Bochs VBE ("dispi") registers. */
enum {
    VBE_ID = 0,
    VBE_XRES = 1,
    VBE_YRES = 2,
    VBE_BPP = 3,
    VBE_ENABLE = 4,
    VBE_BANK = 5,
    VBE_VIRT_WIDTH = 6,
    VBE_VIRT_HEIGHT = 7,
    VBE_X_OFFSET = 8,
    VBE_Y_OFFSET = 9,
    VBE_VIDEO_MEMORY_64K = 10,
    VBE_COUNT = 11,

    VBE_ID_FIRST = 0xb0c0,
    VBE_ID_LAST = 0xb0c5,

    VBE_ENABLED = 0x01,
    VBE_GETCAPS = 0x02,
    VBE_8BIT_DAC = 0x20,
    VBE_LFB = 0x40,
    VBE_NO_CLEAR = 0x80,

    VBE_MAX_XRES = 16000,
    VBE_MAX_YRES = 12000,
    VBE_MAX_BPP = 32,
};

#define VGA_WINDOW_BASE   0xa0000u
#define VGA_WINDOW_LENGTH 0x20000u
#define VGA_PLANE_SIZE    0x10000u /* bytes a plane that the registers of VGA proper can reach */

/* All that the guest can see of the adapter but the memory's content and PCI. */
struct vga_state {
    uint64_t vram_gpa; /* where the frames are: see vram.h */
    uint32_t latch;    /* byte p is plane p's */
    uint16_t vbe_index;
    uint16_t vbe[VBE_COUNT];
    uint8_t misc, feature, enable;
    uint8_t seq_index, seq[SR_COUNT];
    uint8_t gfx_index, gfx[GR_COUNT];
    uint8_t crtc_index, crtc[CR_COUNT];
    uint8_t attr_index, attr[AR_COUNT];
    bool attr_data; /* the flip-flop: the next write to 0x3c0 is data */
    uint8_t dac_mask, dac_state, dac_read_index, dac_write_index, dac_phase;
    uint8_t dac_cache[3]; /* components written so far */
    uint8_t dac[256 * 3]; /* as written: 6 or 8 bits each */
    bool big_endian;      /* order of bytes in pixels of 15 bits and more */
};

extern const struct state_desc vga_state_desc;

/* Widest line of characters that is drawn: 256 + 1 (for panning) of 9 dots, each twice. */
#define VGA_LINE_PIXELS (257 * 18)

struct vga_core {
    struct vga_state *s; /* in the arena */
    struct vram *vram;
    struct loop *loop;

    /* Scratch of the drawing code: one line of video memory, one line of pixels. */
    uint8_t bytes[VBE_MAX_XRES * 4];
    uint32_t pixels[VGA_LINE_PIXELS];
};

/* ---- video memory: the only way to its bytes ------------------------------------------------- */

static inline bool vga_vram_ok(const struct vga_core *core, uint64_t offset, uint64_t length)
{
    return core->vram->base && offset <= core->vram->size && length <= core->vram->size - offset;
}

/* The four planes at dword `index`, read once; plane 0 in the low byte. Ones outside memory. */
static inline uint32_t vga_vram_load(const struct vga_core *core, uint64_t index)
{
    uint32_t value;

    if (!vga_vram_ok(core, index * 4, 4))
        return UINT32_MAX;
    __atomic_load((const uint32_t *)(const void *)(core->vram->base + index * 4), &value,
                  __ATOMIC_RELAXED);
    return value;
}

static inline uint8_t vga_vram_load8(const struct vga_core *core, uint64_t offset)
{
    return vga_vram_ok(core, offset, 1)
               ? __atomic_load_n(core->vram->base + offset, __ATOMIC_RELAXED)
               : 0xff;
}

/* A copy that the guest cannot change any more; `length` bytes of ones outside memory. */
static inline void vga_vram_copy(const struct vga_core *core, void *out, uint64_t offset,
                                 size_t length)
{
    if (vga_vram_ok(core, offset, length))
        memcpy(out, core->vram->base + offset, length);
    else
        memset(out, 0xff, length);
}

static inline void vga_vram_written(const struct vga_core *core, uint64_t offset, uint64_t length)
{
    if (core->vram->written && length > 0)
        core->vram->written(core->vram->opaque, offset, length);
}

/* ---- vga_regs.c: ports 0x3b0..0x3df ---------------------------------------------------------- */

uint8_t vga_port_read(struct vga_core *core, uint16_t port);
void vga_port_write(struct vga_core *core, uint16_t port, uint8_t value);
/* Input status 1 at a time in ns; pure. */
uint8_t vga_status1(const struct vga_core *core, uint64_t now);

/* Which bits of sequencer, graphics and attribute registers exist. */
extern const uint8_t vga_seq_mask[SR_COUNT];
extern const uint8_t vga_gfx_mask[GR_COUNT];
extern const uint8_t vga_attr_mask[AR_COUNT];

/* ---- vga_mem.c: the window at 0xa0000, offsets from there ------------------------------------ */

void vga_mem_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t length);
void vga_mem_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t length);

/* ---- vbe.c: the dispi registers -------------------------------------------------------------- */

/* A screen of the VBE registers, checked as a whole against the size of video memory. */
struct vbe_mode {
    uint32_t width, height; /* pixels */
    uint32_t bpp;           /* 4, 8, 15, 16, 24, 32 */
    uint32_t pitch;         /* bytes from line to line */
    uint32_t row_bytes;     /* bytes that one line shows */
    uint64_t start;         /* byte of the first pixel */
};

uint16_t vbe_read(const struct vga_core *core, uint16_t index);
void vbe_write(struct vga_core *core, uint16_t index, uint16_t value);
static inline bool vbe_enabled(const struct vga_core *core)
{
    return core->s->vbe[VBE_ENABLE] & VBE_ENABLED;
}
/* -EINVAL when the registers describe something that is not inside the memory. */
int vbe_get_mode(const struct vga_core *core, struct vbe_mode *mode);

/* ---- vga_render.c ---------------------------------------------------------------------------- */

/* See struct display. */
int vga_render(struct vga_core *core, struct surface *surface);

/* The screen of the CRT controller's registers. */
struct crtc_view {
    enum crtc_kind { CRTC_TEXT, CRTC_PLANAR, CRTC_CGA, CRTC_PACKED } kind;
    uint32_t width, height;        /* of the surface */
    uint32_t columns;              /* character clocks shown */
    uint32_t cell_width;           /* pixels a character clock, before doubling */
    uint32_t repeat;               /* surface pixels a pixel: 1 or 2 */
    uint32_t scans;                /* lines a row */
    uint32_t scan_double;          /* shift: each line twice */
    uint32_t split;                /* first line of the lower part; >= height when there is none */
    uint32_t start, pitch;         /* of the address counter */
    uint32_t preset;               /* first row scan of the upper part */
    uint32_t pan, pan_below;       /* pixels, upper and lower part */
    uint32_t cpu_shift, crt_shift; /* see crtc_dword() */
    bool blank;

    /* Text. */
    uint32_t font[2]; /* bytes in plane 2, by attribute bit 3 */
    uint32_t cursor;  /* address of the cell */
    uint32_t cursor_first, cursor_last;
    bool cursor_shown, blink_shown;

    uint32_t color[256]; /* XRGB: 16 of the attribute controller, or 256 of the DAC */
};

/* 0, or -EINVAL for what no screen looks like (in the middle of a mode set). */
int crtc_get_view(const struct vga_core *core, uint64_t now, struct crtc_view *view);
/* Dword of video memory that the CRT controller shows for this count and row scan. */
uint32_t crtc_dword(const struct vga_core *core, const struct crtc_view *view, uint32_t count,
                    uint32_t scan);
void vga_dac_colors(const struct vga_core *core, uint32_t color[256]);
void vga_attr_colors(const struct vga_core *core, uint32_t color[16]);

/* One line of (columns + 1) * cell_width pixels, each `repeat` times, from count on. */
void vga_text_line(struct vga_core *core, const struct crtc_view *view, uint32_t count,
                   uint32_t scan, uint32_t *out);
void vga_graphics_line(struct vga_core *core, const struct crtc_view *view, uint32_t count,
                       uint32_t scan, uint32_t *out);
/* One line of a VBE mode: bytes of video memory into `width` pixels. */
void vbe_line(const struct vga_core *core, const struct vbe_mode *mode, const uint32_t color[256],
              const uint8_t *bytes, uint32_t *out);

/* Eight pixels of a dword of planes, indices 0..15. */
void vga_planar_pixels(uint32_t planes, uint8_t pixel[8]);

/* ---- edid.c ---------------------------------------------------------------------------------- */

#define EDID_SIZE 128

/* An EDID 1.4 block with width x height at 60 Hz as its preferred timing (640 x 480 to 4095 x 4095;
 * 30 Hz where a pixel clock cannot be expressed). */
void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
