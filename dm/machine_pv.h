/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paravirtual back ends that the toolstack leaves to the device model. They need grants and
 * xenstore, which a device model that is restricted to its domain (-xen-domid-restrict) does not
 * have: their directories are closed then, so that no guest waits for them, and the emulated disks
 * with the same images stay although the guest asks for their unplug.
 */
#ifndef DM_MACHINE_PV_H
#define DM_MACHINE_PV_H

#include "dm/dm.h"

struct machine_pv;

/*
 * Before the images are opened: which of them the guest has as paravirtual disks, too (in
 * dm->drive[]). Returns 0 or -errno after logging why.
 */
int machine_pv_find(struct dm *dm);
/* After that and before the seal: handles and images. 0, or -errno after logging why. */
int machine_pv_open(struct dm *dm);
/* The guest may run: directories are served from here on. */
void machine_pv_start(struct dm *dm);
/* After the devices; NULL is allowed, as in the rest. */
void machine_pv_close(struct machine_pv *pv);

/* An event of xenstore; returns whether it was one of the back ends'. */
bool machine_pv_watch_event(struct machine_pv *pv, const char *token);
/* Whether the emulated disk with this image is all that the guest has of it: it has to stay. */
bool machine_pv_is_unserved(const struct machine_pv *pv, const char *path);
void machine_pv_set_running(struct machine_pv *pv, bool running);
bool machine_pv_busy(const struct machine_pv *pv);
/* The image of the disk with this path, or NULL: when the emulated one has been unplugged. */
struct block *machine_pv_block(struct machine_pv *pv, const char *path);
/* Its size has changed. */
void machine_pv_resized(struct machine_pv *pv, const struct block *block);
/* Makes finished writes of all disks stable; blocks. Returns 0 or the first -errno. */
int machine_pv_flush(struct machine_pv *pv);

#endif
