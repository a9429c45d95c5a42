/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management (ATA/ATAPI-6, 6.11 and 8.17): a disk that is always there, and says what it
 * would be doing if it had a motor.
 *
 *     IDLE ──STANDBY (IMMEDIATE), SLEEP, standby timer──▶ STANDBY ──IDLE, any access──▶ IDLE
 *
 * Whether the timer has run out is worked out when somebody asks: nothing runs meanwhile. A disk
 * that sleeps wakes up by being used, not by a reset only.
 */
#include "hw/ide/ide_internal.h"

#define SECOND 1000000000ull

enum { IMMEDIATE_STANDBY = 0, IMMEDIATE_IDLE = 1, STANDBY = 2, IDLE = 3, CHECK = 4, SLEEP = 5 };

/* Seconds of a timer value; 0: never. */
static uint32_t period(uint8_t value)
{
    if (value <= 240)
        return value * 5u;
    if (value <= 251)
        return (value - 240u) * 30 * 60;
    if (value == 252)
        return 21 * 60;
    if (value == 255)
        return 21 * 60 + 15;
    return 8 * 3600;
}

static uint64_t now(const struct ide_drive *d)
{
    return loop_now(d->ide->env.loop, CLOCK_GUEST);
}

void ata_power_access(struct ide_drive *d)
{
    d->s->power = POWER_IDLE;
    d->s->used_at = now(d);
}

static bool in_standby(const struct ide_drive *d)
{
    const struct ide_drive_state *s = d->s;
    uint32_t seconds = period(s->standby_timer);

    return s->power == POWER_STANDBY ||
           (seconds && now(d) >= s->used_at && now(d) - s->used_at >= seconds * SECOND);
}

/* 94h-99h came first; E0h-E3h, E5h and E6h are the same. */
static unsigned which(uint8_t command)
{
    if (command < 0xe0)
        return command - 0x94u;
    return command >= 0xe5 ? command - 0xe1u : command - 0xe0u;
}

void ata_power_command(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    switch (which(s->command)) {
    case CHECK:
        s->count[0] = in_standby(d) ? 0x00 : 0xff;
        break;
    case IDLE:
        s->standby_timer = s->count[0];
        ata_power_access(d);
        break;
    case IMMEDIATE_IDLE:
        ata_power_access(d);
        break;
    case STANDBY:
        s->standby_timer = s->count[0];
        s->power = POWER_STANDBY;
        break;
    default: /* STANDBY IMMEDIATE, SLEEP */
        s->power = POWER_STANDBY;
        break;
    }
    ide_succeed(d);
}
