/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor sets: files that somebody else has opened for us, named "/dev/fdset/N".
 *
 * A set comes from the command line (-add-fd, it stays until it is removed) or from QMP (add-fd; it
 * goes when the last QMP client has gone). Who uses a file of a set gets a
 * duplicate and keeps it, whatever happens to the set.
 */
#ifndef TOOLSTACK_FDSET_H
#define TOOLSTACK_FDSET_H

#include <stdbool.h>
#include <stdint.h>

#define FDSET_ID_MAX     0x7fffffff /* what a client may ask for */
#define FDSET_FDS_MAX    64         /* descriptors in all sets together */
#define FDSET_OPAQUE_MAX 4096       /* bytes of the text kept beside a descriptor */

struct fdsets;

/* Returns 0 or -ENOMEM. Destroying closes all descriptors (duplicates live on). */
int fdsets_create(struct fdsets **out);
void fdsets_destroy(struct fdsets *sets);

/*
 * Puts fd into the set `id`, or into a new set with the lowest free number when id is -1. `opaque`
 * is any text (copied) or NULL. Returns the number of the set; on success the table owns fd.
 * -ERANGE: id out of bounds; -ENOSPC: too many descriptors; -EBADF; -E2BIG: text too long; -ENOMEM.
 */
int64_t fdsets_add(struct fdsets *sets, int64_t id, int fd, const char *opaque, bool keep);

/* Closes one descriptor of a set, or all of it (fd = -1). 0 or -ENOENT. */
int fdsets_remove(struct fdsets *sets, int64_t id, int fd);

/* Closes what was added with keep = false. */
void fdsets_drop_transient(struct fdsets *sets);

/* Whether the path is of the form "/dev/fdset/N", well-formed or not: never to be opened as a file.
 */
bool fdset_is_path(const char *path);

/*
 * A duplicate (close-on-exec, the caller's) of the first descriptor of the named set that was
 * opened with `access`: O_RDONLY, O_WRONLY or O_RDWR; for O_WRONLY one opened O_RDWR will do.
 * -EINVAL: no such path or number; -ENOENT: no such set; -EACCES: no descriptor of that access.
 */
int fdsets_open(struct fdsets *sets, const char *path, int access);

/* Each descriptor in the order of set numbers. The table must not be changed meanwhile. */
void fdsets_each(struct fdsets *sets,
                 void (*each)(void *to, int64_t id, int fd, const char *opaque), void *to);

#endif
