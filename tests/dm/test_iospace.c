/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/harness/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dm/iospace.h"
#include "dm/irq_router.h"

/* A device of 16 bytes that notes what it is asked. */
struct dut {
    struct io_region region;
    uint8_t byte[16];
    unsigned reads, writes, many;
    unsigned last_size;
    uint64_t last_offset;
};

static uint64_t dut_read(void *opaque, uint64_t offset, unsigned size)
{
    struct dut *d = opaque;
    uint64_t value = 0xdead000000000000; /* junk above the size must not come through */

    assert_true(offset + size <= sizeof(d->byte));
    d->reads++;
    d->last_size = size;
    d->last_offset = offset;
    memcpy(&value, d->byte + offset, size);
    return value;
}

static void dut_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct dut *d = opaque;

    assert_true(offset + size <= sizeof(d->byte));
    assert_true(size == 8 || value >> size * 8 == 0);
    d->writes++;
    d->last_size = size;
    d->last_offset = offset;
    memcpy(d->byte + offset, &value, size);
}

/* Takes at most three elements at a time. */
static size_t dut_read_many(void *opaque, uint64_t offset, unsigned size, void *buf, size_t count)
{
    struct dut *d = opaque;

    d->many++;
    count = count < 3 ? count : 3;
    for (size_t i = 0; i < count; i++)
        memcpy((uint8_t *)buf + i * size,
               d->byte + offset + (d->region.kind == IO_MEMORY ? i * size : 0), size);
    return count;
}

static const struct io_ops byte_ops = {dut_read, dut_write, 1, NULL, NULL};
static const struct io_ops wide_ops = {dut_read, dut_write, 1 | 2 | 4, NULL, NULL};
static const struct io_ops string_ops = {dut_read, dut_write, 1 | 2 | 4, dut_read_many, NULL};

static void dut_init(struct dut *d, enum io_kind kind, uint64_t base, uint64_t length,
                     const struct io_ops *ops)
{
    *d = (struct dut){.region = {"dut", kind, base, length, ops, d, false}};
    for (unsigned i = 0; i < sizeof(d->byte); i++)
        d->byte[i] = (uint8_t)(0x10 + i);
}

static void test_unclaimed_reads_ones(void **unused)
{
    struct iospace *io;

    assert_int_equal(iospace_create(&io, NULL), 0);
    assert_int_equal(io_read(io, IO_PORT, 0x1234, 1), 0xff);
    assert_int_equal(io_read(io, IO_PORT, 0x1234, 4), 0xffffffff);
    assert_true(io_read(io, IO_MEMORY, 0xf0000000, 8) == UINT64_MAX);
    assert_true(io_read(io, IO_PORT, 0x10000, 1) == UINT64_MAX);
    assert_true(io_read(io, IO_PORT, 0x1234, 3) == UINT64_MAX);
    io_write(io, IO_PORT, 0x1234, 1, 0);
    io_write(io, IO_PORT, 0x1234, 0, 0);
    assert_true(iospace_unclaimed(io) >= 6);
    iospace_destroy(io);
}

static void test_widths_are_split(void **unused)
{
    struct iospace *io;
    struct dut d;

    assert_int_equal(iospace_create(&io, NULL), 0);
    dut_init(&d, IO_PORT, 0x3f8, 8, &byte_ops);
    assert_int_equal(iospace_add(io, &d.region), 0);
    assert_int_equal(io_read(io, IO_PORT, 0x3f8, 4), 0x13121110);
    assert_int_equal(d.reads, 4);
    io_write(io, IO_PORT, 0x3fa, 2, 0xbbaa);
    assert_int_equal(d.byte[2], 0xaa);
    assert_int_equal(d.byte[3], 0xbb);
    /* Over the end: the part that is nobody's reads as ones. */
    assert_int_equal(io_read(io, IO_PORT, 0x3ff, 2), 0xff17);
    iospace_destroy(io);
}

static void test_access_over_two_neighbours(void **unused)
{
    struct iospace *io;
    struct dut a, b;

    assert_int_equal(iospace_create(&io, NULL), 0);
    dut_init(&a, IO_MEMORY, 0x1000, 4, &wide_ops);
    dut_init(&b, IO_MEMORY, 0x1004, 8, &wide_ops);
    assert_int_equal(iospace_add(io, &b.region), 0);
    assert_int_equal(iospace_add(io, &a.region), 0);
    assert_true(io_read(io, IO_MEMORY, 0x1002, 8) == 0x1514131211101312ull);
    io_write(io, IO_MEMORY, 0x1003, 2, 0x2211);
    assert_int_equal(a.byte[3], 0x11);
    assert_int_equal(b.byte[0], 0x22);
    iospace_destroy(io);
}

static void test_overlap_and_limits(void **unused)
{
    struct iospace *io;
    struct dut a, b;

    assert_int_equal(iospace_create(&io, NULL), 0);
    dut_init(&a, IO_PORT, 0x100, 8, &byte_ops);
    assert_int_equal(iospace_add(io, &a.region), 0);
    assert_int_equal(iospace_add(io, &a.region), -EINVAL);
    dut_init(&b, IO_PORT, 0x107, 1, &byte_ops);
    assert_int_equal(iospace_add(io, &b.region), -EEXIST);
    dut_init(&b, IO_PORT, 0xffff, 2, &byte_ops);
    assert_int_equal(iospace_add(io, &b.region), -ERANGE);
    dut_init(&b, IO_MEMORY, UINT64_MAX - 3, 8, &byte_ops);
    assert_int_equal(iospace_add(io, &b.region), -ERANGE);
    iospace_remove(io, &a.region);
    iospace_remove(io, &a.region);
    assert_int_equal(io_read(io, IO_PORT, 0x100, 1), 0xff);
    dut_init(&b, IO_PORT, 0x107, 1, &byte_ops);
    assert_int_equal(iospace_add(io, &b.region), 0);
    iospace_destroy(io);
}

static void test_strings(void **unused)
{
    struct iospace *io;
    uint8_t buf[32];
    struct dut d, p;

    assert_int_equal(iospace_create(&io, NULL), 0);
    dut_init(&d, IO_MEMORY, 0x2000, 16, &string_ops);
    dut_init(&p, IO_PORT, 0x1f0, 4, &string_ops);
    assert_int_equal(iospace_add(io, &d.region), 0);
    assert_int_equal(iospace_add(io, &p.region), 0);
    io_read_string(io, IO_MEMORY, 0x2000, 2, 1, buf, 8);
    assert_memory_equal(buf, d.byte, 16);
    assert_int_equal(d.many, 3);
    assert_int_equal(d.reads, 0);
    /* Downwards: element by element, the first one highest. */
    io_read_string(io, IO_MEMORY, 0x200e, 2, -1, buf, 8);
    for (int i = 0; i < 8; i++)
        assert_memory_equal(buf + i * 2, d.byte + 14 - i * 2, 2);
    /* A port stays where it is. */
    io_read_string(io, IO_PORT, 0x1f0, 4, 0, buf, 5);
    for (int i = 0; i < 5; i++)
        assert_memory_equal(buf + i * 4, p.byte, 4);
    /* Beyond the region: ones. */
    io_read_string(io, IO_MEMORY, 0x200c, 4, 1, buf, 2);
    assert_memory_equal(buf, d.byte + 12, 4);
    assert_memory_equal(buf + 4, "\xff\xff\xff\xff", 4);
    io_write_string(io, IO_MEMORY, 0x2000, 4, 1, "abcdefgh", 2);
    assert_memory_equal(d.byte, "abcdefgh", 8);
    iospace_destroy(io);
}

struct claims {
    char log[512];
    int fail;
};

static int note(struct claims *c, char what, enum io_kind kind, uint64_t start, uint64_t end)
{
    size_t n = strlen(c->log);

    snprintf(c->log + n, sizeof(c->log) - n, "%c%c%lx-%lx ", what, kind == IO_PORT ? 'p' : 'm',
             (unsigned long)start, (unsigned long)end);
    return c->fail;
}

static int claim(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    return note(opaque, '+', kind, start, end);
}

static int release(void *opaque, enum io_kind kind, uint64_t start, uint64_t end)
{
    return note(opaque, '-', kind, start, end);
}

static void test_claims_are_merged(void **unused)
{
    struct claims c = {"", 0};
    struct io_claim_ops ops = {claim, release, &c};
    struct dut d[5];
    struct iospace *io;

    assert_int_equal(iospace_create(&io, &ops), 0);
    dut_init(&d[0], IO_PORT, 0x1f0, 7, &byte_ops);
    dut_init(&d[1], IO_PORT, 0x1f7, 1, &byte_ops);
    dut_init(&d[2], IO_PORT, 0x3f6, 1, &byte_ops);
    dut_init(&d[3], IO_MEMORY, 0xa0000, 0x10000, &byte_ops);
    dut_init(&d[4], IO_MEMORY, 0xb0000, 0x10000, &byte_ops);
    for (int i = 4; i >= 0; i--)
        assert_int_equal(iospace_add(io, &d[i].region), 0);
    assert_string_equal(c.log, "");
    assert_int_equal(iospace_commit(io), 0);
    assert_string_equal(c.log, "+p1f0-1f7 +p3f6-3f6 +ma0000-bffff ");
    c.log[0] = 0;
    iospace_remove(io, &d[1].region);
    assert_int_equal(iospace_add(io, &d[1].region), 0);
    assert_string_equal(c.log, "-p1f7-1f7 +p1f7-1f7 ");
    /* What Xen refuses is not registered. */
    iospace_remove(io, &d[2].region);
    c.fail = -EEXIST;
    assert_int_equal(iospace_add(io, &d[2].region), -EEXIST);
    assert_int_equal(io_read(io, IO_PORT, 0x3f6, 1), 0xff);
    iospace_destroy(io);
}

struct lines {
    int isa[16], intx[32][4], calls;
};

static void isa(void *opaque, uint8_t irq, bool level)
{
    ((struct lines *)opaque)->isa[irq] = level;
    ((struct lines *)opaque)->calls++;
}

static void intx(void *opaque, uint8_t device, uint8_t pin, bool level)
{
    ((struct lines *)opaque)->intx[device][pin] = level;
    ((struct lines *)opaque)->calls++;
}

static void test_shared_lines_are_ored(void **unused)
{
    struct lines l = {0};
    struct irq_sink sink = {isa, intx, &l};
    struct irq_router *r;
    struct irq com1, com3, pin_a, pin_a2, sci;

    assert_int_equal(irq_router_create(&r, &sink), 0);
    com1 = irq_router_isa(r, 4);
    com3 = irq_router_isa(r, 4);
    pin_a = irq_router_intx(r, 3, 0);
    pin_a2 = irq_router_intx(r, 3, 0);
    sci = irq_router_isa(r, 9);
    irq_set(&com1, true);
    irq_set(&com3, true);
    irq_set(&com1, false);
    assert_int_equal(l.isa[4], 1);
    assert_int_equal(l.calls, 1);
    irq_set(&com3, false);
    assert_int_equal(l.isa[4], 0);
    irq_set(&pin_a2, true);
    irq_set(&pin_a, true);
    irq_set(&pin_a2, false);
    assert_int_equal(l.intx[3][0], 1);
    /* The hypervisor may have lowered line 9 meanwhile: every call goes through. */
    l.calls = 0;
    irq_set(&sci, true);
    irq_set(&sci, true);
    irq_set(&sci, false);
    assert_int_equal(l.calls, 3);
    l.intx[3][0] = 0;
    irq_router_refresh(r);
    assert_int_equal(l.intx[3][0], 1);
    irq_router_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unclaimed_reads_ones),
        cmocka_unit_test(test_widths_are_split),
        cmocka_unit_test(test_access_over_two_neighbours),
        cmocka_unit_test(test_overlap_and_limits),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_claims_are_merged),
        cmocka_unit_test(test_shared_lines_are_ored),
    };
    return cmocka_run_group_tests_name("iospace", tests, NULL, NULL);
}
