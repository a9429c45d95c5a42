/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reset, save, restore and change of disks in the middle of things; what security notes ask for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/floppy/rig.h"

/* ---- hostile guests -------------------------------------------------------------------------- */

/* VENOM: READ ID and DRIVE SPECIFICATION left the FIFO's index growing. */
static void test_cve_2015_3456_fifo_index_is_bounded(void **state)
{
    struct rig *r = *state;

    for (unsigned opcode = 0; opcode < 256; opcode++) {
        out(r, 0x3f2, 0x08);
        out(r, 0x3f2, 0x0c);
        out(r, 0x3f5, opcode);
        for (unsigned i = 0; i < 3000; i++) {
            out(r, 0x3f5, 0x41);
            assert_true(r->fdc->s->fifo_end <= FDC_FIFO);
            assert_true(r->fdc->s->fifo_pos <= r->fdc->s->fifo_end);
        }
        machine_advance(&r->m, 30 * MS);
        for (unsigned i = 0; i < 40; i++) {
            in(r, 0x3f5);
            assert_true(r->fdc->s->fifo_pos <= r->fdc->s->fifo_end);
            out(r, 0x3f5, 0);
        }
        assert_null(state_check(&fdc_desc, r->fdc->s));
    }
    /* Nothing comes out behind the result. */
    out(r, 0x3f2, 0x08);
    out(r, 0x3f2, 0x0c);
    COMMAND(r, 0x10);
    assert_int_equal(in(r, 0x3f5), 0x90);
    assert_int_equal(in(r, 0x3f5), 0);
    assert_int_equal(msr(r), MSR_RQM);
}

static void test_cve_2021_3507_eot_below_the_sector(void **state)
{
    struct rig *r = *state;
    static const uint8_t opcodes[] = {0x46, 0xc6, 0x45, 0x56, 0x4c, 0x51, 0x42};

    for (unsigned i = 0; i < sizeof(opcodes); i++) {
        rig_dma(r, opcodes[i] == 0x45 || opcodes[i] == 0x51 ? DMA_WRITE : DMA_READ, 65536);
        COMMAND(r, opcodes[i], 0, 0, 0, 9, 2, opcodes[i] == 0x42 ? 0 : 8, 0x1b, 0xff);
        assert_int_equal(rig_result(r), 7);
        assert_int_equal(r->result[0], 0x40);
        assert_int_equal(r->result[1] & 0x84, 0x04);
        COMMAND(r, opcodes[i], 0, 0, 0, opcodes[i] == 0x42, 2, 0, 0x1b, 0xff);
        assert_int_equal(rig_result(r), 7);
        assert_int_equal(r->result[0], 0x40);
    }
    for (unsigned i = 0; i < 65536; i++)
        assert_int_equal(r->m.ram[RIG_DATA + i], MACHINE_POISON);
    assert_int_equal(r->ram[0].writes, 0);
}

/* The drive is chosen when the command begins; whatever is selected later has no part in it. */
static void test_cve_2021_20196_drive_is_latched(void **state)
{
    struct rig *r = *state;

    memset(r->m.ram + RIG_DATA, 0x99, 1024);
    rig_dma(r, DMA_WRITE, 1024);
    out(r, 0x0a, 6);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_settle(r);
    for (unsigned drive = 1; drive < 4; drive++)
        out(r, 0x3f2, 0x1c | drive);
    out(r, 0x0a, 2);
    rig_expect(r, 0, 0, 0, 0, 0, 3);
    assert_int_equal(r->ram[0].data[1023], 0x99);
    for (unsigned drive = 2; drive < 4; drive++) { /* drives that are not there */
        COMMAND(r, 0x45, (uint8_t)drive, 0, 0, 1, 2, 18, 0x1b, 0xff);
        rig_expect(r, (uint8_t)(0x40 | drive), 0x01, 0, 0, 0, 1);
        COMMAND(r, 0x4d, (uint8_t)drive, 2, 18, 0x1b, 0xff);
        assert_int_equal(rig_result(r), 7);
        assert_int_equal(r->result[0], 0x40 | drive);
    }
}

/* The same without DMA, and the disk is taken away between two bytes. */
static void test_cve_2020_25741_medium_goes_during_programmed_io(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0x03, 0xdf, 0x03);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_settle(r);
    for (unsigned i = 0; i < 100; i++)
        out(r, 0x3f5, i);
    out(r, 0x3f2, 0x1d);
    assert_int_equal(fdc_change_medium(r->fdc, 0, NULL), 0);
    for (unsigned i = 0; i < 2000; i++)
        out(r, 0x3f5, i);
    rig_expect(r, 0x40, 0x01, 0, 0, 0, 1);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x01, 0, 0, 0, 1);
    assert_int_equal(r->ram[0].writes, 0);
}

/* ISA DMA aimed at where no RAM is: ones are read, writes are dropped, no device is reached. */
static void test_cve_2021_3750_dma_reaches_ram_only(void **state)
{
    struct rig *r = *state;

    r->m.hole_gfn = RIG_DATA >> 12;
    r->m.hole_frames = 16;
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 2);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(r->ram[0].data[i], 0xff);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 3);
    assert_int_equal(r->m.ram[RIG_DATA], MACHINE_POISON);
    /* High page register: 4 GiB are within reach, and nothing is there. */
    out(r, 0x481, 0xfe);
    rig_dma(r, DMA_READ, 512);
    out(r, 0x481, 0xfe);
    COMMAND(r, 0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 3);
}

/* ---- host requests and resets ---------------------------------------------------------------- */

/* CVE-2023-5088 and CVE-2016-1568 are of disks; a floppy's write is not to land elsewhere either.
 */
static void test_cve_2023_5088_reset_during_a_write(void **state)
{
    struct rig *r = *state;

    r->ram[0].hold = true;
    memset(r->m.ram + RIG_DATA, 0x66, 512);
    rig_seek(r, 0, 10);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 0, 10, 0, 5, 2, 18, 0x1b, 0xff);
    machine_advance(&r->m, MS);
    assert_int_equal(r->ram[0].nheld, 1);
    assert_string_equal(device_busy(r->m.env.devices), "fdc");
    out(r, 0x3f2, 0x00);
    out(r, 0x3f2, 0x0c);
    for (unsigned i = 0; i < 4; i++)
        rig_sense(r);
    /* The next command waits for the old request, and is not confused by its end. */
    memset(r->m.ram + RIG_DATA, 0, 512);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    machine_advance(&r->m, MS);
    assert_int_equal(msr(r), MSR_CB);
    r->ram[0].hold = false;
    block_ram_release(&r->ram[0], 0, 0);
    rig_expect(r, 0, 0, 0, 0, 0, 2);
    rig_holds(r, 0, 0, 512);
    assert_int_equal(r->ram[0].last_write_offset, (10 * 36 + 4) * 512);
    assert_int_equal(r->ram[0].data[(10 * 36 + 4) * 512], 0x66);
    assert_int_equal(r->ram[0].data[0], block_ram_pattern(0));
}

static void test_cve_2016_1568_read_after_reset_is_dropped(void **state)
{
    struct rig *r = *state;

    r->ram[0].hold = true;
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    machine_advance(&r->m, MS);
    device_reset_all(r->m.env.devices);
    r->ram[0].hold = false;
    block_ram_release(&r->ram[0], 0, 0);
    machine_advance(&r->m, 50 * MS);
    assert_int_equal(r->m.ram[RIG_DATA], MACHINE_POISON);
    for (unsigned i = 0; i < FDC_SECTOR; i++)
        assert_int_equal(r->fdc->s->buffer[i], 0);
    assert_false(irq(r));
    assert_int_equal(msr(r), 0);
}

static void test_change_during_a_read(void **state)
{
    struct rig *r = *state;

    r->ram[0].hold = true;
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    machine_advance(&r->m, MS);
    assert_int_equal(
        block_ram_create(&r->ram[2], &r->block[2], 1440 * 512, false, r->m.env.workers), 0);
    assert_int_equal(fdc_change_medium(r->fdc, 0, r->block[2]), 0);
    assert_int_equal(r->fdc->drive[0].geometry.sectors, 9);
    r->ram[0].hold = false;
    block_ram_release(&r->ram[0], 0, 0);
    rig_expect(r, 0x40, 0x01, 0, 0, 0, 1);
    assert_true(r->ram[0].closed);
    /* A command on the other drive goes on. */
    out(r, 0x3f7, RATE_250K);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 1, 0, 0, 1, 2, 9, 0x1b, 0xff);
    assert_int_equal(fdc_change_medium(r->fdc, 0, NULL), 0);
    rig_expect(r, 0x01, 0, 0, 0, 0, 2);
    rig_holds(r, 1, 0, 512);
}

static void test_reset_is_bit_identical(void **state)
{
    struct rig *r = *state;
    struct fdc_state first;

    device_reset_all(r->m.env.devices);
    first = *r->fdc->s;
    out(r, 0x3f2, 0x3d);
    rig_settle(r);
    COMMAND(r, 0x94);
    device_reset_all(r->m.env.devices);
    assert_memory_equal(&first, r->fdc->s, sizeof(first));
}

/* ---- save and restore ------------------------------------------------------------------------ */

static void test_save_in_mid_transfer(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 3 * 512);
    out(r, 0x0a, 6);
    COMMAND(r, 0xe6, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    rig_settle(r);
    assert_null(machine_save_load(&r->m));
    out(r, 0x0a, 2);
    rig_expect(r, 0x04, 0, 0, 0, 1, 2);
    rig_holds(r, 0, 16 * 512, 3 * 512);
    /* By programmed I/O, in a sector; and in a result. */
    COMMAND(r, 0x03, 0xdf, 0x03);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 1, 0x1b, 0xff);
    rig_settle(r);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(in(r, 0x3f5), block_ram_pattern(i));
    assert_null(machine_save_load(&r->m));
    assert_true(irq(r));
    for (unsigned i = 100; i < 512; i++)
        assert_int_equal(in(r, 0x3f5), block_ram_pattern(i));
    rig_settle(r);
    assert_int_equal(in(r, 0x3f5), 0x40);
    assert_null(machine_save_load(&r->m));
    assert_int_equal(in(r, 0x3f5), 0x80);
    for (unsigned i = 0; i < 5; i++)
        in(r, 0x3f5);
    assert_int_equal(msr(r), MSR_RQM);
}

static void test_save_during_seek_and_in_a_command(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0x0f, 0, 33);
    out(r, 0x3f5, 0x04);
    assert_null(machine_save_load(&r->m));
    out(r, 0x3f5, 0x00);
    assert_int_equal(in(r, 0x3f5), 0x28 | 0x10); /* still at track 0 */
    machine_advance(&r->m, 20 * MS);
    assert_true(irq(r));
    assert_int_equal(rig_sense(r), 0x2021);
    COMMAND(r, 0x4a, 0); /* and while READ ID looks for an ID */
    assert_null(machine_save_load(&r->m));
    assert_int_equal(msr(r), MSR_CB);
    rig_expect(r, 0, 0, 0, 33, 0, 1);
}

/* A save comes between sectors; a take-over may find a request that nobody has done. */
static void test_interrupted_requests_are_begun_again(void **state)
{
    struct rig *r = *state;

    for (unsigned write = 0; write < 2; write++) {
        r->ram[0].hold = true;
        memset(r->m.ram + RIG_DATA, 0x21, 512);
        rig_dma(r, write ? DMA_WRITE : DMA_READ, 512);
        COMMAND(r, write ? 0x45 : 0x46, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
        machine_advance(&r->m, MS);
        assert_int_equal(r->ram[0].nheld, 1);
        device_loaded_all(r->m.env.devices);
        block_ram_release(&r->ram[0], 0, -EIO); /* what becomes of the first is no matter */
        machine_advance(&r->m, MS);
        assert_int_equal(r->ram[0].nheld, 1);
        r->ram[0].hold = false;
        block_ram_release(&r->ram[0], 0, 0);
        if (write) { /* the flush behind it, too */
            machine_advance(&r->m, MS);
            device_loaded_all(r->m.env.devices);
        }
        rig_expect(r, 0, 0, 0, 0, 0, 3);
        assert_int_equal(r->ram[0].data[512], write ? 0x21 : block_ram_pattern(512));
    }
}

static void test_restored_drive_finds_another_disk(void **state)
{
    struct rig *r = *state;

    assert_int_equal(in(r, 0x3f7), 0);
    r->fdc->s->inserted[0] = false; /* as a stream of an empty drive says */
    device_loaded_all(r->m.env.devices);
    assert_int_equal(in(r, 0x3f7), 0x80);
    rig_seek(r, 0, 1);
    assert_int_equal(in(r, 0x3f7), 0);
}

/* States that a stream can bring and no guest: refused, or contained. */
static void test_hostile_state_is_contained(void **state)
{
    struct rig *r = *state;
    struct fdc_state *s = r->fdc->s;

    s->step = 1;
    s->phase = PHASE_STORE;
    s->operation = OP_READ;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_FETCH;
    s->operation = OP_READ_ID;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_SEARCH;
    s->operation = OP_NONE;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->operation = OP_READ;
    s->step = 0;
    assert_string_equal(state_check(&fdc_desc, s), "phase");
    s->step = 1;
    s->phase = PHASE_TO_HOST;
    s->pos = s->end = 3;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_FROM_HOST;
    s->operation = OP_FORMAT;
    s->pos = 3;
    s->end = 5;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_FETCH;
    for (unsigned op = OP_NONE; op <= OP_LAST; op++) {
        bool fetches = op != OP_NONE && op != OP_READ_ID && op != OP_WRITE && op != OP_FORMAT;

        s->operation = (uint8_t)op;
        assert_int_equal(!state_check(&fdc_desc, s), fetches);
    }
    s->phase = PHASE_FROM_HOST;
    s->operation = OP_READ;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_END;
    s->written = true;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->written = false;
    assert_null(state_check(&fdc_desc, s));
    s->operation = OP_NONE;
    assert_string_equal(state_check(&fdc_desc, s), "operation");
    s->phase = PHASE_RESULT;
    s->fifo_pos = s->fifo_end = 2;
    assert_string_equal(state_check(&fdc_desc, s), "fifo_pos");
    s->phase = PHASE_COMMAND;
    s->pos = 6;
    s->fifo_pos = 3;
    assert_string_equal(state_check(&fdc_desc, s), "fifo_pos");
    s->fifo_pos = 0;
    s->fifo_end = 0;
    assert_string_equal(state_check(&fdc_desc, s), "pos");
    s->pos = s->end = 0;
    s->fifo_end = 2;
    s->fifo[0] = 0x10;
    assert_string_equal(state_check(&fdc_desc, s), "fifo_end");
    s->fifo_pos = s->fifo_end = 0;
    for (unsigned i = 0; i < 6; i++) {
        static const uint8_t r_of[6] = {0, 200, 1, 1, 1, 1};

        s->phase = i & 1 ? PHASE_STORE : PHASE_FETCH;
        s->operation = i & 1 ? OP_WRITE : OP_READ;
        s->drive = i == 2 ? 3 : 0;
        s->cylinder[0] = i == 3 ? 200 : 0;
        s->r = r_of[i];
        s->dsr = i == 4 ? RATE_1M : RATE_500K;
        s->dma = true;
        s->eot = 18;
        s->st0 = s->st1 = s->st2 = 0;
        s->deadline = TIMER_NEVER;
        assert_null(state_check(&fdc_desc, s));
        if (i == 5) {
            s->phase = PHASE_END;
            s->written = true;
            s->drive = 3;
            s->st0 = 0x40;
        }
        device_loaded_all(r->m.env.devices);
        assert_int_equal(rig_result(r), 7);
        assert_int_equal(r->result[0] & 0xc0, 0x40);
    }
    assert_int_equal(r->ram[0].writes, 0);
}

static void test_flush_all(void **state)
{
    struct rig *r = *state;

    assert_int_equal(fdc_flush_all(r->fdc), 0);
    assert_int_equal(r->ram[0].flushes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_cve_2015_3456_fifo_index_is_bounded),
        RIG(test_cve_2021_3507_eot_below_the_sector),
        RIG(test_cve_2021_20196_drive_is_latched),
        RIG(test_cve_2020_25741_medium_goes_during_programmed_io),
        RIG(test_cve_2021_3750_dma_reaches_ram_only),
        RIG(test_cve_2023_5088_reset_during_a_write),
        RIG(test_cve_2016_1568_read_after_reset_is_dropped),
        RIG(test_change_during_a_read),
        RIG(test_reset_is_bit_identical),
        RIG(test_save_in_mid_transfer),
        RIG(test_save_during_seek_and_in_a_command),
        RIG(test_interrupted_requests_are_begun_again),
        RIG(test_restored_drive_finds_another_disk),
        RIG(test_hostile_state_is_contained),
        RIG(test_flush_all),
    };

    return cmocka_run_group_tests_name("fdc_life", tests, NULL, NULL);
}
