/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data through the UART: back-pressure both ways, string I/O, and what attackers have tried. */
#include "tests/harness/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dm/savefile.h"
#include "tests/hw/serial/testuart.h"

#define MIB (1u << 20)

static struct testuart t;

static int setup(void **state)
{
    testuart_init(&t);
    reg_out(&t, LCR, 0x03);
    return 0;
}

static int teardown(void **state)
{
    testuart_fini(&t);
    return 0;
}

/* The test's data: no period that a lost block could hide in. */
static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* T-UART-5: the host sends at once what the FIFO cannot hold; no overrun, nothing lost. */
static void test_input_is_pulled_into_free_room_only(void **state)
{
    uint8_t out[100];
    int pending = 0;

    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = pattern(i);
    reg_out(&t, FCR, 0x01);
    far_send(&t, out, sizeof(out));
    machine_advance(&t.m, 100000000);
    /* 16 in the FIFO; the rest waits in the kernel, not in us. */
    assert_int_equal(recv(chardev_fd(t.chr), out, sizeof(out), MSG_PEEK), 100 - 16);
    for (unsigned i = 0; i < 100; i++) {
        machine_settle(&t.m);
        pending = reg_in(&t, LSR);
        assert_int_equal(pending & 0x03, 0x01);
        assert_int_equal(reg_in(&t, RBR), pattern(i));
    }
    assert_int_equal(reg_in(&t, LSR), 0x60);
}

/* An edge-triggered PIC needs the line to fall between two fillings of the FIFO. */
static void test_line_falls_before_the_next_bytes(void **state)
{
    unsigned rises;

    reg_out(&t, IER, 1); /* no FIFO: each byte is an interrupt of its own */
    far_send(&t, "abc", 3);
    for (unsigned i = 0; i < 3; i++) {
        rises = t.m.isa_rises[4];
        assert_true(irq(&t));
        assert_int_equal(reg_in(&t, RBR), "abc"[i]);
        assert_false(irq(&t));
        machine_settle(&t.m);
        assert_int_equal(t.m.isa_rises[4], rises + (i < 2));
    }
}

/* A handler that reads until IIR says none must come to an end under a flood: Linux gives up
 * after 512 rounds ("too much work for irq4") and the port hangs. */
static void test_flood_leaves_gaps(void **state)
{
    static uint8_t flood[4096];
    size_t got = 0, gaps = 0;

    reg_out(&t, FCR, 0x01);
    reg_out(&t, IER, 1);
    assert_int_equal(write(t.far, flood, sizeof(flood)), sizeof(flood));
    while (got < sizeof(flood)) {
        size_t burst = 0;

        machine_advance(&t.m, 10000000);
        assert_true(irq(&t));
        /* The handler: the loop runs between its accesses, no time passes. */
        while (reg_in(&t, IIR) != 0xc1) {
            reg_in(&t, RBR);
            burst++;
            loop_turn(t.m.env.loop, 0);
        }
        assert_false(irq(&t));
        assert_in_range(burst, 1, 512);
        got += burst;
        gaps++;
    }
    assert_int_equal(got, sizeof(flood));
    assert_in_range(gaps, 8, 64);
}

/* How long it takes until the next characters come to a guest that has needed `each` ns for every
 * one of those in the FIFO. */
static uint64_t pause_after(uint64_t each)
{
    uint64_t began;

    while (!irq(&t))
        machine_advance(&t.m, 1000);
    while (reg_in(&t, IIR) != 0xc1) {
        machine_advance(&t.m, each);
        reg_in(&t, RBR);
    }
    began = loop_now(t.m.env.loop, CLOCK_GUEST);
    machine_settle(&t.m);
    while (!irq(&t))
        machine_advance(&t.m, 1000);
    return loop_now(t.m.env.loop, CLOCK_GUEST) - began;
}

/* A guest that is slower than the other end would do nothing but take characters: an emulated Linux
 * came to "soft lockup". It gets as long for the rest of its work, but not for ever. */
static void test_input_leaves_a_slow_guest_half_of_its_time(void **state)
{
    static uint8_t flood[1024];

    reg_out(&t, FCR, 0x01);
    reg_out(&t, IER, 1);
    assert_int_equal(write(t.far, flood, sizeof(flood)), sizeof(flood));
    assert_in_range(pause_after(0), 0, 2000);
    assert_in_range(pause_after(10000), 160000, 162000);
    assert_in_range(pause_after(1000000), 16000000, 16002000);
    assert_in_range(pause_after(50000000), 100000000, 100002000);
    /* Output's interrupts do not end it, polling does. */
    machine_advance(&t.m, 200000000);
    while (reg_in(&t, IIR) != 0xc1) {
        machine_advance(&t.m, 1000000);
        reg_in(&t, RBR);
    }
    reg_out(&t, IER, 3);
    assert_int_equal(reg_in(&t, IIR), 0xc2);
    assert_int_equal(reg_in(&t, IIR), 0xc1);
    machine_settle(&t.m);
    assert_false(irq(&t));
    reg_out(&t, IER, 0);
    assert_int_equal(reg_in(&t, LSR) & 1, 0);
    machine_settle(&t.m);
    assert_int_equal(reg_in(&t, LSR) & 1, 1);
}

/* A handler of one byte an interrupt that never looks at IIR or LSR: it gets everything too. */
static void test_guest_that_does_not_look_gets_all(void **state)
{
    static uint8_t data[1000];
    size_t got = 0, sent = 0;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    reg_out(&t, IER, 1);
    assert_int_equal(write(t.far, data, sizeof(data)), sizeof(data));
    for (int i = 0; i < 4000 && got < sizeof(data); i++) {
        machine_advance(&t.m, 1000000);
        if (irq(&t))
            assert_int_equal(reg_in(&t, RBR), pattern(got++));
    }
    assert_int_equal(got, sizeof(data));
    /* The same for output: one byte an interrupt, IIR unread. */
    reg_out(&t, IER, 2);
    for (int i = 0; i < 4000 && sent < sizeof(data); i++) {
        machine_advance(&t.m, 1000000);
        if (irq(&t))
            reg_out(&t, THR, pattern(sent++));
    }
    assert_int_equal(sent, sizeof(data));
}

static void test_output_order_and_content(void **state)
{
    static uint8_t got[8192];
    size_t n = 0;

    for (size_t i = 0; i < 5000; i++)
        reg_out(&t, THR, pattern(i));
    for (int i = 0; i < 1000 && n < 5000; i++)
        n += far_read(&t, got + n, sizeof(got) - n);
    assert_int_equal(n, 5000);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], pattern(i));
}

/* Nobody reads: the transmitter holds, THRE and TEMT say so, and all of it comes out in the end. */
static void test_transmitter_holds_when_the_line_is_stopped(void **state)
{
    static uint8_t got[MIB];
    size_t sent, n = 0;

    reg_out(&t, IER, 2);
    reg_in(&t, IIR);
    sent = fill_until_held(&t, 0);
    assert_true(sent > CHARDEV_BUFFER - 100);
    assert_int_equal(reg_in(&t, LSR) & 0x60, 0);
    assert_false(irq(&t)); /* THRE is no interrupt now */
    assert_int_equal(reg_in(&t, IIR), 0x01);
    while (n < sent) {
        size_t more = far_read(&t, got + n, sizeof(got) - n);

        assert_true(more > 0);
        n += more;
    }
    assert_int_equal(n, sent);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], (uint8_t)i);
    assert_int_equal(reg_in(&t, LSR) & 0x60, 0x60);
    assert_int_equal(reg_in(&t, IIR), 0x02);
}

static void test_held_fifo_keeps_sixteen_and_survives_save(void **state)
{
    static uint8_t got[MIB];
    size_t sent, n = 0, more;

    reg_out(&t, FCR, 0x01);
    sent = fill_until_held(&t, 0);
    for (unsigned i = 0; i < 20; i++) /* 15 more fit, 5 are lost as on the chip */
        reg_out(&t, THR, (uint8_t)(sent + i));
    assert_null(machine_save_load(&t.m));
    assert_int_equal(reg_in(&t, LSR) & 0x60, 0);
    while ((more = far_read(&t, got + n, sizeof(got) - n)) > 0)
        n += more;
    assert_int_equal(n, sent + 15);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], (uint8_t)i);
}

/* T-UART-8: a reader that does not read stops the guest for a bounded time only. */
static void test_stopped_reader_never_hangs_the_guest(void **state)
{
    static uint8_t got[MIB];
    size_t accepted, n = 0, more;

    accepted = fill_until_held(&t, 0);
    machine_advance(&t.m, CHARDEV_STALL_NS / 2);
    assert_int_equal(reg_in(&t, LSR) & 0x20, 0);
    machine_advance(&t.m, CHARDEV_STALL_NS);
    assert_int_equal(reg_in(&t, LSR) & 0x20, 0x20);
    /* From now on nothing is held any more; what does not fit is lost. */
    for (size_t i = 0; i < 200000; i++) {
        reg_out(&t, THR, pattern(i));
        assert_int_equal(reg_in(&t, LSR) & 0x20, 0x20);
    }
    assert_true(chardev_dropped(t.chr) > 200000 - 100);
    while ((more = far_read(&t, got + n, sizeof(got) - n)) > 0)
        n += more;
    /* What had been accepted before is whole, to the last byte that the transmitter held. */
    assert_in_range(n, accepted, accepted + 64);
    for (size_t i = 0; i < accepted; i++)
        assert_int_equal(got[i], (uint8_t)i);
    /* It reads again: held back again, nothing lost. */
    more = fill_until_held(&t, 0);
    assert_true(more > CHARDEV_BUFFER - 100);
}

static void test_string_output_is_one_piece(void **state)
{
    static uint8_t data[20000], got[20000];
    size_t n = 0, more;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    io_write_string(t.m.env.io, IO_PORT, 0x3f8, 1, 0, data, sizeof(data));
    while ((more = far_read(&t, got + n, sizeof(got) - n)) > 0)
        n += more;
    assert_int_equal(n, sizeof(data));
    assert_memory_equal(got, data, n);
    reg_out(&t, LCR, 0x02); /* seven bits */
    io_write_string(t.m.env.io, IO_PORT, 0x3f8, 1, 0, "\xe1\xe2", 2);
    assert_int_equal(far_read(&t, got, 2), 2);
    assert_memory_equal(got, "\x61\x62", 2);
}

static void test_string_input_and_other_registers(void **state)
{
    uint8_t got[16];

    reg_out(&t, FCR, 0x01);
    far_send(&t, "0123456789", 10);
    io_read_string(t.m.env.io, IO_PORT, 0x3f8, 1, 0, got, 10);
    assert_memory_equal(got, "0123456789", 10);
    io_write_string(t.m.env.io, IO_PORT, 0x3ff, 1, 0, "abc", 3);
    assert_int_equal(reg_in(&t, SCR), 'c');
    io_read_string(t.m.env.io, IO_PORT, 0x3ff, 1, 0, got, 2);
    assert_memory_equal(got, "cc", 2);
}

static void test_nothing_is_armed_while_idle(void **state)
{
    uint8_t c;

    reg_out(&t, FCR, 0xc1);
    reg_out(&t, IER, 0x0f);
    reg_out(&t, THR, 'x');
    far_send(&t, "y", 1);
    machine_advance(&t.m, 1000000000);
    assert_int_equal(far_read(&t, &c, 1), 1);
    /* A character waits, the guest does not read it: the loop has nothing to wake up for. Under a
     * test clock an unbounded wait would hang here if a timer were armed and never due; what is
     * checked is that no timer fires in the next hour. */
    unsigned rises = t.m.isa_rises[4];
    machine_advance(&t.m, 3600000000000);
    assert_int_equal(t.m.isa_rises[4], rises);
    assert_int_equal(reg_in(&t, IIR), 0xcc);
}

/* ---- known holes of other device models
 * -------------------------------------------------------------- */

/* A divisor of 0, or one that makes a character last very long, or no time at all. */
static void test_cve_2016_8669_divisor_of_any_value(void **state)
{
    static const uint16_t divisors[] = {0, 1, 2, 0x7fff, 0x8000, 0xffff};

    for (unsigned i = 0; i < sizeof(divisors) / sizeof(divisors[0]); i++) {
        uint64_t begin;

        reg_out(&t, LCR, 0x80);
        reg_out(&t, DLL, (uint8_t)divisors[i]);
        reg_out(&t, DLM, (uint8_t)(divisors[i] >> 8));
        reg_out(&t, LCR, 0x07);
        reg_out(&t, FCR, 0x83);
        reg_out(&t, IER, 1);
        far_send(&t, "a", 1);
        begin = t.m.now;
        while (!irq(&t)) {
            machine_advance(&t.m, 10000);
            assert_true(t.m.now - begin < 200000000);
        }
        assert_true(t.m.now - begin >= 50000);
        assert_int_equal(reg_in(&t, RBR), 'a');
    }
}

/* Back ends that are opened and closed again and again give everything back (leak checker). */
static void test_cve_2017_5579_reopened_chardev_does_not_leak(void **state)
{
    for (int i = 0; i < 100; i++) {
        struct chardev_config config = {.kind = CHARDEV_UNIX, .label = "again"};
        struct chardev *chr;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        config.fd = pair[0];
        assert_int_equal(chardev_create(&chr, t.m.env.loop, NULL, &config), 0);
        assert_true(pair[1] < 64); /* descriptors are given back too */
        chardev_write(chr, (const uint8_t *)"x", 1);
        close(pair[1]);
        chardev_destroy(chr);
    }
}

/* The shortest character there is, a trigger that is never reached, and a guest that reads on. */
static void test_timer_storm_of_short_characters(void **state)
{
    unsigned fired = 0;

    reg_out(&t, LCR, 0x80);
    reg_out(&t, DLL, 1);
    reg_out(&t, LCR, 0x00);
    reg_out(&t, FCR, 0xc1);
    reg_out(&t, IER, 1);
    far_send(&t, "0123456789", 10);
    for (uint64_t end = t.m.now + 1000000; t.m.now < end;) {
        bool was = irq(&t);

        t.m.now += 1000;
        loop_turn(t.m.env.loop, 0);
        if (irq(&t) && !was) {
            fired++;
            reg_in(&t, RBR);
        }
    }
    assert_in_range(fired, 1, 1000000 / 50000);
}

/* The host sends without end; neither FIFO nor process takes more than there is room for. */
static void test_cve_2020_27173_host_flood_is_bounded(void **state)
{
    static uint8_t block[65536];
    size_t sent = 0;
    ssize_t n;

    reg_out(&t, FCR, 0x01);
    while ((n = write(t.far, block, sizeof(block))) > 0) {
        sent += (size_t)n;
        machine_advance(&t.m, 1000000);
        assert_true(sent < 4 * MIB); /* the sender is stopped by the kernel at some point */
    }
    assert_int_equal(reg_in(&t, LSR), 0x61);
    /* The guest resets its FIFO over and over and takes 16 each time, not more. */
    for (int i = 0; i < 10; i++) {
        reg_out(&t, FCR, 0x03);
        machine_advance(&t.m, 10000000);
        for (int k = 0; k < 16; k++) {
            assert_int_equal(reg_in(&t, LSR), 0x61);
            reg_in(&t, RBR);
        }
        assert_int_equal(reg_in(&t, LSR), 0x60);
        machine_advance(&t.m, 1000000);
    }
}

/* vm-superio class: whatever is enabled, a handler that serves each source reaches "none". */
static void test_vm_superio_iir_reaches_none(void **state)
{
    unsigned rounds = 0;
    uint8_t iir;

    reg_out(&t, MCR, 0x10);
    reg_out(&t, MCR, 0x1f);
    reg_out(&t, FCR, 0xc1);
    for (int i = 0; i < 20; i++)
        reg_out(&t, THR, (uint8_t)i);
    reg_out(&t, IER, 0x0f);
    machine_advance(&t.m, 100000000);
    while (((iir = reg_in(&t, IIR)) & 1) == 0) {
        assert_true(++rounds < 64);
        switch (iir & 0x0f) {
        case 0x06:
            reg_in(&t, LSR);
            break;
        case 0x04:
        case 0x0c:
            reg_in(&t, RBR);
            break;
        case 0x00:
            reg_in(&t, MSR);
            break;
        default:
            break;
        }
    }
    assert_true(rounds >= 4);
    assert_false(irq(&t));
}

/* ---- saved states from anywhere
 * ------------------------------------------------------------------ */

/* Each byte of a saved state is altered in turn: it is refused, or the device works on. */
static void test_hostile_saved_state(void **state)
{
    char err[SAVEFILE_ERROR_MAX];
    uint8_t *good, *bad, c;
    size_t len;

    reg_out(&t, FCR, 0x81);
    reg_out(&t, IER, 0x0f);
    far_send(&t, "abcdefgh", 8);
    assert_int_equal(savefile_encode(t.m.env.arena, (void **)&good, &len), 0);
    bad = malloc(len);
    for (size_t at = 0; at < len; at++) {
        for (unsigned k = 0; k < 3; k++) {
            static const uint8_t values[3] = {0xff, 0x80, 0x11};

            memcpy(bad, good, len);
            bad[at] = values[k];
            if (savefile_decode(t.m.env.arena, bad, len, err))
                continue;
            device_loaded_all(t.m.env.devices);
            for (unsigned reg = 0; reg < 8; reg++) {
                reg_in(&t, reg);
                reg_out(&t, reg, reg == MCR ? 0 : 0x07);
            }
            for (int i = 0; i < 40; i++)
                reg_in(&t, RBR);
            machine_advance(&t.m, 200000000);
            while (read(t.far, &c, 1) == 1)
                ;
        }
    }
    assert_int_equal(savefile_decode(t.m.env.arena, good, len, err), 0);
    device_loaded_all(t.m.env.devices);
    assert_int_equal(reg_in(&t, RBR), 'a');
    free(bad);
    free(good);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_input_is_pulled_into_free_room_only),
        T(test_line_falls_before_the_next_bytes),
        T(test_flood_leaves_gaps),
        T(test_input_leaves_a_slow_guest_half_of_its_time),
        T(test_guest_that_does_not_look_gets_all),
        T(test_output_order_and_content),
        T(test_transmitter_holds_when_the_line_is_stopped),
        T(test_held_fifo_keeps_sixteen_and_survives_save),
        T(test_stopped_reader_never_hangs_the_guest),
        T(test_string_output_is_one_piece),
        T(test_string_input_and_other_registers),
        T(test_nothing_is_armed_while_idle),
        T(test_cve_2016_8669_divisor_of_any_value),
        T(test_cve_2017_5579_reopened_chardev_does_not_leak),
        T(test_timer_storm_of_short_characters),
        T(test_cve_2020_27173_host_flood_is_bounded),
        T(test_vm_superio_iir_reaches_none),
        T(test_hostile_saved_state),
    };

    return cmocka_run_group_tests_name("uart data flow", tests, NULL, NULL);
}
