/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet commands (INF-8090i/MMC).
 *
 * One table says which exist, which run while a medium change is still to be reported, and which
 * need a medium. A missing row is an illegal request, whatever the state of the medium.
 */
#include "hw/ide/ide_internal.h"

#include <string.h>

enum { F_UA_OK = 1, F_MEDIUM = 2 };

struct packet_row {
    uint8_t opcode;
    void (*run)(struct ide_drive *d);
    uint8_t flags;
};

static void invalid_field(struct ide_drive *d)
{
    atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void request_sense(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t *p = s->buffer;

    p[0] = 0xf0;
    p[2] = s->sense_key;
    p[7] = 10;
    p[12] = s->asc;
    p[13] = s->ascq;
    s->sense_key = s->asc = s->ascq = 0;
    atapi_reply(d, 18, s->packet[4]);
}

static void padded(uint8_t *at, const char *text, unsigned length)
{
    size_t n = strlen(text);

    for (unsigned i = 0; i < length; i++)
        at[i] = i < n ? (uint8_t)text[i] : ' ';
}

static void inquiry_page(struct ide_drive *d, uint32_t allocation)
{
    uint8_t *p = d->s->buffer;

    p[0] = 0x05;
    p[1] = d->s->packet[2];
    switch (d->s->packet[2]) {
    case 0x00: /* supported pages */
        p[3] = 2;
        p[4] = 0x00;
        p[5] = 0x83;
        atapi_reply(d, 6, allocation);
        break;
    case 0x83: /* identification, in ASCII: the serial number; then vendor, model and serial */
        p[3] = 4 + 20 + 4 + 68;
        p[4] = 2;
        p[7] = 20;
        padded(p + 8, d->serial, 20);
        p[28] = 2;
        p[29] = 1;
        p[31] = 68;
        padded(p + 32, "ATA", 8);
        padded(p + 40, d->model, 40);
        padded(p + 80, d->serial, 20);
        atapi_reply(d, 100, allocation);
        break;
    default:
        invalid_field(d);
        break;
    }
}

static void inquiry(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint32_t allocation = packet[4];
    uint8_t *p = d->s->buffer;
    char vendor[9] = {0};

    if (packet[1] & 1) {
        inquiry_page(d, allocation);
        return;
    }
    if (packet[2]) {
        invalid_field(d);
        return;
    }
    /* The vendor is the first word of the model. */
    for (unsigned i = 0; i < 8 && d->model[i] && d->model[i] != ' '; i++)
        vendor[i] = d->model[i];
    p[0] = 0x05; /* CD-ROM */
    p[1] = 0x80; /* removable */
    p[3] = 0x21; /* ATAPI, MMC */
    p[4] = 31;
    padded(p + 8, vendor, 8);
    padded(p + 16, d->model, 16);
    padded(p + 32, d->firmware, 4);
    atapi_reply(d, 36, allocation);
}

static void succeed(struct ide_drive *d)
{
    atapi_ok(d);
}

static void prevent_allow(struct ide_drive *d)
{
    d->s->locked = d->s->packet[4] & 1;
    atapi_ok(d);
}

static void read_capacity(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;

    put_be32(p, atapi_blocks(d) - 1);
    put_be32(p + 4, CD_SECTOR);
    atapi_reply(d, 8, 8);
}

static void read_10(struct ide_drive *d)
{
    atapi_read(d, be32_at(d->s->packet + 2), be16_at(d->s->packet + 7), false);
}

static void read_12(struct ide_drive *d)
{
    atapi_read(d, be32_at(d->s->packet + 2), be32_at(d->s->packet + 6), false);
}

static void read_cd_blocks(struct ide_drive *d, uint32_t lba, uint32_t count)
{
    const uint8_t *packet = d->s->packet;

    if (!count) {
        atapi_ok(d);
        return;
    }
    switch (packet[9] & 0xf8) { /* which parts of a sector; sub-channels are ignored */
    case 0x00:
        atapi_ok(d);
        break;
    case 0x10:
        atapi_read(d, lba, count, false);
        break;
    case 0xf8:
        atapi_read(d, lba, count, true);
        break;
    default:
        invalid_field(d);
        break;
    }
}

static void read_cd(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;

    read_cd_blocks(d, be32_at(packet + 2), (uint32_t)packet[6] << 16 | be16_at(packet + 7));
}

/* The block at a minute, second and frame; false: there is none such. */
static bool msf_to_lba(const uint8_t *at, uint32_t *lba)
{
    uint32_t frame = (at[0] * 60u + at[1]) * 75 + at[2];

    *lba = frame - 150;
    return at[1] < 60 && at[2] < 75 && frame >= 150;
}

/* From one time to another, which is not read any more. */
static void read_cd_msf(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint32_t start, end;

    if (msf_to_lba(packet + 3, &start) && msf_to_lba(packet + 6, &end) && start <= end)
        read_cd_blocks(d, start, end - start);
    else
        invalid_field(d);
}

static void seek_10(struct ide_drive *d)
{
    if (be32_at(d->s->packet + 2) >= atapi_blocks(d))
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    else
        atapi_ok(d);
}

static void read_subchannel(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint8_t *p = d->s->buffer;
    uint32_t bytes = 4;

    p[1] = 0x15; /* no audio status */
    if (packet[2] & 0x40) {
        if (packet[3] != 1) {
            invalid_field(d);
            return;
        }
        p[3] = 12;
        p[4] = 1; /* current position: the start of track 1 */
        p[5] = 0x14;
        p[6] = p[7] = 1;
        bytes = 16;
    }
    atapi_reply(d, bytes, be16_at(packet + 7));
}

static void read_disc_information(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;

    put_be16(p, 32);
    p[2] = 0x0e; /* last session complete, disc finalised */
    p[3] = p[4] = p[5] = p[6] = 1;
    p[7] = 0x20; /* unrestricted use */
    atapi_reply(d, 34, be16_at(d->s->packet + 7));
}

static void read_track_information(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint8_t *p = d->s->buffer;
    uint32_t number = be32_at(packet + 2);
    uint8_t type = packet[1] & 3;

    if (type > 2 || (type && number != 1) || (!type && number >= atapi_blocks(d))) {
        invalid_field(d);
        return;
    }
    put_be16(p, 34);
    p[2] = p[3] = 1; /* track, session */
    p[5] = 4;        /* data, uninterrupted */
    p[6] = 1;        /* mode 1 */
    put_be32(p + 24, atapi_blocks(d));
    atapi_reply(d, 36, be16_at(packet + 7));
}

static void mechanism_status(struct ide_drive *d)
{
    d->s->buffer[5] = 1;
    atapi_reply(d, 8, be16_at(d->s->packet + 8));
}

static const struct packet_row rows[] = {
    {0x00, succeed, F_MEDIUM}, /* TEST UNIT READY */
    {0x03, request_sense, F_UA_OK},
    {0x12, inquiry, F_UA_OK},
    {0x1b, atapi_start_stop, 0},
    {0x1e, prevent_allow, 0},
    {0x25, read_capacity, F_MEDIUM},
    {0x28, read_10, F_MEDIUM},
    {0x2b, seek_10, F_MEDIUM},
    {0x35, succeed, 0}, /* SYNCHRONIZE CACHE */
    {0x42, read_subchannel, F_MEDIUM},
    {0x43, atapi_read_toc, F_MEDIUM},
    {0x46, atapi_get_configuration, F_UA_OK},
    {0x4a, atapi_get_event_status, F_UA_OK},
    {0x51, read_disc_information, F_MEDIUM},
    {0x52, read_track_information, F_MEDIUM},
    {0x5a, atapi_mode_sense, 0},
    {0xa8, read_12, F_MEDIUM},
    {0xad, atapi_read_dvd_structure, F_MEDIUM},
    {0xb9, read_cd_msf, F_MEDIUM},
    {0xbb, succeed, 0}, /* SET CD SPEED */
    {0xbd, mechanism_status, 0},
    {0xbe, read_cd, F_MEDIUM},
};

static const struct packet_row *find_row(uint8_t opcode)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].opcode == opcode)
            return &rows[i];
    return NULL;
}

void atapi_command(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    const struct packet_row *row = find_row(s->packet[0]);

    if (!row) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
        return;
    }
    if (s->media_change && !(row->flags & F_UA_OK) && atapi_ready(d)) {
        if (s->media_change == MEDIA_REPLACED) {
            s->media_change = MEDIA_SEEN_GONE;
            atapi_error(d, SENSE_NOT_READY, ASC_MEDIUM_NOT_PRESENT, 0);
        } else {
            s->media_change = MEDIA_KNOWN;
            atapi_error(d, SENSE_UNIT_ATTENTION, ASC_MEDIUM_MAY_HAVE_CHANGED, 0);
        }
        return;
    }
    if ((row->flags & F_MEDIUM) && !atapi_ready(d)) {
        s->media_change = MEDIA_SEEN_GONE;
        atapi_error(d, SENSE_NOT_READY, ASC_MEDIUM_NOT_PRESENT, 0);
        return;
    }
    if (row->flags & F_MEDIUM)
        ata_power_access(d);
    row->run(d);
}
