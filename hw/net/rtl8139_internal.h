/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chip's registers, its state, and the seams between its files. Private to hw/net/. */
#ifndef HW_NET_RTL8139_INTERNAL_H
#define HW_NET_RTL8139_INTERNAL_H

#include "hw/net/eeprom93c46.h"
#include "hw/net/frame.h"
#include "hw/net/rtl8139.h"
#include "hw/pci/pci.h"
#include "hw/pci/rom.h"

/* ---- registers, by the data sheet's names -----------------------------------------------------
 */

enum {
    IDR0 = 0x00,
    IDR4 = 0x04,
    MAR0 = 0x08,
    MAR4 = 0x0c,
    TSD0 = 0x10, /* in C+ mode DTCCR */
    TSD3 = 0x1c,
    TSAD0 = 0x20, /* in C+ mode TNPDS and THPDS */
    TSAD3 = 0x2c,
    RBSTART = 0x30,
    ERBCR = 0x34, /* with ERSR and CR */
    CAPR = 0x38,  /* with CBR */
    IMR = 0x3c,   /* with ISR */
    TCR = 0x40,
    RCR = 0x44,
    TCTR = 0x48,
    MPC = 0x4c,
    CR9346 = 0x50, /* with CONFIG0, CONFIG1 */
    TIMERINT = 0x54,
    MSR = 0x58,    /* with CONFIG3, CONFIG4 */
    MULINT = 0x5c, /* with RERID */
    TSAD = 0x60,   /* with BMCR */
    BMSR = 0x64,   /* with ANAR */
    ANLPAR = 0x68, /* with ANER */
    CSCR = 0x74,
    PARA78 = 0x78,
    PARA7C = 0x7c,
    CONFIG5 = 0xd8, /* with TPPOLL */
    CPCR = 0xe0,
    RDSAR = 0xe4,
    RDSAR_HIGH = 0xe8,
    MTPS = 0xec,
};

enum {
    TSD_SIZE = 0x1fff,
    TSD_OWN = 1 << 13,
    TSD_TUN = 1 << 14,
    TSD_TOK = 1 << 15,
    TSD_TABT = 1 << 30,
    TSD_WRITABLE = 0x003f3fff,
};
enum { CR_BUFE = 1, CR_TE = 4, CR_RE = 8, CR_RST = 16 };
enum {
    INT_ROK = 1 << 0,
    INT_RER = 1 << 1,
    INT_TOK = 1 << 2,
    INT_TER = 1 << 3,
    INT_RXOVW = 1 << 4, /* in C+ mode RDU */
    INT_LINKCHG = 1 << 5,
    INT_TDU = 1 << 7,
    INT_SWINT = 1 << 8,
    INT_TIMEOUT = 1 << 14,
    INT_SERR = 1 << 15,
    INT_DEFINED = 0xe1ff,
};
#define TCR_VERSION 0x74800000u /* RTL8139C+ */
enum { TCR_WRITABLE = 0x030707f0, TCR_LOOPBACK = 3 << 17 };
enum {
    RCR_AAP = 1 << 0,
    RCR_APM = 1 << 1,
    RCR_AM = 1 << 2,
    RCR_AB = 1 << 3,
    RCR_WRAP = 1 << 7,
    RCR_RBLEN = 3 << 11,
    RCR_WRITABLE = 0x0f03ffbf,
};
enum {
    EEM_MASK = 0xc0,
    EEM_AUTOLOAD = 0x40,
    EEM_PROGRAM = 0x80,
    EEM_CONFIG = 0xc0,
    EECS = 8,
    EESK = 4,
    EEDI = 2,
    EEDO = 1,
};
enum {
    BMCR_RESET = 1 << 15,
    BMCR_SPEED = 1 << 13,
    BMCR_ANE = 1 << 12,
    BMCR_DUPLEX = 1 << 8,
};
enum { MSR_LINKB = 4, MSR_SPEED_10 = 8, MSR_FIXED = 0xd0 };
enum {
    CPCR_CPTX = 1 << 0,
    CPCR_CPRX = 1 << 1,
    CPCR_RXCHKSUM = 1 << 5,
    CPCR_RXVLAN = 1 << 6,
    CPCR_WRITABLE = 0x007b,
};
enum { TPPOLL_HPQ = 0x80, TPPOLL_NPQ = 0x40, TPPOLL_FSWINT = 0x01 };
enum { DTCCR_RESET = 1, DTCCR_CMD = 8, DTCCR_ADDRESS = ~0x3f };

/* ---- C+ descriptors: four dwords, the last two are the buffer's address -----------------------
 */

#define CPLUS_RING      64u
#define CPLUS_DESC      16u
#define CPLUS_RING_MASK 0xffu /* rings begin at multiples of 256 */

#define DESC_OWN (1u << 31)
#define DESC_EOR (1u << 30)
#define DESC_FS  (1u << 29)
#define DESC_LS  (1u << 28)

struct cplus_desc {
    uint64_t at; /* where the guest has it */
    uint32_t dw0, dw1;
    uint64_t buffer;
};

/* The page of descriptors that is worked on, mapped from the first one of a batch on. */
struct ring_page {
    struct guest_sg sg; /* that page, or empty */
    uint64_t at;
    bool written;
};

/* ---- state ------------------------------------------------------------------------------------
 */

enum { RING_NORMAL, RING_HIGH, RINGS };

struct rtl8139_state {
    uint8_t idr[ETH_ALEN], mar[8];
    uint32_t tsd[4], tsad[4], dtccr[2];
    uint32_t rbstart;
    uint16_t rx_read, rx_write; /* in the C mode ring; CAPR is rx_read - 16 */
    uint8_t cr;
    uint16_t imr, isr;
    uint32_t tcr, rcr;   /* without the version */
    uint64_t tctr_start; /* guest clock when TCTR was 0 */
    uint32_t mpc;
    uint8_t cr9346, config0, config1, config3, config4, config5;
    uint32_t timerint;
    uint64_t timer_at; /* guest clock, TIMER_NEVER */
    uint16_t mulint, bmcr, anar;
    uint32_t para78, para7c;
    uint8_t tppoll; /* queues that have been kicked and not found empty since */
    uint16_t cpcr;
    uint32_t rdsar[2];
    uint8_t mtps;

    uint8_t tx_index;          /* C mode descriptor that is next */
    uint8_t ring_index[RINGS]; /* C+ transmit descriptors that are next */
    uint8_t rx_index;
    /* Of the large frame at ring_index: bytes of payload that have gone out. */
    uint16_t segmented[RINGS];

    /* Tally counters. */
    uint64_t tx_ok, rx_ok, tx_err;
    uint32_t rx_err;
    uint16_t miss_pkt, fae;
    uint32_t tx_1col, tx_mcol;
    uint64_t rx_ok_phy, rx_ok_brd;
    uint32_t rx_ok_mul;
    uint16_t tx_abt, tx_undrn;

    bool link;
};

/* A C+ frame is in at most one ring's descriptors, each buffer is below 64 KiB: two pieces. */
#define TX_PIECES (2 * CPLUS_RING)
/* Headers in a copy, a tag and the rest before it; padding. */
#define TX_IOV (TX_PIECES + 4)

struct tx_frame {
    struct cplus_desc desc[CPLUS_RING];
    unsigned count, next;
    size_t len;
};

/* A buffer below 64 KiB is in two pieces; the C mode ring may wrap between two such. */
#define RX_PIECES 4u
/* The first bytes of a frame come into a buffer of ours: the filter looks at them before the guest
 * sees them. All headers fit. */
#define RX_HEAD 144u
#define RX_IOV  (RX_PIECES + 1)

/* Longest frame that is received, without FCS: what a C+ descriptor can hold. */
#define RX_FRAME_MAX (0x1fffu - ETH_FCS_LEN)

struct rtl8139 {
    struct rtl8139_state *s;
    struct eeprom93c46 *eeprom;
    struct dm_env env;
    struct pci_function fn;
    struct pci_rom rom;
    char name[16];
    struct net *net; /* NULL: no cable, or unplugged */

    /* All that follows is derived. */
    bool running;
    bool wanting;    /* what net_want_receive() was told last */
    bool tx_blocked; /* the back-end has no room: its writable() goes on */
    bool rx_starved; /* a frame waits, and there is no descriptor for it */
    uint64_t starve_ns;
    struct timer timer;        /* TimerInt */
    struct timer starve_timer; /* looks whether descriptors have come */
    struct loop_work work;     /* transmit goes on */
    unsigned tx_budget;
    unsigned tx_turns; /* since the driver's last kick */
    struct guest_sg tx_sg, rx_sg;
    struct ring_page tx_ring, rx_ring;
    /* Of the frame that is being sent; too long to be cleared on the stack for each. */
    struct tx_frame tx;
    struct iovec tx_iov[TX_IOV], padded[TX_IOV + 1];
    struct fcs_table fcs;
    uint8_t bounce[RX_FRAME_MAX]; /* a frame in loopback, or one that moves */
};

/* ---- rtl8139.c --------------------------------------------------------------------------------
 */

extern const struct state_desc rtl8139_desc;

/* Interrupt level and the wish for frames, worked out from the state: once after each entry. */
void rtl8139_update(struct rtl8139 *d);
/* The chip's own reset (CR.RST). */
void rtl8139_chip_reset(struct rtl8139 *d);
/* IDR from the EEPROM. */
void rtl8139_autoload(struct rtl8139 *d);
/* Whether the function answers (power state D0), and whether it may use the bus as a master. */
bool rtl8139_powered(const struct rtl8139 *d);
bool rtl8139_can_dma(const struct rtl8139 *d);
/* DMA met nothing: the chip stops until it is set up again. */
void rtl8139_bus_error(struct rtl8139 *d);
/* TimerInt or TCTR has changed. */
void rtl8139_timer_update(struct rtl8139 *d);
uint32_t rtl8139_tctr(const struct rtl8139 *d);
/* Writes the counters when DTCCR asks for it and the bus can be had. */
void rtl8139_dump_tally(struct rtl8139 *d);

/* ---- rtl8139_ring.c ---------------------------------------------------------------------------
 */

/* The descriptor at `index`, with OWN looked at before the rest. 0, or -EFAULT. */
int rtl8139_fetch(struct ring_page *page, struct cplus_desc *desc, uint64_t ring, unsigned index);
/* Dword 0 or 1 of a descriptor, after all that has been written before. 0, or -EFAULT. */
int rtl8139_store(struct ring_page *page, const struct cplus_desc *desc, unsigned dword,
                  uint32_t value);
/* The batch is over: nothing stays mapped on its account. */
void rtl8139_ring_release(struct ring_page *page);
static inline unsigned rtl8139_next(const struct cplus_desc *desc, unsigned index)
{
    return desc->dw0 & DESC_EOR ? 0 : (index + 1) % CPLUS_RING;
}

/* ---- rtl8139_regs.c ---------------------------------------------------------------------------
 */

extern const struct io_ops rtl8139_io_ops;

/* ---- rtl8139_tx.c -----------------------------------------------------------------------------
 */

/* The driver asks to send. */
void rtl8139_kick(struct rtl8139 *d);
/* Sends what the guest has handed over, within a turn's budget. */
void rtl8139_transmit(struct rtl8139 *d);
/* One frame to the wire or the loop. As net_send(); `work` may be NULL. */
int rtl8139_wire(struct rtl8139 *d, const struct iovec *iov, int count, size_t len,
                 const struct net_offload *work);
bool rtl8139_loopback(const struct rtl8139 *d);

/* ---- rtl8139_offload.c ------------------------------------------------------------------------
 */

/*
 * One C+ frame of `len` bytes with the work that its first descriptor asks for. 0: sent.
 * -EAGAIN: it is to be tried again, which goes on where a large frame's segments have ended;
 * -EINVAL: it cannot be sent. Other errors as net_send().
 */
int rtl8139_offload_send(struct rtl8139 *d, unsigned ring, const struct cplus_desc *first,
                         const struct iovec *iov, int count, size_t len);
/* Status bits for dword 0 of a receive descriptor. */
uint32_t rtl8139_offload_receive(const uint8_t *headers, const struct iovec *iov, int count,
                                 size_t len);

/* ---- rtl8139_rx.c -----------------------------------------------------------------------------
 */

bool rtl8139_can_receive(const struct rtl8139 *d);
/* Frames from the back-end, within a turn's budget. */
void rtl8139_receive(struct rtl8139 *d);
/* A frame from the loop, in d->bounce; it is lost when there is no room. */
void rtl8139_receive_looped(struct rtl8139 *d, size_t len);
/* Throws away what has waited in the back-end while the receiver was off. */
void rtl8139_discard(struct rtl8139 *d);
/* The driver has touched the chip: perhaps there are descriptors again. */
void rtl8139_unstarve(struct rtl8139 *d);
/* C mode: bytes in the ring, and the beginning of it. */
uint32_t rtl8139_ring_size(const struct rtl8139_state *s);
void rtl8139_ring_reset(struct rtl8139_state *s);

#endif
