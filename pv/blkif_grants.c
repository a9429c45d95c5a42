/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pv/blkif_grants.h"

#include <errno.h>
#include <stdlib.h>

#include "pv/blkif.h"

#define PAGE_BYTES 4096u
/* Never more than about half full: chains stay short. A power of two. */
#define TABLE_SIZE 2048u

_Static_assert(BLKIF_GRANTS_MAX < TABLE_SIZE, "there is always a free entry: searches end");

/* What one call has mapped. */
struct mapping {
    uint8_t *addr;
    unsigned pages;
};

struct entry {
    uint8_t *page; /* NULL: free */
    uint32_t ref;
};

struct blkif_grants {
    struct xen *xen;
    unsigned pages;
    unsigned mappings;
    struct entry table[TABLE_SIZE]; /* open addressing, nothing is ever taken out */
    struct mapping mapping[BLKIF_GRANTS_MAX];
};

int blkif_grants_create(struct blkif_grants **out, struct xen *xen)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    (*out)->xen = xen;
    return 0;
}

void blkif_grants_destroy(struct blkif_grants *grants)
{
    if (!grants)
        return;
    for (unsigned i = 0; i < grants->mappings; i++)
        xen_grant_unmap(grants->xen, grants->mapping[i].addr, grants->mapping[i].pages);
    free(grants);
}

/* The entry of this page, or the free one where it would stand. */
static struct entry *find(struct blkif_grants *grants, uint32_t ref)
{
    /* Fibonacci hashing: consecutive references, the usual case, spread over the table. */
    uint32_t i = (ref * 0x9e3779b1u) >> 21;

    while (grants->table[i].page && grants->table[i].ref != ref)
        i = (i + 1) % TABLE_SIZE;
    return &grants->table[i];
}

static int map_new(struct blkif_grants *grants, const uint32_t *ref, unsigned n)
{
    uint8_t *addr;

    if (n > BLKIF_GRANTS_MAX - grants->pages)
        return -ENOSPC;
    addr = xen_grant_map(grants->xen, ref, n, true);
    if (!addr)
        return -EACCES;
    grants->mapping[grants->mappings++] = (struct mapping){addr, n};
    grants->pages += n;
    for (unsigned i = 0; i < n; i++)
        *find(grants, ref[i]) = (struct entry){addr + (size_t)i * PAGE_BYTES, ref[i]};
    return 0;
}

int blkif_grants_get(struct blkif_grants *grants, const uint32_t *ref, unsigned n, uint8_t **page)
{
    uint32_t missing[BLKIF_SEGMENTS_MAX];
    unsigned nmissing = 0;
    int rc;

    for (unsigned i = 0; i < n; i++) {
        page[i] = find(grants, ref[i])->page;
        if (!page[i])
            missing[nmissing++] = ref[i];
    }
    if (!nmissing)
        return 0;
    rc = map_new(grants, missing, nmissing);
    for (unsigned i = 0; i < n && !rc; i++)
        page[i] = find(grants, ref[i])->page;
    return rc;
}
