/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring of <xen/io/blkif.h> in its two x86 layouts: a header of 64 bytes, then a power of two of
 * slots. A slot holds a request until it is fetched, and later a response.
 *
 *     header:  req_prod 0, req_event 4, rsp_prod 8, rsp_event 12
 *
 * The guest can write all of it at any time. The indexes that are believed are those kept here;
 * of the shared ones only req_prod and rsp_event are read, each once where it is needed.
 */
#ifndef PV_BLKIF_RING_H
#define PV_BLKIF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64 bit numbers stand at multiples of 8, or of 4. */
enum blkif_abi { BLKIF_X86_64, BLKIF_X86_32 };

#define BLKIF_DIRECT_MAX     11u /* segments in the slot itself */
#define BLKIF_INDIRECT_PAGES 8u
#define BLKIF_SEGMENT_BYTES  8u

/* Sectors first..last (0..7) of a granted page. */
struct blkif_segment {
    uint32_t ref;
    uint8_t first, last;
};

/* A request as it was in the ring when it was fetched; nothing in it has been checked. */
struct blkif_fetched {
    uint8_t operation;
    uint8_t indirect_op; /* BLKIF_OP_INDIRECT */
    uint16_t nr_segments;
    uint64_t id;
    uint64_t sector;
    uint64_t nr_sectors; /* BLKIF_OP_DISCARD */
    struct blkif_segment segment[BLKIF_DIRECT_MAX];
    uint32_t indirect_ref[BLKIF_INDIRECT_PAGES];
};

struct blkif_ring {
    uint8_t *shared;
    enum blkif_abi abi;
    uint32_t slots;    /* a power of two */
    uint32_t req_cons; /* requests fetched */
    uint32_t rsp_prod; /* responses written, published or not */
    uint32_t published;
};

/*
 * Attaches to a ring of `bytes`: a new one, or one that has been served before. Unanswered requests
 * are fetched again, when they are known: those that have come since the ring was last seen empty,
 * all before them being answered then. -EBUSY: they are not. Answers come in any order, and to
 * repeat a write that has been answered could bring other data to its place. -EPROTO: the indexes
 * are not those of a ring.
 */
int blkif_ring_attach(struct blkif_ring *ring, void *shared, size_t bytes, enum blkif_abi abi);

/* 1: a request; 0: there is none now; -EPROTO: more are claimed than there are slots. */
int blkif_ring_fetch(struct blkif_ring *ring, struct blkif_fetched *out);

/* Asks for an event with the next request. True: there is one already, no event will come. */
bool blkif_ring_wait(struct blkif_ring *ring);

/* Writes a response (BLKIF_RSP_*); at most one for each request that has been fetched. */
void blkif_ring_respond(struct blkif_ring *ring, uint64_t id, uint8_t operation, int16_t status);

/* Lets the guest see the responses. True: it wants to be notified of them. */
bool blkif_ring_publish(struct blkif_ring *ring);

/* One segment from the 8 bytes that describe it. */
void blkif_decode_segment(const uint8_t *raw, struct blkif_segment *out);

#endif
