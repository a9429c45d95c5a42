/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ATA commands.
 *
 * ATA/ATAPI-6 (T13 1410D), clause 8; DATA SET MANAGEMENT from ACS-2. One table says for each opcode
 * on which kind of drive it exists; a missing row means "aborted".
 *
 * Left out on purpose: the security set but for FREEZE LOCK, passwords of SET MAX, FUA writes (all
 * aborted, none advertised), NCQ, media status, CFA.
 */
#include "hw/ide/ide_internal.h"

#include <errno.h>

#define CMD_NATIVE_MAX_EXT 0x27
#define CMD_NATIVE_MAX     0xf8

enum { ON_DISK = 1, ON_CDROM = 2, ON_BOTH = 3 };
enum { F_EXT = 1, F_MULTIPLE = 2, F_DMA = 4, F_WRITE = 8, F_VERIFY = 16 };

struct ata_row {
    uint8_t first, last; /* opcodes */
    void (*run)(struct ide_drive *d, unsigned flags);
    uint8_t kinds, flags;
};

static uint64_t address_lba28(const struct ide_drive_state *s)
{
    return (uint64_t)(s->device & 0x0f) << 24 | (uint64_t)s->lba_high[0] << 16 |
           (uint64_t)s->lba_mid[0] << 8 | s->lba_low[0];
}

static uint64_t address_lba48(const struct ide_drive_state *s)
{
    return (uint64_t)s->lba_high[1] << 40 | (uint64_t)s->lba_mid[1] << 32 |
           (uint64_t)s->lba_low[1] << 24 | (uint64_t)s->lba_high[0] << 16 |
           (uint64_t)s->lba_mid[0] << 8 | s->lba_low[0];
}

/* What the registers name; false: no sector has that address. */
static bool address(struct ide_drive *d, unsigned flags, uint64_t *lba, uint32_t *count)
{
    struct ide_drive_state *s = d->s;

    if (flags & F_EXT) {
        s->addressing = ADDRESS_LBA48;
        *lba = address_lba48(s);
        *count = (uint32_t)s->count[1] << 8 | s->count[0];
        if (!*count)
            *count = 65536;
    } else {
        *count = s->count[0] ? s->count[0] : 256;
        if (s->device & DEV_LBA) {
            s->addressing = ADDRESS_LBA28;
            *lba = address_lba28(s);
        } else {
            uint32_t cylinder = (uint32_t)s->lba_high[0] << 8 | s->lba_mid[0];
            uint32_t head = s->device & 0x0f, sector = s->lba_low[0];

            s->addressing = ADDRESS_CHS;
            if (!sector || sector > s->sectors || head >= s->heads)
                return false;
            *lba = ((uint64_t)cylinder * s->heads + head) * s->sectors + sector - 1;
        }
    }
    return *count <= ata_sectors(d) && *lba <= ata_sectors(d) - *count;
}

uint64_t ata_sectors(const struct ide_drive *d)
{
    return d->s->set_max && d->s->set_max < d->sectors ? d->s->set_max : d->sectors;
}

static void cmd_transfer(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint64_t lba;
    uint32_t count;

    ata_power_access(d);
    if ((flags & F_MULTIPLE) && !s->multiple) {
        ide_abort(d);
        return;
    }
    if ((flags & F_WRITE) && (!d->block || block_read_only(d->block))) {
        ide_abort(d);
        return;
    }
    if (!address(d, flags, &lba, &count)) {
        ide_abort(d);
        return;
    }
    if (flags & F_VERIFY) {
        ide_succeed(d);
        return;
    }
    s->offset = lba * IDE_SECTOR;
    s->left = (uint64_t)count * IDE_SECTOR;
    s->block = flags & F_MULTIPLE ? s->multiple * IDE_SECTOR : IDE_SECTOR;
    s->raw = s->packet_dma = false;
    if (flags & F_DMA)
        ide_begin(d, flags & F_WRITE ? PHASE_DMA_OUT : PHASE_DMA_IN);
    else if (flags & F_WRITE)
        ide_begin_pio_out(d);
    else
        ide_begin(d, PHASE_FETCH);
}

static void cmd_success(struct ide_drive *d, unsigned flags)
{
    ide_succeed(d);
}

static void cmd_identify(struct ide_drive *d, unsigned flags)
{
    if (d->kind == IDE_DISK) {
        ata_identify(d);
        return;
    }
    ide_signature(d);
    ide_abort(d);
}

/* Commands that a kind of drive refuses by showing what it is. */
static void cmd_refuse_with_signature(struct ide_drive *d, unsigned flags)
{
    ide_signature(d);
    ide_abort(d);
}

static void cmd_identify_packet(struct ide_drive *d, unsigned flags)
{
    if (d->kind == IDE_CDROM)
        atapi_identify(d);
    else
        cmd_refuse_with_signature(d, flags);
}

static void cmd_packet(struct ide_drive *d, unsigned flags)
{
    atapi_packet(d);
}

static void cmd_native_max(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint64_t last = d->sectors - 1;

    if (flags & F_EXT) {
        s->addressing = ADDRESS_LBA48;
    } else if (s->device & DEV_LBA) {
        s->addressing = ADDRESS_LBA28;
        if (last > 0x0fffffff)
            last = 0x0fffffff;
    } else {
        uint64_t all = 65536ull * s->heads * s->sectors;

        s->addressing = ADDRESS_CHS;
        if (last >= all)
            last = all - 1;
    }
    s->offset = last * IDE_SECTOR;
    s->left = (uint64_t)((uint32_t)s->count[1] << 8 | s->count[0]) * IDE_SECTOR; /* stays */
    ide_show_address(d);
    s->offset = 0;
    s->native_max_read = s->command;
    ide_succeed(d);
}

/*
 * SET MAX ADDRESS (EXT): the registers name the last sector that the host is to have, and bit 0 of
 * the count says whether that outlasts a reset. Only right behind the READ NATIVE MAX of its kind:
 * the same opcode elsewhere sets passwords.
 */
static void cmd_set_max(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    bool keep = s->count[0] & 1;
    uint64_t last;
    uint32_t one;

    if (s->native_max_read != (flags & F_EXT ? CMD_NATIVE_MAX_EXT : CMD_NATIVE_MAX)) {
        ide_abort(d);
        return;
    }
    s->count[0] = 1;
    s->count[1] = 0;
    s->set_max = 0;
    if (!address(d, flags, &last, &one)) {
        ide_finish_soon(d, ATA_READY | ATA_ERR, ATA_IDNF);
        return;
    }
    s->set_max = last + 1;
    if (keep)
        s->set_max_kept = last + 1;
    ide_succeed(d);
}

static void cmd_initialize_parameters(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint64_t cylinders;

    if (!s->count[0]) {
        ide_abort(d);
        return;
    }
    s->heads = (uint8_t)((s->device & 0x0f) + 1);
    s->sectors = s->count[0];
    cylinders = d->sectors / ((uint32_t)s->heads * s->sectors);
    s->cylinders = cylinders > 65535 ? 65535 : (uint16_t)cylinders;
    ide_succeed(d);
}

static void cmd_power(struct ide_drive *d, unsigned flags)
{
    ata_power_command(d);
}

static void cmd_set_multiple(struct ide_drive *d, unsigned flags)
{
    uint8_t n = d->s->count[0];

    if (n > IDE_MULTIPLE || (n & (n - 1))) {
        ide_abort(d);
        return;
    }
    d->s->multiple = n;
    ide_succeed(d);
}

static void cmd_flush(struct ide_drive *d, unsigned flags)
{
    d->s->offset = 0;
    if (d->kind == IDE_DISK)
        ide_flush_soon(d);
    else
        ide_succeed(d);
}

static void cmd_smart(struct ide_drive *d, unsigned flags)
{
    ata_smart(d);
}

static bool set_transfer_mode(struct ide_drive *d, uint8_t value)
{
    static const struct {
        uint8_t kind, modes;
    } classes[32] = {
        [0] = {ATA_PIO_ONLY, 2}, /* default, with or without IORDY */
        [1] = {ATA_PIO_ONLY, 5}, [2] = {ATA_SWDMA, 3}, [4] = {ATA_MWDMA, 3}, [8] = {ATA_UDMA, 6},
    };
    unsigned class = value >> 3;

    if ((value & 7) >= classes[class].modes)
        return false;
    d->s->dma_kind = classes[class].kind;
    d->s->dma_mode = value & 7;
    return true;
}

static void cmd_set_features(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;

    switch (s->features[0]) {
    case 0x03:
        if (!set_transfer_mode(d, s->count[0])) {
            ide_abort(d);
            return;
        }
        break;
    case 0x02:
        s->write_cache = true;
        break;
    case 0x82:
        s->write_cache = false;
        cmd_flush(d, 0);
        return;
    case 0xaa:
    case 0x55:
        s->look_ahead = s->features[0] == 0xaa;
        break;
    case 0xcc:
    case 0x66:
        s->revert = s->features[0] == 0xcc;
        break;
    case 0x05: /* advanced power management */
    case 0x85:
    case 0x42: /* automatic acoustic management */
    case 0xc2:
    case 0x67:
    case 0x69:
    case 0x96:
    case 0x9a:
        break;
    default:
        ide_abort(d);
        return;
    }
    ide_succeed(d);
}

/* ---- DATA SET MANAGEMENT --------------------------------------------------------------------- */

static uint64_t trim_entry(const struct ide_drive_state *s, uint32_t pos, uint64_t *lba)
{
    const uint8_t *p = s->buffer + pos;

    *lba = (uint64_t)be16_at((const uint8_t[]){p[5], p[4]}) << 32 |
           be32_at((const uint8_t[]){p[3], p[2], p[1], p[0]});
    return (uint64_t)p[7] << 8 | p[6];
}

static void cmd_data_set_management(struct ide_drive *d, unsigned flags)
{
    struct ide_drive_state *s = d->s;
    uint32_t bytes = ((uint32_t)s->count[1] << 8 | s->count[0]) * IDE_SECTOR;

    if (s->features[0] != 1 || !bytes || bytes > IDE_BUFFER || !d->block ||
        block_read_only(d->block)) {
        ide_abort(d);
        return;
    }
    s->offset = s->left = 0;
    s->pos = s->fill = 0;
    s->end = bytes;
    ide_begin(d, PHASE_DMA_BUF_OUT);
}

static bool trim_list_in_range(const struct ide_drive *d)
{
    for (uint32_t pos = 0; pos + 8 <= d->s->fill; pos += 8) {
        uint64_t lba, count = trim_entry(d->s, pos, &lba);

        if (count > ata_sectors(d) || lba > ata_sectors(d) - count)
            return false;
    }
    return true;
}

void ata_trim_step(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (!s->pos && !trim_list_in_range(d)) {
        ide_finish(d, ATA_READY | ATA_ERR, ATA_ABRT);
        return;
    }
    while (s->pos + 8 <= s->fill) {
        uint64_t lba, count = trim_entry(s, s->pos, &lba);

        s->pos += 8;
        if (!count)
            continue;
        d->req.offset = lba * IDE_SECTOR;
        d->req.bytes = count * IDE_SECTOR;
        ide_submit(d, BLOCK_DISCARD);
        return;
    }
    ide_finish(d, ATA_READY, 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct ata_row rows[] = {
    {0x06, 0x06, cmd_data_set_management, ON_DISK, F_DMA},
    {0x10, 0x1f, cmd_success, ON_DISK, 0}, /* RECALIBRATE */
    {0x20, 0x21, cmd_transfer, ON_DISK, 0},
    {0x24, 0x24, cmd_transfer, ON_DISK, F_EXT},
    {0x25, 0x25, cmd_transfer, ON_DISK, F_EXT | F_DMA},
    {CMD_NATIVE_MAX_EXT, CMD_NATIVE_MAX_EXT, cmd_native_max, ON_DISK, F_EXT},
    {0x29, 0x29, cmd_transfer, ON_DISK, F_EXT | F_MULTIPLE},
    {0x30, 0x31, cmd_transfer, ON_DISK, F_WRITE},
    {0x34, 0x34, cmd_transfer, ON_DISK, F_EXT | F_WRITE},
    {0x35, 0x35, cmd_transfer, ON_DISK, F_EXT | F_WRITE | F_DMA},
    {0x37, 0x37, cmd_set_max, ON_DISK, F_EXT},
    {0x39, 0x39, cmd_transfer, ON_DISK, F_EXT | F_WRITE | F_MULTIPLE},
    {0x40, 0x41, cmd_transfer, ON_DISK, F_VERIFY},
    {0x42, 0x42, cmd_transfer, ON_DISK, F_EXT | F_VERIFY},
    {0x70, 0x7f, cmd_success, ON_DISK, 0}, /* SEEK */
    {0x91, 0x91, cmd_initialize_parameters, ON_DISK, 0},
    {0x94, 0x99, cmd_power, ON_DISK, 0}, /* old opcodes */
    {0xa0, 0xa0, cmd_packet, ON_CDROM, 0},
    {0xa1, 0xa1, cmd_identify_packet, ON_BOTH, 0},
    {0xb0, 0xb0, cmd_smart, ON_DISK, 0},
    {0xc4, 0xc4, cmd_transfer, ON_DISK, F_MULTIPLE},
    {0xc5, 0xc5, cmd_transfer, ON_DISK, F_WRITE | F_MULTIPLE},
    {0xc6, 0xc6, cmd_set_multiple, ON_DISK, 0},
    {0xc8, 0xc9, cmd_transfer, ON_DISK, F_DMA},
    {0xca, 0xcb, cmd_transfer, ON_DISK, F_WRITE | F_DMA},
    {0xe0, 0xe3, cmd_power, ON_BOTH, 0},
    {0xe5, 0xe6, cmd_power, ON_BOTH, 0},
    {0xe7, 0xe7, cmd_flush, ON_BOTH, 0},
    {0xea, 0xea, cmd_flush, ON_DISK, 0},
    {0xec, 0xec, cmd_identify, ON_BOTH, 0},
    {0xef, 0xef, cmd_set_features, ON_BOTH, 0},
    {0xf5, 0xf5, cmd_success, ON_DISK, 0}, /* SECURITY FREEZE LOCK */
    {CMD_NATIVE_MAX, CMD_NATIVE_MAX, cmd_native_max, ON_DISK, 0},
    {0xf9, 0xf9, cmd_set_max, ON_DISK, 0},
};

/* NULL when a drive of this kind does not know the command. */
static const struct ata_row *find_row(const struct ide_drive *d)
{
    unsigned kind = d->kind == IDE_DISK ? ON_DISK : ON_CDROM;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].first <= d->s->command && d->s->command <= rows[i].last)
            return rows[i].kinds & kind ? &rows[i] : NULL;
    return NULL;
}

void ata_command(struct ide_drive *d)
{
    const struct ata_row *row = find_row(d);

    d->s->error = 0;
    d->s->addressing = ADDRESS_NONE;
    d->s->raw = d->s->packet_dma = false;
    if (row) {
        row->run(d, row->flags);
    } else if (d->s->command == 0x20 && d->kind == IDE_CDROM) {
        cmd_refuse_with_signature(d, 0);
    } else {
        ide_abort(d);
    }
    if (!row || row->run != cmd_native_max)
        d->s->native_max_read = 0;
}

bool ata_transfer_in_range(const struct ide_drive *d)
{
    uint64_t size = d->block ? block_sectors(d->block) * IDE_SECTOR : 0;

    return !d->s->left || (d->s->left <= size && d->s->offset <= size - d->s->left);
}

bool ata_phase_possible(const struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    const struct ata_row *row = find_row(d);
    bool packet = d->kind == IDE_CDROM && s->command == 0xa0;

    switch (s->phase) {
    case PHASE_IDLE:
    case PHASE_FINISH:
        return true;
    case PHASE_PACKET:
        return packet && s->pos < sizeof(s->packet);
    case PHASE_PIO_IN:
    case PHASE_NEXT_IN:
        return row && s->pos < s->fill && s->block && ata_transfer_in_range(d);
    case PHASE_DMA_BUF_IN:
        return packet && s->pos < s->fill && ata_transfer_in_range(d);
    case PHASE_FETCH:
        return row && (packet || !(row->flags & F_WRITE)) && s->left &&
               (s->block || (packet && s->packet_dma)) && ata_transfer_in_range(d);
    case PHASE_DMA_IN:
        return row && (packet || row->flags == F_DMA || row->flags == (F_DMA | F_EXT)) && s->left &&
               ata_transfer_in_range(d);
    case PHASE_PIO_OUT:
    case PHASE_NEXT_OUT:
    case PHASE_STORE:
        return row && (row->flags & F_WRITE) && !(row->flags & F_DMA) && s->block && s->left &&
               s->fill <= s->left && s->pos <= s->left && s->end <= s->left &&
               s->left % IDE_SECTOR == 0 && s->offset % IDE_SECTOR == 0 &&
               (s->phase != PHASE_STORE || (s->fill && s->fill % IDE_SECTOR == 0)) &&
               ata_transfer_in_range(d);
    case PHASE_DMA_OUT:
        return row && (row->flags & F_WRITE) && (row->flags & F_DMA) && s->left &&
               s->left % IDE_SECTOR == 0 && s->offset % IDE_SECTOR == 0 && ata_transfer_in_range(d);
    case PHASE_DMA_BUF_OUT:
        return d->kind == IDE_DISK && s->command == 0x06 && s->pos < s->end && !s->left;
    case PHASE_TRIM:
        return d->kind == IDE_DISK && s->command == 0x06 && !s->left;
    case PHASE_FLUSH:
        return d->kind == IDE_DISK && !s->left;
    default:
        return false;
    }
}

void ata_settings_reset(struct ide_drive *d)
{
    d->s->multiple = IDE_MULTIPLE;
    d->s->cylinders = (uint16_t)d->geometry.cylinders;
    d->s->heads = (uint8_t)(d->geometry.heads ? d->geometry.heads : 16);
    d->s->sectors = (uint8_t)(d->geometry.sectors ? d->geometry.sectors : 63);
}

void ata_power_on(struct ide_drive *d)
{
    ata_settings_reset(d);
    d->s->dma_kind = ATA_UDMA;
    d->s->dma_mode = 5;
    d->s->write_cache = d->s->look_ahead = true;
    d->s->smart_enabled = d->s->smart_autosave = true;
    d->s->set_max = d->s->set_max_kept;
}
