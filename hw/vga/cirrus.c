/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Cirrus Logic CL-GD5446 on the PCI bus: its place in the machine. The chip's parts are in
 * cirrus_regs.c, cirrus_mem.c, cirrus_blt.c, cirrus_rect.c, cirrus_rop.c and cirrus_screen.c.
 *
 *     legacy   ports and window of vga_core.c
 *     BAR0     32 MiB: 0 linear frame buffer, 16 MiB source data of blits (write only)
 *     BAR1     4 KiB: 000 ports from 3c0 on, 100 registers of the blitter
 *     ROM      the VGA BIOS
 *
 * The frame buffer is the guest's RAM at BAR0, where the guest draws without being seen. While the
 * registers say that its bytes are more than memory, the frames are parked and accesses trapped:
 *
 *     direct --special (cirrus_mem.c)--> trapped
 *     trapped --no longer special--> direct
 *     trapped by a blit from the processor --its end--> lingering --50 ms, or 64 accesses that are
 *         no data--> direct
 *
 * since drivers draw text as many small blits, and moving the frames each time would cost more
 * than the blits. Where the frames are does not show: a trapped access gives the same.
 *
 * Left out: interrupts (none is wired), AGP, the video port, DMA to or from the frame buffer while
 * it is trapped (DMA reaches memory, and there is none then).
 */
#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "hw/pci/pci.h"
#include "hw/vga/cirrus_core.h"

enum {
    BAR_VRAM = 0,
    BAR_MMIO = 1,

    BAR_VRAM_SIZE = 32 << 20,
    APERTURE_OFFSET = 16 << 20,
    APERTURE_SIZE = 4 << 20,

    MMIO_SIZE = 0x1000,
    MMIO_PORTS_END = 0x100,
    MMIO_BLITTER = 0x100,
    MMIO_BLITTER_END = 0x200,

    LINGER_NS = 50000000,
    LINGER_ACCESSES = 64,
};

/* ---- BAR1 ------------------------------------------------------------------------------------ */

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size)
{
    struct cirrus *c = dev;

    if (offset < MMIO_PORTS_END)
        return cirrus_port_read(&c->core, (uint16_t)(0x3c0 + offset));
    return offset < MMIO_BLITTER_END ? cirrus_mmio_read(c, (uint8_t)(offset - MMIO_BLITTER)) : 0xff;
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct cirrus *c = dev;

    vga_touched(&c->core);
    if (offset < MMIO_PORTS_END)
        cirrus_port_write(&c->core, (uint16_t)(0x3c0 + offset), (uint8_t)value);
    else if (offset < MMIO_BLITTER_END)
        cirrus_mmio_write(c, (uint8_t)(offset - MMIO_BLITTER), (uint8_t)value);
}

static const struct io_ops mmio_ops = {.read = mmio_read, .write = mmio_write, .sizes = 1};

/* ---- BAR0 ------------------------------------------------------------------------------------ */

/* Accesses that are no data for a blit show that the guest draws by itself again. */
static void count_plain(struct cirrus *c)
{
    if (c->lingering && !c->s->feeding && ++c->plain_accesses == LINGER_ACCESSES)
        timer_arm(&c->settle, loop_now(c->core.loop, CLOCK_GUEST));
}

static uint64_t linear_read(void *dev, uint64_t offset, unsigned size)
{
    struct cirrus *c = dev;
    uint64_t value = 0;

    count_plain(c);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)cirrus_linear_read(c, (uint32_t)offset + i) << 8 * i;
    return value;
}

static void linear_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct cirrus *c = dev;

    count_plain(c);
    for (unsigned i = 0; i < size; i++)
        cirrus_linear_write(c, (uint32_t)offset + i, (uint8_t)(value >> 8 * i));
}

static size_t linear_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                                size_t count)
{
    const uint8_t *bytes = buf;

    for (size_t i = 0; i < count * size; i++)
        cirrus_linear_write(dev, (uint32_t)(offset + i), bytes[i]);
    return count;
}

static const struct io_ops linear_ops = {
    .read = linear_read,
    .write = linear_write,
    .sizes = 1 | 2 | 4 | 8,
    .write_many = linear_write_many,
};

static uint64_t aperture_read(void *dev, uint64_t offset, unsigned size)
{
    return UINT64_MAX;
}

static size_t aperture_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                                  size_t count)
{
    struct cirrus *c = dev;
    const uint8_t *bytes = buf;

    for (size_t i = 0; i < count * size && c->s->feeding; i++)
        cirrus_blt_feed(c, bytes[i]);
    return count;
}

static void aperture_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct cirrus *c = dev;

    for (unsigned i = 0; i < size && c->s->feeding; i++)
        cirrus_blt_feed(c, (uint8_t)(value >> 8 * i));
}

static const struct io_ops aperture_ops = {
    .read = aperture_read,
    .write = aperture_write,
    .sizes = 1 | 2 | 4 | 8,
    .write_many = aperture_write_many,
};

/* Whether accesses to the frame buffer must come here now. */
static bool trapped(struct cirrus *c)
{
    if (cirrus_linear_special(c)) {
        c->lingering = c->lingering || c->s->feeding;
        timer_cancel(&c->settle);
        return true;
    }
    if (c->lingering && !timer_armed(&c->settle)) {
        c->plain_accesses = 0;
        timer_arm(&c->settle, loop_now(c->core.loop, CLOCK_GUEST) + LINGER_NS);
    }
    return c->lingering;
}

void cirrus_place(struct cirrus *c)
{
    uint64_t base = pci_bar_address(&c->pci, BAR_VRAM);
    bool trap = base != PCI_UNMAPPED && trapped(c);

    if (!c->core.vram->base)
        return; /* loaded() comes back */
    if (c->linear.active && (!trap || c->linear.base != base))
        iospace_remove(c->core.io, &c->linear);
    vga_core_place(&c->core, trap ? PCI_UNMAPPED : base);
    if (!trap || c->linear.active || c->core.s->vram_gpa != c->core.vram->parking)
        return;
    c->linear.base = base;
    iospace_add(c->core.io, &c->linear); /* an overlap is logged there */
}

static void settled(void *opaque)
{
    struct cirrus *c = opaque;

    c->lingering = false;
    cirrus_place(c);
}

static void slice_due(void *opaque)
{
    cirrus_blt_go_on(opaque);
}

static void vram_moved(void *dev, uint64_t base)
{
    struct cirrus *c = dev;

    iospace_remove(c->core.io, &c->aperture);
    cirrus_place(c);
    if (base == PCI_UNMAPPED)
        return;
    c->aperture.base = base + APERTURE_OFFSET;
    iospace_add(c->core.io, &c->aperture);
}

/* ---- life cycle ------------------------------------------------------------------------------ */

/* As the chip's straps and its BIOS expect it after power-on, with `memory` bytes on board. */
static void set_power_on_registers(struct cirrus_state *s, uint64_t memory)
{
    s->sr[SR_UNLOCK] = UNLOCK_LOCKED;
    s->sr[SR_DRAM_CONTROL] = 0x98;
    s->sr[SR_MEMORY_SIZE] = memory >= 4u << 20 ? 4 : memory >= 2u << 20 ? 3 : 2;
    s->sr[SR_CONFIGURATION] = 0x20; /* PCI */
    s->sr[SR_MCLK] = 0x2d;
    s->gr[GR_TIMING] = 0x0f;
}

static void cirrus_reset(void *dev)
{
    struct cirrus *c = dev;

    vga_core_reset(&c->core);
    state_reset(&cirrus_state_desc, c->s);
    set_power_on_registers(c->s, c->core.memory);
    timer_cancel(&c->settle);
    timer_cancel(&c->slice);
    c->lingering = false;
    cirrus_place(c);
}

static void cirrus_loaded(void *dev)
{
    struct cirrus *c = dev;

    c->lingering = false;
    timer_cancel(&c->settle);
    timer_cancel(&c->slice);
    if (c->s->drawing)
        timer_arm(&c->slice, loop_now(c->core.loop, CLOCK_GUEST));
    if (vga_core_attach(&c->core) == 0)
        cirrus_place(c);
}

/* Drivers of Windows 2000 find the size of memory by the ones in it. */
static void fill_memory(void *opaque)
{
    struct cirrus *c = opaque;

    memset(c->core.vram->base, 0xff, c->core.memory);
}

static void cirrus_destroy(void *dev)
{
    struct cirrus *c = dev;

    loop_defer_cancel(c->core.loop, &c->power_on);
    timer_cancel(&c->settle);
    timer_cancel(&c->slice);
    vga_core_fini(&c->core);
    iospace_remove(c->core.io, &c->linear);
    iospace_remove(c->core.io, &c->aperture);
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        iospace_remove(c->core.io, &c->pci.bar[i].region);
    free(c);
}

static const struct device_ops cirrus_device_ops = {
    .name = "cirrus", .reset = cirrus_reset, .loaded = cirrus_loaded, .destroy = cirrus_destroy};

static const struct vga_chip cirrus_chip = {
    .port_read = cirrus_port_read,
    .port_write = cirrus_port_write,
    .window_read = cirrus_window_read,
    .window_write = cirrus_window_write,
    .packed = cirrus_packed,
    .cursor = cirrus_cursor,
};

struct display *cirrus_display(struct cirrus *cirrus)
{
    return &cirrus->core.display;
}

static void describe_function(struct cirrus *c, uint8_t devfn)
{
    struct pci_function *fn = &c->pci;

    fn->name = "cirrus";
    fn->devfn = devfn;
    fn->vendor = 0x1013;
    fn->device = 0x00b8;
    fn->subsystem_vendor = 0x1af4;
    fn->subsystem = 0x1100;
    fn->class_code = 0x0300;
    fn->dev = c;
    fn->bar[BAR_VRAM] =
        (struct pci_bar){.kind = PCI_BAR_MEM_PREFETCH, .size = BAR_VRAM_SIZE, .moved = vram_moved};
    fn->bar[BAR_MMIO] =
        (struct pci_bar){.kind = PCI_BAR_MEM,
                         .size = MMIO_SIZE,
                         .region = {.name = "cirrus registers", .ops = &mmio_ops, .dev = c}};
    if (c->rom.size)
        pci_rom_attach(fn, &c->rom);
    c->linear = (struct io_region){.name = "cirrus frame buffer",
                                   .kind = IO_MEMORY,
                                   .length = c->core.vram->size,
                                   .ops = &linear_ops,
                                   .dev = c};
    c->aperture = (struct io_region){.name = "cirrus blit data",
                                     .kind = IO_MEMORY,
                                     .length = APERTURE_SIZE,
                                     .ops = &aperture_ops,
                                     .dev = c};
}

/* The largest memory that the chip can have and the frames can hold. */
static uint64_t chip_memory(uint64_t vram)
{
    uint64_t memory = CIRRUS_MEMORY_MAX;

    while (memory > vram)
        memory /= 2;
    return memory;
}

int cirrus_create(struct cirrus **out, const struct dm_env *env, const struct cirrus_config *config)
{
    struct cirrus *c;
    int err;

    if (!vga_vram_valid(config->vram) || config->vram->size > CIRRUS_VRAM_MAX || !env->pci)
        return -EINVAL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->core.vram = config->vram;
    c->core.memory = chip_memory(config->vram->size);
    c->core.chip = &cirrus_chip;
    c->rom = config->rom;
    c->power_on = (struct loop_work){.run = fill_memory, .opaque = c};
    timer_init(&c->settle, env->loop, CLOCK_GUEST, settled, c);
    timer_init(&c->slice, env->loop, CLOCK_GUEST, slice_due, c);
    describe_function(c, config->devfn);
    for (unsigned i = 0; i < PCI_NUM_BARS; i++)
        c->pci.bar[i].address = PCI_UNMAPPED; /* until the bus knows better */
    err = vga_core_init(&c->core, env);
    if (!err) {
        c->s = arena_alloc(env->arena, "cirrus", &cirrus_state_desc);
        err = c->s ? 0 : -ENOMEM;
    }
    if (!err) {
        cirrus_reset(c);
        err = device_register(env->devices, &cirrus_device_ops, c);
    }
    if (err) {
        cirrus_destroy(c);
        return err;
    }
    /* From here on the list destroys it. */
    err = pci_add(env->pci, &c->pci);
    if (err)
        return err;
    /* Not yet: it is most of what a start would cost, and nobody can look before the first turn. */
    if (config->vram->base)
        loop_defer(c->core.loop, &c->power_on);
    *out = c;
    return 0;
}
