/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connected block ring: requests are fetched, checked, carried out on the image, answered.
 *
 *     event ─▶ fetch (copied once) ─▶ segments (those of indirect pages are copied once, too)
 *                 │                        │ checked: count, sectors 0..7, range of the image
 *                 │                        ▼
 *                 │        persistent grants: the image reads and writes the guest's pages
 *                 │        other grants:      a buffer, copied by the hypervisor
 *                 ▼                        ▼
 *            32 in one turn          block_submit() ─▶ answer ─▶ response, notification if wanted
 *
 * At most BLKIF_IN_FLIGHT requests and BLKIF_BUFFER_BYTES of buffers are in use at a time; the rest
 * waits in the ring, where it costs nothing. A ring whose indexes make no sense is left alone
 * until the front end makes a new one.
 */
#ifndef PV_BLKIF_H
#define PV_BLKIF_H

#include "block/block.h"
#include "pv/blkif_ring.h"
#include "pv/xenbus.h"

#define BLKIF_SEGMENTS_MAX 128u /* what feature-max-indirect-segments promises: 512 KiB */
#define BLKIF_RING_ORDER   4u   /* max-ring-page-order */
#define BLKIF_IN_FLIGHT    32u
#define BLKIF_BUFFER_BYTES (4u << 20)

struct blkif;

struct blkif_config {
    struct xenbus_device *dev; /* outlives it */
    uint32_t ring_ref[1u << BLKIF_RING_ORDER];
    unsigned ring_pages;
    uint32_t event_channel;
    enum blkif_abi abi;
    bool persistent;
    struct block *block; /* the owner's; NULL: no medium, requests fail */
    bool read_only;
    bool discard; /* offered: others get BLKIF_RSP_EOPNOTSUPP */
};

/* Maps the ring and begins to serve it. Returns 0 or -errno. */
int blkif_connect(struct blkif **out, const struct blkif_config *config);

/*
 * Takes no more requests. True: nothing is in flight, all is unmapped and freed. False: when the
 * last one has ended, xenbus_disconnected() is called; then again.
 */
bool blkif_disconnect(struct blkif *blkif);

/*
 * The end of the process: what is in flight gets no answer any more. The image has to be closed
 * between the two calls, so that no worker touches guest memory any more.
 */
void blkif_cancel(struct blkif *blkif);
void blkif_abandon(struct blkif *blkif);

/* Another medium from here on; what is in flight goes on with the old one. */
void blkif_set_block(struct blkif *blkif, struct block *block, bool read_only);

void blkif_hold(struct blkif *blkif, bool hold);
bool blkif_busy(const struct blkif *blkif);

#endif
