/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out one request: from fetched fields to bus accesses. No Xen in here, so that tests and
 * the fuzzer can call it.
 */
#ifndef DM_IOREQ_EXEC_H
#define DM_IOREQ_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "dm/guestmem.h"
#include "dm/iospace.h"

/* The hypervisor's numbers (public/hvm/ioreq.h). */
enum request_type {
    REQUEST_PIO = 0,
    REQUEST_COPY = 1,
    REQUEST_PCI_CONFIG = 2,
    REQUEST_TIMEOFFSET = 7,
    REQUEST_INVALIDATE = 8,
};

/* A request's fields, each fetched once from the shared page. */
struct request {
    uint64_t addr;
    uint64_t data; /* the value, or where in guest memory the values are */
    uint32_t count;
    uint32_t size;
    uint8_t type;
    bool read;
    bool data_is_ptr;
    bool down; /* the direction flag: addr and data name the highest element, which goes first */
};

struct request_counters {
    uint64_t pio, mmio, pci_config, buffered, invalidate, timeoffset;
    uint64_t bad; /* unknown type, impossible size or count: answered as a bus would */
};

/* What a request can reach. */
struct request_target {
    struct iospace *io;
    struct guestmem *mem;
    /* A configuration cycle to bus 0. */
    uint32_t (*pci_read)(void *opaque, uint8_t devfn, unsigned reg, unsigned size);
    void (*pci_write)(void *opaque, uint8_t devfn, unsigned reg, unsigned size, uint32_t value);
    void *pci_opaque;
    /* The guest has set its clock by so many seconds. May be NULL. */
    void (*timeoffset)(void *opaque, int64_t seconds);
    void *timeoffset_opaque;
    struct request_counters counters;
};

/* Elements of one request. Xen tries at most 4096; more is not a request of Xen's. */
#define REQUEST_COUNT_MAX 4096u

/* Executes the request. For a read without data_is_ptr, req->data is the answer afterwards. */
void request_execute(struct request_target *target, struct request *req);

#endif
