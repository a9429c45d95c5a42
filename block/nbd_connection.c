/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to an NBD server: made, lost, made again; see nbd_image.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "block/nbd_image.h"
#include "dm/log.h"

#define CONNECT_MS 10000
#define RETRY_MS   1000
#define NS_PER_MS  1000000ull

static void poll_stop(struct nbd *nbd)
{
    if (nbd->polled)
        loop_fd_remove(nbd->loop, &nbd->lfd);
    nbd->polled = false;
}

void nbd_connection_close(struct nbd *nbd)
{
    poll_stop(nbd);
    timer_cancel(&nbd->timeout);
    nbd_peer_forget(nbd->peer, &nbd->wanted);
    if (nbd->h)
        nbd->api->close(nbd->h); /* what it holds comes back by command_done() */
    nbd->h = NULL;
    if (nbd->dirty)
        nbd->lost = true;
    nbd->dirty = false;
}

void nbd_connection_failed(struct nbd *nbd, const char *reason)
{
    nbd_connection_close(nbd);
    nbd->state = NBD_DOWN;
    nbd->next_try = loop_now(nbd->loop, CLOCK_HOST) + RETRY_MS * NS_PER_MS;
    log_guest("image %s: no connection to its NBD server: %s", nbd->name, reason);
    nbd_fail_queue(nbd, -EIO);
}

void nbd_connection_ask(struct nbd *nbd)
{
    nbd->state = NBD_WAITING;
    timer_arm(&nbd->timeout, loop_now(nbd->loop, CLOCK_HOST) + CONNECT_MS * NS_PER_MS);
    if (nbd_peer_connect(nbd->peer, &nbd->wanted))
        nbd_connection_failed(nbd, "slimdm-nbd has ended");
}

static void connection_lost(struct nbd *nbd)
{
    log_guest("image %s: its NBD server is gone", nbd->name);
    nbd_connection_close(nbd);
    nbd_connection_ask(nbd);
}

/* The handshake has ended well: what does the server offer? */
static int connection_check(struct nbd *nbd)
{
    int64_t size = nbd->api->get_size(nbd->h);

    if (size < 0)
        return -EPROTO;
    nbd->can_flush = nbd->api->can_flush(nbd->h) > 0;
    nbd->can_trim = nbd->discard && nbd->api->can_trim(nbd->h) > 0;
    nbd->can_fua = nbd->api->can_fua(nbd->h) > 0;
    if (!nbd->opened) {
        nbd->size = (uint64_t)size;
        nbd->read_only = nbd->api->is_read_only(nbd->h) > 0;
        nbd->opened = true;
        return 0;
    }
    /* The guest knows what it has; a server with less is not that of this image. */
    if ((uint64_t)size < nbd->size || (!nbd->read_only && nbd->api->is_read_only(nbd->h) > 0))
        return -ENXIO;
    return 0;
}

static void connection_shaken(struct nbd *nbd)
{
    if (connection_check(nbd)) {
        nbd_connection_failed(nbd, "the image has become smaller, or read-only");
        return;
    }
    timer_cancel(&nbd->timeout);
    nbd->state = NBD_UP;
    log_info("image %s: connected to its NBD server", nbd->name);
}

void nbd_connection_look(struct nbd *nbd)
{
    const struct nbd_api *api = nbd->api;

    if (!nbd->h)
        return;
    if (api->aio_is_dead(nbd->h) || api->aio_is_closed(nbd->h)) {
        if (nbd->state == NBD_UP)
            connection_lost(nbd);
        else
            nbd_connection_failed(nbd, api->get_error() ? api->get_error() : "it has hung up");
    } else if (nbd->state == NBD_SHAKING && !api->aio_is_connecting(nbd->h)) {
        connection_shaken(nbd);
    }
}

static void nbd_ready(void *opaque, uint32_t events)
{
    struct nbd *nbd = opaque;
    unsigned direction = nbd->api->aio_get_direction(nbd->h);

    /* An error of the socket is found by reading or writing. */
    if ((direction & LIBNBD_AIO_DIRECTION_READ) && (events & ~(uint32_t)EPOLLOUT))
        nbd->api->aio_notify_read(nbd->h);
    else if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        nbd->api->aio_notify_write(nbd->h);
    nbd_turn(nbd);
}

void nbd_poll_update(struct nbd *nbd)
{
    unsigned direction;
    uint32_t events;

    if (!nbd->h) {
        poll_stop(nbd);
        return;
    }
    direction = nbd->api->aio_get_direction(nbd->h);
    events = (direction & LIBNBD_AIO_DIRECTION_READ ? EPOLLIN : 0) |
             (direction & LIBNBD_AIO_DIRECTION_WRITE ? EPOLLOUT : 0);
    if (!nbd->polled)
        nbd->polled = loop_fd_add(nbd->loop, &nbd->lfd, nbd->api->aio_get_fd(nbd->h), events,
                                  nbd_ready, nbd) == 0;
    else if (nbd->lfd.events != events)
        loop_fd_want(nbd->loop, &nbd->lfd, events);
}

static void nbd_timed_out(void *opaque)
{
    struct nbd *nbd = opaque;

    nbd_connection_failed(nbd, "it does not answer");
    nbd_turn(nbd);
}

/* slimdm-nbd has a socket for us, or none. */
static void nbd_answered(void *opaque, int fd, const char *reason)
{
    struct nbd *nbd = opaque;
    const struct nbd_api *api = nbd->api;

    if (fd < 0) {
        nbd_connection_failed(nbd, reason);
    } else {
        nbd->state = NBD_SHAKING;
        nbd->h = api->create();
        if (!nbd->h || api->set_export_name(nbd->h, nbd->export_name) < 0 ||
            api->set_request_structured_replies(nbd->h, false) < 0 ||
            api->set_request_block_size(nbd->h, false) < 0) {
            close(fd);
            nbd_connection_failed(nbd, api->get_error());
        } else if (api->aio_connect_socket(nbd->h, fd) < 0) {
            nbd_connection_failed(nbd, api->get_error());
        }
    }
    nbd_turn(nbd);
}

uint64_t nbd_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Drives the connection until it is there or has failed. */
static int connect_now(struct nbd *nbd, char *reason, size_t size)
{
    uint64_t end = nbd_now_ms() + CONNECT_MS;

    nbd_connection_ask(nbd);
    while (nbd->state == NBD_WAITING && nbd_now_ms() < end)
        nbd_peer_wait(nbd->peer, 100);
    while (nbd->state == NBD_SHAKING && nbd_now_ms() < end) {
        if (nbd->api->poll(nbd->h, 100) < 0 && !nbd->api->aio_is_dead(nbd->h))
            break;
        if (nbd->api->aio_is_dead(nbd->h) || nbd->api->aio_is_closed(nbd->h))
            block_refuse(reason, size, 0, "%s", nbd->api->get_error() ? nbd->api->get_error() : "");
        nbd_turn(nbd);
    }
    return nbd->state == NBD_UP ? 0 : -EIO;
}

static struct nbd *nbd_new(const struct nbd_api *api, const char *path,
                           const struct nbd_target *target, const struct block_options *options)
{
    struct nbd *nbd = calloc(1, sizeof(*nbd));

    if (!nbd)
        return NULL;
    nbd->api = api;
    nbd->loop = block_servers_loop(options->servers);
    nbd->name = strdup(path);
    nbd->export_name = strdup(target->export_name);
    nbd->discard = options->discard;
    nbd->writes = !options->read_only;
    nbd->fua =
        options->cache == BLOCK_CACHE_WRITETHROUGH || options->cache == BLOCK_CACHE_DIRECTSYNC;
    nbd->wanted = (struct nbd_wanted){nbd_answered, nbd};
    nbd->work = (struct loop_work){.run = nbd_deferred, .opaque = nbd};
    nbd->queue_end = &nbd->queue;
    nbd->finished_end = &nbd->finished;
    timer_init(&nbd->timeout, nbd->loop, CLOCK_HOST, nbd_timed_out, nbd);
    if (nbd->name && nbd->export_name)
        return nbd;
    nbd_free(nbd);
    return NULL;
}

static int open_target(struct block **out, const struct nbd_target *target, const char *path,
                       int fd, const struct block_options *options, char *error, size_t error_size)
{
    const char *reason = "";
    const struct nbd_api *api;
    char why[256] = "it does not answer, or is not a server of this image";
    struct nbd *nbd;
    int rc;

    if (block_servers_sealed(options->servers))
        return block_refuse(error, error_size, -EPERM,
                            "image %s: its server can be started before the guest runs only, "
                            "or with -sandbox off; raw images need none",
                            path);
    api = nbd_api_load(&reason);
    if (!api)
        return block_refuse(error, error_size, -EOPNOTSUPP, "image %s: needs libnbd: %s", path,
                            reason);
    nbd = nbd_new(api, path, target, options);
    if (!nbd)
        return block_refuse(error, error_size, -ENOMEM, "image %s: out of memory", path);
    rc = nbd_peer_get(&nbd->peer, options->servers, target, fd, error, error_size);
    if (rc) {
        nbd_free(nbd);
        return rc;
    }
    rc = connect_now(nbd, why, sizeof(why));
    if (rc)
        block_refuse(error, error_size, rc, "image %s: no connection to its NBD server: %s", path,
                     why);
    if (!rc && nbd->read_only && !options->read_only)
        rc = block_refuse(error, error_size, -EROFS, "image %s: its server offers it read-only",
                          path);
    if (!rc) {
        rc = block_create(out, &nbd_ops[nbd->can_trim], nbd, path, nbd->size,
                          options->read_only || nbd->read_only, options->workers);
        if (!rc)
            block_set_cache_mode(*out, options->cache);
    }
    if (rc)
        nbd_image_close(nbd);
    return rc;
}

int block_nbd_open(struct block **out, const char *path, int fd,
                   const struct block_options *options, char *error, size_t error_size)
{
    struct nbd_target *target = malloc(sizeof(*target));
    int rc;

    if (!target)
        return block_refuse(error, error_size, -ENOMEM, "image %s: out of memory", path);
    rc = nbd_target_parse(target, path, fd, options, error, error_size);
    if (!rc)
        rc = open_target(out, target, path, fd, options, error, error_size);
    free(target);
    return rc;
}
