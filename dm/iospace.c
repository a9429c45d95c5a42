/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports: 65536 bytes that name a region (0: none), so a port access is two loads and a call.
 * Memory: the regions sorted by base, with the last hit remembered, since accesses come in runs.
 */
#include "dm/iospace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dm/log.h"

#define PORTS        65536u
#define PORT_REGIONS 255u /* as many as a byte can name */
#define MMIO_REGIONS 64u
/* Xen keeps at most this many ranges a server and kind, after joining those that touch. */
#define CLAIMS_MAX 256u
/* Guest-physical addresses have at most 52 bits. */
#define MEMORY_END (1ull << 52)

struct iospace {
    struct io_claim_ops claims;
    bool committed;
    uint64_t unclaimed;
    uint8_t port[PORTS];
    struct io_region *port_region[PORT_REGIONS + 1];
    unsigned port_last; /* no region had a higher number so far */
    struct io_region *mmio[MMIO_REGIONS];
    unsigned mmio_count;
    unsigned mmio_hit;
};

int iospace_create(struct iospace **out, const struct io_claim_ops *claims)
{
    struct iospace *io = calloc(1, sizeof(*io));

    if (!io)
        return -ENOMEM;
    if (claims)
        io->claims = *claims;
    *out = io;
    return 0;
}

void iospace_destroy(struct iospace *io)
{
    free(io);
}

uint64_t iospace_unclaimed(const struct iospace *io)
{
    return io->unclaimed;
}

/* ---- look-up -------------------------------------------------------------------------------- */

static struct io_region *find(struct iospace *io, enum io_kind kind, uint64_t addr)
{
    unsigned low, high;

    if (kind == IO_PORT)
        return io->port_region[io->port[addr & (PORTS - 1)]];
    if (io->mmio_hit < io->mmio_count) {
        struct io_region *r = io->mmio[io->mmio_hit];

        if (addr >= r->base && addr - r->base < r->length)
            return r;
    }
    low = 0;
    high = io->mmio_count;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        struct io_region *r = io->mmio[mid];

        if (addr < r->base) {
            high = mid;
        } else if (addr - r->base >= r->length) {
            low = mid + 1;
        } else {
            io->mmio_hit = mid;
            return r;
        }
    }
    return NULL;
}

/* ---- one access ----------------------------------------------------------------------------- */

static uint64_t ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << size * 8) - 1;
}

/* The widest width that the region takes and that fits into `left` bytes; 0 when none does. */
static unsigned part_size(const struct io_region *r, unsigned left)
{
    for (unsigned size = 8; size; size /= 2)
        if (size <= left && (r->ops->sizes & size))
            return size;
    return 0;
}

/* What one handler call can answer of an access, beginning at addr. */
struct part {
    struct io_region *region; /* NULL: one byte that is nobody's */
    uint64_t offset;
    unsigned size;
};

static struct part part_at(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned left)
{
    struct part part = {.size = 1};
    struct io_region *r;

    if (kind == IO_PORT)
        addr %= PORTS;
    r = find(io, kind, addr);
    if (r) {
        part.offset = addr - r->base;
        if (r->length - part.offset < left)
            left = (unsigned)(r->length - part.offset);
        part.size = part_size(r, left);
        part.region = part.size ? r : NULL;
    }
    if (!part.region) {
        io->unclaimed++;
        part.size = 1;
    }
    return part;
}

/* An access that no single handler call can answer: cut where regions end and widths demand. */
static uint64_t read_in_parts(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        struct part p = part_at(io, kind, addr + done, size - done);
        uint64_t v = p.region ? p.region->ops->read(p.region->dev, p.offset, p.size) : UINT64_MAX;

        value |= (v & ones(p.size)) << done * 8;
        done += p.size;
    }
    return value;
}

static void write_in_parts(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size,
                           uint64_t value)
{
    for (unsigned done = 0; done < size;) {
        struct part p = part_at(io, kind, addr + done, size - done);

        if (p.region)
            p.region->ops->write(p.region->dev, p.offset, p.size, value >> done * 8 & ones(p.size));
        done += p.size;
    }
}

static bool valid_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

uint64_t io_read(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size)
{
    struct io_region *r;
    uint64_t offset;

    if (!valid_size(size) || (kind == IO_PORT && addr >= PORTS)) {
        io->unclaimed++;
        return UINT64_MAX;
    }
    r = find(io, kind, addr);
    if (r) {
        offset = addr - r->base;
        if ((r->ops->sizes & size) && r->length - offset >= size)
            return r->ops->read(r->dev, offset, size) & ones(size);
    }
    return read_in_parts(io, kind, addr, size);
}

void io_write(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, uint64_t value)
{
    struct io_region *r;
    uint64_t offset;

    if (!valid_size(size) || (kind == IO_PORT && addr >= PORTS)) {
        io->unclaimed++;
        return;
    }
    value &= ones(size);
    r = find(io, kind, addr);
    if (r) {
        offset = addr - r->base;
        if ((r->ops->sizes & size) && r->length - offset >= size) {
            r->ops->write(r->dev, offset, size, value);
            return;
        }
    }
    write_in_parts(io, kind, addr, size, value);
}

/* ---- strings -------------------------------------------------------------------------------- */

/* How many elements from addr on lie in the region, all of them going upwards. */
static size_t run_length(const struct io_region *r, enum io_kind kind, uint64_t addr, unsigned size,
                         int step, size_t count)
{
    uint64_t left = r->length - (addr - r->base);

    if (left < size || !(r->ops->sizes & size))
        return 0;
    if (kind == IO_PORT)
        return count;
    if (step < 0)
        return 0;
    return left / size < count ? (size_t)(left / size) : count;
}

void io_read_string(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, int step,
                    void *buf, size_t count)
{
    uint8_t *p = buf;

    if (!valid_size(size))
        return;
    while (count) {
        struct io_region *r = kind == IO_PORT && addr >= PORTS ? NULL : find(io, kind, addr);
        size_t done = 0;
        uint64_t value;

        if (r && r->ops->read_many) {
            size_t run = run_length(r, kind, addr, size, step, count);

            if (run)
                done = r->ops->read_many(r->dev, addr - r->base, size, p, run);
            if (done > run)
                done = run;
        }
        if (!done) {
            value = io_read(io, kind, addr, size);
            memcpy(p, &value, size);
            done = 1;
        }
        p += done * size;
        count -= done;
        addr += (uint64_t)((int64_t)step * (int64_t)(done * size));
    }
}

void io_write_string(struct iospace *io, enum io_kind kind, uint64_t addr, unsigned size, int step,
                     const void *buf, size_t count)
{
    const uint8_t *p = buf;

    if (!valid_size(size))
        return;
    while (count) {
        struct io_region *r = kind == IO_PORT && addr >= PORTS ? NULL : find(io, kind, addr);
        size_t done = 0;
        uint64_t value = 0;

        if (r && r->ops->write_many) {
            size_t run = run_length(r, kind, addr, size, step, count);

            if (run)
                done = r->ops->write_many(r->dev, addr - r->base, size, p, run);
            if (done > run)
                done = run;
        }
        if (!done) {
            memcpy(&value, p, size);
            io_write(io, kind, addr, size, value);
            done = 1;
        }
        p += done * size;
        count -= done;
        addr += (uint64_t)((int64_t)step * (int64_t)(done * size));
    }
}

/* ---- registration --------------------------------------------------------------------------- */

static int claim(struct iospace *io, enum io_kind kind, uint64_t start, uint64_t end)
{
    return io->claims.claim ? io->claims.claim(io->claims.opaque, kind, start, end) : 0;
}

static int refuse(const struct io_region *region, const struct io_region *other)
{
    log_guest("%s at %#" PRIx64 "+%#" PRIx64 " overlaps %s at %#" PRIx64 "+%#" PRIx64, region->name,
              region->base, region->length, other->name, other->base, other->length);
    return -EEXIST;
}

/* The registered region with the lowest port at or above `from`, NULL when there is none. */
static struct io_region *port_region_from(const struct iospace *io, uint64_t from)
{
    struct io_region *lowest = NULL;

    for (unsigned id = 1; id <= io->port_last; id++) {
        struct io_region *r = io->port_region[id];

        if (r && r->base >= from && (!lowest || r->base < lowest->base))
            lowest = r;
    }
    return lowest;
}

/* The end of the range that begins with `r` as the hypervisor counts: neighbours that touch are
 * one. */
static uint64_t port_range_end(const struct iospace *io, const struct io_region *r)
{
    uint64_t end = r->base + r->length;

    while (end < PORTS && io->port[end])
        end += io->port_region[io->port[end]]->length;
    return end;
}

static unsigned port_claims(const struct iospace *io)
{
    unsigned n = 0;

    for (unsigned id = 1; id <= io->port_last; id++) {
        const struct io_region *r = io->port_region[id];

        n += r && (r->base == 0 || !io->port[r->base - 1]);
    }
    return n;
}

static int add_port(struct iospace *io, struct io_region *region)
{
    unsigned id;
    int rc;

    if (region->length > PORTS || region->base > PORTS - region->length)
        return -ERANGE;
    for (uint64_t p = region->base; p < region->base + region->length; p++)
        if (io->port[p])
            return refuse(region, io->port_region[io->port[p]]);
    for (id = 1; id <= PORT_REGIONS && io->port_region[id]; id++)
        ;
    if (id > PORT_REGIONS)
        return -ENOSPC;
    if (io->committed) {
        if (port_claims(io) >= CLAIMS_MAX)
            return -ENOSPC;
        rc = claim(io, IO_PORT, region->base, region->base + region->length - 1);
        if (rc)
            return rc;
    }
    io->port_region[id] = region;
    if (id > io->port_last)
        io->port_last = id;
    memset(io->port + region->base, (int)id, region->length);
    return 0;
}

static int add_memory(struct iospace *io, struct io_region *region)
{
    unsigned at;
    int rc;

    if (region->length > MEMORY_END || region->base > MEMORY_END - region->length)
        return -ERANGE;
    for (at = 0; at < io->mmio_count && io->mmio[at]->base < region->base; at++)
        ;
    if (at > 0 && region->base - io->mmio[at - 1]->base < io->mmio[at - 1]->length)
        return refuse(region, io->mmio[at - 1]);
    if (at < io->mmio_count && io->mmio[at]->base - region->base < region->length)
        return refuse(region, io->mmio[at]);
    if (io->mmio_count == MMIO_REGIONS)
        return -ENOSPC;
    if (io->committed) {
        rc = claim(io, IO_MEMORY, region->base, region->base + region->length - 1);
        if (rc)
            return rc;
    }
    memmove(&io->mmio[at + 1], &io->mmio[at], (io->mmio_count - at) * sizeof(io->mmio[0]));
    io->mmio[at] = region;
    io->mmio_count++;
    return 0;
}

int iospace_add(struct iospace *io, struct io_region *region)
{
    int rc;

    if (region->active || region->length == 0)
        return -EINVAL;
    rc = region->kind == IO_PORT ? add_port(io, region) : add_memory(io, region);
    region->active = rc == 0;
    return rc;
}

void iospace_remove(struct iospace *io, struct io_region *region)
{
    if (!region->active)
        return;
    region->active = false;
    if (region->kind == IO_PORT) {
        io->port_region[io->port[region->base]] = NULL;
        memset(io->port + region->base, 0, region->length);
    } else {
        unsigned at;

        for (at = 0; io->mmio[at] != region; at++)
            ;
        io->mmio_count--;
        memmove(&io->mmio[at], &io->mmio[at + 1], (io->mmio_count - at) * sizeof(io->mmio[0]));
    }
    if (io->committed && io->claims.release) {
        int rc = io->claims.release(io->claims.opaque, region->kind, region->base,
                                    region->base + region->length - 1);

        /* -ESRCH: the domain is gone, and its ranges with it. */
        if (rc && rc != -ESRCH)
            log_warn("cannot release %s at %#" PRIx64 ": %s", region->name, region->base,
                     strerror(-rc));
    }
}

int iospace_commit(struct iospace *io)
{
    struct io_region *r;
    int rc;

    if (io->committed)
        return 0;
    for (uint64_t p = 0; (r = port_region_from(io, p));) {
        p = port_range_end(io, r);
        rc = claim(io, IO_PORT, r->base, p - 1);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < io->mmio_count;) {
        uint64_t start = io->mmio[i]->base;
        uint64_t end = start + io->mmio[i]->length;

        for (i++; i < io->mmio_count && io->mmio[i]->base == end; i++)
            end += io->mmio[i]->length;
        rc = claim(io, IO_MEMORY, start, end - 1);
        if (rc)
            return rc;
    }
    io->committed = true;
    return 0;
}
