/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of an error of the storage: the owner is told, or it is ignored, or the request is
 * held until somebody has made room or has brought the server back.
 */
#include <errno.h>
#include <string.h>

#include "block/block_internal.h"

void block_set_on_error(struct block *block, enum block_on_error on_read,
                        enum block_on_error on_write,
                        void (*told)(void *opaque, const struct block_error *error), void *opaque)
{
    block->on_read = on_read;
    block->on_write = on_write;
    block->told = told;
    block->told_opaque = opaque;
}

unsigned block_held(const struct block *block)
{
    return block->nheld;
}

enum block_on_error block_judge(struct block *block, struct block_request *req)
{
    bool write = req->op != BLOCK_READ;
    enum block_on_error action = write ? block->on_write : block->on_read;
    struct block_error error = {.write = write, .error = req->error};

    if (action == BLOCK_ENOSPC)
        action = req->error == -ENOSPC ? BLOCK_STOP : BLOCK_REPORT;
    error.action = action;
    if (block->told)
        block->told(block->told_opaque, &error);
    if (action == BLOCK_IGNORE) {
        if (!write)
            for (unsigned i = 0; i < req->niov; i++)
                memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
        req->error = 0;
        req->done = req->bytes;
    }
    return action;
}

void block_hold(struct block *block, struct block_request *req)
{
    struct block_request **end = &block->held;

    while (*end)
        end = &(*end)->next;
    req->next = NULL;
    *end = req;
    block->nheld++;
}

bool block_unhold(struct block *block, struct block_request *req)
{
    for (struct block_request **at = &block->held; *at; at = &(*at)->next) {
        if (*at != req)
            continue;
        *at = req->next;
        block->nheld--;
        return true;
    }
    return false;
}

static struct block_request *take_all(struct block *block)
{
    struct block_request *all = block->held;

    block->held = NULL;
    block->nheld = 0;
    return all;
}

void block_retry(struct block *block)
{
    for (struct block_request *req = take_all(block), *next; req; req = next) {
        next = req->next;
        block_request_again(req);
    }
}

void block_give_up(struct block *block)
{
    for (struct block_request *req = take_all(block), *next; req; req = next) {
        next = req->next;
        block_request_return(req);
    }
}
