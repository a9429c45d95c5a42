/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a drive asks of the host: image to buffer, buffer to image, image to guest memory and back.
 * See ide_transfer.c for the phases. A DMA moves up to a mebibyte in one system call, straight
 * between the image and the guest's pages.
 */
#include "hw/ide/ide_internal.h"

#include <errno.h>
#include <string.h>

static void io_done(struct ide_drive *d);

static void io_complete(void *opaque, struct block_request *req)
{
    struct ide_drive *d = opaque;
    bool orphan = d->req_generation != d->generation;

    d->in_flight = false;
    if (orphan) {
        /* What was read at once, before the rest had to wait, is in guest memory. */
        guest_sg_release(&d->sg, req->op == BLOCK_READ);
        ide_kick(d);
    } else {
        io_done(d);
    }
    ide_channel_update_irq(d->channel);
}

void ide_submit(struct ide_drive *d, enum block_op op)
{
    struct block_request *req = &d->req;

    if (!d->block || !ata_transfer_in_range(d)) {
        /* Cannot be: checked when the command began. A drive without its image fails politely. */
        req->error = -ENXIO;
        req->done = 0;
        io_done(d);
        return;
    }
    req->op = op;
    req->complete = io_complete;
    req->opaque = d;
    d->req_generation = d->generation;
    if (block_submit(d->block, req) == BLOCK_PENDING)
        d->in_flight = true;
    else
        io_done(d);
}

static void start_fetch(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t n = IDE_BUFFER;

    if (s->raw && d->kind == IDE_CDROM)
        n = IDE_BUFFER / CD_RAW * CD_SECTOR;
    if (n > s->left)
        n = (uint32_t)s->left;
    s->pos = s->end = s->fill = 0;
    d->req.copy = false;
    d->req.offset = s->offset;
    d->req.bytes = n;
    d->req.niov = 1;
    d->req.iov[0] = (struct iovec){.iov_base = s->buffer, .iov_len = n};
    ide_submit(d, BLOCK_READ);
}

static void start_store(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    /* Copied: after a reset the buffer may hold the next command's data. */
    d->req.copy = true;
    d->req.offset = s->offset;
    d->req.bytes = s->fill;
    d->req.niov = 1;
    d->req.iov[0] = (struct iovec){.iov_base = s->buffer, .iov_len = s->fill};
    ide_submit(d, BLOCK_WRITE);
}

/* The pieces become the request's vector, neighbours joined, `bytes` of them. */
static void take_vector(struct block_request *req, const struct guest_sg *sg, size_t bytes)
{
    req->niov = 0;
    req->bytes = bytes;
    for (unsigned i = 0; i < sg->niov && bytes; i++) {
        struct iovec piece = sg->iov[i];
        struct iovec *last = req->niov ? &req->iov[req->niov - 1] : NULL;

        if (piece.iov_len > bytes)
            piece.iov_len = bytes;
        bytes -= piece.iov_len;
        if (last && (uint8_t *)last->iov_base + last->iov_len == piece.iov_base)
            last->iov_len += piece.iov_len;
        else
            req->iov[req->niov++] = piece;
    }
}

void ide_flush_soon(struct ide_drive *d)
{
    d->s->pos = d->s->end = d->s->fill = 0;
    d->s->left = 0;
    ide_begin(d, PHASE_FLUSH);
}

/* All data of a write is where the image keeps it; stable too, when the host wants it so. */
static void write_ended(struct ide_drive *d)
{
    if (d->s->write_cache)
        ide_finish(d, ATA_READY, 0);
    else
        ide_flush_soon(d);
}

static void dma_ended(struct ide_drive *d)
{
    bmdma_complete(d->channel);
    if (d->s->phase == PHASE_DMA_OUT)
        write_ended(d);
    else
        ide_finish(d, ATA_READY, 0);
}

/* No more memory for this transfer. */
static void dma_starved(struct ide_drive *d, bool fault)
{
    bmdma_stopped(d->channel, fault);
    if (fault)
        ide_finish(d, ATA_READY | ATA_ERR, ATA_ABRT);
    else
        ide_finish_quietly(d, ATA_READY, 0);
}

static void start_dma(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool reading = s->phase == PHASE_DMA_IN;
    size_t want = s->left < IDE_DMA_CHUNK ? (size_t)s->left : IDE_DMA_CHUNK, bytes;
    int rc;

    if (!bmdma_ready(d->channel))
        return;
    bmdma_walk_load(d->channel, &d->walk);
    rc = bmdma_gather(d->channel, &d->walk, &d->sg, want);
    bytes = d->sg.bytes;
    if (!reading)
        bytes -= bytes % IDE_SECTOR; /* a part of a sector is never written */
    if (!bytes) {
        guest_sg_release(&d->sg, false);
        bmdma_walk_store(d->channel, &d->walk);
        dma_starved(d, rc < 0);
        return;
    }
    d->req.copy = false;
    d->req.offset = s->offset;
    take_vector(&d->req, &d->sg, bytes);
    ide_submit(d, reading ? BLOCK_READ : BLOCK_WRITE);
}

/* Replies and parameter lists: short, so copied at once. */
static void run_dma_buffer(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool in = s->phase == PHASE_DMA_BUF_IN;
    uint32_t limit = in ? s->fill : s->end;
    int rc;

    if (!bmdma_ready(d->channel))
        return;
    bmdma_walk_load(d->channel, &d->walk);
    rc = bmdma_gather(d->channel, &d->walk, &d->sg, limit - s->pos);
    bmdma_walk_store(d->channel, &d->walk);
    if (!d->sg.bytes) {
        guest_sg_release(&d->sg, false);
        dma_starved(d, rc < 0);
        return;
    }
    for (unsigned i = 0; i < d->sg.niov; i++) {
        const struct iovec *v = &d->sg.iov[i];

        if (in)
            memcpy(v->iov_base, s->buffer + s->pos, v->iov_len);
        else
            memcpy(s->buffer + s->pos, v->iov_base, v->iov_len);
        s->pos += (uint32_t)v->iov_len;
    }
    guest_sg_release(&d->sg, in);
    if (s->pos < limit) {
        ide_kick(d);
    } else if (!in) {
        s->fill = s->pos;
        s->pos = 0;
        bmdma_complete(d->channel);
        ide_begin(d, PHASE_TRIM);
    } else if (s->left) {
        ide_begin(d, PHASE_FETCH);
    } else {
        dma_ended(d);
    }
}

void ide_kick_run(void *opaque)
{
    struct ide_drive *d = opaque;
    struct ide_drive_state *s = d->s;

    d->kicked = false;
    if (!ide_present(d))
        return;
    if (d->in_flight && s->phase != PHASE_FINISH && s->phase != PHASE_NEXT_IN &&
        s->phase != PHASE_NEXT_OUT)
        return; /* the end of what is in flight kicks again */
    switch (s->phase) {
    case PHASE_FINISH:
        ide_finish(d, s->end_status, s->end_error);
        break;
    case PHASE_NEXT_IN:
        ide_drq_in(d);
        break;
    case PHASE_NEXT_OUT:
        ide_drq_out(d);
        s->intrq = true;
        break;
    case PHASE_FETCH:
        start_fetch(d);
        break;
    case PHASE_STORE:
        start_store(d);
        break;
    case PHASE_DMA_IN:
    case PHASE_DMA_OUT:
        start_dma(d);
        break;
    case PHASE_DMA_BUF_IN:
    case PHASE_DMA_BUF_OUT:
        run_dma_buffer(d);
        break;
    case PHASE_FLUSH:
        ide_submit(d, BLOCK_FLUSH);
        break;
    case PHASE_TRIM:
        ata_trim_step(d);
        break;
    default:
        break;
    }
    ide_channel_update_irq(d->channel);
}

/* ---- the end of a host request --------------------------------------------------------------- */

static void io_failed(struct ide_drive *d, bool writing)
{
    if (d->kind == IDE_CDROM) {
        atapi_fail_now(d, d->block ? SENSE_MEDIUM_ERROR : SENSE_NOT_READY,
                       d->block ? ASC_UNRECOVERED_READ : ASC_MEDIUM_NOT_PRESENT, 0);
        return;
    }
    /*
     * UNC: the sector cannot be read. IDNF is what a drive says that finds no place to write to;
     * hosts repeat the write, which helps when the storage was full.
     */
    ide_show_address(d);
    if (d->req.error == -EROFS)
        ide_finish(d, ATA_READY | ATA_ERR, ATA_ABRT);
    else
        ide_finish(d, ATA_READY | ATA_ERR, writing ? ATA_IDNF : ATA_UNC);
}

static void fetch_done(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t n = (uint32_t)d->req.done;
    bool packet = d->kind == IDE_CDROM;

    if (d->req.error) {
        /* Sectors before the bad one are shown, in whole blocks; then its own turn comes. */
        uint32_t unit = packet ? CD_SECTOR : s->block;

        n -= n % unit;
        if (!n) {
            s->offset += d->req.done - d->req.done % IDE_SECTOR;
            s->left -= d->req.done - d->req.done % IDE_SECTOR;
            io_failed(d, false);
            return;
        }
    }
    s->fill = n;
    if (packet && s->raw)
        atapi_make_raw(d, (uint32_t)(s->offset / CD_SECTOR), n / CD_SECTOR);
    s->offset += n;
    s->left -= n;
    s->pos = 0;
    if (packet && s->packet_dma) {
        ide_begin(d, PHASE_DMA_BUF_IN);
        return;
    }
    ide_drq_in(d);
}

/* The part of a transfer before its end or error has been done. */
static void advance(struct ide_drive *d, uint64_t done)
{
    d->s->offset += done;
    d->s->left -= done;
    ide_show_address(d);
}

static void store_done(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    advance(d, d->req.error ? d->req.done - d->req.done % IDE_SECTOR : d->req.done);
    if (d->req.error) {
        io_failed(d, true);
        return;
    }
    s->pos = s->fill = 0;
    if (!s->left) {
        write_ended(d);
        return;
    }
    ide_drq_out(d);
    s->intrq = true;
}

static void dma_done(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool reading = s->phase == PHASE_DMA_IN;

    guest_sg_release(&d->sg, reading);
    if (d->req.error) {
        advance(d, d->req.done - d->req.done % IDE_SECTOR);
        bmdma_stopped(d->channel, false);
        io_failed(d, !reading);
        return;
    }
    bmdma_walk_store(d->channel, &d->walk);
    advance(d, d->req.done);
    if (s->left)
        ide_kick(d);
    else
        dma_ended(d);
}

static void io_done(struct ide_drive *d)
{
    switch (d->s->phase) {
    case PHASE_FETCH:
        fetch_done(d);
        break;
    case PHASE_STORE:
        store_done(d);
        break;
    case PHASE_DMA_IN:
    case PHASE_DMA_OUT:
        dma_done(d);
        break;
    case PHASE_FLUSH:
        if (d->req.error)
            ide_finish(d, ATA_READY | ATA_ERR, ATA_ABRT);
        else
            ide_finish(d, ATA_READY, 0);
        break;
    case PHASE_TRIM:
        if (d->req.error)
            ide_finish(d, ATA_READY | ATA_ERR, ATA_ABRT);
        else
            ide_begin(d, PHASE_TRIM);
        break;
    default:
        break;
    }
}
