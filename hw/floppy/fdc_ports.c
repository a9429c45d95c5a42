/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of the controller: 82077AA data sheet (290166), clause 2.
 *
 * Status registers A and B are those of PS/2 mode. The FIFO's index stays below the length of the
 * command that is being written, or of the result that is being read; what comes besides is
 * dropped, and reads as zero.
 */
#include "hw/floppy/fdc_internal.h"

enum { REG_SRA, REG_SRB, REG_DOR, REG_TDR, REG_MSR, REG_FIFO };

enum { SRA_INT = 0x80, SRA_NO_DRIVE_2 = 0x40, SRA_NOT_TRACK_0 = 0x10, SRA_HEAD = 0x08 };
enum { SRA_NO_INDEX = 0x04, SRA_NOT_PROTECTED = 0x02 };
enum { SRB_ONES = 0xc0, SRB_DRIVE_0 = 0x20, SRB_MOTORS = 0x03 };
enum { TDR_MASK = 0x07 };
enum { DIR_CHANGED = 0x80 };

void fdc_await_command(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    s->phase = PHASE_COMMAND;
    s->operation = OP_NONE;
    s->fifo_pos = s->fifo_end = 0;
    s->pos = s->end = 0;
}

void fdc_show_result(struct fdc *fdc, unsigned bytes, bool interrupt)
{
    struct fdc_state *s = fdc->s;

    fdc_await_command(fdc);
    s->phase = PHASE_RESULT;
    s->fifo_end = (uint8_t)bytes;
    s->int_result = interrupt;
    if (interrupt)
        s->reset_sense = 0;
}

void fdc_soft_reset(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    fdc_cancel(fdc);
    fdc_await_command(fdc);
    s->seeking = s->sense_pending = 0;
    s->int_sense = s->int_result = false;
    for (unsigned i = 0; i < FDC_ADDRESSES; i++)
        s->cylinder[i] = 0;
    /* LOCK keeps the FIFO's settings; polling of the drives is on in any case. */
    if (s->lock) {
        s->config &= CONFIG_IMPLIED_SEEK | CONFIG_NO_FIFO | CONFIG_THRESHOLD;
    } else {
        s->config = (s->config & CONFIG_IMPLIED_SEEK) | CONFIG_NO_FIFO;
        s->precomp = 0;
    }
    s->perpendicular &= PERP_DRIVES;
    s->reset_sense = FDC_ADDRESSES;
    fdc_seek_timer(fdc, FDC_POLL_NS);
}

/* ---- reads ----------------------------------------------------------------------------------- */

static uint8_t status_a(struct fdc *fdc)
{
    const struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, s->dor & DOR_DRIVE);
    uint8_t value = SRA_NO_INDEX;

    if (s->int_sense || s->int_result)
        value |= SRA_INT;
    if (!fdc->drive[1].present)
        value |= SRA_NO_DRIVE_2;
    if (!drive || s->cylinder[s->dor & DOR_DRIVE])
        value |= SRA_NOT_TRACK_0;
    if (s->head)
        value |= SRA_HEAD;
    if (!drive || !drive->block || !block_read_only(drive->block))
        value |= SRA_NOT_PROTECTED;
    return value;
}

static uint8_t status_b(const struct fdc_state *s)
{
    return (uint8_t)(SRB_ONES | (s->dor & 1 ? SRB_DRIVE_0 : 0) | (s->dor >> 4 & SRB_MOTORS));
}

static uint8_t main_status(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    uint8_t value = s->seeking;

    s->dsr &= (uint8_t)~DSR_POWERDOWN; /* looking wakes it */
    if (fdc_in_reset(s))
        return 0;
    switch (s->phase) {
    case PHASE_COMMAND:
        return (uint8_t)(value | MSR_RQM | (s->fifo_end ? MSR_CB : 0));
    case PHASE_RESULT:
        return value | MSR_RQM | MSR_DIO | MSR_CB;
    default:
        value |= MSR_CB;
        if (!s->dma && s->operation != OP_READ_ID)
            value |= MSR_NDMA;
        if (!s->dma && fdc_host_moves_data(s))
            value |= (uint8_t)(MSR_RQM | (s->phase == PHASE_TO_HOST ? MSR_DIO : 0));
        return value;
    }
}

static uint8_t fifo_read(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    uint8_t value;

    if (fdc_in_reset(s))
        return 0;
    if (s->phase == PHASE_TO_HOST && !s->dma)
        return fdc_byte_to_host(fdc);
    if (s->phase != PHASE_RESULT || s->fifo_pos >= s->fifo_end || s->fifo_end > FDC_FIFO)
        return 0;
    value = s->fifo[s->fifo_pos++];
    s->int_result = false;
    if (s->fifo_pos == s->fifo_end)
        fdc_await_command(fdc);
    return value;
}

static uint64_t register_read(void *dev, uint64_t offset, unsigned size)
{
    struct fdc *fdc = dev;
    uint8_t value = 0xff;

    switch (offset) {
    case REG_SRA:
        value = status_a(fdc);
        break;
    case REG_SRB:
        value = status_b(fdc->s);
        break;
    case REG_DOR:
        value = fdc->s->dor;
        break;
    case REG_TDR:
        value = fdc->s->tdr;
        break;
    case REG_MSR:
        value = main_status(fdc);
        break;
    case REG_FIFO:
        value = fifo_read(fdc);
        break;
    default:
        break;
    }
    fdc_update(fdc);
    return value;
}

/* ---- writes ---------------------------------------------------------------------------------- */

static void write_dor(struct fdc *fdc, uint8_t value)
{
    struct fdc_state *s = fdc->s;
    bool was_in_reset = fdc_in_reset(s);

    s->dor = value;
    if (!was_in_reset && fdc_in_reset(s)) {
        fdc_cancel(fdc);
        fdc_await_command(fdc);
        s->int_sense = s->int_result = false;
        s->seeking = s->sense_pending = s->reset_sense = 0;
    } else if (was_in_reset && !fdc_in_reset(s)) {
        fdc_soft_reset(fdc);
    }
}

static void fifo_write(struct fdc *fdc, uint8_t value)
{
    struct fdc_state *s = fdc->s;

    if (fdc_in_reset(s))
        return;
    if (s->phase == PHASE_FROM_HOST && !s->dma) {
        fdc_byte_from_host(fdc, value);
        return;
    }
    if (s->phase != PHASE_COMMAND || s->fifo_end >= FDC_FIFO)
        return;
    s->fifo[s->fifo_end++] = value;
    if (s->fifo_end >= fdc_command_length(s))
        fdc_execute(fdc);
}

static void register_write(void *dev, uint64_t offset, unsigned size, uint64_t wide)
{
    struct fdc *fdc = dev;
    uint8_t value = (uint8_t)wide;

    switch (offset) {
    case REG_DOR:
        write_dor(fdc, value);
        break;
    case REG_TDR:
        fdc->s->tdr = value & TDR_MASK;
        break;
    case REG_MSR:
        fdc->s->dsr = value & (uint8_t)~DSR_RESET;
        if ((value & DSR_RESET) && !fdc_in_reset(fdc->s))
            fdc_soft_reset(fdc);
        break;
    case REG_FIFO:
        fifo_write(fdc, value);
        break;
    default:
        break;
    }
    fdc_update(fdc);
}

const struct io_ops fdc_register_ops = {.read = register_read, .write = register_write, .sizes = 1};

/* ---- 3F7h: disk change, data rate ------------------------------------------------------------ */

static uint64_t dir_read(void *dev, uint64_t offset, unsigned size)
{
    struct fdc *fdc = dev;
    unsigned selected = fdc->s->dor & DOR_DRIVE;
    const struct fdc_drive *drive = fdc_drive_at(fdc, selected);

    return !drive || !drive->block || fdc->s->changed[selected] ? DIR_CHANGED : 0;
}

static void ccr_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct fdc *fdc = dev;

    fdc->s->dsr = (uint8_t)((fdc->s->dsr & ~DSR_RATE) | (value & DSR_RATE));
}

const struct io_ops fdc_dir_ops = {.read = dir_read, .write = ccr_write, .sizes = 1};
