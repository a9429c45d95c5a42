/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved state of a guest's devices: every object of the arena, field by field, with names.
 *
 * A stream is refused whole, with the name of the object and field, unless everything in it fits:
 * nothing of it becomes live before all of it has been checked. Little-endian throughout:
 *
 *     "SLIMDM\r\n"  u32 format (1)  u32 objects  u32 bytes that follow  u32 CRC-32 of these
 *     object:  str name  str kind  u16 version  u16 fields
 *     field:   str name  u8 type  u32 count  u32 stored  stored * element   (the rest is zero)
 *     str:     u8 length, bytes
 */
#ifndef DM_SAVEFILE_H
#define DM_SAVEFILE_H

#include <stddef.h>
#include <stdio.h>

#include "dm/arena.h"

/* With dm_restrict libxl limits the size of files to this. */
#define SAVEFILE_MAX (256u << 10)

#define SAVEFILE_ERROR_MAX 200

/* The stream in memory, owned by the caller (free()). Returns 0 or -errno. */
int savefile_encode(struct arena *arena, void **buf, size_t *len);

/* Replaces the state of every object, or changes nothing and says why in err. Returns 0 or -errno.
 */
int savefile_decode(struct arena *arena, const void *buf, size_t len, char err[SAVEFILE_ERROR_MAX]);

/* Prints a stream readably, whatever made it. Returns 0 or -errno with err set. */
int savefile_print(const void *buf, size_t len, FILE *out, char err[SAVEFILE_ERROR_MAX]);

/*
 * The same on a descriptor. write: from offset 0, truncated first when it is a regular file.
 * read: to the end of the file, at most SAVEFILE_MAX bytes. Return 0 or -errno, err set.
 */
int savefile_write_fd(struct arena *arena, int fd, char err[SAVEFILE_ERROR_MAX]);
int savefile_read_fd(int fd, void **buf, size_t *len, char err[SAVEFILE_ERROR_MAX]);

#endif
