/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of guest mappings.
 *
 * A bucket is BUCKET_FRAMES frames in a row, mapped at once, with one bit for each frame that
 * exists. Buckets are small, so that a scattered transfer maps and pins little beside what it
 * needs. All of them together are 256 MiB: the page cache of a small guest, or the part of a large
 * one's that its disks are busy with, and many times what two transfers pin (a channel's largest
 * is 1280 KiB under Linux, in single pages 320 buckets). Not more, since a dom0 with a physical
 * address map of its own has to find an unused frame number for every foreign frame.
 */
#include "dm/guestmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_FRAMES 16u
#define BUCKET_BYTES  (BUCKET_FRAMES * GUEST_PAGE_SIZE)
#define BUCKETS       4096u
#define HASH_SIZE     4096u
#define NO_BUCKET     UINT64_MAX
/* Guest-physical addresses have at most 52 bits. */
#define GPA_END (1ull << 52)

struct bucket {
    uint64_t index; /* gfn / BUCKET_FRAMES; NO_BUCKET: the slot is free */
    uint8_t *addr;
    struct bucket *hash_next;
    uint32_t pins;
    uint16_t valid; /* a bit a frame */
    bool used;      /* since the hand came by */
    bool stale;     /* no longer to be found; unmapped with the last pin */
};

struct guest_sg_ref {
    struct bucket *bucket;
    uint64_t gfn;
    uint32_t frames;
};

struct guestmem {
    struct guestmem_ops ops;
    struct bucket *hash[HASH_SIZE];
    struct bucket *last;
    unsigned hand;
    bool log_dirty;
    size_t mapped; /* buckets */
    struct bucket bucket[BUCKETS];
};

int guestmem_create(struct guestmem **out, const struct guestmem_ops *ops)
{
    struct guestmem *mem = calloc(1, sizeof(*mem));

    if (!mem)
        return -ENOMEM;
    mem->ops = *ops;
    *out = mem;
    return 0;
}

size_t guestmem_mapped_frames(const struct guestmem *mem)
{
    return mem->mapped * BUCKET_FRAMES;
}

/* ---- buckets -------------------------------------------------------------------------------- */

static struct bucket **hash_head(struct guestmem *mem, uint64_t index)
{
    return &mem->hash[index % HASH_SIZE];
}

static void unmap_bucket(struct guestmem *mem, struct bucket *b)
{
    mem->ops.unmap(mem->ops.opaque, b->addr, BUCKET_FRAMES);
    mem->mapped--;
    b->addr = NULL;
    b->stale = false;
}

/* Not to be found any more; its mapping goes now or with its last pin. */
static void forget_bucket(struct guestmem *mem, struct bucket *b)
{
    for (struct bucket **p = hash_head(mem, b->index); *p; p = &(*p)->hash_next) {
        if (*p == b) {
            *p = b->hash_next;
            break;
        }
    }
    if (mem->last == b)
        mem->last = NULL;
    b->index = NO_BUCKET;
    b->stale = true;
    if (b->pins == 0)
        unmap_bucket(mem, b);
}

static void unpin_bucket(struct guestmem *mem, struct bucket *b)
{
    if (--b->pins == 0 && b->stale)
        unmap_bucket(mem, b);
}

/* A slot for a new mapping: a free one, or the one not used for longest (second chance). */
static struct bucket *free_slot(struct guestmem *mem)
{
    for (unsigned n = 0; n < 2 * BUCKETS; n++) {
        struct bucket *b = &mem->bucket[mem->hand];

        mem->hand = (mem->hand + 1) % BUCKETS;
        if (!b->addr)
            return b;
        if (b->pins)
            continue;
        if (b->used) {
            b->used = false;
            continue;
        }
        forget_bucket(mem, b);
        return b;
    }
    return NULL;
}

static struct bucket *map_bucket(struct guestmem *mem, uint64_t index)
{
    uint64_t gfn[BUCKET_FRAMES];
    int err[BUCKET_FRAMES];
    struct bucket *b = free_slot(mem);

    if (!b)
        return NULL;
    for (unsigned i = 0; i < BUCKET_FRAMES; i++) {
        gfn[i] = index * BUCKET_FRAMES + i;
        err[i] = -EINVAL;
    }
    b->addr = mem->ops.map(mem->ops.opaque, gfn, BUCKET_FRAMES, err);
    if (!b->addr)
        return NULL;
    b->valid = 0;
    for (unsigned i = 0; i < BUCKET_FRAMES; i++)
        if (err[i] == 0)
            b->valid |= (uint16_t)(1u << i);
    b->index = index;
    b->stale = false;
    b->hash_next = *hash_head(mem, index);
    *hash_head(mem, index) = b;
    mem->mapped++;
    return b;
}

/*
 * The bucket that holds this frame, mapped and existing, or NULL. A frame that was missing when
 * its bucket was mapped may have been ballooned in since: one new attempt.
 */
static struct bucket *bucket_of(struct guestmem *mem, uint64_t gfn)
{
    uint64_t index = gfn / BUCKET_FRAMES;
    uint16_t bit = (uint16_t)(1u << gfn % BUCKET_FRAMES);
    struct bucket *b = mem->last;

    if (!b || b->index != index)
        for (b = *hash_head(mem, index); b && b->index != index; b = b->hash_next)
            ;
    if (b && !(b->valid & bit)) {
        forget_bucket(mem, b);
        b = NULL;
    }
    if (!b)
        b = map_bucket(mem, index);
    if (!b || !(b->valid & bit))
        return NULL;
    b->used = true;
    mem->last = b;
    return b;
}

void guestmem_invalidate(struct guestmem *mem)
{
    for (unsigned i = 0; mem->mapped && i < BUCKETS; i++)
        if (mem->bucket[i].addr && !mem->bucket[i].stale)
            forget_bucket(mem, &mem->bucket[i]);
}

void guestmem_destroy(struct guestmem *mem)
{
    if (!mem)
        return;
    guestmem_invalidate(mem);
    free(mem);
}

/* ---- log-dirty ------------------------------------------------------------------------------ */

void guestmem_set_log_dirty(struct guestmem *mem, bool on)
{
    mem->log_dirty = on;
}

static void report(struct guestmem *mem, uint64_t gfn, uint64_t frames)
{
    if (mem->log_dirty && frames)
        mem->ops.modified(mem->ops.opaque, gfn, frames);
}

void guestmem_written(struct guestmem *mem, uint64_t gpa, uint64_t len)
{
    uint64_t first = gpa >> GUEST_PAGE_SHIFT;

    if (len)
        report(mem, first, ((gpa + len - 1) >> GUEST_PAGE_SHIFT) - first + 1);
}

/* ---- copies --------------------------------------------------------------------------------- */

static bool valid_range(uint64_t gpa, size_t len)
{
    return gpa < GPA_END && len <= GPA_END - gpa;
}

int guestmem_read(struct guestmem *mem, uint64_t gpa, void *buf, size_t len)
{
    uint8_t *p = buf;
    int rc = 0;

    if (!valid_range(gpa, len)) {
        memset(buf, 0xff, len);
        return -EFAULT;
    }
    while (len) {
        size_t in_page = GUEST_PAGE_SIZE - gpa % GUEST_PAGE_SIZE;
        size_t n = len < in_page ? len : in_page;
        struct bucket *b = bucket_of(mem, gpa >> GUEST_PAGE_SHIFT);

        if (b) {
            memcpy(p, b->addr + gpa % BUCKET_BYTES, n);
        } else {
            memset(p, 0xff, n);
            rc = -EFAULT;
        }
        p += n;
        gpa += n;
        len -= n;
    }
    return rc;
}

int guestmem_write(struct guestmem *mem, uint64_t gpa, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    int rc = 0;

    if (!valid_range(gpa, len))
        return -EFAULT;
    while (len) {
        size_t in_page = GUEST_PAGE_SIZE - gpa % GUEST_PAGE_SIZE;
        size_t n = len < in_page ? len : in_page;
        struct bucket *b = bucket_of(mem, gpa >> GUEST_PAGE_SHIFT);

        if (b) {
            memcpy(b->addr + gpa % BUCKET_BYTES, p, n);
            report(mem, gpa >> GUEST_PAGE_SHIFT, 1);
        } else {
            rc = -EFAULT;
        }
        p += n;
        gpa += n;
        len -= n;
    }
    return rc;
}

/* ---- scatter/gather ------------------------------------------------------------------------- */

int guest_sg_init(struct guest_sg *sg, struct guestmem *mem, unsigned max)
{
    *sg = (struct guest_sg){.mem = mem, .capacity = max};
    /* One block for both. */
    sg->iov = calloc(max, sizeof(*sg->iov) + sizeof(*sg->refs));
    if (!sg->iov) {
        *sg = (struct guest_sg){0};
        return -ENOMEM;
    }
    sg->refs = (struct guest_sg_ref *)(sg->iov + max);
    return 0;
}

/* Pins the piece of [gpa, gpa + len) that lies in gpa's bucket; returns its bytes or -errno. */
static ssize_t add_piece(struct guest_sg *sg, uint64_t gpa, size_t len)
{
    uint64_t gfn = gpa >> GUEST_PAGE_SHIFT;
    size_t in_bucket = BUCKET_BYTES - gpa % BUCKET_BYTES;
    struct bucket *b;
    uint64_t last;
    unsigned mask;

    if (sg->niov == sg->capacity)
        return -E2BIG;
    if (len > in_bucket)
        len = in_bucket;
    last = (gpa + len - 1) >> GUEST_PAGE_SHIFT;
    b = bucket_of(sg->mem, gfn);
    if (!b)
        return -EFAULT;
    mask = ((1u << (last - gfn + 1)) - 1) << gfn % BUCKET_FRAMES;
    if ((b->valid & mask) != mask) {
        /* Perhaps ballooned in since: look at the missing one, which maps the bucket anew. */
        b = bucket_of(sg->mem, gfn - gfn % BUCKET_FRAMES +
                                   (unsigned)__builtin_ctz(mask & ~(unsigned)b->valid));
        if (!b || (b->valid & mask) != mask)
            return -EFAULT;
    }
    b->pins++;
    sg->refs[sg->niov] = (struct guest_sg_ref){b, gfn, (uint32_t)(last - gfn + 1)};
    sg->iov[sg->niov] = (struct iovec){b->addr + gpa % BUCKET_BYTES, len};
    sg->niov++;
    sg->bytes += len;
    return (ssize_t)len;
}

static void drop_pieces(struct guest_sg *sg, unsigned from)
{
    while (sg->niov > from) {
        sg->niov--;
        sg->bytes -= sg->iov[sg->niov].iov_len;
        unpin_bucket(sg->mem, sg->refs[sg->niov].bucket);
    }
}

int guest_sg_add(struct guest_sg *sg, uint64_t gpa, size_t len)
{
    unsigned before = sg->niov;

    if (!valid_range(gpa, len))
        return -EFAULT;
    while (len) {
        ssize_t n = add_piece(sg, gpa, len);

        if (n < 0) {
            drop_pieces(sg, before);
            return (int)n;
        }
        gpa += (size_t)n;
        len -= (size_t)n;
    }
    return 0;
}

void guest_sg_release(struct guest_sg *sg, bool written)
{
    if (written)
        for (unsigned i = 0; i < sg->niov; i++)
            report(sg->mem, sg->refs[i].gfn, sg->refs[i].frames);
    drop_pieces(sg, 0);
    sg->bytes = 0;
}

void guest_sg_fini(struct guest_sg *sg)
{
    if (!sg->mem)
        return;
    guest_sg_release(sg, false);
    free(sg->iov);
    *sg = (struct guest_sg){0};
}
