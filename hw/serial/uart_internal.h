/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UART's state and the seam between its registers and its data path. Private to hw/serial/. */
#ifndef HW_SERIAL_UART_INTERNAL_H
#define HW_SERIAL_UART_INTERNAL_H

#include "hw/serial/uart16550.h"

#define FIFO_DEPTH 16u
#define REFILL_AT  2u /* what a full FIFO leaves at the highest trigger level */
#define RX_BURST   256u
#define TX_BURST   256u

/* Four character times, within bounds whatever the divisor (CVE-2016-8669). */
#define TIMEOUT_MIN_NS 50000u
#define TIMEOUT_MAX_NS 100000000u

/* The rest after a burst, for guests that do not look. */
#define REST_NS 5000000u
/* The pause after each time that the guest has read all there was. */
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
    bool thre_due;      /* it is to come after the rest */
    bool rx_timeout;    /* the character timeout interrupt */

    /* The oldest first. rx_error[i] holds the LSR bits of rx[i]. */
    uint8_t rx[FIFO_DEPTH], rx_error[FIFO_DEPTH], rx_count;
    uint8_t tx[FIFO_DEPTH], tx_count;

    uint16_t rx_burst, tx_burst; /* characters until the line rests */
    uint64_t timeout_at;         /* guest clock, TIMER_NEVER */
    uint64_t rest_until;         /* guest clock, TIMER_NEVER */
};

struct uart {
    struct uart_state *s;
    struct loop *loop;
    struct iospace *io;
    struct chardev *chr;
    struct irq irq;
    struct io_region region;
    struct timer timeout, rest;
    /* Pace only, and not state: after a restore input comes without one. */
    struct timer pause;
    uint64_t burst_began; /* guest time of the first input since the pause; TIMER_NEVER: none */
    struct loop_work refill; /* asks the back end for more, after the guest's access */
    char name[8];
};

/* ---- uart_data.c ---------------------------------------------------------------------------- */

extern const struct chardev_front uart_front;

bool uart_fifo_on(const struct uart_state *s);
/* What IIR and LSR show; reading them has effects that are the registers' business. */
uint8_t uart_iir(const struct uart_state *s);
uint8_t uart_lsr(const struct uart_state *s);
/* The level of the interrupt line, after every entry. */
void uart_update_irq(struct uart *u);

/* Timers and deferred work, once. */
void uart_data_init(struct uart *u);
void uart_data_fini(struct uart *u);
/* The state is new: what was under way goes on. */
void uart_data_loaded(struct uart *u);

/* Counts anew towards the character timeout; clears it. */
void uart_restart_timeout(struct uart *u);
/* The guest has seen that there is nothing to do. */
void uart_end_rest(struct uart *u);
/* The guest has seen that it has read all. */
void uart_pause(struct uart *u);
void uart_end_pause(struct uart *u);
/* Asks the back end for input, after the guest's access. */
void uart_refill(struct uart *u);

uint8_t uart_read_rbr(struct uart *u);
void uart_clear_rx(struct uart *u);
void uart_clear_tx(struct uart *u);
/* A character, or with LSR bits in `error` what stands for one, arrives. */
void uart_receive(struct uart *u, uint8_t c, uint8_t error);
/* The guest writes to THR; sees to the word length. */
void uart_send(struct uart *u, const uint8_t *data, size_t len);

#endif
