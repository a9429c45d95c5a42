/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pv/blkif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

#include "dm/log.h"
#include "pv/blkif_grants.h"

#define PAGE_BYTES 4096u
/* Requests fetched in one turn of the loop. */
#define REQUESTS_A_TURN 32u

/* A request in flight. */
struct slot {
    struct blkif *blkif;
    struct slot *next; /* in the list of free ones */
    uint64_t id;
    uint8_t operation; /* as the response says it: of indirect requests the inner one */
    bool data_follows; /* a flush before a write: the write comes next */
    uint64_t sector;
    uint32_t bytes;
    unsigned nsegments;
    struct blkif_segment segment[BLKIF_SEGMENTS_MAX];
    uint8_t *buffer; /* NULL: the image works on the guest's pages */
    struct block_request io;
};

struct blkif {
    struct xenbus_device *dev;
    struct xen *xen;
    struct loop *loop;
    struct blkif_ring ring;
    unsigned ring_pages;
    struct xenbus_port port;
    struct loop_work work;
    struct blkif_grants *grants; /* NULL: the front end does not keep its grants */
    struct block *block;
    bool read_only;
    bool discard;

    struct slot *free_slots;
    struct slot *waiting; /* fetched, but for its buffer others have to end */
    unsigned in_flight;
    size_t buffer_bytes;

    bool held;      /* the machine stands still */
    bool unarmed;   /* requests may be in the ring that no event will tell of */
    bool serving;   /* responses are published at the end of the turn */
    bool broken;    /* the ring's indexes made no sense */
    bool closing;   /* no more requests */
    bool abandoned; /* no more answers */
    bool detached;  /* nothing is mapped any more; freed with the last request */
    struct slot slot[BLKIF_IN_FLIGHT];
};

static void serve(void *opaque);

/* ---- answers -------------------------------------------------------------------------------- */

static void publish(struct blkif *blkif)
{
    if (blkif_ring_publish(&blkif->ring))
        xenbus_notify(blkif->dev, &blkif->port);
}

static void slot_release(struct slot *slot)
{
    struct blkif *blkif = slot->blkif;

    if (slot->buffer) {
        free(slot->buffer);
        slot->buffer = NULL;
        blkif->buffer_bytes -= slot->bytes;
    }
    slot->next = blkif->free_slots;
    blkif->free_slots = slot;
    blkif->in_flight--;
}

static void answer(struct slot *slot, int16_t status)
{
    struct blkif *blkif = slot->blkif;

    slot_release(slot);
    blkif_ring_respond(&blkif->ring, slot->id, slot->operation, status);
    if (!blkif->serving)
        publish(blkif);
}

static void answer_error(struct slot *slot, int error)
{
    answer(slot, error == 0             ? BLKIF_RSP_OKAY
                 : error == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP
                                        : BLKIF_RSP_ERROR);
}

/* A request that no driver sends. */
static void refuse(struct slot *slot, const char *what)
{
    log_guest("%s: operation %u: %s", xenbus_name(slot->blkif->dev), slot->operation, what);
    answer(slot, BLKIF_RSP_ERROR);
}

/* ---- data ----------------------------------------------------------------------------------- */

static bool is_read(const struct slot *slot)
{
    return slot->operation == BLKIF_OP_READ;
}

static uint32_t segment_bytes(const struct blkif_segment *segment)
{
    return (segment->last - segment->first + 1u) * BLOCK_SECTOR;
}

/* Between the buffer and pages that are granted for this request only. */
static int copy_data(struct slot *slot, bool to_guest)
{
    struct xen_grant_copy piece[BLKIF_SEGMENTS_MAX];
    uint8_t *at = slot->buffer;

    for (unsigned i = 0; i < slot->nsegments; i++) {
        const struct blkif_segment *segment = &slot->segment[i];

        piece[i] = (struct xen_grant_copy){
            .local = at,
            .ref = segment->ref,
            .offset = (uint16_t)(segment->first * BLOCK_SECTOR),
            .bytes = (uint16_t)segment_bytes(segment),
        };
        at += segment_bytes(segment);
    }
    return xen_grant_copy(slot->blkif->xen, piece, slot->nsegments, to_guest);
}

/* The guest's pages as the image's buffers, when all of them can be mapped to stay. */
static bool use_mapped_pages(struct slot *slot)
{
    uint32_t ref[BLKIF_SEGMENTS_MAX];
    uint8_t *page[BLKIF_SEGMENTS_MAX];

    if (!slot->blkif->grants)
        return false;
    for (unsigned i = 0; i < slot->nsegments; i++)
        ref[i] = slot->segment[i].ref;
    if (blkif_grants_get(slot->blkif->grants, ref, slot->nsegments, page))
        return false;
    for (unsigned i = 0; i < slot->nsegments; i++)
        slot->io.iov[i] = (struct iovec){
            .iov_base = page[i] + slot->segment[i].first * BLOCK_SECTOR,
            .iov_len = segment_bytes(&slot->segment[i]),
        };
    slot->io.niov = slot->nsegments;
    return true;
}

static int use_buffer(struct slot *slot)
{
    slot->buffer = aligned_alloc(PAGE_BYTES, (slot->bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
    if (!slot->buffer)
        return -ENOMEM;
    slot->blkif->buffer_bytes += slot->bytes;
    slot->io.iov[0] = (struct iovec){.iov_base = slot->buffer, .iov_len = slot->bytes};
    slot->io.niov = 1;
    return is_read(slot) ? 0 : copy_data(slot, false);
}

/* ---- carrying out --------------------------------------------------------------------------- */

static void move_data(struct slot *slot);
static bool start_waiting(struct blkif *blkif);

/* The image has answered, at once or later. */
static void io_ended(struct slot *slot)
{
    int error = slot->io.error;

    if (!error && slot->data_follows) {
        slot->data_follows = false;
        move_data(slot);
        return;
    }
    if (!error && slot->buffer && is_read(slot))
        error = copy_data(slot, true);
    answer_error(slot, error);
}

static void io_completed(void *opaque, struct block_request *req)
{
    struct slot *slot = opaque;
    struct blkif *blkif = slot->blkif;

    if (blkif->abandoned) {
        slot_release(slot);
        if (blkif->detached && !blkif->in_flight)
            free(blkif);
        return;
    }
    io_ended(slot);
    start_waiting(blkif);
    if (blkif->closing && !blkif->in_flight)
        xenbus_disconnected(blkif->dev);
    else if (blkif->unarmed && !blkif->held && !blkif->closing)
        loop_defer(blkif->loop, &blkif->work);
}

static void submit(struct slot *slot, enum block_op op)
{
    slot->io.op = op;
    slot->io.copy = false;
    slot->io.complete = io_completed;
    slot->io.opaque = slot;
    if (block_submit(slot->blkif->block, &slot->io) == BLOCK_DONE)
        io_ended(slot);
}

static void move_data(struct slot *slot)
{
    struct blkif *blkif = slot->blkif;
    int rc;

    if (!use_mapped_pages(slot)) {
        /* One can wait; the few that come after it are writes behind a flush, and small. */
        if (blkif->buffer_bytes && blkif->buffer_bytes + slot->bytes > BLKIF_BUFFER_BYTES &&
            !blkif->waiting) {
            blkif->waiting = slot;
            return;
        }
        rc = use_buffer(slot);
        if (rc) {
            answer_error(slot, rc);
            return;
        }
    }
    slot->io.offset = slot->sector * BLOCK_SECTOR;
    slot->io.bytes = slot->bytes;
    submit(slot, is_read(slot) ? BLOCK_READ : BLOCK_WRITE);
}

static bool in_image(const struct blkif *blkif, uint64_t sector, uint64_t n)
{
    uint64_t sectors = block_sectors(blkif->block);

    return n <= sectors && sector <= sectors - n;
}

/* NULL, or what is wrong with the segments. */
static const char *check_segments(struct slot *slot)
{
    slot->bytes = 0;
    for (unsigned i = 0; i < slot->nsegments; i++) {
        const struct blkif_segment *segment = &slot->segment[i];

        if (segment->last >= PAGE_BYTES / BLOCK_SECTOR || segment->first > segment->last)
            return "sectors outside a page";
        slot->bytes += segment_bytes(segment);
    }
    if (!in_image(slot->blkif, slot->sector, slot->bytes / BLOCK_SECTOR))
        return "sectors outside the image";
    return NULL;
}

static void start_data(struct slot *slot)
{
    const char *wrong = check_segments(slot);

    if (wrong)
        refuse(slot, wrong);
    else if (!is_read(slot) && slot->blkif->read_only)
        refuse(slot, "the image is read-only");
    else if (slot->data_follows)
        submit(slot, BLOCK_FLUSH);
    else
        move_data(slot);
}

static void start_direct(struct slot *slot, const struct blkif_fetched *fetched)
{
    if (!fetched->nr_segments || fetched->nr_segments > BLKIF_DIRECT_MAX) {
        refuse(slot, "number of segments");
        return;
    }
    slot->nsegments = fetched->nr_segments;
    memcpy(slot->segment, fetched->segment, slot->nsegments * sizeof(slot->segment[0]));
    start_data(slot);
}

/* The list of segments is in the guest's memory: one copy of it is all that is looked at. */
static int fetch_indirect(struct slot *slot, const uint32_t *ref)
{
    uint8_t raw[BLKIF_SEGMENTS_MAX * BLKIF_SEGMENT_BYTES];
    struct xen_grant_copy piece = {
        .local = raw, .ref = ref[0], .bytes = (uint16_t)(slot->nsegments * BLKIF_SEGMENT_BYTES)};
    uint8_t *page;
    int rc = 0;

    _Static_assert(sizeof(raw) <= PAGE_BYTES, "one page holds all segments of a request");
    if (slot->blkif->grants && !blkif_grants_get(slot->blkif->grants, ref, 1, &page))
        memcpy(raw, page, piece.bytes);
    else
        rc = xen_grant_copy(slot->blkif->xen, &piece, 1, false);
    /* The compiler may not fetch from the page again. */
    __asm__ volatile("" : : "r"(raw) : "memory");
    for (unsigned i = 0; i < slot->nsegments && !rc; i++)
        blkif_decode_segment(raw + (size_t)i * BLKIF_SEGMENT_BYTES, &slot->segment[i]);
    return rc;
}

static void start_indirect(struct slot *slot, const struct blkif_fetched *fetched)
{
    int rc;

    slot->operation = fetched->indirect_op;
    if (slot->operation != BLKIF_OP_READ && slot->operation != BLKIF_OP_WRITE) {
        refuse(slot, "cannot be indirect");
        return;
    }
    if (!fetched->nr_segments || fetched->nr_segments > BLKIF_SEGMENTS_MAX) {
        refuse(slot, "number of indirect segments");
        return;
    }
    slot->nsegments = fetched->nr_segments;
    rc = fetch_indirect(slot, fetched->indirect_ref);
    if (rc)
        answer_error(slot, rc);
    else
        start_data(slot);
}

static void start_discard(struct slot *slot, const struct blkif_fetched *fetched)
{
    struct blkif *blkif = slot->blkif;

    if (!blkif->discard) {
        answer(slot, BLKIF_RSP_EOPNOTSUPP);
        return;
    }
    if (blkif->read_only || !in_image(blkif, fetched->sector, fetched->nr_sectors)) {
        refuse(slot, "sectors outside the image, or an image that is read-only");
        return;
    }
    slot->io.complete = io_completed;
    slot->io.opaque = slot;
    if (block_discard(blkif->block, &slot->io, fetched->sector * BLOCK_SECTOR,
                      fetched->nr_sectors * BLOCK_SECTOR) == BLOCK_DONE)
        io_ended(slot);
}

static void start(struct slot *slot, const struct blkif_fetched *fetched)
{
    slot->id = fetched->id;
    slot->operation = fetched->operation;
    slot->sector = fetched->sector;
    slot->data_follows = false;
    slot->bytes = 0;
    if (!slot->blkif->block) {
        if (slot->operation == BLKIF_OP_INDIRECT)
            slot->operation = fetched->indirect_op;
        answer(slot, BLKIF_RSP_ERROR);
        return;
    }
    switch (slot->operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
        start_direct(slot, fetched);
        break;
    case BLKIF_OP_FLUSH_DISKCACHE:
        /* With data: all that has been answered is made stable first. */
        slot->data_follows = fetched->nr_segments > 0;
        if (slot->data_follows)
            start_direct(slot, fetched);
        else
            submit(slot, BLOCK_FLUSH);
        break;
    case BLKIF_OP_DISCARD:
        start_discard(slot, fetched);
        break;
    case BLKIF_OP_INDIRECT:
        start_indirect(slot, fetched);
        break;
    case BLKIF_OP_WRITE_BARRIER:
        answer(slot, BLKIF_RSP_EOPNOTSUPP); /* not offered */
        break;
    default:
        refuse(slot, "is not known");
        break;
    }
}

/* ---- the ring ------------------------------------------------------------------------------- */

/* Returns whether the one that waited for a buffer has been started (or there is none). */
static bool start_waiting(struct blkif *blkif)
{
    struct slot *slot = blkif->waiting;

    if (!slot)
        return true;
    blkif->waiting = NULL;
    move_data(slot);
    return !blkif->waiting;
}

/* Returns false when there is nothing more to do in this turn. */
static bool serve_one(struct blkif *blkif)
{
    struct blkif_fetched fetched;
    struct slot *slot = blkif->free_slots;
    int rc;

    if (!slot || blkif->waiting)
        return false; /* the end of another one brings us back */
    rc = blkif_ring_fetch(&blkif->ring, &fetched);
    if (rc == 0) {
        blkif->unarmed = blkif_ring_wait(&blkif->ring);
        return blkif->unarmed;
    }
    if (rc < 0) {
        blkif->broken = true;
        log_guest("%s: the ring claims more requests than it has room for: it is left alone",
                  xenbus_name(blkif->dev));
        return false;
    }
    blkif->free_slots = slot->next;
    blkif->in_flight++;
    start(slot, &fetched);
    return true;
}

static void serve(void *opaque)
{
    struct blkif *blkif = opaque;
    unsigned turns = 0;

    if (blkif->held || blkif->broken || blkif->closing)
        return;
    blkif->unarmed = true;
    blkif->serving = true;
    if (start_waiting(blkif))
        while (turns < REQUESTS_A_TURN && serve_one(blkif))
            turns++;
    blkif->serving = false;
    publish(blkif);
    if (turns == REQUESTS_A_TURN)
        loop_defer(blkif->loop, &blkif->work);
}

/* ---- begin and end -------------------------------------------------------------------------- */

static int attach(struct blkif *blkif, const struct blkif_config *config)
{
    void *ring = xen_grant_map(blkif->xen, config->ring_ref, config->ring_pages, true);
    int rc;

    if (!ring) {
        log_guest("%s: cannot map the ring: %s", xenbus_name(blkif->dev), strerror(errno));
        return -EACCES;
    }
    rc =
        blkif_ring_attach(&blkif->ring, ring, (size_t)config->ring_pages * PAGE_BYTES, config->abi);
    if (rc)
        log_guest("%s: %s", xenbus_name(blkif->dev),
                  rc == -EBUSY ? "an earlier process has left the ring with requests of which "
                                 "nobody knows whether they have been answered"
                               : "this is no ring");
    if (!rc && config->persistent)
        rc = blkif_grants_create(&blkif->grants, blkif->xen);
    if (!rc) {
        rc = xenbus_bind(blkif->dev, &blkif->port, config->event_channel, serve, blkif);
        if (rc)
            log_guest("%s: cannot bind event channel %u: %s", xenbus_name(blkif->dev),
                      config->event_channel, strerror(-rc));
    }
    if (rc) {
        blkif_grants_destroy(blkif->grants);
        xen_grant_unmap(blkif->xen, ring, config->ring_pages);
    }
    return rc;
}

int blkif_connect(struct blkif **out, const struct blkif_config *config)
{
    struct blkif *blkif = calloc(1, sizeof(*blkif));
    int rc;

    if (!blkif)
        return -ENOMEM;
    blkif->dev = config->dev;
    blkif->xen = xenbus_xen(config->dev);
    blkif->loop = xenbus_loop(config->dev);
    blkif->ring_pages = config->ring_pages;
    blkif->work = (struct loop_work){.run = serve, .opaque = blkif};
    blkif->block = config->block;
    blkif->read_only = config->read_only;
    blkif->discard = config->discard;
    /* The first ones are taken first: the memory of the others is not touched until needed. */
    for (unsigned i = BLKIF_IN_FLIGHT; i-- > 0;) {
        blkif->slot[i].blkif = blkif;
        blkif->slot[i].next = blkif->free_slots;
        blkif->free_slots = &blkif->slot[i];
    }
    rc = attach(blkif, config);
    if (rc)
        free(blkif);
    else
        *out = blkif;
    return rc;
}

static void detach(struct blkif *blkif)
{
    loop_defer_cancel(blkif->loop, &blkif->work);
    xenbus_unbind(blkif->dev, &blkif->port);
    blkif_grants_destroy(blkif->grants);
    xen_grant_unmap(blkif->xen, blkif->ring.shared, blkif->ring_pages);
}

bool blkif_disconnect(struct blkif *blkif)
{
    blkif->closing = true;
    if (blkif->waiting) {
        struct slot *slot = blkif->waiting;

        blkif->waiting = NULL;
        answer(slot, BLKIF_RSP_ERROR);
    }
    if (blkif->in_flight)
        return false;
    detach(blkif);
    free(blkif);
    return true;
}

void blkif_cancel(struct blkif *blkif)
{
    blkif->closing = true;
    blkif->abandoned = true;
    for (unsigned i = 0; i < BLKIF_IN_FLIGHT; i++)
        block_cancel(&blkif->slot[i].io);
}

void blkif_abandon(struct blkif *blkif)
{
    if (blkif->waiting)
        slot_release(blkif->waiting);
    detach(blkif);
    blkif->detached = true;
    if (!blkif->in_flight)
        free(blkif);
}

void blkif_set_block(struct blkif *blkif, struct block *block, bool read_only)
{
    blkif->block = block;
    blkif->read_only = read_only;
}

void blkif_hold(struct blkif *blkif, bool hold)
{
    blkif->held = hold;
    if (!hold)
        loop_defer(blkif->loop, &blkif->work);
}

bool blkif_busy(const struct blkif *blkif)
{
    return blkif->in_flight > 0;
}
