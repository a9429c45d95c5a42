/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors of memory. */
#include <string.h>

#include "block/block_backend.h"

void block_iov_advance(struct iovec *iov, unsigned *niov, size_t bytes)
{
    unsigned skip = 0;

    while (skip < *niov && bytes >= iov[skip].iov_len)
        bytes -= iov[skip++].iov_len;
    if (skip) {
        *niov -= skip;
        memmove(iov, iov + skip, *niov * sizeof(*iov));
    }
    if (*niov && bytes) {
        iov[0].iov_base = (uint8_t *)iov[0].iov_base + bytes;
        iov[0].iov_len -= bytes;
    }
}

void block_iov_from_buf(const struct iovec *iov, unsigned niov, const void *buf, size_t len)
{
    const uint8_t *from = buf;

    for (unsigned i = 0; i < niov && len; i++) {
        size_t n = iov[i].iov_len < len ? iov[i].iov_len : len;

        memcpy(iov[i].iov_base, from, n);
        from += n;
        len -= n;
    }
}

void block_iov_to_buf(const struct iovec *iov, unsigned niov, void *buf)
{
    uint8_t *to = buf;

    for (unsigned i = 0; i < niov; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}
