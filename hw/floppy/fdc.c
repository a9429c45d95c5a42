/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An Intel 82077AA floppy disk controller (data sheet 290166) with two drives, at the addresses of
 * an AT: ports 3F0h-3F5h and 3F7h (3F6h is the hard disk's), IRQ 6, DMA channel 2. It says that it
 * is an 82078, as the controllers do that guests have met in virtual machines.
 *
 *     COMMAND ──▶ (fdc_data.c: SEARCH ... ) ──▶ RESULT ──▶ COMMAND
 *        └──▶ seek, recalibrate: heads move meanwhile; SENSE INTERRUPT STATUS tells of their end
 *
 * fdc_ports.c has the registers, fdc_cmd.c the commands, fdc_data.c those that move data,
 * fdc_media.c what an image is. Nothing but the two timers and the ends of image requests runs
 * without the guest; an idle controller wakes nobody up.
 *
 * Left out on purpose: the time that mechanics take beyond what drivers expect to see, motors
 * (a stopped one reads as well), data separators, tape drives, power management.
 */
#include "hw/floppy/fdc_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "dm/device.h"
#include "dm/log.h"

#define FDC_IRQ         6u
#define FDC_DMA_CHANNEL 2u
#define EMPTY_DRIVE     5u /* CMOS code of a 2.88 MB drive, which takes all 3.5" disks */

/* ---- state ----------------------------------------------------------------------------------- */

#define S struct fdc_state
static const struct state_field fdc_fields[] = {
    STATE_FIELD(S, dor),
    STATE_FIELD(S, tdr, .max = 7),
    STATE_FIELD(S, dsr, .max = 0x7f),
    STATE_FIELD(S, srt_hut),
    STATE_FIELD(S, hlt_nd),
    /* Implied seeks are on: there is firmware (ROMBIOS) that does not seek. */
    STATE_FIELD(S, config, .max = 0x7f, .reset = CONFIG_IMPLIED_SEEK | CONFIG_NO_FIFO),
    STATE_FIELD(S, precomp),
    STATE_FIELD(S, perpendicular, .bits = PERP_DRIVES | PERP_MODE),
    STATE_FIELD(S, last_eot),
    STATE_FIELD(S, powerdown_mode),
    STATE_ARRAY(S, drive_spec, .max = 0x1f),
    STATE_FIELD(S, lock),
    STATE_ARRAY(S, cylinder),
    STATE_ARRAY(S, seek_target),
    STATE_FIELD(S, seeking, .bits = 0x0f),
    STATE_FIELD(S, seek_deadline, .reset = TIMER_NEVER),
    STATE_FIELD(S, sense_pending, .bits = 0x0f),
    STATE_ARRAY(S, sense_st0),
    STATE_FIELD(S, reset_sense, .max = FDC_ADDRESSES),
    STATE_FIELD(S, int_sense),
    STATE_FIELD(S, int_result),
    STATE_ARRAY(S, changed, .reset = true),
    STATE_ARRAY(S, inserted),
    STATE_FIELD(S, rotation),
    STATE_FIELD(S, phase, .max = PHASE_LAST),
    STATE_ARRAY(S, fifo),
    STATE_FIELD(S, fifo_pos, .max = FDC_FIFO),
    STATE_FIELD(S, fifo_end, .max = FDC_FIFO),
    STATE_FIELD(S, operation, .max = OP_LAST),
    STATE_FIELD(S, drive, .max = FDC_ADDRESSES - 1),
    STATE_FIELD(S, head, .max = 1),
    STATE_FIELD(S, c),
    STATE_FIELD(S, h),
    STATE_FIELD(S, r),
    STATE_FIELD(S, n),
    STATE_FIELD(S, eot),
    STATE_FIELD(S, step, .max = 2),
    STATE_FIELD(S, fill),
    STATE_FIELD(S, st0),
    STATE_FIELD(S, st1),
    STATE_FIELD(S, st2),
    STATE_FIELD(S, sectors_left, .max = 256),
    STATE_FIELD(S, multi_track),
    STATE_FIELD(S, skip),
    STATE_FIELD(S, deleted),
    STATE_FIELD(S, count_sectors),
    STATE_FIELD(S, dma),
    STATE_FIELD(S, terminal_count),
    STATE_FIELD(S, written),
    STATE_FIELD(S, scan_equal),
    STATE_FIELD(S, scan_met),
    STATE_FIELD(S, pos, .max = FDC_SECTOR),
    STATE_FIELD(S, end, .max = FDC_SECTOR),
    STATE_ARRAY(S, buffer),
    STATE_FIELD(S, deadline, .reset = TIMER_NEVER),
};
#undef S

static const char *fdc_check(const void *state)
{
    const struct fdc_state *s = state;

    if (s->fifo_pos > s->fifo_end || (s->phase == PHASE_RESULT && s->fifo_pos == s->fifo_end))
        return "fifo_pos";
    if (s->pos > s->end)
        return "pos";
    if (s->phase == PHASE_COMMAND && s->fifo_end && s->fifo_end >= fdc_command_length(s))
        return "fifo_end";
    if (s->phase != PHASE_COMMAND && s->phase != PHASE_RESULT && (fdc_in_reset(s) || !s->step))
        return "phase";
    return fdc_transfer_possible(s) ? NULL : "operation";
}

const struct state_desc fdc_desc = STATE_DESC("fdc", 1, struct fdc_state, fdc_fields, fdc_check);

/* ---- effects --------------------------------------------------------------------------------- */

void fdc_update(struct fdc *fdc)
{
    const struct fdc_state *s = fdc->s;
    bool on = (s->dor & (DOR_NRESET | DOR_DMAEN)) == (DOR_NRESET | DOR_DMAEN);
    bool cause = s->int_sense || s->int_result || (fdc_host_moves_data(s) && !s->dma);

    irq_set(&fdc->irq, on && cause);
    fdc->dma.request(fdc->dma.opaque, fdc_host_moves_data(s) && s->dma);
}

void fdc_go_on_in(struct fdc *fdc, uint64_t ns)
{
    fdc->s->deadline = loop_now(fdc->env.loop, CLOCK_GUEST) + ns;
    timer_arm(&fdc->timer, fdc->s->deadline);
}

void fdc_cancel(struct fdc *fdc)
{
    fdc->generation++;
    if (fdc->in_flight)
        block_cancel(&fdc->req);
    timer_cancel(&fdc->timer);
    fdc->s->deadline = TIMER_NEVER;
}

struct fdc_drive *fdc_drive_at(struct fdc *fdc, unsigned address)
{
    return address < FDC_DRIVES && fdc->drive[address].present ? &fdc->drive[address] : NULL;
}

/* The DMA controller could serve the channel now: after the access that made it so. */
static void dma_ready(void *opaque)
{
    struct fdc *fdc = opaque;

    timer_arm(&fdc->timer, loop_now(fdc->env.loop, CLOCK_GUEST));
}

/* ---- media ----------------------------------------------------------------------------------- */

int fdc_change_medium(struct fdc *fdc, unsigned n, struct block *medium)
{
    struct fdc_state *s = fdc->s;
    struct fdc_drive *drive = fdc_drive_at(fdc, n);
    struct block *old;

    if (!drive)
        return -ENODEV;
    if (s->phase >= PHASE_SEARCH && s->phase <= PHASE_END && s->drive == n) {
        fdc_cancel(fdc);
        s->written = false;
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_MARK, 0);
    }
    old = drive->block;
    drive->block = medium;
    drive->geometry = fdc_geometry_of(medium);
    s->inserted[n] = medium != NULL;
    s->changed[n] = true;
    block_close_later(old);
    fdc_update(fdc);
    return 0;
}

const struct block *fdc_medium(const struct fdc *fdc, unsigned n)
{
    return n < FDC_DRIVES ? fdc->drive[n].block : NULL;
}

uint8_t fdc_drive_type(const struct fdc *fdc, unsigned n)
{
    return n < FDC_DRIVES && fdc->drive[n].present ? fdc->drive[n].type : 0;
}

int fdc_flush_all(struct fdc *fdc)
{
    int first = 0;

    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        int error = fdc->drive[n].block ? block_flush_now(fdc->drive[n].block) : 0;

        first = first ? first : error;
    }
    return first;
}

/* ---- life cycle ------------------------------------------------------------------------------ */

static void note_media(struct fdc *fdc)
{
    for (unsigned n = 0; n < FDC_DRIVES; n++)
        fdc->s->inserted[n] = fdc->drive[n].block != NULL;
}

static void fdc_reset(void *dev)
{
    struct fdc *fdc = dev;

    fdc_cancel(fdc);
    timer_cancel(&fdc->seek_timer);
    state_reset(&fdc_desc, fdc->s);
    note_media(fdc);
    fdc_update(fdc);
}

/* Whatever was running belonged to the state before; what the new one says is begun again. */
static void fdc_loaded(void *dev)
{
    struct fdc *fdc = dev;
    struct fdc_state *s = fdc->s;

    fdc->generation++;
    if (fdc->in_flight)
        block_cancel(&fdc->req);
    for (unsigned n = 0; n < FDC_DRIVES; n++)
        s->changed[n] = s->changed[n] || s->inserted[n] != (fdc->drive[n].block != NULL);
    note_media(fdc);
    if (s->phase == PHASE_COMMAND || s->phase == PHASE_RESULT)
        timer_cancel(&fdc->timer);
    else if (s->phase == PHASE_SEARCH && s->deadline != TIMER_NEVER)
        timer_arm(&fdc->timer, s->deadline);
    else
        timer_arm(&fdc->timer, loop_now(fdc->env.loop, CLOCK_GUEST));
    timer_arm(&fdc->seek_timer, s->seek_deadline);
    fdc_update(fdc);
}

static bool fdc_busy(void *dev)
{
    return ((struct fdc *)dev)->in_flight;
}

static void fdc_destroy(void *dev)
{
    struct fdc *fdc = dev;

    fdc_cancel(fdc);
    timer_cancel(&fdc->seek_timer);
    iospace_remove(fdc->env.io, &fdc->registers);
    iospace_remove(fdc->env.io, &fdc->dir);
    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        int error = block_close(fdc->drive[n].block);

        if (error)
            log_error("floppy drive %u: last flush failed (%d)", n, -error);
        fdc->drive[n].block = NULL;
    }
    /* A request that a worker has finished gives its answer before its memory goes. */
    while (fdc->in_flight)
        loop_turn(fdc->env.loop, 1);
    timer_cancel(&fdc->timer);
    free(fdc);
}

static const struct device_ops fdc_device_ops = {
    .name = "fdc",
    .reset = fdc_reset,
    .loaded = fdc_loaded,
    .busy = fdc_busy,
    .destroy = fdc_destroy,
};

static int add_regions(struct fdc *fdc)
{
    int rc;

    fdc->registers = (struct io_region){.name = "fdc",
                                        .kind = IO_PORT,
                                        .base = 0x3f0,
                                        .length = 6,
                                        .ops = &fdc_register_ops,
                                        .dev = fdc};
    fdc->dir = (struct io_region){.name = "fdc-dir",
                                  .kind = IO_PORT,
                                  .base = 0x3f7,
                                  .length = 1,
                                  .ops = &fdc_dir_ops,
                                  .dev = fdc};
    rc = iospace_add(fdc->env.io, &fdc->registers);
    if (rc)
        return rc;
    rc = iospace_add(fdc->env.io, &fdc->dir);
    if (rc)
        iospace_remove(fdc->env.io, &fdc->registers);
    return rc;
}

int fdc_create(struct fdc **out, const struct dm_env *env, const struct fdc_config *config)
{
    struct fdc *fdc = calloc(1, sizeof(*fdc));
    int rc;

    if (!fdc)
        return -ENOMEM;
    fdc->env = *env;
    fdc->irq = irq_router_isa(env->irqs, FDC_IRQ);
    fdc->s = arena_alloc(env->arena, "fdc", &fdc_desc);
    rc = fdc->s ? add_regions(fdc) : -ENOMEM;
    if (rc) {
        free(fdc);
        return rc;
    }
    rc = device_register(env->devices, &fdc_device_ops, fdc);
    if (rc) {
        iospace_remove(env->io, &fdc->registers);
        iospace_remove(env->io, &fdc->dir);
        free(fdc);
        return rc;
    }
    fdc->dma = i8237_attach(config->dma, FDC_DMA_CHANNEL, dma_ready, fdc);
    timer_init(&fdc->timer, env->loop, CLOCK_GUEST, fdc_step, fdc);
    timer_init(&fdc->seek_timer, env->loop, CLOCK_GUEST, fdc_seek_done, fdc);
    for (unsigned n = 0; n < FDC_DRIVES; n++) {
        struct fdc_drive *drive = &fdc->drive[n];

        drive->present = config->drive[n].present;
        drive->block = drive->present ? config->drive[n].block : NULL;
        drive->geometry = fdc_geometry_of(drive->block);
        drive->type = drive->block ? drive->geometry.drive_type : EMPTY_DRIVE;
    }
    note_media(fdc);
    *out = fdc;
    return 0;
}
