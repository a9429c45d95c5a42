/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two writers of one image destroy it. QEMU's programs keep each other out by byte locks of the
 * open file description, and so does this one, in the same places: a shared lock on byte 100 + n
 * says "I do this", one on byte 200 + n says "nobody else may do this", where n is
 *
 *     0  read    1  write    2  write what is there already    3  resize
 *
 * Before it goes on, a program looks whether somebody else holds the opposite byte. The locks
 * never block and the kernel's own back ends do not look at them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/block_file.h"

enum { DOES = 100, FORBIDS = 200 };
enum { READS = 1 << 0, WRITES = 1 << 1, RESIZES = 1 << 3 };
#define RIGHTS 4

static struct flock byte_lock(short type, int byte)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

static int set_locks(int fd, short type, int base, unsigned rights)
{
    for (int n = 0; n < RIGHTS; n++) {
        struct flock lock = byte_lock(type, base + n);

        if ((rights & 1u << n) && fcntl(fd, F_OFD_SETLK, &lock) < 0)
            return -errno;
    }
    return 0;
}

/* Whether somebody else holds one of the bytes. */
static bool held_elsewhere(int fd, int base, unsigned rights)
{
    for (int n = 0; n < RIGHTS; n++) {
        struct flock lock = byte_lock(F_WRLCK, base + n);

        if ((rights & 1u << n) && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
            return true;
    }
    return false;
}

int block_file_lock(struct block_file *file, bool locked, char *error, size_t error_size)
{
    unsigned does = file->read_only ? READS : READS | WRITES;
    unsigned forbids = file->read_only ? WRITES | RESIZES : WRITES;
    int rc;

    if (!file->lock)
        return 0;
    if (!locked) {
        set_locks(file->fd, F_UNLCK, DOES, does);
        set_locks(file->fd, F_UNLCK, FORBIDS, forbids);
        return 0;
    }
    rc = set_locks(file->fd, F_RDLCK, DOES, does);
    if (!rc)
        rc = set_locks(file->fd, F_RDLCK, FORBIDS, forbids);
    /* A file system without locks has never kept anybody out. */
    if (rc && rc != -EAGAIN && rc != -EACCES)
        return 0;
    if (!rc && !held_elsewhere(file->fd, FORBIDS, does) && !held_elsewhere(file->fd, DOES, forbids))
        return 0;
    set_locks(file->fd, F_UNLCK, DOES, does);
    set_locks(file->fd, F_UNLCK, FORBIDS, forbids);
    return block_refuse(error, error_size, -EBUSY, "image %s: another process %s it", file->name,
                        file->read_only ? "writes" : "uses");
}
