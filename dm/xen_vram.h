/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Video memory on Xen: frames of the guest that the device model adds to it. */
#ifndef DM_XEN_VRAM_H
#define DM_XEN_VRAM_H

#include "dm/guestmem.h"
#include "hw/vga/vram.h"
#include "xen/xenif.h"

struct xen_vram;

struct xen_vram_config {
    uint64_t size;         /* bytes */
    uint64_t ram_bytes;    /* the guest's RAM without video memory */
    uint64_t ram_below_4g; /* where its low part ends at the latest */
    bool restored;         /* the frames have come with the guest: see vram.h */
};

/* Returns 0 or -errno with err set. `mem` is told of writes; both outlive the video memory. */
int xen_vram_create(struct xen_vram **out, struct xen *xen, struct guestmem *mem,
                    const struct xen_vram_config *config, char *err, size_t err_size);
/* Unmaps; the frames stay the guest's. */
void xen_vram_destroy(struct xen_vram *vram);

struct vram *xen_vram_interface(struct xen_vram *vram);

#endif
