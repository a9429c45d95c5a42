/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile block front end and an impatient toolstack: ring indexes, requests of all kinds with
 * any segments, references and ranges, lists that change, states and nodes at any moment, storage
 * that fails or keeps requests.
 *
 * Pages that are not granted for writing never change; a read-only image never does; a back end
 * that is closed has nothing mapped and nothing bound; there is never more in flight, in buffers or
 * mapped than is promised.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pv/blkif_grants.h"
#include "tests/fuzz/machine_ops.h"
#include "tests/pv/testblk.h"

#define PAGE       4096u
#define SECRET     1900u /* pages from here on are not granted */
#define READ_ONLY  1890u /* from here on not for writing */
#define DATA_PAGES 64u
#define LIST_PAGE  (TESTBLK_DATA + DATA_PAGES)
#define OPS_MAX    120u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct testblk t;
static bool begun;
static uint8_t before[TESTBLK_BYTES];

static uint32_t any_ref(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);

    if (how < 200)
        return TESTBLK_REF(TESTBLK_DATA + how % DATA_PAGES);
    if (how < 220)
        return TESTBLK_REF(READ_ONLY + how % 10);
    if (how < 240)
        return TESTBLK_REF(SECRET + how % 20);
    return fuzz_u32(in);
}

static uint64_t any_sector(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);
    uint64_t sector = fuzz_u32(in);

    if (how < 200)
        return sector % (TESTBLK_BYTES / 512 + 16);
    return sector << (how % 40);
}

static void fill_segments(struct fuzz_input *in, uint8_t *at, unsigned n)
{
    for (unsigned i = 0; i < n; i++, at += 8) {
        uint32_t ref = any_ref(in);
        uint8_t sectors = fuzz_u8(in);

        memcpy(at, &ref, 4);
        at[4] = sectors & 0x40 ? 0 : sectors % 9;
        at[5] = sectors & 0x40 ? 7 : sectors / 9 % 9;
    }
}

static void put_request(struct fuzz_input *in)
{
    uint8_t operation = fuzz_u8(in), n = fuzz_u8(in);
    uint64_t id = t.req_prod;

    switch (operation % 8) {
    case BLKIF_OP_DISCARD:
        testblk_discard(&t, id, any_sector(in), any_sector(in));
        break;
    case BLKIF_OP_INDIRECT:
        fill_segments(in, mock_page(t.mock, LIST_PAGE), n % 140);
        testblk_indirect(&t, operation >> 4, id, any_sector(in), n % 160,
                         n % 7 ? TESTBLK_REF(LIST_PAGE) : any_ref(in));
        break;
    default: {
        uint8_t *slot = testblk_slot_at(&t, t.req_prod);

        testblk_rw(&t, operation % 8, id, any_sector(in), TESTBLK_DATA, n % 14);
        fill_segments(in, slot + (t.abi == BLKIF_X86_64 ? 24 : 20), n % 12);
        break;
    }
    }
}

static void storage_op(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);

    switch (how % 6) {
    case 0:
        t.ram.hold = how & 0x40;
        break;
    case 1:
        t.ram.blocks = how & 0x40;
        break;
    case 2:
        t.ram.fault = how & 0x40 ? -EIO : 0;
        t.ram.fault_op = how & 0x20 ? BLOCK_READ : BLOCK_WRITE;
        t.ram.fault_offset = (uint64_t)fuzz_u8(in) * PAGE;
        t.ram.fault_bytes = PAGE;
        break;
    default:
        if (t.ram.nheld)
            block_ram_release(&t.ram, how % t.ram.nheld, how & 0x80 ? -EIO : 0);
        break;
    }
}

static void release_all(void)
{
    t.ram.hold = false;
    t.ram.fault = 0;
    while (t.ram.nheld)
        block_ram_release(&t.ram, 0, 0);
    testblk_settle(&t);
}

static void store_op(struct fuzz_input *in)
{
    static const char *const nodes[] = {TESTBLK_FRONT "/ring-ref", TESTBLK_FRONT "/event-channel",
                                        TESTBLK_FRONT "/ring-page-order",
                                        TESTBLK_FRONT "/ring-ref1", TESTBLK_BACK "/online"};
    uint8_t how = fuzz_u8(in);

    if (how < 100)
        mock_store_set(t.mock, TESTBLK_FRONT "/state", "%u", how % 9);
    else if (how < 120)
        mock_store_set(t.mock, TESTBLK_BACK "/state", "%u", how % 9);
    else if (how < 140)
        testblk_connect(&t, how & 1 ? BLKIF_X86_64 : BLKIF_X86_32, how % 5, how & 2);
    else if (how < 150)
        xenbus_hold(t.bus, how & 1);
    else if (how < 160)
        mock_store_remove(t.mock, how & 1 ? TESTBLK_FRONT : TESTBLK_FRONT "/ring-page-order");
    else
        mock_store_set(t.mock, nodes[how % 5], how & 0x20 ? "%u" : "%x", fuzz_u8(in));
    testblk_settle(&t);
}

static void one_op(struct fuzz_input *in)
{
    uint8_t op = fuzz_u8(in);

    if (op < 120) {
        put_request(in);
    } else if (op < 180) {
        testblk_push(&t);
    } else if (op < 190) {
        testblk_set_header(&t, fuzz_u8(in) % 4 * 4, fuzz_u32(in));
    } else if (op < 200) {
        testblk_slot_at(&t, fuzz_u8(in))[fuzz_u8(in) % 108] = fuzz_u8(in);
    } else if (op < 210) {
        mock_page(t.mock, LIST_PAGE)[fuzz_u8(in)] = fuzz_u8(in);
    } else if (op < 230) {
        storage_op(in);
        testblk_settle(&t);
    } else {
        store_op(in);
    }
    fuzz_require(t.mock->mapped <= 16 + BLKIF_GRANTS_MAX, "mapped pages are bounded");
    fuzz_require(t.ram.nheld <= BLKIF_IN_FLIGHT, "requests in flight are bounded");
}

static void begin(void)
{
    if (!begun) {
        testblk_begin(&t);
        for (unsigned page = READ_ONLY; page < MOCK_PAGES; page++) {
            mock_grant(t.mock, TESTBLK_REF(page), page, false);
            t.mock->grant[TESTBLK_REF(page)].granted = page < SECRET;
            memset(mock_page(t.mock, page), 0x5a, PAGE);
        }
        begun = true;
    }
    xenbus_hold(t.bus, false);
}

static void finish(bool read_only)
{
    release_all();
    xenbus_hold(t.bus, false);
    testblk_settle(&t);
    fuzz_require(!xenbus_busy(t.bus), "everything that was started ends");
    mock_store_remove(t.mock, TESTBLK_FRONT);
    mock_store_remove(t.mock, "backend/qdisk/7/51712");
    testblk_settle(&t);
    fuzz_require(t.mock->mapped == 0 && t.mock->bound == 0, "what is gone has given all back");
    for (unsigned page = READ_ONLY; page < MOCK_PAGES; page++)
        fuzz_require(mock_page(t.mock, page)[0] == 0x5a && mock_page(t.mock, page)[2048] == 0x5a,
                     "pages that are not granted for writing are not written");
    if (read_only)
        fuzz_require(!memcmp(before, t.ram.data, TESTBLK_BYTES), "a read-only image stays");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t how;

    begin();
    how = fuzz_u8(&in);
    if (how & 4)
        memcpy(before, t.ram.data, TESTBLK_BYTES);
    testblk_directories(&t, "aio:/disk.img", "disk", how & 4 ? "r" : "w");
    testblk_connect(&t, how & 1 ? BLKIF_X86_32 : BLKIF_X86_64, how & 8 ? 2 : 0, how & 2);
    for (unsigned i = 0; i < OPS_MAX && in.left; i++)
        one_op(&in);
    finish(how & 4);
    return 0;
}
