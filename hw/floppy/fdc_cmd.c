/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands: 82077AA data sheet (290166), clause 5, and of the 82078 (290468) what drivers use to
 * tell the two apart. One table gives for each the bits of the opcode that count and the number of
 * bytes; what is not in it is invalid.
 *
 * Left out: FORMAT AND WRITE, MOTOR ON/OFF control by drive specification and power management,
 * whose settings are storage.
 */
#include "hw/floppy/fdc_internal.h"

#include <string.h>

#define DRIVE_SPECIFICATION 0x8e
#define SAVE_BYTES          16u

enum { SPEC_DONE = 0x80, SPEC_NO_RESULT = 0x40, SPEC_DRIVE_SHIFT = 5 };

struct fdc_command {
    uint8_t mask, value;
    uint8_t parameters; /* bytes behind the opcode */
    void (*run)(struct fdc *fdc);
};

static void result_1(struct fdc *fdc, uint8_t value)
{
    fdc->s->fifo[0] = value;
    fdc_show_result(fdc, 1, false);
}

static void invalid(struct fdc *fdc)
{
    result_1(fdc, ST0_INVALID);
}

/* ---- heads ----------------------------------------------------------------------------------- */

void fdc_seek_timer(struct fdc *fdc, uint64_t ns)
{
    struct fdc_state *s = fdc->s;
    uint64_t at = loop_now(fdc->env.loop, CLOCK_GUEST) + ns;

    if (s->seek_deadline == TIMER_NEVER || s->seek_deadline < at)
        s->seek_deadline = at;
    timer_arm(&fdc->seek_timer, s->seek_deadline);
}

static void seek_to(struct fdc *fdc, unsigned address, uint8_t cylinder)
{
    struct fdc_state *s = fdc->s;

    s->seek_target[address] = cylinder;
    s->seeking |= (uint8_t)(1u << address);
    s->sense_st0[address] = (uint8_t)(ST0_SEEK_END | (s->fifo[1] & 0x07));
    fdc_await_command(fdc);
    fdc_seek_timer(fdc, FDC_SEEK_NS);
}

static void arrive(struct fdc *fdc, unsigned address)
{
    struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, address);

    /* Only a step with a disk in the drive takes DSKCHG back. */
    if (drive && drive->block && s->cylinder[address] != s->seek_target[address])
        s->changed[address] = false;
    s->cylinder[address] = s->seek_target[address];
}

void fdc_seek_done(void *opaque)
{
    struct fdc *fdc = opaque;
    struct fdc_state *s = fdc->s;

    s->seek_deadline = TIMER_NEVER;
    if (s->seeking)
        s->reset_sense = 0;
    for (unsigned i = 0; i < FDC_ADDRESSES; i++) {
        if (s->seeking & 1u << i)
            arrive(fdc, i);
    }
    s->sense_pending |= s->seeking;
    s->seeking = 0;
    /* After a reset the four drives have one interrupt. */
    if (s->sense_pending || s->reset_sense == FDC_ADDRESSES)
        s->int_sense = true;
    fdc_update(fdc);
}

static void cmd_seek(struct fdc *fdc)
{
    seek_to(fdc, fdc->s->fifo[1] & 3, fdc->s->fifo[2]);
}

static void cmd_relative_seek(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    unsigned address = s->fifo[1] & 3, from = s->cylinder[address], by = s->fifo[2];
    bool in = s->fifo[0] & 0x40;

    if (in)
        seek_to(fdc, address, (uint8_t)(from + by > 255 ? 255 : from + by));
    else
        seek_to(fdc, address, (uint8_t)(by > from ? 0 : from - by));
}

static void cmd_recalibrate(struct fdc *fdc)
{
    unsigned address = fdc->s->fifo[1] & 3;

    fdc->s->fifo[1] = (uint8_t)address; /* the head select bit is zero in its ST0 */
    seek_to(fdc, address, 0);
    /* Nobody answers with "track 0". */
    if (!fdc_drive_at(fdc, address))
        fdc->s->sense_st0[address] |= ST0_ABNORMAL | ST0_EQUIPMENT;
}

static void cmd_sense_interrupt(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    unsigned address = 0;

    s->int_sense = false;
    if (s->reset_sense) {
        address = FDC_ADDRESSES - s->reset_sense--;
        s->fifo[0] = (uint8_t)(ST0_READY_CHANGED | address);
    } else if (s->sense_pending) {
        while (!(s->sense_pending & 1u << address))
            address++;
        s->sense_pending &= (uint8_t) ~(1u << address);
        s->fifo[0] = s->sense_st0[address];
        if (s->sense_pending) /* the line has to fall before it rises for the next one */
            fdc_seek_timer(fdc, FDC_POLL_NS);
    } else {
        invalid(fdc);
        return;
    }
    s->fifo[1] = s->cylinder[address];
    fdc_show_result(fdc, 2, false);
}

static void cmd_sense_drive(struct fdc *fdc)
{
    const struct fdc_state *s = fdc->s;
    unsigned address = s->fifo[1] & 3;
    const struct fdc_drive *drive = fdc_drive_at(fdc, address);
    uint8_t st3 = (uint8_t)(ST3_READY | ST3_TWO_SIDES | (s->fifo[1] & 0x07));

    if (drive && drive->block && block_read_only(drive->block))
        st3 |= ST3_PROTECTED;
    if (drive && !s->cylinder[address])
        st3 |= ST3_TRACK_0;
    result_1(fdc, st3);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void cmd_specify(struct fdc *fdc)
{
    fdc->s->srt_hut = fdc->s->fifo[1];
    fdc->s->hlt_nd = fdc->s->fifo[2];
    fdc_await_command(fdc);
}

static void cmd_configure(struct fdc *fdc)
{
    fdc->s->config = fdc->s->fifo[2] & 0x7f;
    fdc->s->precomp = fdc->s->fifo[3];
    fdc_await_command(fdc);
}

static void cmd_perpendicular(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    uint8_t value = s->fifo[1];

    if (value & PERP_OVERWRITE)
        s->perpendicular = value & (PERP_DRIVES | PERP_MODE);
    else
        s->perpendicular = (uint8_t)((s->perpendicular & PERP_DRIVES) | (value & PERP_MODE));
    fdc_await_command(fdc);
}

static void cmd_lock(struct fdc *fdc)
{
    fdc->s->lock = fdc->s->fifo[0] & 0x80;
    result_1(fdc, fdc->s->lock ? 0x10 : 0);
}

static void cmd_option(struct fdc *fdc)
{
    fdc_await_command(fdc);
}

static void cmd_powerdown_mode(struct fdc *fdc)
{
    fdc->s->powerdown_mode = fdc->s->fifo[1];
    result_1(fdc, fdc->s->powerdown_mode);
}

static void cmd_version(struct fdc *fdc)
{
    result_1(fdc, 0x90); /* enhanced: 82077 and later */
}

static void cmd_part_id(struct fdc *fdc)
{
    result_1(fdc, 0x41); /* 82078 */
}

static uint8_t lock_and_perpendicular(const struct fdc_state *s)
{
    return (uint8_t)((s->lock ? 0x80 : 0) | s->perpendicular);
}

static void cmd_dumpreg(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    memcpy(s->fifo, s->cylinder, FDC_ADDRESSES);
    s->fifo[4] = s->srt_hut;
    s->fifo[5] = s->hlt_nd;
    s->fifo[6] = s->last_eot;
    s->fifo[7] = lock_and_perpendicular(s);
    s->fifo[8] = s->config;
    s->fifo[9] = s->precomp;
    fdc_show_result(fdc, 10, false);
}

static void cmd_save(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    memset(s->fifo, 0, SAVE_BYTES);
    s->fifo[0] = s->dsr;
    memcpy(s->fifo + 2, s->cylinder, FDC_ADDRESSES);
    s->fifo[6] = s->srt_hut;
    s->fifo[7] = s->hlt_nd;
    s->fifo[8] = s->last_eot;
    s->fifo[9] = lock_and_perpendicular(s);
    s->fifo[10] = s->config;
    s->fifo[11] = s->precomp;
    s->fifo[12] = s->powerdown_mode;
    fdc_show_result(fdc, SAVE_BYTES, false);
}

/* What SAVE has shown, in its order. */
static void cmd_restore(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    const uint8_t *saved = s->fifo + 1;

    s->dsr = saved[0] & (uint8_t)~DSR_RESET;
    memcpy(s->cylinder, saved + 2, FDC_ADDRESSES);
    s->srt_hut = saved[6];
    s->hlt_nd = saved[7];
    s->last_eot = saved[8];
    s->lock = saved[9] & 0x80;
    s->perpendicular = saved[9] & (PERP_DRIVES | PERP_MODE);
    s->config = saved[10] & 0x7f;
    s->precomp = saved[11];
    s->powerdown_mode = saved[12];
    fdc_await_command(fdc);
}

static void cmd_drive_specification(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    unsigned last = s->fifo_end - 1u;

    if (!(s->fifo[last] & SPEC_DONE)) {
        invalid(fdc);
        return;
    }
    for (unsigned i = 1; i < last; i++)
        s->drive_spec[s->fifo[i] >> SPEC_DRIVE_SHIFT & 3] = s->fifo[i] & 0x1f;
    if (s->fifo[last] & SPEC_NO_RESULT) {
        fdc_await_command(fdc);
        return;
    }
    memcpy(s->fifo, s->drive_spec, FDC_ADDRESSES);
    fdc_show_result(fdc, FDC_ADDRESSES, false);
}

/* ---- data ------------------------------------------------------------------------------------ */

static void cmd_read(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_READ);
}

static void cmd_read_track(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_READ_TRACK);
}

static void cmd_verify(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_VERIFY);
}

static void cmd_write(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_WRITE);
}

static void cmd_scan_equal(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_SCAN_EQUAL);
}

static void cmd_scan_low(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_SCAN_LOW);
}

static void cmd_scan_high(struct fdc *fdc)
{
    fdc_begin_transfer(fdc, OP_SCAN_HIGH);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Where a bit of the opcode has a meaning for the command, or drivers set it without one, it is
 * not in the mask. */
static const struct fdc_command commands[] = {
    {0x1f, 0x06, 8, cmd_read},
    {0x1f, 0x0c, 8, cmd_read}, /* READ DELETED DATA */
    {0x1f, 0x05, 8, cmd_write},
    {0x3f, 0x09, 8, cmd_write}, /* WRITE DELETED DATA */
    {0x9f, 0x02, 8, cmd_read_track},
    {0x1f, 0x16, 8, cmd_verify},
    {0x1f, 0x11, 8, cmd_scan_equal},
    {0x1f, 0x19, 8, cmd_scan_low},
    {0x1f, 0x1d, 8, cmd_scan_high},
    {0xbf, 0x0a, 1, fdc_begin_read_id},
    {0xbf, 0x0d, 5, fdc_begin_format},
    {0xff, 0x07, 1, cmd_recalibrate},
    {0xff, 0x0f, 2, cmd_seek},
    {0xbf, 0x8f, 2, cmd_relative_seek},
    {0xff, 0x08, 0, cmd_sense_interrupt},
    {0xff, 0x04, 1, cmd_sense_drive},
    {0xff, 0x03, 2, cmd_specify},
    {0xff, 0x13, 3, cmd_configure},
    {0xff, 0x12, 1, cmd_perpendicular},
    {0x7f, 0x14, 0, cmd_lock},
    {0xff, 0x0e, 0, cmd_dumpreg},
    {0xff, 0x10, 0, cmd_version},
    {0xff, 0x18, 0, cmd_part_id},
    {0xff, 0x17, 1, cmd_powerdown_mode},
    {0xff, 0x33, 1, cmd_option},
    {0xff, 0x2e, 0, cmd_save},
    {0xff, 0x4e, SAVE_BYTES, cmd_restore},
    {0xff, DRIVE_SPECIFICATION, 6, cmd_drive_specification},
};

static const struct fdc_command *find_command(uint8_t opcode)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if ((opcode & commands[i].mask) == commands[i].value)
            return &commands[i];
    return NULL;
}

unsigned fdc_command_length(const struct fdc_state *s)
{
    const struct fdc_command *command = find_command(s->fifo[0]);

    if (s->fifo[0] == DRIVE_SPECIFICATION && s->fifo_end > 1 &&
        (s->fifo[s->fifo_end - 1] & SPEC_DONE))
        return s->fifo_end;
    return command ? 1u + command->parameters : 1;
}

void fdc_execute(struct fdc *fdc)
{
    const struct fdc_command *command = find_command(fdc->s->fifo[0]);

    if (command)
        command->run(fdc);
    else
        invalid(fdc);
}
