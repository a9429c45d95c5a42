/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the host controller; private to hw/usb/. */
#ifndef HW_USB_UHCI_INTERNAL_H
#define HW_USB_UHCI_INTERNAL_H

#include "hw/pci/pci.h"
#include "hw/usb/uhci.h"

/* USBCMD */
enum {
    CMD_RS = 1 << 0,
    CMD_HCRESET = 1 << 1,
    CMD_GRESET = 1 << 2,
    CMD_EGSM = 1 << 3,
    CMD_FGR = 1 << 4,
    CMD_SWDBG = 1 << 5,
    CMD_CF = 1 << 6,
    CMD_MAXP = 1 << 7,
    CMD_BITS = 0xff,
};

/* USBSTS */
enum {
    STS_INT = 1 << 0,   /* interrupt on complete, or short packet */
    STS_ERROR = 1 << 1, /* a transaction ended in an error */
    STS_RD = 1 << 2,    /* resume detect */
    STS_HSE = 1 << 3,   /* host system error */
    STS_HCPE = 1 << 4,  /* host controller process error */
    STS_HALTED = 1 << 5,
    STS_CLEARABLE = 0x3f,
};

/* USBINTR */
enum { INTR_ERROR = 1, INTR_RESUME = 2, INTR_IOC = 4, INTR_SHORT = 8, INTR_BITS = 0x0f };

/* Which of the two causes STS_INT has. */
enum { CAUSE_IOC = 1, CAUSE_SHORT = 2 };

/* PORTSC */
enum {
    PORT_CCS = 1 << 0,
    PORT_CSC = 1 << 1,
    PORT_PE = 1 << 2,
    PORT_PEC = 1 << 3,
    PORT_RD = 1 << 6,
    PORT_ONE = 1 << 7, /* always 1: how drivers count ports */
    PORT_PR = 1 << 9,
    PORT_SUSPEND = 1 << 12,
    PORT_CLEARABLE = PORT_CSC | PORT_PEC,
    PORT_WRITABLE = PORT_PE | PORT_RD | PORT_PR | PORT_SUSPEND,
    PORT_BITS = PORT_CCS | PORT_ONE | PORT_CLEARABLE | PORT_WRITABLE,
};

#define FRAME_LIST   1024u
#define FRNUM_MASK   0x7ffu
#define FRAME_NS     1000000u
#define SOFMOD_RESET 64

struct uhci_state {
    uint16_t cmd, sts, intr;
    uint16_t frnum; /* while halted; the number of frame 0 while running */
    uint32_t flbase;
    uint8_t sofmod;
    uint8_t cause;
    uint16_t portsc[UHCI_PORTS];
    uint64_t started_at;  /* guest time of frame 0 */
    uint64_t frames_done; /* frames whose list entries have been looked at */
};

struct uhci {
    struct uhci_state *s;
    struct pci_function fn;
    struct guestmem *mem;
    struct loop *loop;
    struct usb_device *device[UHCI_PORTS];
    struct timer timer;
    unsigned interval;    /* frames to the next look without a reason */
    bool new_data;        /* that no look has tried to deliver yet */
    uint64_t next_report; /* guest time before which no frame is done early */
};

/* What a look at the schedule has found. */
struct uhci_look {
    bool busy;     /* a transfer goes on that may go on further soon */
    bool reported; /* an interrupt endpoint has given data */
    bool cut;      /* the budget is used up; more is due */
};

/* ---- uhci.c --------------------------------------------------------------------------------- */

/* Interrupt level as a function of the state. */
bool uhci_irq_level(const struct uhci_state *s);
void uhci_update_irq(struct uhci *u);
/* Stops after a fatal error: STS_HSE or STS_HCPE. */
void uhci_fatal(struct uhci *u, uint16_t status);
/* The frame that time has come to, counted from frame 0. */
uint64_t uhci_frame(const struct uhci *u);

/* ---- uhci_ports.c --------------------------------------------------------------------------- */

/* Power-on state: disabled, and a device that is there has just been found. */
void uhci_ports_reset(struct uhci *u);
/* After a load: whether something is plugged in is for this machine to say. */
void uhci_ports_loaded(struct uhci *u);
void uhci_port_write(struct uhci *u, unsigned port, uint16_t value);
/* The device with this address on an enabled port, or NULL. */
struct usb_device *uhci_find_device(struct uhci *u, uint8_t address);
/* Guest time from which on some device on an enabled port has data; 0: now. */
uint64_t uhci_ready_at(const struct uhci *u);
/* A device on a port that sleeps has something to say: resume signalling, if it may. Returns
 * whether the port sleeps. */
bool uhci_port_wake(struct uhci *u, const struct usb_device *device);

/* ---- uhci_schedule.c ------------------------------------------------------------------------ */

/*
 * Does the frames that are due, and, when `early`, as many of the next ones as it takes until no
 * device has anything to say. Bounded.
 */
struct uhci_look uhci_run_schedule(struct uhci *u, bool early);

#endif
