/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One list of descriptors, sorted by the number of their set: a set exists as long as it has one.
 */
#include "toolstack/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDSET_PREFIX "/dev/fdset/"

struct fdset_entry {
    int64_t id;
    int fd;
    bool keep;
    char *opaque;
};

struct fdsets {
    struct fdset_entry entry[FDSET_FDS_MAX];
    size_t count;
};

int fdsets_create(struct fdsets **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

static void take_out(struct fdsets *sets, size_t i)
{
    close(sets->entry[i].fd);
    free(sets->entry[i].opaque);
    sets->count--;
    memmove(&sets->entry[i], &sets->entry[i + 1], (sets->count - i) * sizeof(sets->entry[0]));
}

void fdsets_destroy(struct fdsets *sets)
{
    if (!sets)
        return;
    while (sets->count)
        take_out(sets, sets->count - 1);
    free(sets);
}

/* The list is sorted, so the first gap is found in one pass. */
static int64_t lowest_free(const struct fdsets *sets)
{
    int64_t id = 0;

    for (size_t i = 0; i < sets->count && sets->entry[i].id <= id; i++)
        if (sets->entry[i].id == id)
            id++;
    return id;
}

int64_t fdsets_add(struct fdsets *sets, int64_t id, int fd, const char *opaque, bool keep)
{
    char *text = NULL;
    size_t at = 0;

    if (id < -1 || id > FDSET_ID_MAX)
        return -ERANGE;
    if (fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    if (opaque && strlen(opaque) > FDSET_OPAQUE_MAX)
        return -E2BIG;
    if (sets->count == FDSET_FDS_MAX)
        return -ENOSPC;
    if (opaque) {
        text = strdup(opaque);
        if (!text)
            return -ENOMEM;
    }
    if (id < 0)
        id = lowest_free(sets);
    while (at < sets->count && sets->entry[at].id <= id)
        at++;
    memmove(&sets->entry[at + 1], &sets->entry[at], (sets->count - at) * sizeof(sets->entry[0]));
    sets->entry[at] = (struct fdset_entry){.id = id, .fd = fd, .keep = keep, .opaque = text};
    sets->count++;
    return id;
}

int fdsets_remove(struct fdsets *sets, int64_t id, int fd)
{
    int rc = -ENOENT;

    for (size_t i = sets->count; i-- > 0;) {
        if (sets->entry[i].id != id || (fd >= 0 && sets->entry[i].fd != fd))
            continue;
        take_out(sets, i);
        rc = 0;
    }
    return rc;
}

void fdsets_drop_transient(struct fdsets *sets)
{
    for (size_t i = sets->count; i-- > 0;)
        if (!sets->entry[i].keep)
            take_out(sets, i);
}

bool fdset_is_path(const char *path)
{
    return strncmp(path, FDSET_PREFIX, strlen(FDSET_PREFIX)) == 0;
}

/* Decimal digits only: what strtol() takes besides (spaces, signs, a tail) names no set. */
static int64_t path_id(const char *path)
{
    const char *digits = path + strlen(FDSET_PREFIX);
    int64_t id = 0;

    if (!fdset_is_path(path) || *digits == '\0')
        return -EINVAL;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return -EINVAL;
        id = id * 10 + (*digits - '0');
        if (id > FDSET_ID_MAX)
            return -EINVAL;
    }
    return id;
}

static bool serves(int fd, int access)
{
    int flags = fcntl(fd, F_GETFL);
    int have = flags & O_ACCMODE;

    /* A reader never gets a writable descriptor: read-only is honoured by the descriptor itself. */
    return flags >= 0 && (have == access || (access == O_WRONLY && have == O_RDWR));
}

int fdsets_open(struct fdsets *sets, const char *path, int access)
{
    int64_t id = path_id(path);
    int rc = -ENOENT;

    if (id < 0)
        return (int)id;
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->entry[i].id != id)
            continue;
        rc = -EACCES;
        if (serves(sets->entry[i].fd, access)) {
            rc = fcntl(sets->entry[i].fd, F_DUPFD_CLOEXEC, 3);
            return rc < 0 ? -errno : rc;
        }
    }
    return rc;
}

void fdsets_each(struct fdsets *sets,
                 void (*each)(void *to, int64_t id, int fd, const char *opaque), void *to)
{
    for (size_t i = 0; i < sets->count; i++)
        each(to, sets->entry[i].id, sets->entry[i].fd, sets->entry[i].opaque);
}
