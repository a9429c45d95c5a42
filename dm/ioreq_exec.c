/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings (count > 1) go a page at a time through a buffer on the stack: one copy between guest
 * memory and the buffer and one bulk call into the device each.
 */
#include "dm/ioreq_exec.h"

#include <string.h>

#include "dm/log.h"

#define CHUNK_BYTES 4096u

static uint64_t mask_to(unsigned size, uint64_t value)
{
    return size >= 8 ? value : value & ((1ull << size * 8) - 1);
}

static void bad(struct request_target *t, struct request *req)
{
    t->counters.bad++;
    if (req->read && !req->data_is_ptr)
        req->data = UINT64_MAX;
}

/* ---- configuration space -------------------------------------------------------------------- */

struct pci_address {
    bool on_bus_0;
    uint8_t devfn;
    unsigned reg;
};

/* segment << 48 | bus << 40 | device << 35 | function << 32 | register */
static struct pci_address pci_address(uint64_t addr)
{
    return (struct pci_address){addr >> 40 == 0, (uint8_t)(addr >> 32), (unsigned)(addr & 0xfff)};
}

/* ---- one element, whatever the space --------------------------------------------------------- */

static uint64_t read_one(struct request_target *t, const struct request *req, uint64_t addr)
{
    struct pci_address pci;

    switch (req->type) {
    case REQUEST_PIO:
        return io_read(t->io, IO_PORT, addr, req->size);
    case REQUEST_COPY:
        return io_read(t->io, IO_MEMORY, addr, req->size);
    default:
        pci = pci_address(addr);
        if (!pci.on_bus_0 || !t->pci_read)
            return UINT64_MAX;
        return t->pci_read(t->pci_opaque, pci.devfn, pci.reg, req->size);
    }
}

static void write_one(struct request_target *t, const struct request *req, uint64_t addr,
                      uint64_t value)
{
    struct pci_address pci;

    value = mask_to(req->size, value);
    switch (req->type) {
    case REQUEST_PIO:
        io_write(t->io, IO_PORT, addr, req->size, value);
        break;
    case REQUEST_COPY:
        io_write(t->io, IO_MEMORY, addr, req->size, value);
        break;
    default:
        pci = pci_address(addr);
        if (pci.on_bus_0 && t->pci_write)
            t->pci_write(t->pci_opaque, pci.devfn, pci.reg, req->size, (uint32_t)value);
        break;
    }
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Reverses the order of `n` elements: with the direction flag the first one lies highest. */
static void reverse(uint8_t *buf, unsigned size, size_t n)
{
    uint64_t a = 0, b = 0;

    for (size_t i = 0; i < n / 2; i++) {
        uint8_t *low = buf + i * size, *high = buf + (n - 1 - i) * size;

        memcpy(&a, low, size);
        memcpy(&b, high, size);
        memcpy(low, &b, size);
        memcpy(high, &a, size);
    }
}

static void device_to_buffer(struct request_target *t, const struct request *req, uint64_t addr,
                             int step, uint8_t *buf, size_t n)
{
    if (req->type == REQUEST_PCI_CONFIG) {
        for (size_t i = 0; i < n; i++) {
            uint64_t value = read_one(t, req, addr);

            memcpy(buf + i * req->size, &value, req->size);
        }
        return;
    }
    io_read_string(t->io, req->type == REQUEST_PIO ? IO_PORT : IO_MEMORY, addr, req->size, step,
                   buf, n);
}

static void buffer_to_device(struct request_target *t, const struct request *req, uint64_t addr,
                             int step, const uint8_t *buf, size_t n)
{
    if (req->type == REQUEST_PCI_CONFIG) {
        for (size_t i = 0; i < n; i++) {
            uint64_t value = 0;

            memcpy(&value, buf + i * req->size, req->size);
            write_one(t, req, addr, value);
        }
        return;
    }
    io_write_string(t->io, req->type == REQUEST_PIO ? IO_PORT : IO_MEMORY, addr, req->size, step,
                    buf, n);
}

/* rep ins/outs/movs between a device and guest memory, and rep stos (one value for all). */
static void execute_string(struct request_target *t, struct request *req)
{
    const unsigned size = req->size;
    const int ram_step = req->down ? -1 : 1;
    /* A port stays; memory goes with the data. */
    const int step = req->type == REQUEST_COPY ? ram_step : 0;
    uint64_t addr = req->addr, ram = req->data;
    size_t left = req->count;
    /* Filled as far as it is used: clearing it first would cost as much as a sector's data. */
    __attribute__((uninitialized)) uint8_t buf[CHUNK_BYTES];

    while (left) {
        size_t n = left < CHUNK_BYTES / size ? left : CHUNK_BYTES / size;
        uint64_t lowest = req->down ? ram - (uint64_t)(n - 1) * size : ram;

        if (req->read) {
            device_to_buffer(t, req, addr, step, buf, n);
            if (req->data_is_ptr) {
                if (req->down)
                    reverse(buf, size, n);
                guestmem_write(t->mem, lowest, buf, n * size);
            } else {
                req->data = 0;
                memcpy(&req->data, buf + (n - 1) * size, size);
            }
        } else {
            if (req->data_is_ptr) {
                guestmem_read(t->mem, lowest, buf, n * size);
                if (req->down)
                    reverse(buf, size, n);
            } else {
                for (size_t i = 0; i < n; i++)
                    memcpy(buf + i * size, &req->data, size);
            }
            buffer_to_device(t, req, addr, step, buf, n);
        }
        left -= n;
        addr += (uint64_t)((int64_t)step * (int64_t)(n * size));
        ram += (uint64_t)((int64_t)ram_step * (int64_t)(n * size));
    }
}

static void execute_access(struct request_target *t, struct request *req)
{
    unsigned widest = req->type == REQUEST_COPY ? 8 : 4;

    if (req->size == 0 || req->size > widest || (req->size & (req->size - 1)) ||
        req->count > REQUEST_COUNT_MAX) {
        bad(t, req);
        return;
    }
    if (req->count == 1 && !req->data_is_ptr) {
        if (req->read)
            req->data = mask_to(req->size, read_one(t, req, req->addr));
        else
            write_one(t, req, req->addr, req->data);
    } else if (req->count) {
        execute_string(t, req);
    }
}

void request_execute(struct request_target *t, struct request *req)
{
    switch (req->type) {
    case REQUEST_PIO:
        t->counters.pio++;
        execute_access(t, req);
        break;
    case REQUEST_COPY:
        t->counters.mmio++;
        execute_access(t, req);
        break;
    case REQUEST_PCI_CONFIG:
        t->counters.pci_config++;
        execute_access(t, req);
        break;
    case REQUEST_INVALIDATE:
        t->counters.invalidate++;
        guestmem_invalidate(t->mem);
        break;
    case REQUEST_TIMEOFFSET:
        t->counters.timeoffset++;
        if (t->timeoffset)
            t->timeoffset(t->timeoffset_opaque, (int64_t)req->data);
        break;
    default:
        bad(t, req);
        log_guest("request of unknown type %u answered as an empty bus", req->type);
        break;
    }
}
