/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard VGA adapter on the PCI bus: 1234:1111 revision 2, as Bochs and QEMU have it.
 *
 *     legacy   ports 3b4-3b5, 3ba, 3c0-3cf, 3d4-3d5, 3da; dispi 1ce-1d1; memory a0000-bffff
 *     BAR0     video memory: guest RAM that is moved to where the BAR is, never trapped
 *     BAR2     4 KiB of registers: 000 EDID, 400 VGA ports 3c0-3df, 500 dispi, 600 byte order
 *     ROM      the VGA BIOS, an image in the core's memory
 *
 * The legacy regions answer from power-on, without regard to the command register: nothing else
 * here could answer, and firmware of every kind uses them.
 *
 * Left out: interrupts (the adapter has none), capabilities.
 */
#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "dm/log.h"
#include "hw/pci/pci.h"
#include "hw/vga/vga.h"
#include "hw/vga/vga_core.h"

enum {
    MMIO_SIZE = 0x1000,
    MMIO_EDID = 0x000,
    MMIO_PORTS = 0x400, /* + port - 0x3c0 */
    MMIO_PORTS_END = 0x420,
    MMIO_DISPI = 0x500, /* + 2 * index */
    MMIO_DISPI_END = MMIO_DISPI + 2 * VBE_COUNT,
    MMIO_QEXT_SIZE = 0x600,
    MMIO_QEXT_ENDIAN = 0x604,
    MMIO_QEXT_END = 0x608,

    BAR_VRAM = 0,
    BAR_MMIO = 2,

    ROM_BAR_MIN = 0x10000,

    DISPI_BASE = 0x1ce,
};

#define ENDIAN_LITTLE 0x1e1e1e1eu
#define ENDIAN_BIG    0xbebebebeu

#define LEGACY_PORT_REGIONS 5

struct vga {
    struct vga_core core;
    struct display display;
    struct pci_function pci;
    struct iospace *io;
    struct io_region ports[LEGACY_PORT_REGIONS];
    struct io_region dispi;
    struct io_region window;
    const uint8_t *rom;
    size_t rom_size;
    uint8_t edid[EDID_SIZE];
};

/* ---- VGA ports ------------------------------------------------------------------------------- */

/* Each region of ports knows only its offset: one pair of handlers a base. */
#define PORT_HANDLERS(base)                                                                        \
    static uint64_t read_##base(void *dev, uint64_t offset, unsigned size)                         \
    {                                                                                              \
        return vga_port_read(&((struct vga *)dev)->core, (uint16_t)(0x##base + offset));           \
    }                                                                                              \
    static void write_##base(void *dev, uint64_t offset, unsigned size, uint64_t value)            \
    {                                                                                              \
        vga_port_write(&((struct vga *)dev)->core, (uint16_t)(0x##base + offset), (uint8_t)value); \
    }                                                                                              \
    static const struct io_ops ops_##base = {.read = read_##base, .write = write_##base, .sizes = 1}

PORT_HANDLERS(3b4);
PORT_HANDLERS(3ba);
PORT_HANDLERS(3c0);
PORT_HANDLERS(3d4);
PORT_HANDLERS(3da);

static const struct {
    uint16_t base, length;
    const struct io_ops *ops;
} legacy_ports[LEGACY_PORT_REGIONS] = {
    {0x3b4, 2, &ops_3b4}, {0x3ba, 1, &ops_3ba}, {0x3c0, 16, &ops_3c0},
    {0x3d4, 2, &ops_3d4}, {0x3da, 1, &ops_3da},
};

/* ---- dispi ports ----------------------------------------------------------------------------- */

/*
 * Word ports that overlap: index at 1ce, data at 1cf and again at 1d0. Bytes are taken too: of the
 * index and at the data ports the low one, at 1d1 the high one of the data.
 */
static uint64_t dispi_read(void *dev, uint64_t offset, unsigned size)
{
    const struct vga_core *core = &((struct vga *)dev)->core;
    uint16_t value = offset == 0 ? core->s->vbe_index : vbe_read(core, core->s->vbe_index);

    return offset == 3 ? value >> 8 : value;
}

static void dispi_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vga_core *core = &((struct vga *)dev)->core;
    uint16_t index = core->s->vbe_index;

    if (offset == 0)
        core->s->vbe_index = (uint16_t)value;
    else if (size == 2)
        vbe_write(core, index, (uint16_t)value);
    else if (offset == 3)
        vbe_write(core, index, (uint16_t)((vbe_read(core, index) & 0xff) | value << 8));
    else
        vbe_write(core, index, (uint16_t)((vbe_read(core, index) & 0xff00) | value));
}

static const struct io_ops dispi_ops = {.read = dispi_read, .write = dispi_write, .sizes = 1 | 2};

/* ---- the window at 0xa0000 ------------------------------------------------------------------- */

static uint64_t window_read(void *dev, uint64_t offset, unsigned size)
{
    uint8_t bytes[8];
    uint64_t value = 0;

    vga_mem_read(&((struct vga *)dev)->core, (uint32_t)offset, bytes, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void window_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    vga_mem_write(&((struct vga *)dev)->core, (uint32_t)offset, bytes, size);
}

static size_t window_read_many(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
    vga_mem_read(&((struct vga *)dev)->core, (uint32_t)offset, buf, count * size);
    return count;
}

static size_t window_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                                size_t count)
{
    vga_mem_write(&((struct vga *)dev)->core, (uint32_t)offset, buf, count * size);
    return count;
}

static const struct io_ops window_ops = {
    .read = window_read,
    .write = window_write,
    .sizes = 1 | 2 | 4 | 8,
    .read_many = window_read_many,
    .write_many = window_write_many,
};

/* ---- BAR2 ------------------------------------------------------------------------------------ */

static uint32_t qext_read(const struct vga *vga, uint32_t reg)
{
    if (reg == MMIO_QEXT_SIZE)
        return MMIO_QEXT_END - MMIO_QEXT_SIZE;
    return vga->core.s->big_endian ? ENDIAN_BIG : ENDIAN_LITTLE;
}

static uint8_t mmio_read_byte(struct vga *vga, uint32_t at)
{
    if (at < MMIO_EDID + EDID_SIZE)
        return vga->edid[at];
    if (at >= MMIO_PORTS && at < MMIO_PORTS_END)
        return vga_port_read(&vga->core, (uint16_t)(at - MMIO_PORTS + 0x3c0));
    if (at >= MMIO_DISPI && at < MMIO_DISPI_END)
        return (uint8_t)(vbe_read(&vga->core, (uint16_t)((at - MMIO_DISPI) / 2)) >> 8 * (at & 1));
    if (at >= MMIO_QEXT_SIZE && at < MMIO_QEXT_END)
        return (uint8_t)(qext_read(vga, at & ~3u) >> 8 * (at & 3));
    return 0;
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)mmio_read_byte(dev, (uint32_t)offset + i) << 8 * i;
    return value;
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct vga *vga = dev;
    uint32_t at = (uint32_t)offset;

    if (at == MMIO_QEXT_ENDIAN && size == 4) {
        if (value == ENDIAN_LITTLE || value == ENDIAN_BIG)
            vga->core.s->big_endian = value == ENDIAN_BIG;
        return;
    }
    for (; size > 0; size -= size > 1 ? 2 : 1, at += 2, value >>= 16) {
        if (at >= MMIO_DISPI && at < MMIO_DISPI_END) {
            if (size > 1 && at % 2 == 0)
                vbe_write(&vga->core, (uint16_t)((at - MMIO_DISPI) / 2), (uint16_t)value);
        } else if (at >= MMIO_PORTS && at < MMIO_PORTS_END) {
            uint16_t port = (uint16_t)(at - MMIO_PORTS + 0x3c0);
            vga_port_write(&vga->core, port, (uint8_t)value);
            if (size > 1 && port < 0x3df)
                vga_port_write(&vga->core, (uint16_t)(port + 1), (uint8_t)(value >> 8));
        }
    }
}

static const struct io_ops mmio_ops = {.read = mmio_read, .write = mmio_write, .sizes = 1 | 2 | 4};

/* ---- ROM ------------------------------------------------------------------------------------- */

static size_t rom_read_many(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
    const struct vga *vga = dev;
    size_t length = count * size;
    size_t have = offset < vga->rom_size ? vga->rom_size - offset : 0;

    have = have < length ? have : length;
    if (have > 0)
        memcpy(buf, vga->rom + offset, have);
    memset((uint8_t *)buf + have, 0xff, length - have);
    return count;
}

static uint64_t rom_read(void *dev, uint64_t offset, unsigned size)
{
    uint8_t bytes[8];
    uint64_t value = 0;

    rom_read_many(dev, offset, 1, bytes, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void rom_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops rom_ops = {
    .read = rom_read, .write = rom_write, .sizes = 1 | 2 | 4 | 8, .read_many = rom_read_many};

/* ---- BAR0 ------------------------------------------------------------------------------------ */

static void vram_moved(void *dev, uint64_t base)
{
    struct vga_core *core = &((struct vga *)dev)->core;
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
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static void vga_reset(void *dev)
{
    struct vga_core *core = &((struct vga *)dev)->core;

    state_reset(&vga_state_desc, core->s);
    core->s->vbe[VBE_ID] = VBE_ID_LAST;
}

static void vga_loaded(void *dev)
{
    struct vga *vga = dev;
    struct vram *vram = vga->core.vram;
    uint64_t wanted = pci_bar_address(&vga->pci, BAR_VRAM);
    int err = vram->attach(vram->opaque, vga->core.s->vram_gpa);

    if (err) {
        log_error("vga: no video memory at 0x%llx: %s", (unsigned long long)vga->core.s->vram_gpa,
                  strerror(-err));
        return;
    }
    /* A move that failed before the state was saved. */
    vram_moved(vga, wanted);
}

static void vga_destroy(void *dev)
{
    struct vga *vga = dev;

    for (unsigned i = 0; i < LEGACY_PORT_REGIONS; i++)
        iospace_remove(vga->io, &vga->ports[i]);
    iospace_remove(vga->io, &vga->dispi);
    iospace_remove(vga->io, &vga->window);
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        iospace_remove(vga->io, &vga->pci.bar[i].region);
    free(vga);
}

static const struct device_ops vga_device_ops = {
    .name = "vga", .reset = vga_reset, .loaded = vga_loaded, .destroy = vga_destroy};

static int vga_update(void *dev, struct surface *surface)
{
    return vga_render(&((struct vga *)dev)->core, surface);
}

struct display *vga_display(struct vga *vga)
{
    return &vga->display;
}

uint64_t vga_vram_address(const struct vga *vga)
{
    return vga->core.s->vram_gpa;
}

static uint32_t power_of_two(uint64_t size)
{
    uint32_t power = 1;

    while (power < size)
        power <<= 1;
    return power;
}

static void describe_function(struct vga *vga, uint8_t devfn)
{
    struct pci_function *fn = &vga->pci;

    fn->name = "vga";
    fn->devfn = devfn;
    fn->vendor = 0x1234;
    fn->device = 0x1111;
    fn->subsystem_vendor = 0x1af4;
    fn->subsystem = 0x1100;
    fn->revision = 2;
    fn->class_code = 0x0300;
    fn->dev = vga;
    fn->bar[BAR_VRAM] = (struct pci_bar){.kind = PCI_BAR_MEM_PREFETCH,
                                         .size = power_of_two(vga->core.vram->size),
                                         .moved = vram_moved};
    fn->bar[BAR_MMIO] =
        (struct pci_bar){.kind = PCI_BAR_MEM,
                         .size = MMIO_SIZE,
                         .region = {.name = "vga registers", .ops = &mmio_ops, .dev = vga}};
    if (vga->rom) {
        uint64_t size = vga->rom_size < ROM_BAR_MIN ? ROM_BAR_MIN : vga->rom_size;
        fn->bar[PCI_BAR_ROM] =
            (struct pci_bar){.kind = PCI_BAR_EXPANSION,
                             .size = power_of_two(size),
                             .region = {.name = "vga rom", .ops = &rom_ops, .dev = vga}};
    }
}

static int add_regions(struct vga *vga)
{
    int err = 0;

    for (unsigned i = 0; i < LEGACY_PORT_REGIONS && !err; i++) {
        vga->ports[i] = (struct io_region){.name = "vga ports",
                                           .kind = IO_PORT,
                                           .base = legacy_ports[i].base,
                                           .length = legacy_ports[i].length,
                                           .ops = legacy_ports[i].ops,
                                           .dev = vga};
        err = iospace_add(vga->io, &vga->ports[i]);
    }
    vga->dispi = (struct io_region){.name = "vga dispi",
                                    .kind = IO_PORT,
                                    .base = DISPI_BASE,
                                    .length = 4,
                                    .ops = &dispi_ops,
                                    .dev = vga};
    vga->window = (struct io_region){.name = "vga window",
                                     .kind = IO_MEMORY,
                                     .base = VGA_WINDOW_BASE,
                                     .length = VGA_WINDOW_LENGTH,
                                     .ops = &window_ops,
                                     .dev = vga};
    if (!err)
        err = iospace_add(vga->io, &vga->dispi);
    if (!err)
        err = iospace_add(vga->io, &vga->window);
    return err;
}

static bool edid_size_valid(const struct vga_config *config)
{
    unsigned width = config->edid_width, height = config->edid_height;

    return (width == 0 && height == 0) ||
           (width >= 640 && width <= 4095 && height >= 480 && height <= 4095);
}

static bool config_valid(const struct vga_config *config)
{
    const struct vram *vram = config->vram;

    return vram && vram->move && vram->attach && vram->size >= VRAM_SIZE_MIN &&
           vram->size <= VRAM_SIZE_MAX && vram->size % 0x10000 == 0 &&
           vram->parking % 0x1000 == 0 && edid_size_valid(config) &&
           (!config->rom || (config->rom_size > 0 && config->rom_size <= VGA_ROM_MAX));
}

int vga_create(struct vga **out, const struct dm_env *env, const struct vga_config *config)
{
    struct vga *vga;
    int err;

    if (!config_valid(config) || !env->pci)
        return -EINVAL;
    vga = calloc(1, sizeof(*vga));
    if (!vga)
        return -ENOMEM;
    vga->core.vram = config->vram;
    vga->core.loop = env->loop;
    vga->display = (struct display){.update = vga_update, .dev = vga};
    vga->io = env->io;
    vga->rom = config->rom;
    vga->rom_size = config->rom_size;
    edid_make(vga->edid, config->edid_width ? config->edid_width : 1280,
              config->edid_height ? config->edid_height : 800);

    vga->core.s = arena_alloc(env->arena, "vga", &vga_state_desc);
    if (!vga->core.s) {
        free(vga);
        return -ENOMEM;
    }
    vga_reset(vga);
    vga->core.s->vram_gpa = config->vram->parking;
    describe_function(vga, config->devfn);
    err = add_regions(vga);
    if (!err)
        err = device_register(env->devices, &vga_device_ops, vga);
    if (err) {
        vga_destroy(vga);
        return err;
    }
    /* From here on the list destroys it. */
    err = pci_add(env->pci, &vga->pci);
    if (err)
        return err;
    *out = vga;
    return 0;
}
