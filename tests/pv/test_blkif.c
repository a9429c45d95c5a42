/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block ring: what is answered to requests, proper ones and others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/tap.h"
#include "tests/pv/testblk.h"

#define PAGE 4096u

static int setup(void **state)
{
    struct testblk *t = malloc(sizeof(*t));

    testblk_begin(t);
    testblk_directories(t, "aio:/disk.img", "disk", "w");
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    testblk_end(*state);
    free(*state);
    return 0;
}

static void expect(struct testblk *t, uint64_t id, uint8_t operation, int16_t status)
{
    struct testblk_response r = {0};

    assert_true(testblk_response(t, &r));
    assert_int_equal(r.id, id);
    assert_int_equal(r.operation, operation);
    assert_int_equal(r.status, status);
}

static void expect_none(struct testblk *t)
{
    struct testblk_response r;

    assert_false(testblk_response(t, &r));
}

static void assert_pattern(const uint8_t *data, uint64_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(data[i], block_ram_pattern(offset + i));
}

static uint8_t *data_page(struct testblk *t, unsigned n)
{
    return mock_page(t->mock, TESTBLK_DATA + n);
}

/* The list of an indirect request: whole pages from data page `first` on. */
static void indirect_list(struct testblk *t, unsigned list, unsigned first, unsigned n)
{
    uint8_t *at = data_page(t, list);

    for (unsigned i = 0; i < n; i++, at += 8) {
        uint32_t ref = TESTBLK_REF(TESTBLK_DATA + first + i);

        memcpy(at, &ref, 4);
        at[4] = 0;
        at[5] = 7;
    }
}

/* ---- proper requests ------------------------------------------------------------------------ */

static void read_write_in(struct testblk *t, enum blkif_abi abi, unsigned order, bool persistent)
{
    testblk_connect(t, abi, order, persistent);
    assert_int_equal(testblk_back_state(t), 4);
    testblk_rw(t, BLKIF_OP_READ, 0x1122334455667788, 16, TESTBLK_DATA, 11);
    testblk_push(t);
    expect(t, 0x1122334455667788, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_pattern(data_page(t, 0), 16 * 512, 11 * PAGE);

    memset(data_page(t, 20), 0x5a, PAGE);
    testblk_rw(t, BLKIF_OP_WRITE, 2, 8, TESTBLK_DATA + 20, 1);
    testblk_push(t);
    expect(t, 2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    assert_int_equal(t->ram.data[8 * 512], 0x5a);
    assert_int_equal(t->ram.data[16 * 512 - 1], 0x5a);
    assert_pattern(t->ram.data + 16 * 512, 16 * 512, 512);
    assert_int_equal(t->mock->copies > 0, !persistent);
}

static void test_reads_and_writes_x86_64(void **state)
{
    read_write_in(*state, BLKIF_X86_64, 0, false);
}

static void test_reads_and_writes_x86_32(void **state)
{
    read_write_in(*state, BLKIF_X86_32, 0, false);
}

static void test_reads_and_writes_with_a_large_ring(void **state)
{
    struct testblk *t = *state;

    read_write_in(t, BLKIF_X86_64, 4, false);
    assert_int_equal(t->slots, 512);
    assert_int_equal(t->mock->mapped, 16);
}

static void test_persistent_grants_are_mapped_once_and_not_copied(void **state)
{
    struct testblk *t = *state;

    read_write_in(t, BLKIF_X86_64, 0, true);
    assert_int_equal(t->mock->mapped, 1 + 11 + 1);
    for (unsigned i = 0; i < 100; i++) {
        testblk_rw(t, BLKIF_OP_READ, i, 0, TESTBLK_DATA, 11);
        testblk_push(t);
        expect(t, i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    }
    assert_int_equal(t->mock->mapped, 1 + 11 + 1);
    assert_int_equal(t->mock->copies, 0);
}

static void test_parts_of_pages(void **state)
{
    struct testblk *t = *state;
    uint8_t *slot;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    slot = testblk_slot_at(t, t->req_prod);
    testblk_rw(t, BLKIF_OP_READ, 1, 100, TESTBLK_DATA, 2);
    slot[24 + 4] = 6; /* first segment: sectors 6 and 7 */
    slot[32 + 5] = 0; /* second: sector 0 only */
    testblk_push(t);
    expect(t, 1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(data_page(t, 0)[6 * 512 - 1], 0);
    assert_pattern(data_page(t, 0) + 6 * 512, 100 * 512, 1024);
    assert_pattern(data_page(t, 1), 102 * 512, 512);
    assert_int_equal(data_page(t, 1)[512], 0);
}

static void test_indirect_requests(void **state)
{
    struct testblk *t = *state;

    for (unsigned persistent = 0; persistent < 2; persistent++) {
        testblk_connect(t, persistent ? BLKIF_X86_64 : BLKIF_X86_32, 0, persistent);
        memset(data_page(t, 0), 0, 128 * PAGE);
        indirect_list(t, 200, 0, 128);
        testblk_indirect(t, BLKIF_OP_READ, 9, 64, 128, TESTBLK_REF(TESTBLK_DATA + 200));
        testblk_push(t);
        /* The answer names the operation inside. */
        expect(t, 9, BLKIF_OP_READ, BLKIF_RSP_OKAY);
        assert_pattern(data_page(t, 0), 64 * 512, 128 * PAGE);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "6");
        testblk_settle(t);
        assert_int_equal(t->mock->mapped, 0);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "1");
        testblk_settle(t);
    }
}

static void test_flush_with_and_without_data(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    testblk_rw(t, BLKIF_OP_FLUSH_DISKCACHE, 2, 0, 0, 0);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect(t, 2, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(t->ram.flushes, 1);
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    memset(data_page(t, 0), 0x77, PAGE);
    testblk_rw(t, BLKIF_OP_FLUSH_DISKCACHE, 3, 80, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 3, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
    assert_int_equal(t->ram.flushes, 2);
    assert_int_equal(t->ram.data[80 * 512], 0x77);
}

static void test_failed_flush_and_failed_io_are_errors(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    t->ram.fault = -EIO;
    t->ram.fault_op = BLOCK_READ;
    t->ram.fault_offset = 1024;
    t->ram.fault_bytes = 512;
    testblk_rw(t, BLKIF_OP_READ, 1, 0, TESTBLK_DATA, 1);
    testblk_rw(t, BLKIF_OP_READ, 2, 8, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    expect(t, 2, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    t->ram.fault_op = BLOCK_FLUSH;
    testblk_rw(t, BLKIF_OP_WRITE, 3, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    testblk_rw(t, BLKIF_OP_FLUSH_DISKCACHE, 4, 0, 0, 0);
    testblk_push(t);
    expect(t, 3, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect(t, 4, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_ERROR);
}

static void test_discard(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_32, 0, false);
    testblk_discard(t, 1, 8, 16);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    assert_int_equal(t->ram.discards, 1);
    assert_int_equal(t->ram.data[8 * 512], 0);
    assert_int_equal(t->ram.data[24 * 512 - 1], 0);
    assert_pattern(t->ram.data + 24 * 512, 24 * 512, 512);
    testblk_discard(t, 2, TESTBLK_BYTES / 512 - 1, 2);
    testblk_discard(t, 3, UINT64_MAX, 2);
    testblk_discard(t, 4, 2, UINT64_MAX);
    testblk_push(t);
    for (uint64_t id = 2; id < 5; id++)
        expect(t, id, BLKIF_OP_DISCARD, BLKIF_RSP_ERROR);
    assert_int_equal(t->ram.discards, 1);
}

static void test_requests_end_in_any_order(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, true);
    t->ram.hold = true;
    for (unsigned i = 0; i < 4; i++)
        testblk_rw(t, BLKIF_OP_READ, i, i * 8, TESTBLK_DATA + i, 1);
    testblk_push(t);
    assert_int_equal(t->ram.nheld, 4);
    expect_none(t);
    block_ram_release(&t->ram, 2, 0);
    expect(t, 2, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    block_ram_release(&t->ram, 0, -EIO);
    expect(t, 0, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    assert_pattern(data_page(t, 2), 16 * 512, PAGE);
    t->ram.hold = false;
    while (t->ram.nheld)
        block_ram_release(&t->ram, 0, 0);
}

static void test_notifications_follow_rsp_event(void **state)
{
    struct testblk *t = *state;
    unsigned before;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    before = t->mock->notified[TESTBLK_PORT];
    for (unsigned i = 0; i < 20; i++)
        testblk_rw(t, BLKIF_OP_READ, i, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    assert_int_equal(t->mock->notified[TESTBLK_PORT], before + 1); /* one for all */
    testblk_set_header(t, 12, 1000); /* the guest does not want to know */
    testblk_rw(t, BLKIF_OP_READ, 20, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    assert_int_equal(t->mock->notified[TESTBLK_PORT], before + 1);
    assert_int_equal(testblk_header(t, 8), 21);
    assert_int_equal(testblk_header(t, 4), 22); /* and we ask for an event with the next one */
}

static void test_a_full_ring_is_served_beyond_one_turn(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 4, true);
    for (unsigned i = 0; i < 512; i++)
        testblk_rw(t, BLKIF_OP_READ, i, i, TESTBLK_DATA, 1);
    testblk_push(t);
    for (unsigned i = 0; i < 512; i++)
        expect(t, i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* ---- requests that no driver sends ---------------------------------------------------------- */

static void test_segments_and_ranges_are_checked(void **state)
{
    static const struct {
        uint8_t operation;
        uint64_t sector;
        unsigned nsegments;
        int first, last; /* -1: as they are */
    } bad[] = {
        {BLKIF_OP_READ, 0, 0, -1, -1},
        {BLKIF_OP_READ, 0, 12, -1, -1},
        {BLKIF_OP_WRITE, 0, 255, -1, -1},
        {BLKIF_OP_FLUSH_DISKCACHE, 0, 12, -1, -1},
        {BLKIF_OP_READ, 0, 1, 0, 8},
        {BLKIF_OP_WRITE, 0, 1, 0, 255},
        {BLKIF_OP_READ, 0, 1, 3, 2},
        {BLKIF_OP_READ, 0, 1, 255, 255},
        {BLKIF_OP_READ, TESTBLK_BYTES / 512 - 7, 1, -1, -1},
        {BLKIF_OP_WRITE, TESTBLK_BYTES / 512, 1, 0, 0},
        {BLKIF_OP_READ, UINT64_MAX, 1, -1, -1},
        {BLKIF_OP_WRITE, UINT64_MAX / 512 + 1, 11, -1, -1},
        {77, 0, 1, -1, -1},
    };
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t *slot = testblk_slot_at(t, t->req_prod);

        testblk_rw(t, bad[i].operation, i, bad[i].sector, TESTBLK_DATA, bad[i].nsegments);
        if (bad[i].first >= 0) {
            slot[28] = (uint8_t)bad[i].first;
            slot[29] = (uint8_t)bad[i].last;
        }
        testblk_push(t);
        expect(t, i, bad[i].operation, BLKIF_RSP_ERROR);
    }
    assert_int_equal(t->ram.reads + t->ram.writes, 0);
    testblk_rw(t, BLKIF_OP_WRITE_BARRIER, 99, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 99, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_EOPNOTSUPP);
    testblk_rw(t, BLKIF_OP_READ, 100, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 100, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

static void test_indirect_requests_are_checked(void **state)
{
    struct testblk *t = *state;
    uint32_t list = TESTBLK_REF(TESTBLK_DATA + 200);

    testblk_connect(t, BLKIF_X86_64, 0, false);
    indirect_list(t, 200, 0, 512);
    testblk_indirect(t, BLKIF_OP_READ, 1, 0, 129, list);
    testblk_indirect(t, BLKIF_OP_READ, 2, 0, 0, list);
    testblk_indirect(t, BLKIF_OP_READ, 3, 0, 65535, list);
    testblk_indirect(t, BLKIF_OP_READ, 4, 0, 1, MOCK_GRANTS + 5);
    testblk_push(t);
    for (uint64_t id = 1; id < 5; id++)
        expect(t, id, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    testblk_indirect(t, BLKIF_OP_INDIRECT, 5, 0, 1, list);
    testblk_indirect(t, BLKIF_OP_FLUSH_DISKCACHE, 6, 0, 1, list);
    testblk_push(t);
    expect(t, 5, BLKIF_OP_INDIRECT, BLKIF_RSP_ERROR);
    expect(t, 6, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_ERROR);
    data_page(t, 200)[8 * 3 + 5] = 9;
    testblk_indirect(t, BLKIF_OP_WRITE, 7, 0, 4, list);
    testblk_push(t);
    expect(t, 7, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    assert_int_equal(t->ram.reads + t->ram.writes, 0);
}

static void test_pages_that_are_not_granted_are_errors(void **state)
{
    struct testblk *t = *state;

    for (unsigned persistent = 0; persistent < 2; persistent++) {
        testblk_connect(t, BLKIF_X86_64, 0, persistent);
        t->mock->grant[TESTBLK_REF(TESTBLK_DATA + 1)].granted = false;
        t->mock->grant[TESTBLK_REF(TESTBLK_DATA + 5)].writable = false;
        testblk_rw(t, BLKIF_OP_READ, 1, 0, TESTBLK_DATA, 2);
        testblk_rw(t, BLKIF_OP_WRITE, 2, 0, TESTBLK_DATA + 1, 1);
        testblk_rw(t, BLKIF_OP_READ, 3, 0, TESTBLK_DATA + 5, 1);  /* would write to it */
        testblk_rw(t, BLKIF_OP_WRITE, 4, 8, TESTBLK_DATA + 5, 1); /* only reads it */
        testblk_push(t);
        expect(t, 1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
        expect(t, 2, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
        expect(t, 3, BLKIF_OP_READ, BLKIF_RSP_ERROR);
        expect(t, 4, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "6");
        testblk_settle(t);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "1");
        testblk_settle(t);
    }
}

static void test_rings_that_make_no_sense_are_left_alone(void **state)
{
    static const uint32_t claims[] = {33, 1000, UINT32_MAX, 0x80000000};
    struct testblk *t = *state;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        testblk_connect(t, BLKIF_X86_64, 0, false);
        assert_int_equal(testblk_back_state(t), 4);
        testblk_set_header(t, 0, claims[i]);
        mock_signal(t->mock, TESTBLK_PORT);
        testblk_settle(t);
        assert_int_equal(testblk_header(t, 8), 0);
        testblk_set_header(t, 0, 1); /* a proper one comes too late */
        mock_signal(t->mock, TESTBLK_PORT);
        testblk_settle(t);
        assert_int_equal(testblk_header(t, 8), 0);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "6");
        testblk_settle(t);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "1");
        testblk_settle(t);
    }
    assert_int_equal(t->ram.reads + t->ram.writes, 0);
}

/* ---- known holes ---------------------------------------------------------------------------- */

/* Nothing that the guest changes in ring and lists after the fetch has an effect. */
static void test_xsa_155_cve_2015_8550_requests_are_fetched_once(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, true);
    indirect_list(t, 200, 0, 2);
    memset(data_page(t, 0), 0x11, 2 * PAGE);
    memset(data_page(t, 100), 0x22, 2 * PAGE);
    t->ram.hold = true;
    testblk_rw(t, BLKIF_OP_WRITE, 1, 8, TESTBLK_DATA, 1);
    testblk_indirect(t, BLKIF_OP_WRITE, 2, 16, 2, TESTBLK_REF(TESTBLK_DATA + 200));
    testblk_push(t);
    assert_int_equal(t->ram.nheld, 2);
    memset(testblk_slot_at(t, 0), 0xff, 2 * 112);
    indirect_list(t, 200, 100, 2);
    data_page(t, 200)[5] = 255;
    t->ram.hold = false;
    block_ram_release(&t->ram, 0, 0);
    block_ram_release(&t->ram, 0, 0);
    expect(t, 1, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect(t, 2, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    assert_int_equal(t->ram.data[8 * 512], 0x11);
    assert_int_equal(t->ram.data[16 * 512], 0x11);
    assert_int_equal(t->ram.data[32 * 512 - 1], 0x11);
    assert_pattern(t->ram.data + 32 * 512, 32 * 512, 512);
}

/* A response has padding; it holds nothing of this process. */
static void test_xsa_216_cve_2017_10911_responses_leak_no_stack(void **state)
{
    static const uint8_t zero[4];
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, false);
    testblk_rw(t, BLKIF_OP_READ, 1, 0, TESTBLK_DATA, 1);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(testblk_slot_at(t, 0)[9], 0);
    assert_memory_equal(testblk_slot_at(t, 0) + 12, zero, 4);
    /* What lies behind the response is the guest's own request still. */
    assert_int_equal(testblk_slot_at(t, 0)[16 + 100 - 16], 0xee);
}

/* Requests, answers and reconnections as often as the guest likes take nothing that stays. */
static void test_xsa_71_cve_2013_4375_nothing_leaks_with_each_round(void **state)
{
    struct testblk *t = *state;

    for (unsigned round = 0; round < 20; round++) {
        testblk_connect(t, BLKIF_X86_64, 0, round & 1);
        for (unsigned i = 0; i < 64; i++) {
            testblk_rw(t, i & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i, i, TESTBLK_DATA + i, i % 13);
            testblk_push(t);
            expect(t, i, i & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE,
                   i % 13 && i % 13 < 12 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
        }
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "5");
        testblk_settle(t);
        assert_int_equal(testblk_back_state(t), 5);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "6");
        testblk_settle(t);
        assert_int_equal(testblk_back_state(t), 6);
        assert_int_equal(t->mock->mapped, 0);
        assert_int_equal(t->mock->bound, 0);
        mock_store_set(t->mock, TESTBLK_FRONT "/state", "1");
        testblk_settle(t);
        assert_int_equal(testblk_back_state(t), 2);
    }
}

/* A guest that only sends gets no more than a fixed number of requests and buffers. */
static void test_xsa_184_cve_2016_5403_requests_in_flight_are_bounded(void **state)
{
    struct testblk *t = *state;
    unsigned answered = 0;
    struct testblk_response r;

    testblk_connect(t, BLKIF_X86_64, 4, false);
    indirect_list(t, 200, 0, 128);
    t->ram.hold = true;
    for (unsigned i = 0; i < 512; i++)
        testblk_indirect(t, BLKIF_OP_READ, i, 0, 128, TESTBLK_REF(TESTBLK_DATA + 200));
    testblk_push(t);
    /* Eight buffers of 512 KiB are 4 MiB. */
    assert_int_equal(t->ram.nheld, 8);
    while (t->ram.nheld) {
        block_ram_release(&t->ram, 0, 0);
        testblk_settle(t);
        assert_in_range(t->ram.nheld, 0, 8);
    }
    while (testblk_response(t, &r)) {
        assert_int_equal(r.status, BLKIF_RSP_OKAY);
        answered++;
    }
    assert_int_equal(answered, 512);
}

static void test_mapped_pages_are_bounded(void **state)
{
    struct testblk *t = *state;

    testblk_connect(t, BLKIF_X86_64, 0, true);
    for (unsigned i = 0; i < 1900; i += 11) {
        testblk_rw(t, BLKIF_OP_READ, i, 0, TESTBLK_DATA + i, 11);
        testblk_push(t);
        expect(t, i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    }
    assert_in_range(t->mock->mapped, 1000, 1057);
    assert_true(t->mock->copies > 0);
    assert_pattern(data_page(t, 1892), 0, PAGE);
}

/* The toolstack's read-only is honoured whatever the image allows. */
static void test_xsa_142_cve_2015_7311_read_only_disks_are_not_written(void **state)
{
    struct testblk *t = *state;

    mock_store_remove(t->mock, "backend/qdisk/7");
    testblk_settle(t);
    testblk_directories(t, "aio:/disk.img", "disk", "r");
    assert_string_equal(mock_store_get(t->mock, TESTBLK_BACK "/info"), "4");
    testblk_connect(t, BLKIF_X86_64, 0, false);
    testblk_rw(t, BLKIF_OP_WRITE, 1, 0, TESTBLK_DATA, 1);
    testblk_rw(t, BLKIF_OP_FLUSH_DISKCACHE, 2, 0, TESTBLK_DATA, 1);
    testblk_discard(t, 3, 0, 8);
    testblk_push(t);
    expect(t, 1, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    expect(t, 2, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_ERROR);
    expect(t, 3, BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP);
    assert_int_equal(t->ram.writes + t->ram.discards, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_reads_and_writes_x86_64),
        T(test_reads_and_writes_x86_32),
        T(test_reads_and_writes_with_a_large_ring),
        T(test_persistent_grants_are_mapped_once_and_not_copied),
        T(test_parts_of_pages),
        T(test_indirect_requests),
        T(test_flush_with_and_without_data),
        T(test_failed_flush_and_failed_io_are_errors),
        T(test_discard),
        T(test_requests_end_in_any_order),
        T(test_notifications_follow_rsp_event),
        T(test_a_full_ring_is_served_beyond_one_turn),
        T(test_segments_and_ranges_are_checked),
        T(test_indirect_requests_are_checked),
        T(test_pages_that_are_not_granted_are_errors),
        T(test_rings_that_make_no_sense_are_left_alone),
        T(test_xsa_155_cve_2015_8550_requests_are_fetched_once),
        T(test_xsa_216_cve_2017_10911_responses_leak_no_stack),
        T(test_xsa_71_cve_2013_4375_nothing_leaks_with_each_round),
        T(test_xsa_184_cve_2016_5403_requests_in_flight_are_bounded),
        T(test_mapped_pages_are_bounded),
        T(test_xsa_142_cve_2015_7311_read_only_disks_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
