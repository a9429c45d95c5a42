/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the RTL8139C+. Drivers reach them in all widths: Windows writes TCR and RCR byte by
 * byte, 8139too reads the address in dwords. So everything goes by aligned dwords: a read cuts
 * what it wants out of them, and a write comes with a mask of the bits that it is about.
 */
#include "dm/log.h"
#include "hw/net/rtl8139_internal.h"

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t halves(uint16_t low, uint16_t high)
{
    return low | (uint32_t)high << 16;
}

static uint32_t bytes(uint8_t b0, uint8_t b1, uint8_t b2, uint8_t b3)
{
    return halves((uint16_t)(b0 | b1 << 8), (uint16_t)(b2 | b3 << 8));
}

static bool cplus_tx(const struct rtl8139_state *s)
{
    return s->cpcr & CPCR_CPTX;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static uint16_t tsad_summary(const struct rtl8139_state *s)
{
    uint32_t summary = 0;

    for (unsigned i = 0; i < 4; i++) {
        summary |= (s->tsd[i] & TSD_OWN ? 1u : 0) << i;
        summary |= (s->tsd[i] & TSD_TABT ? 1u : 0) << (4 + i);
        summary |= (s->tsd[i] & TSD_TUN ? 1u : 0) << (8 + i);
        summary |= (s->tsd[i] & TSD_TOK ? 1u : 0) << (12 + i);
    }
    return (uint16_t)summary;
}

static uint8_t cr_read(const struct rtl8139_state *s)
{
    return s->cr | (s->rx_read == s->rx_write ? CR_BUFE : 0);
}

static uint8_t cr9346_read(const struct rtl8139 *d)
{
    bool out = (d->s->cr9346 & EEM_MASK) == EEM_PROGRAM && eeprom93c46_out(d->eeprom);

    return (uint8_t)(d->s->cr9346 | (out ? EEDO : 0));
}

static uint8_t msr_read(const struct rtl8139_state *s)
{
    bool slow = !(s->bmcr & (BMCR_ANE | BMCR_SPEED));

    return (uint8_t)(MSR_FIXED | (s->link ? 0 : MSR_LINKB) | (slow ? MSR_SPEED_10 : 0));
}

static uint32_t read_dword(const struct rtl8139 *d, unsigned reg)
{
    const struct rtl8139_state *s = d->s;

    switch (reg) {
    case IDR0:
        return get_le32(s->idr);
    case IDR4:
        return bytes(s->idr[4], s->idr[5], 0, 0);
    case MAR0:
    case MAR4:
        return get_le32(s->mar + (reg - MAR0));
    case TSD0 ... TSD3:
        if (cplus_tx(s) && reg < TSD0 + 8)
            return s->dtccr[(reg - TSD0) / 4];
        return s->tsd[(reg - TSD0) / 4];
    case TSAD0 ... TSAD3:
        return s->tsad[(reg - TSAD0) / 4];
    case RBSTART:
        return s->rbstart;
    case ERBCR:
        return bytes(0, 0, 0, cr_read(s));
    case CAPR:
        return halves((uint16_t)(s->rx_read - 16), s->rx_write);
    case IMR:
        return halves(s->imr, s->isr);
    case TCR:
        return s->tcr | TCR_VERSION;
    case RCR:
        return s->rcr;
    case TCTR:
        return rtl8139_tctr(d);
    case MPC:
        return s->mpc;
    case CR9346:
        return bytes(cr9346_read(d), s->config0, s->config1, 0);
    case TIMERINT:
        return s->timerint;
    case MSR:
        return bytes(msr_read(s), s->config3, s->config4, 0);
    case MULINT:
        return halves(s->mulint, d->fn.revision);
    case TSAD:
        return halves(tsad_summary(s), s->bmcr);
    case BMSR:
        return halves(s->link ? 0x782d : 0x7829, s->anar);
    case ANLPAR:
        return halves(0x05e1, 0x0001);
    case CSCR:
        return s->link ? 0x0348 : 0x0340;
    case PARA78:
        return s->para78;
    case PARA7C:
        return s->para7c;
    case CONFIG5:
        return bytes(s->config5, s->tppoll, 0, 0);
    case CPCR:
        return s->cpcr;
    case RDSAR:
    case RDSAR_HIGH:
        return s->rdsar[(reg - RDSAR) / 4];
    case MTPS:
        return s->mtps;
    default:
        return 0;
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* `mask` has ones in the bits that are written, `value` zeros in the others. */
struct write {
    uint32_t value, mask;
};

static uint32_t merged(uint32_t old, struct write w)
{
    return (old & ~w.mask) | w.value;
}

/* The part of a write that meets a register of `bits` bits at bit `at` of its dword. */
static struct write part(struct write w, unsigned at, unsigned bits)
{
    uint32_t ones = (UINT32_C(1) << bits) - 1;

    return (struct write){w.value >> at & ones, w.mask >> at & ones};
}

static void merge8(uint8_t *reg, struct write w, unsigned at, uint8_t writable)
{
    struct write p = part(w, at, 8);

    p.mask &= writable;
    p.value &= writable;
    *reg = (uint8_t)merged(*reg, p);
}

static void merge16(uint16_t *reg, struct write w, unsigned at)
{
    *reg = (uint16_t)merged(*reg, part(w, at, 16));
}

static bool config_writable(const struct rtl8139_state *s)
{
    return (s->cr9346 & EEM_MASK) == EEM_CONFIG;
}

static void tsd_write(struct rtl8139 *d, unsigned reg, struct write w)
{
    struct rtl8139_state *s = d->s;
    unsigned i = (reg - TSD0) / 4;

    if (cplus_tx(s)) {
        if (i < 2)
            s->dtccr[i] = merged(s->dtccr[i], w);
        if (i == 0)
            rtl8139_dump_tally(d);
        return;
    }
    s->tsd[i] = merged(s->tsd[i], w) & TSD_WRITABLE;
    rtl8139_kick(d);
}

static void cr_write(struct rtl8139 *d, uint8_t value)
{
    struct rtl8139_state *s = d->s;
    uint8_t on;

    if (value & CR_RST) {
        rtl8139_chip_reset(d);
        return;
    }
    value &= CR_TE | CR_RE;
    on = value & (uint8_t)~s->cr;
    s->cr = value;
    if (on & CR_RE) {
        s->rx_index = 0;
        rtl8139_ring_reset(s);
        rtl8139_discard(d);
    }
    if (on & CR_TE) {
        s->tx_index = 0;
        for (unsigned ring = 0; ring < RINGS; ring++)
            s->ring_index[ring] = 0, s->segmented[ring] = 0;
    }
    if (!(value & CR_TE))
        s->tppoll = 0;
    rtl8139_kick(d);
}

static void capr_write(struct rtl8139_state *s, struct write w)
{
    uint32_t capr = merged((uint16_t)(s->rx_read - 16), part(w, 0, 16));

    s->rx_read = (uint16_t)((capr + 16) % rtl8139_ring_size(s));
}

/* The ring begins anew only where it has to: drivers change filters while frames come in. */
static void rcr_write(struct rtl8139_state *s, struct write w)
{
    uint32_t old = s->rcr;

    s->rcr = merged(old, w) & RCR_WRITABLE;
    if (((old ^ s->rcr) & RCR_RBLEN) || !(s->cr & CR_RE))
        rtl8139_ring_reset(s);
}

static void cr9346_write(struct rtl8139 *d, uint8_t value)
{
    struct rtl8139_state *s = d->s;

    s->cr9346 = value & (uint8_t) ~(EEDO | 0x30);
    switch (value & EEM_MASK) {
    case EEM_AUTOLOAD:
        rtl8139_autoload(d);
        s->cr9346 = 0;
        break;
    case EEM_PROGRAM:
        eeprom93c46_wires(d->eeprom, value & EECS, value & EESK, value & EEDI);
        break;
    default:
        break;
    }
}

static void config_write(struct rtl8139 *d, struct write w)
{
    struct rtl8139_state *s = d->s;

    if (w.mask & 0xff)
        cr9346_write(d, (uint8_t)w.value);
    if (!config_writable(s))
        return;
    merge8(&s->config0, w, 8, 0x07);
    merge8(&s->config1, w, 16, 0xf3);
}

static void media_write(struct rtl8139_state *s, struct write w)
{
    if (!config_writable(s))
        return;
    merge8(&s->config3, w, 8, 0x70);
    merge8(&s->config4, w, 16, 0xf5);
}

static void bmcr_write(struct rtl8139_state *s, struct write w)
{
    const uint32_t settings = BMCR_SPEED | BMCR_ANE | BMCR_DUPLEX;

    if (w.value & BMCR_RESET) {
        s->bmcr = BMCR_ANE;
        s->anar = 0x05e1;
        return;
    }
    if (!config_writable(s))
        return;
    w.mask &= settings;
    w.value &= settings;
    s->bmcr = (uint16_t)merged(s->bmcr, w);
}

static void tppoll_write(struct rtl8139 *d, uint8_t value)
{
    struct rtl8139_state *s = d->s;

    if (value & TPPOLL_FSWINT)
        s->isr |= INT_SWINT;
    if (!cplus_tx(s) || !(s->cr & CR_TE))
        return;
    s->tppoll |= value & (TPPOLL_HPQ | TPPOLL_NPQ);
    rtl8139_kick(d);
}

static void bytes_write(uint8_t *p, struct write w)
{
    for (unsigned i = 0; i < 4; i++)
        merge8(p + i, w, 8 * i, 0xff);
}

static void write_dword(struct rtl8139 *d, unsigned reg, struct write w)
{
    struct rtl8139_state *s = d->s;

    switch (reg) {
    case IDR0:
        bytes_write(s->idr, w);
        break;
    case IDR4:
        merge8(&s->idr[4], w, 0, 0xff);
        merge8(&s->idr[5], w, 8, 0xff);
        break;
    case MAR0:
    case MAR4:
        bytes_write(s->mar + (reg - MAR0), w);
        break;
    case TSD0 ... TSD3:
        tsd_write(d, reg, w);
        break;
    case TSAD0 ... TSAD3:
        s->tsad[(reg - TSAD0) / 4] = merged(s->tsad[(reg - TSAD0) / 4], w);
        break;
    case RBSTART:
        s->rbstart = merged(s->rbstart, w);
        break;
    case ERBCR:
        if (w.mask >> 24)
            cr_write(d, (uint8_t)(w.value >> 24));
        break;
    case CAPR:
        if (w.mask & 0xffff)
            capr_write(s, w);
        break;
    case IMR:
        merge16(&s->imr, w, 0);
        s->imr &= INT_DEFINED;
        s->isr &= (uint16_t)~part(w, 16, 16).value;
        break;
    case TCR:
        s->tcr = merged(s->tcr, w) & TCR_WRITABLE;
        break;
    case RCR:
        rcr_write(s, w);
        break;
    case TCTR:
        s->tctr_start = loop_now(d->env.loop, CLOCK_GUEST);
        rtl8139_timer_update(d);
        break;
    case MPC:
        s->mpc = 0;
        break;
    case CR9346:
        config_write(d, w);
        break;
    case TIMERINT:
        s->timerint = merged(s->timerint, w);
        rtl8139_timer_update(d);
        break;
    case MSR:
        media_write(s, w);
        break;
    case MULINT:
        w = part(w, 0, 12);
        s->mulint = (uint16_t)merged(s->mulint, w);
        break;
    case TSAD:
        bmcr_write(s, part(w, 16, 16));
        break;
    case BMSR:
        merge16(&s->anar, w, 16);
        break;
    case PARA78:
        s->para78 = merged(s->para78, w);
        break;
    case PARA7C:
        s->para7c = merged(s->para7c, w);
        break;
    case CONFIG5:
        merge8(&s->config5, w, 0, 0x7f);
        tppoll_write(d, (uint8_t)part(w, 8, 8).value);
        break;
    case CPCR:
        merge16(&s->cpcr, w, 0);
        s->cpcr &= CPCR_WRITABLE;
        break;
    case RDSAR:
    case RDSAR_HIGH:
        s->rdsar[(reg - RDSAR) / 4] = merged(s->rdsar[(reg - RDSAR) / 4], w);
        break;
    case MTPS:
        merge8(&s->mtps, w, 0, 0xff);
        break;
    default:
        break;
    }
}

/* ---- the window -------------------------------------------------------------------------------
 */

static uint32_t ones(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (UINT32_C(1) << 8 * size) - 1;
}

static uint64_t io_read_registers(void *dev, uint64_t offset, unsigned size)
{
    struct rtl8139 *d = dev;
    unsigned reg = (unsigned)offset & ~3u, shift = 8 * ((unsigned)offset & 3);
    uint64_t value;

    if (!rtl8139_powered(d))
        return ones(size);
    /* A driver that looks for causes has perhaps filled its ring before. */
    if (reg == IMR && d->rx_starved) {
        rtl8139_unstarve(d);
        rtl8139_update(d);
    }
    value = read_dword(d, reg);
    if (shift + 8 * size > 32)
        value |= (uint64_t)read_dword(d, reg + 4) << 32;
    return value >> shift & ones(size);
}

static void io_write_registers(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtl8139 *d = dev;
    unsigned reg = (unsigned)offset & ~3u, shift = 8 * ((unsigned)offset & 3);
    uint64_t mask = (uint64_t)ones(size) << shift;

    if (!rtl8139_powered(d))
        return;
    value = value << shift & mask;
    write_dword(d, reg, (struct write){(uint32_t)value, (uint32_t)mask});
    if (mask >> 32)
        write_dword(d, reg + 4, (struct write){(uint32_t)(value >> 32), (uint32_t)(mask >> 32)});
    if (d->rx_starved)
        rtl8139_unstarve(d);
    rtl8139_update(d);
}

const struct io_ops rtl8139_io_ops = {
    .read = io_read_registers,
    .write = io_write_registers,
    .sizes = 1 | 2 | 4,
};
