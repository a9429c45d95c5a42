/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A UART (National PC16550D) on COM1 to COM4.
 *
 * Transmitter:  THR/FIFO empty --write THR--> the back end takes it: empty again at once
 *                                       '---> it does not: held, THRE and TEMT clear, until it does
 *               A character takes no time of its own: the line is as fast as its other end.
 * Receiver:     the back end is asked for no more than the FIFO has room for, so that an overrun
 *               is only possible in loop-back. After RX_BURST characters the line pauses for four
 *               character times: an interrupt handler that reads until there is no more comes to
 *               an end (Linux gives up on a port that never rests).
 * Interrupts:   IIR is worked out from the state; the line is high while it reports anything.
 *               The FIFO is filled again in the turn after the guest has emptied it, so that the
 *               line falls and rises as an edge-triggered PIC needs it.
 *
 * Left out on purpose: the gate of the interrupt by OUT2 (programs exist that rely on neither; the
 * register is kept), DMA modes, the 64-byte FIFO of the 16750, parity of received characters, and
 * the length of a transmitted character.
 */
#include "hw/serial/uart16550.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/device.h"

#define FIFO_DEPTH 16u
#define RX_BURST   256u

/* Of four character times, whatever the divisor (CVE-2016-8669). */
#define PAUSE_MIN_NS 50000u
#define PAUSE_MAX_NS 100000000u

#define BASE_BAUD 115200u

enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR, MCR, LSR, MSR, SCR };

enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MS = 8 };
enum {
    IIR_NONE = 0x01,
    IIR_MS = 0x00,
    IIR_THRE = 0x02,
    IIR_RDA = 0x04,
    IIR_RLS = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFO = 0xc0,
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_KEPT = 0xc9 };
enum {
    LCR_BITS = 3,
    LCR_STOP = 4,
    LCR_PARITY = 8,
    LCR_EVEN = 0x10,
    LCR_BREAK = 0x40,
    LCR_DLAB = 0x80
};
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10, MCR_ALL = 0x1f };
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 0x10,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_FIFO_ERROR = 0x80,
    LSR_CHAR_ERRORS = LSR_PE | LSR_FE | LSR_BI,
    LSR_ERRORS = LSR_OE | LSR_CHAR_ERRORS,
};
enum {
    MSR_DELTAS = 0x0f,
    MSR_TERI = 0x04,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80
};

struct uart_state {
    uint8_t ier, fcr, lcr, mcr, msr, scr;
    uint16_t divisor;
    uint8_t lsr_errors; /* seen at the top of the FIFO, or OE, and not read yet */
    bool thre_latch;    /* the THR-empty interrupt */
    bool rx_timeout;    /* the character timeout interrupt */

    /* The oldest first. rx_error[i] holds the LSR bits of rx[i]. */
    uint8_t rx[FIFO_DEPTH], rx_error[FIFO_DEPTH], rx_count;
    uint8_t tx[FIFO_DEPTH], tx_count;

    uint16_t rx_burst;      /* characters until the line pauses */
    uint64_t timeout_at;    /* guest clock, TIMER_NEVER */
    uint64_t pause_ends_at; /* guest clock, TIMER_NEVER */
};

static const struct state_field uart_fields[] = {
    STATE_FIELD(struct uart_state, ier, .max = 0x0f),
    STATE_FIELD(struct uart_state, fcr, .max = FCR_KEPT),
    STATE_FIELD(struct uart_state, lcr),
    STATE_FIELD(struct uart_state, mcr, .max = MCR_ALL),
    STATE_FIELD(struct uart_state, msr),
    STATE_FIELD(struct uart_state, scr),
    STATE_FIELD(struct uart_state, divisor, .reset = 12),
    STATE_FIELD(struct uart_state, lsr_errors, .max = LSR_ERRORS),
    STATE_FIELD(struct uart_state, thre_latch),
    STATE_FIELD(struct uart_state, rx_timeout),
    STATE_ARRAY(struct uart_state, rx),
    STATE_ARRAY(struct uart_state, rx_error, .max = LSR_CHAR_ERRORS),
    STATE_FIELD(struct uart_state, rx_count, .max = FIFO_DEPTH),
    STATE_ARRAY(struct uart_state, tx),
    STATE_FIELD(struct uart_state, tx_count, .max = FIFO_DEPTH),
    STATE_FIELD(struct uart_state, rx_burst, .max = RX_BURST, .reset = RX_BURST),
    STATE_FIELD(struct uart_state, timeout_at, .reset = TIMER_NEVER),
    STATE_FIELD(struct uart_state, pause_ends_at, .reset = TIMER_NEVER),
};

static const char *uart_check(const void *opaque)
{
    const struct uart_state *s = opaque;
    bool fifo = s->fcr & FCR_ENABLE;

    if (s->fcr & ~FCR_KEPT)
        return "fcr";
    if (!fifo && s->rx_count > 1)
        return "rx_count";
    if (!fifo && s->tx_count > 1)
        return "tx_count";
    if (s->rx_timeout && s->rx_count == 0)
        return "rx_timeout";
    return NULL;
}

static const struct state_desc uart_desc =
    STATE_DESC("uart16550", 1, struct uart_state, uart_fields, uart_check);

struct uart {
    struct uart_state *s;
    struct loop *loop;
    struct iospace *io;
    struct chardev *chr;
    struct irq irq;
    struct io_region region;
    struct timer timeout, pause;
    struct loop_work refill; /* asks the back end for more, after the guest's access */
    char name[8];
};

/* ---- what follows from the state ----------------------------------------------------------------
 */

static bool fifo_on(const struct uart_state *s)
{
    return s->fcr & FCR_ENABLE;
}

static unsigned depth(const struct uart_state *s)
{
    return fifo_on(s) ? FIFO_DEPTH : 1;
}

static unsigned trigger(const struct uart_state *s)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    return fifo_on(s) ? levels[s->fcr >> 6] : 1;
}

static uint8_t iir(const struct uart_state *s)
{
    if ((s->ier & IER_RLS) && s->lsr_errors)
        return IIR_RLS;
    if ((s->ier & IER_RDA) && s->rx_count >= trigger(s))
        return IIR_RDA;
    if ((s->ier & IER_RDA) && s->rx_timeout)
        return IIR_TIMEOUT;
    if ((s->ier & IER_THRE) && s->thre_latch)
        return IIR_THRE;
    if ((s->ier & IER_MS) && (s->msr & MSR_DELTAS))
        return IIR_MS;
    return IIR_NONE;
}

static uint8_t lsr(const struct uart_state *s)
{
    uint8_t value = s->lsr_errors;

    if (s->rx_count)
        value |= LSR_DR;
    if (s->tx_count == 0)
        value |= LSR_THRE | LSR_TEMT;
    if (fifo_on(s)) {
        if (s->lsr_errors & LSR_CHAR_ERRORS)
            value |= LSR_FIFO_ERROR;
        for (unsigned i = 0; i < s->rx_count; i++)
            if (s->rx_error[i])
                value |= LSR_FIFO_ERROR;
    }
    return value;
}

/* Four characters on the wire, within bounds. A divisor of 0 is the slowest there is. */
static uint64_t four_characters(const struct uart_state *s)
{
    uint64_t bits =
        1 + 5 + (s->lcr & LCR_BITS) + (s->lcr & LCR_PARITY ? 1 : 0) + (s->lcr & LCR_STOP ? 2 : 1);
    uint64_t ns = 4 * bits * (s->divisor ? s->divisor : 0x10000u) * (1000000000u / BASE_BAUD);

    return ns < PAUSE_MIN_NS ? PAUSE_MIN_NS : ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : ns;
}

static void update_irq(struct uart *u)
{
    irq_set(&u->irq, iir(u->s) != IIR_NONE);
}

/* The timeout counts from the last character that came or was read, while some wait. */
static void restart_timeout(struct uart *u)
{
    struct uart_state *s = u->s;

    s->rx_timeout = false;
    s->timeout_at = TIMER_NEVER;
    if (fifo_on(s) && (s->ier & IER_RDA) && s->rx_count && s->rx_count < trigger(s))
        s->timeout_at = loop_now(u->loop, CLOCK_GUEST) + four_characters(s);
    timer_arm(&u->timeout, s->timeout_at);
}

static void timeout_fires(void *opaque)
{
    struct uart *u = opaque;

    u->s->timeout_at = TIMER_NEVER;
    u->s->rx_timeout = u->s->rx_count > 0;
    update_irq(u);
}

/* ---- receiver -----------------------------------------------------------------------------------
 */

/* An error shows in LSR when its character has come to the top of the FIFO. */
static void show_error(struct uart_state *s)
{
    if (s->rx_count) {
        s->lsr_errors |= s->rx_error[0];
        s->rx_error[0] = 0;
    }
}

static void receive_char(struct uart_state *s, uint8_t c, uint8_t error)
{
    if (s->rx_count == depth(s)) {
        s->lsr_errors |= LSR_OE;
        if (fifo_on(s))
            return; /* the new one is lost; without FIFO it takes the place of the old one */
        s->rx_count = 0;
    }
    s->rx[s->rx_count] = c;
    s->rx_error[s->rx_count] = error;
    if (s->rx_count++ == 0)
        show_error(s);
}

/* Starts the pause when the burst has been read: the guest is to see an empty FIFO. */
static void pause_line(struct uart *u)
{
    if (u->s->rx_burst == 0 && u->s->rx_count == 0 && u->s->pause_ends_at == TIMER_NEVER) {
        u->s->pause_ends_at = loop_now(u->loop, CLOCK_GUEST) + four_characters(u->s);
        timer_arm(&u->pause, u->s->pause_ends_at);
    }
}

static void clear_rx(struct uart *u)
{
    u->s->rx_count = 0;
    memset(u->s->rx_error, 0, sizeof(u->s->rx_error));
    restart_timeout(u);
    pause_line(u);
    loop_defer(u->loop, &u->refill);
}

static void refill(void *opaque)
{
    struct uart *u = opaque;

    if (u->chr)
        chardev_accept_input(u->chr);
}

static void pause_over(void *opaque)
{
    struct uart *u = opaque;

    u->s->pause_ends_at = TIMER_NEVER;
    u->s->rx_burst = RX_BURST;
    refill(u);
}

static uint8_t read_rbr(struct uart *u)
{
    struct uart_state *s = u->s;
    uint8_t c = s->rx[0];

    if (s->rx_count == 0)
        return c; /* what was there last, as the chip does */
    s->rx_count--;
    memmove(s->rx, s->rx + 1, s->rx_count);
    memmove(s->rx_error, s->rx_error + 1, s->rx_count);
    s->rx_error[s->rx_count] = 0;
    if (s->rx_count == 0) {
        s->rx[0] = c;
        pause_line(u);
        if (u->chr)
            loop_defer(u->loop, &u->refill);
    }
    show_error(s);
    restart_timeout(u);
    return c;
}

static size_t chr_room(void *opaque)
{
    const struct uart_state *s = ((struct uart *)opaque)->s;
    size_t room = depth(s) - s->rx_count;

    if (s->mcr & MCR_LOOP)
        return 0; /* the input pin is not connected: the sender waits */
    return room < s->rx_burst ? room : s->rx_burst;
}

static void chr_receive(void *opaque, const uint8_t *data, size_t len)
{
    struct uart *u = opaque;

    for (size_t i = 0; i < len; i++)
        receive_char(u->s, data[i], 0);
    u->s->rx_burst = len < u->s->rx_burst ? (uint16_t)(u->s->rx_burst - len) : 0;
    restart_timeout(u);
    update_irq(u);
}

static void chr_break(void *opaque)
{
    struct uart *u = opaque;

    receive_char(u->s, 0, LSR_BI);
    restart_timeout(u);
    update_irq(u);
}

/* ---- transmitter --------------------------------------------------------------------------------
 */

/* The characters' upper bits do not leave the shift register when it is set to fewer than 8. */
static uint8_t char_mask(const struct uart_state *s)
{
    return (uint8_t)(0xff >> (3 - (s->lcr & LCR_BITS)));
}

/* Hands what is held to the back end. The latch is set when that empties the transmitter. */
static void transmit(struct uart *u)
{
    struct uart_state *s = u->s;
    size_t n;

    if (s->tx_count == 0)
        return;
    n = u->chr ? chardev_write(u->chr, s->tx, s->tx_count) : s->tx_count;
    s->tx_count -= n;
    memmove(s->tx, s->tx + n, s->tx_count);
    if (s->tx_count == 0 && (s->ier & IER_THRE))
        s->thre_latch = true;
}

static void chr_writable(void *opaque)
{
    struct uart *u = opaque;

    transmit(u);
    update_irq(u);
}

/* What does not fit is lost, as on the chip: THRE has told the guest so. */
static void hold(struct uart_state *s, const uint8_t *data, size_t len)
{
    unsigned room = depth(s) - s->tx_count;

    if (!fifo_on(s) && len) {
        s->tx[0] = data[len - 1];
        s->tx_count = 1;
        return;
    }
    for (size_t i = 0; i < len && i < room; i++)
        s->tx[s->tx_count++] = data[i];
}

static void send_chars(struct uart *u, const uint8_t *data, size_t len)
{
    struct uart_state *s = u->s;

    s->thre_latch = false;
    if (s->mcr & MCR_LOOP) {
        for (size_t i = 0; i < len; i++)
            receive_char(s, data[i], 0);
        restart_timeout(u);
        s->thre_latch = s->ier & IER_THRE;
        return;
    }
    if (s->tx_count == 0) {
        size_t n = u->chr ? chardev_write(u->chr, data, len) : len;

        data += n;
        len -= n;
        if (len == 0)
            s->thre_latch = s->ier & IER_THRE;
    }
    hold(s, data, len);
}

/* ---- modem lines and the line's parameters ------------------------------------------------------
 */

static uint8_t modem_lines(struct uart *u)
{
    const struct uart_state *s = u->s;
    unsigned lines;

    if (s->mcr & MCR_LOOP)
        return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
               (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    lines = u->chr ? chardev_modem_lines(u->chr) : 0;
    return (lines & CHARDEV_CTS ? MSR_CTS : 0) | (lines & CHARDEV_DSR ? MSR_DSR : 0) |
           (lines & CHARDEV_RI ? MSR_RI : 0) | (lines & CHARDEV_DCD ? MSR_DCD : 0);
}

/* Deltas say that a line has changed; that of RI only that it has fallen. */
static void update_modem(struct uart *u)
{
    struct uart_state *s = u->s;
    uint8_t now = modem_lines(u);
    uint8_t changed = (s->msr ^ now) & 0xf0;

    if (now & MSR_RI)
        changed &= (uint8_t)~MSR_RI;
    s->msr = now | (s->msr & MSR_DELTAS) | changed >> 4;
}

static void update_line(struct uart *u)
{
    const struct uart_state *s = u->s;

    if (u->chr)
        chardev_set_line(u->chr, s->divisor ? BASE_BAUD / s->divisor : 1,
                         !(s->lcr & LCR_PARITY) ? 'N'
                         : s->lcr & LCR_EVEN    ? 'E'
                                                : 'O',
                         5 + (s->lcr & LCR_BITS), s->lcr & LCR_STOP ? 2 : 1);
}

static void update_outputs(struct uart *u)
{
    const struct uart_state *s = u->s;
    bool loop = s->mcr & MCR_LOOP;

    if (u->chr)
        chardev_set_modem_lines(u->chr, !loop && (s->mcr & MCR_DTR), !loop && (s->mcr & MCR_RTS));
}

/* ---- registers ----------------------------------------------------------------------------------
 */

static void write_ier(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    uint8_t on = value & ~s->ier;

    s->ier = value & 0x0f;
    if ((on & IER_THRE) && s->tx_count == 0)
        s->thre_latch = true;
    if (!(s->ier & IER_THRE))
        s->thre_latch = false;
    if ((on & IER_RDA) || !(s->ier & IER_RDA))
        restart_timeout(u);
}

static void write_fcr(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    bool toggled = (value ^ s->fcr) & FCR_ENABLE;

    /* Without the enable bit the others are not programmed. */
    s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (toggled || ((value & FCR_ENABLE) && (value & FCR_CLEAR_TX))) {
        bool held = s->tx_count;

        s->tx_count = 0;
        if (held && (s->ier & IER_THRE))
            s->thre_latch = true;
    }
    if (toggled || ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)))
        clear_rx(u);
    else
        restart_timeout(u); /* the trigger level may have moved */
}

static void write_lcr(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    uint8_t changed = s->lcr ^ value;

    s->lcr = value;
    if ((changed & LCR_BREAK) && (s->mcr & MCR_LOOP)) {
        if (value & LCR_BREAK) {
            receive_char(s, 0, LSR_BI);
            restart_timeout(u);
        }
    } else if ((changed & LCR_BREAK) && u->chr) {
        chardev_set_break(u->chr, value & LCR_BREAK);
    }
    /* The divisor has been written when DLAB goes off. */
    if (changed & (LCR_DLAB | LCR_BITS | LCR_STOP | LCR_PARITY | LCR_EVEN) && !(value & LCR_DLAB))
        update_line(u);
}

static void write_mcr(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    bool loop_ends = (s->mcr & MCR_LOOP) && !(value & MCR_LOOP);

    s->mcr = value & MCR_ALL;
    update_outputs(u);
    update_modem(u);
    if (loop_ends)
        loop_defer(u->loop, &u->refill);
}

static void write_reg(struct uart *u, unsigned reg, uint8_t value)
{
    struct uart_state *s = u->s;
    uint8_t c;

    switch (reg) {
    case THR:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (s->divisor & 0xff00) | value;
        } else {
            c = value & char_mask(s);
            send_chars(u, &c, 1);
        }
        break;
    case IER:
        if (s->lcr & LCR_DLAB)
            s->divisor = (uint16_t)((s->divisor & 0xff) | value << 8);
        else
            write_ier(u, value);
        break;
    case FCR:
        write_fcr(u, value);
        break;
    case LCR:
        write_lcr(u, value);
        break;
    case MCR:
        write_mcr(u, value);
        break;
    case SCR:
        s->scr = value;
        break;
    default: /* LSR is for the factory's tests, MSR is read-only */
        break;
    }
}

static uint8_t read_reg(struct uart *u, unsigned reg)
{
    struct uart_state *s = u->s;
    uint8_t value;

    switch (reg) {
    case RBR:
        return s->lcr & LCR_DLAB ? (uint8_t)s->divisor : read_rbr(u);
    case IER:
        return s->lcr & LCR_DLAB ? (uint8_t)(s->divisor >> 8) : s->ier;
    case IIR:
        value = iir(s);
        /* Only when it is what the guest is told of. */
        if (value == IIR_THRE)
            s->thre_latch = false;
        return value | (fifo_on(s) ? IIR_FIFO : 0);
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        value = lsr(s);
        s->lsr_errors = 0;
        return value;
    case MSR:
        update_modem(u);
        value = s->msr;
        s->msr &= (uint8_t)~MSR_DELTAS;
        return value;
    default:
        return s->scr;
    }
}

static uint64_t uart_read(void *dev, uint64_t offset, unsigned size)
{
    struct uart *u = dev;
    uint8_t value = read_reg(u, offset & 7);

    update_irq(u);
    return value;
}

static void uart_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct uart *u = dev;

    write_reg(u, offset & 7, (uint8_t)value);
    update_irq(u);
}

/* `rep outsb` to THR: the back end gets it in large pieces. */
static size_t uart_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                              size_t count)
{
    struct uart *u = dev;
    const uint8_t *data = buf;
    uint8_t mask = char_mask(u->s);

    if (offset != THR || (u->s->lcr & LCR_DLAB))
        return 0;
    if (mask == 0xff) {
        send_chars(u, data, count);
    } else {
        for (size_t i = 0; i < count;) {
            uint8_t part[256];
            size_t n = 0;

            while (n < sizeof(part) && i < count)
                part[n++] = data[i++] & mask;
            send_chars(u, part, n);
        }
    }
    update_irq(u);
    return count;
}

static size_t uart_read_many(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
    struct uart *u = dev;
    uint8_t *data = buf;

    if (offset != RBR || (u->s->lcr & LCR_DLAB))
        return 0;
    for (size_t i = 0; i < count; i++)
        data[i] = read_rbr(u);
    update_irq(u);
    return count;
}

/* ---- life cycle ---------------------------------------------------------------------------------
 */

static void uart_reset(void *dev)
{
    struct uart *u = dev;

    if (u->chr && (u->s->lcr & LCR_BREAK) && !(u->s->mcr & MCR_LOOP))
        chardev_set_break(u->chr, false);
    state_reset(&uart_desc, u->s);
    u->s->msr = modem_lines(u);
    timer_cancel(&u->timeout);
    timer_cancel(&u->pause);
    update_outputs(u);
    loop_defer(u->loop, &u->refill);
    update_irq(u);
}

/* Never further off than it can be set: the state may come from anywhere. */
static void rearm(struct uart *u, struct timer *timer, uint64_t *at)
{
    uint64_t latest = loop_now(u->loop, CLOCK_GUEST) + PAUSE_MAX_NS;

    if (*at != TIMER_NEVER && *at > latest)
        *at = latest;
    timer_arm(timer, *at);
}

static void uart_loaded(void *dev)
{
    struct uart *u = dev;

    rearm(u, &u->timeout, &u->s->timeout_at);
    rearm(u, &u->pause, &u->s->pause_ends_at);
    pause_line(u);
    update_line(u);
    update_outputs(u);
    if (u->chr && !(u->s->mcr & MCR_LOOP))
        chardev_set_break(u->chr, u->s->lcr & LCR_BREAK);
    transmit(u);
    loop_defer(u->loop, &u->refill);
    update_irq(u);
}

static void uart_destroy(void *dev)
{
    struct uart *u = dev;

    iospace_remove(u->io, &u->region);
    if (u->chr)
        chardev_attach(u->chr, NULL, NULL);
    timer_cancel(&u->timeout);
    timer_cancel(&u->pause);
    loop_defer_cancel(u->loop, &u->refill);
    free(u);
}

static const struct device_ops uart_device = {
    .name = "uart16550", .reset = uart_reset, .loaded = uart_loaded, .destroy = uart_destroy};

static const struct io_ops uart_io = {
    .read = uart_read,
    .write = uart_write,
    .sizes = 1,
    .read_many = uart_read_many,
    .write_many = uart_write_many,
};

static const struct chardev_front uart_front = {
    .room = chr_room,
    .receive = chr_receive,
    .receive_break = chr_break,
    .writable = chr_writable,
};

int uart_create(struct uart **out, const struct dm_env *env, unsigned index, struct chardev *chr)
{
    static const uint16_t ports[UART_COUNT] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const uint8_t irqs[UART_COUNT] = {4, 3, 4, 3};
    struct uart *u;
    int rc;

    if (index >= UART_COUNT)
        return -EINVAL;
    u = calloc(1, sizeof(*u));
    if (!u)
        return -ENOMEM;
    snprintf(u->name, sizeof(u->name), "uart%u", index);
    u->loop = env->loop;
    u->io = env->io;
    u->chr = chr;
    u->s = arena_alloc(env->arena, u->name, &uart_desc);
    if (!u->s) {
        free(u);
        return -ENOMEM;
    }
    timer_init(&u->timeout, env->loop, CLOCK_GUEST, timeout_fires, u);
    timer_init(&u->pause, env->loop, CLOCK_GUEST, pause_over, u);
    u->refill = (struct loop_work){.run = refill, .opaque = u};
    u->irq = irq_router_isa(env->irqs, irqs[index]);
    u->region = (struct io_region){.name = u->name,
                                   .kind = IO_PORT,
                                   .base = ports[index],
                                   .length = 8,
                                   .ops = &uart_io,
                                   .dev = u};
    rc = iospace_add(env->io, &u->region);
    if (rc == 0) {
        rc = device_register(env->devices, &uart_device, u);
        if (rc)
            iospace_remove(env->io, &u->region);
    }
    if (rc) {
        free(u);
        return rc;
    }
    if (chr)
        chardev_attach(chr, &uart_front, u);
    uart_reset(u);
    *out = u;
    return 0;
}
