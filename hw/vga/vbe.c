/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Bochs VBE registers ("VBE display API" of Bochs, up to ID 0xb0c5).
 *
 *     disabled --ENABLE bit 0--> enabled: registers are made consistent, memory cleared
 *     disabled: values are stored as they come, in any order
 *     enabled:  after each write all of them are made consistent again
 *     enabled --ENABLE 0--> disabled: bank 0; the CRT controller's own mode shows
 *
 * While a VBE mode is on, the screen comes from these registers alone, whatever the guest does to
 * the CRT controller's (CVE-2016-3712). The VGA registers are still set to something that fits,
 * because there is software that looks.
 */
#include <errno.h>
#include "hw/vga/vga_core.h"

static uint32_t bytes_for(uint32_t pixels, uint32_t bpp)
{
    return bpp == 4 ? pixels / 2 : pixels * ((bpp + 7) / 8);
}

static bool valid_bpp(uint32_t bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

int vbe_packed(const struct vga_core *core, struct packed_mode *mode)
{
    const uint16_t *vbe = core->s->vbe;
    uint64_t size = core->memory;

    if (!vbe_enabled(core))
        return 0;
    mode->bpp = vbe[VBE_BPP];
    mode->width = vbe[VBE_XRES];
    mode->height = vbe[VBE_YRES];
    if (!valid_bpp(mode->bpp) || mode->width < 8 || mode->width > VBE_MAX_XRES ||
        mode->width % 8 != 0 || mode->height == 0 || mode->height > VBE_MAX_YRES ||
        vbe[VBE_VIRT_WIDTH] < mode->width || vbe[VBE_VIRT_WIDTH] % 8 != 0)
        return -EINVAL;
    mode->pitch = bytes_for(vbe[VBE_VIRT_WIDTH], mode->bpp);
    mode->row_bytes = bytes_for(mode->width, mode->bpp);
    mode->start = (uint64_t)vbe[VBE_Y_OFFSET] * mode->pitch +
                  bytes_for(vbe[VBE_X_OFFSET] & (mode->bpp == 4 ? ~7u : ~0u), mode->bpp);
    mode->split = UINT32_MAX;
    mode->repeat = 1;
    mode->big_endian = core->s->big_endian;
    mode->blank = !(core->s->attr_index & AR_INDEX_PAS);

    uint64_t shown = (uint64_t)(mode->height - 1) * mode->pitch + mode->row_bytes;
    if (shown > size || mode->start > size - shown)
        return -EINVAL;
    return 1;
}

/* Makes the registers of an enabled mode consistent with each other and with the memory. */
static void settle(struct vga_core *core)
{
    uint16_t *vbe = core->s->vbe;
    uint64_t size = core->memory;

    if (!valid_bpp(vbe[VBE_BPP]))
        vbe[VBE_BPP] = 8;
    uint32_t bpp = vbe[VBE_BPP];

    uint32_t width = vbe[VBE_XRES] & ~7u;
    width = width < 8 ? 8 : width > VBE_MAX_XRES ? VBE_MAX_XRES : width;
    uint32_t height = vbe[VBE_YRES];
    height = height < 1 ? 1 : height > VBE_MAX_YRES ? VBE_MAX_YRES : height;
    uint32_t pixels = vbe[VBE_VIRT_WIDTH] & ~7u;
    if (pixels < width || size / bytes_for(pixels, bpp) < height)
        pixels = width;

    /* At least 16 lines of the widest mode fit into the smallest memory. */
    uint32_t pitch = bytes_for(pixels, bpp);
    uint64_t lines = size / pitch;
    if (height > lines)
        height = (uint32_t)lines;

    uint32_t y = vbe[VBE_Y_OFFSET];
    if (y + height > lines)
        y = (uint32_t)lines - height;
    /* What is left behind the last line shown; an X offset may wrap into the next line. */
    uint64_t room = size - (uint64_t)(y + height - 1) * pitch - bytes_for(width, bpp);
    uint32_t x = vbe[VBE_X_OFFSET];
    if (bytes_for(x, bpp) > room)
        x = pixels - width;
    if (bytes_for(x, bpp) > room)
        x = 0;

    vbe[VBE_XRES] = (uint16_t)width;
    vbe[VBE_YRES] = (uint16_t)height;
    vbe[VBE_VIRT_WIDTH] = (uint16_t)pixels;
    vbe[VBE_VIRT_HEIGHT] = lines > UINT16_MAX ? UINT16_MAX : (uint16_t)lines;
    vbe[VBE_X_OFFSET] = (uint16_t)x;
    vbe[VBE_Y_OFFSET] = (uint16_t)y;
}

/* The VGA registers as a BIOS would leave them in a graphics mode of this size. */
static void set_vga_registers(struct vga_core *core)
{
    struct vga_state *s = core->s;
    uint32_t pitch = bytes_for(s->vbe[VBE_VIRT_WIDTH], s->vbe[VBE_BPP]);
    uint32_t last = s->vbe[VBE_YRES] - 1u;
    bool planar = s->vbe[VBE_BPP] == 4;

    s->gfx[GR_MISC] = (uint8_t)((s->gfx[GR_MISC] & ~(3u << GMISC_MAP_SHIFT)) |
                                1u << GMISC_MAP_SHIFT | GMISC_GRAPHICS);
    s->gfx[GR_MODE] =
        (uint8_t)((s->gfx[GR_MODE] & ~(3u << MODE_SHIFT)) | (planar ? 0u : 2u << MODE_SHIFT));
    if (planar) {
        s->seq[SR_CLOCKING] &= (uint8_t)~CLOCKING_HALF;
    } else {
        s->seq[SR_MEMORY_MODE] |= MEMORY_CHAIN4;
        s->seq[SR_MAP_MASK] = 0x0f;
    }
    s->crtc[CR_MODE] |= CRMODE_ROW_SCAN_13 | CRMODE_ROW_SCAN_14;
    s->crtc[CR_OFFSET] = (uint8_t)(pitch >> 3);
    s->crtc[CR_H_DISPLAY_END] = (uint8_t)(s->vbe[VBE_XRES] / 8 - 1);
    s->crtc[CR_V_DISPLAY_END] = (uint8_t)last;
    /* Line compare beyond every line: else the lower part would show the top of memory. */
    s->crtc[CR_LINE_COMPARE] = 0xff;
    s->crtc[CR_OVERFLOW] = (uint8_t)((s->crtc[CR_OVERFLOW] & ~0x42u) | OVERFLOW_LINE_COMPARE |
                                     (last >> 7 & 0x02) | (last >> 3 & 0x40));
    s->crtc[CR_MAX_SCAN] = (uint8_t)((s->crtc[CR_MAX_SCAN] & ~0x9fu) | 0x40);
}

static void clear_screen(struct vga_core *core)
{
    struct packed_mode mode;

    if (!core->vram->base || vbe_packed(core, &mode) != 1)
        return;
    uint64_t length = (uint64_t)mode.height * mode.pitch;
    if (length > core->memory)
        length = core->memory;
    memset(core->vram->base, 0, length);
    vga_planes_written(core, 0x0f);
    vga_vram_written(core, 0, length);
}

static void write_enable(struct vga_core *core, uint16_t value)
{
    uint16_t *vbe = core->s->vbe;
    bool was = vbe[VBE_ENABLE] & VBE_ENABLED;

    vbe[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NO_CLEAR);
    if (!(value & VBE_ENABLED)) {
        vbe[VBE_BANK] = 0;
        return;
    }
    if (!was) {
        vbe[VBE_BANK] = 0;
        vbe[VBE_X_OFFSET] = 0;
        vbe[VBE_Y_OFFSET] = 0;
        vbe[VBE_VIRT_WIDTH] = 0; /* becomes the width of the screen */
    }
    settle(core);
    set_vga_registers(core);
    if (!was && !(value & VBE_NO_CLEAR))
        clear_screen(core);
}

uint16_t vbe_read(const struct vga_core *core, uint16_t index)
{
    const uint16_t *vbe = core->s->vbe;

    if (index >= VBE_COUNT)
        return 0;
    if (index == VBE_VIDEO_MEMORY_64K)
        return (uint16_t)(core->memory >> 16);
    if (vbe[VBE_ENABLE] & VBE_GETCAPS) {
        switch (index) {
        case VBE_XRES:
            return VBE_MAX_XRES;
        case VBE_YRES:
            return VBE_MAX_YRES;
        case VBE_BPP:
            return VBE_MAX_BPP;
        default:
            break;
        }
    }
    return vbe[index];
}

void vbe_write(struct vga_core *core, uint16_t index, uint16_t value)
{
    uint16_t *vbe = core->s->vbe;

    switch (index) {
    case VBE_ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
            vbe[VBE_ID] = value;
        break;
    case VBE_ENABLE:
        write_enable(core, value);
        break;
    case VBE_BANK:
        /* Of no weight for safety: each access checks its final offset. */
        vbe[VBE_BANK] = (uint16_t)(value % (core->memory >> 16));
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        vbe[index] = value;
        if (vbe_enabled(core)) {
            settle(core);
            set_vga_registers(core);
        }
        break;
    default: /* VIRT_HEIGHT and VIDEO_MEMORY_64K are read-only */
        break;
    }
}
