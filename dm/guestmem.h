/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as devices reach it: RAM only, never a device's registers.
 *
 * Frames are mapped a bucket at a time into a bounded cache. Frames that do not exist (holes,
 * ballooned out) give -EFAULT and are never touched. While log-dirty is on, every frame written
 * here is reported, after the write.
 */
#ifndef DM_GUESTMEM_H
#define DM_GUESTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE  (1u << GUEST_PAGE_SHIFT)

struct guestmem_ops {
    /* Map n frames in a row, read/write; err[i] is 0 or -errno for each. NULL when none could be.
     */
    void *(*map)(void *opaque, const uint64_t *gfns, size_t n, int *err);
    void (*unmap)(void *opaque, void *addr, size_t n);
    void (*modified)(void *opaque, uint64_t first_gfn, uint64_t n);
    void *opaque;
};

struct guestmem;

/* Returns 0 or -errno. */
int guestmem_create(struct guestmem **out, const struct guestmem_ops *ops);
void guestmem_destroy(struct guestmem *mem);

/*
 * Copy; any length, any alignment. 0, or -EFAULT when some frame is missing: then the missing parts
 * read as ones and writes to them are dropped, as on a bus, and the rest has been done.
 */
int guestmem_read(struct guestmem *mem, uint64_t gpa, void *buf, size_t len);
int guestmem_write(struct guestmem *mem, uint64_t gpa, const void *buf, size_t len);

/*
 * A list of pieces of guest memory for one transfer, mapped until it is released, so that a read
 * or write system call can work on it directly, on any thread.
 */
struct guest_sg {
    struct iovec *iov;
    unsigned niov;
    size_t bytes;
    /* private */
    struct guestmem *mem;
    struct guest_sg_ref *refs;
    unsigned capacity;
};

/* At most `max` pieces (a piece is cut where a bucket ends). Returns 0 or -ENOMEM. */
int guest_sg_init(struct guest_sg *sg, struct guestmem *mem, unsigned max);
/* 0; -EFAULT: a frame is missing; -E2BIG: more pieces than max. On error nothing is added. */
int guest_sg_add(struct guest_sg *sg, uint64_t gpa, size_t len);
/* Lets go; `written` says that guest memory was written through it (reports it while log-dirty). */
void guest_sg_release(struct guest_sg *sg, bool written);
/* Frees what guest_sg_init() took; releases first when needed. */
void guest_sg_fini(struct guest_sg *sg);

/* The guest's memory map has changed: forget every mapping (pinned ones when they are let go). */
void guestmem_invalidate(struct guestmem *mem);

/* Whether writes are to be reported (live migration). */
void guestmem_set_log_dirty(struct guestmem *mem, bool on);

/* Somebody has written guest memory by a mapping of their own: report it if writes are reported. */
void guestmem_written(struct guestmem *mem, uint64_t gpa, uint64_t len);

/* Frames mapped now, for tests and statistics. */
size_t guestmem_mapped_frames(const struct guestmem *mem);

#endif
