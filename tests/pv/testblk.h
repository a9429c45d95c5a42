/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block front end for tests: its directory in xenstore, its ring in both layouts, and an image
 * in memory behind the back end.
 *
 * Guest memory: pages 0-15 ring (reference = page + 1), from page 16 on data, reference page + 1.
 */
#ifndef TESTS_PV_TESTBLK_H
#define TESTS_PV_TESTBLK_H

#include <stdint.h>

#include <xen/io/blkif.h>

#include "pv/blkif.h"
#include "pv/qdisk.h"
#include "tests/block/block_ram.h"
#include "tests/pv/mock_xen.h"

#define TESTBLK_BACK      "backend/qdisk/7/51712"
#define TESTBLK_FRONT     "/local/domain/7/device/vbd/51712"
#define TESTBLK_BYTES     (1u << 20)
#define TESTBLK_PORT      5u
#define TESTBLK_DATA      16u /* first page for data */
#define TESTBLK_REF(page) ((uint32_t)(page) + 1)

struct testblk {
    struct mock_xen *mock;
    struct loop *loop;
    struct workers *workers;
    struct xenbus *bus;
    struct qdisk_set *set;
    struct block_ram ram;
    struct block *block;
    struct block_ram medium; /* of the second medium, when one has been opened */
    char opened[64];         /* "format path" of the last image */
    bool opened_read_only, opened_discard;
    int open_error;

    /* the front end */
    enum blkif_abi abi;
    unsigned ring_pages;
    uint32_t slots, req_prod, rsp_cons;
};

struct testblk_response {
    uint64_t id;
    uint8_t operation;
    int16_t status;
};

/* Everything but the directories. */
void testblk_begin(struct testblk *t);
void testblk_end(struct testblk *t);

/* The back end's process ends; another one takes its place. Both are part of begin and end. */
void testblk_stop(struct testblk *t);
void testblk_serve(struct testblk *t);

/* The toolstack's directories. */
void testblk_directories(struct testblk *t, const char *params, const char *type, const char *mode);
/* Events of xenstore are delivered, the loop turns until nothing moves any more. */
void testblk_settle(struct testblk *t);

/* Begins a ring and publishes it; the back end is Connected afterwards unless it refuses. */
void testblk_connect(struct testblk *t, enum blkif_abi abi, unsigned order, bool persistent);
unsigned testblk_back_state(struct testblk *t);

/* The slot of the next request, cleared; it counts with testblk_push(). */
uint8_t *testblk_slot(struct testblk *t);
uint8_t *testblk_slot_at(struct testblk *t, uint32_t index);
/* Fills it in: nsegments whole pages from data page `page` on. */
void testblk_rw(struct testblk *t, uint8_t operation, uint64_t id, uint64_t sector, unsigned page,
                unsigned nsegments);
void testblk_indirect(struct testblk *t, uint8_t operation, uint64_t id, uint64_t sector,
                      unsigned nsegments, uint32_t list_ref);
void testblk_discard(struct testblk *t, uint64_t id, uint64_t sector, uint64_t n);
/* Bytes of the shared header. */
void testblk_set_header(struct testblk *t, unsigned offset, uint32_t value);
uint32_t testblk_header(struct testblk *t, unsigned offset);
/* Publishes the requests written so far, and raises the event. */
void testblk_push(struct testblk *t);
/* The next response; false when there is none. */
bool testblk_response(struct testblk *t, struct testblk_response *out);

#endif
