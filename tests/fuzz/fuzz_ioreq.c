/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests with every field free, and ring pages with every byte free. Accesses reach the device
 * only inside its region and in widths that it declares; guest memory only where there is some;
 * the ring's drain ends, and its indexes do what Xen expects.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/hvm/ioreq.h>

#include "dm/ioreq_exec.h"
#include "dm/ioreq_ring.h"
#include "tests/fuzz/machine_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGION_BYTES 0x40

struct device {
    struct io_region region;
    uint64_t accesses;
};

static uint64_t dev_read(void *opaque, uint64_t offset, unsigned size)
{
    struct device *d = opaque;

    d->accesses++;
    fuzz_require(size == 1 || size == 4, "a declared width");
    fuzz_require(offset <= REGION_BYTES - size, "inside the region");
    return offset * 0x01010101;
}

static void dev_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    dev_read(opaque, offset, size);
    fuzz_require(value >> size * 8 == 0, "no junk above the width");
}

static size_t dev_read_many(void *opaque, uint64_t offset, unsigned size, void *buf, size_t count)
{
    struct device *d = opaque;

    fuzz_require(size == 1 || size == 4, "a declared width");
    fuzz_require(count > 0 && offset <= REGION_BYTES - size, "inside the region");
    fuzz_require(d->region.kind == IO_PORT || count * size <= REGION_BYTES - offset,
                 "a run inside the region");
    memset(buf, 0x11, count * size);
    return count;
}

static const struct io_ops ops = {dev_read, dev_write, 1 | 4, dev_read_many, NULL};

static uint32_t pci_read(void *opaque, uint8_t devfn, unsigned reg, unsigned size)
{
    fuzz_require(size == 1 || size == 2 || size == 4, "a width of configuration space");
    return reg;
}

static void pci_write(void *opaque, uint8_t devfn, unsigned reg, unsigned size, uint32_t value)
{
    fuzz_require(size == 4 || value >> size * 8 == 0, "no junk above the width");
}

static struct machine m;
static struct device port, mmio, window;
static struct request_target target;
static struct buffered_iopage *page;

static void set_up(void)
{
    machine_init(&m);
    m.hole_gfn = 0x40;
    m.hole_frames = 3;
    port.region = (struct io_region){"port", IO_PORT, 0x3c0, REGION_BYTES, &ops, &port, false};
    mmio.region =
        (struct io_region){"mmio", IO_MEMORY, 0xf0000000, REGION_BYTES, &ops, &mmio, false};
    window.region =
        (struct io_region){"window", IO_MEMORY, 0xa0000, REGION_BYTES, &ops, &window, false};
    iospace_add(m.env.io, &port.region);
    iospace_add(m.env.io, &mmio.region);
    iospace_add(m.env.io, &window.region);
    machine_start(&m);
    target = (struct request_target){
        .io = m.env.io, .mem = m.env.mem, .pci_read = pci_read, .pci_write = pci_write};
    page = aligned_alloc(4096, 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t base[] = {0, 0x3c0, 0xf0000000, 0xa0000, 0x40000, 0xffff, UINT64_MAX - 8};
    struct fuzz_input in = {data, size};
    uint64_t accesses;

    if (!page)
        set_up();
    for (int n = 0; n < 16 && in.left; n++) {
        uint8_t kind = fuzz_u8(&in);
        struct request req = {
            .type = kind & 0x80 ? kind : kind & 3,
            .read = kind & 4,
            .data_is_ptr = kind & 8,
            .down = kind & 16,
            .size = kind & 32 ? fuzz_u8(&in) : 1u << (kind >> 6 & 1) * 2,
            .count = fuzz_u8(&in) % 7 ? fuzz_u8(&in) : fuzz_u32(&in),
            .addr = base[fuzz_u8(&in) % 7] + (int8_t)fuzz_u8(&in),
            .data = base[fuzz_u8(&in) % 7] + fuzz_u32(&in) % 0x20000,
        };

        request_execute(&target, &req);
    }

    memset(page, 0, 4096);
    memcpy(page, in.data, in.left < 4096 ? in.left : 4096);
    accesses = port.accesses + mmio.accesses + window.accesses;
    for (int turns = 0; ioreq_ring_drain(page, &target); turns++)
        fuzz_require(turns < 3, "the drain ends");
    fuzz_require(page->read_pointer == page->write_pointer, "the ring is empty");
    fuzz_require(port.accesses + mmio.accesses + window.accesses - accesses <=
                     8 * IOREQ_BUFFER_SLOT_NUM * 3,
                 "bounded by the ring's length");
    return 0;
}
