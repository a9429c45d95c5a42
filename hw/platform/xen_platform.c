/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Xen platform device, as Xen's docs/misc/hvm-emulated-unplug.pandoc describes it: a PCI
 * function and four fixed ports where the width of an access selects the register.
 *
 *     port 10h  byte   flags: bit 0 locks the ROM area C0000h-FFFFFh
 *               word   read: magic; write: mask of what to unplug
 *               dword  write: build number of the driver
 *     port 12h  byte   read: version of the protocol; write: a character for the log
 *               word   write: product number of the driver
 *
 *     unknown driver --product, build written--> accepted | blacklisted (another magic, no unplug)
 *     plugged --mask written--> unplugged, until the next machine
 *
 * Unplug happens inside the write: the guest's next access may be a scan of the bus, or a
 * connection to the same disk image by another way.
 *
 * BAR0 repeats the flags and has an older form of unplug. BAR1 is address space in which drivers
 * map grant tables: nothing answers there.
 *
 * Left out on purpose: the interrupt, which drivers take as a mere number for event delivery and
 * which would break it if driven; "version 2" of the protocol (11h and 13h read as ones).
 */
#include "hw/platform/xen_platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dm/device.h"
#include "dm/log.h"
#include "hw/pci/pci.h"

enum {
    FIXED_PORTS = 0x10,
    PROTOCOL_VERSION = 1,
    MAGIC = 0x49d2,
    MAGIC_BLACKLISTED = 0xd249,

    FLAG_ROM_LOCK = 1 << 0,
    ROM_FIRST_GFN = 0xc0,
    ROM_GFNS = 0x40,

    UNPLUG_DISKS = 1 << 0,
    UNPLUG_NICS = 1 << 1,
    UNPLUG_AUX_DISKS = 1 << 2,
    UNPLUG_NVME = 1 << 3,
    UNPLUG_ALL = UNPLUG_DISKS | UNPLUG_NICS | UNPLUG_AUX_DISKS | UNPLUG_NVME,

    BAR0_FLAGS = 0,
    BAR0_UNPLUG = 4,
    BAR0_UNPLUG_OR_LOG = 8,

    LOG_LINE = 4096,
    LOG_PIECE = 480, /* what fits into a line of the log */
};

struct platform_state {
    uint8_t flags;
    uint8_t unplugged; /* UNPLUG_* */
    uint16_t product;
    uint32_t build;
    bool product_known, build_known;
    bool blacklisted;
    uint16_t log_length;
    uint8_t log[LOG_LINE]; /* printable */
};

static const struct state_field platform_fields[] = {
    STATE_FIELD(struct platform_state, flags, .bits = FLAG_ROM_LOCK),
    STATE_FIELD(struct platform_state, unplugged, .bits = UNPLUG_ALL, .flags = STATE_KEEP),
    STATE_FIELD(struct platform_state, product),
    STATE_FIELD(struct platform_state, build),
    STATE_FIELD(struct platform_state, product_known),
    STATE_FIELD(struct platform_state, build_known),
    STATE_FIELD(struct platform_state, blacklisted),
    STATE_FIELD(struct platform_state, log_length, .max = LOG_LINE - 1),
    STATE_ARRAY(struct platform_state, log, .max = 0x7e),
};
static const struct state_desc platform_desc =
    STATE_DESC("xen-platform", 1, struct platform_state, platform_fields, NULL);

struct xen_platform {
    struct platform_state *state;
    struct pci_function fn;
    struct platform_ops platform;
    struct xen_platform_unplug_ops unplug;
    bool (*blacklisted)(void *blacklist, uint16_t product, uint32_t build);
    void *blacklist;
    struct io_region ports;
};

/* ---- unplug ---------------------------------------------------------------------------------- */

static void unplug_now(struct xen_platform *x, uint8_t mask)
{
    const struct xen_platform_unplug_ops *ops = &x->unplug;

    if ((mask & (UNPLUG_DISKS | UNPLUG_AUX_DISKS)) && ops->disks)
        ops->disks(ops->opaque, (mask & UNPLUG_DISKS) == 0);
    if ((mask & UNPLUG_NICS) && ops->nics)
        ops->nics(ops->opaque);
    if ((mask & UNPLUG_NVME) && ops->nvme)
        ops->nvme(ops->opaque);
}

static void unplug(struct xen_platform *x, uint8_t mask)
{
    mask &= UNPLUG_ALL;
    if (mask & UNPLUG_DISKS)
        mask &= (uint8_t)~UNPLUG_AUX_DISKS;
    if (x->state->blacklisted) {
        log_guest("platform: unplug 0x%x by a blacklisted driver ignored", mask);
        return;
    }
    if (mask & ~x->state->unplugged)
        log_guest("platform: the guest unplugs%s%s%s%s", mask & UNPLUG_DISKS ? " disks" : "",
                  mask & UNPLUG_AUX_DISKS ? " auxiliary disks" : "",
                  mask & UNPLUG_NICS ? " NICs" : "", mask & UNPLUG_NVME ? " NVMe" : "");
    /* Noted before it is done: a process that takes over in between does it (again). */
    x->state->unplugged |= mask;
    unplug_now(x, mask);
}

/* ---- the driver and the blacklist ------------------------------------------------------------ */

static void driver_update(struct xen_platform *x)
{
    struct platform_state *s = x->state;

    if (!s->product_known || !s->build_known)
        return;
    s->blacklisted =
        s->product && x->blacklisted && x->blacklisted(x->blacklist, s->product, s->build);
    log_guest("platform: driver product %u build %u%s", s->product, s->build,
              s->blacklisted ? " is blacklisted" : "");
}

uint16_t xen_platform_product(const char *name)
{
    static const struct {
        const char *name;
        uint16_t number;
    } products[] = {
        {"xensource-windows", 1},       {"gplpv-windows", 2},           {"linux", 3},
        {"xenserver-windows-v7.0+", 4}, {"xenserver-windows-v7.2+", 5}, {"experimental", 0xffff},
    };

    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
        if (strcmp(name, products[i].name) == 0)
            return products[i].number;
    return 0;
}

/* ---- the log --------------------------------------------------------------------------------- */

static void log_flush(struct xen_platform *x)
{
    const char *text = (const char *)x->state->log;
    int left = x->state->log_length;

    do {
        int piece = left < LOG_PIECE ? left : LOG_PIECE;

        log_guest("guest: %.*s", piece, text);
        text += piece;
        left -= piece;
    } while (left > 0);
    memset(x->state->log, 0, sizeof(x->state->log));
    x->state->log_length = 0;
}

static void log_character(struct xen_platform *x, uint8_t c)
{
    struct platform_state *s = x->state;

    if (c == '\r')
        return;
    if (c == '\n') {
        log_flush(x);
        return;
    }
    s->log[s->log_length++] = c == '\t' ? ' ' : c < 0x20 || c > 0x7e ? '?' : c;
    if (s->log_length == LOG_LINE - 1)
        log_flush(x);
}

/* ---- the fixed ports ------------------------------------------------------------------------- */

static void rom_protect(struct xen_platform *x)
{
    if (x->platform.protect)
        x->platform.protect(x->platform.opaque, ROM_FIRST_GFN, ROM_GFNS,
                            x->state->flags & FLAG_ROM_LOCK);
}

static void flags_write(struct xen_platform *x, uint8_t value)
{
    uint8_t flags = value & FLAG_ROM_LOCK;

    if (flags == x->state->flags)
        return;
    x->state->flags = flags;
    rom_protect(x);
}

static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct xen_platform *x = opaque;

    if (offset == 0 && size == 1)
        return x->state->flags;
    if (offset == 0 && size == 2)
        return x->state->blacklisted ? MAGIC_BLACKLISTED : MAGIC;
    if (offset == 2 && size == 1)
        return PROTOCOL_VERSION;
    return UINT32_MAX;
}

static void ports_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct xen_platform *x = opaque;
    struct platform_state *s = x->state;

    if (offset == 0 && size == 1) {
        flags_write(x, (uint8_t)value);
    } else if (offset == 0 && size == 2) {
        unplug(x, value & UNPLUG_ALL);
    } else if (offset == 0 && size == 4) {
        s->build = (uint32_t)value;
        s->build_known = true;
        driver_update(x);
    } else if (offset == 2 && size == 1) {
        log_character(x, (uint8_t)value);
    } else if (offset == 2 && size == 2) {
        s->product = (uint16_t)value;
        s->product_known = true;
        driver_update(x);
    }
}

static const struct io_ops ports_ops = {
    .read = ports_read, .write = ports_write, .sizes = 1 | 2 | 4};

/* ---- BAR0 ------------------------------------------------------------------------------------ */

static uint64_t bar0_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct xen_platform *x = opaque;

    return offset == BAR0_FLAGS ? x->state->flags : 0xff;
}

static void bar0_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct xen_platform *x = opaque;

    if (offset == BAR0_FLAGS)
        flags_write(x, (uint8_t)value);
    else if (offset == BAR0_UNPLUG && value == 1)
        unplug(x, UNPLUG_DISKS | UNPLUG_NICS);
    else if (offset == BAR0_UNPLUG_OR_LOG && value == 1)
        unplug(x, UNPLUG_DISKS);
    else if (offset == BAR0_UNPLUG_OR_LOG && value == 2)
        unplug(x, UNPLUG_NICS);
    else if (offset == BAR0_UNPLUG_OR_LOG)
        log_character(x, (uint8_t)value);
}

static const struct io_ops bar0_ops = {.read = bar0_read, .write = bar0_write, .sizes = 1};

/* ---- life cycle ------------------------------------------------------------------------------ */

static void platform_reset(void *opaque)
{
    struct xen_platform *x = opaque;

    flags_write(x, 0);
    state_reset(&platform_desc, x->state);
}

static void platform_loaded(void *opaque)
{
    struct xen_platform *x = opaque;

    rom_protect(x);
    unplug_now(x, x->state->unplugged);
}

static void platform_destroy(void *opaque)
{
    free(opaque);
}

static const struct device_ops ops = {
    .name = "xen-platform",
    .stays_on = true,
    .reset = platform_reset,
    .loaded = platform_loaded,
    .destroy = platform_destroy,
};

static void describe(struct xen_platform *x, uint8_t devfn)
{
    x->fn = (struct pci_function){
        .name = "xen-platform",
        .devfn = devfn,
        .vendor = 0x5853,
        .device = 0x0001,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .revision = 1,
        .class_code = 0xff80,
        .interrupt_pin = 1,
        .command_reset = PCI_COMMAND_IO | PCI_COMMAND_MEMORY,
        .dev = x,
    };
    x->fn.bar[0] = (struct pci_bar){
        .kind = PCI_BAR_IO,
        .size = 256,
        .region = {.name = "xen-platform", .ops = &bar0_ops, .dev = x},
    };
    x->fn.bar[1] = (struct pci_bar){.kind = PCI_BAR_MEM_PREFETCH, .size = 16u << 20};
    x->ports = (struct io_region){.name = "xen-platform-ports",
                                  .kind = IO_PORT,
                                  .base = FIXED_PORTS,
                                  .length = 4,
                                  .ops = &ports_ops,
                                  .dev = x};
}

int xen_platform_create(struct xen_platform **out, const struct dm_env *env,
                        const struct xen_platform_config *config)
{
    struct xen_platform *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->platform = env->platform;
    x->unplug = config->unplug;
    x->blacklisted = config->blacklisted;
    x->blacklist = config->blacklist;
    describe(x, config->devfn);
    int err = device_register(env->devices, &ops, x);
    if (err) {
        platform_destroy(x);
        return err;
    }
    *out = x;
    x->state = arena_alloc(env->arena, "xen-platform", &platform_desc);
    if (!x->state)
        return -ENOMEM;
    err = pci_add(env->pci, &x->fn);
    return err ? err : iospace_add(env->io, &x->ports);
}
