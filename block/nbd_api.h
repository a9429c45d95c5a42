/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnbd, loaded when the first image needs it. Linked in the usual way it would bring TLS and XML
 * libraries into every device model: 5 ms of every start and 0.7 MB of every guest's memory, for
 * something that most guests do not have.
 */
#ifndef BLOCK_NBD_API_H
#define BLOCK_NBD_API_H

#include <libnbd.h>

#define NBD_FUNCTIONS(F)                                                                           \
    F(aio_connect_socket)                                                                          \
    F(aio_flush)                                                                                   \
    F(aio_get_direction)                                                                           \
    F(aio_get_fd)                                                                                  \
    F(aio_is_closed)                                                                               \
    F(aio_is_dead)                                                                                 \
    F(aio_is_ready)                                                                                \
    F(aio_is_connecting)                                                                           \
    F(aio_notify_read)                                                                             \
    F(aio_notify_write)                                                                            \
    F(aio_pread)                                                                                   \
    F(aio_pwrite)                                                                                  \
    F(aio_trim)                                                                                    \
    F(can_flush)                                                                                   \
    F(can_fua)                                                                                     \
    F(can_trim)                                                                                    \
    F(close)                                                                                       \
    F(create)                                                                                      \
    F(get_errno)                                                                                   \
    F(get_error)                                                                                   \
    F(get_size)                                                                                    \
    F(is_read_only)                                                                                \
    F(poll)                                                                                        \
    F(set_export_name)                                                                             \
    F(set_request_block_size)                                                                      \
    F(set_request_structured_replies)

struct nbd_api {
#define F(name) __typeof__(&nbd_##name) name;
    NBD_FUNCTIONS(F)
#undef F
};

/* NULL when the library, or something in it, is not there: `reason` says what. Never unloaded. */
const struct nbd_api *nbd_api_load(const char **reason);

#endif
