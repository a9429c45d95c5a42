/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every model of VGA adapter has: the legacy regions, the place of the video memory, and the
 * screen.
 *
 *     ports 3b4-3b5, 3ba, 3c0-3cf, 3d4-3d5, 3da; memory a0000-bffff
 *
 * The legacy regions answer from power-on, without regard to the command register: nothing else
 * here could answer, and firmware of every kind uses them.
 */
#include "hw/vga/vga_core.h"

#include <errno.h>
#include "dm/log.h"
#include "hw/pci/pci.h"

static const struct {
    uint16_t base, length;
} legacy_ports[VGA_PORT_REGIONS] = {{0x3b4, 2}, {0x3ba, 1}, {0x3c0, 16}, {0x3d4, 2}, {0x3da, 1}};

/* ---- legacy regions -------------------------------------------------------------------------- */

static uint64_t port_read(void *dev, uint64_t offset, unsigned size)
{
    const struct vga_ports *ports = dev;

    return ports->core->chip->port_read(ports->core, (uint16_t)(ports->region.base + offset));
}

static void port_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    const struct vga_ports *ports = dev;

    ports->core->chip->port_write(ports->core, (uint16_t)(ports->region.base + offset),
                                  (uint8_t)value);
    vga_touched(ports->core);
}

static const struct io_ops port_ops = {.read = port_read, .write = port_write, .sizes = 1};

static uint64_t window_read(void *dev, uint64_t offset, unsigned size)
{
    struct vga_core *core = dev;
    uint8_t bytes[8];
    uint64_t value = 0;

    core->chip->window_read(core, (uint32_t)offset, bytes, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void window_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vga_core *core = dev;
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    core->chip->window_write(core, (uint32_t)offset, bytes, size);
}

static size_t window_read_many(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
    struct vga_core *core = dev;

    core->chip->window_read(core, (uint32_t)offset, buf, count * size);
    return count;
}

static size_t window_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                                size_t count)
{
    struct vga_core *core = dev;

    core->chip->window_write(core, (uint32_t)offset, buf, count * size);
    return count;
}

static const struct io_ops window_ops = {
    .read = window_read,
    .write = window_write,
    .sizes = 1 | 2 | 4 | 8,
    .read_many = window_read_many,
    .write_many = window_write_many,
};

static int add_regions(struct vga_core *core)
{
    int err = 0;

    for (unsigned i = 0; i < VGA_PORT_REGIONS && !err; i++) {
        struct vga_ports *ports = &core->ports[i];
        ports->core = core;
        ports->region = (struct io_region){.name = "vga ports",
                                           .kind = IO_PORT,
                                           .base = legacy_ports[i].base,
                                           .length = legacy_ports[i].length,
                                           .ops = &port_ops,
                                           .dev = ports};
        err = iospace_add(core->io, &ports->region);
    }
    core->window = (struct io_region){.name = "vga window",
                                      .kind = IO_MEMORY,
                                      .base = VGA_WINDOW_BASE,
                                      .length = VGA_WINDOW_LENGTH,
                                      .ops = &window_ops,
                                      .dev = core};
    return err ? err : iospace_add(core->io, &core->window);
}

/* ---- video memory ---------------------------------------------------------------------------- */

bool vga_vram_valid(const struct vram *vram)
{
    return vram && vram->move && vram->attach && vram->size >= VRAM_SIZE_MIN &&
           vram->size <= VRAM_SIZE_MAX && vram->size % 0x10000 == 0 && vram->parking % 0x1000 == 0;
}

void vga_core_place(struct vga_core *core, uint64_t base)
{
    struct vram *vram = core->vram;
    uint64_t to = base == PCI_UNMAPPED ? vram->parking : base;

    if (to == core->s->vram_gpa)
        return;
    int err = vram->move(vram->opaque, core->s->vram_gpa, to);
    if (err) {
        log_guest("vga: cannot move video memory from 0x%llx to 0x%llx: %s",
                  (unsigned long long)core->s->vram_gpa, (unsigned long long)to, strerror(-err));
        return;
    }
    core->s->vram_gpa = to;
    vga_touched(core);
}

int vga_core_attach(struct vga_core *core)
{
    struct vram *vram = core->vram;
    int err = vram->attach(vram->opaque, core->s->vram_gpa);

    core->watch.all = true;
    if (err)
        log_error("vga: no video memory at 0x%llx: %s", (unsigned long long)core->s->vram_gpa,
                  strerror(-err));
    return err;
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static int display_update(void *dev, struct surface *surface)
{
    return vga_render(dev, surface);
}

static int display_begin(void *dev, struct surface *surface)
{
    return vga_refresh_begin(dev, surface);
}

static void display_draw(void *dev)
{
    vga_refresh_draw(dev);
}

static void display_end(void *dev, struct display_damage *damage)
{
    vga_refresh_end(dev, damage);
}

static void display_watched(void *dev, bool on)
{
    vga_watched(dev, on);
}

void vga_core_reset(struct vga_core *core)
{
    state_reset(&vga_state_desc, core->s);
    vga_touched(core);
}

int vga_core_init(struct vga_core *core, const struct dm_env *env)
{
    core->loop = env->loop;
    core->io = env->io;
    core->display = (struct display){.update = display_update,
                                     .begin = display_begin,
                                     .draw = display_draw,
                                     .end = display_end,
                                     .watched = display_watched,
                                     .dev = core};
    core->s = arena_alloc(env->arena, "vga", &vga_state_desc);
    if (!core->s)
        return -ENOMEM;
    core->s->vram_gpa = core->vram->parking;
    return add_regions(core);
}

void vga_core_fini(struct vga_core *core)
{
    vga_watched(core, false);
    for (unsigned i = 0; i < VGA_PORT_REGIONS; i++)
        iospace_remove(core->io, &core->ports[i].region);
    iospace_remove(core->io, &core->window);
}
