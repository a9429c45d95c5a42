/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CD-ROM drive's descriptions of itself and its disc, and what happens to media. */
#include "tests/hw/ide/rig_cd.h"

static void test_empty_drive(void **state)
{
    struct rig *r = *state;
    static const uint8_t need_medium[] = {0x00, 0x25, 0x28, 0x2b, 0x42, 0x43,
                                          0x51, 0x52, 0xa8, 0xad, 0xbe};

    ide_cd_eject(r->ide, 2, true);
    for (unsigned i = 0; i < sizeof(need_medium); i++)
        refused(r, CDB(need_medium[i]), NOT_PRESENT);
    assert_int_equal(good(r, CDB(0x12, 0, 0, 0, 36)), 36);
    assert_int_equal(good(r, CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 8)), 8);
    assert_int_equal(be16_at(reply + 6), 0); /* no profile */
    assert_int_equal(good(r, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 30)), 30);
    assert_int_equal(good(r, CDB(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8)), 8);
}

static void test_medium_shorter_than_a_block_is_no_medium(void **state)
{
    struct rig *r = *state;
    struct block_ram ram;
    struct block *block;

    assert_int_equal(block_ram_create(&ram, &block, 1000, true, r->m.env.workers), 0);
    assert_int_equal(ide_cd_insert(r->ide, 2, block), 0);
    refused(r, CDB(0x25), NOT_PRESENT); /* T-ATAPI-8 */
    ide_cd_eject(r->ide, 2, true);
    assert_true(ram.closed);
    block_ram_fini(&ram);
}

static void test_medium_change_is_seen_in_two_steps(void **state)
{
    struct rig *r = *state;
    struct block_ram ram;
    struct block *block;

    assert_int_equal(block_ram_create(&ram, &block, 64 * 2048, true, r->m.env.workers), 0);
    assert_int_equal(ide_cd_insert(r->ide, 2, block), 0);
    assert_true(r->ram[2].closed);
    assert_int_equal(good(r, CDB(0x12, 0, 0, 0, 36)), 36); /* T-ATAPI-5: consumes nothing */
    refused(r, CDB(0x00), NOT_PRESENT);
    assert_int_equal(good(r, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8)), 8);
    refused(r, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), MAY_CHANGED);
    assert_int_equal(good(r, CDB(0x00)), 0);
    good(r, CDB(0x25));
    assert_int_equal(be32_at(reply), 63);
    ide_cd_eject(r->ide, 2, false);
    block_ram_fini(&ram);
}

static uint16_t event(struct rig *r)
{
    assert_int_equal(good(r, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8)), 8);
    assert_int_equal(reply[2], 4);
    assert_int_equal(reply[3], 0x10);
    return (uint16_t)(reply[4] << 8 | reply[5]);
}

static void put_in(struct rig *r, struct block_ram *ram)
{
    struct block *block;

    assert_int_equal(block_ram_create(ram, &block, 64 * 2048, true, r->m.env.workers), 0);
    assert_int_equal(ide_cd_insert(r->ide, 2, block), 0);
}

/* Linux asks for the event first. With two answers behind it, it would refuse to read. */
static void test_medium_change_after_the_removal_was_seen(void **state)
{
    struct rig *r = *state;
    struct block_ram ram[3];

    put_in(r, &ram[0]);
    assert_int_equal(event(r), 0x0302);
    refused(r, CDB(0x00), MAY_CHANGED);
    assert_int_equal(good(r, CDB(0x00)), 0);
    assert_int_equal(event(r), 0x0202);
    assert_int_equal(good(r, CDB(0x00)), 0);

    /* The toolstack empties an empty drive before it puts something in. */
    assert_int_equal(ide_cd_eject(r->ide, 2, false), 0);
    refused(r, CDB(0x00), NOT_PRESENT);
    assert_int_equal(ide_cd_eject(r->ide, 2, false), 0);
    put_in(r, &ram[1]);
    refused(r, CDB(0x00), MAY_CHANGED);
    assert_int_equal(good(r, CDB(0x00)), 0);
    assert_int_equal(event(r), 0x0302);
    assert_int_equal(good(r, CDB(0x00)), 0);

    /* Who never asks for events sees both steps, and an event that comes late changes nothing. */
    put_in(r, &ram[2]);
    refused(r, CDB(0x00), NOT_PRESENT);
    refused(r, CDB(0x00), MAY_CHANGED);
    assert_int_equal(event(r), 0x0302);
    assert_int_equal(good(r, CDB(0x00)), 0);
    ide_cd_eject(r->ide, 2, true);
    for (unsigned i = 0; i < 3; i++)
        block_ram_fini(&ram[i]);
}

static void test_events_are_told_once(void **state)
{
    struct rig *r = *state;
    struct block_ram ram;
    struct block *block;

    assert_int_equal(event(r), 0x0002);
    good(r, CDB(0x1e, 0, 0, 0, 1));
    assert_int_equal(ide_cd_eject(r->ide, 2, false), -EBUSY);
    assert_int_equal(event(r), 0x0102);
    assert_int_equal(event(r), 0x0002); /* T-ATAPI-6 */
    assert_int_equal(ide_cd_eject(r->ide, 2, true), 0);
    assert_int_equal(event(r), 0x0301);
    assert_int_equal(event(r), 0x0001);
    assert_int_equal(block_ram_create(&ram, &block, 64 * 2048, true, r->m.env.workers), 0);
    ide_cd_insert(r->ide, 2, block);
    assert_int_equal(event(r), 0x0202);
    assert_int_equal(event(r), 0x0002);
    refused(r, CDB(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), BAD_FIELD); /* asynchronous */
    assert_int_equal(good(r, CDB(0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8)), 4);
    assert_int_equal(reply[2], 0x80);
    ide_cd_eject(r->ide, 2, true);
    block_ram_fini(&ram);
}

static void test_eject_and_lock(void **state)
{
    struct rig *r = *state;
    struct ide_cd_info info;

    good(r, CDB(0x1e, 0, 0, 0, 1));
    refused(r, CDB(0x1b, 0, 0, 0, 2), PREVENTED);
    assert_int_equal(good(r, CDB(0x00)), 0); /* T-ATAPI-9: nothing has moved */
    assert_int_equal(ide_cd_info(r->ide, 2, &info), 0);
    assert_true(info.inserted && info.locked && !info.tray_open);
    good(r, CDB(0x1e, 0, 0, 0, 0));
    good(r, CDB(0x1b, 0, 0, 0, 2));
    assert_true(r->ram[2].closed); /* the host has its image back */
    assert_int_equal(r->ejected, 1u << 2);
    ide_cd_info(r->ide, 2, &info);
    assert_true(!info.inserted && !info.locked && info.tray_open);
    refused(r, CDB(0x00), NOT_PRESENT);
    good(r, CDB(0x1b, 0, 0, 0, 3)); /* closes empty */
    refused(r, CDB(0x00), NOT_PRESENT);
    good(r, CDB(0x1e, 0, 0, 0, 1));
    refused(r, CDB(0x1b, 0, 0, 0, 2), 0x055302);
    assert_int_equal(ide_cd_eject(r->ide, 0, true), -ENODEV);
    assert_int_equal(ide_cd_eject(r->ide, 3, true), -ENODEV);
    assert_int_equal(ide_cd_eject(r->ide, 9, true), -ENODEV);
    assert_int_equal(ide_cd_eject(r->ide, 2, true), 0); /* empty already */
}

static void test_eject_during_a_read(void **state)
{
    struct rig *r = *state;

    r->ram[2].hold = true;
    out(r, 1, 0);
    out(r, 4, 0);
    out(r, 5, 8);
    out(r, 7, 0xa0);
    rig_outsw(r, read10(0, 100)->b, 12);
    rig_settle(r);
    assert_true(rig_status(r) & ATA_BSY);
    assert_int_equal(ide_cd_eject(r->ide, 2, true), 0);
    assert_false(r->ram[2].closed); /* not while it is being read */
    rig_settle(r);
    block_ram_release(&r->ram[2], 0, 0);
    assert_true(r->ram[2].closed);
    rig_settle(r);
    assert_int_equal(in(r, 7), CHECK);
    assert_int_equal(rig_sense(r), NOT_PRESENT);
}

static void test_toc_formats(void **state)
{
    struct rig *r = *state;

    assert_int_equal(good(r, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 100)), 20);
    assert_int_equal(be16_at(reply), 18);
    assert_int_equal(reply[5], 0x14);
    assert_int_equal(reply[6], 1);
    assert_int_equal(be32_at(reply + 8), 0);
    assert_int_equal(reply[14], 0xaa);
    assert_int_equal(be32_at(reply + 16), RIG_CD_BLOCKS);
    assert_int_equal(good(r, CDB(0x43, 2, 0, 0, 0, 0, 1, 0, 100)), 20);
    assert_memory_equal(reply + 8, "\0\0\2\0", 4); /* LBA 0 is 00:02:00 */
    assert_int_equal(good(r, CDB(0x43, 0, 0, 0, 0, 0, 0xaa, 0, 100)), 12);
    assert_int_equal(reply[6], 0xaa);
    refused(r, CDB(0x43, 0, 0, 0, 0, 0, 2, 0, 100), BAD_FIELD);
    assert_int_equal(good(r, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40)), 12); /* SFF-8020 */
    assert_int_equal(reply[6], 1);
    assert_int_equal(good(r, CDB(0x43, 2, 0, 0, 0, 0, 0, 0, 100, 0x80)), 48);
    assert_int_equal(reply[4 + 3], 0xa0);
    assert_int_equal(reply[4 + 8], 1);
    refused(r, CDB(0x43, 0, 3, 0, 0, 0, 0, 0, 100), BAD_FIELD);
    refused(r, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0xc0), BAD_FIELD);
}

static void test_mode_pages(void **state)
{
    struct rig *r = *state;

    assert_int_equal(good(r, CDB(0x5a, 0, 0x01, 0, 0, 0, 0, 0, 200)), 16);
    assert_int_equal(good(r, CDB(0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 200)), 24);
    assert_int_equal(good(r, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 200)), 30);
    assert_int_equal(be16_at(reply), 28);
    assert_int_equal(reply[8], 0x2a);
    assert_int_equal(reply[9], 0x14);
    assert_int_equal(reply[14] & 2, 0);
    good(r, CDB(0x1e, 0, 0, 0, 1));
    good(r, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 200));
    assert_int_equal(reply[14] & 2, 2); /* locked */
    assert_int_equal(good(r, CDB(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 200)), 54);
    refused(r, CDB(0x5a, 0, 0x1a, 0, 0, 0, 0, 0, 200), BAD_FIELD);
    refused(r, CDB(0x5a, 0, 0x6a, 0, 0, 0, 0, 0, 200), BAD_FIELD);
    refused(r, CDB(0x5a, 0, 0xea, 0, 0, 0, 0, 0, 200), 0x053900);
}

static void test_configuration_and_dvd_structures(void **state)
{
    struct rig *r = *state;
    struct block_ram ram = {0};
    uint64_t size = r->ram[2].size;

    assert_int_equal(good(r, CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 200)), 76);
    assert_int_equal(be32_at(reply), 72);
    assert_int_equal(be16_at(reply + 6), 0x0008);
    assert_int_equal(good(r, CDB(0x46, 2, 0, 0, 0, 0, 0, 0, 200)), 20);
    assert_int_equal(good(r, CDB(0x46, 2, 0, 0x28, 0, 0, 0, 0, 200)), 8); /* none such */
    assert_int_equal(good(r, CDB(0x46, 1, 0, 0x1f, 0, 0, 0, 0, 200)), 16);
    refused(r, CDB(0x46, 3, 0, 0, 0, 0, 0, 0, 200), BAD_FIELD);
    refused(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4), INCOMPATIBLE);
    assert_int_equal(good(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 0xff, 8, 4)), 20);

    /* The size alone makes it a DVD. */
    assert_int_equal(block_create(&cd(r)->block, &(const struct block_ops){.close = NULL}, &ram,
                                  "dvd", 1ull << 30, true, NULL),
                     0);
    good(r, CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 200));
    assert_int_equal(be16_at(reply + 6), 0x0010);
    assert_int_equal(good(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4)), 2052);
    assert_int_equal(be16_at(reply), 2050);
    assert_int_equal(be32_at(reply + 12), (1u << 19) - 1);
    assert_int_equal(good(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 1, 8, 4)), 8);
    assert_int_equal(good(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 4, 8, 4)), 2052);
    refused(r, CDB(0xad, 0, 0, 0, 0, 0, 0, 2, 8, 4), BAD_FIELD);
    refused(r, CDB(0xad, 0, 0, 0, 0, 0, 1, 0, 8, 4), BAD_FIELD);
    free((void *)block_name(cd(r)->block));
    free(cd(r)->block);
    cd(r)->block = r->block[2];
    assert_int_equal(block_size(r->block[2]), size);
}

static void test_inquiry_pages(void **state)
{
    struct rig *r = *state;

    assert_int_equal(good(r, CDB(0x12, 1, 0x00, 0, 96)), 6);
    assert_int_equal(reply[5], 0x83);
    assert_int_equal(good(r, CDB(0x12, 1, 0x83, 0, 255)), 100);
    assert_memory_equal(reply + 8, "QM00003", 7);
    assert_memory_equal(reply + 32, "ATA     QEMU DVD-ROM", 20);
    refused(r, CDB(0x12, 1, 0x80, 0, 96), BAD_FIELD);
    refused(r, CDB(0x12, 0, 0x83, 0, 96), BAD_FIELD);
}

static void test_restored_drive_finds_another_medium(void **state)
{
    struct rig *r = *state;
    struct ide_drive_state *s = cd(r)->s;

    /* Ejected by the guest before: what the toolstack has opened again is let go. */
    s->tray_open = true;
    s->medium = false;
    device_loaded_all(r->m.env.devices);
    assert_true(r->ram[2].closed);
    refused(r, CDB(0x00), NOT_PRESENT);
    assert_null(machine_save_load(&r->m));
    assert_true(s->tray_open);
}

static void test_restored_drive_was_empty(void **state)
{
    struct rig *r = *state;

    /* The tray was closed and empty: a medium that is there now has been put in. */
    cd(r)->s->medium = false;
    device_loaded_all(r->m.env.devices);
    refused(r, CDB(0x00), NOT_PRESENT);
    refused(r, CDB(0x00), MAY_CHANGED);
    assert_int_equal(good(r, CDB(0x00)), 0);
    /* Nothing has changed from now on. */
    assert_null(machine_save_load(&r->m));
    assert_int_equal(good(r, CDB(0x00)), 0);
    assert_int_equal(event(r), 0x0202);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CD(test_empty_drive),
        CD(test_medium_shorter_than_a_block_is_no_medium),
        CD(test_medium_change_is_seen_in_two_steps),
        CD(test_medium_change_after_the_removal_was_seen),
        CD(test_events_are_told_once),
        CD(test_eject_and_lock),
        CD(test_eject_during_a_read),
        CD(test_toc_formats),
        CD(test_mode_pages),
        CD(test_configuration_and_dvd_structures),
        CD(test_inquiry_pages),
        CD(test_restored_drive_finds_another_medium),
        CD(test_restored_drive_was_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
