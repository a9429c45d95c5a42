/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmitter. C mode: four registers, taken in turn. C+ mode: two rings of descriptors in guest
 * memory, high priority first.
 *
 *     ring: OWN? --no--> TDU, wait for a kick
 *            |yes
 *            v
 *     gather FS ... LS --no LS in the whole ring, FS inside, too long--> TER, given back unsent
 *            |    \--next one is not ours yet--> wait for a kick
 *            |     \--more than a ring can hold, by one kick--> TER, wait for a kick
 *            v
 *     back-end --no room--> wait for it; nothing has changed, all is gathered anew then
 *            |
 *            v
 *     give back: OWN cleared, in order; TOK
 *
 * Each descriptor is read once for each try, and what is checked is that copy.
 */
#include <errno.h>
#include <string.h>

#include "hw/net/rtl8139_internal.h"

/* Descriptors, and segments of large frames, that a turn takes. */
#define TX_BUDGET 64u
/* What a ring can hold is done after so many turns: 64 times 64 KiB in segments of 64 bytes. */
#define TX_TURNS_MAX 1024u

enum {
    DESC_TX_LENGTH = 0xffff,
    DESC_TX_UNF = 1 << 25,
    DESC_TX_TES = 1 << 23,
    DESC_TX_ERRORS = DESC_TX_UNF | DESC_TX_TES | 1 << 22 | 1 << 21 | 1 << 20,
};

static const uint8_t zeros[ETH_ZLEN];

bool rtl8139_loopback(const struct rtl8139 *d)
{
    return (d->s->tcr & TCR_LOOPBACK) == TCR_LOOPBACK;
}

/* The receiver never calls the transmitter, so a loop cannot become a recursion. */
static void loop_back(struct rtl8139 *d, const struct iovec *iov, int count, size_t len)
{
    if (len > sizeof(d->bounce))
        return;
    iov_read(iov, count, 0, d->bounce, len);
    rtl8139_receive_looped(d, len);
}

int rtl8139_wire(struct rtl8139 *d, const struct iovec *iov, int count, size_t len,
                 const struct net_offload *todo)
{
    int rc;

    if (len < ETH_ZLEN) {
        memcpy(d->padded, iov, (size_t)count * sizeof(*iov));
        d->padded[count++] = (struct iovec){(void *)zeros, ETH_ZLEN - len};
        iov = d->padded;
        len = ETH_ZLEN;
    }
    if (d->tx_budget)
        d->tx_budget--;
    if (rtl8139_loopback(d)) {
        loop_back(d, iov, count, len);
        return 0;
    }
    if (!d->net)
        return -ENETDOWN;
    rc = todo ? net_send_offload(d->net, iov, count, todo) : net_send(d->net, iov, count);
    if (rc == -EAGAIN)
        d->tx_blocked = true;
    return rc;
}

static bool may_transmit(const struct rtl8139 *d)
{
    return (d->s->cr & CR_TE) && !d->tx_blocked && rtl8139_can_dma(d);
}

/* ---- C mode -----------------------------------------------------------------------------------
 */

/* Returns whether there may be another one. */
static bool c_mode_frame(struct rtl8139 *d)
{
    struct rtl8139_state *s = d->s;
    uint32_t *tsd = &s->tsd[s->tx_index];
    size_t len = *tsd & TSD_SIZE;
    int rc = 0;

    if (*tsd & TSD_OWN)
        return false;
    if (len) {
        rc = guest_sg_add(&d->tx_sg, s->tsad[s->tx_index], len);
        if (rc) {
            rtl8139_bus_error(d);
            return false;
        }
        rc = rtl8139_wire(d, d->tx_sg.iov, (int)d->tx_sg.niov, len, NULL);
        guest_sg_release(&d->tx_sg, false);
    }
    if (rc == -EAGAIN)
        return false;
    /* A frame that the back-end has lost has left the chip all the same. */
    *tsd |= TSD_OWN | TSD_TOK;
    s->tx_index = (s->tx_index + 1) % 4;
    s->tx_ok++;
    s->isr |= INT_TOK;
    return true;
}

/* ---- C+ mode ----------------------------------------------------------------------------------
 */

enum gathered { FRAME, NOTHING, BAD_FRAME, BAD_MEMORY };

static uint8_t poll_bit(unsigned ring)
{
    return ring == RING_HIGH ? TPPOLL_HPQ : TPPOLL_NPQ;
}

static uint64_t ring_base(const struct rtl8139_state *s, unsigned ring)
{
    const uint32_t *base = &s->tsad[ring == RING_HIGH ? 2 : 0];

    return (uint64_t)base[1] << 32 | base[0];
}

static enum gathered gather(struct rtl8139 *d, unsigned ring)
{
    struct tx_frame *f = &d->tx;
    unsigned first = d->s->ring_index[ring];
    uint64_t base = ring_base(d->s, ring);

    f->count = 0;
    f->len = 0;
    f->next = first;
    do {
        struct cplus_desc *desc = &f->desc[f->count];
        size_t len;

        if (rtl8139_fetch(&d->tx_ring, desc, base, f->next))
            return BAD_MEMORY;
        if (!(desc->dw0 & DESC_OWN))
            return NOTHING;
        if (f->count && (desc->dw0 & DESC_FS))
            return BAD_FRAME; /* up to here; this one begins the next */
        f->count++;
        f->next = rtl8139_next(desc, f->next);
        len = desc->dw0 & DESC_TX_LENGTH;
        if (len && f->len <= NET_FRAME_MAX && guest_sg_add(&d->tx_sg, desc->buffer, len))
            return BAD_MEMORY;
        f->len += len;
        if (desc->dw0 & DESC_LS)
            return f->len <= NET_FRAME_MAX ? FRAME : BAD_FRAME;
    } while (f->next != first && f->count < CPLUS_RING);
    return BAD_FRAME;
}

static void give_back(struct rtl8139 *d, unsigned ring, bool sent)
{
    const struct tx_frame *f = &d->tx;
    struct rtl8139_state *s = d->s;

    for (unsigned i = 0; i < f->count; i++) {
        uint32_t dw0 = f->desc[i].dw0 & ~(uint32_t)(DESC_OWN | DESC_TX_ERRORS);

        if (!sent)
            dw0 |= DESC_TX_TES;
        if (rtl8139_store(&d->tx_ring, &f->desc[i], 0, dw0)) {
            rtl8139_bus_error(d);
            return;
        }
    }
    s->ring_index[ring] = (uint8_t)f->next;
    s->segmented[ring] = 0;
    s->isr |= sent ? INT_TOK : INT_TER;
    if (sent)
        s->tx_ok++;
    else
        s->tx_err++;
}

/* Returns whether there may be another one. */
static bool cplus_frame(struct rtl8139 *d, unsigned ring)
{
    const struct tx_frame *f = &d->tx;
    enum gathered what = gather(d, ring);
    int rc = -EINVAL;

    if (what == FRAME)
        rc = rtl8139_offload_send(d, ring, &f->desc[0], d->tx_sg.iov, (int)d->tx_sg.niov, f->len);
    guest_sg_release(&d->tx_sg, false);
    switch (what) {
    case NOTHING:
        d->s->tppoll &= (uint8_t)~poll_bit(ring);
        d->s->isr |= INT_TDU;
        return false;
    case BAD_MEMORY:
        rtl8139_bus_error(d);
        return false;
    default:
        break;
    }
    if (rc == -EAGAIN)
        return false;
    d->tx_budget -= f->count < d->tx_budget ? f->count : d->tx_budget;
    give_back(d, ring, rc != -EINVAL);
    return true;
}

/* ---- both -------------------------------------------------------------------------------------
 */

static void cplus_queue(struct rtl8139 *d, unsigned ring)
{
    while ((d->s->tppoll & poll_bit(ring)) && may_transmit(d) && d->tx_budget &&
           cplus_frame(d, ring))
        ;
}

static bool more(const struct rtl8139 *d)
{
    const struct rtl8139_state *s = d->s;

    return s->cpcr & CPCR_CPTX ? s->tppoll != 0 : !(s->tsd[s->tx_index] & TSD_OWN);
}

void rtl8139_transmit(struct rtl8139 *d)
{
    if (!may_transmit(d) || !more(d))
        return;
    d->tx_budget = TX_BUDGET;
    if (d->s->cpcr & CPCR_CPTX) {
        cplus_queue(d, RING_HIGH);
        cplus_queue(d, RING_NORMAL);
        rtl8139_ring_release(&d->tx_ring);
    } else {
        while (may_transmit(d) && d->tx_budget && c_mode_frame(d))
            ;
    }
    if (!may_transmit(d) || !more(d))
        return;
    if (d->tx_turns++ < TX_TURNS_MAX) {
        loop_defer(d->env.loop, &d->work);
        return;
    }
    /* A ring that fills itself, as one does that frames in loopback are written to. */
    d->s->tppoll = 0;
    d->s->isr |= INT_TER | INT_TDU;
    d->s->tx_err++;
}

void rtl8139_kick(struct rtl8139 *d)
{
    d->tx_turns = 0;
    rtl8139_transmit(d);
}
