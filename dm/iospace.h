/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O space: which device answers which port or physical address.
 *
 * Ports dispatch through a table indexed by port, memory through a sorted list. A handler gets
 * offsets from its region's base, only widths that it declares (others are split into the widest
 * declared ones that fit, lowest address first, as a bus does it), and never an access that leaves
 * its region. Whatever nobody answers reads as ones; writes to it are dropped.
 */
#ifndef DM_IOSPACE_H
#define DM_IOSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum io_kind { IO_PORT, IO_MEMORY };

struct io_ops {
    /* Little-endian value of `size` bytes at `offset`; bits above the size are ignored. */
    uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
    /* Bits of `value` above the size are zero. */
    void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
    uint8_t sizes; /* OR of the widths in bytes that read and write take: 1|2|4|8 */

    /*
     * String I/O (`rep insw`, `rep movs`, ...) as one call. `count` elements of `size` bytes, a
     * declared width. For ports the offset stays; for memory element i is at offset + i * size.
     * Returns how many elements it has moved from the first on; 0 when it would rather be called
     * one by one. May be NULL.
     */
    size_t (*read_many)(void *dev, uint64_t offset, unsigned size, void *buf, size_t count);
    size_t (*write_many)(void *dev, uint64_t offset, unsigned size, const void *buf, size_t count);
};

/* The region belongs to the device and must live until iospace_remove(). */
struct io_region {
    const char *name;
    enum io_kind kind;
    uint64_t base;
    uint64_t length; /* bytes; > 0 */
    const struct io_ops *ops;
    void *dev;
    bool active; /* private: registered now */
};

/* How claimed ranges reach the hypervisor; end is inclusive. Returns 0 or -errno. */
struct io_claim_ops {
    int (*claim)(void *opaque, enum io_kind kind, uint64_t start, uint64_t end);
    int (*release)(void *opaque, enum io_kind kind, uint64_t start, uint64_t end);
    void *opaque;
};

struct iospace;

/* `claims` may be NULL (tests). Returns 0 or -errno. */
int iospace_create(struct iospace **out, const struct io_claim_ops *claims);
void iospace_destroy(struct iospace *io);

/*
 * Registers a region. -EEXIST when it overlaps another (its name is logged), -ERANGE when it is
 * outside the space, -ENOSPC when the hypervisor's limit of ranges would be exceeded.
 * Before iospace_commit() ranges are only collected.
 */
int iospace_add(struct iospace *io, struct io_region *region);
void iospace_remove(struct iospace *io, struct io_region *region);

/* Claims all that has been added, adjacent regions merged; later changes go through one by one. */
int iospace_commit(struct iospace *io);

/* One access of 1, 2, 4 or 8 bytes. Never fails: see above for what nobody answers. */
uint64_t io_read(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size);
void io_write(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, uint64_t value);

/*
 * `count` elements; `step` is +1 or -1 elements an element for memory, and 0 for ports. The buffer
 * is in the order of transfer. Uses read_many/write_many where a whole run lies in one region.
 */
void io_read_string(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, int step,
                    void *buf, size_t count);
void io_write_string(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, int step,
                     const void *buf, size_t count);

/* Accesses that nobody answered so far. */
uint64_t iospace_unclaimed(const struct iospace *io);

#endif
