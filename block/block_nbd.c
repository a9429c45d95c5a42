/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to an NBD server; see nbd_image.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/nbd_image.h"

#define IN_FLIGHT 64u
#define CHUNK_MAX (32u << 20) /* what every server takes */

/* A command that libnbd holds. */
struct command {
    struct nbd *nbd;
    struct block_request *req; /* NULL: of nbd_now() */
    int error;
    bool done;
};

/* ---- queues --------------------------------------------------------------------------------- */

static void queue_put(struct block_request ***end, struct block_request *req)
{
    req->next = NULL;
    **end = req;
    *end = &req->next;
}

static struct block_request *queue_take(struct block_request **head, struct block_request ***end)
{
    struct block_request *req = *head;

    if (req) {
        *head = req->next;
        if (!*head)
            *end = head;
    }
    return req;
}

static void finish_with(struct nbd *nbd, struct block_request *req, int error)
{
    req->error = error;
    queue_put(&nbd->finished_end, req);
}

void nbd_fail_queue(struct nbd *nbd, int error)
{
    struct block_request *req;

    while ((req = queue_take(&nbd->queue, &nbd->queue_end)))
        finish_with(nbd, req, error);
}

/* ---- commands ------------------------------------------------------------------------------- */

/* How much of the next part of a request the export has: an odd last sector ends in nothing. */
static size_t chunk_bytes(const struct nbd *nbd, const struct block_request *req)
{
    uint64_t at = req->offset + req->done, n = req->bytes - req->done;

    if (at >= nbd->size)
        return 0;
    n = n < nbd->size - at ? n : nbd->size - at;
    return n < CHUNK_MAX ? (size_t)n : CHUNK_MAX;
}

static bool means_lost(int error)
{
    return error == -ENOTCONN || error == -ESHUTDOWN || error == -ECONNRESET || error == -EPIPE;
}

static int command_done(void *opaque, int *error)
{
    struct command *c = opaque;
    struct nbd *nbd = c->nbd;

    c->done = true;
    c->error = *error ? -*error : 0;
    if (!c->req)
        return 1;
    if (nbd->issuing == c->req)
        nbd->issuing = NULL;
    nbd->in_flight--;
    if (means_lost(c->error) && c->req->tries++ == 0 && c->req->op != BLOCK_FLUSH)
        queue_put(&nbd->queue_end, c->req);
    else
        finish_with(nbd, c->req, means_lost(c->error) ? -EIO : c->error);
    return 1;
}

static void command_free(void *opaque)
{
    struct command *c = opaque;

    if (c->req)
        free(c);
}

static int take_buffer(struct block_request *req)
{
    if (req->bounce || (req->op != BLOCK_READ && req->op != BLOCK_WRITE))
        return 0;
    req->bounce = calloc(1, (size_t)req->bytes);
    if (!req->bounce)
        return -ENOMEM;
    if (req->op == BLOCK_WRITE)
        block_iov_to_buf(req->iov, req->niov, req->bounce);
    return 0;
}

/* Gives the next part of the request to libnbd; an error is the request's. */
static int64_t issue(struct nbd *nbd, struct block_request *req, struct command *c)
{
    nbd_completion_callback done = {command_done, c, command_free};
    uint64_t at = req->offset + req->done;
    size_t n = chunk_bytes(nbd, req);
    uint32_t flags = nbd->fua && nbd->can_fua ? LIBNBD_CMD_FLAG_FUA : 0;

    switch (req->op) {
    case BLOCK_READ:
        return nbd->api->aio_pread(nbd->h, req->bounce + req->done, n, at, done, 0);
    case BLOCK_WRITE:
        return nbd->api->aio_pwrite(nbd->h, req->bounce + req->done, n, at, done, flags);
    case BLOCK_FLUSH:
        nbd->dirty = false; /* writes that are answered from here on set it again */
        return nbd->api->aio_flush(nbd->h, done, 0);
    case BLOCK_DISCARD:
        break;
    }
    return nbd->api->aio_trim(nbd->h, n, at, done, flags);
}

/* Requests that need no server. */
static bool is_answered(struct nbd *nbd, struct block_request *req, int *error)
{
    *error = 0;
    switch (req->op) {
    case BLOCK_FLUSH:
        if (nbd->lost) {
            nbd->told = true; /* not once only: Linux tries a failed flush again by itself */
            *error = -EIO;
            return true;
        }
        return !nbd->can_flush;
    case BLOCK_DISCARD:
        if (nbd->can_trim && chunk_bytes(nbd, req))
            return false;
        break;
    case BLOCK_READ:
    case BLOCK_WRITE:
        if (chunk_bytes(nbd, req))
            return false;
        break;
    }
    req->done = req->bytes;
    return true;
}

static bool is_dead(const struct nbd *nbd)
{
    return nbd->api->aio_is_dead(nbd->h) || nbd->api->aio_is_closed(nbd->h);
}

static void send_one(struct nbd *nbd, struct block_request *req)
{
    struct command *c;
    int error;

    if (is_answered(nbd, req, &error)) {
        finish_with(nbd, req, error);
        return;
    }
    c = calloc(1, sizeof(*c));
    if (!c || take_buffer(req)) {
        free(c);
        finish_with(nbd, req, -ENOMEM);
        return;
    }
    *c = (struct command){.nbd = nbd, .req = req};
    nbd->in_flight++;
    nbd->issuing = req;
    /* A call that fails may have been answered before it failed: when the connection broke in it.
     */
    if (issue(nbd, req, c) < 0 && nbd->issuing) {
        int code = nbd->api->get_errno();

        nbd->in_flight--;
        if (is_dead(nbd)) /* only now it is known: the next connection's */
            queue_put(&nbd->queue_end, req);
        else
            finish_with(nbd, req, code ? -code : -EIO);
    }
    nbd->issuing = NULL;
}

static void send_queue(struct nbd *nbd)
{
    struct block_request *req;

    while (nbd->state == NBD_UP && nbd->in_flight < IN_FLIGHT && !is_dead(nbd) &&
           (req = queue_take(&nbd->queue, &nbd->queue_end)))
        send_one(nbd, req);
}

/* ---- turns ---------------------------------------------------------------------------------- */

void nbd_free(struct nbd *nbd)
{
    timer_cancel(&nbd->timeout);
    loop_defer_cancel(nbd->loop, &nbd->work);
    free(nbd->name);
    free(nbd->export_name);
    free(nbd);
}

/* A part of the request is done; returns false while there is more of it. */
static bool is_complete(struct nbd *nbd, struct block_request *req)
{
    if (req->error || req->op == BLOCK_FLUSH)
        return true;
    req->done += chunk_bytes(nbd, req);
    if (req->op == BLOCK_WRITE || req->op == BLOCK_DISCARD)
        nbd->dirty = true;
    if (req->op == BLOCK_WRITE && nbd->told)
        nbd->lost = nbd->told = false;
    if (req->done < req->bytes && chunk_bytes(nbd, req))
        return false;
    req->done = req->bytes; /* behind the end there are zeros, which calloc() has put there */
    return true;
}

static void answer(struct nbd *nbd, struct block_request *req)
{
    if (!is_complete(nbd, req)) {
        queue_put(&nbd->queue_end, req);
        return;
    }
    if (req->op == BLOCK_FLUSH && req->error)
        nbd->dirty = true;
    if (req->op == BLOCK_READ && !req->error && !req->cancelled)
        block_iov_from_buf(req->iov, req->niov, req->bounce, (size_t)req->bytes);
    block_request_finish(req, req->error, req->done);
}

/* After everything that may have changed something. */
void nbd_turn(struct nbd *nbd)
{
    struct block_request *req;

    if (nbd->in_turn)
        return;
    nbd->in_turn = true;
    nbd_connection_look(nbd);
    do {
        send_queue(nbd);
        nbd_connection_look(nbd);
        while ((req = queue_take(&nbd->finished, &nbd->finished_end)))
            answer(nbd, req);
    } while (!nbd->closing && nbd->queue && nbd->state == NBD_UP && nbd->in_flight < IN_FLIGHT);
    nbd->in_turn = false;
    if (nbd->closing)
        nbd_free(nbd);
    else
        nbd_poll_update(nbd);
}

void nbd_deferred(void *opaque)
{
    nbd_turn(opaque);
}

/* ---- what block.c calls --------------------------------------------------------------------- */

static bool image_submit(void *impl, struct block_request *req)
{
    struct nbd *nbd = impl;

    req->done = 0;
    req->tries = 0;
    if (nbd->state == NBD_DOWN && loop_now(nbd->loop, CLOCK_HOST) >= nbd->next_try)
        nbd_connection_ask(nbd);
    if (nbd->state == NBD_DOWN)
        finish_with(nbd, req, -EIO);
    else
        queue_put(&nbd->queue_end, req);
    send_queue(nbd);
    /* Owners are not called from inside. */
    if (nbd->finished || nbd->queue || nbd->in_turn)
        loop_defer(nbd->loop, &nbd->work);
    else
        nbd_poll_update(nbd);
    return true;
}

static void image_drain(void *impl)
{
    struct nbd *nbd = impl;
    uint64_t end = nbd_now_ms() + NBD_DRAIN_MS;

    while (nbd->in_flight || nbd->queue || nbd->finished) {
        if (nbd->state != NBD_UP || nbd_now_ms() >= end) {
            nbd_connection_close(nbd);
            nbd->state = NBD_DOWN;
            nbd_fail_queue(nbd, -EIO);
        } else if (nbd->in_flight) {
            nbd->api->poll(nbd->h, 100);
        }
        nbd_turn(nbd);
    }
}

/* Waits for one command; for start-up and tear-down. */
static int nbd_now(struct nbd *nbd, void *buf, size_t len, uint64_t at)
{
    struct command c = {.nbd = nbd};
    nbd_completion_callback done = {command_done, &c, NULL};
    uint64_t end = nbd_now_ms() + NBD_DRAIN_MS;
    int64_t rc;

    if (nbd->state != NBD_UP)
        return -ENOTCONN;
    rc = buf ? nbd->api->aio_pread(nbd->h, buf, len, at, done, 0)
             : nbd->api->aio_flush(nbd->h, done, 0);
    if (rc < 0)
        return -EIO;
    while (!c.done && nbd_now_ms() < end && nbd->api->poll(nbd->h, 100) >= 0)
        ;
    if (!c.done) /* the command points into this frame */
        nbd_connection_failed(nbd, "it does not answer");
    return c.done ? c.error : -ETIMEDOUT;
}

static ssize_t image_readv(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                           bool nowait)
{
    struct nbd *nbd = impl;
    size_t n = iov[0].iov_len;
    int rc;

    if (nowait)
        return -EOPNOTSUPP;
    if (offset >= nbd->size)
        return 0;
    n = n < nbd->size - offset ? n : (size_t)(nbd->size - offset);
    rc = nbd_now(nbd, iov[0].iov_base, n, offset);
    return rc ? rc : (ssize_t)n;
}

static ssize_t image_writev(void *impl, const struct iovec *iov, unsigned niov, uint64_t offset,
                            bool nowait)
{
    return -EOPNOTSUPP; /* image_submit() takes every write */
}

static int image_flush(void *impl)
{
    struct nbd *nbd = impl;
    int rc;

    if (nbd->lost)
        return -EIO;
    if (!nbd->can_flush || !nbd->dirty)
        return 0;
    rc = nbd_now(nbd, NULL, 0, 0);
    nbd->dirty = rc != 0;
    return rc;
}

static int image_discard(void *impl, uint64_t offset, uint64_t bytes)
{
    return -EOPNOTSUPP; /* likewise; that it is here says that discards are worth sending */
}

void nbd_image_close(void *impl)
{
    struct nbd *nbd = impl;

    nbd_connection_close(nbd);
    nbd->state = NBD_DOWN;
    nbd_peer_put(nbd->peer, nbd->writes);
    nbd->closing = true;
    if (!nbd->in_turn)
        nbd_free(nbd);
}

const struct block_ops nbd_ops[2] = {
    {.readv = image_readv,
     .writev = image_writev,
     .flush = image_flush,
     .close = nbd_image_close,
     .flush_recovers = true,
     .submit = image_submit,
     .drain = image_drain},
    {.readv = image_readv,
     .writev = image_writev,
     .flush = image_flush,
     .discard = image_discard,
     .close = nbd_image_close,
     .flush_recovers = true,
     .submit = image_submit,
     .drain = image_drain},
};
