/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schedule: queues, transfers, errors, loops, and how often the process wakes up for it. */
#include "tests/hw/usb/testusb.h"

#include <string.h>

static void test_completed_td(void **state)
{
    struct usb_rig *r = *state;
    uint8_t report[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, TD_SPD);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_NAK), TD_ACTIVE | TD_NAK);
    assert_false(usb_irq(r));
    input_abs(r->input, 0x7fff, 0, 0, INPUT_BUTTON_RIGHT);
    assert_int_equal(usb_report(r, 20, report), 6);
    /* T-USB-1: NAK does not stay. */
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_NAK | TD_STALLED | 0x7ff), 5);
    assert_true(usb_irq(r));
    /* A short packet: the queue has stopped at it. */
    assert_int_equal(usb_peek(r, USB_QH_INT + 4), USB_INT_TD);
    assert_int_equal(r->uhci->s->cause, CAUSE_IOC | CAUSE_SHORT);
    /* No byte more than the packet's has been written. */
    assert_int_equal(r->m.ram[USB_INT_BUF + 6], MACHINE_POISON);
}

static void test_queue_advances(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    input_abs(r->input, 1, 2, 0, 0);
    machine_advance(&r->m, 20 * MS);
    /* Without SPD the short packet is a usual end. */
    assert_int_equal(usb_peek(r, USB_QH_INT + 4), LINK_T);
    assert_int_equal(r->uhci->s->cause, CAUSE_IOC);
}

static void test_breadth_first(void **state)
{
    struct usb_rig *r = *state;
    uint32_t td = USB_TDS;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    /* Two NAKed TDs would tell nothing: SETUP, and the status stage behind it without Vf. */
    memcpy(r->m.ram + USB_BUFFER, (const uint8_t[]){0, 9, 1, 0, 0, 0, 0, 0}, 8);
    usb_td(r, td, td + 32, TD_ACTIVE | TD_CERR3, usb_token(PID_SETUP, 5, 0, 8), USB_BUFFER);
    usb_td(r, td + 32, LINK_T, TD_ACTIVE | TD_CERR3, usb_token(PID_IN, 5, 0, 0), 0);
    usb_poke(r, USB_QH_CTL + 4, td);
    usb_in(r, 6);
    machine_advance(&r->m, MS); /* at least one frame, at most two */
    usb_in(r, 6);
    assert_int_equal(usb_peek(r, td + 4) & TD_ACTIVE, 0);
    machine_advance(&r->m, 4 * MS);
    assert_int_equal(usb_peek(r, USB_QH_CTL + 4), LINK_T);
}

static void test_nobody_answers(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 99, 0); /* no device has this address */
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_STALLED | TD_TIMEOUT | TD_CERR3),
                     TD_STALLED | TD_TIMEOUT);
    assert_int_equal(usb_in(r, 2) & (STS_ERROR | STS_INT), STS_ERROR | STS_INT);
    assert_int_equal(usb_peek(r, USB_QH_INT + 4), USB_INT_TD);
}

static void test_stall_of_an_endpoint(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_poke(r, USB_INT_TD + 8, usb_token(PID_IN, 5, 3, 8)); /* there is no endpoint 3 */
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_STALLED | TD_TIMEOUT), TD_STALLED);
    assert_int_equal(usb_in(r, 2) & STS_ERROR, STS_ERROR);
}

static void test_babble(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_poke(r, USB_INT_TD + 8, usb_token(PID_IN, 5, 1, 4));
    input_abs(r->input, 1, 2, 0, 0);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_STALLED | TD_BABBLE),
                     TD_STALLED | TD_BABBLE);
    assert_int_equal(r->m.ram[USB_INT_BUF], MACHINE_POISON);
}

static void test_isochronous_is_over_after_one_frame(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 99, TD_ISO);
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_STALLED | TD_TIMEOUT), TD_TIMEOUT);
}

static void test_interrupt_of_an_inactive_td(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_in(r, 6);
    usb_td(r, USB_INT_TD, LINK_T, TD_IOC, 0, 0); /* how Linux waits for the end of a frame */
    usb_poke(r, USB_QH_INT + 4, USB_INT_TD);
    machine_advance(&r->m, 1100ull * MS);
    assert_true(usb_irq(r));
}

static void test_consistency_errors(void **state)
{
    struct usb_rig *r = *state;
    static const uint32_t tokens[] = {
        0x00000000, /* no such PID */
        0x000000ff,
        0x500u << 21 | PID_IN, /* 1281 bytes */
        0x7feu << 21 | PID_IN,
    };

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        usb_run(r);
        usb_td(r, USB_INT_TD, LINK_T, TD_ACTIVE, tokens[i], USB_INT_BUF);
        usb_poke(r, USB_QH_INT + 4, USB_INT_TD);
        machine_advance(&r->m, 1000ull * MS);
        assert_int_equal(usb_in(r, 2), STS_HALTED | STS_HCPE);
        assert_int_equal(usb_in(r, 0) & CMD_RS, 0);
        assert_true(usb_irq(r));
        usb_out(r, 2, STS_HCPE);
    }
}

static void test_dma_outside_of_memory(void **state)
{
    struct usb_rig *r = *state;

    r->m.hole_gfn = 0x3000000 >> 12;
    r->m.hole_frames = 1;
    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_poke(r, USB_INT_TD + 12, 0x3000000);
    input_abs(r->input, 1, 2, 0, 0);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(usb_in(r, 2), STS_HALTED | STS_HSE);
    usb_out(r, 2, STS_HSE);
    machine_out(&r->m, USB_IO + 8, 4, 0xfffff000); /* a frame list where nothing is */
    usb_out(r, 0, CMD_RS);
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_in(r, 2), STS_HALTED | STS_HSE);
}

/* ---- hostile lists -------------------------------------------------------------------------- */

/* security.md: CVE-2020-25624, CVE-2020-25625, CVE-2017-9330, CVE-2017-6505, CVE-2015-8558,
 * CVE-2017-5973. The work is bounded: these tests would never end otherwise. */
static void test_cve_2015_8558_td_that_links_to_itself(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_td(r, USB_INT_TD, USB_INT_TD | LINK_VF, 0, usb_token(PID_IN, 5, 1, 8), 0);
    for (unsigned i = 0; i < FRAME_LIST; i++)
        usb_poke(r, USB_LIST + 4 * i, USB_INT_TD);
    machine_advance(&r->m, 5000ull * MS);
    assert_int_equal(usb_in(r, 2), 0); /* it runs on */
}

static void test_cve_2017_9330_qh_that_links_to_itself(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_qh(r, USB_QH_INT, USB_QH_INT | LINK_Q, USB_QH_INT | LINK_Q);
    machine_advance(&r->m, 5000ull * MS);
    assert_int_equal(usb_in(r, 2), 0);
}

static void test_cve_2017_6505_transfers_that_go_round(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    /* A TD that is active again each time: its status lies in the buffer of a SETUP ring. */
    for (unsigned i = 0; i < 64; i++)
        usb_td(r, USB_TDS + 32 * i, (USB_TDS + 32 * ((i + 1) % 64)) | LINK_VF, TD_ACTIVE,
               usb_token(PID_IN, 5, 1, 8), USB_INT_BUF);
    usb_poke(r, USB_QH_INT + 4, USB_TDS);
    for (unsigned i = 0; i < 100; i++) {
        input_abs(r->input, (uint16_t)i, 7, 0, i & 1);
        machine_advance(&r->m, MS);
    }
    assert_int_equal(usb_in(r, 2) & STS_HALTED, 0);
}

static void test_cve_2020_25625_long_list_of_queues(void **state)
{
    struct usb_rig *r = *state;
    const unsigned many = 5000;

    usb_run(r);
    for (unsigned i = 0; i < many; i++)
        usb_qh(r, 0x200000 + 16 * i, (0x200000 + 16 * (i + 1)) | LINK_Q, LINK_T);
    usb_poke(r, USB_QH_INT, 0x200000 | LINK_Q);
    usb_qh(r, 0x200000 + 16 * many, LINK_T, USB_INT_TD);
    usb_td(r, USB_INT_TD, LINK_T, TD_IOC, 0, 0);
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_in(r, 2), 0); /* the end of it is never reached */
}

/* T-USB-2: a loop of queues is how Linux uses the rest of a frame. */
static void test_loop_of_queues_is_no_error(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[18];

    usb_run(r);
    usb_poke(r, USB_QH_CTL, USB_QH_CTL | LINK_Q);
    usb_enable_port(r, 0);
    assert_int_equal(usb_control(r, 0, 0x80, 6, 0x100, 0, 18, data), 18);
    assert_int_equal(usb_in(r, 2) & (STS_HALTED | STS_HCPE | STS_HSE | STS_ERROR), 0);
}

/* security.md: VMware UHCI, CVE-2019-5518, CVE-2019-5519, CVE-2021-22041, CVE-2024-22253. */
static void test_cve_2019_5519_only_status_and_data_are_written(void **state)
{
    struct usb_rig *r = *state;
    uint8_t before[32], report[8];

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, TD_SPD);
    memset(r->m.ram + USB_INT_TD + 16, 0x5a, 16);
    memcpy(before, r->m.ram + USB_INT_TD, 32);
    input_abs(r->input, 3, 4, 0, 0);
    assert_int_equal(usb_report(r, 20, report), 6);
    assert_memory_equal(before, r->m.ram + USB_INT_TD, 4);
    assert_memory_equal(before + 8, r->m.ram + USB_INT_TD + 8, 24);
}

static void test_cve_2019_5518_long_out_packet(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_td(r, USB_TDS, LINK_T, TD_ACTIVE | TD_CERR3, usb_token(PID_OUT, 5, 0, 1280), USB_BUFFER);
    usb_poke(r, USB_QH_CTL + 4, USB_TDS);
    machine_advance(&r->m, 1000ull * MS);
    assert_int_equal(usb_peek(r, USB_TDS + 4) & (TD_ACTIVE | TD_STALLED), TD_STALLED);
}

static void test_cve_2024_22253_detach_while_it_waits(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    input_abs(r->input, 3, 4, 0, 0);
    usb_out(r, 0x10, PORT_PR); /* the device forgets what it wanted to say */
    usb_out(r, 0x10, 0);
    usb_out(r, 0x10, PORT_PE);
    machine_advance(&r->m, 100 * MS);
    assert_int_equal(r->hid[0]->s->count, 0);
    assert_int_equal(r->m.ram[USB_INT_BUF], MACHINE_POISON);
}

/* ---- idle ----------------------------------------------------------------------------------- */

/* Nothing changes, nobody accesses a register: two looks a second, to find silent changes. */
static void test_idle_tablet_wakes_twice_a_second(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_wakes(r, 2000);
    assert_in_range(usb_wakes(r, 10000), 10, 20);
    assert_int_equal(usb_int_status(r) & (TD_ACTIVE | TD_NAK), TD_ACTIVE | TD_NAK);
}

/* Linux looks at its root hub four times a second: that does what is due. */
static void test_polling_driver_leaves_nothing_for_the_timer(void **state)
{
    struct usb_rig *r = *state;
    unsigned wakes = 0;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_wakes(r, 2000);
    for (unsigned i = 0; i < 40; i++) {
        usb_in(r, 6);
        usb_in(r, 0x10);
        usb_in(r, 0x12);
        wakes += usb_wakes(r, 250);
    }
    assert_int_equal(wakes, 0);
}

static void test_halted_or_suspended_never_wakes(void **state)
{
    struct usb_rig *r = *state;

    assert_int_equal(usb_wakes(r, 10000), 0);
    usb_run(r);
    assert_true(usb_wakes(r, 100) > 0);
    usb_out(r, 0, 0);
    assert_int_equal(usb_wakes(r, 10000), 0);
    usb_out(r, 0, CMD_EGSM);
    assert_int_equal(usb_wakes(r, 10000), 0);
}

/* One event, one wake-up: the next frames are done early, until the report is fetched. */
static void test_event_is_delivered_by_one_wakeup(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    /* The queue stands in one frame of eight only, as drivers do it. */
    for (unsigned i = 0; i < FRAME_LIST; i++)
        usb_poke(r, USB_LIST + 4 * i, i % 8 == 3 ? USB_QH_INT | LINK_Q : USB_QH_CTL | LINK_Q);
    usb_ask(r, 5, 0);
    usb_wakes(r, 3000);
    input_abs(r->input, 3, 4, 0, 0);
    assert_true(timer_armed(&r->uhci->timer));
    loop_turn(r->m.env.loop, 0); /* no time has passed */
    assert_int_equal(usb_int_status(r) & TD_ACTIVE, 0);
    assert_true(usb_irq(r));
    /* And back to sleep: no burst of looks. */
    assert_in_range(usb_wakes(r, 1000), 0, 3);
}

static void test_event_while_the_guest_stands_waits(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_ask(r, 5, 0);
    usb_wakes(r, 3000);
    loop_guest_clock_stop(r->m.env.loop);
    input_abs(r->input, 3, 4, 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        r->m.now += MS;
        loop_turn(r->m.env.loop, 0);
    }
    assert_int_equal(usb_int_status(r) & TD_ACTIVE, TD_ACTIVE); /* guest memory is not touched */
    loop_guest_clock_start(r->m.env.loop);
    loop_turn(r->m.env.loop, 0);
    assert_int_equal(usb_int_status(r) & TD_ACTIVE, 0);
}

/* A control transfer that is queued in silence begins within half a second, and goes on quickly. */
static void test_silent_control_transfer_is_found(void **state)
{
    struct usb_rig *r = *state;
    uint8_t data[18];
    uint64_t begin;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    usb_wakes(r, 5000);
    begin = r->m.now;
    assert_int_equal(usb_control(r, 5, 0x80, 6, 0x100, 0, 18, data), 18);
    assert_true(r->m.now - begin <= 600ull * MS);
    begin = r->m.now;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(usb_control(r, 5, 0x80, 6, 0x100, 0, 18, data), 18);
    assert_true(r->m.now - begin <= 10 * 8ull * MS);
}

/* Every entry of the list has its turn, though frames are done late and together. */
static void test_an_interrupt_in_any_frame_comes(void **state)
{
    struct usb_rig *r = *state;

    usb_run(r);
    usb_wakes(r, 5000);
    usb_td(r, USB_INT_TD, USB_QH_INT | LINK_Q, TD_IOC, 0, 0);
    usb_poke(r, USB_LIST + 4 * 700, USB_INT_TD);
    usb_wakes(r, 1024 + 512);
    assert_true(usb_irq(r));
}

static void test_reports_are_spaced_as_the_driver_polls(void **state)
{
    struct usb_rig *r = *state;
    unsigned reports = 0;

    usb_run(r);
    usb_enumerate(r, 0, 5);
    for (unsigned i = 0; i < FRAME_LIST; i++)
        usb_poke(r, USB_LIST + 4 * i, i % 8 == 3 ? USB_QH_INT | LINK_Q : USB_QH_CTL | LINK_Q);
    usb_ask(r, 5, 0);
    usb_wakes(r, 3000);
    for (unsigned i = 0; i < 400; i++) { /* a mouse of 1000 Hz, for 400 ms */
        input_abs(r->input, (uint16_t)(i * 10), 4, 0, 0);
        usb_wakes(r, 1);
        if (!(usb_int_status(r) & TD_ACTIVE)) {
            reports++;
            usb_ask(r, 5, 0);
        }
    }
    assert_in_range(reports, 40, 110);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USB(test_completed_td),
        USB(test_queue_advances),
        USB(test_breadth_first),
        USB(test_nobody_answers),
        USB(test_stall_of_an_endpoint),
        USB(test_babble),
        USB(test_isochronous_is_over_after_one_frame),
        USB(test_interrupt_of_an_inactive_td),
        USB(test_consistency_errors),
        USB(test_dma_outside_of_memory),
        USB(test_cve_2015_8558_td_that_links_to_itself),
        USB(test_cve_2017_9330_qh_that_links_to_itself),
        USB(test_cve_2017_6505_transfers_that_go_round),
        USB(test_cve_2020_25625_long_list_of_queues),
        USB(test_loop_of_queues_is_no_error),
        USB(test_cve_2019_5519_only_status_and_data_are_written),
        USB(test_cve_2019_5518_long_out_packet),
        USB(test_cve_2024_22253_detach_while_it_waits),
        USB(test_idle_tablet_wakes_twice_a_second),
        USB(test_polling_driver_leaves_nothing_for_the_timer),
        USB(test_halted_or_suspended_never_wakes),
        USB(test_event_is_delivered_by_one_wakeup),
        USB(test_event_while_the_guest_stands_waits),
        USB(test_silent_control_transfer_is_found),
        USB(test_an_interrupt_in_any_frame_comes),
        USB(test_reports_are_spaced_as_the_driver_polls),
    };

    return cmocka_run_group_tests_name("uhci_schedule", tests, NULL, NULL);
}
