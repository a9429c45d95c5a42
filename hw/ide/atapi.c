/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ATAPI CD/DVD-ROM drive: the packet protocol, sense data, media.
 *
 * ATA/ATAPI-6 clauses 8.23 and 9.8 (PACKET), SFF-8020i and INF-8090i/MMC for what packets say.
 *
 *     PACKET ──▶ DRQ, 12 bytes in ──▶ reply in bursts of at most the byte count limit, or by DMA
 *            ──▶ reason 3, one interrupt
 *
 * When a medium is put in, a guest that only polls must see the tray as it was between: the next
 * command that is not exempt gets "medium not present", the one after it "medium may have
 * changed", the third one works. A guest that has seen the empty tray already, by such an error or
 * by the event of the removal, gets "medium may have changed" only: Linux takes what it is told in
 * its first question for a change, and in its second one for a reason to refuse all reading.
 *
 * Left out on purpose: overlap, audio, sub-channel data of the disc, writing, region codes, CSS.
 */
#include "hw/ide/ide_internal.h"

#include <string.h>

uint32_t atapi_blocks(const struct ide_drive *d)
{
    uint64_t blocks = d->block ? block_sectors(d->block) / (CD_SECTOR / BLOCK_SECTOR) : 0;

    return blocks > 0xfffffffe ? 0xfffffffe : (uint32_t)blocks;
}

bool atapi_ready(const struct ide_drive *d)
{
    return !d->s->tray_open && atapi_blocks(d) > 0;
}

void atapi_identify(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;

    memset(p, 0, IDE_SECTOR);
    put_le16(p, 0x85c0); /* ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets */
    ata_identify_string(p, 10, d->serial, 20);
    put_le16(p + 2 * 20, 3);
    put_le16(p + 2 * 21, 512);
    put_le16(p + 2 * 22, 4);
    ata_identify_string(p, 23, d->firmware, 8);
    ata_identify_string(p, 27, d->model, 40);
    put_le16(p + 2 * 48, 1);
    put_le16(p + 2 * 49, 0x0300); /* LBA, DMA */
    ata_identify_modes(d, p);
    put_le16(p + 2 * 65, 0xb4);
    put_le16(p + 2 * 66, 0xb4);
    put_le16(p + 2 * 67, 0x12c);
    put_le16(p + 2 * 68, 0xb4);
    put_le16(p + 2 * 71, 30);
    put_le16(p + 2 * 72, 30);
    put_le16(p + 2 * 80, 0x1e);
    ata_identify_wwn(d, p);
    ide_reply_pio(d, IDE_SECTOR);
}

void atapi_packet(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->features[0] & 2) { /* overlap */
        ide_abort(d);
        return;
    }
    s->packet_dma = s->features[0] & 1;
    s->block = (uint32_t)s->lba_high[0] << 8 | s->lba_mid[0];
    s->offset = s->left = 0;
    s->pos = s->end = s->fill = 0;
    memset(s->packet, 0, sizeof(s->packet));
    s->count[0] = REASON_COD;
    s->status = ATA_READY | ATA_DRQ;
    s->phase = PHASE_PACKET; /* no interrupt: word 0 of IDENTIFY says so */
}

void atapi_execute(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    s->pos = s->end = s->fill = 0;
    /* No byte of an earlier command shows through a reply that is filled in part. */
    memset(s->buffer, 0, sizeof(s->buffer));
    atapi_command(d);
}

void atapi_ok(struct ide_drive *d)
{
    ide_succeed(d);
}

static uint8_t set_sense(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    d->s->sense_key = key;
    d->s->asc = asc;
    d->s->ascq = ascq;
    return (uint8_t)(key << 4);
}

void atapi_error(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    ide_finish_soon(d, ATA_READY | ATA_ERR, set_sense(d, key, asc, ascq));
}

void atapi_fail_now(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    ide_finish(d, ATA_READY | ATA_ERR, set_sense(d, key, asc, ascq));
}

/*
 * The size of a burst from the limit that PACKET was given; false: the data phase cannot be. A
 * limit of zero is only wrong when there is data: some firmware clears it for commands without.
 */
static bool burst_size(struct ide_drive *d, uint64_t bytes)
{
    uint32_t limit = d->s->block;

    if (limit == 0xffff)
        limit = 0xfffe;
    if (limit < bytes)
        limit &= ~1u;
    if (!limit)
        return false;
    d->s->block = limit;
    return true;
}

void atapi_reply(struct ide_drive *d, uint32_t bytes, uint32_t allocation)
{
    struct ide_drive_state *s = d->s;

    if (bytes > allocation)
        bytes = allocation;
    if (bytes > IDE_BUFFER)
        bytes = IDE_BUFFER;
    if (!bytes) {
        atapi_ok(d);
        return;
    }
    if (!s->packet_dma && !burst_size(d, bytes)) {
        ide_abort(d);
        return;
    }
    s->pos = 0;
    s->fill = bytes;
    s->left = 0;
    ide_begin(d, s->packet_dma ? PHASE_DMA_BUF_IN : PHASE_NEXT_IN);
}

void atapi_read(struct ide_drive *d, uint32_t lba, uint32_t count, bool raw)
{
    struct ide_drive_state *s = d->s;
    uint32_t blocks = atapi_blocks(d);

    if (count > blocks || lba > blocks - count) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
        return;
    }
    if (!count) {
        atapi_ok(d);
        return;
    }
    if (!s->packet_dma && !burst_size(d, (uint64_t)count * (raw ? CD_RAW : CD_SECTOR))) {
        ide_abort(d);
        return;
    }
    s->raw = raw;
    s->offset = (uint64_t)lba * CD_SECTOR;
    s->left = (uint64_t)count * CD_SECTOR;
    ide_begin(d, s->packet_dma && !raw ? PHASE_DMA_IN : PHASE_FETCH);
}

void atapi_lba_to_msf(uint8_t *at, uint32_t lba)
{
    uint64_t frame = (uint64_t)lba + 150;

    at[0] = (uint8_t)(frame / 75 / 60);
    at[1] = (uint8_t)(frame / 75 % 60);
    at[2] = (uint8_t)(frame % 75);
}

/* From the last sector to the first, since each moves up: sync, header, data, no error codes. */
void atapi_make_raw(struct ide_drive *d, uint32_t lba, uint32_t count)
{
    uint8_t *buffer = d->s->buffer;

    if (count > IDE_BUFFER / CD_RAW)
        count = IDE_BUFFER / CD_RAW;
    for (uint32_t i = count; i-- > 0;) {
        uint8_t *raw = buffer + i * CD_RAW;

        memmove(raw + 16, buffer + i * CD_SECTOR, CD_SECTOR);
        raw[0] = 0;
        memset(raw + 1, 0xff, 10);
        raw[11] = 0;
        atapi_lba_to_msf(raw + 12, lba + i);
        raw[15] = 1; /* mode 1 */
        memset(raw + 16 + CD_SECTOR, 0, CD_RAW - 16 - CD_SECTOR);
    }
    d->s->fill = count * CD_RAW;
}
