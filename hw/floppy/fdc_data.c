/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that move data: a sector at a time between image, buffer and host.
 *
 *     command ──▶ SEARCH ──▶ FETCH ──▶ TO_HOST ─────────┬──▶ SEARCH for the next sector
 *                   │          └─ scan ─▶ FROM_HOST ────┤
 *                   ├──▶ FROM_HOST ──▶ STORE ───────────┤
 *                   └──▶ not there ──▶ END ◀──────────┘ terminal count, end of the track, error
 *
 * Each sector has a loop turn of its own, and all that is needed to go on is in the state: a
 * transfer that was interrupted by a save is continued where it was. Whatever the place of a
 * sector is worked out from is looked at again for each one. A command that has written ends when
 * the disk is stable: there is no other command by which a driver could ask for that.
 *
 * The host has two seconds to take or give the bytes of a sector; then the command ends with an
 * overrun. On the chip it is microseconds, which a virtual processor need not keep.
 *
 * Left out on purpose, since an image has no place for them: deleted data marks (written ones read
 * back as normal data), sectors of other sizes, formats that differ from that of the image, CRC
 * errors but for those that the host's storage gives.
 */
#include "hw/floppy/fdc_internal.h"

#include <errno.h>
#include <string.h>

#define ROTATION_NS                                                                                \
    (20u * 1000 * 1000) /* how long READ ID, or an empty drive, looks for a mark                   \
                         */
#define OVERRUN_NS (2ull * 1000 * 1000 * 1000)

static bool op_writes(uint8_t operation)
{
    return operation == OP_WRITE || operation == OP_FORMAT;
}

static bool op_scans(uint8_t operation)
{
    return operation >= OP_SCAN_EQUAL;
}

bool fdc_transfer_possible(const struct fdc_state *s)
{
    uint16_t size = s->operation == OP_FORMAT && s->phase == PHASE_FROM_HOST ? 4 : FDC_SECTOR;
    bool writes = op_writes(s->operation), scans = op_scans(s->operation);

    switch (s->phase) {
    case PHASE_COMMAND:
    case PHASE_RESULT:
        return true;
    case PHASE_SEARCH:
        return s->operation != OP_NONE;
    case PHASE_FETCH:
        return !writes && s->operation != OP_NONE && s->operation != OP_READ_ID;
    case PHASE_TO_HOST:
        return (s->operation == OP_READ || s->operation == OP_READ_TRACK) && s->pos < s->end &&
               s->end <= size;
    case PHASE_FROM_HOST:
        return (writes || scans) && s->pos < s->end && s->end <= size;
    case PHASE_STORE:
        return writes;
    default: /* END */
        return s->operation != OP_NONE && (writes || !s->written);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void submit(struct fdc *fdc, enum block_op op, uint64_t offset);

static void show_end(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    fdc_cancel(fdc);
    s->fifo[0] = (uint8_t)(s->st0 | s->head << 2 | s->drive);
    s->fifo[1] = s->st1;
    s->fifo[2] = s->st2;
    s->fifo[3] = s->c;
    s->fifo[4] = s->h;
    s->fifo[5] = s->r;
    s->fifo[6] = s->n;
    fdc_show_result(fdc, 7, true);
}

void fdc_end(struct fdc *fdc, uint8_t st0, uint8_t st1, uint8_t st2)
{
    struct fdc_state *s = fdc->s;

    s->st0 |= st0;
    s->st1 |= st1;
    s->st2 |= st2;
    s->phase = PHASE_END;
    fdc_go_on_in(fdc, 0);
}

/* ---- from sector to sector ------------------------------------------------------------------- */

/* The ID behind this one, as the result phase is to name it: data sheet, table 5-6. */
static void next_id(struct fdc_state *s)
{
    if (s->r + s->step <= s->eot) {
        s->r = (uint8_t)(s->r + s->step);
        return;
    }
    s->r = 1;
    if (s->multi_track) {
        s->h ^= 1;
        if (s->head)
            s->c++;
    } else {
        s->c++;
    }
}

static void advance(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    bool last = s->r + s->step > s->eot;

    if (s->operation != OP_FORMAT)
        next_id(s);
    if (s->count_sectors && s->sectors_left)
        s->sectors_left--;
    if (s->terminal_count || (s->count_sectors && !s->sectors_left)) {
        fdc_end(fdc, 0, 0, op_scans(s->operation) ? ST2_SCAN_MISS : 0);
        return;
    }
    if (last && !s->count_sectors && !(s->multi_track && !s->head)) {
        if (op_scans(s->operation))
            fdc_end(fdc, 0, 0, ST2_SCAN_MISS);
        else if (s->operation == OP_VERIFY)
            fdc_end(fdc, 0, 0, 0);
        else
            fdc_end(fdc, ST0_ABNORMAL, ST1_END, 0);
        return;
    }
    if (last && s->multi_track && s->operation != OP_FORMAT)
        s->head = 1;
    s->phase = PHASE_SEARCH;
    fdc_go_on_in(fdc, 0);
}

/* ---- where a sector is ----------------------------------------------------------------------- */

static bool rate_fits(const struct fdc_state *s, const struct fdc_geometry *g)
{
    uint8_t rate = s->dsr & DSR_RATE;

    return rate == g->rate || rate == g->other_rate;
}

/* Whether there is anything to be read under the head. */
static bool formatted(const struct fdc *fdc, const struct fdc_drive *drive)
{
    const struct fdc_state *s = fdc->s;

    return drive && drive->block && rate_fits(s, &drive->geometry) &&
           s->cylinder[s->drive] < drive->geometry.cylinders && s->head < drive->geometry.heads;
}

/* Bytes into the image of sector r under the head. */
static uint64_t place(const struct fdc_state *s, const struct fdc_geometry *g, unsigned r)
{
    return (((uint64_t)s->cylinder[s->drive] * g->heads + s->head) * g->sectors + r - 1) *
           FDC_SECTOR;
}

/* Ends the command when no sector of the track has the ID; true when one has it. */
static bool find_id(struct fdc *fdc, const struct fdc_geometry *g)
{
    const struct fdc_state *s = fdc->s;
    bool track = s->operation == OP_READ_TRACK;

    if (!track && s->c != s->cylinder[s->drive])
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_DATA, ST2_WRONG_CYLINDER);
    else if ((!track && s->h != s->head) || s->n != FDC_SECTOR_N || !s->r || s->r > g->sectors ||
             s->r > s->eot)
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_DATA, 0);
    else
        return true;
    return false;
}

static void await_host(struct fdc *fdc, enum fdc_phase phase, uint16_t bytes)
{
    struct fdc_state *s = fdc->s;

    s->phase = (uint8_t)phase;
    s->pos = 0;
    s->end = bytes;
    fdc_go_on_in(fdc, s->dma ? 0 : OVERRUN_NS);
    s->deadline = loop_now(fdc->env.loop, CLOCK_GUEST) + OVERRUN_NS;
}

static void show_id(struct fdc *fdc, const struct fdc_geometry *g)
{
    struct fdc_state *s = fdc->s;

    s->c = s->cylinder[s->drive];
    s->h = s->head;
    s->r = (uint8_t)(s->rotation++ % g->sectors + 1);
    s->n = FDC_SECTOR_N;
    fdc_end(fdc, 0, 0, 0);
}

static void search(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, s->drive);

    if (!formatted(fdc, drive)) {
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_MARK, 0);
    } else if (op_writes(s->operation) && block_read_only(drive->block)) {
        fdc_end(fdc, ST0_ABNORMAL, ST1_NOT_WRITABLE, 0);
    } else if (s->operation == OP_READ_ID) {
        show_id(fdc, &drive->geometry);
    } else if (s->operation == OP_FORMAT) {
        if (!s->sectors_left)
            fdc_end(fdc, 0, 0, 0);
        else if (s->n != FDC_SECTOR_N || s->sectors_left > drive->geometry.sectors)
            fdc_end(fdc, ST0_ABNORMAL | ST0_EQUIPMENT, 0, 0);
        else
            await_host(fdc, PHASE_FROM_HOST, 4);
    } else if (find_id(fdc, &drive->geometry)) {
        if (s->operation == OP_WRITE) {
            await_host(fdc, PHASE_FROM_HOST, FDC_SECTOR);
        } else if (s->deleted && s->skip) {
            s->st2 |= ST2_DELETED; /* no mark that is not skipped */
            advance(fdc);
        } else {
            s->phase = PHASE_FETCH;
            submit(fdc, BLOCK_READ, place(s, &drive->geometry, s->r));
        }
    }
}

/* ---- image ----------------------------------------------------------------------------------- */

static void fetched(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    if (fdc->req.error) {
        fdc_end(fdc, ST0_ABNORMAL, ST1_CRC, ST2_CRC);
        return;
    }
    s->scan_equal = s->scan_met = true;
    if (s->operation == OP_VERIFY)
        advance(fdc);
    else
        await_host(fdc, op_scans(s->operation) ? PHASE_FROM_HOST : PHASE_TO_HOST, FDC_SECTOR);
}

static void stored(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    if (fdc->req.error == -EROFS) {
        fdc_end(fdc, ST0_ABNORMAL, ST1_NOT_WRITABLE, 0);
    } else if (fdc->req.error) {
        fdc_end(fdc, ST0_ABNORMAL | ST0_EQUIPMENT, 0, 0);
    } else {
        s->written = true;
        advance(fdc);
    }
}

static void flushed(struct fdc *fdc)
{
    if (fdc->req.error)
        fdc->s->st0 |= ST0_ABNORMAL | ST0_EQUIPMENT;
    show_end(fdc);
}

static void request_done(struct fdc *fdc)
{
    switch (fdc->s->phase) {
    case PHASE_FETCH:
        fetched(fdc);
        break;
    case PHASE_STORE:
        stored(fdc);
        break;
    default:
        flushed(fdc);
        break;
    }
}

static void request_completed(void *opaque, struct block_request *req)
{
    struct fdc *fdc = opaque;

    fdc->in_flight = false;
    if (fdc->req_generation == fdc->generation)
        request_done(fdc);
    else if (fdc->s->phase >= PHASE_SEARCH && fdc->s->phase <= PHASE_END)
        timer_arm(&fdc->timer, loop_now(fdc->env.loop, CLOCK_GUEST));
    fdc_update(fdc);
}

static void submit(struct fdc *fdc, enum block_op op, uint64_t offset)
{
    struct block_request *req = &fdc->req;
    const struct fdc_drive *drive = fdc_drive_at(fdc, fdc->s->drive);

    if (fdc->in_flight)
        return; /* an orphan's: its end leads here again */
    /* Copied: after a reset the buffer may hold the next command's data. */
    req->op = op;
    req->copy = op == BLOCK_WRITE;
    req->offset = offset;
    req->bytes = op == BLOCK_FLUSH ? 0 : FDC_SECTOR;
    req->niov = 1;
    req->iov[0] = (struct iovec){.iov_base = fdc->s->buffer, .iov_len = FDC_SECTOR};
    req->complete = request_completed;
    req->opaque = fdc;
    fdc->req_generation = fdc->generation;
    if (op == BLOCK_READ && offset >= block_sectors(drive->block) * BLOCK_SECTOR) {
        memset(fdc->s->buffer, 0, FDC_SECTOR); /* cut off: see fdc_geometry_of() */
        req->error = 0;
        request_done(fdc);
    } else if (block_submit(drive->block, req) == BLOCK_PENDING) {
        fdc->in_flight = true;
    } else {
        request_done(fdc);
    }
}

static void end_step(struct fdc *fdc)
{
    const struct fdc_drive *drive = fdc_drive_at(fdc, fdc->s->drive);

    if (fdc->s->written && drive && drive->block)
        submit(fdc, BLOCK_FLUSH, 0);
    else
        show_end(fdc);
}

/* FETCH or STORE that is begun, or after a restore begun again. */
static void submit_again(struct fdc *fdc)
{
    const struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, s->drive);

    if (!formatted(fdc, drive))
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_MARK, 0);
    else if (!s->r || s->r > drive->geometry.sectors)
        fdc_end(fdc, ST0_ABNORMAL, ST1_NO_DATA, 0);
    else
        submit(fdc, s->phase == PHASE_STORE ? BLOCK_WRITE : BLOCK_READ,
               place(s, &drive->geometry, s->r));
}

/* ---- host ------------------------------------------------------------------------------------ */

/* The ID field of a sector that FORMAT TRACK is to write: one that the image has, or an error. */
static bool format_id(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, s->drive);
    const uint8_t *id = s->buffer;

    if (!formatted(fdc, drive) || id[0] != s->cylinder[s->drive] || id[1] != s->head || !id[2] ||
        id[2] > drive->geometry.sectors || id[3] != FDC_SECTOR_N) {
        fdc_end(fdc, ST0_ABNORMAL | ST0_EQUIPMENT, 0, 0);
        return false;
    }
    s->c = id[0];
    s->h = id[1];
    s->r = id[2];
    memset(s->buffer, s->fill, FDC_SECTOR);
    return true;
}

static void scanned(struct fdc *fdc)
{
    const struct fdc_state *s = fdc->s;

    if (s->operation == OP_SCAN_EQUAL ? s->scan_equal : s->scan_met)
        fdc_end(fdc, 0, 0, s->scan_equal ? ST2_SCAN_HIT : 0);
    else
        advance(fdc);
}

/* buffer[pos, end) has been moved, or terminal count has come before its end. */
static void buffer_done(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    if (s->phase == PHASE_TO_HOST) {
        if (s->deleted) /* a sector with the other mark is the last one */
            fdc_end(fdc, 0, 0, ST2_DELETED);
        else
            advance(fdc);
        return;
    }
    if (op_scans(s->operation)) {
        scanned(fdc);
        return;
    }
    if (s->operation == OP_FORMAT) {
        if (s->pos < s->end) {
            fdc_end(fdc, 0, 0, 0); /* half an ID: the host wants no more sectors */
            return;
        }
        if (!format_id(fdc))
            return;
    } else {
        memset(s->buffer + s->pos, 0, FDC_SECTOR - s->pos);
    }
    s->phase = PHASE_STORE;
    fdc_go_on_in(fdc, 0);
}

/* FFh from either side matches all. */
static void compare(struct fdc_state *s, uint8_t disk, uint8_t host)
{
    if (disk == host || disk == 0xff || host == 0xff)
        return;
    s->scan_equal = false;
    if (s->operation == OP_SCAN_LOW ? disk > host : disk < host)
        s->scan_met = false;
}

static size_t move_by_dma(struct fdc *fdc, bool *tc)
{
    struct fdc_state *s = fdc->s;
    uint8_t host[FDC_SECTOR];
    size_t n;

    if (s->phase == PHASE_TO_HOST)
        return fdc->dma.transfer(fdc->dma.opaque, ISA_DMA_TO_MEMORY, s->buffer + s->pos,
                                 (size_t)(s->end - s->pos), tc);
    n = fdc->dma.transfer(fdc->dma.opaque, ISA_DMA_FROM_MEMORY, host, (size_t)(s->end - s->pos),
                          tc);
    for (size_t i = 0; i < n; i++) {
        if (op_scans(s->operation))
            compare(s, s->buffer[s->pos + i], host[i]);
        else
            s->buffer[s->pos + i] = host[i];
    }
    return n;
}

static void host_step(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    uint64_t now = loop_now(fdc->env.loop, CLOCK_GUEST);
    size_t n = 0;
    bool tc = false;

    if (s->dma)
        n = move_by_dma(fdc, &tc);
    s->pos = (uint16_t)(s->pos + n);
    s->terminal_count = s->terminal_count || tc;
    if (s->pos == s->end || tc) {
        buffer_done(fdc);
    } else if (now >= s->deadline) {
        fdc_end(fdc, ST0_ABNORMAL, ST1_OVERRUN, 0);
    } else {
        timer_arm(&fdc->timer, s->deadline);
    }
}

uint8_t fdc_byte_to_host(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    uint8_t value = s->buffer[s->pos++ % FDC_SECTOR];

    if (s->pos >= s->end)
        buffer_done(fdc);
    return value;
}

void fdc_byte_from_host(struct fdc *fdc, uint8_t value)
{
    struct fdc_state *s = fdc->s;

    if (op_scans(s->operation))
        compare(s, s->buffer[s->pos % FDC_SECTOR], value);
    else
        s->buffer[s->pos % FDC_SECTOR] = value;
    s->pos++;
    if (s->pos >= s->end)
        buffer_done(fdc);
}

/* ---- time ------------------------------------------------------------------------------------ */

void fdc_step(void *opaque)
{
    struct fdc *fdc = opaque;

    switch (fdc->s->phase) {
    case PHASE_SEARCH:
        if (!fdc->in_flight)
            search(fdc);
        break;
    case PHASE_FETCH:
    case PHASE_STORE:
        if (!fdc->in_flight)
            submit_again(fdc);
        break;
    case PHASE_END:
        if (!fdc->in_flight)
            end_step(fdc);
        break;
    case PHASE_TO_HOST:
    case PHASE_FROM_HOST:
        host_step(fdc);
        break;
    default:
        break;
    }
    fdc_update(fdc);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void begin(struct fdc *fdc, enum fdc_operation operation)
{
    struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive;

    s->operation = (uint8_t)operation;
    s->drive = s->fifo[1] & 3;
    s->head = s->fifo[1] >> 2 & 1;
    s->step = 1;
    s->st0 = s->st1 = s->st2 = 0;
    s->multi_track = s->skip = s->deleted = s->count_sectors = false;
    s->terminal_count = s->written = false;
    s->dma = !(s->hlt_nd & 1) && (s->dor & DOR_DMAEN);
    s->phase = PHASE_SEARCH;
    drive = fdc_drive_at(fdc, s->drive);
    fdc_go_on_in(fdc, operation != OP_READ_ID && formatted(fdc, drive) ? 0 : ROTATION_NS);
}

static void implied_seek(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;
    const struct fdc_drive *drive = fdc_drive_at(fdc, s->drive);

    if (!(s->config & CONFIG_IMPLIED_SEEK) || s->c == s->cylinder[s->drive] || !drive ||
        !drive->block || s->c >= drive->geometry.cylinders)
        return;
    s->cylinder[s->drive] = s->c;
    s->changed[s->drive] = false;
    s->st0 |= ST0_SEEK_END;
}

void fdc_begin_transfer(struct fdc *fdc, enum fdc_operation operation)
{
    struct fdc_state *s = fdc->s;

    begin(fdc, operation);
    s->c = s->fifo[2];
    s->h = s->fifo[3];
    s->r = s->fifo[4];
    s->n = s->fifo[5];
    s->eot = s->last_eot = s->fifo[6];
    s->skip = s->fifo[0] & CMD_SKIP;
    s->deleted = operation == OP_READ && (s->fifo[0] & 0x1f) == 0x0c;
    implied_seek(fdc);
    if (operation == OP_READ_TRACK) {
        /* From the index hole on, whatever the IDs are; that they differ is told. */
        if (s->c != s->cylinder[s->drive] || s->h != s->head || s->r != 1)
            s->st1 |= ST1_NO_DATA;
        s->r = 1;
    } else {
        s->multi_track = s->fifo[0] & CMD_MULTI_TRACK;
    }
    if (op_scans(operation) && s->fifo[8] == 2)
        s->step = 2;
    if (operation == OP_VERIFY && (s->fifo[1] & 0x80)) { /* EC: DTL is a number of sectors */
        s->count_sectors = true;
        s->sectors_left = s->fifo[8] ? s->fifo[8] : 256;
    }
}

void fdc_begin_format(struct fdc *fdc)
{
    struct fdc_state *s = fdc->s;

    begin(fdc, OP_FORMAT);
    s->n = s->fifo[2];
    s->eot = s->last_eot = s->fifo[3];
    s->fill = s->fifo[5];
    s->c = s->cylinder[s->drive];
    s->h = s->head;
    s->r = 1;
    s->sectors_left = s->eot;
    s->count_sectors = true;
}

void fdc_begin_read_id(struct fdc *fdc)
{
    begin(fdc, OP_READ_ID);
}
