/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/vga/testvga.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD 0x1000u

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "testvga: %s\n", what);
        abort();
    }
}

/* ---- video memory ---------------------------------------------------------------------------- */

static int vram_move(void *opaque, uint64_t from, uint64_t to)
{
    struct testvga *t = opaque;

    if (t->move_error)
        return t->move_error;
    must(from == t->at, "frames moved from where they are not");
    t->at = to;
    t->moves++;
    return 0;
}

static int vram_attach(void *opaque, uint64_t gpa)
{
    struct testvga *t = opaque;

    t->attaches++;
    if (t->attach_error)
        return t->attach_error;
    t->at = gpa;
    return 0;
}

/* As Xen does it: a new range is all dirty, once. */
static int vram_dirty(void *opaque, uint64_t offset, uint64_t length, uint64_t *bitmap)
{
    struct testvga *t = opaque;
    bool again = t->log_first == offset && t->log_length == length;
    int found = 0;

    must(offset % 4096 == 0 && length % 4096 == 0 && length > 0, "a range of pages");
    must(length <= t->vram.size && offset <= t->vram.size - length, "inside the memory");
    must(t->at != TESTVGA_PARKING, "dirty log of the parking place");
    t->log_asked++;
    if (t->log_error)
        return t->log_error;
    t->log_first = offset;
    t->log_length = length;
    memset(bitmap, 0, (length / 4096 + 63) / 64 * 8);
    for (uint64_t page = 0; page < length / 4096; page++) {
        uint8_t *wrote = &t->guest_wrote[offset / 4096 + page];
        if (!again || *wrote) {
            bitmap[page / 64] |= UINT64_C(1) << page % 64;
            found = 1;
        }
        *wrote = 0;
    }
    return found;
}

static void vram_dirty_stop(void *opaque)
{
    ((struct testvga *)opaque)->log_length = 0;
}

static void vram_written(void *opaque, uint64_t offset, uint64_t length)
{
    struct testvga *t = opaque;

    must(length <= t->vram.size && offset <= t->vram.size - length, "write reported out of bounds");
    if (offset < t->written_low)
        t->written_low = offset;
    if (offset + length > t->written_high)
        t->written_high = offset + length;
}

static void init(struct testvga *t, uint64_t vram_size)
{
    memset(t, 0, sizeof(*t));
    uint8_t *area = mmap(NULL, vram_size + 2 * GUARD, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(area != MAP_FAILED && mprotect(area + GUARD, vram_size, PROT_READ | PROT_WRITE) == 0,
         "no memory");
    t->vram = (struct vram){.base = area + GUARD,
                            .size = vram_size,
                            .parking = TESTVGA_PARKING,
                            .move = vram_move,
                            .attach = vram_attach,
                            .written = vram_written,
                            .dirty = vram_dirty,
                            .dirty_stop = vram_dirty_stop,
                            .opaque = t};
    t->guest_wrote = calloc(1, vram_size / 4096);
    must(t->guest_wrote, "no memory");
    t->at = TESTVGA_PARKING;
    t->written_low = UINT64_MAX;
    for (size_t i = 0; i < sizeof(t->rom); i++)
        t->rom[i] = (uint8_t)(i * 7 + i / 256);
    machine_init_pci(&t->m);
}

void testvga_init(struct testvga *t, uint64_t vram_size)
{
    init(t, vram_size);
    struct vga_config config = {
        .devfn = TESTVGA_DEVFN, .vram = &t->vram, .rom = {.image = t->rom, .size = sizeof(t->rom)}};
    must(vga_create(&t->vga, &t->m.env, &config) == 0, "vga_create");
    t->display = vga_display(t->vga);
    machine_start(&t->m);
}

void testvga_init_cirrus(struct testvga *t, uint64_t vram_size)
{
    init(t, vram_size);
    struct cirrus_config config = {
        .devfn = TESTVGA_DEVFN, .vram = &t->vram, .rom = {.image = t->rom, .size = sizeof(t->rom)}};
    must(cirrus_create(&t->cirrus, &t->m.env, &config) == 0, "cirrus_create");
        machine_settle(&t->m); /* memory is filled in the first turn */
    t->display = cirrus_display(t->cirrus);
    machine_start(&t->m);
}

void testvga_fini(struct testvga *t)
{
    surface_fini(&t->screen);
    machine_fini(&t->m);
    free(t->guest_wrote);
    munmap(t->vram.base - GUARD, t->vram.size + 2 * GUARD);
}

/* ---- registers ------------------------------------------------------------------------------- */

void testvga_config_write(struct testvga *t, unsigned reg, uint32_t value)
{
    pci_config_write(t->m.env.pci, TESTVGA_DEVFN, reg, 4, value);
}

uint32_t testvga_config_read(struct testvga *t, unsigned reg)
{
    return pci_config_read(t->m.env.pci, TESTVGA_DEVFN, reg, 4);
}

void testvga_seq(struct testvga *t, uint8_t index, uint8_t value)
{
    machine_out(&t->m, 0x3c4, 2, index | value << 8);
}

void testvga_gfx(struct testvga *t, uint8_t index, uint8_t value)
{
    machine_out(&t->m, 0x3ce, 2, index | value << 8);
}

void testvga_crtc(struct testvga *t, uint8_t index, uint8_t value)
{
    machine_out(&t->m, 0x3d4, 2, index | value << 8);
}

void testvga_attr(struct testvga *t, uint8_t index, uint8_t value)
{
    machine_in(&t->m, 0x3da, 1);
    machine_out(&t->m, 0x3c0, 1, index | 0x20);
    machine_out(&t->m, 0x3c0, 1, value);
}

void testvga_dac(struct testvga *t, uint8_t index, uint8_t r, uint8_t g, uint8_t b)
{
    machine_out(&t->m, 0x3c8, 1, index);
    machine_out(&t->m, 0x3c9, 1, r);
    machine_out(&t->m, 0x3c9, 1, g);
    machine_out(&t->m, 0x3c9, 1, b);
}

void testvga_dispi(struct testvga *t, uint16_t index, uint16_t value)
{
    machine_out(&t->m, 0x1ce, 2, index);
    machine_out(&t->m, 0x1cf, 2, value);
}

uint16_t testvga_dispi_read(struct testvga *t, uint16_t index)
{
    machine_out(&t->m, 0x1ce, 2, index);
    return (uint16_t)machine_in(&t->m, 0x1cf, 2);
}

/* ---- modes ----------------------------------------------------------------------------------- */

#define TEXT_ATTR                                                                                  \
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define IDENTITY_ATTR 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

const struct testvga_mode testvga_mode_03 = {
    .misc = 0x67,
    .seq = {0x03, 0x00, 0x03, 0x00, 0x02},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    .attr = {TEXT_ATTR, 0x0c, 0x00, 0x0f, 0x08},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},
};
const struct testvga_mode testvga_mode_01 = {
    .misc = 0x67,
    .seq = {0x03, 0x08, 0x03, 0x00, 0x02},
    .crtc = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    .attr = {TEXT_ATTR, 0x0c, 0x00, 0x0f, 0x08},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},
};
const struct testvga_mode testvga_mode_04 = {
    .misc = 0x63,
    .seq = {0x03, 0x09, 0x03, 0x00, 0x02},
    .crtc = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
    .attr = {0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11,
             0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00, 0x03, 0x00},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x00, 0xff},
};
const struct testvga_mode testvga_mode_06 = {
    .misc = 0x63,
    .seq = {0x03, 0x01, 0x01, 0x00, 0x06},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
    .attr = {0x00, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
             0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x01, 0x00, 0x01, 0x00},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0d, 0x00, 0xff},
};
const struct testvga_mode testvga_mode_0d = {
    .misc = 0x63,
    .seq = {0x03, 0x09, 0x0f, 0x00, 0x06},
    .crtc = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
    .attr = {IDENTITY_ATTR, 0x01, 0x00, 0x0f, 0x00},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff},
};
const struct testvga_mode testvga_mode_12 = {
    .misc = 0xe3,
    .seq = {0x03, 0x01, 0x0f, 0x00, 0x06},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
    .attr = {IDENTITY_ATTR, 0x01, 0x00, 0x0f, 0x00},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff},
};
const struct testvga_mode testvga_mode_13 = {
    .misc = 0x63,
    .seq = {0x03, 0x01, 0x0f, 0x00, 0x0e},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
             0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    .attr = {IDENTITY_ATTR, 0x41, 0x00, 0x0f, 0x00},
    .gfx = {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff},
};

void testvga_set_mode(struct testvga *t, const struct testvga_mode *mode)
{
    if (t->vga)
        testvga_dispi(t, 4, 0);
    machine_out(&t->m, 0x3c2, 1, mode->misc);
    for (uint8_t i = 0; i < sizeof(mode->seq); i++)
        testvga_seq(t, i, mode->seq[i]);
    testvga_crtc(t, 0x11, 0); /* lifts the write protection */
    for (uint8_t i = 0; i < sizeof(mode->crtc); i++)
        testvga_crtc(t, i, mode->crtc[i]);
    for (uint8_t i = 0; i < sizeof(mode->gfx); i++)
        testvga_gfx(t, i, mode->gfx[i]);
    for (uint8_t i = 0; i < sizeof(mode->attr); i++)
        testvga_attr(t, i, mode->attr[i]);
    machine_out(&t->m, 0x3c6, 1, 0xff);
}

void testvga_cirrus_mode(struct testvga *t, unsigned bpp)
{
    static const uint8_t sr7[5] = {0xf1, 0xf7, 0xf5, 0xf9};
    unsigned bytes = (bpp + 7) / 8, pitch = 640 * bytes / 8;

    testvga_set_mode(t, &testvga_mode_12);
    testvga_seq(t, 4, 0x0e);
    testvga_gfx(t, 5, 0x40);
    testvga_seq(t, 6, 0x12);
    testvga_seq(t, 7, sr7[bytes - 1]);
    testvga_crtc(t, 0x13, (uint8_t)pitch);
    testvga_crtc(t, 0x1b, (uint8_t)(0x22 | (pitch >> 8) << 4));
    for (unsigned i = 0; i < 4; i++)
        machine_in(&t->m, 0x3c6, 1);
    machine_out(&t->m, 0x3c6, 1, bpp == 15 ? 0xf0 : bpp == 16 ? 0xe1 : bpp > 16 ? 0xe5 : 0);
}

void testvga_vbe_mode(struct testvga *t, uint16_t width, uint16_t height, uint16_t bpp)
{
    testvga_dispi(t, 4, 0);
    testvga_dispi(t, 3, bpp);
    testvga_dispi(t, 1, width);
    testvga_dispi(t, 2, height);
    testvga_dispi(t, 5, 0);
    testvga_dispi(t, 4, 0x41);
    machine_in(&t->m, 0x3da, 1);
    machine_out(&t->m, 0x3c0, 1, 0x20);
}

/* ---- the picture ----------------------------------------------------------------------------- */

void testvga_guest_write(struct testvga *t, uint64_t offset, const void *bytes, size_t length)
{
    must(offset + length <= t->vram.size, "a write beside video memory");
    memcpy(t->vram.base + offset, bytes, length);
    for (uint64_t page = offset / 4096; page <= (offset + length - 1) / 4096; page++)
        t->guest_wrote[page] = 1;
}

struct display_damage testvga_refresh(struct testvga *t)
{
    struct display *display = t->display;
    struct display_damage damage;

    int todo = display->begin(display->dev, &t->screen);

    must(todo >= 0, "refresh failed");
    if (todo > 0)
        display->draw(display->dev);
    display->end(display->dev, &damage);
    must(damage.count <= DISPLAY_DAMAGE_MAX, "too many rectangles");
    for (unsigned i = 0; i < damage.count; i++) {
        const struct display_rect *r = &damage.rects[i];
        must(r->width > 0 && r->height > 0 && r->x < t->screen.width && r->y < t->screen.height &&
                 r->width <= t->screen.width - r->x && r->height <= t->screen.height - r->y,
             "damage outside the surface");
    }
    return damage;
}

void testvga_update(struct testvga *t)
{
    struct display *display = t->display;

    surface_fini(&t->screen);
    must(display->update(display->dev, &t->screen) == 0, "update failed");
}

uint32_t testvga_pixel(const struct testvga *t, uint32_t x, uint32_t y)
{
    must(x < t->screen.width && y < t->screen.height, "pixel outside the screen");
    return surface_row(&t->screen, y)[x];
}
