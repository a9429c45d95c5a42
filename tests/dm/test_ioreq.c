/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and the buffered ring, without Xen: types, counts, directions, the index rules. */
#include "tests/harness/tap.h"

#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/hvm/ioreq.h>

#include "dm/ioreq_exec.h"
#include "dm/ioreq_ring.h"
#include "tests/harness/machine.h"

#define PORT 0x300
#define MMIO 0xf0000000ull

struct fixture {
    struct machine m;
    struct request_target target;
    struct io_region port, mmio;
    uint8_t cell[256];
    uint8_t seen[8192]; /* bytes written to the port, in order */
    size_t nseen;
    uint32_t next; /* what the port reads as: 0, 1, 2, ... */
    int64_t offset;
    uint32_t config[2];
};

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((struct fixture *)opaque)->next++;
}

static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    struct fixture *f = opaque;

    assert_true(f->nseen + size <= sizeof(f->seen));
    memcpy(f->seen + f->nseen, &value, size);
    f->nseen += size;
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, ((struct fixture *)opaque)->cell + offset, size);
    return value;
}

static void mmio_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
    memcpy(((struct fixture *)opaque)->cell + offset, &value, size);
}

static uint32_t pci_read(void *opaque, uint8_t devfn, unsigned reg, unsigned size)
{
    return devfn == 8 ? 0x70008086 + reg : 0xffffffff;
}

static void pci_write(void *opaque, uint8_t devfn, unsigned reg, unsigned size, uint32_t value)
{
    struct fixture *f = opaque;

    f->config[0]++;
    f->config[1] = value;
}

static void timeoffset(void *opaque, int64_t seconds)
{
    ((struct fixture *)opaque)->offset += seconds;
}

static const struct io_ops port_ops = {port_read, port_write, 1 | 2 | 4, NULL, NULL};
static const struct io_ops mmio_ops = {mmio_read, mmio_write, 1 | 2 | 4 | 8, NULL, NULL};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    machine_init(&f->m);
    f->port = (struct io_region){"port", IO_PORT, PORT, 4, &port_ops, f, false};
    f->mmio = (struct io_region){"mmio", IO_MEMORY, MMIO, sizeof(f->cell), &mmio_ops, f, false};
    iospace_add(f->m.env.io, &f->port);
    iospace_add(f->m.env.io, &f->mmio);
    machine_start(&f->m);
    f->target = (struct request_target){f->m.env.io, f->m.env.mem, pci_read, pci_write,
                                        f,           timeoffset,   f,        {0}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    machine_fini(&f->m);
    free(f);
    return 0;
}

static void run(struct fixture *f, struct request *req)
{
    request_execute(&f->target, req);
}

static void test_single_accesses(void **state)
{
    struct fixture *f = *state;
    struct request in = {PORT, 0xaaaaaaaaaaaaaaaa, 1, 1, REQUEST_PIO, true, false, false};
    struct request out = {PORT, 0xffffffff12345678, 1, 2, REQUEST_PIO, false, false, false};
    struct request nobody = {0x999, 0, 1, 4, REQUEST_PIO, true, false, false};

    f->next = 0x1ff;
    run(f, &in);
    assert_true(in.data == 0xff);
    run(f, &out);
    assert_int_equal(f->nseen, 2);
    assert_memory_equal(f->seen, "\x78\x56", 2);
    run(f, &nobody);
    assert_true(nobody.data == 0xffffffff);
}

static void test_rep_ins_upwards_and_downwards(void **state)
{
    struct fixture *f = *state;
    struct request up = {PORT, 0x5ffe, 4, 2, REQUEST_PIO, true, true, false};
    struct request down = {PORT, 0x7006, 4, 2, REQUEST_PIO, true, true, true};

    run(f, &up); /* across a page boundary */
    assert_memory_equal(f->m.ram + 0x5ffe, "\0\0\1\0\2\0\3\0", 8);
    f->next = 0;
    run(f, &down); /* the first element is the highest */
    assert_memory_equal(f->m.ram + 0x7000, "\3\0\2\0\1\0\0\0", 8);
    assert_int_equal(f->m.ram[0x7008], MACHINE_POISON);
    assert_int_equal(f->m.ram[0x6fff], MACHINE_POISON);
}

static void test_rep_outs_with_df(void **state)
{
    struct fixture *f = *state;
    struct request req = {PORT, 0x3003, 4, 1, REQUEST_PIO, false, true, true};

    memcpy(f->m.ram + 0x3000, "dcba", 4);
    run(f, &req);
    assert_memory_equal(f->seen, "abcd", 4);
}

static void test_element_over_two_frames(void **state)
{
    struct fixture *f = *state;
    struct request req = {PORT, 0x4ffd, 1, 4, REQUEST_PIO, true, true, false};

    f->next = 0x44332211;
    run(f, &req);
    assert_memory_equal(f->m.ram + 0x4ffd, "\x11\x22\x33\x44", 4);
}

static void test_rep_movs_and_stos(void **state)
{
    struct fixture *f = *state;
    struct request movs = {MMIO + 8, 0x2000, 4, 4, REQUEST_COPY, false, true, false};
    struct request back = {MMIO + 0x2c, 0x800c, 4, 4, REQUEST_COPY, true, true, true};
    struct request stos = {MMIO + 0x80, 0x5a, 64, 1, REQUEST_COPY, false, false, false};
    struct request last = {MMIO + 8, 0, 2, 4, REQUEST_COPY, true, false, false};

    for (unsigned i = 0; i < 16; i++)
        f->m.ram[0x2000 + i] = (uint8_t)(i + 1);
    run(f, &movs);
    assert_memory_equal(f->cell + 8, f->m.ram + 0x2000, 16);
    memcpy(f->cell + 0x20, f->cell + 8, 16);
    run(f, &back); /* both sides go down: the bytes keep their order */
    assert_memory_equal(f->m.ram + 0x8000, f->m.ram + 0x2000, 16);
    run(f, &stos);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(f->cell[0x80 + i], 0x5a);
    assert_int_equal(f->cell[0x7f], 0);
    assert_int_equal(f->cell[0xc0], 0);
    run(f, &last);
    assert_true(last.data == 0x08070605);
}

static void test_a_whole_page_of_elements(void **state)
{
    struct fixture *f = *state;
    struct request req = {PORT, 0x10000, 4096, 1, REQUEST_PIO, true, true, false};
    struct request too_many = {PORT, 0x10000, 4097, 1, REQUEST_PIO, true, true, false};

    run(f, &req);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(f->m.ram[0x10000 + i], i & 0xff);
    assert_int_equal(f->next, 4096);
    run(f, &too_many);
    assert_int_equal(f->next, 4096);
    assert_int_equal(f->target.counters.bad, 1);
}

/* Reads from missing RAM supply ones, writes to it are dropped; the device sees all elements. */
static void test_missing_ram(void **state)
{
    struct fixture *f = *state;
    struct request outs = {PORT, 0x6ffe, 4, 1, REQUEST_PIO, false, true, false};
    struct request ins = {PORT, 0x6ffe, 4, 1, REQUEST_PIO, true, true, false};
    struct request far = {PORT, UINT64_MAX - 1, 4, 1, REQUEST_PIO, true, true, false};

    f->m.hole_gfn = 7;
    f->m.hole_frames = 1;
    memcpy(f->m.ram + 0x6ffe, "xy", 2);
    run(f, &outs);
    assert_memory_equal(f->seen, "xy\xff\xff", 4);
    run(f, &ins);
    assert_memory_equal(f->m.ram + 0x6ffe, "\0\1", 2);
    assert_int_equal(f->next, 4);
    run(f, &far);
    assert_int_equal(f->next, 8);
}

static void test_pci_config(void **state)
{
    struct fixture *f = *state;
    struct request rd = {0x0000000800000040, 0, 1, 4, REQUEST_PCI_CONFIG, true, false, false};
    struct request bus1 = {0x0000010800000000, 0, 1, 4, REQUEST_PCI_CONFIG, true, false, false};
    struct request rep = {0x0000000800000000, 0x9000, 3, 4, REQUEST_PCI_CONFIG, true, true, false};
    struct request outs = {0x0000000800000000, 0x9000, 3,    4,
                           REQUEST_PCI_CONFIG, false,  true, false};
    uint32_t id = 0x70008086;

    run(f, &rd);
    assert_true(rd.data == 0x700080c6);
    run(f, &bus1);
    assert_true(bus1.data == 0xffffffff);
    run(f, &rep);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(f->m.ram + 0x9000 + i * 4, &id, 4);
    run(f, &outs);
    assert_int_equal(f->config[0], 3);
    assert_int_equal(f->config[1], id);
}

static void test_odd_requests(void **state)
{
    struct fixture *f = *state;
    struct request unknown = {0, 0, 1, 4, 5, true, false, false};
    struct request size3 = {PORT, 0, 1, 3, REQUEST_PIO, true, false, false};
    struct request size8 = {PORT, 0, 1, 8, REQUEST_PIO, true, false, false};
    struct request size0 = {PORT, 0, 1, 0, REQUEST_PIO, true, true, false};
    struct request none = {PORT, 0x123, 0, 4, REQUEST_PIO, true, false, false};
    struct request inval = {0, UINT64_MAX, 0, 4, REQUEST_INVALIDATE, false, false, false};
    uint8_t byte;

    run(f, &unknown);
    run(f, &size3);
    run(f, &size8);
    run(f, &size0);
    run(f, &none);
    assert_true(unknown.data == UINT64_MAX && size3.data == UINT64_MAX && size8.data == UINT64_MAX);
    assert_int_equal(f->next, 0);
    assert_int_equal(f->target.counters.bad, 4);
    guestmem_read(f->m.env.mem, 0, &byte, 1);
    assert_int_not_equal(guestmem_mapped_frames(f->m.env.mem), 0);
    run(f, &inval);
    assert_int_equal(guestmem_mapped_frames(f->m.env.mem), 0);
}

/* ---- the ring, filled as Xen fills it ---------------------------------------------------------
 */

static void post(struct buffered_iopage *page, unsigned type, unsigned size_code, uint32_t addr,
                 uint32_t data)
{
    buf_ioreq_t *slot = &page->buf_ioreq[page->write_pointer % IOREQ_BUFFER_SLOT_NUM];

    *slot = (buf_ioreq_t){
        .type = (uint8_t)type, .size = size_code & 3, .addr = addr & 0xfffff, .data = data};
    page->write_pointer++;
    /* Xen's rule of the atomic mode. */
    while (page->read_pointer >= IOREQ_BUFFER_SLOT_NUM) {
        page->read_pointer -= IOREQ_BUFFER_SLOT_NUM;
        page->write_pointer -= IOREQ_BUFFER_SLOT_NUM;
    }
}

static void test_ring_in_order_through_many_wraps(void **state)
{
    struct fixture *f = *state;
    struct buffered_iopage *page = aligned_alloc(4096, 4096);
    uint8_t expect = 0;

    memset(page, 0, 4096);
    for (unsigned round = 0; round < 50; round++) {
        f->nseen = 0;
        for (unsigned i = 0; i < 37; i++)
            post(page, REQUEST_PIO, 0, PORT, (uint8_t)(round * 37 + i));
        assert_false(ioreq_ring_drain(page, &f->target));
        assert_int_equal(f->nseen, 37);
        for (unsigned i = 0; i < 37; i++)
            assert_int_equal(f->seen[i], expect++);
        assert_int_equal(page->read_pointer, page->write_pointer);
    }
    free(page);
}

static void test_full_ring_and_qwords(void **state)
{
    struct fixture *f = *state;
    struct buffered_iopage *page = aligned_alloc(4096, 4096);
    uint64_t value = 0x1122334455667788;

    memset(page, 0, 4096);
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++)
        post(page, REQUEST_PIO, 0, PORT, i);
    ioreq_ring_drain(page, &f->target);
    assert_int_equal(f->nseen, IOREQ_BUFFER_SLOT_NUM);
    assert_false(ioreq_ring_drain(page, &f->target));

    post(page, REQUEST_TIMEOFFSET, 3, 0, (uint32_t)-3600);
    post(page, REQUEST_TIMEOFFSET, 3, 0, 0xffffffff);
    assert_false(ioreq_ring_drain(page, &f->target));
    assert_int_equal(f->offset, -3600);

    f->mmio.base = 0xa0000; /* only addresses below 1 MiB fit into an entry */
    iospace_remove(f->m.env.io, &f->mmio);
    f->mmio.base = 0xa0000;
    assert_int_equal(iospace_add(f->m.env.io, &f->mmio), 0);
    post(page, REQUEST_COPY, 3, 0xa0010, 0x55667788);
    post(page, REQUEST_COPY, 3, 0xa0010, 0x11223344);
    assert_false(ioreq_ring_drain(page, &f->target));
    assert_memory_equal(f->cell + 0x10, &value, 8);
    assert_int_equal(page->read_pointer, page->write_pointer);
    free(page);
}

/* A lone first half and indexes that cannot be: dropped and counted, never followed. */
static void test_broken_ring(void **state)
{
    struct fixture *f = *state;
    struct buffered_iopage *page = aligned_alloc(4096, 4096);

    memset(page, 0, 4096);
    post(page, REQUEST_COPY, 3, 0xa0010, 1);
    assert_false(ioreq_ring_drain(page, &f->target));
    assert_int_equal(f->target.counters.bad, 1);
    assert_int_equal(page->read_pointer, page->write_pointer);
    page->write_pointer = page->read_pointer + 100000;
    assert_false(ioreq_ring_drain(page, &f->target));
    assert_int_equal(page->read_pointer, page->write_pointer);
    assert_int_equal(f->target.counters.bad, 2);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_single_accesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_ins_upwards_and_downwards, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_outs_with_df, setup, teardown),
        cmocka_unit_test_setup_teardown(test_element_over_two_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_movs_and_stos, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_whole_page_of_elements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pci_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_in_order_through_many_wraps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_ring_and_qwords, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_ring, setup, teardown),
    };
    return cmocka_run_group_tests_name("ioreq", tests, NULL, NULL);
}
