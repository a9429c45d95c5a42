/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that move data, by DMA and by programmed I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/floppy/rig.h"

static void test_read_one_sector(void **state)
{
    struct rig *r = *state;

    rig_seek(r, 0, 3);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0xe6, 0x04, 3, 1, 5, 2, 18, 0x1b, 0xff);
    assert_int_equal(msr(r), MSR_CB);
    assert_false(irq(r));
    rig_expect(r, 0x04, 0, 0, 3, 1, 6);
    rig_holds(r, 0, at(3, 1, 5), 512);
    assert_int_equal(r->m.ram[RIG_DATA + 512], MACHINE_POISON);
    assert_int_equal(in(r, 0x08) & 0x44, 4); /* terminal count, no request */
    assert_int_equal(in(r, 0x0f) & 4, 4);
}

static void test_multi_track_read_of_a_cylinder(void **state)
{
    struct rig *r = *state;

    rig_seek(r, 0, 2);
    rig_dma(r, DMA_READ, 36 * 512);
    COMMAND(r, 0xe6, 0, 2, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x04, 0, 0, 3, 0, 1);
    rig_holds(r, 0, at(2, 0, 1), 36 * 512);
    /* Exactly one side: the next sector is on the other. */
    rig_dma(r, DMA_READ, 18 * 512);
    COMMAND(r, 0xe6, 0, 2, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 2, 1, 1);
    /* Without MT it is on the next cylinder. */
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 2, 0, 18, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 3, 0, 1);
}

static void test_end_of_track_without_terminal_count(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 4096);
    COMMAND(r, 0x46, 0, 0, 0, 16, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x80, 0, 1, 0, 1);
    rig_holds(r, 0, at(0, 0, 16), 3 * 512);
    /* Drivers probe with an EOT beyond the track. */
    rig_dma(r, DMA_READ, 4096);
    COMMAND(r, 0x46, 0, 0, 0, 17, 2, 30, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x04, 0, 0, 0, 19);
}

/* Terminal count in the middle of a sector: memory gets what was asked for. */
static void test_terminal_count_within_a_sector(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 700);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 3);
    rig_holds(r, 0, 0, 700);
    assert_int_equal(r->m.ram[RIG_DATA + 700], MACHINE_POISON);
    memset(r->m.ram + RIG_DATA, 0x3c, 1024);
    rig_dma(r, DMA_WRITE, 600);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 3);
    assert_int_equal(r->ram[0].data[599], 0x3c);
    assert_int_equal(r->ram[0].data[600], 0);
    assert_int_equal(r->ram[0].data[1023], 0);
    assert_int_equal(r->ram[0].data[1024], block_ram_pattern(1024));
}

static void test_write_is_stable_before_its_end(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 1024; i++)
        r->m.ram[RIG_DATA + i] = (uint8_t)(i * 7);
    rig_seek(r, 0, 79);
    rig_dma(r, DMA_WRITE, 1024);
    COMMAND(r, 0xc5, 0x04, 79, 1, 17, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x04, 0, 0, 80, 0, 1);
    rig_holds(r, 0, at(79, 1, 17), 1024);
    assert_int_equal(r->ram[0].writes, 2);
    assert_int_equal(r->ram[0].flushes, 1);
    /* T-FDC-7: with the skip bit. WRITE DELETED DATA writes like any other. */
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x65, 0x04, 79, 1, 18, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x04, 0, 0, 80, 1, 1);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x49, 0x04, 79, 1, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x04, 0, 0, 79, 1, 3);
    assert_memory_equal(r->ram[0].data + at(79, 1, 2), r->m.ram + RIG_DATA, 512);
}

static void test_write_protection(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f7, RATE_250K);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 1, 0, 0, 1, 2, 9, 0x1b, 0xff);
    rig_expect(r, 0x41, 0x02, 0, 0, 0, 1);
    COMMAND(r, 0x4d, 1, 2, 9, 0x54, 0xf6);
    rig_expect(r, 0x41, 0x02, 0, 0, 0, 1);
    assert_int_equal(r->ram[1].writes, 0);
}

/* T-FDC-8: how firmware finds out what is in the drive. */
static void test_data_rate_has_to_fit(void **state)
{
    struct rig *r = *state;
    static const bool fits[2][4] = {{true, false, false, false}, {false, false, true, false}};

    for (unsigned drive = 0; drive < 2; drive++)
        for (unsigned rate = 0; rate < 4; rate++) {
            out(r, 0x3f7, rate);
            COMMAND(r, 0x4a, (uint8_t)drive);
            assert_int_equal(rig_result(r), 7);
            assert_int_equal(r->result[0], (fits[drive][rate] ? 0 : 0x40) | drive);
            assert_int_equal(r->result[1], fits[drive][rate] ? 0 : 1);
        }
    out(r, 0x3f7, RATE_250K);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x01, 0, 0, 0, 1);
}

/* T-FDC-1: the drive is that of the command, not that of DOR. */
static void test_read_id(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f7, RATE_250K);
    rig_seek(r, 1, 9);
    COMMAND(r, 0x4a, 0x05);
    assert_int_equal(msr(r), MSR_CB); /* a while */
    machine_settle(&r->m);
    assert_int_equal(msr(r), MSR_CB);
    rig_expect(r, 0x05, 0, 0, 9, 1, 1);
    for (unsigned i = 1; i < 9; i++) {
        COMMAND(r, 0x4a, 0x05);
        rig_expect(r, 0x05, 0, 0, 9, 1, (uint8_t)(i + 1));
    }
    COMMAND(r, 0x4a, 0x05);
    rig_expect(r, 0x05, 0, 0, 9, 1, 1);
    rig_seek(r, 1, 80); /* behind the last track */
    COMMAND(r, 0x4a, 1);
    rig_result(r);
    assert_int_equal(r->result[1], 0x01);
}

static void test_ids_that_are_not_there(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0x13, 0, 0x20, 0); /* no implied seek */
    COMMAND(r, 0x46, 0, 7, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x04, 0x10, 7, 0, 1);
    COMMAND(r, 0x46, 0, 0, 1, 1, 2, 18, 0x1b, 0xff); /* head and ID disagree */
    rig_expect(r, 0x40, 0x04, 0, 0, 1, 1);
    COMMAND(r, 0x46, 0, 0, 0, 1, 3, 18, 0x1b, 0xff); /* 1024 bytes */
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[1], 0x04);
    COMMAND(r, 0x46, 3, 0, 0, 1, 2, 18, 0x1b, 0xff); /* no such drive */
    rig_expect(r, 0x43, 0x01, 0, 0, 0, 1);
}

static void test_implied_seek(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 30, 0, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x20, 0, 0, 30, 0, 3);
    rig_holds(r, 0, at(30, 0, 2), 512);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0, 99, 0, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x04, 0x10, 99, 0, 2);
    COMMAND(r, 0x46, 2, 5, 0, 2, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x42, 0x01, 0, 5, 0, 2);
}

static void test_read_track(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 4 * 512);
    COMMAND(r, 0x42, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 5);
    rig_holds(r, 0, 0, 4 * 512);
    rig_dma(r, DMA_READ, 65536);
    COMMAND(r, 0x42, 0x04, 9, 0, 3, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x64, 0x84, 0, 10, 0, 1); /* IDs differ; read all the same, from the hole on */
    rig_holds(r, 0, at(9, 1, 1), 18 * 512);
}

static void test_deleted_data(void **state)
{
    struct rig *r = *state;

    /* All marks are of the other kind: one sector is read, or all are skipped. */
    rig_dma(r, DMA_READ, 4096);
    COMMAND(r, 0x4c, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0x40, 0, 0, 4);
    rig_holds(r, 0, at(0, 0, 4), 512);
    rig_dma(r, DMA_READ, 4096);
    COMMAND(r, 0x6c, 0, 0, 0, 16, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x80, 0x40, 1, 0, 1);
}

static void test_verify(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0xd6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x04, 0, 0, 1, 0, 1);
    assert_int_equal(r->m.ram[RIG_DATA], MACHINE_POISON);
    COMMAND(r, 0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4); /* EC: four sectors */
    rig_expect(r, 0, 0, 0, 0, 0, 7);
    COMMAND(r, 0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 0); /* 256 are not on a track */
    rig_expect(r, 0x40, 0x04, 0x10, 1, 0, 1);
    r->ram[0].fault = -EIO;
    r->ram[0].fault_op = BLOCK_READ;
    r->ram[0].fault_offset = at(0, 0, 6);
    r->ram[0].fault_bytes = 512;
    COMMAND(r, 0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x20, 0x20, 0, 0, 6);
}

static void test_programmed_io_read(void **state)
{
    struct rig *r = *state;
    unsigned rises;

    programmed_io(r);
    rises = r->m.isa_rises[6];
    COMMAND(r, 0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    assert_int_equal(msr(r), MSR_CB | MSR_NDMA);
    for (unsigned i = 0; i < 1024; i++) {
        assert_true(wants_byte(r, MSR_DIO));
        assert_true(irq(r));
        assert_int_equal(in(r, 0x3f5), block_ram_pattern(at(0, 0, 17) + i));
    }
    rig_expect(r, 0x40, 0x80, 0, 1, 0, 1); /* no terminal count without DMA */
    assert_int_equal(r->m.isa_rises[6], rises + 3);
}

static void test_programmed_io_write(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f2, 0x14); /* the same as ND: neither DMA nor interrupts */
    COMMAND(r, 0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        assert_true(wants_byte(r, 0));
        assert_false(irq(r));
        assert_int_equal(in(r, 0x3f5), 0); /* the other way */
        out(r, 0x3f5, i ^ 0x5a);
    }
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[0], 0x40);
    assert_int_equal(r->result[1], 0x80);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(r->ram[0].data[at(0, 0, 18) + i], (i ^ 0x5a) & 0xff);
}

/* The channel is made ready after the command: the transfer starts then. */
static void test_dma_unmasked_later(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 512);
    out(r, 0x0a, 6);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_settle(r);
    assert_int_equal(msr(r), MSR_CB);
    assert_int_equal(in(r, 0x08) & 0x40, 0x40); /* it requests */
    out(r, 0x0b, DMA_WRITE);                    /* the other direction does not do */
    out(r, 0x0a, 2);
    rig_settle(r);
    assert_int_equal(msr(r), MSR_CB);
    out(r, 0x0b, DMA_READ);
    assert_int_equal(r->m.ram[RIG_DATA], MACHINE_POISON); /* not within the access */
    rig_expect(r, 0, 0, 0, 0, 0, 2);
    rig_holds(r, 0, 0, 512);
}

static void test_overrun(void **state)
{
    struct rig *r = *state;

    out(r, 0x0a, 6);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_settle(r);
    machine_advance(&r->m, 1000 * MS);
    assert_int_equal(msr(r), MSR_CB);
    machine_advance(&r->m, 2000 * MS);
    rig_expect(r, 0x40, 0x10, 0, 0, 0, 1);
    programmed_io(r);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    assert_true(wants_byte(r, 0));
    out(r, 0x3f5, 0x77);
    machine_advance(&r->m, 3000 * MS);
    rig_expect(r, 0x40, 0x10, 0, 0, 0, 1);
    assert_int_equal(r->ram[0].writes, 0); /* half a sector is none */
}

static void test_storage_errors(void **state)
{
    struct rig *r = *state;

    r->ram[0].fault = -EIO;
    r->ram[0].fault_op = BLOCK_READ;
    r->ram[0].fault_offset = 1024;
    r->ram[0].fault_bytes = 512;
    rig_dma(r, DMA_READ, 4096);
    COMMAND(r, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x20, 0x20, 0, 0, 3);
    rig_holds(r, 0, 0, 1024);
    r->ram[0].fault_op = BLOCK_WRITE;
    r->ram[0].fault = -ENOSPC;
    rig_dma(r, DMA_WRITE, 2048);
    COMMAND(r, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x50, 0, 0, 0, 0, 3);
    r->ram[0].fault = -EROFS;
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x02, 0, 0, 0, 3);
    r->ram[0].fault_op = BLOCK_FLUSH;
    r->ram[0].fault = -EIO;
    r->ram[0].fault_offset = 0;
    r->ram[0].fault_bytes = UINT64_MAX;
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x50, 0, 0, 0, 0, 5);
}

/* An image that is shorter than its disk: zeros behind it, and no room to write. */
static void test_short_image(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    void *opaque = r;

    assert_non_null(r);
    rig_make(r, 1536 - 100, 0);
    rig_dma(r, DMA_READ, 2048);
    COMMAND(r, 0x46, 0, 0, 0, 3, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 0, 0, 7);
    rig_holds(r, 0, 1024, 512 - 100);
    for (unsigned i = 512 - 100; i < 2048; i++)
        assert_int_equal(r->m.ram[RIG_DATA + i], 0);
    rig_dma(r, DMA_WRITE, 512);
    COMMAND(r, 0x45, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x50, 0, 0, 0, 0, 4);
    rig_teardown(&opaque);
}

static void test_single_sided_disk(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    void *opaque = r;

    assert_non_null(r);
    rig_make(r, 320 * 512, 0);
    out(r, 0x3f7, RATE_250K);
    rig_seek(r, 0, 39);
    rig_dma(r, DMA_READ, 8 * 512);
    COMMAND(r, 0x46, 0, 39, 0, 1, 2, 8, 0x1b, 0xff);
    rig_expect(r, 0, 0, 0, 40, 0, 1);
    rig_holds(r, 0, 39 * 8 * 512, 8 * 512);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x46, 0x04, 39, 1, 1, 2, 8, 0x1b, 0xff);
    rig_expect(r, 0x44, 0x01, 0, 39, 1, 1);
    out(r, 0x3f7, RATE_300K); /* as in a 1.2 MB drive */
    COMMAND(r, 0x4a, 0);
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[0], 0);
    rig_teardown(&opaque);
}

static void test_read_track_tells_of_other_ids(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x42, 0, 0, 1, 1, 2, 18, 0x1b, 0xff); /* head */
    rig_expect(r, 0, 0x04, 0, 0, 1, 2);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x42, 0, 0, 0, 2, 2, 18, 0x1b, 0xff); /* sector */
    rig_expect(r, 0, 0x04, 0, 0, 0, 2);
    COMMAND(r, 0x13, 0, 0x20, 0);
    rig_dma(r, DMA_READ, 512);
    COMMAND(r, 0x42, 0, 9, 0, 1, 2, 18, 0x1b, 0xff); /* cylinder */
    rig_expect(r, 0, 0x04, 0, 9, 0, 2);
    rig_holds(r, 0, 0, 512);
}

static void test_implied_seek_needs_a_disk(void **state)
{
    struct rig *r = *state;

    assert_int_equal(fdc_change_medium(r->fdc, 0, NULL), 0);
    COMMAND(r, 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x40, 0x01, 0, 5, 0, 1);
    assert_int_equal(r->fdc->s->cylinder[0], 0);
    assert_int_equal(in(r, 0x3f7), 0x80);
}

/* Terminal count with the end of a multi-track transfer, from the second side on. */
static void test_multi_track_from_the_second_side(void **state)
{
    struct rig *r = *state;

    rig_dma(r, DMA_READ, 65536);
    COMMAND(r, 0xc6, 0x04, 0, 1, 18, 2, 18, 0x1b, 0xff);
    rig_expect(r, 0x44, 0x80, 0, 1, 0, 1);
    rig_holds(r, 0, at(0, 1, 18), 512);
    COMMAND(r, 0xd6, 0x80, 0, 0, 18, 2, 18, 0x1b, 20); /* VERIFY counts over both sides */
    rig_expect(r, 0x44, 0x04, 0x10, 1, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_read_one_sector),
        RIG(test_multi_track_read_of_a_cylinder),
        RIG(test_end_of_track_without_terminal_count),
        RIG(test_terminal_count_within_a_sector),
        RIG(test_write_is_stable_before_its_end),
        RIG(test_write_protection),
        RIG(test_data_rate_has_to_fit),
        RIG(test_read_id),
        RIG(test_ids_that_are_not_there),
        RIG(test_implied_seek),
        RIG(test_read_track),
        RIG(test_deleted_data),
        RIG(test_verify),
        RIG(test_programmed_io_read),
        RIG(test_programmed_io_write),
        RIG(test_dma_unmasked_later),
        RIG(test_overrun),
        RIG(test_read_track_tells_of_other_ids),
        RIG(test_implied_seek_needs_a_disk),
        RIG(test_multi_track_from_the_second_side),
        RIG(test_storage_errors),
        cmocka_unit_test(test_short_image),
        cmocka_unit_test(test_single_sided_disk),
    };

    return cmocka_run_group_tests_name("fdc_data", tests, NULL, NULL);
}
