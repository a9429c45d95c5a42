/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena: all guest-visible device state, in one memfd, allocated by name.
 *
 * Names are guest-visible identity ("ide0.1", "uart0"), never host paths. A new process that
 * inherits the memfd finds every object again; a saved stream is the same objects field by field.
 */
#ifndef DM_ARENA_H
#define DM_ARENA_H

#include "dm/state.h"

#define ARENA_NAME_MAX 32

struct arena;

/* Returns 0 or -errno. `size` in bytes is all the arena will ever hold (zero pages cost nothing).
 */
int arena_create(struct arena **out, size_t size);
void arena_destroy(struct arena *arena);

/*
 * A zeroed object set to its reset values (STATE_KEEP fields too get them here, once).
 * The arena owns it until arena_destroy(). NULL when the name is taken or too long, or there is
 * no room: both are errors of the program's own tables, found at start-up.
 */
void *arena_alloc(struct arena *arena, const char *name, const struct state_desc *desc);

/* Calls visit() for each object in order of allocation; stops at and returns its first non-zero. */
int arena_each(struct arena *arena,
               int (*visit)(void *opaque, const char *name, const struct state_desc *desc,
                            void *state),
               void *opaque);

/* The memfd, owned by the arena. */
int arena_fd(const struct arena *arena);

/* A readable dump of every object. */
void arena_dump(struct arena *arena, FILE *out);

#endif
