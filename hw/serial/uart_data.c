/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UART's data path: FIFOs, interrupts as a function of the state, and the back end. */
#include "hw/serial/uart_internal.h"

#include <string.h>

/* ---- what follows from the state ------------------------------------------------------------ */

bool uart_fifo_on(const struct uart_state *s)
{
    return s->fcr & FCR_ENABLE;
}

static unsigned depth(const struct uart_state *s)
{
    return uart_fifo_on(s) ? FIFO_DEPTH : 1;
}

static unsigned trigger(const struct uart_state *s)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    return uart_fifo_on(s) ? levels[s->fcr >> 6] : 1;
}

uint8_t uart_iir(const struct uart_state *s)
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

uint8_t uart_lsr(const struct uart_state *s)
{
    uint8_t value = s->lsr_errors;

    if (s->rx_count)
        value |= LSR_DR;
    if (s->tx_count == 0)
        value |= LSR_THRE | LSR_TEMT;
    if (uart_fifo_on(s)) {
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

    return ns < TIMEOUT_MIN_NS ? TIMEOUT_MIN_NS : ns > TIMEOUT_MAX_NS ? TIMEOUT_MAX_NS : ns;
}

void uart_update_irq(struct uart *u)
{
    irq_set(&u->irq, uart_iir(u->s) != IIR_NONE);
}

/* The timeout counts from the last character that came or was read, while some wait. */
void uart_restart_timeout(struct uart *u)
{
    struct uart_state *s = u->s;

    s->rx_timeout = false;
    s->timeout_at = TIMER_NEVER;
    if (uart_fifo_on(s) && (s->ier & IER_RDA) && s->rx_count && s->rx_count < trigger(s))
        s->timeout_at = loop_now(u->loop, CLOCK_GUEST) + four_characters(s);
    timer_arm(&u->timeout, s->timeout_at);
}

static void timeout_fires(void *opaque)
{
    struct uart *u = opaque;

    u->s->timeout_at = TIMER_NEVER;
    u->s->rx_timeout = u->s->rx_count > 0;
    uart_update_irq(u);
}

static void refill(void *opaque)
{
    struct uart *u = opaque;

    chardev_accept_input(u->chr);
}

void uart_refill(struct uart *u)
{
    if (u->chr)
        loop_defer(u->loop, &u->refill);
}

/* ---- the rest after a burst ----------------------------------------------------------------- */

static void begin_rest(struct uart *u)
{
    if (u->s->rest_until == TIMER_NEVER) {
        u->s->rest_until = loop_now(u->loop, CLOCK_GUEST) + REST_NS;
        timer_arm(&u->rest, u->s->rest_until);
    }
}

/*
 * What comes next waits for as long as the guest has needed for what has come: half of its time is
 * for everything else, of which reading it from the driver is a part.
 */
void uart_pause(struct uart *u)
{
    uint64_t now = loop_now(u->loop, CLOCK_GUEST);
    uint64_t took = now > u->burst_began ? now - u->burst_began : 0;

    if (u->s->rx_count || u->burst_began == TIMER_NEVER)
        return;
    u->burst_began = TIMER_NEVER;
    if (took)
        timer_arm(&u->pause, now + (took < PAUSE_MAX_NS ? took : PAUSE_MAX_NS));
}

void uart_end_pause(struct uart *u)
{
    u->burst_began = TIMER_NEVER;
    if (!timer_armed(&u->pause))
        return;
    timer_cancel(&u->pause);
    uart_refill(u);
}

static void pause_over(void *opaque)
{
    uart_refill(opaque);
}

void uart_end_rest(struct uart *u)
{
    struct uart_state *s = u->s;

    if (s->rx_burst == 0)
        uart_refill(u);
    s->rx_burst = RX_BURST;
    s->tx_burst = TX_BURST;
    if (s->rest_until == TIMER_NEVER)
        return;
    s->rest_until = TIMER_NEVER;
    timer_cancel(&u->rest);
    if (s->thre_due && s->tx_count == 0)
        s->thre_latch = true;
    s->thre_due = false;
}

static void rest_over(void *opaque)
{
    struct uart *u = opaque;

    uart_end_rest(u);
    uart_update_irq(u);
}

/* The last of a burst of input has been read. */
static void rest_receiver(struct uart *u)
{
    if (u->s->rx_burst == 0 && u->s->rx_count == 0)
        begin_rest(u);
}

/* The transmitter has become empty after so many characters. */
static void transmitter_empty(struct uart *u, size_t chars)
{
    struct uart_state *s = u->s;

    if (!(s->ier & IER_THRE))
        return;
    s->tx_burst = chars < s->tx_burst ? (uint16_t)(s->tx_burst - chars) : 0;
    if (s->tx_burst) {
        s->thre_latch = true;
    } else {
        s->thre_due = true;
        begin_rest(u);
    }
}

/* ---- receiver ------------------------------------------------------------------------------- */

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
        if (uart_fifo_on(s))
            return; /* the new one is lost; without FIFO it takes the place of the old one */
        s->rx_count = 0;
    }
    s->rx[s->rx_count] = c;
    s->rx_error[s->rx_count] = error;
    if (s->rx_count++ == 0)
        show_error(s);
}

void uart_receive(struct uart *u, uint8_t c, uint8_t error)
{
    receive_char(u->s, c, error);
    uart_restart_timeout(u);
}

void uart_clear_rx(struct uart *u)
{
    u->s->rx_count = 0;
    memset(u->s->rx_error, 0, sizeof(u->s->rx_error));
    uart_restart_timeout(u);
    rest_receiver(u);
    uart_refill(u);
}

uint8_t uart_read_rbr(struct uart *u)
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
        rest_receiver(u);
    }
    /* Not for each character; but a driver may leave what is below the trigger level for later. */
    if (s->rx_count == 0 || (s->rx_count == REFILL_AT && trigger(s) > REFILL_AT))
        uart_refill(u);
    show_error(s);
    uart_restart_timeout(u);
    return c;
}

static size_t chr_room(void *opaque)
{
    const struct uart_state *s = ((struct uart *)opaque)->s;
    size_t room = depth(s) - s->rx_count;

    if (s->mcr & MCR_LOOP)
        return 0; /* the input pin is not connected: the sender waits */
    if (timer_armed(&((struct uart *)opaque)->pause))
        return 0;
    return room < s->rx_burst ? room : s->rx_burst;
}

static void chr_receive(void *opaque, const uint8_t *data, size_t len)
{
    struct uart *u = opaque;

    if (u->burst_began == TIMER_NEVER)
        u->burst_began = loop_now(u->loop, CLOCK_GUEST);
    for (size_t i = 0; i < len; i++)
        receive_char(u->s, data[i], 0);
    u->s->rx_burst = len < u->s->rx_burst ? (uint16_t)(u->s->rx_burst - len) : 0;
    uart_restart_timeout(u);
    uart_update_irq(u);
}

static void chr_break(void *opaque)
{
    uart_receive(opaque, 0, LSR_BI);
    uart_update_irq(opaque);
}

/* ---- transmitter ---------------------------------------------------------------------------- */

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
    if (s->tx_count == 0)
        transmitter_empty(u, n);
}

static void chr_writable(void *opaque)
{
    struct uart *u = opaque;

    transmit(u);
    uart_update_irq(u);
}

/* What does not fit is lost, as on the chip: THRE has told the guest so. */
static void hold(struct uart_state *s, const uint8_t *data, size_t len)
{
    unsigned room = depth(s) - s->tx_count;

    if (!uart_fifo_on(s) && len) {
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

    s->thre_latch = s->thre_due = false;
    if (s->mcr & MCR_LOOP) {
        for (size_t i = 0; i < len; i++)
            receive_char(s, data[i], 0);
        uart_restart_timeout(u);
        transmitter_empty(u, len);
        return;
    }
    if (s->tx_count == 0) {
        size_t n = u->chr ? chardev_write(u->chr, data, len) : len;

        data += n;
        len -= n;
        if (len == 0)
            transmitter_empty(u, n);
    }
    hold(s, data, len);
}

void uart_send(struct uart *u, const uint8_t *data, size_t len)
{
    uint8_t mask = char_mask(u->s), part[256];

    if (mask == 0xff) {
        send_chars(u, data, len);
        return;
    }
    while (len) {
        size_t n = len < sizeof(part) ? len : sizeof(part);

        for (size_t i = 0; i < n; i++)
            part[i] = data[i] & mask;
        send_chars(u, part, n);
        data += n;
        len -= n;
    }
}

void uart_clear_tx(struct uart *u)
{
    bool held = u->s->tx_count;

    u->s->tx_count = 0;
    if (held)
        transmitter_empty(u, 0);
}

/* ---- life cycle ----------------------------------------------------------------------------- */

const struct chardev_front uart_front = {
    .room = chr_room,
    .receive = chr_receive,
    .receive_break = chr_break,
    .writable = chr_writable,
};

void uart_data_init(struct uart *u)
{
    timer_init(&u->timeout, u->loop, CLOCK_GUEST, timeout_fires, u);
    timer_init(&u->rest, u->loop, CLOCK_GUEST, rest_over, u);
    timer_init(&u->pause, u->loop, CLOCK_GUEST, pause_over, u);
    u->refill = (struct loop_work){.run = refill, .opaque = u};
    u->burst_began = TIMER_NEVER;
}

void uart_data_fini(struct uart *u)
{
    timer_cancel(&u->timeout);
    timer_cancel(&u->rest);
    timer_cancel(&u->pause);
    loop_defer_cancel(u->loop, &u->refill);
}

/* Never further off than it can be set: the state may come from anywhere. */
static void rearm(struct uart *u, struct timer *timer, uint64_t *at)
{
    uint64_t latest = loop_now(u->loop, CLOCK_GUEST) + TIMEOUT_MAX_NS;

    if (*at != TIMER_NEVER && *at > latest)
        *at = latest;
    timer_arm(timer, *at);
}

void uart_data_loaded(struct uart *u)
{
    rearm(u, &u->timeout, &u->s->timeout_at);
    rearm(u, &u->rest, &u->s->rest_until);
    if (u->s->thre_due)
        begin_rest(u);
    rest_receiver(u);
    transmit(u);
    uart_refill(u);
}
