/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers, ports and interrupts of the host controller. */
#include "tests/hw/usb/testusb.h"

#include <errno.h>
#include <string.h>

static int no_flaw(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    assert_null(state_desc_flaw(desc));
    assert_null(state_check(desc, state));
    return 0;
}

static void test_tables_are_sound(void **state)
{
    struct usb_rig *r = *state;

    arena_each(r->m.env.arena, no_flaw, NULL);
    usb_run(r);
    usb_enumerate(r, 0, 5);
    arena_each(r->m.env.arena, no_flaw, NULL);
    assert_null(machine_save_load(&r->m));
}

/* A state that does not make sense is refused, and the field is named. */
static void test_hostile_states_are_refused(void **state)
{
    struct usb_rig *r = *state;
    struct uhci_state before = *r->uhci->s;
    struct hid_state *h = r->hid[0]->s;

    r->uhci->s->flbase = 0x1004;
    assert_non_null(strstr(machine_save_load(&r->m), "flbase"));
    *r->uhci->s = before;
    r->uhci->s->cmd = CMD_RS; /* and halted */
    assert_non_null(strstr(machine_save_load(&r->m), "cmd"));
    *r->uhci->s = before;
    r->uhci->s->portsc[1] = 0;
    assert_non_null(strstr(machine_save_load(&r->m), "portsc"));
    *r->uhci->s = before;
    h->data_position = 3; /* of 2 bytes */
    h->data_length = 2;
    assert_non_null(strstr(machine_save_load(&r->m), "data_position"));
    h->data_position = h->data_length = 0;
    h->count = HID_EVENTS + 1;
    assert_non_null(strstr(machine_save_load(&r->m), "count"));
}

static void test_identity(void **state)
{
    struct usb_rig *r = *state;
    struct pci_bus *bus = r->m.env.pci;

    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0, 4), 0x70208086);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 8, 4), 0x0c030001);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0x2c, 4), 0x11001af4);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0x3d, 1), 4);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0x60, 1), 0x10);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0xc0, 2), 0x2000);
    /* What Linux writes at hand-over: its status bits are cleared by ones. */
    pci_config_write(bus, USB_DEVFN, 0xc0, 2, 0x8f00);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0xc0, 2), 0);
    pci_config_write(bus, USB_DEVFN, 0x60, 1, 0xff);
    assert_int_equal(pci_config_read(bus, USB_DEVFN, 0x60, 1), 0x10);
}

static void test_reset_values(void **state)
{
    struct usb_rig *r = *state;

    assert_int_equal(usb_in(r, 0), 0);
    assert_int_equal(usb_in(r, 2), STS_HALTED);
    assert_int_equal(usb_in(r, 4), 0);
    assert_int_equal(usb_in(r, 6), 0);
    assert_int_equal(machine_in(&r->m, USB_IO + 8, 4), 0);
    assert_int_equal(machine_in(&r->m, USB_IO + 12, 1), 64);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_CCS | PORT_CSC);
    assert_int_equal(usb_in(r, 0x12), PORT_ONE | PORT_CCS | PORT_CSC);
    /* Drivers count ports by bit 7. */
    for (unsigned reg = 0x14; reg < 0x20; reg += 2)
        assert_int_equal(usb_in(r, reg), 0xff7f);
}

static void test_what_can_be_written(void **state)
{
    struct usb_rig *r = *state;

    usb_out(r, 4, 0xffff);
    assert_int_equal(usb_in(r, 4), 0x0f);
    machine_out(&r->m, USB_IO + 8, 4, 0x12345fff);
    assert_int_equal(machine_in(&r->m, USB_IO + 8, 4), 0x12345000);
    usb_out(r, 0x0a, 0xabcd);
    assert_int_equal(machine_in(&r->m, USB_IO + 8, 4), 0xabcd5000);
    machine_out(&r->m, USB_IO + 12, 1, 0xff);
    assert_int_equal(machine_in(&r->m, USB_IO + 12, 1), 0x7f);
    usb_out(r, 6, 0xffff);
    assert_int_equal(usb_in(r, 6), 0x7ff);
    machine_out(&r->m, USB_IO + 7, 1, 0x02); /* the high byte alone */
    assert_int_equal(usb_in(r, 6), 0x2ff);
    assert_int_equal(machine_in(&r->m, USB_IO + 7, 1), 0x02);
    usb_out(r, 0, CMD_CF | CMD_MAXP | CMD_SWDBG);
    assert_int_equal(usb_in(r, 0), CMD_CF | CMD_MAXP | CMD_SWDBG);
}

static void test_frame_number_is_time(void **state)
{
    struct usb_rig *r = *state;
    uint16_t first;

    usb_out(r, 6, 0x7fe);
    usb_run(r);
    assert_int_equal(usb_in(r, 2) & STS_HALTED, 0);
    assert_int_equal(usb_in(r, 6), 0x7fe);
    machine_advance(&r->m, 3 * MS);
    assert_int_equal(usb_in(r, 6), 1); /* 7FE, 7FF, 0, 1 */
    usb_out(r, 6, 0x123);              /* only while halted */
    assert_int_equal(usb_in(r, 6), 1);
    machine_advance(&r->m, 5000ull * MS);
    first = usb_in(r, 6);
    assert_int_equal(first, (1 + 5000) & 0x7ff);
    usb_out(r, 0, 0);
    assert_int_equal(usb_in(r, 2) & STS_HALTED, STS_HALTED);
    machine_advance(&r->m, 10 * MS);
    assert_int_equal(usb_in(r, 6), first);
    usb_out(r, 2, STS_HALTED); /* cleared by a one, as the other bits */
    assert_int_equal(usb_in(r, 2), 0);
}

static void test_port_reset_and_enable(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_out(r, 0x10, PORT_PR | PORT_PE);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_PR | PORT_CCS | PORT_CSC);
    usb_out(r, 0x10, 0);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_CCS | PORT_CSC);
    usb_out(r, 0x10, PORT_PE | PORT_CSC);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_PE | PORT_CCS);
    usb_out(r, 0x10, 0);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_CCS);
}

static void test_empty_port(void **state)
{
    struct usb_rig *r = *state;
    struct usb_device *device = r->uhci->device[1];

    r->uhci->device[1] = NULL;
    usb_out(r, 0, CMD_HCRESET);
    assert_int_equal(usb_in(r, 0x12), PORT_ONE);
    usb_out(r, 0x12, PORT_PE | PORT_PR | PORT_CSC);
    usb_out(r, 0x12, PORT_PE);
    assert_int_equal(usb_in(r, 0x12), PORT_ONE); /* nothing to enable */
    r->uhci->device[1] = device;
    assert_int_equal(uhci_attach(r->uhci, 1, device), -EBUSY);
    assert_int_equal(uhci_attach(r->uhci, 2, device), -EBUSY);
}

static void test_controller_reset(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_true(input_wants_abs(r->input));
    usb_out(r, 0, CMD_HCRESET);
    assert_int_equal(usb_in(r, 0), 0); /* done at once */
    assert_int_equal(usb_in(r, 2), STS_HALTED);
    assert_int_equal(usb_in(r, 4), 0);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_CCS | PORT_CSC);
    assert_false(input_wants_abs(r->input)); /* nobody drives it any more */
    assert_false(timer_armed(&r->uhci->timer));
}

static void test_global_reset_lasts(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_out(r, 0, CMD_GRESET);
    assert_int_equal(usb_in(r, 0), CMD_GRESET);
    assert_false(input_wants_abs(r->input));
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_CCS | PORT_CSC);
    usb_out(r, 0, 0);
    assert_int_equal(usb_in(r, 0), 0);
}

static void test_interrupt_causes(void **state)
{
    struct usb_rig *r = *state;
    struct uhci_state *s = r->uhci->s;
    static const struct {
        uint16_t sts, cause, intr;
    } rows[] = {
        {STS_INT, CAUSE_IOC, INTR_IOC},
        {STS_INT, CAUSE_SHORT, INTR_SHORT},
        {STS_ERROR, 0, INTR_ERROR},
        {STS_RD, 0, INTR_RESUME},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        s->sts = STS_HALTED | rows[i].sts;
        s->cause = (uint8_t)rows[i].cause;
        usb_out(r, 4, INTR_BITS & ~rows[i].intr);
        assert_false(usb_irq(r));
        usb_out(r, 4, rows[i].intr);
        assert_true(usb_irq(r));
        usb_out(r, 2, rows[i].sts);
        assert_false(usb_irq(r));
        assert_int_equal(s->cause, 0);
    }
    /* These two have no enable bit. */
    usb_out(r, 4, 0);
    for (unsigned bit = STS_HSE; bit <= STS_HCPE; bit <<= 1) {
        s->sts = (uint16_t)(STS_HALTED | bit);
        usb_out(r, 4, 0);
        assert_true(usb_irq(r));
        usb_out(r, 2, bit);
        assert_false(usb_irq(r));
    }
}

static void test_port_suspend_and_resume(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_out(r, 0x10, PORT_PE | PORT_SUSPEND);
    /* Asleep it answers nothing. */
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x100, 0, 8, data), -1);
    usb_out(r, 0x10, PORT_PE | PORT_SUSPEND | PORT_RD);
    assert_int_equal(usb_in(r, 0x10) & PORT_RD, PORT_RD);
    usb_out(r, 0x10, PORT_PE);
    assert_int_equal(usb_in(r, 0x10), PORT_ONE | PORT_PE | PORT_CCS);
    usb_out(r, 2, 0x1f);
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x100, 0, 8, data), 8);
}

static void test_remote_wakeup(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x00, 3, 1, 0, 0, NULL), 0); /* SET_FEATURE */
    usb_out(r, 2, 0x1f);
    usb_out(r, 0x10, PORT_PE | PORT_SUSPEND);
    usb_out(r, 0, CMD_CF);
    usb_out(r, 0, CMD_CF | CMD_EGSM);
    usb_out(r, 4, INTR_RESUME);
    assert_int_equal(usb_wakes(r, 10000), 0); /* asleep, nothing wakes this process */
    assert_false(usb_irq(r));
    input_abs(r->input, 100, 200, 0, 0);
    assert_true(usb_irq(r));
    assert_int_equal(usb_in(r, 2) & STS_RD, STS_RD);
    assert_int_equal(usb_in(r, 0), CMD_CF | CMD_EGSM | CMD_FGR);
    assert_int_equal(usb_in(r, 0x10) & PORT_RD, PORT_RD);
    usb_out(r, 2, STS_RD);
    assert_false(usb_irq(r));
}

/* Events that nobody has fetched before the port was suspended do not stand in the way. */
static void test_remote_wakeup_with_data_that_waits(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    assert_int_equal(usb_control(r, 5, 0x00, 3, 1, 0, 0, NULL), 0);
    input_abs(r->input, 100, 200, 0, 0);
    machine_advance(&r->m, 100 * MS);
    usb_out(r, 0x10, PORT_PE | PORT_SUSPEND);
    usb_out(r, 2, 0x1f);
    input_abs(r->input, 101, 200, 0, 0);
    assert_int_equal(usb_in(r, 0x10) & PORT_RD, PORT_RD);
    assert_true(usb_irq(r));
}

static void test_no_wakeup_unless_enabled(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_out(r, 0x10, PORT_PE | PORT_SUSPEND);
    input_abs(r->input, 100, 200, 0, 0);
    assert_int_equal(usb_in(r, 0x10) & PORT_RD, 0);
    assert_int_equal(usb_in(r, 2) & STS_RD, 0);
}

static void test_without_bus_mastering_nothing_is_fetched(void **state)
{
    struct usb_rig *r = *state;

    pci_config_write(r->m.env.pci, USB_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
    usb_run(r);
    usb_out(r, 0x10, PORT_PE);
    assert_int_equal(usb_wakes(r, 1000), 0);
    usb_td(r, USB_INT_TD, LINK_T, TD_IOC, usb_token(PID_IN, 5, 1, 8), USB_INT_BUF);
    usb_poke(r, USB_QH_INT + 4, USB_INT_TD);
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_in(r, 2), 0);
    pci_config_write(r->m.env.pci, USB_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    machine_advance(&r->m, 2 * MS);
    assert_int_equal(usb_in(r, 2), STS_INT);
}

static void test_save_in_the_middle(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];
    uint16_t frame;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    frame = usb_in(r, 6);
    input_abs(r->input, 0x1111, 0x2222, 0, INPUT_BUTTON_LEFT);
    assert_null(machine_save_load(&r->m));
    assert_int_equal(usb_in(r, 6), frame);
    assert_true(input_wants_abs(r->input)); /* still configured */
    assert_int_equal(usb_report(r, 20, report), 6);
    assert_int_equal(report[0], 1);
    assert_int_equal(report[1] | report[2] << 8, 0x1111);
    assert_int_equal(report[3] | report[4] << 8, 0x2222);
    assert_true(usb_irq(r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USB(test_tables_are_sound),
        USB(test_hostile_states_are_refused),
        USB(test_identity),
        USB(test_reset_values),
        USB(test_what_can_be_written),
        USB(test_frame_number_is_time),
        USB(test_port_reset_and_enable),
        USB(test_empty_port),
        USB(test_controller_reset),
        USB(test_global_reset_lasts),
        USB(test_interrupt_causes),
        USB(test_port_suspend_and_resume),
        USB(test_remote_wakeup),
        USB(test_remote_wakeup_with_data_that_waits),
        USB(test_no_wakeup_unless_enabled),
        USB(test_without_bus_mastering_nothing_is_fetched),
        USB(test_save_in_the_middle),
    };

    return cmocka_run_group_tests_name("uhci_regs", tests, NULL, NULL);
}
