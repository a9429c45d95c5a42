/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pv/testblk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u
#define HEADER     64u

static int open_image(void *opaque, const struct qdisk_image *image, struct block **out,
                      char *error, size_t error_size)
{
    struct testblk *t = opaque;
    int rc;

    snprintf(t->opened, sizeof(t->opened), "%s %s", image->format, image->path);
    t->opened_read_only = image->read_only;
    t->opened_discard = image->discard;
    if (t->open_error) {
        snprintf(error, error_size, "no such image");
        return t->open_error;
    }
    if (!image->cdrom) {
        *out = block_share(t->block);
        return 0;
    }
    rc = block_ram_create(&t->medium, out, 256 << 10, true, t->workers);
    return rc;
}

void testblk_serve(struct testblk *t)
{
    struct qdisk_config config = {.open = open_image, .opaque = t};

    if (xenbus_create(&t->bus, mock_xen_handle(t->mock), t->loop) ||
        qdisk_serve(&t->set, t->bus, &config))
        abort();
}

void testblk_stop(struct testblk *t)
{
    qdisk_set_ending(t->set);
    xenbus_destroy(t->bus);
    qdisk_set_free(t->set);
}

void testblk_begin(struct testblk *t)
{
    memset(t, 0, sizeof(*t));
    t->mock = mock_xen_create();
    if (loop_create(&t->loop) || workers_create(&t->workers, t->loop, 2) ||
        block_ram_create(&t->ram, &t->block, TESTBLK_BYTES, false, t->workers))
        abort();
    testblk_serve(t);
    for (unsigned page = 0; page < MOCK_PAGES; page++)
        mock_grant(t->mock, TESTBLK_REF(page), page, true);
}

void testblk_end(struct testblk *t)
{
    testblk_stop(t);
    block_close(t->block);
    workers_destroy(t->workers);
    loop_destroy(t->loop);
    block_ram_fini(&t->ram);
    block_ram_fini(&t->medium);
    mock_xen_destroy(t->mock);
}

void testblk_directories(struct testblk *t, const char *params, const char *type, const char *mode)
{
    mock_store_set(t->mock, TESTBLK_FRONT "/state", "1");
    mock_store_set(t->mock, TESTBLK_BACK "/frontend", TESTBLK_FRONT);
    mock_store_set(t->mock, TESTBLK_BACK "/online", "1");
    mock_store_set(t->mock, TESTBLK_BACK "/params", "%s", params);
    mock_store_set(t->mock, TESTBLK_BACK "/mode", "%s", mode);
    mock_store_set(t->mock, TESTBLK_BACK "/device-type", "%s", type);
    mock_store_set(t->mock, TESTBLK_BACK "/discard-enable", "1");
    mock_store_set(t->mock, TESTBLK_BACK "/state", "1");
    testblk_settle(t);
}

void testblk_settle(struct testblk *t)
{
    char token[64];

    for (unsigned quiet = 0; quiet < 2; quiet++) {
        while (mock_store_next(t->mock, token, sizeof(token))) {
            xenbus_watch_event(t->bus, token);
            quiet = 0;
        }
        loop_turn(t->loop, 0);
        while (workers_pending(t->workers))
            loop_turn(t->loop, 10);
        if (loop_has_work(t->loop))
            quiet = 0;
    }
}

unsigned testblk_back_state(struct testblk *t)
{
    const char *state = mock_store_get(t->mock, TESTBLK_BACK "/state");

    return state ? (unsigned)atoi(state) : 0;
}

/* ---- the ring ------------------------------------------------------------------------------- */

static unsigned stride(const struct testblk *t)
{
    return t->abi == BLKIF_X86_64 ? 112 : 108;
}

void testblk_connect(struct testblk *t, enum blkif_abi abi, unsigned order, bool persistent)
{
    t->abi = abi;
    t->ring_pages = 1u << order;
    t->slots = 1;
    while (t->slots * 2 * stride(t) <= t->ring_pages * PAGE_BYTES - HEADER)
        t->slots *= 2;
    t->req_prod = t->rsp_cons = 0;
    memset(mock_page(t->mock, 0), 0, t->ring_pages * PAGE_BYTES);
    testblk_set_header(t, 4, 1);
    testblk_set_header(t, 12, 1);
    if (order) {
        mock_store_set(t->mock, TESTBLK_FRONT "/ring-page-order", "%u", order);
        for (unsigned i = 0; i < t->ring_pages; i++) {
            char path[100];

            snprintf(path, sizeof(path), TESTBLK_FRONT "/ring-ref%u", i);
            mock_store_set(t->mock, path, "%u", TESTBLK_REF(i));
        }
    } else {
        mock_store_set(t->mock, TESTBLK_FRONT "/ring-ref", "%u", TESTBLK_REF(0));
    }
    mock_store_set(t->mock, TESTBLK_FRONT "/event-channel", "%u", TESTBLK_PORT);
    mock_store_set(t->mock, TESTBLK_FRONT "/protocol",
                   abi == BLKIF_X86_64 ? "x86_64-abi" : "x86_32-abi");
    mock_store_set(t->mock, TESTBLK_FRONT "/feature-persistent", "%d", persistent);
    mock_store_set(t->mock, TESTBLK_FRONT "/state", "3");
    testblk_settle(t);
}

uint8_t *testblk_slot_at(struct testblk *t, uint32_t index)
{
    return mock_page(t->mock, 0) + HEADER + (size_t)(index % t->slots) * stride(t);
}

uint8_t *testblk_slot(struct testblk *t)
{
    uint8_t *slot = testblk_slot_at(t, t->req_prod++);

    memset(slot, 0xee, stride(t));
    return slot;
}

/* The fields that every request has; returns where the rest begins. */
static uint8_t *head(struct testblk *t, uint8_t *slot, uint8_t operation, uint8_t second,
                     uint64_t id, uint64_t sector)
{
    uint8_t *at = slot + (t->abi == BLKIF_X86_64 ? 8 : 4);

    slot[0] = operation;
    slot[1] = second;
    memcpy(at, &id, 8);
    memcpy(at + 8, &sector, 8);
    return at + 16;
}

static void segment(uint8_t *at, uint32_t ref, uint8_t first, uint8_t last)
{
    memcpy(at, &ref, 4);
    at[4] = first;
    at[5] = last;
}

void testblk_rw(struct testblk *t, uint8_t operation, uint64_t id, uint64_t sector, unsigned page,
                unsigned nsegments)
{
    uint8_t *at = head(t, testblk_slot(t), operation, (uint8_t)nsegments, id, sector);

    for (unsigned i = 0; i < nsegments && i < BLKIF_DIRECT_MAX; i++)
        segment(at + i * 8, TESTBLK_REF(page + i), 0, 7);
}

void testblk_indirect(struct testblk *t, uint8_t operation, uint64_t id, uint64_t sector,
                      unsigned nsegments, uint32_t list_ref)
{
    uint8_t *slot = testblk_slot(t);
    uint8_t *at = head(t, slot, BLKIF_OP_INDIRECT, operation, id, sector);
    uint16_t n = (uint16_t)nsegments;

    memcpy(slot + 2, &n, 2);
    memcpy(at + 4, &list_ref, 4);
}

void testblk_discard(struct testblk *t, uint64_t id, uint64_t sector, uint64_t n)
{
    uint8_t *at = head(t, testblk_slot(t), BLKIF_OP_DISCARD, 0, id, sector);

    memcpy(at, &n, 8);
}

void testblk_set_header(struct testblk *t, unsigned offset, uint32_t value)
{
    memcpy(mock_page(t->mock, 0) + offset, &value, 4);
}

uint32_t testblk_header(struct testblk *t, unsigned offset)
{
    uint32_t value;

    memcpy(&value, mock_page(t->mock, 0) + offset, 4);
    return value;
}

void testblk_push(struct testblk *t)
{
    testblk_set_header(t, 0, t->req_prod);
    mock_signal(t->mock, TESTBLK_PORT);
    testblk_settle(t);
}

bool testblk_response(struct testblk *t, struct testblk_response *out)
{
    uint8_t *slot = testblk_slot_at(t, t->rsp_cons);

    if (testblk_header(t, 8) == t->rsp_cons)
        return false;
    t->rsp_cons++;
    testblk_set_header(t, 12, t->rsp_cons + 1);
    memcpy(&out->id, slot, 8);
    out->operation = slot[8];
    memcpy(&out->status, slot + 10, 2);
    return true;
}
