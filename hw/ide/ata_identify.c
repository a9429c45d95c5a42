/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDENTIFY DEVICE: what a disk says about itself (ATA/ATAPI-6, 8.15). */
#include "hw/ide/ide_internal.h"

#include <string.h>

/* Each word holds two characters, the first in its high byte; blanks fill the rest. */
void ata_identify_string(uint8_t *sector, unsigned word, const char *text, unsigned length)
{
    size_t n = strlen(text);

    for (unsigned i = 0; i < length; i++)
        sector[2 * word + (i ^ 1)] = i < n ? (uint8_t)text[i] : ' ';
}

static void word(uint8_t *sector, unsigned n, uint32_t value)
{
    put_le16(sector + 2 * n, value);
}

static void dword(uint8_t *sector, unsigned n, uint32_t value)
{
    put_le32(sector + 2 * n, value);
}

/* Words 62-68 and 88. Exactly one of the DMA words shows a selected mode; Windows looks for it. */
void ata_identify_modes(const struct ide_drive *d, uint8_t *sector)
{
    const struct ide_drive_state *s = d->s;
    uint32_t selected = 0x100u << s->dma_mode;

    word(sector, 53, 7); /* words 54-58, 64-70 and 88 are valid */
    word(sector, 62, 0x07 | (s->dma_kind == ATA_SWDMA ? selected : 0));
    word(sector, 63, 0x07 | (s->dma_kind == ATA_MWDMA ? selected : 0));
    word(sector, 64, 3);
    for (unsigned n = 65; n <= 68; n++)
        word(sector, n, 120);
    word(sector, 88, 0x3f | (s->dma_kind == ATA_UDMA ? selected : 0));
}

/* Words 108-111, and the bits that say so. */
void ata_identify_wwn(const struct ide_drive *d, uint8_t *sector)
{
    if (!d->wwn)
        return;
    word(sector, 84, 0x4100);
    word(sector, 87, 0x4100);
    for (unsigned n = 0; n < 4; n++)
        word(sector, 108 + n, (uint32_t)(d->wwn >> (48 - 16 * n)) & 0xffff);
}

void ata_checksum(uint8_t *sector)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + sector[i]);
    sector[511] = (uint8_t)-sum;
}

void ata_identify(struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    uint8_t *p = d->s->buffer;
    uint32_t chs = (uint32_t)s->cylinders * s->heads * s->sectors;
    uint64_t sectors = ata_sectors(d);

    memset(p, 0, IDE_SECTOR);
    word(p, 0, 0x0040);
    word(p, 1, d->geometry.cylinders);
    word(p, 3, d->geometry.heads);
    word(p, 4, IDE_SECTOR * d->geometry.sectors);
    word(p, 5, IDE_SECTOR);
    word(p, 6, d->geometry.sectors);
    ata_identify_string(p, 10, d->serial, 20);
    word(p, 20, 3);
    word(p, 21, 512);
    word(p, 22, 4);
    ata_identify_string(p, 23, d->firmware, 8);
    ata_identify_string(p, 27, d->model, 40);
    word(p, 47, 0x8000 | IDE_MULTIPLE);
    word(p, 48, 1);
    word(p, 49, 0x0b00); /* IORDY, LBA, DMA */
    word(p, 51, 0x0200);
    word(p, 52, 0x0200);
    ata_identify_modes(d, p);
    word(p, 54, s->cylinders);
    word(p, 55, s->heads);
    word(p, 56, s->sectors);
    dword(p, 57, chs);
    word(p, 59, s->multiple ? 0x0100u | s->multiple : 0);
    dword(p, 60, sectors > 0x0fffffff ? 0x0fffffff : (uint32_t)sectors);
    if (d->block && !block_read_only(d->block)) {
        word(p, 69, 1u << 14); /* trimmed sectors read the same each time */
        word(p, 105, IDE_BUFFER / IDE_SECTOR);
        word(p, 169, 1);
    }
    word(p, 80, 0xf0);
    word(p, 81, 0x16);
    word(p, 106, 0x6000); /* one logical sector in a physical one */
    /* NOP, host protected area, write cache, power management, SMART; LBA48, FLUSH CACHE (EXT);
     * then the same as enabled now. */
    word(p, 82, 0x4429);
    word(p, 83, 0x7400);
    word(p, 84, 0x4000);
    word(p, 85, 0x4408u | (s->write_cache ? 0x20u : 0) | (s->smart_enabled ? 1u : 0));
    word(p, 86, 0x3400);
    word(p, 87, 0x4000);
    word(p, 93, 0x6001);
    ata_identify_wwn(d, p);
    dword(p, 100, (uint32_t)sectors);
    dword(p, 102, (uint32_t)(sectors >> 32));
    p[510] = 0xa5;
    ata_checksum(p);
    ide_reply_pio(d, IDE_SECTOR);
}
