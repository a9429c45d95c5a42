/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The offset of the guest's clock from the host's, which the hypervisor keeps.
 *
 * When the guest sets its clock, the hypervisor says by how much. The sum is kept in xenstore at
 * <vm>/rtc/timeoffset, where the toolstack has put what this boot has begun with, and where it
 * finds what the next boot is to begin with; the hypervisor's own copy ends with the domain.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dm/dm.h"

/* A guest can set its clock all day long; xenstore is everybody's. */
#define WRITES_A_SECOND 32u
#define KEY             "rtc/timeoffset"
#define SECOND          UINT64_C(1000000000)

static void keep(struct dm *dm)
{
    char path[LIFE_PATH], text[32];

    dm->offset_unwritten = false;
    if (dm->restricted || !life_vm_node(dm, KEY, path))
        return;
    snprintf(text, sizeof(text), "%" PRId64, (int64_t)dm->state->timeoffset);
    xen_store_write(dm->xen, path, text);
}

static void second_over(void *opaque)
{
    struct dm *dm = opaque;

    dm->offset_writes = 0;
    if (dm->offset_unwritten)
        keep(dm);
}

void timeoffset_moved(void *opaque, int64_t seconds)
{
    struct dm *dm = opaque;
    char data[48];

    dm->state->timeoffset += (uint64_t)seconds;
    dm->offset_unwritten = true;
    if (!timer_armed(&dm->offset_timer))
        timer_arm(&dm->offset_timer, loop_now(dm->env.loop, CLOCK_HOST) + SECOND);
    if (dm->offset_writes++ >= WRITES_A_SECOND)
        return;
    keep(dm);
    snprintf(data, sizeof(data), "{\"offset\": %" PRId64 "}", (int64_t)dm->state->timeoffset);
    qmp_event(dm->qmp, "RTC_CHANGE", data);
}

void timeoffset_init(struct dm *dm)
{
    timer_init(&dm->offset_timer, dm->env.loop, CLOCK_HOST, second_over, dm);
}

void timeoffset_begin(struct dm *dm)
{
    char path[LIFE_PATH], *text, *end;
    long long offset;

    text = life_vm_node(dm, KEY, path) ? xen_store_read(dm->xen, path) : NULL;
    if (!text)
        return;
    errno = 0;
    offset = strtoll(text, &end, 10);
    if (!errno && !*end)
        dm->state->timeoffset = (uint64_t)offset;
    free(text);
}

/* The toolstack has filled a new domain's xenstore with what the configuration says. */
void timeoffset_loaded(struct dm *dm)
{
    keep(dm);
}

void timeoffset_fini(struct dm *dm)
{
    if (!dm->state)
        return;
    if (dm->offset_unwritten)
        keep(dm);
    timer_cancel(&dm->offset_timer);
}
