/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel as software sees it: command block, device control, INTRQ.
 *
 * ATA/ATAPI-6 (T13 1410D), clauses 7 and 9. Both devices of a channel latch every register write;
 * reads show the selected one. Neither BSY nor a transfer of one device is ever disturbed by
 * register writes: they are ignored then, but for reset.
 *
 *     SRST 0->1: both devices stop whatever they do, BSY
 *     SRST 1->0: signatures, BSY clear, no interrupt
 *
 * Left out on purpose: overlapped and queued commands, PDIAG/DASP timing (a present slave is
 * always found), the floppy's 3F7.
 */
#include "hw/ide/ide_internal.h"

#include <string.h>

enum {
    REG_DATA,
    REG_ERROR,
    REG_COUNT,
    REG_LBA_LOW,
    REG_LBA_MID,
    REG_LBA_HIGH,
    REG_DEVICE,
    REG_STATUS
};

#define CMD_DEVICE_RESET 0x08
#define CMD_DIAGNOSTIC   0x90

void ide_channel_update_irq(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_selected(ch);
    bool level = ide_present(d) && d->s->intrq && !(ch->s->control & CTL_NIEN);

    /* The bus master notes every rising edge of INTRQ, whatever the command. */
    if (level && !ch->s->intrq_line)
        ch->s->bm_status |= BM_INT;
    ch->s->intrq_line = level;
    irq_set(&ch->irq, level);
}

void ide_signature(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool packet = d->kind == IDE_CDROM && !s->unplugged;
    bool absent = !ide_present(d);

    s->count[0] = 1;
    s->lba_low[0] = 1;
    s->lba_mid[0] = packet ? 0x14 : 0;
    s->lba_high[0] = packet ? 0xeb : 0;
    s->status = absent || packet ? 0 : ATA_READY;
    s->error = absent ? 0 : 1;
}

static bool channel_empty(const struct ide_channel *ch)
{
    return !ide_present(&ch->drive[0]) && !ide_present(&ch->drive[1]);
}

static uint8_t status_of(const struct ide_drive *d)
{
    return ide_present(d) ? d->s->status : 0;
}

static uint8_t read_register(struct ide_channel *ch, unsigned reg)
{
    struct ide_drive *d = ide_selected(ch);
    const struct ide_drive_state *s = d->s;
    unsigned hob = ch->s->control & CTL_HOB ? 1 : 0;

    if (channel_empty(ch))
        return 0;
    switch (reg) {
    case REG_ERROR:
        if (!ide_present(d))
            return 0;
        return hob ? s->features[1] : s->error;
    case REG_COUNT:
        return s->count[hob];
    case REG_LBA_LOW:
        return s->lba_low[hob];
    case REG_LBA_MID:
        return s->lba_mid[hob];
    case REG_LBA_HIGH:
        return s->lba_high[hob];
    case REG_DEVICE:
        return s->device | DEV_OBSOLETE;
    case REG_STATUS:
        d->s->intrq = false;
        return status_of(d);
    default:
        return 0;
    }
}

static void latch(uint8_t reg[2], uint8_t value)
{
    reg[1] = reg[0];
    reg[0] = value;
}

static void diagnostic(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];

        ide_cancel(d);
        ide_signature(d);
        d->s->device = 0;
        d->s->command = CMD_DIAGNOSTIC;
    }
    ch->s->selected = 0;
    /* Device 0 speaks for both. */
    if (ide_present(&ch->drive[0]))
        ide_finish_soon(&ch->drive[0], ch->drive[0].s->status, 1);
}

static void write_command(struct ide_channel *ch, uint8_t command)
{
    struct ide_drive *d = ide_selected(ch);

    if (channel_empty(ch) || (ch->s->control & CTL_SRST))
        return;
    if (command == CMD_DEVICE_RESET && ide_present(d) && d->kind == IDE_CDROM) {
        ide_cancel(d);
        d->s->command = command;
        d->s->intrq = false;
        d->s->device &= DEV_DEV;
        ide_signature(d);
        return;
    }
    if (status_of(d) & (ATA_BSY | ATA_DRQ))
        return;
    if (command == CMD_DIAGNOSTIC) {
        d->s->intrq = false;
        diagnostic(ch);
        return;
    }
    if (!ide_present(d))
        return;
    d->s->intrq = false;
    d->s->command = command;
    ata_command(d);
}

static void write_register(struct ide_channel *ch, unsigned reg, uint8_t value)
{
    if (status_of(ide_selected(ch)) & (ATA_BSY | ATA_DRQ)) {
        if (reg == REG_STATUS) {
            ch->s->control &= (uint8_t)~CTL_HOB;
            write_command(ch, value);
        }
        return;
    }
    ch->s->control &= (uint8_t)~CTL_HOB;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive_state *s = ch->drive[i].s;

        switch (reg) {
        case REG_ERROR:
            latch(s->features, value);
            break;
        case REG_COUNT:
            latch(s->count, value);
            break;
        case REG_LBA_LOW:
            latch(s->lba_low, value);
            break;
        case REG_LBA_MID:
            latch(s->lba_mid, value);
            break;
        case REG_LBA_HIGH:
            latch(s->lba_high, value);
            break;
        case REG_DEVICE:
            s->device = value;
            break;
        default:
            break;
        }
    }
    if (reg == REG_DEVICE)
        ch->s->selected = value & DEV_DEV ? 1 : 0;
    else if (reg == REG_STATUS)
        write_command(ch, value);
}

static uint64_t command_block_read(void *dev, uint64_t offset, unsigned size)
{
    struct ide_channel *ch = dev;
    uint64_t value = 0;

    if (offset == REG_DATA) {
        uint8_t bytes[4] = {0};

        /* An 8-bit read consumes a whole word too: boot loaders rely on it. */
        ide_data_in(ide_selected(ch), bytes, size < 2 ? 2 : size);
        value = bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
                (uint64_t)bytes[3] << 24;
        if (size < 2)
            value &= 0xff;
    } else {
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)read_register(ch, (unsigned)offset + i) << 8 * i;
    }
    ide_channel_update_irq(ch);
    return value;
}

static void command_block_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct ide_channel *ch = dev;

    if (offset == REG_DATA) {
        uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 24)};

        ide_data_out(ide_selected(ch), bytes, size < 2 ? 2 : size);
    } else {
        for (unsigned i = 0; i < size; i++)
            write_register(ch, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
    }
    ide_channel_update_irq(ch);
}

/* `rep insw` and `rep insl` of the data port; what is asked beyond DRQ reads as zeros. */
static size_t command_block_read_many(void *dev, uint64_t offset, unsigned size, void *buf,
                                      size_t count)
{
    struct ide_channel *ch = dev;
    size_t bytes = count * size, n;

    if (offset != REG_DATA || size < 2)
        return 0;
    n = ide_data_in(ide_selected(ch), buf, bytes);
    memset((uint8_t *)buf + n, 0, bytes - n);
    ide_channel_update_irq(ch);
    return count;
}

static size_t command_block_write_many(void *dev, uint64_t offset, unsigned size, const void *buf,
                                       size_t count)
{
    struct ide_channel *ch = dev;

    if (offset != REG_DATA || size < 2)
        return 0;
    ide_data_out(ide_selected(ch), buf, count * size);
    ide_channel_update_irq(ch);
    return count;
}

const struct io_ops ide_command_block_ops = {
    .read = command_block_read,
    .write = command_block_write,
    .sizes = 1 | 2 | 4,
    .read_many = command_block_read_many,
    .write_many = command_block_write_many,
};

static uint64_t control_block_read(void *dev, uint64_t offset, unsigned size)
{
    struct ide_channel *ch = dev;

    return status_of(ide_selected(ch));
}

static void srst_begins(struct ide_channel *ch)
{
    ch->s->bm_status &= (uint8_t)~BM_ACTIVE; /* nobody asks the engine for data any more */
    for (unsigned i = 0; i < 2; i++) {
        ide_cancel(&ch->drive[i]);
        ch->drive[i].s->intrq = false;
        ch->drive[i].s->status = ATA_BSY;
    }
}

static void srst_ends(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];

        d->s->device = 0;
        d->s->sense_key = d->s->asc = d->s->ascq = 0;
        if (d->s->revert)
            ata_settings_reset(d);
        ide_signature(d);
    }
    ch->s->selected = 0;
}

static void control_block_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct ide_channel *ch = dev;
    uint8_t before = ch->s->control;

    ch->s->control = (uint8_t)value & (CTL_HOB | CTL_SRST | CTL_NIEN);
    if (~before & value & CTL_SRST)
        srst_begins(ch);
    else if (before & ~value & CTL_SRST)
        srst_ends(ch);
    ide_channel_update_irq(ch);
}

const struct io_ops ide_control_block_ops = {
    .read = control_block_read,
    .write = control_block_write,
    .sizes = 1,
};
