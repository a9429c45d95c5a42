/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's driver, the UART and a real pseudo terminal: one MiB each way, no byte lost. */
#include "tests/harness/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "chardev/backend.h"
#include "hw/serial/uart16550.h"
#include "tests/harness/machine.h"

#define MIB (1u << 20)

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, THR = 0, FCR = 2 };

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

struct peer {
    int fd;
    size_t count;
    bool good;
};

static void *peer_sends(void *opaque)
{
    struct peer *p = opaque;
    uint8_t part[777];

    while (p->count < MIB) {
        size_t n = 0;
        ssize_t done;

        while (n < sizeof(part) && p->count + n < MIB) {
            part[n] = pattern(p->count + n);
            n++;
        }
        done = write(p->fd, part, n);
        if (done <= 0)
            break;
        p->count += (size_t)done;
    }
    return NULL;
}

static void *peer_reads(void *opaque)
{
    struct peer *p = opaque;
    uint8_t part[512];

    p->good = true;
    while (p->count < MIB) {
        ssize_t n = read(p->fd, part, sizeof(part));

        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            p->good &= part[i] == pattern(p->count + (size_t)i);
        p->count += (size_t)n;
    }
    return NULL;
}

/* As Linux's 8250 driver does it: rounds until IIR says none, each looking at LSR. */
struct driver {
    struct machine *m;
    size_t sent, received;
    bool good;
    unsigned overruns, longest;
};

static uint8_t in(struct driver *d, unsigned reg)
{
    return (uint8_t)machine_in(d->m, (uint16_t)(0x3f8 + reg), 1);
}

static void out(struct driver *d, unsigned reg, uint8_t value)
{
    machine_out(d->m, (uint16_t)(0x3f8 + reg), 1, value);
}

static void interrupt(struct driver *d)
{
    unsigned rounds = 0;

    while (!(in(d, IIR) & 1) && ++rounds < 512) {
        uint8_t lsr = in(d, LSR);

        for (unsigned n = 0; (lsr & 1) && n < 256; n++) {
            d->overruns += lsr >> 1 & 1;
            d->good &= in(d, RBR) == pattern(d->received++);
            loop_turn(d->m->env.loop, 0);
            lsr = in(d, LSR);
        }
        in(d, MSR);
        for (unsigned n = 0; (lsr & 0x20) && n < 16 && d->sent < MIB; n++)
            out(d, THR, pattern(d->sent++));
        if (d->sent == MIB)
            out(d, IER, 1);
    }
    if (rounds > d->longest)
        d->longest = rounds;
}

static void test_one_mib_each_way_through_ttys0(void **state)
{
    struct chardev_config config = {.kind = CHARDEV_PTY, .label = "serial0", .fd = -1};
    struct peer from = {0}, to = {0};
    struct chardev *chr;
    struct uart *uart;
    struct machine m;
    struct driver d = {.m = &m, .good = true};
    pthread_t sender, reader;
    struct timespec begin, now;

    machine_init(&m);
    assert_int_equal(chardev_create(&chr, m.env.loop, NULL, &config), 0);
    chr->stall_ns = 3600000000000; /* the reader is a thread of this busy machine */
    assert_int_equal(uart_create(&uart, &m.env, 0, chr), 0);
    machine_start(&m);
    loop_set_test_clock(m.env.loop, NULL);
    from.fd = to.fd = open(chardev_filename(chr) + 4, O_RDWR | O_NOCTTY);
    assert_true(from.fd >= 0);
    loop_turn(m.env.loop, 100);
    loop_turn(m.env.loop, 100);
    pthread_create(&sender, NULL, peer_sends, &from);
    pthread_create(&reader, NULL, peer_reads, &to);
    out(&d, LCR, 0x03);
    out(&d, FCR, 0x81);
    out(&d, MCR, 0x0b);
    out(&d, IER, 0x03);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (d.sent < MIB || d.received < MIB || to.count < MIB) {
        if (m.isa[4])
            interrupt(&d);
        loop_turn(m.env.loop, m.isa[4] ? 0 : 10);
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec - begin.tv_sec < 25);
    }
    pthread_join(sender, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(d.received, MIB);
    assert_true(d.good);
    assert_int_equal(d.overruns, 0);
    assert_true(to.good);
    assert_int_equal(chardev_dropped(chr), 0);
    assert_true(d.longest < 512); /* else Linux says "too much work for irq4" */
    close(from.fd);
    device_list_destroy(m.env.devices);
    assert_int_equal(device_list_create(&m.env.devices), 0);
    chardev_destroy(chr);
    machine_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_mib_each_way_through_ttys0),
    };

    return cmocka_run_group_tests_name("uart on a pty", tests, NULL, NULL);
}
