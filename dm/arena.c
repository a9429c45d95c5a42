/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of the memfd, which describes itself so that another process can find its objects:
 * a header, a directory of fixed size, then the objects, each on a cache line of its own.
 */
#include "dm/arena.h"
#include "dm/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_MAGIC   0x616e657261646d73ull /* "smdarena" */
#define ARENA_VERSION 1u
#define ARENA_OBJECTS 192u
#define ARENA_ALIGN   64u

struct arena_entry {
    char name[ARENA_NAME_MAX];
    char kind[ARENA_NAME_MAX];
    uint32_t version;
    uint32_t offset;
    uint32_t size;
    uint32_t reserved;
};

struct arena_header {
    uint64_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t used;
    uint32_t count;
    struct arena_entry entry[ARENA_OBJECTS];
};

struct arena {
    int fd;
    struct arena_header *base;
    const struct state_desc *desc[ARENA_OBJECTS];
};

int arena_create(struct arena **out, size_t size)
{
    struct arena *arena;
    int err;

    if (size > UINT32_MAX || size < sizeof(struct arena_header))
        return -EINVAL;
    arena = calloc(1, sizeof(*arena));
    if (!arena)
        return -ENOMEM;
    arena->fd = memfd_sized("slimdm-arena", size);
    if (arena->fd < 0) {
        err = arena->fd;
        free(arena);
        return err;
    }
    if (fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
        goto fail_close;
    arena->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, 0);
    if (arena->base == MAP_FAILED)
        goto fail_close;
    arena->base->magic = ARENA_MAGIC;
    arena->base->version = ARENA_VERSION;
    arena->base->size = (uint32_t)size;
    arena->base->used = (sizeof(struct arena_header) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    *out = arena;
    return 0;

fail_close:
    err = -errno;
    close(arena->fd);
    free(arena);
    return err;}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    munmap(arena->base, arena->base->size);
    close(arena->fd);
    free(arena);
}

void *arena_alloc(struct arena *arena, const char *name, const struct state_desc *desc)
{
    struct arena_header *head = arena->base;
    struct arena_entry *entry;
    uint64_t end;
    void *state;

    if (strlen(name) >= ARENA_NAME_MAX || strlen(desc->kind) >= ARENA_NAME_MAX)
        return NULL;
    for (uint32_t i = 0; i < head->count; i++)
        if (strcmp(head->entry[i].name, name) == 0)
            return NULL;
    end = ((uint64_t)head->used + desc->size + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1);
    if (head->count == ARENA_OBJECTS || end > head->size)
        return NULL;

    entry = &head->entry[head->count];
    strcpy(entry->name, name);
    strcpy(entry->kind, desc->kind);
    entry->version = desc->version;
    entry->offset = head->used;
    entry->size = (uint32_t)desc->size;
    state = (uint8_t *)head + head->used;
    for (size_t f = 0; f < desc->nfields; f++)
        if (desc->fields[f].reset)
            for (uint32_t i = 0; i < desc->fields[f].count; i++)
                state_set(&desc->fields[f], state, i, desc->fields[f].reset);
    arena->desc[head->count] = desc;
    head->used = (uint32_t)end;
    head->count++;
    return state;
}

int arena_each(struct arena *arena,
               int (*visit)(void *opaque, const char *name, const struct state_desc *desc,
                            void *state),
               void *opaque)
{
    struct arena_header *head = arena->base;

    for (uint32_t i = 0; i < head->count; i++) {
        struct arena_entry *entry = &head->entry[i];
        int rc = visit(opaque, entry->name, arena->desc[i], (uint8_t *)head + entry->offset);

        if (rc)
            return rc;
    }
    return 0;
}

int arena_fd(const struct arena *arena)
{
    return arena->fd;
}

static int dump_object(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    FILE *out = opaque;

    fprintf(out, "%s: %s version %u\n", name, desc->kind, desc->version);
    state_dump(desc, state, "    ", out);
    return 0;
}

void arena_dump(struct arena *arena, FILE *out)
{
    arena_each(arena, dump_object, out);
}
