/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard VGA adapter on the PCI bus: 1234:1111 revision 2, as Bochs and QEMU have it.
 *
 *     legacy   ports and window of vga_core.c; dispi 1ce-1d1
 *     BAR0     video memory: guest RAM that is moved to where the BAR is, never trapped
 *     BAR2     4 KiB of registers: 000 EDID, 400 VGA ports 3c0-3df, 500 dispi, 600 byte order
 *     ROM      the VGA BIOS
 *
 * Left out: interrupts (the adapter has none), capabilities.
 */
#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "hw/pci/rom.h"
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

    DISPI_BASE = 0x1ce,
};

#define ENDIAN_LITTLE 0x1e1e1e1eu
#define ENDIAN_BIG    0xbebebebeu

struct vga {
    struct vga_core core;
    struct pci_function pci;
    struct io_region dispi;
    struct pci_rom rom;
    uint8_t edid[EDID_SIZE];
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

    vga_touched(core);
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

    vga_touched(&vga->core);
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

/* ---- life cycle ------------------------------------------------------------------------------ */

static void vga_reset(void *dev)
{
    struct vga_core *core = &((struct vga *)dev)->core;

    vga_core_reset(core);
    core->s->vbe[VBE_ID] = VBE_ID_LAST;
}

static void vram_moved(void *dev, uint64_t base)
{
    vga_core_place(&((struct vga *)dev)->core, base);
}

static void vga_loaded(void *dev)
{
    struct vga *vga = dev;

    if (vga_core_attach(&vga->core) == 0)
        /* A move that failed before the state was saved. */
        vga_core_place(&vga->core, pci_bar_address(&vga->pci, BAR_VRAM));
}

static void vga_destroy(void *dev)
{
    struct vga *vga = dev;

    vga_core_fini(&vga->core);
    iospace_remove(vga->core.io, &vga->dispi);
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        iospace_remove(vga->core.io, &vga->pci.bar[i].region);
    free(vga);
}

static const struct device_ops vga_device_ops = {
    .name = "vga", .reset = vga_reset, .loaded = vga_loaded, .destroy = vga_destroy};

static const struct vga_chip std_chip = {
    .port_read = vga_port_read,
    .port_write = vga_port_write,
    .window_read = vga_mem_read,
    .window_write = vga_mem_write,
    .packed = vbe_packed,
};

struct display *vga_display(struct vga *vga)
{
    return &vga->core.display;
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
    if (vga->rom.size)
        pci_rom_attach(fn, &vga->rom);
}

static bool edid_size_valid(const struct vga_config *config)
{
    unsigned width = config->edid_width, height = config->edid_height;

    return (width == 0 && height == 0) ||
           (width >= 640 && width <= 4095 && height >= 480 && height <= 4095);
}

int vga_create(struct vga **out, const struct dm_env *env, const struct vga_config *config)
{
    struct vga *vga;
    int err;

    if (!vga_vram_valid(config->vram) || !edid_size_valid(config) || !env->pci)
        return -EINVAL;
    vga = calloc(1, sizeof(*vga));
    if (!vga)
        return -ENOMEM;
    vga->core.vram = config->vram;
    vga->core.memory = config->vram->size;
    vga->core.chip = &std_chip;
    vga->rom = config->rom;
    edid_make(vga->edid, config->edid_width ? config->edid_width : 1280,
              config->edid_height ? config->edid_height : 800);
    vga->dispi = (struct io_region){.name = "vga dispi",
                                    .kind = IO_PORT,
                                    .base = DISPI_BASE,
                                    .length = 4,
                                    .ops = &dispi_ops,
                                    .dev = vga};

    err = vga_core_init(&vga->core, env);
    if (!err) {
        vga_reset(vga);
        describe_function(vga, config->devfn);
        err = iospace_add(env->io, &vga->dispi);
    }
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
