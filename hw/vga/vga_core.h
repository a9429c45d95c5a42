/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a VGA adapter that every model of it shares, private to this folder: register
 * files, the legacy memory window, the Bochs VBE registers, the drawing of the screen, and the
 * watch for what has changed of it. What a model adds comes in through struct vga_chip.
 *
 * Video memory is kept as dwords of four planes: byte p of dword i is byte i of plane p. That makes
 * chain-4 memory and the linear frame buffer the same bytes. Odd/even memory keeps byte pair i
 * (even and odd address) in planes 0 and 1 of dword i.
 */
#ifndef HW_VGA_VGA_CORE_H
#define HW_VGA_VGA_CORE_H

#include <string.h>
#include "dm/arena.h"
#include "dm/env.h"
#include "dm/iospace.h"
#include "dm/loop.h"
#include "hw/vga/vram.h"
#include "ui/display.h"

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

enum { DAC_WRITING = 0, DAC_READING = 3 }; /* dac_state, as 3c7 reads */

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

/* ---- what is on the screen ------------------------------------------------------------------ */

/* A screen of packed pixels (VBE, or a chip's own), checked as a whole against the memory. */
struct packed_mode {
    uint32_t width, height; /* pixels */
    uint32_t bpp;           /* 4 (planes), 8, 15, 16, 24, 32 */
    uint32_t pitch;         /* bytes from line to line */
    uint32_t row_bytes;     /* bytes that one line shows */
    uint64_t start;         /* byte of the first pixel */
    uint32_t split;         /* first line of a lower part that shows the start of memory */
    uint32_t repeat;        /* lines of the screen a line of memory */
    bool wrap;              /* addresses wrap at the end of memory, a power of two */
    bool big_endian;
    bool blank;
};

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
    uint8_t mode;                  /* CR_MODE */
    bool blank;

    /* Text. */
    uint32_t font[2]; /* bytes in plane 2, by attribute bit 3 */
    uint8_t attr_mode, underline;
};

/* The text cursor and what blinks: changes often, and seldom changes much. */
struct text_cursor {
    uint32_t address; /* of the cell */
    uint8_t first, last;
    bool shown; /* now; `enabled` tells whether it will be again */
    bool enabled;
};

/* A hardware cursor of 32 or 64 pixels square: rows of bits, the leftmost in bit 7 of byte 0. */
#define VGA_CURSOR_MAX 64
struct vga_cursor {
    uint32_t x, y, size; /* size 0: none */
    uint32_t color[2];   /* XRGB */
    uint8_t planes[2][VGA_CURSOR_MAX * VGA_CURSOR_MAX / 8];
};

/*
 * All that decides on a picture but the content of the memory. Made anew for each picture; two that
 * are equal byte for byte show the same of the same memory.
 */
struct vga_screen {
    enum { SCREEN_NONE, SCREEN_BLANK, SCREEN_PACKED, SCREEN_CRTC } kind;
    uint32_t width, height;
    struct packed_mode packed; /* SCREEN_PACKED */
    struct crtc_view view;     /* SCREEN_CRTC */
    uint32_t color[256];       /* XRGB: 16 of the attribute controller, or 256 of the DAC */

    /* From here on: compared one by one. */
    struct text_cursor text_cursor;
    bool blink_shown;
    struct vga_cursor cursor;
};

struct vga_core;

/* What a model of adapter does its own way. */
struct vga_chip {
    uint8_t (*port_read)(struct vga_core *core, uint16_t port);
    void (*port_write)(struct vga_core *core, uint16_t port, uint8_t value);
    void (*window_read)(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t length);
    void (*window_write)(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t length);
    /*
     * 1 and *mode when the screen is one of packed pixels, 0 when the CRT controller's registers
     * say what shows, -EINVAL when the registers describe nothing that is inside the memory.
     */
    int (*packed)(const struct vga_core *core, struct packed_mode *mode);
    /* The hardware cursor over a packed screen; NULL: the chip has none. */
    void (*cursor)(const struct vga_core *core, struct vga_cursor *cursor);
};

/* ---- the watch: what has changed since the last refresh -------------------------------------- */

/* Memory that was written is remembered in blocks of this many bytes. */
#define WATCH_BLOCK 256u

/* Widest line of characters that is drawn: 256 + 1 (for panning) of 9 dots, each twice. */
#define VGA_LINE_PIXELS (257 * 18)

/* Scratch of the drawing code, for one thread at a time. */
struct vga_scratch {
    struct vga_screen screen;
    uint8_t bytes[VBE_MAX_XRES * 4];  /* a line of video memory */
    uint32_t pixels[VGA_LINE_PIXELS]; /* two lines of pixels */
    uint32_t line[VBE_MAX_XRES];
    bool blinking; /* a character that was drawn blinks; cleared by who asks */
};

/* One refresh. From its begin to its end it belongs to the thread that draws. */
struct vga_picture {
    struct surface *surface;
    uint64_t *marks;                   /* what has been written since the last one */
    uint64_t *guest;                   /* a bit a page that the guest has written directly ... */
    uint64_t guest_first, guest_pages; /* ... beginning at this byte; none when 0 */
    bool any;                          /* a mark is set */
    bool resized;
    bool all;                 /* to be drawn again, besides what is marked: everything, */
    bool text_cursor, cursor; /* or where these were and where they are */
    struct display_damage damage;
    struct vga_scratch scratch; /* and what the screen is */
};

/* Nothing in here is seen by the guest; it is all there only while somebody looks. */
struct vga_watch {
    bool on;
    uint64_t *marks;       /* a bit a block; NULL while nobody looks */
    bool any;              /* a mark is set */
    bool all;              /* draw everything */
    bool font;             /* plane 2 was written */
    bool told;             /* changed() was called after the last refresh began */
    struct vga_screen was; /* of the last refresh */
    struct vga_picture next;
};

/* ---- the adapter ----------------------------------------------------------------------------- */

#define VGA_PORT_REGIONS 5

struct vga_core {
    struct vga_state *s; /* in the arena */
    struct vram *vram;
    uint64_t memory; /* bytes of it that the chip can address */
    struct loop *loop;
    const struct vga_chip *chip;
    struct display display;

    struct iospace *io;
    struct vga_ports {
        struct io_region region;
        struct vga_core *core;
    } ports[VGA_PORT_REGIONS];
    struct io_region window;

    struct vga_watch watch;
    struct vga_scratch scratch; /* of the device thread */
};

/* ---- video memory: the only way to its bytes ------------------------------------------------- */

static inline bool vga_vram_ok(const struct vga_core *core, uint64_t offset, uint64_t length)
{
    return core->vram->base && offset <= core->memory && length <= core->memory - offset;
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

/* The device has written these bytes: whoever follows the memory hears of it. */
void vga_vram_written(struct vga_core *core, uint64_t offset, uint64_t length);

/* ---- vga_core.c: what every model has -------------------------------------------------------- */

/* Allocates the state, and adds the legacy regions; core->chip, vram and memory are set. */
int vga_core_init(struct vga_core *core, const struct dm_env *env);
void vga_core_fini(struct vga_core *core);
void vga_core_reset(struct vga_core *core);
/* Takes the frames of the video memory to where a BAR is, or to their parking place
 * (PCI_UNMAPPED). What fails is logged, and leaves them where they are. */
void vga_core_place(struct vga_core *core, uint64_t base);
/* The state was loaded: maps the frames where it says that they are. 0 or -errno, logged. */
int vga_core_attach(struct vga_core *core);
/* Whether video memory is one that an adapter can be made with. */
bool vga_vram_valid(const struct vram *vram);

/* ---- vga_regs.c: ports 0x3b0..0x3df ---------------------------------------------------------- */

uint8_t vga_port_read(struct vga_core *core, uint16_t port);
void vga_port_write(struct vga_core *core, uint16_t port, uint8_t value);
/* The CRT controller answers at 3bx or at 3dx, as the miscellaneous output register says. */
bool vga_port_answers(const struct vga_state *s, uint16_t port);
/* The DAC goes on to the next component; at the third a written entry is complete: into `entry`. */
void vga_dac_next_read(struct vga_state *s);
void vga_dac_next_write(struct vga_state *s, uint8_t component, uint8_t entry[3]);
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

uint16_t vbe_read(const struct vga_core *core, uint16_t index);
void vbe_write(struct vga_core *core, uint16_t index, uint16_t value);
static inline bool vbe_enabled(const struct vga_core *core)
{
    return core->s->vbe[VBE_ENABLE] & VBE_ENABLED;
}
/* As struct vga_chip has it. */
int vbe_packed(const struct vga_core *core, struct packed_mode *mode);

/* ---- vga_watch.c ----------------------------------------------------------------------------- */

/* See struct display. */
int vga_refresh_begin(struct vga_core *core, struct surface *surface);
void vga_refresh_draw(struct vga_core *core);
void vga_refresh_end(struct vga_core *core, struct display_damage *damage);
void vga_watched(struct vga_core *core, bool on);
/* A register was written: the picture may be another. */
void vga_touched(struct vga_core *core);
/* Planes whose bytes are fonts in text modes were written. */
static inline void vga_planes_written(struct vga_core *core, unsigned planes)
{
    if (planes & 0x0c)
        core->watch.font = true;
}

/* ---- vga_render.c ---------------------------------------------------------------------------- */

/* See struct display. */
int vga_render(struct vga_core *core, struct surface *surface);

/* What shows now. */
void vga_get_screen(const struct vga_core *core, struct vga_screen *screen);
/* Line y < height of it: `width` pixels. Any thread: of the adapter itself nothing is used but its
 * memory. */
void vga_draw_line(const struct vga_core *core, struct vga_scratch *scratch,
                   const struct vga_screen *screen, uint32_t y, uint32_t *out);
/* When no mode shows: the surface stays, or becomes a black one (then 1). */
int vga_draw_nothing(struct surface *surface);

/* Where line y begins in video memory. */
uint64_t packed_line_start(const struct vga_core *core, const struct packed_mode *mode, uint32_t y);

/* Line y of a CRT controller's screen: first count, row scan, pixels to drop on the left. */
struct crtc_line {
    uint32_t count, scan, pan;
};
struct crtc_line crtc_line_at(const struct crtc_view *view, uint32_t y);

/* The registers of the CRT controller as a view. 0, or -EINVAL for what no screen looks like (in
 * the middle of a mode set). */
int crtc_get_view(const struct vga_core *core, struct crtc_view *view);
void crtc_get_cursor(const struct vga_core *core, uint64_t now, struct vga_screen *screen);
/* Lines shown, and the line that follows the one that equals line compare. */
uint32_t crtc_display_lines(const struct vga_state *s);
uint32_t crtc_split_line(const struct vga_state *s);
/* ns until cursor and blinking characters change their looks. */
uint64_t crtc_cursor_change(uint64_t now);
uint64_t crtc_blink_change(uint64_t now);
/* Dword of video memory that the CRT controller shows for this count and row scan. */
uint32_t crtc_dword(const struct crtc_view *view, uint32_t count, uint32_t scan);
void vga_dac_colors(const struct vga_core *core, uint32_t color[256]);
void vga_attr_colors(const struct vga_core *core, uint32_t color[16]);

/* One line of (columns + 1) * cell_width pixels, each `repeat` times, from count on. The first says
 * whether one of its characters blinks. */
bool vga_text_line(const struct vga_core *core, const struct vga_screen *screen, uint32_t count,
                   uint32_t scan, uint32_t *out);
void vga_graphics_line(const struct vga_core *core, const struct vga_screen *screen, uint32_t count,
                       uint32_t scan, uint32_t *out);
/* One line of packed pixels: bytes of video memory into `width` pixels. */
void vga_packed_line(const struct packed_mode *mode, const uint32_t color[256],
                     const uint8_t *bytes, uint32_t *out);
/* Puts one line of the cursor over a line of the screen. */
void vga_cursor_line(const struct vga_cursor *cursor, uint32_t y, uint32_t width, uint32_t *line);

/* Eight pixels of a dword of planes, indices 0..15. */
void vga_planar_pixels(uint32_t planes, uint8_t pixel[8]);

/* ---- edid.c ---------------------------------------------------------------------------------- */

#define EDID_SIZE 128

/* An EDID 1.4 block with width x height at 60 Hz as its preferred timing (640 x 480 to 4095 x 4095;
 * 30 Hz where a pixel clock cannot be expressed). */
void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
