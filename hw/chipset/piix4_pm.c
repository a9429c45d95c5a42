/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82371AB (PIIX4 data sheet, order 290562), function 3: power management, as the ACPI
 * tables use it that hvmloader gives to guests; and the chipset-independent blocks of those
 * tables: GPE0 at AFE0h, PCI hot-plug at AE00h (or, in older tables, at 10C0h), the map of online
 * vCPUs at AF00h.
 *
 *     PMCNTRL (PMBA + 4): SLP_EN written with SLP_TYP 0 -> power off (S5, and S4 which is on disk)
 *                                             SLP_TYP 1 -> suspend to RAM (S3)
 *     APMC (B2h):         F1h -> SCI_EN set, F0h -> SCI_EN cleared
 *     event -> GPE0 status bit -> (enabled) -> SCI
 *
 * PMSTS, PMEN and the timer of the same block are the hypervisor's; it drives the SCI line from
 * them without knowing of GPE0, and we from GPE0 without knowing of them. So a level set earlier
 * may be gone: an event is given as an edge, a register write sets the level again, and where no
 * GPE is involved the line is left alone.
 *
 * Left out on purpose: SMM, SMBus, throttling, device monitors (their registers are storage), the
 * layout of very old hosts at 1F40h, power and sleep buttons (the hypervisor's too).
 */
#include "hw/chipset/piix4_pm.h"

#include <errno.h>
#include <stdlib.h>
#include "dm/device.h"
#include "dm/log.h"
#include "hw/pci/pci.h"

enum {
    /* configuration space */
    PMBA = 0x40,
    PMBA_ADDRESS = 0xffc0,
    DEVACTB_SMM_DONE = 0x5b,
    DEVRESC_LPT = 0x5f,
    DEVRESE_COM1 = 0x63,
    DEVRESG_COM2 = 0x67,
    PMREGMISC = 0x80,
    PMIOSE = 1 << 0,
    SMBBA = 0x90,
    SMBHSTCFG = 0xd2,

    /* fixed ports */
    APMC_PORT = 0xb2,
    APMC_ACPI_DISABLE = 0xf0,
    APMC_ACPI_ENABLE = 0xf1,
    PCIHP_PORT = 0xae00,
    PCIHP_LENGTH = 0x14,
    OLD_PCIHP_PORT = 0x10c0,
    OLD_PCIHP_LENGTH = 0x82, /* event, slot, and four bits of status a function */
    CPU_MAP_PORT = 0xaf00,
    CPU_MAP_BYTES = 32,
    GPE0_PORT = 0xafe0,

    /* PMCNTRL */
    PMCNTRL_OFFSET = 4,
    SCI_EN = 1 << 0,
    GBL_RLS = 1 << 2,
    SLP_TYP_SHIFT = 10,
    SLP_TYP_MASK = 7,
    SLP_EN = 1 << 13,
    SLP_TYP_S5 = 0,
    SLP_TYP_S3 = 1,

    /* GPE0: two bytes of status, two of enable */
    GPE0_STATUS_BYTES = 2,
    GPE_PCI_HOTPLUG = 1 << 1,
    GPE_CPU_HOTPLUG = 1 << 2,

    /* PCI hot-plug */
    PCIHP_UP = 0x00,
    PCIHP_DOWN = 0x04,
    PCIHP_EJECT = 0x08,
    PCIHP_REMOVABLE = 0x0c,
    PCIHP_SELECT = 0x10,

    SCI_IRQ = 9,
};

struct pm_state {
    uint16_t pmcntrl;
    uint8_t apmc, apms;
    uint8_t gpe0[2 * GPE0_STATUS_BYTES];
    uint32_t pci_up, pci_down; /* slots to announce */
    uint8_t cpus[CPU_MAP_BYTES];
    bool off_asked;
};

static const struct state_field pm_fields[] = {
    STATE_FIELD(struct pm_state, pmcntrl, .bits = 0xffff & ~(SLP_EN | GBL_RLS)),
    STATE_FIELD(struct pm_state, apmc),
    STATE_FIELD(struct pm_state, apms),
    STATE_ARRAY(struct pm_state, gpe0),
    STATE_FIELD(struct pm_state, pci_up),
    STATE_FIELD(struct pm_state, pci_down),
    STATE_ARRAY(struct pm_state, cpus, .flags = STATE_KEEP),
    STATE_FIELD(struct pm_state, off_asked),
};

static const struct state_desc pm_desc =
    STATE_DESC("piix4-pm", 1, struct pm_state, pm_fields, NULL);

struct piix4_pm {
    struct pm_state *state;
    struct pci_function fn;
    struct platform_ops platform;
    struct piix4_pm_config config;
    struct iospace *io;
    struct irq sci;
    struct io_region pmcntrl, apm, gpe0, pcihp, cpus;
    uint64_t pmcntrl_base; /* where the region is now, 0 when it is not decoded */
};

/* ---- GPE0 and the SCI ------------------------------------------------------------------------ */

static bool gpe_pending(const struct pm_state *s)
{
    for (unsigned i = 0; i < GPE0_STATUS_BYTES; i++)
        if (s->gpe0[i] & s->gpe0[GPE0_STATUS_BYTES + i])
            return true;
    return false;
}

static void gpe_event(struct piix4_pm *pm, uint8_t bit)
{
    pm->state->gpe0[0] |= bit;
    if ((pm->state->gpe0[GPE0_STATUS_BYTES] & bit) == 0)
        return;
    irq_set(&pm->sci, false);
    irq_set(&pm->sci, true);
}

static uint64_t gpe0_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct piix4_pm *pm = opaque;

    return pm->state->gpe0[offset];
}

static void gpe0_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *pm = opaque;

    if (offset < GPE0_STATUS_BYTES)
        pm->state->gpe0[offset] &= (uint8_t)~value;
    else
        pm->state->gpe0[offset] = (uint8_t)value;
    irq_set(&pm->sci, gpe_pending(pm->state));
}

static const struct io_ops gpe0_ops = {.read = gpe0_read, .write = gpe0_write, .sizes = 1};

/* ---- PMCNTRL and APM ------------------------------------------------------------------------- */

static void power(struct piix4_pm *pm, enum power_event event)
{
    if (pm->platform.power)
        pm->platform.power(pm->platform.opaque, event);
}

static void sleep_now(struct piix4_pm *pm, unsigned type)
{
    switch (type) {
    case SLP_TYP_S5:
        if (!pm->state->off_asked)
            power(pm, POWER_OFF);
        pm->state->off_asked = true;
        break;
    case SLP_TYP_S3:
        cmos_set(pm->config.cmos, CMOS_SHUTDOWN, CMOS_SHUTDOWN_S3);
        power(pm, POWER_SUSPEND_S3);
        break;
    default:
        log_guest("piix4: sleep type %u means nothing here", type);
    }
}

static uint64_t pmcntrl_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct piix4_pm *pm = opaque;

    return pm->state->pmcntrl >> 8 * offset;
}

static void pmcntrl_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *pm = opaque;
    uint32_t mask = (size == 1 ? 0xffu : 0xffffu) << 8 * offset;
    uint32_t bits = (uint32_t)value << 8 * offset & mask;
    uint32_t merged = (pm->state->pmcntrl & ~mask) | bits;

    pm->state->pmcntrl = (uint16_t)(merged & ~(uint32_t)(SLP_EN | GBL_RLS));
    if (bits & SLP_EN)
        sleep_now(pm, merged >> SLP_TYP_SHIFT & SLP_TYP_MASK);
}

static const struct io_ops pmcntrl_ops = {
    .read = pmcntrl_read, .write = pmcntrl_write, .sizes = 1 | 2};

static uint64_t apm_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct piix4_pm *pm = opaque;

    return offset == 0 ? pm->state->apmc : pm->state->apms;
}

static void apm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *pm = opaque;

    if (offset != 0) {
        pm->state->apms = (uint8_t)value;
        return;
    }
    pm->state->apmc = (uint8_t)value;
    if (value == APMC_ACPI_ENABLE)
        pm->state->pmcntrl |= SCI_EN;
    else if (value == APMC_ACPI_DISABLE)
        pm->state->pmcntrl &= (uint16_t)~SCI_EN;
}

static const struct io_ops apm_ops = {.read = apm_read, .write = apm_write, .sizes = 1};

/* ---- hot-plug -------------------------------------------------------------------------------- */

static uint64_t pcihp_read(void *opaque, uint64_t offset, unsigned size)
{
    struct piix4_pm *pm = opaque;
    uint32_t value;

    if (size != 4)
        return UINT64_MAX;
    switch (offset) {
    case PCIHP_UP:
        value = pm->state->pci_up;
        pm->state->pci_up = 0; /* announced */
        return value;
    case PCIHP_DOWN:
        return pm->state->pci_down;
    case PCIHP_REMOVABLE:
        return pm->config.hotplug_slots;
    case PCIHP_EJECT:
    case PCIHP_SELECT:
        return 0;
    default:
        return UINT64_MAX;
    }
}

static void pcihp_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *pm = opaque;
    uint32_t slots = (uint32_t)value & pm->config.hotplug_slots;

    if (size != 4 || offset != PCIHP_EJECT)
        return;
    pm->state->pci_up &= ~slots;
    pm->state->pci_down &= ~slots;
    for (unsigned slot = 0; slot < 32 && pm->config.eject; slot++)
        if (slots & UINT32_C(1) << slot)
            pm->config.eject(pm->config.opaque, slot);
}

static const struct io_ops pcihp_ops = {
    .read = pcihp_read, .write = pcihp_write, .sizes = 1 | 2 | 4};

/* No event, and all functions absent: what cannot be ejected is not in this register file. */
static uint64_t old_pcihp_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void old_pcihp_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops old_pcihp_ops = {
    .read = old_pcihp_read, .write = old_pcihp_write, .sizes = 1};

static uint64_t cpus_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct piix4_pm *pm = opaque;

    return pm->state->cpus[offset];
}

static void cpus_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
}

static const struct io_ops cpus_ops = {.read = cpus_read, .write = cpus_write, .sizes = 1};

bool piix4_cpu_is_online(const struct piix4_pm *pm, unsigned vcpu)
{
    return vcpu < pm->config.max_vcpus && (pm->state->cpus[vcpu / 8] >> vcpu % 8 & 1);
}

int piix4_cpu_online(struct piix4_pm *pm, unsigned vcpu)
{
    if (vcpu >= pm->config.max_vcpus)
        return -EINVAL;
    if (piix4_cpu_is_online(pm, vcpu))
        return 0;
    pm->state->cpus[vcpu / 8] |= (uint8_t)(1u << vcpu % 8);
    gpe_event(pm, GPE_CPU_HOTPLUG);
    return 0;
}

int piix4_cpu_offline(struct piix4_pm *pm, unsigned vcpu)
{
    if (vcpu == 0 || vcpu >= pm->config.max_vcpus)
        return -EINVAL;
    if (!piix4_cpu_is_online(pm, vcpu))
        return 0;
    pm->state->cpus[vcpu / 8] &= (uint8_t) ~(1u << vcpu % 8);
    gpe_event(pm, GPE_CPU_HOTPLUG);
    return 0;
}

static bool hotplug_slot(const struct piix4_pm *pm, unsigned slot)
{
    return slot < 32 && (pm->config.hotplug_slots >> slot & 1);
}

int piix4_pci_inserted(struct piix4_pm *pm, unsigned slot)
{
    if (!hotplug_slot(pm, slot))
        return -EINVAL;
    pm->state->pci_up |= UINT32_C(1) << slot;
    gpe_event(pm, GPE_PCI_HOTPLUG);
    return 0;
}

int piix4_pci_request_eject(struct piix4_pm *pm, unsigned slot)
{
    if (!hotplug_slot(pm, slot))
        return -EINVAL;
    pm->state->pci_down |= UINT32_C(1) << slot;
    gpe_event(pm, GPE_PCI_HOTPLUG);
    return 0;
}

/* ---- configuration space --------------------------------------------------------------------- */

/* PMBA and PMIOSE say where PMCNTRL is decoded. */
static void pmcntrl_update(struct piix4_pm *pm)
{
    const uint8_t *config = pm->fn.state->config;
    uint64_t block = (uint64_t)(config[PMBA] | config[PMBA + 1] << 8) & PMBA_ADDRESS;
    uint64_t wanted = block && (config[PMREGMISC] & PMIOSE) ? block + PMCNTRL_OFFSET : 0;

    if (wanted == pm->pmcntrl_base)
        return;
    if (pm->pmcntrl_base)
        iospace_remove(pm->io, &pm->pmcntrl);
    pm->pmcntrl_base = 0;
    if (!wanted)
        return;
    pm->pmcntrl.base = wanted;
    /* Refused, which the I/O space tells, when something else is there. */
    if (iospace_add(pm->io, &pm->pmcntrl) == 0)
        pm->pmcntrl_base = wanted;
}

static void config_written(void *opaque, unsigned reg, unsigned size)
{
    pmcntrl_update(opaque);
}

static void config_reset(void *opaque, uint8_t *config)
{
    const struct piix4_pm *pm = opaque;

    config[PMBA] = 1;
    config[DEVACTB_SMM_DONE] = 0x02;
    config[DEVRESC_LPT] = (uint8_t)(0x10 | (pm->config.lpt ? 0x80 : 0));
    config[DEVRESE_COM1] = 0x60;
    config[DEVRESG_COM2] = (uint8_t)((pm->config.com1 ? 0x08 : 0) | (pm->config.com2 ? 0x90 : 0));
    config[SMBBA] = 0x01;
    config[SMBBA + 1] = 0xb1;
    config[SMBHSTCFG] = 0x09;
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static void pm_reset(void *opaque)
{
    struct piix4_pm *pm = opaque;

    if (gpe_pending(pm->state))
        irq_set(&pm->sci, false);
    state_reset(&pm_desc, pm->state);
    pmcntrl_update(pm);
}

static void pm_loaded(void *opaque)
{
    struct piix4_pm *pm = opaque;

    /* A map with vCPUs that do not exist would make the guest bring them up. */
    for (unsigned i = pm->config.max_vcpus; i < 8 * CPU_MAP_BYTES; i++)
        pm->state->cpus[i / 8] &= (uint8_t) ~(1u << i % 8);
    pm->state->pci_up &= pm->config.hotplug_slots;
    pm->state->pci_down &= pm->config.hotplug_slots;
    pmcntrl_update(pm);
    if (gpe_pending(pm->state))
        irq_set(&pm->sci, true);
}

static const struct device_ops ops = {
    .name = "piix4-pm",
    .stays_on = true,
    .reset = pm_reset,
    .loaded = pm_loaded,
    .destroy = free,
};

static struct io_region region(struct piix4_pm *pm, const char *name, uint16_t base,
                               uint64_t length, const struct io_ops *io_ops)
{
    return (struct io_region){
        .name = name, .kind = IO_PORT, .base = base, .length = length, .ops = io_ops, .dev = pm};
}

static int add_regions(struct piix4_pm *pm)
{
    struct io_region *fixed[] = {&pm->apm, &pm->gpe0, &pm->pcihp, &pm->cpus};

    pm->apm = region(pm, "apm", APMC_PORT, 2, &apm_ops);
    pm->gpe0 = region(pm, "gpe0", GPE0_PORT, 2 * GPE0_STATUS_BYTES, &gpe0_ops);
    if (pm->config.old_hotplug)
        pm->pcihp = region(pm, "pci-hotplug", OLD_PCIHP_PORT, OLD_PCIHP_LENGTH, &old_pcihp_ops);
    else
        pm->pcihp = region(pm, "pci-hotplug", PCIHP_PORT, PCIHP_LENGTH, &pcihp_ops);
    pm->cpus = region(pm, "cpu-map", CPU_MAP_PORT, CPU_MAP_BYTES, &cpus_ops);
    pm->pmcntrl = region(pm, "pmcntrl", 0, 2, &pmcntrl_ops);
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        int err = iospace_add(pm->io, fixed[i]);
        if (err)
            return err;
    }
    return 0;
}

int piix4_pm_create(struct piix4_pm **out, const struct dm_env *env,
                    const struct piix4_pm_config *config)
{
    if (config->vcpus > config->max_vcpus || config->max_vcpus > PIIX4_MAX_VCPUS)
        return -EINVAL;

    struct piix4_pm *pm = calloc(1, sizeof(*pm));
    if (!pm)
        return -ENOMEM;
    pm->platform = env->platform;
    pm->config = *config;
    pm->io = env->io;
    pm->sci = irq_router_isa(env->irqs, SCI_IRQ);
    pm->fn = (struct pci_function){
        .name = "piix4-pm",
        .devfn = PCI_DEVFN(1, 3),
        .vendor = 0x8086,
        .device = 0x7113,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 3,
        .class_code = 0x0680,
        .interrupt_pin = 1, /* never asserted: the SCI is an ISA interrupt */
        .status_reset = 0x0280,
        .dev = pm,
        .config_written = config_written,
        .config_reset = config_reset,
    };
    int err = device_register(env->devices, &ops, pm);
    if (err) {
        free(pm);
        return err;
    }
    *out = pm;
    pm->state = arena_alloc(env->arena, "piix4-pm", &pm_desc);
    if (!pm->state)
        return -ENOMEM;
    for (unsigned i = 0; i < config->vcpus; i++)
        pm->state->cpus[i / 8] |= (uint8_t)(1u << i % 8);
    err = pci_add(env->pci, &pm->fn);
    if (err)
        return err;
    pm->fn.write_mask[PMBA] = PMBA_ADDRESS & 0xff;
    pm->fn.write_mask[PMBA + 2] = 0;
    pm->fn.write_mask[PMBA + 3] = 0;
    return add_regions(pm);
}
