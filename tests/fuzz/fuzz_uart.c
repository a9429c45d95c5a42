/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 16550A with a back end that gives and takes as the input says. Checked besides what
 * machine_ops.h says: the line is the function of the state that it ought to be, nothing is read
 * beyond the FIFO's room, what goes out is no more than what was written, and a handler that
 * serves what IIR reports comes to an end (after which the line may rise anew, for the next one).
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "chardev/backend.h"
#include "hw/serial/uart_internal.h"
#include "tests/fuzz/machine_ops.h"

#define SERVE_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {0x3f8, 0x3f8, 0x3f8, 0x3f8, 0x3f0};

static struct fuzz_machine fm;
static struct chardev *chr;
static struct uart *uart;
static size_t input_left, output_left; /* what the back end has and takes */
static uint8_t input_byte;

static ssize_t line_write(struct chardev *c, const uint8_t *data, size_t len)
{
    size_t n = len < output_left ? len : output_left;

    output_left -= n;
    return n ? (ssize_t)n : -EAGAIN;
}

static ssize_t line_read(struct chardev *c, uint8_t *data, size_t len)
{
    size_t n = len < input_left ? len : input_left;

    for (size_t i = 0; i < n; i++)
        data[i] = input_byte++;
    input_left -= n;
    return n ? (ssize_t)n : -EAGAIN;
}

static const struct chardev_backend line = {.name = "fuzz", .write = line_write, .read = line_read};

/* An interrupt handler: until IIR says that there is nothing. */
static void serve(void)
{
    struct machine *m = &fm.m;
    uint8_t iir;

    machine_out(m, 0x3fb, 1, 0x03);
    for (unsigned rounds = 0; !((iir = (uint8_t)machine_in(m, 0x3fa, 1)) & 1); rounds++) {
        fuzz_require(rounds < SERVE_MAX, "a handler comes to an end");
        switch (iir & 0x0f) {
        case IIR_RLS:
            (void)machine_in(m, 0x3fd, 1);
            break;
        case IIR_RDA:
        case IIR_TIMEOUT:
            (void)machine_in(m, 0x3f8, 1);
            break;
        case IIR_MS:
            (void)machine_in(m, 0x3fe, 1);
            break;
        default:
            break;
        }
    }
}

static void own_op(struct fuzz_input *in)
{
    uint8_t n = fuzz_u8(in);

    switch (fuzz_u8(in) % 8) {
    case 0:
    case 1:
        input_left += n;
        break;
    case 2:
        input_left += n * 64u;
        break;
    case 3:
        output_left += n * 256u;
        chr->blocked = false;
        chardev_flush(chr);
        break;
    case 4:
        output_left = 0;
        break;
    case 5:
        if (uart_front.room(uart))
            uart_front.receive_break(uart);
        break;
    case 6:
        /* A line that has been full for too long. */
        for (unsigned i = 0; i < 65; i++)
            (void)chardev_write(chr, (const uint8_t[1024]){0}, 1024);
        break;
    default:
        serve();
    }
}

static void check(bool tampered)
{
    const struct uart_state *s = uart->s;

    machine_settle(&fm.m);
    fuzz_require(fm.m.isa[4] == (uart_iir(s) != IIR_NONE), "the line is a function of the state");
    fuzz_require((s->mcr & MCR_LOOP) || tampered || !(s->lsr_errors & LSR_OE) || s->fcr ||
                     s->rx_count <= 1,
                 "no overrun from outside");
    if (s->ier == 0)
        fuzz_require((machine_in(&fm.m, 0x3fa, 1) & 1) == 1, "nothing enabled, nothing reported");
    fuzz_require(chr->count <= CHARDEV_BUFFER, "the back end's buffer is bounded");
    fuzz_require(fm.m.mappings == 0, "a UART touches no guest memory");
}

static void create(void)
{
    machine_init(&fm.m);
    chr = chardev_alloc(sizeof(*chr), &line, fm.m.env.loop, NULL, "serial0");
    fuzz_require(chr != NULL, "memory");
    /* Always ready; what there is to read is line_read()'s to say. */
    chardev_set_fds(chr, eventfd(1, EFD_CLOEXEC), -1);
    chardev_set_peer(chr, true, true);
    fuzz_require(uart_create(&uart, &fm.m.env, 0, chr) == 0, "the UART can be made");
    fm.ports = ports;
    fm.port_count = sizeof(ports) / sizeof(ports[0]);
    fm.own_op = own_op;
    fm.check = check;
    fuzz_machine_start(&fm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!chr)
        create();
    input_left = 0;
    output_left = 4096;
    input_byte = 0;
    /* The same beginning for each input: nothing buffered, nobody waiting. */
    chr->head = chr->count = 0;
    chr->blocked = chr->stalled = chr->front_waits = false;
    chr->last_write = 0;
    timer_cancel(&chr->stall_timer);
    timer_cancel(&chr->gather_timer);
    fm.m.now = 1000000000;
    fuzz_machine_run(&fm, data, size);
    return 0;
}
