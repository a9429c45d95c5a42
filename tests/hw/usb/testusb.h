/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with a UHCI function, a tablet in port 1 and a keyboard in port 2, and a small driver
 * that keeps its schedule in guest memory.
 */
#ifndef TESTS_HW_USB_TESTUSB_H
#define TESTS_HW_USB_TESTUSB_H

#include "hw/usb/hid_internal.h"
#include "hw/usb/uhci_internal.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

#define USB_DEVFN PCI_DEVFN(1, 2)
#define USB_IO    0xc0c0u

/* Where the driver keeps things. */
#define USB_LIST    0x100000u /* frame list */
#define USB_QH_INT  0x101000u /* each frame: interrupt queue, then control queue */
#define USB_QH_CTL  0x101020u
#define USB_TDS     0x102000u /* 32 bytes each */
#define USB_INT_TD  0x104000u
#define USB_BUFFER  0x110000u
#define USB_INT_BUF 0x120000u

enum { LINK_T = 1, LINK_Q = 2, LINK_VF = 4 };
enum {
    TD_TIMEOUT = 1 << 18,
    TD_NAK = 1 << 19,
    TD_BABBLE = 1 << 20,
    TD_STALLED = 1 << 22,
    TD_ACTIVE = 1 << 23,
    TD_IOC = 1 << 24,
    TD_ISO = 1 << 25,
    TD_CERR3 = 3 << 27,
    TD_SPD = 1 << 29,
};
enum { PID_IN = 0x69, PID_OUT = 0xe1, PID_SETUP = 0x2d };

#define MS 1000000u

struct usb_rig {
    struct machine m;
    struct input *input;
    struct uhci *uhci;
    struct hid *hid[UHCI_PORTS];
    unsigned led_calls;
    uint32_t leds;
    struct input_led_watch watch;
};

int usb_setup(void **state);
int usb_teardown(void **state);
#define USB(name) cmocka_unit_test_setup_teardown(name, usb_setup, usb_teardown)

static inline uint16_t usb_in(struct usb_rig *r, unsigned reg)
{
    return (uint16_t)machine_in(&r->m, (uint16_t)(USB_IO + reg), 2);
}

static inline void usb_out(struct usb_rig *r, unsigned reg, unsigned value)
{
    machine_out(&r->m, (uint16_t)(USB_IO + reg), 2, value & 0xffff);
}

uint32_t usb_peek(struct usb_rig *r, uint32_t address);
void usb_poke(struct usb_rig *r, uint32_t address, uint32_t value);

/* What a TD's token says. */
uint32_t usb_token(unsigned pid, unsigned address, unsigned endpoint, unsigned length);
void usb_td(struct usb_rig *r, uint32_t at, uint32_t link, uint32_t status, uint32_t token,
            uint32_t buffer);
void usb_qh(struct usb_rig *r, uint32_t at, uint32_t link, uint32_t element);

/* Frame list, empty queues, interrupts on, running. */
void usb_run(struct usb_rig *r);
/* Resets and enables a port (0 or 1), as drivers do. */
void usb_enable_port(struct usb_rig *r, unsigned port);
/*
 * A control transfer to its end. `data` is sent or filled in by its direction. The bytes of the
 * data stage, or -1 after a stall or time-out, or -2 when nothing happens for a second.
 */
int usb_control(struct usb_rig *r, unsigned address, unsigned type, unsigned request,
                unsigned value, unsigned index, unsigned length, void *data);
/* Reset, address, configuration. */
void usb_enumerate(struct usb_rig *r, unsigned port, unsigned address);
/* Puts a TD for a report into the interrupt queue. */
void usb_ask(struct usb_rig *r, unsigned address, uint32_t status);
uint32_t usb_int_status(struct usb_rig *r);
/* Whether the report is there within so many ms; its bytes from USB_INT_BUF. */
int usb_report(struct usb_rig *r, unsigned ms, uint8_t report[8]);
/* Time passes; returns how often the controller's timer has woken the process. */
unsigned usb_wakes(struct usb_rig *r, unsigned ms);

static inline bool usb_irq(struct usb_rig *r)
{
    bool level = r->m.intx[1][3];

    assert_int_equal(level, uhci_irq_level(r->uhci->s));
    return level;
}

#endif
