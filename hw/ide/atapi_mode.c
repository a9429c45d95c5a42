/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the drive is and can (mode pages, features), and its tray: eject, lock, events. */
#include "hw/ide/ide_internal.h"

#include <string.h>

#define SPEED_4X      704u /* kB/s */
#define CD_MAX_BLOCKS (80u * 60 * 75)

/* ---- MODE SENSE(10) -------------------------------------------------------------------------- */

static uint8_t *page_error_recovery(struct ide_drive *d, uint8_t *q)
{
    q[0] = 0x01;
    q[1] = 0x06;
    q[3] = 0x05; /* retries */
    return q + 8;
}

static uint8_t *page_audio_control(struct ide_drive *d, uint8_t *q)
{
    q[0] = 0x0e;
    q[1] = 0x0e;
    return q + 16;
}

static uint8_t *page_capabilities(struct ide_drive *d, uint8_t *q)
{
    q[0] = 0x2a;
    q[1] = 0x14;
    q[2] = 0x3b; /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R, DVD-RAM */
    q[4] = 0x71; /* says that it plays audio: old automounters want it */
    q[5] = 0x60; /* bar codes, UPC: none; ISRC */
    q[6] = (uint8_t)(0x29 | (d->s->locked ? 2 : 0)); /* tray; can lock and eject */
    put_be16(q + 8, SPEED_4X);
    put_be16(q + 10, 2);
    put_be16(q + 12, 512);
    put_be16(q + 14, SPEED_4X);
    return q + 22;
}

void atapi_mode_sense(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint8_t *p = d->s->buffer, *q = p + 8;
    uint8_t control = packet[2] >> 6, page = packet[2] & 0x3f;

    if (control == 3) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED, 0);
        return;
    }
    if (control == 0) {
        if (page == 0x01 || page == 0x3f)
            q = page_error_recovery(d, q);
        if (page == 0x0e || page == 0x3f)
            q = page_audio_control(d, q);
        if (page == 0x2a || page == 0x3f)
            q = page_capabilities(d, q);
    }
    if (q == p + 8) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    put_be16(p, (uint32_t)(q - p) - 2);
    p[2] = 0x70; /* door closed, type of medium unknown: what guests have always been told */
    atapi_reply(d, (uint32_t)(q - p), be16_at(packet + 7));
}

/* ---- GET CONFIGURATION ----------------------------------------------------------------------- */

enum { PROFILE_NONE = 0, PROFILE_CD_ROM = 0x08, PROFILE_DVD_ROM = 0x10 };
enum { FEATURE_CURRENT = 1, FEATURE_PERSISTENT = 2 };

static uint16_t current_profile(const struct ide_drive *d)
{
    if (!atapi_ready(d))
        return PROFILE_NONE;
    return atapi_blocks(d) > CD_MAX_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

struct feature {
    uint16_t code;
    uint8_t version_flags; /* version << 2 | persistent */
    uint16_t profile;      /* current with this profile only; 0: always; 0xffff: with any medium */
    uint8_t length;
    uint8_t data[8];
};

static const struct feature features[] = {
    {0x0001, 2 << 2 | FEATURE_PERSISTENT, 0, 8, {0, 0, 0, 2, 1}},  /* core: ATAPI */
    {0x0003, FEATURE_PERSISTENT, 0, 4, {0x29}},                    /* removable medium */
    {0x0010, 0, 0xffff, 8, {0, 0, CD_SECTOR >> 8, 0, 0, 0x10, 1}}, /* random readable */
    {0x001e, 2 << 2, PROFILE_CD_ROM, 4, {0}},                      /* CD read */
    {0x001f, 0, PROFILE_DVD_ROM, 4, {0}},                          /* DVD read */
    {0x0105, FEATURE_PERSISTENT, 0, 4, {0}},                       /* time-out */
};

static bool feature_wanted(uint8_t request, uint16_t start, uint16_t code, bool current)
{
    switch (request) {
    case 0:
        return code >= start;
    case 1:
        return code >= start && current;
    case 2:
        return code == start;
    default:
        return false;
    }
}

void atapi_get_configuration(struct ide_drive *d)
{
    const uint8_t *packet = d->s->packet;
    uint8_t *p = d->s->buffer, *q = p + 8;
    uint8_t request = packet[1] & 3;
    uint16_t start = be16_at(packet + 2), profile = current_profile(d);

    if (request == 3) {
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    put_be16(p + 6, profile);
    if (feature_wanted(request, start, 0, true)) { /* the list of profiles */
        q[2] = FEATURE_CURRENT | FEATURE_PERSISTENT;
        q[3] = 8;
        put_be16(q + 4, PROFILE_DVD_ROM);
        q[6] = profile == PROFILE_DVD_ROM;
        put_be16(q + 8, PROFILE_CD_ROM);
        q[10] = profile == PROFILE_CD_ROM;
        q += 12;
    }
    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];
        bool current = !f->profile || (profile && (f->profile == 0xffff || f->profile == profile));

        if (!feature_wanted(request, start, f->code, current))
            continue;
        put_be16(q, f->code);
        q[2] = (uint8_t)(f->version_flags | (current ? FEATURE_CURRENT : 0));
        q[3] = f->length;
        memcpy(q + 4, f->data, f->length);
        q += 4 + f->length;
    }
    put_be32(p, (uint32_t)(q - p) - 4);
    atapi_reply(d, (uint32_t)(q - p), be16_at(packet + 7));
}

/* ---- the tray -------------------------------------------------------------------------------- */

#define CLASS_MEDIA 4

/* Each event is told once; the latest thing that happened to the tray comes last. */
static uint8_t take_event(struct ide_drive_state *s)
{
    if (s->event_eject) {
        s->event_eject = false;
        return 1;
    }
    if (s->event_removed) {
        s->event_removed = false;
        if (!s->medium || s->media_change == MEDIA_REPLACED)
            s->media_change = MEDIA_SEEN_GONE;
        return 3;
    }
    if (s->event_new) {
        s->event_new = false;
        return 2;
    }
    return 0;
}

void atapi_get_event_status(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t *p = s->buffer;
    uint32_t allocation = be16_at(s->packet + 7);

    if (!(s->packet[1] & 1)) { /* asynchronous reporting */
        atapi_error(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    p[3] = 1 << CLASS_MEDIA;
    if (!(s->packet[4] & 1 << CLASS_MEDIA)) {
        p[2] = 0x80; /* no event available */
        atapi_reply(d, 4, allocation);
        return;
    }
    put_be16(p, 4);
    p[2] = CLASS_MEDIA;
    if (allocation > 4)
        p[4] = take_event(s);
    p[5] = (uint8_t)((s->tray_open ? 1 : 0) | (atapi_ready(d) ? 2 : 0));
    atapi_reply(d, 8, allocation);
}

void atapi_start_stop(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool start = s->packet[4] & 1, load_eject = s->packet[4] & 2;

    if ((s->packet[4] & 0xf0) || !load_eject) { /* power condition; spin up or down */
        atapi_ok(d);
        return;
    }
    if (start) {
        /* An empty tray closes: a medium that the host has taken away does not come back. */
        s->tray_open = false;
        atapi_ok(d);
        return;
    }
    if (s->locked) {
        atapi_error(d, d->block ? SENSE_NOT_READY : SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED,
                    2);
        return;
    }
    s->tray_open = true;
    s->event_eject = s->event_new = false;
    if (d->block) {
        block_close_later(d->block);
        d->block = NULL;
        s->medium = false;
        s->media_change = MEDIA_KNOWN;
        s->event_removed = true;
        if (d->ide->cd_ejected)
            d->ide->cd_ejected(d->ide->opaque, d->index);
    }
    atapi_ok(d);
}
