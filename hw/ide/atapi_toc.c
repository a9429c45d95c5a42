/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table of contents and DVD structures: a disc is one data track over the whole image. */
#include "hw/ide/ide_internal.h"

#include <string.h>

#define ADR_DATA     0x14 /* ADR 1, data track */
#define ADR_LEAD_OUT 0x16

static void toc_address(uint8_t *at, uint32_t lba, bool msf)
{
    if (!msf) {
        put_be32(at, lba);
        return;
    }
    at[0] = 0;
    atapi_lba_to_msf(at + 1, lba);
}

static uint32_t toc_tracks(struct ide_drive *d, bool msf, uint8_t start)
{
    uint8_t *p = d->s->buffer, *q = p + 4;

    p[2] = p[3] = 1;
    if (start <= 1) {
        q[1] = ADR_DATA;
        q[2] = 1;
        toc_address(q + 4, 0, msf);
        q += 8;
    }
    q[1] = ADR_LEAD_OUT;
    q[2] = 0xaa;
    toc_address(q + 4, atapi_blocks(d), msf);
    q += 8;
    put_be16(p, (uint32_t)(q - p) - 2);
    return (uint32_t)(q - p);
}

static uint32_t toc_session(struct ide_drive *d, bool msf)
{
    uint8_t *p = d->s->buffer;

    p[1] = 0x0a;
    p[2] = p[3] = 1;
    p[5] = ADR_DATA;
    p[6] = 1;
    toc_address(p + 8, 0, msf);
    return 12;
}

/* Addresses of the raw table are always minutes, seconds, frames. */
static uint32_t toc_raw(struct ide_drive *d)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 0x01};
    uint8_t *p = d->s->buffer, *q = p + 4;

    p[2] = p[3] = 1;
    for (unsigned i = 0; i < sizeof(points); i++, q += 11) {
        q[0] = 1;
        q[1] = ADR_DATA;
        q[3] = points[i];
        if (points[i] == 0xa0 || points[i] == 0xa1)
            q[8] = 1; /* first, last track */
        else
            atapi_lba_to_msf(q + 8, points[i] == 0xa2 ? atapi_blocks(d) : 0);
    }
    put_be16(p, (uint32_t)(q - p) - 2);
    return (uint32_t)(q - p);
}

void atapi_read_toc(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    bool msf = packet[1] & 2;
    uint8_t format = packet[2] & 0x0f ? packet[2] & 0x0f : packet[9] >> 6;
    uint8_t start = packet[6];
    uint32_t bytes = 0;

    if (format == 0 && (start <= 1 || start == 0xaa))
        bytes = toc_tracks(d, msf, start);
    else if (format == 1)
        bytes = toc_session(d, msf);
    else if (format == 2)
        bytes = toc_raw(d);
    if (bytes)
        atapi_reply(d, bytes, be16_at(packet + 7));
    else
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

/* ---- READ DVD STRUCTURE ---------------------------------------------------------------------- */

/* More than a CD can hold: 80 minutes of 75 frames a second. */
#define CD_MAX_BLOCKS (80u * 60 * 75)

static uint32_t dvd_physical(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;
    uint32_t last = atapi_blocks(d) - 1;

    p[4] = 0x01; /* DVD-ROM, version 1 */
    p[5] = 0x0f; /* 120 mm, no maximum rate given */
    p[6] = 0x01; /* one layer, embossed */
    put_be32(p + 12, last);
    put_be32(p + 16, last);
    p[8] = p[12] = p[16] = 0; /* 24-bit addresses */
    return 2048 + 4;
}

/* What can be asked for: format, and the bytes it takes. */
static uint32_t dvd_list(struct ide_drive *d)
{
    static const struct {
        uint8_t format;
        uint16_t bytes;
    } formats[] = {{0x00, 2048 + 4}, {0x01, 4 + 4}, {0x04, 2048 + 4}, {0xff, 4 + 4 * 4}};
    uint8_t *q = d->s->buffer + 4;

    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++, q += 4) {
        q[0] = formats[i].format;
        q[1] = 0x40; /* readable */
        put_be16(q + 2, formats[i].bytes);
    }
    return 4 + 4 * 4;
}

void atapi_read_dvd_structure(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint32_t bytes = 0;

    if (packet[7] < 0xc0 && atapi_blocks(d) <= CD_MAX_BLOCKS) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INCOMPATIBLE_MEDIUM, 0);
        return;
    }
    if ((packet[1] & 0x0f) == 0 && packet[6] == 0) { /* DVD, layer 0 */
        switch (packet[7]) {
        case 0x00:
            bytes = dvd_physical(d);
            break;
        case 0x01: /* no copyright protection */
            bytes = 4 + 4;
            break;
        case 0x04: /* manufacturer */
            bytes = 2048 + 4;
            break;
        case 0xff:
            bytes = dvd_list(d);
            break;
        default:
            break;
        }
    }
    if (!bytes) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    put_be16(d->s->buffer, bytes - 2);
    atapi_reply(d, bytes, be16_at(packet + 8));
}
