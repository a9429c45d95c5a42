/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMART (ATA/ATAPI-6, 8.55): a disk in perfect health, whose self-tests end at once.
 *
 * Left out on purpose: selective self-test, log writes, automatic off-line timers.
 */
#include "hw/ide/ide_internal.h"

#include <string.h>

enum {
    SMART_READ_DATA = 0xd0,
    SMART_READ_THRESHOLDS = 0xd1,
    SMART_AUTOSAVE = 0xd2,
    SMART_EXECUTE_OFFLINE = 0xd4,
    SMART_READ_LOG = 0xd5,
    SMART_ENABLE = 0xd8,
    SMART_DISABLE = 0xd9,
    SMART_STATUS = 0xda,
};

#define SMART_ATTRIBUTES 8

static const struct {
    uint8_t id, flags, value, threshold, raw;
} attributes[SMART_ATTRIBUTES] = {
    {1, 0x03, 100, 6, 0},    /* raw read error rate */
    {3, 0x03, 100, 0, 16},   /* spin-up time */
    {4, 0x02, 100, 20, 100}, /* start/stop count */
    {5, 0x03, 100, 36, 0},   /* reallocated sectors */
    {9, 0x03, 100, 0, 1},    /* power-on hours */
    {12, 0x03, 100, 0, 0},   /* power cycles */
    {190, 0x03, 69, 50, 31}, /* airflow temperature */
    {197, 0x12, 100, 0, 0},  /* pending sectors */
};

static void read_data(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;

    put_le16(p, 1);
    for (unsigned i = 0; i < SMART_ATTRIBUTES; i++) {
        uint8_t *a = p + 2 + 12 * i;

        a[0] = attributes[i].id;
        put_le16(a + 1, attributes[i].flags);
        a[3] = attributes[i].value;
        a[4] = attributes[i].value;
        a[5] = attributes[i].raw;
    }
    p[362] = 0x02 | (d->s->smart_autosave ? 0x80 : 0); /* off-line collection completed */
    p[363] = 0;                                        /* last self-test completed */
    put_le16(p + 364, 0x120);                          /* seconds that off-line collection takes */
    p[367] = 0x19;                                     /* off-line immediate, self-test */
    put_le16(p + 368, 3);                              /* saves attributes, autosave */
    p[370] = 1;                                        /* error logging */
    p[372] = 2;                                        /* minutes of a short self-test */
    p[373] = 54;                                       /* and of an extended one */
}

static void read_thresholds(struct ide_drive *d)
{
    uint8_t *p = d->s->buffer;

    put_le16(p, 1);
    for (unsigned i = 0; i < SMART_ATTRIBUTES; i++) {
        p[2 + 12 * i] = attributes[i].id;
        p[3 + 12 * i] = attributes[i].threshold;
    }
}

static bool read_log(struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    uint8_t *p = d->s->buffer;

    switch (s->lba_low[0]) {
    case 0: /* directory: which logs there are, in sectors */
        put_le16(p, 1);
        p[2 * 1] = 1;
        p[2 * 6] = 1;
        return true;
    case 1: /* summary of errors: none */
        p[0] = 1;
        break;
    case 6: /* self-tests */
        put_le16(p, 1);
        for (unsigned i = 0; i < s->smart_count && i < SMART_LOG_ENTRIES; i++) {
            uint8_t *e = p + 2 + 24 * i;

            e[0] = s->smart_test[i];
            put_le32(e + 5, 0xffffffff); /* no failing LBA */
        }
        if (s->smart_count)
            p[508] = (uint8_t)(s->smart_last + 1);
        break;
    default:
        return false;
    }
    ata_checksum(p);
    return true;
}

/* Sub-commands are a closed list, and the ring's index never leaves it. */
static bool self_test(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t test = s->lba_low[0];

    switch (test) {
    case 0x00: /* off-line collection */
    case 0x7f: /* abort the self-test */
        return true;
    case 0x01: /* short, extended; in the background or captive */
    case 0x02:
    case 0x81:
    case 0x82:
        break;
    default:
        return false;
    }
    if (s->smart_count < SMART_LOG_ENTRIES)
        s->smart_last = s->smart_count++;
    else
        s->smart_last = (uint8_t)((s->smart_last + 1) % SMART_LOG_ENTRIES);
    s->smart_test[s->smart_last] = test;
    return true;
}

void ata_smart(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool ok = s->lba_mid[0] == 0x4f && s->lba_high[0] == 0xc2 &&
              (s->smart_enabled || s->features[0] == SMART_ENABLE);

    if (!ok) {
        ide_abort(d);
        return;
    }
    memset(s->buffer, 0, IDE_SECTOR);
    switch (s->features[0]) {
    case SMART_READ_DATA:
        read_data(d);
        ata_checksum(s->buffer);
        ide_reply_pio(d, IDE_SECTOR);
        return;
    case SMART_READ_THRESHOLDS:
        read_thresholds(d);
        ata_checksum(s->buffer);
        ide_reply_pio(d, IDE_SECTOR);
        return;
    case SMART_READ_LOG:
        ok = s->count[0] == 1 && read_log(d);
        if (ok) {
            ide_reply_pio(d, IDE_SECTOR);
            return;
        }
        break;
    case SMART_AUTOSAVE:
        ok = s->count[0] == 0x00 || s->count[0] == 0xf1;
        if (ok)
            s->smart_autosave = s->count[0] == 0xf1;
        break;
    case SMART_EXECUTE_OFFLINE:
        ok = self_test(d);
        break;
    case SMART_ENABLE:
    case SMART_DISABLE:
        s->smart_enabled = s->features[0] == SMART_ENABLE;
        break;
    case SMART_STATUS: /* LBA mid and high stay 4F/C2: no threshold exceeded */
        break;
    default:
        ok = false;
        break;
    }
    if (ok)
        ide_succeed(d);
    else
        ide_abort(d);
}
