/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 16550A's registers and interrupts as its data sheet and its drivers have them. */
#include "tests/harness/tap.h"

#include <unistd.h>

#include "chardev/backend.h"
#include "tests/hw/serial/testuart.h"

static struct testuart t;

static int setup(void **state)
{
    testuart_init(&t);
    return 0;
}

static int teardown(void **state)
{
    testuart_fini(&t);
    return 0;
}

static void test_reset_values(void **state)
{
    assert_int_equal(reg_in(&t, IER), 0);
    assert_int_equal(reg_in(&t, IIR), 0x01);
    assert_int_equal(reg_in(&t, LCR), 0);
    assert_int_equal(reg_in(&t, MCR), 0);
    assert_int_equal(reg_in(&t, LSR), 0x60);
    assert_int_equal(reg_in(&t, MSR), 0xb0);
    assert_int_equal(reg_in(&t, SCR), 0);
    reg_out(&t, LCR, 0x80);
    assert_int_equal(reg_in(&t, DLL), 0x0c);
    assert_int_equal(reg_in(&t, DLM), 0);
}

/* What hvmloader does to find the port. */
static void test_hvmloader_probe(void **state)
{
    reg_out(&t, IER, 0);
    assert_int_equal(reg_in(&t, IER), 0);
    reg_out(&t, IER, 0x0f);
    assert_int_equal(reg_in(&t, IER), 0x0f);
    reg_out(&t, IER, 0);
    assert_false(irq(&t));
}

/* What SeaBIOS does at its start. */
static void test_seabios_probe(void **state)
{
    reg_out(&t, IER, 2);
    assert_int_equal(reg_in(&t, IER), 2);
    assert_int_equal(reg_in(&t, IIR) & 0x3f, 2);
}

/* What Linux's autoconfig() looks for: 16550A, and nothing better. */
static void test_linux_probe(void **state)
{
    reg_out(&t, IER, 0xf0);
    assert_int_equal(reg_in(&t, IER), 0);
    reg_out(&t, SCR, 0x5a);
    assert_int_equal(reg_in(&t, SCR), 0x5a);
    reg_out(&t, SCR, 0xa5);
    assert_int_equal(reg_in(&t, SCR), 0xa5);
    reg_out(&t, MCR, 0x1a);
    assert_int_equal(reg_in(&t, MSR) & 0xf0, 0x90);
    reg_out(&t, MCR, 0);
    reg_out(&t, LCR, 0xbf);
    reg_out(&t, FCR, 0);
    assert_int_not_equal(reg_in(&t, IIR), 0);
    reg_out(&t, LCR, 0);
    reg_out(&t, FCR, 1);
    assert_int_equal(reg_in(&t, IIR) >> 6, 3);
    reg_out(&t, FCR, 0x21); /* the 64-byte FIFO of a 16750 does not latch */
    assert_int_equal(reg_in(&t, IIR) & 0x20, 0);
    reg_out(&t, FCR, 0);
    assert_int_equal(reg_in(&t, IIR) >> 6, 0);
}

/* T-UART-1; also Linux's tests for the "TXEN bug" and the "THRE bug" */
static void test_thre_interrupt_when_enabled(void **state)
{
    reg_out(&t, IER, 2);
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0x02);
    assert_false(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0x01);
    reg_out(&t, IER, 2); /* stays on: no new one */
    assert_int_equal(reg_in(&t, IIR), 0x01);
    reg_out(&t, IER, 0);
    reg_out(&t, IER, 2);
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0x02);
    reg_out(&t, THR, 'a');
    assert_true(irq(&t));
    reg_out(&t, IER, 0);
    assert_false(irq(&t));
}

/* T-UART-3 */
static void test_iir_read_clears_thre_only_when_reported(void **state)
{
    far_send(&t, "x", 1);
    reg_out(&t, IER, 3);
    assert_int_equal(reg_in(&t, IIR), 0x04);
    assert_int_equal(reg_in(&t, IIR), 0x04);
    assert_int_equal(reg_in(&t, RBR), 'x');
    assert_int_equal(reg_in(&t, IIR), 0x02);
    assert_int_equal(reg_in(&t, IIR), 0x01);
}

static void test_interrupt_priorities(void **state)
{
    reg_out(&t, LCR, 0x03);
    reg_out(&t, MCR, 0x10);
    reg_out(&t, MCR, 0x12);
    reg_out(&t, THR, 'a');
    reg_out(&t, THR, 'b'); /* overrun without FIFO */
    reg_out(&t, IER, 0x0f);
    assert_int_equal(reg_in(&t, IIR), 0x06);
    assert_int_equal(reg_in(&t, LSR), 0x63);
    assert_int_equal(reg_in(&t, IIR), 0x04);
    assert_int_equal(reg_in(&t, RBR), 'b');
    assert_int_equal(reg_in(&t, IIR), 0x02);
    assert_int_equal(reg_in(&t, IIR), 0x00);
    assert_true(irq(&t));
    reg_in(&t, MSR);
    assert_int_equal(reg_in(&t, IIR), 0x01);
    assert_false(irq(&t));
}

static void test_divisor_latch_hides_data_and_ier(void **state)
{
    uint8_t buf[4];

    reg_out(&t, IER, 1);
    reg_out(&t, LCR, 0x83);
    reg_out(&t, DLL, 0x34);
    reg_out(&t, DLM, 0x12);
    assert_int_equal(reg_in(&t, DLL), 0x34);
    assert_int_equal(reg_in(&t, DLM), 0x12);
    reg_out(&t, LCR, 0x03);
    assert_int_equal(reg_in(&t, IER), 1);
    assert_int_equal(far_read(&t, buf, sizeof(buf)), 0);
}

static void test_loopback_data_and_overrun_with_fifo(void **state)
{
    uint8_t buf[32];

    reg_out(&t, LCR, 0x03);
    reg_out(&t, FCR, 0x01);
    reg_out(&t, MCR, 0x10);
    for (int i = 0; i < 16; i++)
        reg_out(&t, THR, (uint8_t)('a' + i));
    assert_int_equal(reg_in(&t, LSR), 0x61);
    reg_out(&t, THR, '!'); /* the new one is lost */
    assert_int_equal(reg_in(&t, LSR), 0x63);
    assert_int_equal(reg_in(&t, LSR), 0x61);
    for (int i = 0; i < 16; i++)
        assert_int_equal(reg_in(&t, RBR), 'a' + i);
    assert_int_equal(reg_in(&t, LSR), 0x60);
    assert_int_equal(far_read(&t, buf, sizeof(buf)), 0);
}

static void test_loopback_leaves_input_waiting(void **state)
{
    reg_out(&t, MCR, 0x10);
    far_send(&t, "q", 1);
    machine_advance(&t.m, 1000000000);
    assert_int_equal(reg_in(&t, LSR) & 1, 0);
    reg_out(&t, MCR, 0);
    machine_settle(&t.m);
    assert_int_equal(reg_in(&t, RBR), 'q');
}

static void test_modem_deltas(void **state)
{
    assert_int_equal(reg_in(&t, MSR), 0xb0);
    reg_out(&t, MCR, 0x10); /* all lines fall; RI was off */
    assert_int_equal(reg_in(&t, MSR), 0x0b);
    assert_int_equal(reg_in(&t, MSR), 0x00);
    reg_out(&t, MCR, 0x14); /* RI rises: no delta */
    assert_int_equal(reg_in(&t, MSR), 0x40);
    reg_out(&t, MCR, 0x10); /* and falls: TERI */
    assert_int_equal(reg_in(&t, MSR), 0x04);
    reg_out(&t, MCR, 0x11);
    assert_int_equal(reg_in(&t, MSR), 0x22);
    reg_out(&t, IER, 8);
    assert_false(irq(&t));
    reg_out(&t, MCR, 0x13);
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0x00);
    assert_int_equal(reg_in(&t, MSR), 0x31);
    assert_false(irq(&t));
}

/* T-UART-2: the clear bits are those of FCR, and only with FIFOs on */
static void test_fifo_clear(void **state)
{
    reg_out(&t, FCR, 0x01);
    far_send(&t, "abc", 3);
    reg_out(&t, LCR, 0x06);
    assert_int_equal(reg_in(&t, LSR) & 1, 1);
    reg_out(&t, FCR, 0x03);
    assert_int_equal(reg_in(&t, LSR) & 1, 0);
    far_send(&t, "d", 1);
    reg_out(&t, FCR, 0x00); /* switching clears too */
    assert_int_equal(reg_in(&t, LSR) & 1, 0);
    far_send(&t, "e", 1);
    reg_out(&t, FCR, 0x02); /* without bit 0 nothing is programmed */
    assert_int_equal(reg_in(&t, LSR) & 1, 1);
    assert_int_equal(reg_in(&t, RBR), 'e');
}

static void test_trigger_levels(void **state)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    reg_out(&t, IER, 1);
    for (unsigned i = 0; i < 4; i++) {
        reg_out(&t, FCR, (uint8_t)(0x03 | i << 6));
        for (unsigned n = 1; n < levels[i]; n++) {
            far_send(&t, "x", 1);
            assert_false(irq(&t));
        }
        far_send(&t, "x", 1);
        assert_true(irq(&t));
        assert_int_equal(reg_in(&t, IIR), 0xc4);
        reg_in(&t, RBR);
        assert_int_equal(irq(&t), false);
    }
}

/* T-UART-4 */
static void test_character_timeout(void **state)
{
    reg_out(&t, LCR, 0x80);
    reg_out(&t, DLL, 1); /* 115200: four times ten bits are 347 us */
    reg_out(&t, LCR, 0x03);
    reg_out(&t, FCR, 0x81);
    reg_out(&t, IER, 1);
    far_send(&t, "abc", 3);
    machine_advance(&t.m, 300000);
    assert_false(irq(&t));
    far_send(&t, "d", 1); /* begins anew */
    machine_advance(&t.m, 300000);
    assert_false(irq(&t));
    machine_advance(&t.m, 100000);
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0xcc);
    assert_int_equal(reg_in(&t, IIR), 0xcc); /* reading IIR does not clear it */
    assert_int_equal(reg_in(&t, RBR), 'a');
    assert_int_equal(reg_in(&t, IIR), 0xc1); /* reading data does */
    machine_advance(&t.m, 400000);
    assert_int_equal(reg_in(&t, IIR), 0xcc);
    for (int i = 0; i < 3; i++)
        reg_in(&t, RBR);
    assert_int_equal(reg_in(&t, IIR), 0xc1);
    machine_advance(&t.m, 1000000000);
    assert_int_equal(reg_in(&t, IIR), 0xc1);
}

static void test_break_received(void **state)
{
    reg_out(&t, FCR, 0x01);
    reg_out(&t, IER, 4);
    far_send(&t, "a", 1);
    t.chr->front->receive_break(t.chr->front_opaque);
    assert_int_equal(reg_in(&t, LSR), 0xe1); /* somewhere in the FIFO, not at its top */
    assert_false(irq(&t));
    assert_int_equal(reg_in(&t, RBR), 'a');
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, IIR), 0xc6);
    assert_int_equal(reg_in(&t, LSR), 0xf1);
    assert_int_equal(reg_in(&t, LSR), 0x61);
    assert_int_equal(reg_in(&t, RBR), 0);
    assert_int_equal(reg_in(&t, LSR), 0x60);
}

static void test_break_in_loopback(void **state)
{
    reg_out(&t, MCR, 0x10);
    reg_out(&t, LCR, 0x43);
    assert_int_equal(reg_in(&t, LSR), 0x71);
    assert_int_equal(reg_in(&t, RBR), 0);
}

static void test_word_length_masks_output(void **state)
{
    static const uint8_t want[4] = {0x1f, 0x3f, 0x7f, 0xff};
    uint8_t c;

    for (unsigned bits = 0; bits < 4; bits++) {
        reg_out(&t, LCR, (uint8_t)bits);
        reg_out(&t, THR, 0xff);
        assert_int_equal(far_read(&t, &c, 1), 1);
        assert_int_equal(c, want[bits]);
    }
}

static void test_read_only_registers(void **state)
{
    reg_out(&t, LSR, 0xff);
    assert_int_equal(reg_in(&t, LSR), 0x60);
    reg_out(&t, MSR, 0x00);
    assert_int_equal(reg_in(&t, MSR), 0xb0);
    reg_out(&t, MCR, 0xff);
    assert_int_equal(reg_in(&t, MCR), 0x1f);
}

static void test_wide_access_is_split(void **state)
{
    reg_out(&t, SCR, 0x77);
    assert_int_equal(machine_in(&t.m, 0x3fe, 2), 0x77b0);
}

static void test_four_ports_and_their_lines(void **state)
{
    static const uint16_t ports[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const uint8_t lines[4] = {4, 3, 4, 3};
    struct machine m;
    struct uart *uart;

    machine_init(&m);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(uart_create(&uart, &m.env, i, NULL), 0);
    assert_true(uart_create(&uart, &m.env, 4, NULL) < 0);
    machine_start(&m);
    for (unsigned i = 0; i < 4; i++) {
        /* Nothing is plugged in: no lines, and output goes nowhere without stopping anyone. */
        assert_int_equal(machine_in(&m, ports[i] + 6, 1), 0);
        machine_out(&m, ports[i], 1, 'x');
        assert_int_equal(machine_in(&m, ports[i] + 5, 1), 0x60);
        machine_out(&m, ports[i] + 1, 1, 2);
        assert_true(m.isa[lines[i]]);
        machine_out(&m, ports[i] + 1, 1, 0);
        assert_false(m.isa[lines[i]]);
    }
    machine_fini(&m);
}

static int sound_table(void *opaque, const char *name, const struct state_desc *desc, void *s)
{
    assert_null(state_desc_flaw(desc));
    assert_null(state_check(desc, s));
    return 0;
}

static void test_state_table(void **state)
{
    assert_int_equal(arena_each(t.m.env.arena, sound_table, NULL), 0);
}

static void test_save_and_load_in_mid_flight(void **state)
{
    reg_out(&t, LCR, 0x03);
    reg_out(&t, FCR, 0x81);
    reg_out(&t, IER, 3);
    reg_out(&t, SCR, 0x42);
    far_send(&t, "ab", 2);
    assert_true(irq(&t));
    assert_null(machine_save_load(&t.m));
    assert_true(irq(&t));
    assert_int_equal(reg_in(&t, SCR), 0x42);
    assert_int_equal(reg_in(&t, IIR), 0xc2);
    assert_false(irq(&t));
    machine_advance(&t.m, 10000000); /* the timeout goes on after the load */
    assert_int_equal(reg_in(&t, IIR), 0xcc);
    assert_int_equal(reg_in(&t, RBR), 'a');
    assert_int_equal(reg_in(&t, RBR), 'b');
}

static void test_reset_is_power_on(void **state)
{
    reg_out(&t, FCR, 0x81);
    reg_out(&t, IER, 0x0f);
    reg_out(&t, MCR, 0x1f);
    reg_out(&t, THR, 'x');
    device_reset_all(t.m.env.devices);
    assert_false(irq(&t));
    test_reset_values(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_reset_values),
        T(test_hvmloader_probe),
        T(test_seabios_probe),
        T(test_linux_probe),
        T(test_thre_interrupt_when_enabled),
        T(test_iir_read_clears_thre_only_when_reported),
        T(test_interrupt_priorities),
        T(test_divisor_latch_hides_data_and_ier),
        T(test_loopback_data_and_overrun_with_fifo),
        T(test_loopback_leaves_input_waiting),
        T(test_modem_deltas),
        T(test_fifo_clear),
        T(test_trigger_levels),
        T(test_character_timeout),
        T(test_break_received),
        T(test_break_in_loopback),
        T(test_word_length_masks_output),
        T(test_read_only_registers),
        T(test_wide_access_is_split),
        T(test_four_ports_and_their_lines),
        T(test_state_table),
        T(test_save_and_load_in_mid_flight),
        T(test_reset_is_power_on),
    };

    return cmocka_run_group_tests_name("uart registers", tests, NULL, NULL);
}
