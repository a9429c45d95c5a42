/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers, reset, seeks and settings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hw/floppy/rig.h"

static void test_state_table_is_sound(void **state)
{
    assert_null(state_desc_flaw(&fdc_desc));
}

static void test_power_on(void **state)
{
    struct rig *r = *state;

    device_reset_all(r->m.env.devices);
    assert_int_equal(in(r, 0x3f2), 0);
    assert_int_equal(msr(r), 0); /* in reset */
    out(r, 0x3f5, 0x10);
    assert_int_equal(in(r, 0x3f5), 0);
    out(r, 0x3f2, 0x0c);
    assert_false(irq(r)); /* not within the access */
    machine_advance(&r->m, MS);
    assert_true(irq(r));
    assert_int_equal(msr(r), MSR_RQM);
}

/* T-FDC-4: four drives to be told of, one interrupt. */
static void test_reset_is_sensed_four_times(void **state)
{
    struct rig *r = *state;
    unsigned rises;

    rig_seek(r, 1, 7);
    out(r, 0x3f2, 0x08);
    assert_int_equal(msr(r), 0);
    rises = r->m.isa_rises[6];
    out(r, 0x3f2, 0x0c);
    machine_advance(&r->m, MS);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(rig_sense(r), (0xc0 | i) << 8);
        assert_false(irq(r));
    }
    machine_advance(&r->m, MS);
    assert_int_equal(rig_sense(r), 0x8000);
    assert_int_equal(r->m.isa_rises[6], rises + 1);
}

static void test_reset_by_dsr(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f4, DSR_RESET | RATE_250K);
    assert_int_equal(msr(r), MSR_RQM); /* clears itself */
    machine_advance(&r->m, MS);
    assert_true(irq(r));
    assert_int_equal(rig_sense(r), 0xc000);
    /* A seek's end is not mistaken for the rest of it. */
    rig_seek(r, 0, 4);
    assert_int_equal(rig_sense(r), 0x8000);
    assert_int_equal(r->fdc->s->dsr & DSR_RATE, RATE_250K);
    out(r, 0x3f4, DSR_POWERDOWN);
    assert_int_equal(msr(r), MSR_RQM);
    out(r, 0x3f2, 0);
    out(r, 0x3f4, DSR_RESET); /* in reset anyway */
    assert_int_equal(msr(r), 0);
}

/* A driver that does not wait for the interrupt finds the answer all the same, and no interrupt. */
static void test_reset_sensed_at_once(void **state)
{
    struct rig *r = *state;
    unsigned rises = r->m.isa_rises[6];

    out(r, 0x3f2, 0x08);
    out(r, 0x3f2, 0x0c);
    assert_int_equal(rig_sense(r), 0xc000);
    machine_advance(&r->m, MS);
    assert_int_equal(r->m.isa_rises[6], rises);
}

static void test_interrupts_need_dor_bit_3(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f2, 0x04);
    COMMAND(r, 0x0f, 0, 9);
    machine_advance(&r->m, 20 * MS);
    assert_false(irq(r));
    out(r, 0x3f2, 0x0c);
    assert_true(irq(r));
    assert_int_equal(rig_sense(r), 0x2009);
    assert_false(irq(r));
}

static void test_seek_and_recalibrate(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0x0f, 0x04, 40);
    assert_int_equal(msr(r), MSR_RQM | 1); /* drive 0 is moving; other commands may come */
    assert_false(irq(r));
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(msr(r), MSR_RQM);
    assert_true(irq(r));
    assert_int_equal(rig_sense(r), 0x2428);
    assert_int_equal(rig_sense(r), 0x8000);
    COMMAND(r, 0x07, 0);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x2000);
    COMMAND(r, 0xcf, 0, 10); /* RELATIVE SEEK in, out */
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x200a);
    COMMAND(r, 0x8f, 0, 3);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x2007);
    COMMAND(r, 0x8f, 0, 200);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x2000);
    COMMAND(r, 0xcf, 0, 200);
    COMMAND(r, 0xcf, 0, 200);
    machine_advance(&r->m, 20 * MS);
    COMMAND(r, 0xcf, 0, 200);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x20ff);
    /* Nobody is there to say "track 0". */
    COMMAND(r, 0x07, 3);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x7300);
}

/* Two drives seek at once: two interrupts, the line falls between. */
static void test_overlapped_seeks(void **state)
{
    struct rig *r = *state;
    unsigned rises = r->m.isa_rises[6];

    COMMAND(r, 0x0f, 0, 5);
    COMMAND(r, 0x0f, 1, 6);
    assert_int_equal(msr(r), MSR_RQM | 3);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(rig_sense(r), 0x2005);
    assert_false(irq(r));
    machine_advance(&r->m, MS);
    assert_true(irq(r));
    assert_int_equal(rig_sense(r), 0x2106);
    assert_int_equal(r->m.isa_rises[6], rises + 2);
}

static void test_sense_drive_status(void **state)
{
    struct rig *r = *state;

    COMMAND(r, 0x04, 0x04);
    assert_int_equal(rig_result(r), 1);
    assert_int_equal(r->result[0], 0x3c); /* ready, two sides, track 0, head 1 */
    assert_false(irq(r));
    rig_seek(r, 1, 3);
    COMMAND(r, 0x04, 1);
    rig_result(r);
    assert_int_equal(r->result[0], 0x69);
    COMMAND(r, 0x04, 2);
    rig_result(r);
    assert_int_equal(r->result[0], 0x2a);
}

static void test_identification(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t command, reply;
    } each[] = {{0x10, 0x90}, {0x18, 0x41}, {0x94, 0x10}, {0x14, 0x00},
                {0x00, 0x80}, {0xff, 0x80}, {0xa8, 0x80}};

    for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        COMMAND(r, each[i].command);
        assert_int_equal(rig_result(r), 1);
        assert_int_equal(r->result[0], each[i].reply);
    }
}

/* What Linux asks to find out which controller this is. */
static void test_settings_are_dumped(void **state)
{
    struct rig *r = *state;
    static const uint8_t first[10] = {4, 0, 0, 0, 0xdf, 0x02, 0, 0, 0x60, 0};
    static const uint8_t later[10] = {4, 0, 0, 0, 0xaf, 0x10, 0, 0xa6, 0x1a, 0x55};

    rig_seek(r, 0, 4);
    COMMAND(r, 0x0e);
    assert_int_equal(rig_result(r), 10);
    assert_memory_equal(r->result, first, 10);
    COMMAND(r, 0x03, 0xaf, 0x10);
    COMMAND(r, 0x13, 0, 0x1a, 0x55);
    COMMAND(r, 0x12, 0xa4);
    COMMAND(r, 0x12, 0x02); /* without overwrite the drives stay */
    COMMAND(r, 0x94);
    rig_result(r);
    COMMAND(r, 0x0e);
    rig_result(r);
    assert_memory_equal(r->result, later, 10);
    /* LOCK keeps the FIFO's settings over a software reset; polling comes back. */
    out(r, 0x3f4, DSR_RESET);
    COMMAND(r, 0x0e);
    rig_result(r);
    assert_int_equal(r->result[7], 0xa4);
    assert_int_equal(r->result[8], 0x0a);
    assert_int_equal(r->result[9], 0x55);
    COMMAND(r, 0x14);
    rig_result(r);
    out(r, 0x3f4, DSR_RESET);
    COMMAND(r, 0x0e);
    rig_result(r);
    assert_int_equal(r->result[8], 0x20);
    assert_int_equal(r->result[9], 0);
}

static void test_save_and_restore_commands(void **state)
{
    struct rig *r = *state;
    uint8_t saved[17] = {0x4e};

    rig_seek(r, 0, 17);
    COMMAND(r, 0x13, 0, 0x57, 3);
    COMMAND(r, 0x17, 0x21);
    assert_int_equal(rig_result(r), 1);
    COMMAND(r, 0x33, 1);
    COMMAND(r, 0x2e);
    assert_int_equal(rig_result(r), 16);
    memcpy(saved + 1, r->result, 16);
    assert_int_equal(saved[3], 17);
    COMMAND(r, 0x13, 0, 0, 0);
    rig_seek(r, 0, 2);
    rig_command(r, 17, saved);
    COMMAND(r, 0x2e);
    assert_int_equal(rig_result(r), 16);
    assert_memory_equal(r->result, saved + 1, 16);
}

static void test_drive_specification(void **state)
{
    struct rig *r = *state;
    static const uint8_t expected[4] = {0x11, 0, 0x03, 0};

    COMMAND(r, 0x8e, 0x11, 0x43, 0x80);
    assert_int_equal(rig_result(r), 4);
    assert_memory_equal(r->result, expected, 4);
    COMMAND(r, 0x8e, 0xc0); /* no result */
    assert_int_equal(msr(r), MSR_RQM);
    COMMAND(r, 0x8e, 1, 2, 3, 4, 5, 6); /* never done */
    assert_int_equal(rig_result(r), 1);
    assert_int_equal(r->result[0], 0x80);
}

static void test_status_registers_a_and_b(void **state)
{
    struct rig *r = *state;

    out(r, 0x3f2, 0x3d);
    assert_int_equal(in(r, 0x3f2), 0x3d);
    assert_int_equal(in(r, 0x3f1), 0xe3);
    assert_int_equal(in(r, 0x3f0), 0x04); /* B is at track 0 and write-protected */
    rig_seek(r, 1, 1);
    assert_int_equal(in(r, 0x3f0), 0x14);
    out(r, 0x3f2, 0x1c);
    assert_int_equal(in(r, 0x3f1), 0xc1);
    assert_int_equal(in(r, 0x3f0), 0x06);
    COMMAND(r, 0x0f, 0, 2);
    machine_advance(&r->m, 20 * MS);
    assert_int_equal(in(r, 0x3f0), 0x96);
    out(r, 0x3f2, 0x1f); /* nothing is connected there */
    assert_int_equal(in(r, 0x3f0), 0x96);
    out(r, 0x3f3, 0xff);
    assert_int_equal(in(r, 0x3f3), 7);
    out(r, 0x3f0, 0xff); /* read-only */
    out(r, 0x3f1, 0xff);
    assert_int_equal(in(r, 0x3f0), 0x96);
    assert_int_equal(machine_in(&r->m, 0x3f2, 2), 0x071f);
    assert_int_equal(in(r, 0x3f6), 0xff); /* the hard disk's */
}

/* T-FDC-3, T-FDC-10: only a step with a disk in the drive takes the change line back. */
static void test_disk_change_line(void **state)
{
    struct rig *r = *state;

    assert_int_equal(in(r, 0x3f7), 0);
    out(r, 0x3f2, 0x0c); /* motor off */
    assert_int_equal(in(r, 0x3f7), 0);
    assert_int_equal(
        block_ram_create(&r->ram[2], &r->block[2], 2880 * 512, false, r->m.env.workers), 0);
    assert_int_equal(fdc_change_medium(r->fdc, 0, NULL), 0);
    assert_true(r->ram[0].closed);
    assert_int_equal(in(r, 0x3f7), 0x80);
    rig_seek(r, 0, 5);
    assert_int_equal(in(r, 0x3f7), 0x80);
    assert_null(fdc_medium(r->fdc, 0));
    assert_int_equal(fdc_change_medium(r->fdc, 0, r->block[2]), 0);
    assert_ptr_equal(fdc_medium(r->fdc, 0), r->block[2]);
    assert_int_equal(in(r, 0x3f7), 0x80);
    assert_int_equal(in(r, 0x3f7), 0x80);
    rig_seek(r, 0, 5); /* where it is */
    assert_int_equal(in(r, 0x3f7), 0x80);
    rig_seek(r, 0, 0);
    assert_int_equal(in(r, 0x3f7), 0);
    out(r, 0x3f2, 0x0d); /* B has not been stepped since power-on */
    assert_int_equal(in(r, 0x3f7), 0x80);
    out(r, 0x3f2, 0x0e); /* no such drive */
    assert_int_equal(in(r, 0x3f7), 0x80);
    assert_int_equal(fdc_change_medium(r->fdc, 2, NULL), -ENODEV);
    assert_null(fdc_medium(r->fdc, 2));
}

static void test_drive_types_by_image(void **state)
{
    static const struct {
        unsigned sectors;
        uint8_t type, per_track, cylinders, heads;
    } each[] = {{2880, 4, 18, 80, 2}, {5760, 5, 36, 80, 2}, {1440, 4, 9, 80, 2},
                {2400, 2, 15, 80, 2}, {720, 1, 9, 40, 2},   {640, 1, 8, 40, 2},
                {360, 1, 9, 40, 1},   {320, 1, 8, 40, 1},   {3360, 4, 21, 80, 2},
                {3444, 4, 21, 82, 2}, {3840, 4, 24, 80, 2}, {777, 4, 18, 80, 2}};

    for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        struct rig *r = calloc(1, sizeof(*r));
        const struct fdc_geometry *g;
        void *opaque = r;

        assert_non_null(r);
        rig_make(r, each[i].sectors * 512ull, 0);
        g = &r->fdc->drive[0].geometry;
        assert_int_equal(fdc_drive_type(r->fdc, 0), each[i].type);
        assert_int_equal(fdc_drive_type(r->fdc, 1), 0);
        assert_int_equal(fdc_drive_type(r->fdc, 2), 0);
        assert_int_equal(g->sectors, each[i].per_track);
        assert_int_equal(g->cylinders, each[i].cylinders);
        assert_int_equal(g->heads, each[i].heads);
        rig_teardown(&opaque);
    }
}

static void test_empty_drive(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    void *opaque = r;

    assert_non_null(r);
    rig_make(r, 0, 0);
    assert_int_equal(fdc_drive_type(r->fdc, 0), 5);
    assert_int_equal(in(r, 0x3f7), 0x80);
    assert_int_equal(fdc_flush_all(r->fdc), 0);
    assert_int_equal(in(r, 0x3f0), 0x46); /* no second drive, nothing protected */
    COMMAND(r, 0x04, 0);
    rig_result(r);
    assert_int_equal(r->result[0], 0x38);
    COMMAND(r, 0x03, 0xdf, 0x03);
    COMMAND(r, 0x4a, 4);
    assert_int_equal(msr(r), MSR_CB); /* no data to be moved: NDMA means nothing */
    assert_int_equal(in(r, 0x3f5), 0);
    out(r, 0x3f5, 0x55);
    rig_settle(r);
    assert_int_equal(in(r, 0x3f0), 0xce);
    assert_int_equal(in(r, 0x3f5), 0x44);
    assert_int_equal(in(r, 0x3f5), 0x01);
    for (unsigned i = 0; i < 5; i++)
        in(r, 0x3f5);
    COMMAND(r, 0x4a, 0);
    rig_settle(r);
    assert_int_equal(rig_result(r), 7);
    assert_int_equal(r->result[0], 0x40);
    assert_int_equal(r->result[1], 0x01);
    rig_teardown(&opaque);
}

static void test_create_refuses_taken_ports(void **state)
{
    struct rig *r = *state;
    struct fdc_config config = {.dma = r->dma};
    static const struct io_ops ops = {.sizes = 1};
    struct io_region other = {
        .name = "x", .kind = IO_PORT, .base = 0x3f7, .length = 1, .ops = &ops};
    struct machine m;
    struct fdc *fdc;

    assert_true(fdc_create(&fdc, &r->m.env, &config) < 0); /* the arena knows the name */
    machine_init(&m);
    assert_int_equal(iospace_add(m.env.io, &other), 0);
    assert_int_equal(fdc_create(&fdc, &m.env, &config), -EEXIST);
    iospace_remove(m.env.io, &other);
    other.base = 0x3f0;
    assert_int_equal(iospace_add(m.env.io, &other), 0);
    iospace_remove(m.env.io, &other);
    machine_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_table_is_sound),
        RIG(test_power_on),
        RIG(test_reset_is_sensed_four_times),
        RIG(test_reset_by_dsr),
        RIG(test_reset_sensed_at_once),
        RIG(test_interrupts_need_dor_bit_3),
        RIG(test_seek_and_recalibrate),
        RIG(test_overlapped_seeks),
        RIG(test_sense_drive_status),
        RIG(test_identification),
        RIG(test_settings_are_dumped),
        RIG(test_save_and_restore_commands),
        RIG(test_drive_specification),
        RIG(test_status_registers_a_and_b),
        RIG(test_disk_change_line),
        cmocka_unit_test(test_drive_types_by_image),
        cmocka_unit_test(test_empty_drive),
        RIG(test_create_refuses_taken_ports),
    };

    return cmocka_run_group_tests_name("fdc_regs", tests, NULL, NULL);
}
