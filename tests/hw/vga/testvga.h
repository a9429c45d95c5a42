/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VGA adapter of either model on the fake machine, with video memory between guard pages:
 * whatever reads or writes one byte beside it ends the test.
 */
#ifndef TESTS_HW_VGA_TESTVGA_H
#define TESTS_HW_VGA_TESTVGA_H

#include "hw/pci/pci.h"
#include "hw/vga/cirrus.h"
#include "hw/vga/vga.h"
#include "tests/harness/machine.h"

#define TESTVGA_DEVFN   PCI_DEVFN(3, 0)
#define TESTVGA_PARKING 0x110000000ull

struct testvga {
    struct machine m;
    struct vga *vga; /* one of the two */
    struct cirrus *cirrus;
    struct display *display;
    struct vram vram;
    struct surface screen;
    uint8_t rom[64 << 10];

    uint64_t at; /* where the frames are */
    unsigned moves, attaches;
    int move_error, attach_error;
    uint64_t written_low, written_high; /* what the device has reported, [low, high) */

    /* The dirty log of the linear frame buffer: a byte a page. */
    uint8_t *guest_wrote;
    uint64_t log_first, log_length; /* the range followed; length 0: none */
    int log_error;
    unsigned log_asked;
};

/* vram_size in bytes; everything is registered, BARs are not assigned. */
void testvga_init(struct testvga *t, uint64_t vram_size);
void testvga_init_cirrus(struct testvga *t, uint64_t vram_size);
void testvga_fini(struct testvga *t);

void testvga_config_write(struct testvga *t, unsigned reg, uint32_t value);
uint32_t testvga_config_read(struct testvga *t, unsigned reg);

/* Register files by index. */
void testvga_seq(struct testvga *t, uint8_t index, uint8_t value);
void testvga_gfx(struct testvga *t, uint8_t index, uint8_t value);
void testvga_crtc(struct testvga *t, uint8_t index, uint8_t value);
void testvga_attr(struct testvga *t, uint8_t index, uint8_t value);
void testvga_dac(struct testvga *t, uint8_t index, uint8_t r, uint8_t g, uint8_t b);
void testvga_dispi(struct testvga *t, uint16_t index, uint16_t value);
uint16_t testvga_dispi_read(struct testvga *t, uint16_t index);

/* The registers of the BIOS's video modes, as the IBM VGA has them. */
struct testvga_mode {
    uint8_t misc, seq[5], crtc[25], attr[20], gfx[9];
};
extern const struct testvga_mode testvga_mode_03; /* 80 x 25 text, 9 x 16 */
extern const struct testvga_mode testvga_mode_01; /* 40 x 25 text */
extern const struct testvga_mode testvga_mode_04; /* 320 x 200, 4 colours */
extern const struct testvga_mode testvga_mode_06; /* 640 x 200, 2 colours */
extern const struct testvga_mode testvga_mode_0d; /* 320 x 200, 16 colours */
extern const struct testvga_mode testvga_mode_12; /* 640 x 480, 16 colours */
extern const struct testvga_mode testvga_mode_13; /* 320 x 200, 256 colours */
void testvga_set_mode(struct testvga *t, const struct testvga_mode *mode);

/* Sets a packed mode of the Cirrus: 640 x 480 of 8 to 32 bits, the pitch just wide enough. */
void testvga_cirrus_mode(struct testvga *t, unsigned bpp);

/* Sets a VBE mode as the VGA BIOS does. */
void testvga_vbe_mode(struct testvga *t, uint16_t width, uint16_t height, uint16_t bpp);

/* The guest writes to the linear frame buffer, `offset` bytes into it. */
void testvga_guest_write(struct testvga *t, uint64_t offset, const void *bytes, size_t length);

/* A watcher's next look at t->screen, as it was left by the last one. */
struct display_damage testvga_refresh(struct testvga *t);

/* Draws into t->screen, which is made new first; a failure ends the test. */
void testvga_update(struct testvga *t);
uint32_t testvga_pixel(const struct testvga *t, uint32_t x, uint32_t y);

#endif
