/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images behind the drives of the command line, while the machine has them. */
#ifndef DM_DRIVES_H
#define DM_DRIVES_H

#include "dm/dm.h"

/*
 * Keeps other writers out of all images, or lets them in again: of a saved machine, the images
 * belong to the one that goes on with its state. 0, or -errno after logging whose image it is.
 */
int drives_lock(struct dm *dm, bool locked);

/* Requests that an error of the storage has stopped: once more, or back to the devices. */
void drives_retry(struct dm *dm);
void drives_give_up(struct dm *dm);

/* The image that a drive has now, or NULL. */
struct block *drives_block(struct dm *dm, unsigned drive);

/*
 * ide_unplug(), after which a paravirtual disk may go on with the image: without the lock, as the
 * toolstack's other back ends, and with errors told to the guest.
 */
int drives_unplug(struct dm *dm, uint32_t mask);

/* See toolstack/qmp_ops.h. */
struct qmp_reply;
void drives_resize(void *dm, const char *drive, uint64_t bytes, struct qmp_reply *reply);

#endif
