/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only door to Xen: one thin function a need, on the stable libraries alone.
 *
 * All functions return 0 (or a value >= 0) or -errno. -ESRCH mostly means that the domain is gone.
 * Not thread-safe: device thread only, but for xen_map_frames() and xen_unmap_frames().
 */
#ifndef XEN_XENIF_H
#define XEN_XENIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xen;

/* Opens every handle for this domain. On failure err says which one, and why. */
int xen_open(struct xen **out, unsigned domid, char *err, size_t err_size);
/* xenstore alone, for reading what there is. 0 or -errno. */
int xen_open_store(struct xen **out, unsigned domid);
void xen_close(struct xen *xen);
unsigned xen_domid(const struct xen *xen);

/* Limits every handle to the domain; hypercalls, grants and xenstore are gone afterwards. */
int xen_restrict(struct xen *xen);

/* ---- ioreq server --------------------------------------------------------------------------- */

/* The two pages the hypervisor shares with a server. */
struct xen_ioreq_pages {
    void *ring;         /* one page: struct buffered_iopage */
    void *slots;        /* one page: 128 ioreq_t, indexed by vCPU */
    uint32_t ring_port; /* the ring's event channel, guest side */
    bool by_gfn;        /* mapped the old way: must be mapped before the server is enabled */
    void *resource;     /* private */
};

/* A server with the atomic buffered ring; *id is what to name it by. */
int xen_ioreq_create(struct xen *xen, uint16_t *id);
int xen_ioreq_destroy(struct xen *xen, uint16_t id);
/* Maps both pages: by resource, or by gfn where the kernel or hypervisor has no resources. */
int xen_ioreq_map(struct xen *xen, uint16_t id, struct xen_ioreq_pages *pages);
void xen_ioreq_unmap(struct xen *xen, struct xen_ioreq_pages *pages);
int xen_ioreq_enable(struct xen *xen, uint16_t id, bool enable);

/* The range's end is inclusive. */
int xen_ioreq_claim(struct xen *xen, uint16_t id, bool memory, uint64_t start, uint64_t end);
int xen_ioreq_release(struct xen *xen, uint16_t id, bool memory, uint64_t start, uint64_t end);
int xen_ioreq_claim_pci(struct xen *xen, uint16_t id, uint8_t devfn);
int xen_ioreq_release_pci(struct xen *xen, uint16_t id, uint8_t devfn);

/* How many vCPUs the domain was built with; -ENOSYS where the library cannot tell. */
int xen_nr_vcpus(struct xen *xen, unsigned *n);

/* ---- event channels ------------------------------------------------------------------------- */

int xen_evtchn_fd(struct xen *xen);
/* Returns the local port. Raises an event on it at once. */
int xen_evtchn_bind(struct xen *xen, uint32_t remote_port);
int xen_evtchn_unbind(struct xen *xen, uint32_t port);
/* The next port that has an event, masked from now on; -EAGAIN when there is none. */
int xen_evtchn_pending(struct xen *xen);
int xen_evtchn_unmask(struct xen *xen, uint32_t port);
int xen_evtchn_notify(struct xen *xen, uint32_t port);

/* ---- interrupts ----------------------------------------------------------------------------- */

int xen_set_isa_irq(struct xen *xen, uint8_t irq, bool level);
int xen_set_pci_intx(struct xen *xen, uint8_t device, uint8_t pin, bool level);
int xen_set_pci_link_route(struct xen *xen, uint8_t link, uint8_t irq);

/* ---- memory --------------------------------------------------------------------------------- */

/*
 * Maps n frames in a row, read and write. err[i] says how it went for each; a frame that failed
 * must not be touched. NULL with errno set when nothing could be mapped.
 */
void *xen_map_frames(struct xen *xen, const uint64_t *gfns, size_t n, int *err);
void xen_unmap_frames(struct xen *xen, void *addr, size_t n);
/* Frames that the device model has written, for live migration. */
int xen_modified(struct xen *xen, uint64_t first_gfn, uint64_t n);
/* New RAM at frames that were empty; -ENOMEM when the domain may not have more. */
int xen_populate(struct xen *xen, uint64_t first_gfn, uint64_t n);
int xen_depopulate(struct xen *xen, uint64_t first_gfn, uint64_t n);
/* Moves frames; the two ranges must not overlap, and the destination must be empty. */
int xen_relocate(struct xen *xen, uint64_t src_gfn, uint64_t dst_gfn, uint64_t n);
/* Write-back caching for frames [first, last]; off with the same bounds. */
int xen_pin_write_back(struct xen *xen, uint64_t first_gfn, uint64_t last_gfn, bool on);
/*
 * Which of n frames the guest has written since the last call, frame i in bit i; (n + 7) / 8 bytes
 * are written. One range at a time: the first call for a range begins to follow it and says "all"
 * (or -ENODATA, which means the same). n = 0 ends it. Each call stops the guest for a moment.
 */
int xen_track_dirty(struct xen *xen, uint64_t first_gfn, uint32_t n, void *bitmap);
int xen_set_read_only(struct xen *xen, uint64_t first_gfn, uint64_t n, bool read_only);

/* ---- the domain ----------------------------------------------------------------------------- */

enum xen_shutdown { XEN_POWEROFF = 0, XEN_REBOOT = 1, XEN_SUSPEND = 2, XEN_CRASH = 3 };
int xen_shutdown(struct xen *xen, enum xen_shutdown reason);
/* HVM_PARAM_ACPI_S_STATE: 3 puts the domain to sleep, 0 wakes it. */
int xen_set_s_state(struct xen *xen, unsigned s_state);
/* The same: its value, or -errno. */
int xen_get_s_state(struct xen *xen);

/* ---- xenstore ------------------------------------------------------------------------------- */

/* Paths are absolute, or relative to the home of the device model's domain. */
int xen_store_write(struct xen *xen, const char *path, const char *value);
/* Removes a node with all below it; 0 also when there is none. */
int xen_store_remove(struct xen *xen, const char *path);
/* The value, to be freed; NULL when there is none. */
char *xen_store_read(struct xen *xen, const char *path);
/* The names below a path, freed all at once with free(); NULL when there are none. */
char **xen_store_directory(struct xen *xen, const char *path, unsigned *count);
/* Watch a path; events come through xen_store_fd() and xen_store_next(). */
int xen_store_watch(struct xen *xen, const char *path, const char *token);
/* Events that are already on their way still come. */
int xen_store_unwatch(struct xen *xen, const char *path, const char *token);
int xen_store_fd(struct xen *xen);
/* The token of the next event into token; -EAGAIN when there is none. */
int xen_store_next(struct xen *xen, char *token, size_t size);
/* Whether the domain is still there. */
bool xen_domain_exists(struct xen *xen);

#endif
