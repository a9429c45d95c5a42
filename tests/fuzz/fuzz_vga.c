/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VGA and VBE registers, the legacy window and the drawing code. The input is a row of operations
 * as a guest and the host may do them; video memory lies between guard pages.
 *
 * Checked besides what the sanitizers see: the state stays one that a load would accept, the
 * picture stays within the caps, reports of written memory stay within the memory (testvga.c), what
 * a watcher is told is the whole truth, and a state that is saved and loaded shows the same
 * picture.
 */
#include <stdlib.h>
#include <string.h>
#include "hw/vga/vga_core.h"
#include "tests/hw/vga/testvga.h"

#define VRAM_BYTES  (1u << 20)
#define MMIO_BASE   0xf3010000u
#define MAX_UPDATES 2

static struct testvga t;
static struct vga_state *vga_state;

struct input {
    const uint8_t *data;
    size_t left;
};

static uint8_t u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

static uint32_t u16(struct input *in)
{
    uint32_t low = u8(in);

    return low | (uint32_t)u8(in) << 8;
}

static uint64_t u64(struct input *in)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value |= (uint64_t)u16(in) << 16 * i;
    return value;
}

static void require(bool ok)
{
    if (!ok)
        abort();
}

static int find_vga(void *opaque, const char *name, const struct state_desc *desc, void *object)
{
    if (desc == &vga_state_desc)
        vga_state = object;
    return 0;
}

static void check_state(void)
{
    require(state_check(&vga_state_desc, vga_state) == NULL);
    require(vga_state->vram_gpa == t.at);
}

static void update(void)
{
    if (t.display->update(t.display->dev, &t.screen))
        return;
    require((uint64_t)t.screen.width * t.screen.height <= SURFACE_MAX_PIXELS);
    require(t.screen.width > 0 && t.screen.height > 0);
}

/* A watcher's look at a surface of its own, compared with a picture drawn from nothing. */
static void look(void)
{
    static struct surface watched;
    struct surface truth = {0}, screen = t.screen;

    t.screen = watched;
    testvga_refresh(&t);
    watched = t.screen;
    t.screen = screen;
    /* In the middle of a mode set the picture stays, whatever it was. */
    if (surface_copy(&truth, &watched) == 0 && t.display->update(t.display->dev, &truth) == 0) {
        require(truth.width == watched.width && truth.height == watched.height);
        require(memcmp(truth.pixels, watched.pixels, (size_t)truth.width * truth.height * 4) == 0);
    }
    surface_fini(&truth);
}

static void save_and_load(void)
{
    struct surface before = {0};

    surface_fini(&t.screen);
    update();
    require(surface_copy(&before, &t.screen) == 0);
    require(machine_save_load(&t.m) == NULL);
    check_state();
    surface_fini(&t.screen);
    update();
    require(before.width == t.screen.width && before.height == t.screen.height);
    require(memcmp(before.pixels, t.screen.pixels, (size_t)before.width * before.height * 4) == 0);
    surface_fini(&before);
}

static void start(void)
{
    static bool made;

    if (!made) {
        testvga_init(&t, VRAM_BYTES);
        arena_each(t.m.env.arena, find_vga, NULL);
        made = true;
    }
    device_reset_all(t.m.env.devices);
    memset(t.vram.base, 0, VRAM_BYTES);
    t.m.now = 1000000000;
    t.move_error = 0;
    surface_fini(&t.screen);
    memset(t.guest_wrote, 0, VRAM_BYTES / 4096);
    t.display->watched(t.display->dev, false);
    t.display->watched(t.display->dev, true);
    testvga_config_write(&t, 0x10, 0xf0000000);
    testvga_config_write(&t, 0x18, MMIO_BASE);
    testvga_config_write(&t, 0x30, 0xf3000001);
    testvga_config_write(&t, 0x04, 0x02);
}

static uint16_t pick_port(struct input *in)
{
    static const uint16_t ports[] = {0x1ce, 0x1cf, 0x1d0, 0x1d1, 0x3b4, 0x3b5, 0x3ba, 0x3c0, 0x3c1,
                                     0x3c2, 0x3c3, 0x3c4, 0x3c5, 0x3c6, 0x3c7, 0x3c8, 0x3c9, 0x3ca,
                                     0x3cb, 0x3cc, 0x3cd, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da};

    return ports[u8(in) % (sizeof(ports) / sizeof(ports[0]))];
}

/* A whole register file at once: random bytes seldom make a mode. */
static void set_mode(struct input *in)
{
    static const struct testvga_mode *const modes[] = {
        &testvga_mode_03, &testvga_mode_01, &testvga_mode_04, &testvga_mode_06,
        &testvga_mode_0d, &testvga_mode_12, &testvga_mode_13};

    testvga_set_mode(&t, modes[u8(in) % (sizeof(modes) / sizeof(modes[0]))]);
}

static void one(struct input *in, unsigned *updates)
{
    uint8_t buf[512];
    uint8_t op = u8(in);
    unsigned size = 1u << (op >> 6);

    switch (op & 15) {
    case 0:
        machine_out(&t.m, pick_port(in), size > 4 ? 4 : size, u64(in));
        break;
    case 1:
        machine_in(&t.m, pick_port(in), size > 4 ? 4 : size);
        break;
    case 2: {
        uint32_t at = 0xa0000 + (u8(in) & 1) * 0x10000u + u16(in);
        machine_write(&t.m, at, size, u64(in));
        break;
    }
    case 3:
        machine_read(&t.m, 0xa0000 + (u8(in) & 1) * 0x10000u + u16(in), size);
        break;
    case 4:
    case 5: {
        uint32_t at = 0xa0000 + (u8(in) & 1) * 0x10000u + u16(in);
        size_t count = u8(in) % (sizeof(buf) / 8) + 1u;
        int step = op & 0x10 ? -1 : 1;
        memset(buf, u8(in), sizeof(buf));
        if (op & 1)
            io_read_string(t.m.env.io, IO_MEMORY, at, size, step, buf, count);
        else
            io_write_string(t.m.env.io, IO_MEMORY, at, size, step, buf, count);
        break;
    }
    case 6:
        machine_write(&t.m, MMIO_BASE + (u16(in) & 0xfff), size, u64(in));
        break;
    case 7:
        machine_read(&t.m, MMIO_BASE - 0x10000 + (u16(in) * 2u), size);
        break;
    case 8:
        testvga_config_write(&t, u8(in) & 0x3c, (uint32_t)u64(in));
        break;
    case 9:
        if ((*updates)++ < MAX_UPDATES)
            look();
        break;
    case 10:
        t.m.now += u64(in) >> 20;
        break;
    case 11:
        if (op & 0x40)
            device_reset_all(t.m.env.devices);
        else if ((*updates)++ < MAX_UPDATES)
            save_and_load();
        break;
    case 12: {
        uint8_t index = u8(in), value = u8(in);
        if ((op >> 4) == 0)
            testvga_seq(&t, index, value);
        else if ((op >> 4) == 1)
            testvga_gfx(&t, index, value);
        else if ((op >> 4) == 2)
            testvga_attr(&t, index, value);
        else
            testvga_crtc(&t, index % 0x1a, value);
        break;
    }
    case 13: {
        uint16_t index = u8(in) % 12;
        testvga_dispi(&t, index, (uint16_t)u16(in));
        break;
    }
    case 14: /* the guest writes through the linear frame buffer, where there is one */
        memset(buf, u8(in), sizeof(buf));
        if (t.at != TESTVGA_PARKING)
            testvga_guest_write(&t, u64(in) & (VRAM_BYTES / 2 - 1), buf, u16(in) % sizeof(buf) + 1);
        break;
    default:
        t.move_error = op & 0x10 ? -12 : 0;
        set_mode(in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    unsigned updates = 0;

    start();
    for (unsigned n = 0; n < 400 && in.left > 0; n++) {
        one(&in, &updates);
        check_state();
    }
    if (updates == 0 && size % 4 == 0) /* drawing is what takes time here */
        update();
    return 0;
}
