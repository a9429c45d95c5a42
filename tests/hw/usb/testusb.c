/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hw/usb/testusb.h"

#include <stdlib.h>
#include <string.h>

static void leds(void *opaque, uint32_t mask)
{
    struct usb_rig *r = opaque;

    r->leds = mask;
    r->led_calls++;
}

int usb_setup(void **state)
{
    static const enum hid_kind kinds[] = {HID_TABLET, HID_KEYBOARD};
    struct usb_rig *r = calloc(1, sizeof(*r));

    machine_init_pci(&r->m);
    assert_int_equal(input_create(&r->input), 0);
    assert_int_equal(uhci_create(&r->uhci, &r->m.env, USB_DEVFN), 0);
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        assert_int_equal(hid_create(&r->hid[i], &r->m.env, r->input, kinds[i], i + 1), 0);
        assert_int_equal(uhci_attach(r->uhci, i, hid_plug(r->hid[i])), 0);
    }
    r->watch = (struct input_led_watch){.leds = leds, .opaque = r};
    input_led_watch_add(r->input, &r->watch);
    machine_start(&r->m);
    pci_config_write(r->m.env.pci, USB_DEVFN, 0x20, 4, USB_IO);
    pci_config_write(r->m.env.pci, USB_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    *state = r;
    return 0;
}

int usb_teardown(void **state)
{
    struct usb_rig *r = *state;

    input_led_watch_remove(r->input, &r->watch);
    machine_fini(&r->m);
    input_destroy(r->input);
    free(r);
    return 0;
}

uint32_t usb_peek(struct usb_rig *r, uint32_t address)
{
    uint32_t value;

    memcpy(&value, r->m.ram + address, sizeof(value));
    return value;
}

void usb_poke(struct usb_rig *r, uint32_t address, uint32_t value)
{
    memcpy(r->m.ram + address, &value, sizeof(value));
}

uint32_t usb_token(unsigned pid, unsigned address, unsigned endpoint, unsigned length)
{
    return ((length - 1) & 0x7ff) << 21 | endpoint << 15 | address << 8 | pid;
}

void usb_td(struct usb_rig *r, uint32_t at, uint32_t link, uint32_t status, uint32_t token,
            uint32_t buffer)
{
    usb_poke(r, at, link);
    usb_poke(r, at + 4, status);
    usb_poke(r, at + 8, token);
    usb_poke(r, at + 12, buffer);
}

void usb_qh(struct usb_rig *r, uint32_t at, uint32_t link, uint32_t element)
{
    usb_poke(r, at, link);
    usb_poke(r, at + 4, element);
}

void usb_run(struct usb_rig *r)
{
    for (unsigned i = 0; i < FRAME_LIST; i++)
        usb_poke(r, USB_LIST + 4 * i, USB_QH_INT | LINK_Q);
    usb_qh(r, USB_QH_INT, USB_QH_CTL | LINK_Q, LINK_T);
    usb_qh(r, USB_QH_CTL, LINK_T, LINK_T);
    machine_out(&r->m, USB_IO + 8, 4, USB_LIST);
    usb_out(r, 4, INTR_BITS);
    usb_out(r, 0, CMD_RS | CMD_CF | CMD_MAXP);
}

void usb_enable_port(struct usb_rig *r, unsigned port)
{
    unsigned reg = 0x10 + 2 * port;

    usb_out(r, reg, PORT_PR);
    machine_advance(&r->m, 50 * MS);
    usb_out(r, reg, 0);
    usb_out(r, reg, PORT_PE | PORT_CSC | PORT_PEC);
    assert_int_equal(usb_in(r, reg), PORT_ONE | PORT_PE | PORT_CCS);
}

static uint32_t td_at(unsigned n)
{
    return USB_TDS + 32 * n;
}

int usb_control(struct usb_rig *r, unsigned address, unsigned type, unsigned request,
                unsigned value, unsigned index, unsigned length, void *data)
{
    const uint8_t setup[8] = {(uint8_t)type,         (uint8_t)request,      (uint8_t)value,
                              (uint8_t)(value >> 8), (uint8_t)index,        (uint8_t)(index >> 8),
                              (uint8_t)length,       (uint8_t)(length >> 8)};
    bool in = type & 0x80;
    unsigned n = 0, done = 0, packets = (length + 7) / 8;
    uint32_t bits = TD_ACTIVE | TD_CERR3;

    memcpy(r->m.ram + USB_BUFFER, setup, 8);
    if (!in && length)
        memcpy(r->m.ram + USB_BUFFER + 8, data, length);
    usb_td(r, td_at(n), td_at(n + 1) | LINK_VF, bits, usb_token(PID_SETUP, address, 0, 8),
           USB_BUFFER);
    n++;
    for (unsigned i = 0; i < packets; i++, n++) {
        unsigned part = length - 8 * i < 8 ? length - 8 * i : 8;

        usb_td(r, td_at(n), td_at(n + 1) | LINK_VF, bits | (in ? TD_SPD : 0),
               usb_token(in ? PID_IN : PID_OUT, address, 0, part), USB_BUFFER + 8 + 8 * i);
    }
    usb_td(r, td_at(n), LINK_T, bits | TD_IOC,
           usb_token(in && length ? PID_OUT : PID_IN, address, 0, 0), 0);
    usb_poke(r, USB_QH_CTL + 4, td_at(0));
    for (unsigned ms = 0; ms < 1000; ms++) {
        uint32_t element = usb_peek(r, USB_QH_CTL + 4), status;

        if (element & LINK_T)
            break;
        status = usb_peek(r, (element & ~15u) + 4);
        if (status & TD_STALLED) {
            usb_poke(r, USB_QH_CTL + 4, LINK_T);
            return -1;
        }
        /* A short packet has stopped the queue: on to the status stage. */
        if (!(status & TD_ACTIVE))
            usb_poke(r, USB_QH_CTL + 4, td_at(n));
        machine_advance(&r->m, MS);
    }
    if (!(usb_peek(r, USB_QH_CTL + 4) & LINK_T))
        return -2;
    for (unsigned i = 0; i < packets; i++) {
        uint32_t status = usb_peek(r, td_at(1 + i) + 4);

        if (status & TD_ACTIVE)
            break;
        done += (status + 1) & 0x7ff;
    }
    if (in && data)
        memcpy(data, r->m.ram + USB_BUFFER + 8, done);
    return (int)done;
}

void usb_enumerate(struct usb_rig *r, unsigned port, unsigned address)
{
    usb_enable_port(r, port);
    assert_int_equal(usb_control(r, 0, 0x00, 5, address, 0, 0, NULL), 0);
    assert_int_equal(usb_control(r, address, 0x00, 9, 1, 0, 0, NULL), 0);
    usb_out(r, 2, 0x1f);
}

void usb_ask(struct usb_rig *r, unsigned address, uint32_t status)
{
    usb_td(r, USB_INT_TD, LINK_T, status | TD_ACTIVE | TD_CERR3 | TD_IOC,
           usb_token(PID_IN, address, 1, 8), USB_INT_BUF);
    memset(r->m.ram + USB_INT_BUF, MACHINE_POISON, 16);
    usb_poke(r, USB_QH_INT + 4, USB_INT_TD);
}

uint32_t usb_int_status(struct usb_rig *r)
{
    return usb_peek(r, USB_INT_TD + 4);
}

int usb_report(struct usb_rig *r, unsigned ms, uint8_t report[8])
{
    for (unsigned i = 0; i < ms && (usb_int_status(r) & TD_ACTIVE); i++)
        machine_advance(&r->m, MS);
    if (usb_int_status(r) & TD_ACTIVE)
        return -1;
    memcpy(report, r->m.ram + USB_INT_BUF, 8);
    return (int)((usb_int_status(r) + 1) & 0x7ff);
}

unsigned usb_wakes(struct usb_rig *r, unsigned ms)
{
    uint64_t end = r->m.now + (uint64_t)ms * MS;
    unsigned n = 0;

    while (r->uhci->timer.deadline <= end) {
        if (r->uhci->timer.deadline > r->m.now)
            r->m.now = r->uhci->timer.deadline;
        loop_turn(r->m.env.loop, 0);
        n++;
    }
    r->m.now = end;
    return n;
}
