/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IDE function of the Intel 82371SB (PIIX3): 8086:7010, function 1 of the ISA bridge.
 *
 * Data sheets: 82371FB/82371SB; ATA/ATAPI-6 for what is behind it. Both channels are in
 * compatibility mode for good: their ports are decoded whatever the PCI command register says,
 * their interrupts are ISA 14 and 15. Timing registers (0x40-0x4b) are storage; hosts test the
 * decode-enable bits there.
 *
 * This file makes the function, and holds the life cycle: reset, restore, unplug, media.
 * ide_channel.c has the task file, ide_transfer.c what drives do over time, bmdma.c the bus master,
 * ata_*.c and atapi*.c the commands.
 *
 * Left out on purpose: native-PCI mode (PIIX3 has none), the slave timing's effect.
 */
#include "hw/ide/ide_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm/device.h"
#include "dm/log.h"

/* ---- state ----------------------------------------------------------------------------------- */

#define D struct ide_drive_state
static const struct state_field drive_fields[] = {
    STATE_ARRAY(D, features),
    STATE_ARRAY(D, count),
    STATE_ARRAY(D, lba_low),
    STATE_ARRAY(D, lba_mid),
    STATE_ARRAY(D, lba_high),
    STATE_FIELD(D, device),
    STATE_FIELD(D, status),
    STATE_FIELD(D, error),
    STATE_FIELD(D, command),
    STATE_FIELD(D, intrq),
    STATE_FIELD(D, unplugged, .flags = STATE_KEEP),
    STATE_FIELD(D, phase, .max = PHASE_LAST),
    STATE_FIELD(D, addressing, .max = ADDRESS_LBA48),
    STATE_FIELD(D, end_status),
    STATE_FIELD(D, end_error),
    STATE_FIELD(D, offset),
    STATE_FIELD(D, left),
    STATE_FIELD(D, block, .max = 65536),
    STATE_FIELD(D, pos, .max = IDE_BUFFER),
    STATE_FIELD(D, end, .max = IDE_BUFFER),
    STATE_FIELD(D, fill, .max = IDE_BUFFER),
    STATE_FIELD(D, multiple, .max = IDE_MULTIPLE),
    STATE_FIELD(D, dma_kind, .max = ATA_DMA_KINDS - 1),
    STATE_FIELD(D, dma_mode, .max = 5),
    STATE_FIELD(D, cylinders),
    STATE_FIELD(D, heads, .min = 1, .max = 16, .reset = 16),
    STATE_FIELD(D, sectors, .min = 1, .max = 255, .reset = 63),
    STATE_FIELD(D, write_cache),
    STATE_FIELD(D, look_ahead),
    STATE_FIELD(D, revert),
    STATE_FIELD(D, smart_enabled),
    STATE_FIELD(D, smart_autosave),
    STATE_FIELD(D, smart_count, .max = SMART_LOG_ENTRIES),
    STATE_FIELD(D, smart_last, .max = SMART_LOG_ENTRIES - 1),
    STATE_ARRAY(D, smart_test),
    STATE_FIELD(D, power, .since = 2, .max = POWER_STANDBY),
    STATE_FIELD(D, standby_timer, .since = 2),
    STATE_FIELD(D, used_at, .since = 2),
    STATE_FIELD(D, set_max, .since = 2),
    STATE_FIELD(D, set_max_kept, .since = 2, .flags = STATE_KEEP),
    STATE_FIELD(D, native_max_read, .since = 2),
    STATE_ARRAY(D, packet),
    STATE_FIELD(D, packet_dma),
    STATE_FIELD(D, raw),
    STATE_FIELD(D, sense_key, .max = 15),
    STATE_FIELD(D, asc),
    STATE_FIELD(D, ascq),
    STATE_FIELD(D, medium),
    STATE_FIELD(D, tray_open),
    STATE_FIELD(D, locked),
    STATE_FIELD(D, media_change, .max = MEDIA_SEEN_GONE),
    STATE_FIELD(D, event_eject),
    STATE_FIELD(D, event_new),
    STATE_FIELD(D, event_removed),
    STATE_ARRAY(D, buffer),
};
#undef D

/* Status and phase say the same; one who sees DRQ finds data. */
static const char *drive_check(const void *state)
{
    const struct ide_drive_state *s = state;
    bool drq = s->phase == PHASE_PACKET || s->phase == PHASE_PIO_IN || s->phase == PHASE_PIO_OUT;
    bool busy = s->phase != PHASE_IDLE && !drq;

    if (drq != !!(s->status & ATA_DRQ) || (busy && !(s->status & ATA_BSY)))
        return "status";
    if (s->multiple & (s->multiple - 1))
        return "multiple";
    if ((s->phase == PHASE_PIO_IN && (s->pos >= s->end || s->end > s->fill)) ||
        (s->phase == PHASE_PIO_OUT && s->pos >= s->end) ||
        (s->phase == PHASE_PACKET && s->pos >= sizeof(s->packet)))
        return "pos";
    return NULL;
}

const struct state_desc ide_drive_desc =
    STATE_DESC("ide-drive", 2, struct ide_drive_state, drive_fields, drive_check);

#define C struct ide_channel_state
static const struct state_field channel_fields[] = {
    STATE_FIELD(C, selected, .max = 1),
    STATE_FIELD(C, control, .bits = CTL_HOB | CTL_SRST | CTL_NIEN),
    STATE_FIELD(C, intrq_line),
    STATE_FIELD(C, bm_command, .bits = BM_START | BM_DIRECTION),
    STATE_FIELD(C, bm_status, .bits = BM_ACTIVE | BM_ERROR | BM_INT | BM_CAPABLE),
    STATE_FIELD(C, bm_prdt),
    STATE_FIELD(C, prd_next),
    STATE_FIELD(C, prd_base),
    STATE_FIELD(C, prd_left, .max = 65536),
    STATE_FIELD(C, prd_count, .max = 8192),
    STATE_FIELD(C, prd_eot),
};
#undef C

const struct state_desc ide_channel_desc =
    STATE_DESC("ide-channel", 1, struct ide_channel_state, channel_fields, NULL);

/* ---- life cycle ------------------------------------------------------------------------------ */

static struct ide_drive *unit(const struct ide *ide, unsigned n)
{
    return (struct ide_drive *)&ide->channel[n / 2].drive[n % 2];
}

/* On a state that has its reset values. */
static void drive_first_power_on(struct ide_drive *d)
{
    ata_power_on(d);
    ide_signature(d);
    d->s->medium = d->kind == IDE_CDROM && d->block;
}

static void drive_power_on(struct ide_drive *d)
{
    state_reset(&ide_drive_desc, d->s);
    drive_first_power_on(d);
}

static void ide_reset(void *dev)
{
    struct ide *ide = dev;

    for (unsigned n = 0; n < IDE_UNITS; n++)
        ide_cancel(unit(ide, n));
    for (unsigned i = 0; i < 2; i++)
        state_reset(&ide_channel_desc, ide->channel[i].s);
    for (unsigned n = 0; n < IDE_UNITS; n++)
        drive_power_on(unit(ide, n));
    for (unsigned i = 0; i < 2; i++)
        ide_channel_update_irq(&ide->channel[i]);
}

/*
 * The toolstack opens a medium as it was configured, whatever the guest has done since: behind an
 * open tray it is let go again; one that comes or goes elsewise is a change of medium.
 */
static void medium_loaded(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->tray_open && d->block) {
        block_close_later(d->block);
        d->block = NULL;
    }
    if (d->block && !s->medium) {
        s->media_change = MEDIA_REPLACED;
        s->event_new = true;
    } else if (!d->block && s->medium) {
        s->event_removed = true;
    }
    s->medium = d->block != NULL;
}

/* Whatever was running belonged to the state before; what the new one says is begun again. */
static void drive_loaded(struct ide_drive *d)
{
    d->generation++;
    if (d->in_flight)
        block_cancel(&d->req);
    if (d->s->unplugged && d->kind == IDE_DISK && d->block) {
        int error = block_close(d->block);

        if (error)
            log_error("%s: closing an unplugged disk: %s", ide_drive_desc.kind, strerror(-error));
        d->block = NULL;
    }
    if (d->s->unplugged && d->kind != IDE_DISK)
        d->s->unplugged = false;
    if (d->kind == IDE_CDROM)
        medium_loaded(d);
    if (ide_present(d) && !ata_phase_possible(d)) {
        log_guest("ide unit %u: the restored command does not fit its drive; aborted", d->index);
        ide_cancel(d);
        ide_abort(d);
        return;
    }
    if (d->s->phase != PHASE_IDLE)
        ide_kick(d);
}

static void ide_loaded(void *dev)
{
    struct ide *ide = dev;

    for (unsigned n = 0; n < IDE_UNITS; n++)
        drive_loaded(unit(ide, n));
    for (unsigned i = 0; i < 2; i++)
        ide_channel_update_irq(&ide->channel[i]);
}

static bool ide_busy(void *dev)
{
    const struct ide *ide = dev;

    for (unsigned n = 0; n < IDE_UNITS; n++) {
        const struct ide_drive *d = unit(ide, n);

        if (d->in_flight || d->kicked)
            return true;
    }
    return false;
}

static void ide_destroy(void *dev)
{
    struct ide *ide = dev;

    for (unsigned i = 0; i < 2; i++) {
        iospace_remove(ide->env.io, &ide->channel[i].command_block);
        iospace_remove(ide->env.io, &ide->channel[i].control_block);
    }
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        struct ide_drive *d = unit(ide, n);
        int error;

        ide_cancel(d);
        error = block_close(d->block);
        if (error)
            log_error("ide unit %u: last flush: %s", n, strerror(-error));
        d->block = NULL;
    }
    /* Requests that a worker has finished give their answer before their memory goes. */
    while (ide_busy(ide))
        loop_turn(ide->env.loop, 1);
    for (unsigned n = 0; n < IDE_UNITS; n++)
        guest_sg_fini(&unit(ide, n)->sg);
    free(ide);
}

static const struct device_ops ide_device_ops = {
    .name = "ide",
    .reset = ide_reset,
    .loaded = ide_loaded,
    .busy = ide_busy,
    .destroy = ide_destroy,
};

/* Bus mastering may have been switched on while a transfer waited for it. */
static void config_written(void *dev, unsigned reg, unsigned size)
{
    struct ide *ide = dev;

    if (reg > PCI_COMMAND || reg + size <= PCI_COMMAND)
        return;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = ide_selected(&ide->channel[i]);

        if (bmdma_ready(d->channel) && d->s->phase >= PHASE_DMA_IN &&
            d->s->phase <= PHASE_DMA_BUF_OUT)
            ide_kick(d);
    }
}

/* ---- construction ---------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static int drive_create(struct ide *ide, unsigned n, const struct ide_unit_config *config)
{
    struct ide_drive *d = unit(ide, n);
    char name[ARENA_NAME_MAX], serial[21];

    d->ide = ide;
    d->channel = &ide->channel[n / 2];
    d->index = n;
    d->kind = config->kind;
    d->stays = config->stays;
    d->wwn = config->wwn;
    d->work = (struct loop_work){.run = ide_kick_run, .opaque = d};
    /*
     * These are what guests have seen from the device model before us: file system tables and
     * device instances of installed guests name them.
     */
    snprintf(serial, sizeof(serial), "QM%05u", n + 1);
    copy_text(d->serial, sizeof(d->serial), config->serial ? config->serial : serial);
    copy_text(d->model, sizeof(d->model),
              config->model               ? config->model
              : config->kind == IDE_CDROM ? "QEMU DVD-ROM"
                                          : "QEMU HARDDISK");
    copy_text(d->firmware, sizeof(d->firmware), config->firmware ? config->firmware : "2.5+");

    if (d->kind == IDE_DISK) {
        if (!config->block || !block_size(config->block))
            return -EINVAL;
        d->sectors = block_sectors(config->block);
        ide_guess_geometry(config->block, &d->geometry);
    }
    snprintf(name, sizeof(name), "ide%u.%u", n / 2, n % 2);
    d->s = arena_alloc(ide->env.arena, name, &ide_drive_desc);
    if (!d->s)
        return -ENOMEM;
    return d->kind == IDE_ABSENT ? 0 : guest_sg_init(&d->sg, ide->env.mem, BLOCK_MAX_IOV);
}

static int channel_create(struct ide *ide, unsigned i)
{
    static const struct {
        const char *name, *command, *control;
        uint16_t command_base, control_base;
        uint8_t irq;
    } at[2] = {
        {"ide0", "ide0-command", "ide0-control", 0x1f0, 0x3f6, 14},
        {"ide1", "ide1-command", "ide1-control", 0x170, 0x376, 15},
    };
    struct ide_channel *ch = &ide->channel[i];
    int rc;

    ch->ide = ide;
    ch->s = arena_alloc(ide->env.arena, at[i].name, &ide_channel_desc);
    if (!ch->s)
        return -ENOMEM;
    ch->irq = irq_router_isa(ide->env.irqs, at[i].irq);
    ch->command_block = (struct io_region){.name = at[i].command,
                                           .kind = IO_PORT,
                                           .base = at[i].command_base,
                                           .length = 8,
                                           .ops = &ide_command_block_ops,
                                           .dev = ch};
    ch->control_block = (struct io_region){.name = at[i].control,
                                           .kind = IO_PORT,
                                           .base = at[i].control_base,
                                           .length = 1,
                                           .ops = &ide_control_block_ops,
                                           .dev = ch};
    rc = iospace_add(ide->env.io, &ch->command_block);
    if (rc < 0)
        return rc;
    rc = iospace_add(ide->env.io, &ch->control_block);
    if (rc < 0)
        iospace_remove(ide->env.io, &ch->command_block);
    return rc;
}

static int function_create(struct ide *ide, uint8_t devfn)
{
    ide->pci = (struct pci_function){
        .name = "ide",
        .devfn = devfn,
        .vendor = 0x8086,
        .device = 0x7010,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .prog_if = 0x80, /* bus master; both channels in compatibility mode, fixed */
        .class_code = 0x0101,
        .status_reset = 0x0280,
        .dev = ide,
        .config_written = config_written,
    };
    ide->pci.bar[4] = (struct pci_bar){
        .kind = PCI_BAR_IO,
        .size = 16,
        .region = {.name = "ide-bmdma", .ops = &ide_bmdma_ops, .dev = ide},
    };
    return pci_add(ide->env.pci, &ide->pci);
}

int ide_create(struct ide **out, const struct dm_env *env, const struct ide_config *config)
{
    struct ide *ide = calloc(1, sizeof(*ide));
    unsigned channels = 0;
    int rc = 0;

    if (!ide)
        return -ENOMEM;
    ide->env = *env;
    ide->cd_ejected = config->cd_ejected;
    ide->opaque = config->opaque;
    for (unsigned n = 0; n < IDE_UNITS && !rc; n++)
        rc = drive_create(ide, n, &config->unit[n]);
    for (; channels < 2 && !rc; channels++) {
        rc = channel_create(ide, channels);
        if (rc)
            break;
    }
    if (!rc)
        rc = function_create(ide, config->devfn);
    if (!rc)
        rc = device_register(env->devices, &ide_device_ops, ide);
    if (rc) {
        while (channels-- > 0) {
            iospace_remove(env->io, &ide->channel[channels].command_block);
            iospace_remove(env->io, &ide->channel[channels].control_block);
        }
        for (unsigned n = 0; n < IDE_UNITS; n++)
            guest_sg_fini(&unit(ide, n)->sg);
        if (!ide->pci.bus)
            free(
                ide); /* a bus that knows the function outlives us: this happens at start-up only */
        return rc;
    }
    /* The arena's objects are fresh: to reset them would only take the pages of the buffers. */
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        unit(ide, n)->block = config->unit[n].block;
        drive_first_power_on(unit(ide, n));
    }
    *out = ide;
    return 0;
}

/* ---- unplug ---------------------------------------------------------------------------------- */

static int drive_unplug(struct ide_drive *d)
{
    int error;

    if (d->in_flight) {
        /* Its write is finished below; its answer has nobody to go to. */
        d->generation++;
        block_cancel(&d->req);
    }
    error = block_close(d->block);
    d->block = NULL;
    ide_cancel(d);
    d->s->unplugged = true;
    drive_power_on(d);
    return error;
}

int ide_unplug(struct ide *ide, uint32_t mask)
{
    int first = 0;

    if (!(mask & (IDE_UNPLUG_ALL | IDE_UNPLUG_AUX)))
        return 0;
    for (unsigned n = 0; n < IDE_UNITS; n++) {
        struct ide_drive *d = unit(ide, n);
        int error;

        if (d->kind != IDE_DISK || d->s->unplugged || d->stays ||
            (n == 0 && !(mask & IDE_UNPLUG_ALL)))
            continue;
        error = drive_unplug(d);
        if (error) {
            log_error("ide unit %u: flush at unplug: %s", n, strerror(-error));
            first = first ? first : error;
        }
        /* An engine that worked for this disk has nothing to do any more. */
        d->channel->s->bm_command &= (uint8_t)~BM_START;
        d->channel->s->bm_status &= (uint8_t)~BM_ACTIVE;
        ide_channel_update_irq(d->channel);
    }
    return first;
}

int ide_flush_all(struct ide *ide)
{
    int first = 0;

    for (unsigned n = 0; n < IDE_UNITS; n++) {
        struct ide_drive *d = unit(ide, n);
        int error = d->kind == IDE_DISK && d->block ? block_flush_now(d->block) : 0;

        first = first ? first : error;
    }
    return first;
}

/* ---- media ----------------------------------------------------------------------------------- */

static struct ide_drive *cdrom(const struct ide *ide, unsigned n)
{
    return n < IDE_UNITS && unit(ide, n)->kind == IDE_CDROM ? unit(ide, n) : NULL;
}

/* A read in progress ends as it does when somebody opens the tray. */
static void take_medium(struct ide_drive *d)
{
    struct block *medium = d->block;

    if (!medium)
        return;
    if (d->in_flight || d->s->left) {
        ide_cancel(d);
        atapi_error(d, SENSE_NOT_READY, ASC_MEDIUM_NOT_PRESENT, 0);
    }
    d->block = NULL;
    d->s->medium = false;
    d->s->media_change = MEDIA_KNOWN;
    block_close_later(medium);
    d->s->event_removed = true;
    d->s->event_new = false;
    ide_channel_update_irq(d->channel);
}

int ide_cd_eject(struct ide *ide, unsigned n, bool force)
{
    struct ide_drive *d = cdrom(ide, n);

    if (!d)
        return -ENODEV;
    if (d->block && d->s->locked && !force) {
        d->s->event_eject = true;
        return -EBUSY;
    }
    d->s->locked = false;
    take_medium(d);
    d->s->tray_open = true;
    return 0;
}

int ide_cd_insert(struct ide *ide, unsigned n, struct block *medium)
{
    struct ide_drive *d = cdrom(ide, n);

    if (!d)
        return -ENODEV;
    take_medium(d);
    d->block = medium;
    d->s->medium = medium != NULL;
    d->s->tray_open = false;
    if (d->s->media_change != MEDIA_SEEN_GONE)
        d->s->media_change = MEDIA_REPLACED;
    d->s->event_new = true;
    d->s->event_eject = false;
    return 0;
}

int ide_cd_close_tray(struct ide *ide, unsigned n)
{
    struct ide_drive *d = cdrom(ide, n);

    if (!d)
        return -ENODEV;
    d->s->tray_open = false;
    return 0;
}

int ide_cd_info(const struct ide *ide, unsigned n, struct ide_cd_info *info)
{
    const struct ide_drive *d = cdrom(ide, n);

    if (!d)
        return -ENODEV;
    *info = (struct ide_cd_info){
        .inserted = d->block != NULL,
        .locked = d->s->locked,
        .tray_open = d->s->tray_open,
    };
    return 0;
}

enum ide_kind ide_unit_kind(const struct ide *ide, unsigned n)
{
    return n < IDE_UNITS && ide_present(unit(ide, n)) ? unit(ide, n)->kind : IDE_ABSENT;
}

void ide_unit_resized(struct ide *ide, unsigned n)
{
    struct ide_drive *d = n < IDE_UNITS ? unit(ide, n) : NULL;

    if (d && d->kind == IDE_DISK && d->block)
        d->sectors = block_sectors(d->block);
}

const struct block *ide_unit_block(const struct ide *ide, unsigned n)
{
    return n < IDE_UNITS ? unit(ide, n)->block : NULL;
}
