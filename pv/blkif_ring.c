/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pv/blkif_ring.h"

#include <errno.h>
#include <string.h>

#include <xen/io/blkif.h>

#define HEADER_BYTES 64u
#define REQ_PROD     0u
#define REQ_EVENT    4u
#define RSP_PROD     8u
#define RSP_EVENT    12u

/* Where the fields of a slot stand. */
struct layout {
    uint8_t slot_bytes;
    uint8_t response_bytes;
    uint8_t id; /* the same in all requests, as is the sector */
    uint8_t sector;
    uint8_t segments;
    uint8_t nr_sectors;
    uint8_t indirect_refs;
};

#define SLOT_BYTES_MAX     112u
#define RESPONSE_BYTES_MAX 16u
/* Offsets that do not depend on the layout. */
#define REQUEST_NR_SEGMENTS  1u
#define INDIRECT_OP          1u
#define INDIRECT_NR_SEGMENTS 2u
#define RESPONSE_ID          0u
#define RESPONSE_OPERATION   8u
#define RESPONSE_STATUS      10u

static const struct layout layouts[] = {
    [BLKIF_X86_64] = {.slot_bytes = 112,
                      .response_bytes = 16,
                      .id = 8,
                      .sector = 16,
                      .segments = 24,
                      .nr_sectors = 24,
                      .indirect_refs = 28},
    [BLKIF_X86_32] = {.slot_bytes = 108,
                      .response_bytes = 12,
                      .id = 4,
                      .sector = 12,
                      .segments = 20,
                      .nr_sectors = 20,
                      .indirect_refs = 24},
};

_Static_assert(sizeof(struct blkif_request) == 112, "the native layout is that of x86-64");
_Static_assert(sizeof(struct blkif_response) == 16, "the native layout is that of x86-64");
_Static_assert(sizeof(struct blkif_request_segment) == BLKIF_SEGMENT_BYTES, "a segment");
_Static_assert(BLKIF_MAX_SEGMENTS_PER_REQUEST == BLKIF_DIRECT_MAX, "segments in a slot");
_Static_assert(BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST == BLKIF_INDIRECT_PAGES, "pages in a slot");

static uint32_t *header(const struct blkif_ring *ring, unsigned offset)
{
    return (uint32_t *)(void *)(ring->shared + offset);
}

static uint8_t *slot(const struct blkif_ring *ring, uint32_t index)
{
    return ring->shared + HEADER_BYTES +
           (size_t)(index & (ring->slots - 1)) * layouts[ring->abi].slot_bytes;
}

/* Requests that are not answered, according to the guest. */
static bool more_than_slots(const struct blkif_ring *ring, uint32_t req_prod)
{
    return req_prod - ring->rsp_prod > ring->slots ||
           req_prod - ring->rsp_prod < ring->req_cons - ring->rsp_prod;
}

int blkif_ring_attach(struct blkif_ring *ring, void *shared, size_t bytes, enum blkif_abi abi)
{
    uint32_t rsp_prod, req_prod, req_event;

    *ring = (struct blkif_ring){.shared = shared, .abi = abi, .slots = 1};
    while ((size_t)ring->slots * 2 * layouts[abi].slot_bytes <= bytes - HEADER_BYTES)
        ring->slots *= 2;
    rsp_prod = __atomic_load_n(header(ring, RSP_PROD), __ATOMIC_ACQUIRE);
    ring->req_cons = ring->rsp_prod = ring->published = rsp_prod;
    req_prod = __atomic_load_n(header(ring, REQ_PROD), __ATOMIC_ACQUIRE);
    req_event = __atomic_load_n(header(ring, REQ_EVENT), __ATOMIC_RELAXED);
    if (more_than_slots(ring, req_prod))
        return -EPROTO;
    return req_prod != rsp_prod && req_event != rsp_prod + 1 ? -EBUSY : 0;
}

static uint16_t get16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

void blkif_decode_segment(const uint8_t *raw, struct blkif_segment *out)
{
    *out = (struct blkif_segment){.ref = get32(raw), .first = raw[4], .last = raw[5]};
}

static void decode(const uint8_t *raw, const struct layout *at, struct blkif_fetched *out)
{
    out->operation = raw[0];
    out->indirect_op = 0;
    out->nr_segments = raw[REQUEST_NR_SEGMENTS];
    out->id = get64(raw + at->id);
    out->sector = get64(raw + at->sector);
    out->nr_sectors = 0;
    switch (out->operation) {
    case BLKIF_OP_DISCARD:
        out->nr_sectors = get64(raw + at->nr_sectors);
        break;
    case BLKIF_OP_INDIRECT:
        out->indirect_op = raw[INDIRECT_OP];
        out->nr_segments = get16(raw + INDIRECT_NR_SEGMENTS);
        for (unsigned i = 0; i < BLKIF_INDIRECT_PAGES; i++)
            out->indirect_ref[i] = get32(raw + at->indirect_refs + i * sizeof(uint32_t));
        break;
    default:
        for (unsigned i = 0; i < BLKIF_DIRECT_MAX; i++)
            blkif_decode_segment(raw + at->segments + (size_t)i * BLKIF_SEGMENT_BYTES,
                                 &out->segment[i]);
        break;
    }
}

int blkif_ring_fetch(struct blkif_ring *ring, struct blkif_fetched *out)
{
    const struct layout *at = &layouts[ring->abi];
    uint32_t req_prod = __atomic_load_n(header(ring, REQ_PROD), __ATOMIC_ACQUIRE);
    uint8_t raw[SLOT_BYTES_MAX];

    if (req_prod == ring->req_cons)
        return 0;
    if (more_than_slots(ring, req_prod))
        return -EPROTO;
    memcpy(raw, slot(ring, ring->req_cons), at->slot_bytes);
    /* The copy is complete before any of it is looked at: the compiler may not fetch again. */
    __asm__ volatile("" : : "r"(raw) : "memory");
    ring->req_cons++;
    decode(raw, at, out);
    return 1;
}

bool blkif_ring_wait(struct blkif_ring *ring)
{
    __atomic_store_n(header(ring, REQ_EVENT), ring->req_cons + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(header(ring, REQ_PROD), __ATOMIC_ACQUIRE) != ring->req_cons;
}

void blkif_ring_respond(struct blkif_ring *ring, uint64_t id, uint8_t operation, int16_t status)
{
    uint8_t raw[RESPONSE_BYTES_MAX] = {0};

    memcpy(raw + RESPONSE_ID, &id, sizeof(id));
    raw[RESPONSE_OPERATION] = operation;
    memcpy(raw + RESPONSE_STATUS, &status, sizeof(status));
    memcpy(slot(ring, ring->rsp_prod++), raw, layouts[ring->abi].response_bytes);
}

bool blkif_ring_publish(struct blkif_ring *ring)
{
    uint32_t old = ring->published, rsp_event;

    if (old == ring->rsp_prod)
        return false;
    ring->published = ring->rsp_prod;
    __atomic_store_n(header(ring, RSP_PROD), ring->rsp_prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    rsp_event = __atomic_load_n(header(ring, RSP_EVENT), __ATOMIC_RELAXED);
    return ring->rsp_prod - rsp_event < ring->rsp_prod - old;
}
