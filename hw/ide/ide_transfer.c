/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a drive does between a command and its end.
 *
 *                    ┌────────────── FETCH ◀──────────────┐
 *     command ──┬──▶ NEXT_IN ──▶ PIO_IN (DRQ) ── more ────┤
 *               ├──▶ PIO_OUT (DRQ) ──▶ STORE ──▶ PIO_OUT  │ ...
 *               ├──▶ DMA_IN, DMA_OUT: a chunk after another, each one system call
 *               ├──▶ DMA_BUF_IN, DMA_BUF_OUT: replies and parameters
 *               └──▶ FLUSH, TRIM, FINISH ──▶ IDLE
 *
 * Nothing that a phase does happens inside the guest's register access: the phase is set, and the
 * next part of the loop turn goes on with it. Drivers of old arm themselves after they have
 * written the command register; and reset, unplug and eject can come at any time between.
 *
 * A host request carries its own place and length. Its end is looked at only when its generation
 * is still the drive's; whatever began it may be gone. While an orphan runs, the drive's next
 * transfer waits for it, so that an old write never overtakes a new one. All a phase needs is in
 * the state: one that was interrupted by a save or a crash is begun again.
 */
#include "hw/ide/ide_internal.h"

#include <string.h>

void ide_kick(struct ide_drive *d)
{
    d->kicked = true;
    loop_defer(d->ide->env.loop, &d->work);
}

void ide_begin(struct ide_drive *d, enum ide_phase phase)
{
    d->s->phase = (uint8_t)phase;
    d->s->status = ATA_BSY | ATA_READY;
    ide_kick(d);
}

void ide_cancel(struct ide_drive *d)
{
    d->generation++;
    if (d->in_flight)
        block_cancel(&d->req);
    if (d->kicked) {
        loop_defer_cancel(d->ide->env.loop, &d->work);
        d->kicked = false;
    }
    d->s->phase = PHASE_IDLE;
    d->s->pos = d->s->end = d->s->fill = 0;
    d->s->left = 0;
}

void ide_finish_soon(struct ide_drive *d, uint8_t status, uint8_t error)
{
    d->s->end_status = status;
    d->s->end_error = error;
    d->s->pos = d->s->end = d->s->fill = 0;
    d->s->left = 0;
    ide_begin(d, PHASE_FINISH);
}

void ide_succeed(struct ide_drive *d)
{
    ide_finish_soon(d, ATA_READY, 0);
}

void ide_abort(struct ide_drive *d)
{
    ide_finish_soon(d, ATA_READY | ATA_ERR, ATA_ABRT);
}

/* The end without an interrupt: after the last word of a PIO read. */
void ide_finish_quietly(struct ide_drive *d, uint8_t status, uint8_t error)
{
    struct ide_drive_state *s = d->s;

    s->phase = PHASE_IDLE;
    s->pos = s->end = s->fill = 0;
    s->left = 0;
    s->status = status;
    s->error = error;
    if (d->kind == IDE_CDROM && s->command == 0xa0)
        s->count[0] = REASON_COD | REASON_IO;
}

void ide_finish(struct ide_drive *d, uint8_t status, uint8_t error)
{
    ide_finish_quietly(d, status, error);
    d->s->intrq = true;
}

void ide_show_address(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint64_t lba = s->offset / IDE_SECTOR;
    uint32_t count = (uint32_t)(s->left / IDE_SECTOR);

    switch (s->addressing) {
    case ADDRESS_LBA48:
        s->lba_low[1] = (uint8_t)(lba >> 24);
        s->lba_mid[1] = (uint8_t)(lba >> 32);
        s->lba_high[1] = (uint8_t)(lba >> 40);
        s->count[1] = (uint8_t)(count >> 8);
        break;
    case ADDRESS_LBA28:
        s->device = (uint8_t)((s->device & 0xf0) | (lba >> 24 & 0x0f));
        break;
    case ADDRESS_CHS: {
        uint32_t track = (uint32_t)(lba / s->sectors);

        s->lba_low[0] = (uint8_t)(lba % s->sectors + 1);
        s->lba_mid[0] = (uint8_t)(track / s->heads);
        s->lba_high[0] = (uint8_t)(track / s->heads >> 8);
        s->device = (uint8_t)((s->device & 0xf0) | (track % s->heads & 0x0f));
        s->count[0] = (uint8_t)count;
        return;
    }
    default:
        return;
    }
    s->lba_low[0] = (uint8_t)lba;
    s->lba_mid[0] = (uint8_t)(lba >> 8);
    s->lba_high[0] = (uint8_t)(lba >> 16);
    s->count[0] = (uint8_t)count;
}

/* ---- the data port --------------------------------------------------------------------------- */

void ide_drq_in(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t n = s->fill - s->pos;

    if (n > s->block)
        n = s->block;
    s->end = s->pos + n;
    s->phase = PHASE_PIO_IN;
    s->status = ATA_READY | ATA_DRQ;
    s->error = 0;
    if (d->kind == IDE_CDROM && s->command == 0xa0) {
        s->count[0] = REASON_IO;
        s->lba_mid[0] = (uint8_t)n;
        s->lba_high[0] = (uint8_t)(n >> 8);
    } else {
        /* The registers name the sector behind this block. */
        uint64_t offset = s->offset, left = s->left;
        uint32_t ahead = s->fill - s->end;

        s->offset -= ahead;
        s->left += ahead;
        ide_show_address(d);
        s->offset = offset;
        s->left = left;
    }
    s->intrq = true;
}

void ide_drq_out(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint64_t n = s->left - s->pos;

    s->end = s->pos + (n < s->block ? (uint32_t)n : s->block);
    if (s->end > IDE_BUFFER)
        s->end = IDE_BUFFER;
    s->phase = PHASE_PIO_OUT;
    s->status = ATA_READY | ATA_DRQ;
    s->error = 0;
}

void ide_begin_pio_out(struct ide_drive *d)
{
    d->s->pos = d->s->fill = 0;
    ide_drq_out(d);
}

void ide_reply_pio(struct ide_drive *d, uint32_t bytes)
{
    d->s->pos = 0;
    d->s->fill = bytes;
    d->s->left = 0;
    d->s->block = bytes;
    d->s->addressing = ADDRESS_NONE;
    ide_begin(d, PHASE_NEXT_IN);
}

static void block_read_by_host(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->pos < s->fill)
        ide_begin(d, PHASE_NEXT_IN);
    else if (s->left)
        ide_begin(d, PHASE_FETCH);
    else if (d->kind == IDE_CDROM && s->command == 0xa0)
        ide_succeed(d);
    else
        ide_finish_quietly(d, ATA_READY, 0);
}

size_t ide_data_in(struct ide_drive *d, uint8_t *buf, size_t len)
{
    struct ide_drive_state *s = d->s;
    size_t n;

    if (s->phase != PHASE_PIO_IN || !ide_present(d) || s->pos >= s->end || s->end > IDE_BUFFER)
        return 0;
    n = s->end - s->pos;
    if (n > len)
        n = len;
    memcpy(buf, s->buffer + s->pos, n);
    s->pos += (uint32_t)n;
    if (s->pos == s->end)
        block_read_by_host(d);
    return n;
}

static void block_written_by_host(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    s->fill = s->pos;
    if (s->fill == s->left || s->fill == IDE_BUFFER)
        ide_begin(d, PHASE_STORE);
    else
        ide_begin(d, PHASE_NEXT_OUT);
}

static size_t packet_out(struct ide_drive *d, const uint8_t *buf, size_t len)
{
    struct ide_drive_state *s = d->s;
    size_t n = sizeof(s->packet) - s->pos;

    if (n > len)
        n = len;
    memcpy(s->packet + s->pos, buf, n);
    s->pos += (uint32_t)n;
    if (s->pos == sizeof(s->packet))
        atapi_execute(d);
    return n;
}

size_t ide_data_out(struct ide_drive *d, const uint8_t *buf, size_t len)
{
    struct ide_drive_state *s = d->s;
    size_t n;

    if (!ide_present(d))
        return 0;
    if (s->phase == PHASE_PACKET && s->pos < sizeof(s->packet))
        return packet_out(d, buf, len);
    if (s->phase != PHASE_PIO_OUT || s->pos >= s->end || s->end > IDE_BUFFER)
        return 0;
    n = s->end - s->pos;
    if (n > len)
        n = len;
    memcpy(s->buffer + s->pos, buf, n);
    s->pos += (uint32_t)n;
    if (s->pos == s->end)
        block_written_by_host(d);
    return n;
}
