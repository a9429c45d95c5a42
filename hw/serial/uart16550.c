/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A UART (National PC16550D) on COM1 to COM4.
 *
 * Transmitter:  THR/FIFO empty --write THR--> the back end takes it: empty again at once
 *                                       '---> it does not: held, THRE and TEMT clear, until it does
 *               A character takes no time of its own: the line is as fast as its other end.
 *               After TX_BURST of them the interrupt (not THRE) waits for a rest.
 * Receiver:     the back end is asked for no more than the FIFO has room for, so that an overrun
 *               is only possible in loop-back. After RX_BURST characters the line rests.
 * Rest:         until the guest has read from IIR that there is nothing to do, or REST_NS. So a
 *               handler that goes on as long as there is something comes to an end; Linux gives
 *               up on a port that never lets it ("too much work for irq4").
 * Pause:        of the receiver, after the guest has read all and seen that in IIR: as long as that
 *               took. A guest that is slower than the other end would do nothing else.
 * Interrupts:   IIR is worked out from the state; the line is high while it reports anything.
 *               The FIFO is filled again in the turn after the guest has emptied it, so that the
 *               line falls and rises as an edge-triggered PIC needs it.
 *
 * Left out on purpose: the gate of the interrupt by OUT2 (programs exist that rely on neither; the
 * register is kept), DMA modes, the 64-byte FIFO of the 16750, parity of received characters, and
 * the length of a transmitted character.
 */
#include "hw/serial/uart_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/device.h"

static const struct state_field uart_fields[] = {
    STATE_FIELD(struct uart_state, ier, .bits = 0x0f),
    STATE_FIELD(struct uart_state, fcr, .bits = FCR_KEPT),
    STATE_FIELD(struct uart_state, lcr),
    STATE_FIELD(struct uart_state, mcr, .bits = MCR_ALL),
    STATE_FIELD(struct uart_state, msr),
    STATE_FIELD(struct uart_state, scr),
    STATE_FIELD(struct uart_state, divisor, .reset = 12),
    STATE_FIELD(struct uart_state, lsr_errors, .bits = LSR_ERRORS),
    STATE_FIELD(struct uart_state, thre_latch),
    STATE_FIELD(struct uart_state, thre_due),
    STATE_FIELD(struct uart_state, rx_timeout),
    STATE_ARRAY(struct uart_state, rx),
    STATE_ARRAY(struct uart_state, rx_error, .bits = LSR_CHAR_ERRORS),
    STATE_FIELD(struct uart_state, rx_count, .max = FIFO_DEPTH),
    STATE_ARRAY(struct uart_state, tx),
    STATE_FIELD(struct uart_state, tx_count, .max = FIFO_DEPTH),
    STATE_FIELD(struct uart_state, rx_burst, .max = RX_BURST, .reset = RX_BURST),
    STATE_FIELD(struct uart_state, tx_burst, .max = TX_BURST, .reset = TX_BURST),
    STATE_FIELD(struct uart_state, timeout_at, .reset = TIMER_NEVER),
    STATE_FIELD(struct uart_state, rest_until, .reset = TIMER_NEVER),
};

static const char *uart_check(const void *opaque)
{
    const struct uart_state *s = opaque;
    bool fifo = s->fcr & FCR_ENABLE;

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

/* ---- modem lines and the line's parameters -------------------------------------------------- */

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

/* ---- registers ------------------------------------------------------------------------------ */

static void write_ier(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    uint8_t on = value & ~s->ier;

    s->ier = value & 0x0f;
    if ((on & IER_THRE) && s->tx_count == 0)
        s->thre_latch = true;
    if (!(s->ier & IER_THRE))
        s->thre_latch = s->thre_due = false;
    if ((on & IER_RDA) || !(s->ier & IER_RDA))
        uart_restart_timeout(u);
}

static void write_fcr(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    bool toggled = (value ^ s->fcr) & FCR_ENABLE;
    uint8_t clears = toggled              ? FCR_CLEAR_RX | FCR_CLEAR_TX
                     : value & FCR_ENABLE ? value & (FCR_CLEAR_RX | FCR_CLEAR_TX)
                                          : 0;

    /* Without the enable bit the others are not programmed. */
    s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (clears & FCR_CLEAR_TX)
        uart_clear_tx(u);
    if (clears & FCR_CLEAR_RX)
        uart_clear_rx(u);
    else
        uart_restart_timeout(u); /* the trigger level may have moved */
}

static void write_lcr(struct uart *u, uint8_t value)
{
    struct uart_state *s = u->s;
    uint8_t changed = s->lcr ^ value;

    s->lcr = value;
    if ((changed & LCR_BREAK) && (s->mcr & MCR_LOOP)) {
        if (value & LCR_BREAK)
            uart_receive(u, 0, LSR_BI);
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
        uart_refill(u);
}

static void write_reg(struct uart *u, unsigned reg, uint8_t value)
{
    struct uart_state *s = u->s;

    switch (reg) {
    case THR:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (s->divisor & 0xff00) | value;
        } else {
            uart_send(u, &value, 1);
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
        return s->lcr & LCR_DLAB ? (uint8_t)s->divisor : uart_read_rbr(u);
    case IER:
        return s->lcr & LCR_DLAB ? (uint8_t)(s->divisor >> 8) : s->ier;
    case IIR:
        value = uart_iir(s);
        /* Only when it is what the guest is told of. */
        if (value == IIR_THRE)
            s->thre_latch = false;
        if (value == IIR_NONE) {
            uart_pause(u);
            uart_end_rest(u);
        }
        return value | (uart_fifo_on(s) ? IIR_FIFO : 0);
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        value = uart_lsr(s);
        s->lsr_errors = 0;
        if (!(value & LSR_DR) && !(s->ier & (IER_RDA | IER_THRE))) {
            uart_end_pause(u); /* it polls */
            uart_end_rest(u);
        }
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

    uart_update_irq(u);
    return value;
}

static void uart_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct uart *u = dev;

    write_reg(u, offset & 7, (uint8_t)value);
    uart_update_irq(u);
}

/* `rep outsb` to THR: the back end gets it in large pieces. */
static size_t uart_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                              size_t count)
{
    struct uart *u = dev;

    if (offset != THR || (u->s->lcr & LCR_DLAB))
        return 0;
    uart_send(u, buf, count);
    uart_update_irq(u);
    return count;
}

static size_t uart_read_many(void *dev, uint64_t offset, unsigned size, void *buf, size_t count)
{
    struct uart *u = dev;
    uint8_t *data = buf;

    if (offset != RBR || (u->s->lcr & LCR_DLAB))
        return 0;
    for (size_t i = 0; i < count; i++)
        data[i] = uart_read_rbr(u);
    uart_update_irq(u);
    return count;
}

/* ---- life cycle ----------------------------------------------------------------------------- */

static void uart_reset(void *dev)
{
    struct uart *u = dev;

    if (u->chr && (u->s->lcr & LCR_BREAK) && !(u->s->mcr & MCR_LOOP))
        chardev_set_break(u->chr, false);
    state_reset(&uart_desc, u->s);
    u->s->msr = modem_lines(u);
    timer_cancel(&u->timeout);
    timer_cancel(&u->rest);
    update_outputs(u);
    uart_refill(u);
    uart_update_irq(u);
}

static void uart_loaded(void *dev)
{
    struct uart *u = dev;

    update_line(u);
    update_outputs(u);
    if (u->chr && !(u->s->mcr & MCR_LOOP))
        chardev_set_break(u->chr, u->s->lcr & LCR_BREAK);
    uart_data_loaded(u);
    uart_update_irq(u);
}

static void uart_destroy(void *dev)
{
    struct uart *u = dev;

    iospace_remove(u->io, &u->region);
    if (u->chr)
        chardev_attach(u->chr, NULL, NULL);
    uart_data_fini(u);
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
    uart_data_init(u);
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
