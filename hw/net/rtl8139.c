/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Realtek RTL8139C+ fast Ethernet controller (data sheets RTL8139C(L) and RTL8139C(L)+, Realtek's
 * programming guide for the latter): this file has its state, its PCI function and its life; the
 * others have registers, transmitter, receiver, and the transmitter's work on IPv4.
 *
 *     CR.RST --> stopped --CR.TE--> transmitting --nothing owned by the chip--> waits for a kick
 *                  ^  \             (C mode: TSD0-3; C+ mode: rings)
 *                  |   --CR.RE--> receiving --ring full, no descriptor--> frames wait outside
 *                  +---- DMA that meets no memory: ISR.SERR, TE and RE off
 *
 * The back-end is asked for a frame only when there is room for it, and a frame that the back-end
 * has no room for stays the chip's: nothing is queued here, and no call waits. A turn handles a
 * bounded number of descriptors; the rest is the next turn's.
 *
 * Left out on purpose: wake on LAN (PME#); half duplex and whatever collisions bring; early
 * receive and transmit interrupts, since a frame is there as a whole or not at all; interrupt
 * mitigation and halting the clock (E2h and 5Bh, where writes do nothing); the flash memory and
 * CardBus registers; frames that the driver gives an FCS of its own (TCR bit 16); C+
 * receive over several descriptors: a frame that is longer than its descriptor is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/device.h"
#include "dm/log.h"
#include "hw/net/rtl8139_internal.h"

enum {
    BAR_SIZE = 256,
    REVISION = 0x20, /* from here on drivers take it for a C+ */

    PCI_CAPABILITY_LIST = 0x34,
    PCI_STATUS_CAP_LIST = 1 << 4,
    PCI_STATUS_FAST_BACK = 1 << 7,
    PCI_STATUS_DEVSEL_MEDIUM = 1 << 9,

    /* PCI power management 1.2: D0 to D3, nothing is lost on the way back. */
    PM_CAP = 0xdc,
    PM_ID = 1,
    PM_PMC = PM_CAP + 2,
    PM_PMCSR = PM_CAP + 4,
    PM_CAP_LENGTH = 8,
    PMC_D1_D2_VERSION_3 = 0x0603,
    PMCSR_STATE = 3,
    PMCSR_NO_SOFT_RESET = 8,
};

#define TCTR_NS 30u /* a period of the PCI clock */

#define STARVE_MIN_NS 1000000u
#define STARVE_MAX_NS 1024000000u

#define R struct rtl8139_state
static const struct state_field rtl8139_fields[] = {
    STATE_ARRAY(R, idr),
    STATE_ARRAY(R, mar),
    STATE_ARRAY(R, tsd, .reset = TSD_OWN),
    STATE_ARRAY(R, tsad),
    STATE_ARRAY(R, dtccr),
    STATE_FIELD(R, rbstart),
    STATE_FIELD(R, rx_read),
    STATE_FIELD(R, rx_write),
    STATE_FIELD(R, cr, .bits = CR_TE | CR_RE),
    STATE_FIELD(R, imr, .bits = INT_DEFINED),
    STATE_FIELD(R, isr, .bits = INT_DEFINED),
    STATE_FIELD(R, tcr, .bits = TCR_WRITABLE),
    STATE_FIELD(R, rcr, .bits = RCR_WRITABLE),
    STATE_FIELD(R, tctr_start),
    STATE_FIELD(R, mpc, .max = 0xffffff),
    STATE_FIELD(R, cr9346),
    STATE_FIELD(R, config0),
    STATE_FIELD(R, config1, .reset = 0x0d), /* both BARs, power management */
    STATE_FIELD(R, config3, .reset = 0x01), /* fast back-to-back */
    STATE_FIELD(R, config4),
    STATE_FIELD(R, config5),
    STATE_FIELD(R, timerint),
    STATE_FIELD(R, timer_at, .reset = TIMER_NEVER),
    STATE_FIELD(R, mulint),
    STATE_FIELD(R, bmcr, .reset = BMCR_ANE),
    STATE_FIELD(R, anar, .reset = 0x05e1),
    STATE_FIELD(R, para78),
    STATE_FIELD(R, para7c),
    STATE_FIELD(R, tppoll, .bits = TPPOLL_HPQ | TPPOLL_NPQ),
    STATE_FIELD(R, cpcr, .bits = CPCR_WRITABLE),
    STATE_ARRAY(R, rdsar),
    STATE_FIELD(R, mtps),
    STATE_FIELD(R, tx_index, .max = 3),
    STATE_ARRAY(R, ring_index, .max = CPLUS_RING - 1),
    STATE_FIELD(R, rx_index, .max = CPLUS_RING - 1),
    STATE_ARRAY(R, segmented),
    STATE_FIELD(R, tx_ok),
    STATE_FIELD(R, rx_ok),
    STATE_FIELD(R, tx_err),
    STATE_FIELD(R, rx_err),
    STATE_FIELD(R, miss_pkt),
    STATE_FIELD(R, fae),
    STATE_FIELD(R, tx_1col),
    STATE_FIELD(R, tx_mcol),
    STATE_FIELD(R, rx_ok_phy),
    STATE_FIELD(R, rx_ok_brd),
    STATE_FIELD(R, rx_ok_mul),
    STATE_FIELD(R, tx_abt),
    STATE_FIELD(R, tx_undrn),
    STATE_FIELD(R, link, .flags = STATE_KEEP),
};
#undef R

static const char *rtl8139_check(const void *state)
{
    const struct rtl8139_state *s = state;
    uint32_t size = rtl8139_ring_size(s);

    if (s->rx_write >= size || s->rx_write % 4)
        return "rx_write";
    return s->rx_read >= size ? "rx_read" : NULL;
}

const struct state_desc rtl8139_desc =
    STATE_DESC("rtl8139", 1, struct rtl8139_state, rtl8139_fields, rtl8139_check);

/* ---- power, bus, interrupt --------------------------------------------------------------------
 */

bool rtl8139_powered(const struct rtl8139 *d)
{
    return (d->fn.state->config[PM_PMCSR] & PMCSR_STATE) == 0;
}

bool rtl8139_can_dma(const struct rtl8139 *d)
{
    return d->running && rtl8139_powered(d) && pci_bus_master(&d->fn);
}

void rtl8139_update(struct rtl8139 *d)
{
    bool want = d->net && rtl8139_can_receive(d);

    pci_set_irq(&d->fn, (d->s->isr & d->s->imr) && rtl8139_powered(d));
    if (want == d->wanting)
        return;
    d->wanting = want;
    if (d->net)
        net_want_receive(d->net, want);
}

void rtl8139_bus_error(struct rtl8139 *d)
{
    struct rtl8139_state *s = d->s;

    log_guest("%s: DMA to where there is no memory; stopped until the next reset", d->name);
    s->isr |= INT_SERR;
    s->cr = 0;
    s->tppoll = 0;
}

/* ---- timer ------------------------------------------------------------------------------------
 */

static uint64_t ticks(const struct rtl8139 *d)
{
    return (loop_now(d->env.loop, CLOCK_GUEST) - d->s->tctr_start) / TCTR_NS;
}

uint32_t rtl8139_tctr(const struct rtl8139 *d)
{
    return (uint32_t)ticks(d);
}

/* The next time that the low 32 bits of TCTR are TimerInt, this moment excluded. */
void rtl8139_timer_update(struct rtl8139 *d)
{
    struct rtl8139_state *s = d->s;
    uint64_t now = ticks(d);
    uint32_t left = s->timerint - (uint32_t)now;

    s->timer_at = TIMER_NEVER;
    if (s->timerint)
        s->timer_at = s->tctr_start + (now + (left ? left : UINT64_C(1) << 32)) * TCTR_NS;
    timer_arm(&d->timer, s->timer_at);
}

static void timer_fired(void *opaque)
{
    struct rtl8139 *d = opaque;

    d->s->isr |= INT_TIMEOUT;
    rtl8139_timer_update(d);
    rtl8139_update(d);
}

/* ---- counters ---------------------------------------------------------------------------------
 */

static uint8_t *put(uint8_t *p, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *p++ = (uint8_t)(value >> 8 * i);
    return p;
}

static void clear_tally(struct rtl8139_state *s)
{
    s->tx_ok = s->rx_ok = s->tx_err = 0;
    s->rx_err = 0;
    s->miss_pkt = s->fae = 0;
    s->tx_1col = s->tx_mcol = 0;
    s->rx_ok_phy = s->rx_ok_brd = 0;
    s->rx_ok_mul = 0;
    s->tx_abt = s->tx_undrn = 0;
}

void rtl8139_dump_tally(struct rtl8139 *d)
{
    struct rtl8139_state *s = d->s;
    uint8_t dump[64], *p = dump;

    if (s->dtccr[0] & DTCCR_RESET)
        clear_tally(s);
    s->dtccr[0] &= ~(uint32_t)DTCCR_RESET;
    if (!(s->dtccr[0] & DTCCR_CMD) || !rtl8139_can_dma(d))
        return;
    p = put(p, s->tx_ok, 8);
    p = put(p, s->rx_ok, 8);
    p = put(p, s->tx_err, 8);
    p = put(p, s->rx_err, 4);
    p = put(p, s->miss_pkt, 2);
    p = put(p, s->fae, 2);
    p = put(p, s->tx_1col, 4);
    p = put(p, s->tx_mcol, 4);
    p = put(p, s->rx_ok_phy, 8);
    p = put(p, s->rx_ok_brd, 8);
    p = put(p, s->rx_ok_mul, 4);
    p = put(p, s->tx_abt, 2);
    put(p, s->tx_undrn, 2);
    if (guestmem_write(d->env.mem,
                       (uint64_t)s->dtccr[1] << 32 | (s->dtccr[0] & (uint32_t)DTCCR_ADDRESS), dump,
                       sizeof(dump)))
        rtl8139_bus_error(d);
    s->dtccr[0] &= ~(uint32_t)DTCCR_CMD;
}

/* ---- reset ------------------------------------------------------------------------------------
 */

void rtl8139_autoload(struct rtl8139 *d)
{
    for (unsigned i = 0; i < ETH_ALEN; i++)
        d->s->idr[i] = (uint8_t)(d->eeprom->word[7 + i / 2] >> 8 * (i % 2));
}

void rtl8139_chip_reset(struct rtl8139 *d)
{
    uint8_t mar[8];

    memcpy(mar, d->s->mar, sizeof(mar));
    state_reset(&rtl8139_desc, d->s);
    memcpy(d->s->mar, mar, sizeof(mar));
    d->s->tctr_start = loop_now(d->env.loop, CLOCK_GUEST);
    rtl8139_autoload(d);
    timer_cancel(&d->timer);
    timer_cancel(&d->starve_timer);
    loop_defer_cancel(d->env.loop, &d->work);
    d->rx_starved = false;
}

static void reset(void *opaque)
{
    struct rtl8139 *d = opaque;

    state_reset(&eeprom93c46_desc, d->eeprom);
    memset(d->s->mar, 0, sizeof(d->s->mar));
    rtl8139_chip_reset(d);
    rtl8139_update(d);
}

/* ---- the back-end's side ----------------------------------------------------------------------
 */

static void go_on(struct rtl8139 *d)
{
    rtl8139_dump_tally(d);
    rtl8139_transmit(d);
    rtl8139_update(d);
}

static void readable(void *opaque)
{
    struct rtl8139 *d = opaque;

    rtl8139_receive(d);
    /* What the driver looks at next, should it not look at the chip again. */
    if (d->rx_starved) {
        d->starve_ns = STARVE_MIN_NS;
        timer_arm(&d->starve_timer, loop_now(d->env.loop, CLOCK_GUEST) + d->starve_ns);
    }
    rtl8139_update(d);
}

static void starve_look(void *opaque)
{
    struct rtl8139 *d = opaque;

    rtl8139_unstarve(d);
    if (d->rx_starved) {
        d->starve_ns = d->starve_ns < STARVE_MAX_NS ? d->starve_ns * 2 : STARVE_MAX_NS;
        timer_arm(&d->starve_timer, loop_now(d->env.loop, CLOCK_GUEST) + d->starve_ns);
    }
    rtl8139_update(d);
}

static void writable(void *opaque)
{
    struct rtl8139 *d = opaque;

    d->tx_blocked = false;
    go_on(d);
}

static void work(void *opaque)
{
    go_on(opaque);
}

static void link_changed(void *opaque, bool up)
{
    struct rtl8139 *d = opaque;

    if (up == d->s->link)
        return;
    d->s->link = up;
    d->s->isr |= INT_LINKCHG;
    rtl8139_update(d);
}

static void detach(struct rtl8139 *d)
{
    if (d->net)
        net_detach(d->net);
    d->net = NULL;
    d->wanting = d->tx_blocked = false;
}

/* ---- PCI --------------------------------------------------------------------------------------
 */

static void capability_reset(uint8_t *config)
{
    config[PCI_CAPABILITY_LIST] = PM_CAP;
    config[PM_CAP] = PM_ID;
    config[PM_CAP + 1] = 0; /* the last one */
    config[PM_PMC] = (uint8_t)PMC_D1_D2_VERSION_3;
    config[PM_PMC + 1] = PMC_D1_D2_VERSION_3 >> 8;
    config[PM_PMCSR] = PMCSR_NO_SOFT_RESET;
    memset(config + PM_PMCSR + 1, 0, PM_CAP_LENGTH - 5);
}

static void config_reset(void *dev, uint8_t *config)
{
    capability_reset(config);
}

/* Bus mastering or power may have come, or gone. */
static void config_written(void *dev, unsigned reg, unsigned size)
{
    bool command = reg < PCI_COMMAND + 2 && reg + size > PCI_COMMAND;
    bool power = reg <= PM_PMCSR && reg + size > PM_PMCSR;

    if (command || power)
        go_on(dev);
}

static int function_create(struct rtl8139 *d, const struct rtl8139_config *config)
{
    struct io_region region = {.name = d->name, .ops = &rtl8139_io_ops, .dev = d};
    int rc;

    d->fn = (struct pci_function){
        .name = d->name,
        .devfn = config->devfn,
        .vendor = 0x10ec,
        .device = 0x8139,
        /* What guests have seen from the device model before us: Windows keeps drivers by it. */
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = REVISION,
        .class_code = 0x0200,
        .interrupt_pin = 1,
        .status_reset = PCI_STATUS_CAP_LIST | PCI_STATUS_FAST_BACK | PCI_STATUS_DEVSEL_MEDIUM,
        .dev = d,
        .config_written = config_written,
        .config_reset = config_reset,
    };
    d->fn.bar[0] = (struct pci_bar){.kind = PCI_BAR_IO, .size = BAR_SIZE, .region = region};
    d->fn.bar[1] = (struct pci_bar){.kind = PCI_BAR_MEM, .size = BAR_SIZE, .region = region};
    d->rom = config->rom;
    if (d->rom.size)
        pci_rom_attach(&d->fn, &d->rom);
    rc = pci_add(d->env.pci, &d->fn);
    if (rc)
        return rc;
    memset(d->fn.write_mask + PM_CAP, 0, PM_CAP_LENGTH);
    d->fn.write_mask[PM_PMCSR] = PMCSR_STATE;
    return 0;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void loaded(void *opaque)
{
    struct rtl8139 *d = opaque;
    uint8_t *config = d->fn.state->config, state = config[PM_PMCSR] & PMCSR_STATE;

    capability_reset(config);
    config[PM_PMCSR] |= state;
    if (!d->fn.present)
        detach(d);
    d->rx_starved = false;
    timer_cancel(&d->starve_timer);
    timer_arm(&d->timer, d->s->timer_at);
    link_changed(d, d->net && net_link_up(d->net));
    go_on(d);
}

static int lists_init(struct rtl8139 *d)
{
    struct guestmem *mem = d->env.mem;

    if (guest_sg_init(&d->tx_sg, mem, TX_PIECES) || guest_sg_init(&d->rx_sg, mem, RX_PIECES) ||
        guest_sg_init(&d->tx_ring.sg, mem, 1) || guest_sg_init(&d->rx_ring.sg, mem, 1))
        return -ENOMEM;
    return 0;
}

static void lists_fini(struct rtl8139 *d)
{
    guest_sg_fini(&d->tx_sg);
    guest_sg_fini(&d->rx_sg);
    guest_sg_fini(&d->tx_ring.sg);
    guest_sg_fini(&d->rx_ring.sg);
}

static void destroy(void *opaque)
{
    struct rtl8139 *d = opaque;

    detach(d);
    timer_cancel(&d->timer);
    timer_cancel(&d->starve_timer);
    loop_defer_cancel(d->env.loop, &d->work);
    lists_fini(d);
    free(d);
}

static const struct device_ops device_ops = {
    .name = "rtl8139",
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

static void eeprom_power_on(struct eeprom93c46 *e, const uint8_t mac[ETH_ALEN])
{
    e->word[0] = 0x8129; /* by which drivers know that there is one */
    e->word[1] = 0x10ec;
    e->word[2] = 0x8139;
    for (unsigned i = 0; i < 3; i++)
        e->word[7 + i] = (uint16_t)(mac[2 * i] | mac[2 * i + 1] << 8);
}

static int state_create(struct rtl8139 *d, const struct rtl8139_config *config)
{
    char name[ARENA_NAME_MAX];

    d->s = arena_alloc(d->env.arena, d->name, &rtl8139_desc);
    snprintf(name, sizeof(name), "%s.eeprom", d->name);
    d->eeprom = arena_alloc(d->env.arena, name, &eeprom93c46_desc);
    if (!d->s || !d->eeprom)
        return -ENOMEM;
    eeprom_power_on(d->eeprom, config->mac);
    return lists_init(d);
}

int rtl8139_create(struct rtl8139 **out, const struct dm_env *env,
                   const struct rtl8139_config *config)
{
    struct rtl8139 *d = calloc(1, sizeof(*d));
    struct net_nic nic = {readable, writable, link_changed, d};
    int rc;

    if (!d)
        return -ENOMEM;
    d->env = *env;
    snprintf(d->name, sizeof(d->name), "nic%u", config->index);
    fcs_init(&d->fcs);
    timer_init(&d->timer, env->loop, CLOCK_GUEST, timer_fired, d);
    timer_init(&d->starve_timer, env->loop, CLOCK_GUEST, starve_look, d);
    d->work = (struct loop_work){.run = work, .opaque = d};
    rc = state_create(d, config);
    if (!rc)
        rc = function_create(d, config);
    if (!rc)
        rc = device_register(env->devices, &device_ops, d);
    if (rc) {
        lists_fini(d);
        if (!d->fn.bus)
            free(d); /* a bus that knows the function outlives us: this happens at start-up only */
        return rc;
    }
    rtl8139_chip_reset(d);
    d->net = config->net;
    d->s->link = d->net && net_link_up(d->net);
    if (d->net)
        net_attach(d->net, &nic);
    *out = d;
    return 0;
}

void rtl8139_set_running(struct rtl8139 *d, bool running)
{
    d->running = running;
    go_on(d);
}

void rtl8139_unplug(struct rtl8139 *d)
{
    detach(d);
    pci_remove(&d->fn);
    rtl8139_chip_reset(d);
    rtl8139_update(d);
}
