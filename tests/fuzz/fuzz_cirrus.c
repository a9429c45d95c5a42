/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CL-GD5446: registers, blits with sources of both kinds, windows, aperture, cursor, drawing.
 * The input is a row of operations as a guest and the host may do them; video memory, all of it
 * the chip's, lies between guard pages, so no parameter of a blit may reach one byte beside it.
 *
 * Checked besides: the state stays one that a load would accept; what a watcher has been told is
 * the whole truth about the screen; a blit leaves the busy bit clear unless it waits for data.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/vga/cirrus_core.h"
#include "tests/fuzz/machine_ops.h"
#include "tests/hw/vga/testvga.h"

#define VRAM_BYTES (1u << 20)
#define FB         0xf0000000u
#define MMIO       0xf3010000u
#define MAX_LOOKS  2
#define MAX_STARTS 4

static struct testvga t;
static struct vga_state *vga_state;
static struct cirrus_state *cirrus_state;
static unsigned looks, starts;

static int find(void *opaque, const char *name, const struct state_desc *desc, void *object)
{
    if (desc == &vga_state_desc)
        vga_state = object;
    if (desc == &cirrus_state_desc)
        cirrus_state = object;
    return 0;
}

static void check_state(void)
{
    fuzz_require(state_check(&vga_state_desc, vga_state) == NULL, "vga state");
    fuzz_require(state_check(&cirrus_state_desc, cirrus_state) == NULL, "cirrus state");
    fuzz_require(vga_state->vram_gpa == t.at, "place of the frames");
    fuzz_require((cirrus_state->feeding || cirrus_state->drawing) ==
                     ((cirrus_state->gr[GR_BLT_START] & BLT_STATUS_BUSY) != 0),
                 "busy bit");
}

/* A watcher's look, compared with a picture drawn from nothing. */
static void look(void)
{
    struct surface truth = {0};

    if (looks++ >= MAX_LOOKS)
        return;
    testvga_refresh(&t);
    /* In the middle of a mode set the picture stays, whatever it was. */
    if (surface_copy(&truth, &t.screen) == 0 && t.display->update(t.display->dev, &truth) == 0) {
        fuzz_require(truth.width == t.screen.width && truth.height == t.screen.height, "size");
        fuzz_require(
            memcmp(truth.pixels, t.screen.pixels, (size_t)truth.width * truth.height * 4) == 0,
            "damage is missing");
    }
    surface_fini(&truth);
}

/* A mode with few pixels: drawing is what takes time here. */
static void set_small_mode(unsigned bpp)
{
    testvga_cirrus_mode(&t, bpp);
    testvga_crtc(&t, 0x11, 0);
    testvga_crtc(&t, 0x01, 15);
    testvga_crtc(&t, 0x12, 63);
    testvga_crtc(&t, 0x07, 0);
    testvga_crtc(&t, 0x13, (uint8_t)(128 * ((bpp + 7) / 8) / 8));
    testvga_crtc(&t, 0x1b, 0x22);
}

static void begin(void)
{
    static bool made;

    if (!made) {
        testvga_init_cirrus(&t, VRAM_BYTES);
        arena_each(t.m.env.arena, find, NULL);
        made = true;
    }
    t.display->watched(t.display->dev, false);
    device_reset_all(t.m.env.devices);
    memset(t.vram.base, 0x3c, VRAM_BYTES);
    memset(t.guest_wrote, 0, VRAM_BYTES / 4096);
    t.m.now = 1000000000;
    surface_fini(&t.screen);
    looks = starts = 0;
    testvga_config_write(&t, 0x10, FB);
    testvga_config_write(&t, 0x14, MMIO);
    testvga_config_write(&t, 0x04, 0x02);
    set_small_mode(8);
    t.display->watched(t.display->dev, true);
}

/* The blitter's registers at once; random bytes seldom make a blit. */
static void blit(struct fuzz_input *in)
{
    uint32_t mode = fuzz_u8(in);

    if (starts++ >= MAX_STARTS)
        return;
    machine_write(&t.m, MMIO + 0x108, 4,
                  fuzz_u32(in) & (fuzz_u8(in) & 1 ? 0x07ff1fff : 0x001f00ff));
    machine_write(&t.m, MMIO + 0x10c, 4, fuzz_u32(in));
    machine_write(&t.m, MMIO + 0x110, 4, fuzz_u32(in));
    machine_write(&t.m, MMIO + 0x114, 4, fuzz_u32(in));
    machine_write(&t.m, MMIO + 0x118, 4,
                  mode | (uint32_t)fuzz_u8(in) << 16 | (uint32_t)fuzz_u8(in) << 24);
    machine_write(&t.m, MMIO + 0x140, 1, 0);
    machine_write(&t.m, MMIO + 0x140, 1, 2);
}

static void feed(struct fuzz_input *in, uint64_t at)
{
    uint8_t bytes[1024];
    size_t count = fuzz_u8(in) * 4u + 4;

    memset(bytes, fuzz_u8(in), sizeof(bytes));
    io_write_string(t.m.env.io, IO_MEMORY, at, 4, 1, bytes, count / 4);
}

static void set_register(struct fuzz_input *in)
{
    uint8_t file = fuzz_u8(in), index = fuzz_u8(in), value = fuzz_u8(in);

    /* What starts blits is counted: they are what takes time here. */
    if (file % 4 == 1 && (index & 0x3f) == GR_BLT_START && starts++ >= MAX_STARTS)
        value = 0;
    switch (file % 4) {
    case 0:
        testvga_seq(&t, index, value);
        break;
    case 1:
        testvga_gfx(&t, index & 0x3f, value);
        if (cirrus_state->gr[GR_BLT_START] & BLT_STATUS_AUTOSTART)
            testvga_gfx(&t, GR_BLT_START, 0);
        break;
    case 2:
        testvga_crtc(&t, index % 0x28, value);
        break;
    default:
        testvga_attr(&t, index % 0x18, value);
        break;
    }
}

static void one(struct fuzz_input *in)
{
    uint8_t op = fuzz_u8(in);
    unsigned size = 1u << (op >> 6);
    uint32_t a = fuzz_u32(in);

    switch (op & 15) {
    case 0:
        a = 0xa0000 + a % 0x20000;
        if (a < 0xb8000 || a >= 0xb8100 || starts++ < MAX_STARTS)
            machine_write(&t.m, a, size, fuzz_u32(in));
        break;
    case 1:
        machine_read(&t.m, 0xa0000 + a % 0x20000, size);
        break;
    case 2: /* where the frames are the guest writes to memory */
        if (t.at == FB)
            testvga_guest_write(&t, a % (VRAM_BYTES - 8), &a, 4);
        else
            machine_write(&t.m, FB + a % VRAM_BYTES, size, fuzz_u32(in));
        break;
    case 3:
        machine_read(&t.m, FB + a % (32u << 20), size);
        break;
    case 4:
        feed(in, FB + (16u << 20) + a % 0x1000);
        break;
    case 5:
        feed(in, 0xa0000 + a % 0x1f000);
        break;
    case 6:
    case 7:
        blit(in);
        break;
    case 8:
        set_register(in);
        break;
    case 9: {
        uint16_t port = (uint16_t)(0x3b4 + a % 0x28);
        if (port < 0x3cd || port > 0x3cf || starts++ < MAX_STARTS)
            machine_out(&t.m, port, size > 2 ? 1 : size, fuzz_u8(in));
        break;
    }
    case 10:
        machine_in(&t.m, (uint16_t)(0x3b4 + a % 0x28), size > 4 ? 4 : size);
        break;
    case 11:
        machine_advance(&t.m, a % 100000000);
        break;
    case 12:
        look();
        break;
    case 13:
        if (op & 0x40)
            device_reset_all(t.m.env.devices);
        else
            fuzz_require(machine_save_load(&t.m) == NULL, "save and load");
        break;
    case 14:
        testvga_config_write(&t, (a & 0x34), fuzz_u32(in));
        break;
    default:
        set_small_mode((unsigned[]){8, 15, 16, 24, 32}[a % 5]);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    begin();
    for (unsigned n = 0; n < 200 && in.left > 0; n++) {
        one(&in);
        check_state();
    }
    if (vga_state->crtc[CR_OVERFLOW] == 0)
        look();
    return 0;
}
