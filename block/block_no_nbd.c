/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of block_nbd.c and block_servers.c where libnbd was not there to build with. */
#include <errno.h>
#include <stddef.h>

#include "block/block_nbd.h"

int block_servers_create(struct block_servers **out, struct loop *loop)
{
    *out = NULL;
    return 0;
}

void block_servers_seal(struct block_servers *servers)
{
}

void block_servers_destroy(struct block_servers *servers)
{
}

int block_nbd_open(struct block **out, const char *path, int fd,
                   const struct block_options *options, char *error, size_t error_size)
{
    return block_refuse(error, error_size, -EOPNOTSUPP,
                        "image %s: this slimdm is built without libnbd; accepted: raw files", path);
}
