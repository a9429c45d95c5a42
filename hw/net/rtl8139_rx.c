/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receiver. Where the next frame would go is worked out first (a slot); then the back-end reads
 * straight into it, but for the first bytes, which come into a buffer of ours: the filter, the
 * VLAN tag and the checksums look at them. Only what is written at the end makes the frame the
 * guest's: a header and the write pointer in C mode, dword 0 in C+ mode.
 *
 *     C mode ring     [status 16, length 16] [frame] [FCS] [up to a dword]
 *     C+ descriptor   dword 0: status and length; dword 1: VLAN tag; buffer: [frame] [FCS]
 */
#include <errno.h>
#include <string.h>

#include "hw/net/rtl8139_internal.h"

/* Frames that a turn takes, and those thrown away when the receiver is switched on. */
#define RX_BUDGET   64u
#define DISCARD_MAX 1024u

enum {
    /* C mode */
    RING_HEADER = 4,
    RX_ROK = 1 << 0,
    RX_BAR = 1 << 13,
    RX_PAM = 1 << 14,
    RX_MAR = 1 << 15,
    C_FRAME_MAX = 4096 - ETH_FCS_LEN, /* a longer one is an error (LONG) */
    C_FRAME_USUAL = 1518,             /* with a VLAN tag: less room is none */
    WRAP_SLACK = 16 + 1536,           /* what a driver has behind the ring with WRAP */

    /* C+ mode */
    DESC_RX_SIZE = 0x1fff,
    DESC_RX_MAR = 1 << 26,
    DESC_RX_PAM = 1 << 25,
    DESC_RX_BAR = 1 << 24,
    DESC_RX_TAVA = 1 << 16, /* dword 1 */
};

#define RX_REJECTED UINT32_MAX

struct slot {
    bool cplus;
    struct cplus_desc desc;
    size_t room;  /* longest frame that fits, without FCS */
    size_t frame; /* where it begins in rx_sg */
};

struct frame {
    uint8_t head[RX_HEAD];
    size_t len;
};

/* ---- C mode ring ------------------------------------------------------------------------------
 */

uint32_t rtl8139_ring_size(const struct rtl8139_state *s)
{
    return 8192u << (s->rcr >> 11 & 3);
}

void rtl8139_ring_reset(struct rtl8139_state *s)
{
    s->rx_read = s->rx_write = 0;
}

/* The longest frame that leaves the ring short of full: a full one would look empty. */
static size_t ring_room(const struct rtl8139_state *s)
{
    uint32_t size = rtl8139_ring_size(s);
    uint32_t free = (size + s->rx_read - s->rx_write) % size;
    size_t room;

    if (free == 0)
        free = size;
    room = (free - 1) & ~3u;
    if (room < RING_HEADER + C_FRAME_USUAL + ETH_FCS_LEN)
        return 0;
    room -= RING_HEADER + ETH_FCS_LEN;
    return room < C_FRAME_MAX ? room : C_FRAME_MAX;
}

static bool ring_linear(const struct rtl8139_state *s)
{
    return (s->rcr & RCR_WRAP) && rtl8139_ring_size(s) < 65536;
}

static int open_ring(struct rtl8139 *d, struct slot *slot)
{
    const struct rtl8139_state *s = d->s;
    size_t left = rtl8139_ring_size(s) - s->rx_write, whole;
    int rc;

    slot->room = ring_room(s);
    if (slot->room == 0)
        return -ENOBUFS;
    whole = RING_HEADER + slot->room + ETH_FCS_LEN;
    if (ring_linear(s)) {
        left += WRAP_SLACK;
        whole = whole < left ? whole : left;
        slot->room = whole - RING_HEADER - ETH_FCS_LEN;
    }
    slot->frame = RING_HEADER;
    left = left < whole ? left : whole;
    rc = guest_sg_add(&d->rx_sg, (uint64_t)s->rbstart + s->rx_write, left);
    if (!rc && whole > left)
        rc = guest_sg_add(&d->rx_sg, s->rbstart, whole - left);
    return rc;
}

static void close_ring(struct rtl8139 *d, size_t len, uint32_t status)
{
    struct rtl8139_state *s = d->s;
    uint8_t header[RING_HEADER] = {(uint8_t)(status | RX_ROK), (uint8_t)(status >> 8),
                                   (uint8_t)(len + ETH_FCS_LEN),
                                   (uint8_t)((len + ETH_FCS_LEN) >> 8)};
    uint32_t used = (RING_HEADER + (uint32_t)len + ETH_FCS_LEN + 3) & ~3u;

    __atomic_thread_fence(__ATOMIC_RELEASE);
    iov_write(d->rx_sg.iov, (int)d->rx_sg.niov, 0, header, sizeof(header));
    s->rx_write = (uint16_t)((s->rx_write + used) % rtl8139_ring_size(s));
}

/* ---- C+ ring ----------------------------------------------------------------------------------
 */

static int open_descriptor(struct rtl8139 *d, struct slot *slot)
{
    const struct rtl8139_state *s = d->s;
    uint64_t base = (uint64_t)s->rdsar[1] << 32 | s->rdsar[0];
    size_t size;
    int rc = rtl8139_fetch(&d->rx_ring, &slot->desc, base, s->rx_index);

    if (rc)
        return rc;
    if (!(slot->desc.dw0 & DESC_OWN))
        return -ENOBUFS;
    size = slot->desc.dw0 & DESC_RX_SIZE;
    slot->room = size > ETH_FCS_LEN ? size - ETH_FCS_LEN : 0;
    slot->frame = 0;
    return size ? guest_sg_add(&d->rx_sg, slot->desc.buffer, size) : 0;
}

/* The address bits of the C mode header as dword 0 has them. */
static uint32_t descriptor_status(uint32_t status)
{
    return (status & RX_MAR ? DESC_RX_MAR : 0) | (status & RX_PAM ? DESC_RX_PAM : 0) |
           (status & RX_BAR ? DESC_RX_BAR : 0);
}

/* dword 0 goes last: with it the descriptor is the driver's. */
static int close_descriptor(struct rtl8139 *d, const struct slot *slot, size_t len, uint32_t status,
                            uint32_t dw1)
{
    uint32_t dw0 =
        (slot->desc.dw0 & DESC_EOR) | DESC_FS | DESC_LS | status | (uint32_t)(len + ETH_FCS_LEN);
    int rc = rtl8139_store(&d->rx_ring, &slot->desc, 1, dw1);

    if (!rc)
        rc = rtl8139_store(&d->rx_ring, &slot->desc, 0, dw0);
    if (!rc)
        d->s->rx_index = (uint8_t)rtl8139_next(&slot->desc, d->s->rx_index);
    return rc;
}

/* ---- one frame --------------------------------------------------------------------------------
 */

static int open_slot(struct rtl8139 *d, struct slot *slot)
{
    *slot = (struct slot){.cplus = d->s->cpcr & CPCR_CPRX};
    return slot->cplus ? open_descriptor(d, slot) : open_ring(d, slot);
}

/* How the C mode header says that an address matched, or RX_REJECTED. */
static uint32_t filter(const struct rtl8139 *d, const uint8_t *to)
{
    static const uint8_t broadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const struct rtl8139_state *s = d->s;
    uint32_t status = 0, needed = 0;

    if (memcmp(to, broadcast, ETH_ALEN) == 0) {
        status = RX_BAR;
        needed = RCR_AB;
    } else if (to[0] & 1) {
        unsigned hash = fcs_hash(&d->fcs, to);

        if (s->mar[hash / 8] >> hash % 8 & 1) {
            status = RX_MAR;
            needed = RCR_AM;
        }
    } else if (memcmp(to, s->idr, ETH_ALEN) == 0) {
        status = RX_PAM;
        needed = RCR_APM;
    }
    return (s->rcr & (needed | RCR_AAP)) ? status : RX_REJECTED;
}

static void count(struct rtl8139_state *s, uint32_t status)
{
    s->rx_ok++;
    if (status & RX_BAR)
        s->rx_ok_brd++;
    else if (status & RX_MAR)
        s->rx_ok_mul++;
    else
        s->rx_ok_phy++;
    s->isr |= INT_ROK;
}

static void lost(struct rtl8139_state *s)
{
    s->mpc = (s->mpc + 1) & 0xffffff;
    s->miss_pkt++;
    s->rx_err++;
    s->isr |= INT_RXOVW;
}

/* Takes the tag out of a frame whose bytes from RX_HEAD on are in the slot. Returns dword 1. */
static uint32_t strip_tag(struct rtl8139 *d, const struct slot *slot, struct frame *f)
{
    uint16_t tag;

    memcpy(&tag, f->head + VLAN_AT + 2, sizeof(tag));
    memmove(f->head + VLAN_AT, f->head + VLAN_AT + VLAN_HLEN, RX_HEAD - VLAN_AT - VLAN_HLEN);
    f->len -= VLAN_HLEN;
    if (f->len > RX_HEAD - VLAN_HLEN) {
        size_t rest = f->len - (RX_HEAD - VLAN_HLEN);
        size_t ours = rest < VLAN_HLEN ? rest : VLAN_HLEN;
        struct iovec *iov = d->rx_sg.iov;
        int n = (int)d->rx_sg.niov;

        iov_read(iov, n, slot->frame + RX_HEAD, d->bounce, rest);
        memcpy(f->head + RX_HEAD - VLAN_HLEN, d->bounce, ours);
        iov_write(iov, n, slot->frame + RX_HEAD, d->bounce + ours, rest - ours);
    }
    return DESC_RX_TAVA | tag;
}

/* A frame has come: its first bytes are in f->head, the others in the slot as far as there is
 * room. */
static void finish(struct rtl8139 *d, const struct slot *slot, struct frame *f)
{
    struct rtl8139_state *s = d->s;
    const struct iovec *iov = d->rx_sg.iov;
    int n = (int)d->rx_sg.niov;
    uint32_t status, checks = 0, dw1 = 0;
    uint8_t fcs[ETH_FCS_LEN];

    if (f->len < ETH_ZLEN) {
        memset(f->head + f->len, 0, ETH_ZLEN - f->len);
        f->len = ETH_ZLEN;
    }
    status = filter(d, f->head);
    if (status == RX_REJECTED)
        return;
    if (f->len > slot->room) {
        lost(s);
        return;
    }
    if (slot->cplus && (s->cpcr & CPCR_RXVLAN) && get_be16(f->head + VLAN_AT) == ETH_P_8021Q)
        dw1 = strip_tag(d, slot, f);

    iov_write(iov, n, slot->frame, f->head, f->len < RX_HEAD ? f->len : RX_HEAD);
    put_le32(fcs, fcs_of(&d->fcs, iov, n, slot->frame, f->len));
    iov_write(iov, n, slot->frame + f->len, fcs, sizeof(fcs));
    if (slot->cplus && (s->cpcr & CPCR_RXCHKSUM))
        checks = rtl8139_offload_receive(f->head, iov, n, f->len);
    if (!slot->cplus) {
        close_ring(d, f->len, status);
    } else if (close_descriptor(d, slot, f->len, descriptor_status(status) | checks, dw1)) {
        rtl8139_bus_error(d);
        return;
    }
    count(s, status);
}

/* ---- from the back-end ------------------------------------------------------------------------
 */

bool rtl8139_can_receive(const struct rtl8139 *d)
{
    const struct rtl8139_state *s = d->s;

    if (!(s->cr & CR_RE) || d->rx_starved || !rtl8139_can_dma(d) || rtl8139_loopback(d))
        return false;
    return (s->cpcr & CPCR_CPRX) || ring_room(s) > 0;
}

/* 0: one has been taken; there may be more. -EAGAIN: there was none. -ENOBUFS, -EFAULT: as
 * open_slot(); none has been asked for. */
static int receive_one(struct rtl8139 *d)
{
    struct slot slot;
    struct frame f;
    struct iovec iov[RX_IOV] = {{f.head, sizeof(f.head)}};
    ssize_t len = -EAGAIN;
    int rc = open_slot(d, &slot), n = 1;

    if (rc == 0) {
        if (slot.room > RX_HEAD)
            n += iov_slice(iov + 1, RX_PIECES, d->rx_sg.iov, (int)d->rx_sg.niov,
                           slot.frame + RX_HEAD, slot.room - RX_HEAD);
        len = net_receive(d->net, iov, n);
        rc = len < 0 ? -EAGAIN : 0;
    }
    if (len > 0) {
        f.len = (size_t)len;
        finish(d, &slot, &f);
    }
    guest_sg_release(&d->rx_sg, len > 0);
    return rc;
}

void rtl8139_receive(struct rtl8139 *d)
{
    int rc = 0;

    for (unsigned n = 0; n < RX_BUDGET && d->net && rtl8139_can_receive(d) && rc == 0; n++) {
        rc = receive_one(d);
        if (rc == -EFAULT)
            rtl8139_bus_error(d);
        /* Only the first is known to be there. */
        if (rc == -ENOBUFS && n == 0) {
            d->rx_starved = true;
            d->s->isr |= INT_RXOVW;
        }
    }
    rtl8139_ring_release(&d->rx_ring);
}

void rtl8139_receive_looped(struct rtl8139 *d, size_t len)
{
    struct slot slot;
    struct frame f = {.len = len};
    int rc;

    if (!(d->s->cr & CR_RE))
        return;
    rc = open_slot(d, &slot);
    if (rc == 0) {
        memcpy(f.head, d->bounce, len < RX_HEAD ? len : RX_HEAD);
        if (len > RX_HEAD && len <= slot.room)
            iov_write(d->rx_sg.iov, (int)d->rx_sg.niov, slot.frame + RX_HEAD, d->bounce + RX_HEAD,
                      len - RX_HEAD);
        finish(d, &slot, &f);
    } else if (rc == -ENOBUFS) {
        if (filter(d, d->bounce) != RX_REJECTED)
            lost(d->s);
    } else {
        rtl8139_bus_error(d);
    }
    guest_sg_release(&d->rx_sg, rc == 0);
    rtl8139_ring_release(&d->rx_ring);
}

void rtl8139_discard(struct rtl8139 *d)
{
    struct iovec iov = {d->bounce, sizeof(d->bounce)};

    for (unsigned n = 0; d->net && d->running && n < DISCARD_MAX; n++)
        if (net_receive(d->net, &iov, 1) < 0)
            return;
}

void rtl8139_unstarve(struct rtl8139 *d)
{
    struct cplus_desc desc;
    uint64_t base = (uint64_t)d->s->rdsar[1] << 32 | d->s->rdsar[0];
    bool cplus = d->s->cpcr & CPCR_CPRX, none;

    none = cplus && rtl8139_fetch(&d->rx_ring, &desc, base, d->s->rx_index) == 0 &&
           !(desc.dw0 & DESC_OWN);
    rtl8139_ring_release(&d->rx_ring);
    if (none)
        return;
    d->rx_starved = false;
    timer_cancel(&d->starve_timer);
}
