/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reset, restore, unplug: whatever can come in the middle of a transfer. */
#include "tests/hw/ide/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm/savefile.h"

#define OK (ATA_DRDY | ATA_DSC)

static void srst(struct rig *r)
{
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_SRST);
    assert_true(rig_status(r) & ATA_BSY);
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
}

static void test_state_tables_are_sound(void **state)
{
    assert_null(state_desc_flaw(&ide_drive_desc));
    assert_null(state_desc_flaw(&ide_channel_desc));
}

static void test_soft_reset(void **state)
{
    struct rig *r = *state;
    unsigned rises = r->m.isa_rises[14];

    out(r, 6, 0xf5);
    out(r, 3, 0x55);
    srst(r);
    assert_int_equal(in(r, 6), 0xa0); /* DEV = 0: T-IDE-3 */
    for (unsigned unit = 0; unit < 3; unit++) {
        bool cd = unit == 2;

        rig_select(r, unit);
        if (cd)
            srst(r);
        assert_int_equal(in(r, 2), 1);
        assert_int_equal(in(r, 3), 1);
        assert_int_equal(in(r, 4), cd ? 0x14 : 0);
        assert_int_equal(in(r, 5), cd ? 0xeb : 0);
        assert_int_equal(rig_status(r), cd ? 0 : OK);
        assert_int_equal(in(r, 1), 1);
    }
    /* The absent slave never shows a packet device's signature. */
    rig_select(r, 3);
    assert_int_not_equal(in(r, 4), 0x14);
    assert_int_equal(rig_status(r), 0);
    rig_settle(r);
    assert_int_equal(r->m.isa_rises[14], rises);
}

static void test_execute_device_diagnostic(void **state)
{
    struct rig *r = *state;

    out(r, 6, 0xb0);
    out(r, 7, 0x90);
    rig_settle(r);
    assert_true(rig_irq(r));
    assert_int_equal(in(r, 6), 0xa0);
    assert_int_equal(in(r, 1), 1);
    assert_int_equal(in(r, 2), 1);
    assert_int_equal(in(r, 7), OK);
    rig_select(r, 2);
    out(r, 7, 0x90);
    rig_settle(r);
    assert_int_equal(in(r, 4), 0x14);
    assert_int_equal(in(r, 2), 1);
    assert_int_equal(in(r, 7), 0);
}

static void test_device_reset_is_for_packet_devices(void **state)
{
    struct rig *r = *state;
    unsigned rises = r->m.isa_rises[15];

    rig_select(r, 2);
    out(r, 7, 0xa0);
    assert_int_equal(rig_status(r), OK | ATA_DRQ);
    out(r, 7, 0x08); /* also while DRQ is set */
    assert_int_equal(rig_status(r), 0);
    assert_int_equal(in(r, 4), 0x14);
    rig_settle(r);
    assert_int_equal(r->m.isa_rises[15], rises);
}

static void test_cve_2023_5088_reset_during_dma_write(void **state)
{
    struct rig *r = *state;
    uint8_t *disk = r->ram[0].data;

    rig_prd(r, 0, RIG_DATA, 4096, true);
    memset(r->m.ram + RIG_DATA, 0xdd, 4096);
    r->ram[0].hold = true;
    rig_issue28(r, 0xca, 1000, 8);
    rig_bm_start(r, false);
    rig_settle(r);
    assert_int_equal(r->ram[0].nheld, 1);
    srst(r);
    assert_int_equal(rig_bm_status(r) & BM_ACTIVE, 0);
    assert_int_equal(in(r, 3), 1);
    block_ram_release(&r->ram[0], 0, 0);
    rig_settle(r);
    /* The old request ends where it was meant for, and tells nobody. */
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(disk[i], block_ram_pattern(i));
    assert_int_equal(disk[1000 * 512], 0xdd);
    assert_false(rig_irq(r));
    assert_int_equal(in(r, 3), 1);
    assert_int_equal(rig_status(r), OK);
}

static void test_cve_2016_1568_completion_after_reset_is_dropped(void **state)
{
    struct rig *r = *state;

    r->ram[0].hold = true;
    for (int i = 0; i < 4; i++) {
        static const uint8_t commands[] = {0x20, 0xe7, 0xc8, 0x30};
        uint8_t block[512] = {0};

        rig_prd(r, 0, RIG_DATA, 512, true);
        memset(r->m.ram + RIG_DATA, MACHINE_POISON, 512);
        rig_issue28(r, commands[i], 10, 1);
        rig_bm_start(r, true);
        if (i == 3)
            rig_outsw(r, block, 512);
        rig_settle(r);
        assert_int_equal(r->ram[0].nheld, 1);
        device_reset_all(r->m.env.devices);
        block_ram_release(&r->ram[0], 0, i & 1 ? -EIO : 0);
        rig_settle(r);
        assert_int_equal(rig_status(r), OK);
        assert_false(rig_irq(r));
        assert_int_equal(r->m.ram[RIG_DATA], MACHINE_POISON);
        pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_BASE_ADDRESS_0 + 16, 4, RIG_BM);
        pci_config_write(r->m.env.pci, PCI_DEVFN(1, 1), PCI_COMMAND, 2,
                         PCI_COMMAND_IO | PCI_COMMAND_MASTER);
        rig_select(r, 0);
    }
}

static void test_cve_2021_3392_cve_2022_0216_request_outlives_its_command(void **state)
{
    struct rig *r = *state;
    uint8_t buf[512];

    /* The new read waits for the old request, and gets its own data. */
    r->ram[0].hold = true;
    rig_issue28(r, 0x20, 10, 1);
    rig_settle(r);
    srst(r);
    rig_select(r, 0);
    rig_issue28(r, 0x20, 20, 1);
    rig_settle(r);
    assert_true(rig_status(r) & ATA_BSY);
    assert_int_equal(r->ram[0].nheld, 1);
    block_ram_release(&r->ram[0], 0, 0);
    loop_turn(r->m.env.loop, 0);
    assert_true(rig_status(r) & ATA_BSY);
    assert_int_equal(r->ram[0].nheld, 1);
    block_ram_release(&r->ram[0], 0, 0);
    assert_int_equal(rig_status(r), OK | ATA_DRQ);
    rig_insw(r, buf, 512);
    assert_int_equal(buf[0], block_ram_pattern(20 * 512));
}

static void test_old_write_never_overtakes_a_new_one(void **state)
{
    struct rig *r = *state;
    uint8_t block[512];

    r->ram[0].hold = true;
    rig_issue28(r, 0x30, 10, 1);
    memset(block, 0x01, sizeof(block));
    rig_outsw(r, block, 512);
    rig_settle(r);
    srst(r);
    rig_select(r, 0);
    rig_issue28(r, 0x30, 10, 1);
    memset(block, 0x02, sizeof(block));
    rig_outsw(r, block, 512);
    rig_settle(r);
    assert_int_equal(r->ram[0].nheld, 1);
    block_ram_release(&r->ram[0], 0, 0);
    r->ram[0].hold = false;
    rig_settle(r);
    assert_int_equal(rig_status(r), OK);
    assert_int_equal(r->ram[0].data[10 * 512], 0x02);
}

static void test_reset_frees_a_drive_whose_storage_hangs(void **state)
{
    struct rig *r = *state;
    uint16_t w[256];

    r->ram[0].hold = true;
    rig_issue28(r, 0x20, 10, 1);
    rig_settle(r);
    srst(r);
    rig_select(r, 0);
    /* What needs no storage is answered while the old request still hangs. */
    out(r, 7, 0xec);
    loop_turn(r->m.env.loop, 0);
    assert_int_equal(rig_status(r), OK | ATA_DRQ);
    rig_insw(r, w, 512);
    assert_int_equal(w[0], 0x0040);
    assert_int_equal(r->ram[0].nheld, 1);
}

static void test_device_reset_while_srst_is_held(void **state)
{
    struct rig *r = *state;

    rig_select(r, 2);
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_SRST);
    out(r, 7, 0x08);
    assert_true(rig_status(r) & ATA_BSY);
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
    assert_int_equal(rig_status(r), 0);
}

static void test_create_refuses_what_cannot_be(void **state)
{
    struct rig *r = *state;
    struct ide_config config = {.devfn = PCI_DEVFN(5, 0), .unit[1].kind = IDE_DISK};
    struct ide *ide;
    struct machine m;

    machine_init_pci(&m);
    assert_int_equal(ide_create(&ide, &m.env, &config), -EINVAL); /* a disk without an image */
    machine_fini(&m);
    /* Names and ports are taken. */
    config.unit[1].kind = IDE_ABSENT;
    assert_true(ide_create(&ide, &r->m.env, &config) < 0);
    assert_int_equal(rig_status(r), OK);
}

static void test_flush_all_makes_every_disk_stable(void **state)
{
    struct rig *r = *state;

    assert_int_equal(ide_flush_all(r->ide), 0);
    assert_int_equal(r->ram[0].flushes + r->ram[1].flushes, 2);
    assert_int_equal(r->ram[2].flushes, 0);
    ide_unplug(r->ide, IDE_UNPLUG_ALL);
    assert_int_equal(ide_flush_all(r->ide), 0);
    assert_null(ide_unit_block(r->ide, 0));
    assert_ptr_equal(ide_unit_block(r->ide, 2), r->block[2]);
}

static void test_reset_is_bit_identical(void **state)
{
    struct rig *r = *state;
    static struct ide_drive_state before[4];
    struct ide_channel_state channel[2];

    device_reset_all(r->m.env.devices);
    for (unsigned n = 0; n < 4; n++)
        before[n] = *r->ide->channel[n / 2].drive[n % 2].s;
    for (unsigned i = 0; i < 2; i++)
        channel[i] = *r->ide->channel[i].s;
    rig_simple(r, 0xef, 0x03, 0x20);
    rig_simple(r, 0xc6, 0, 2);
    rig_issue28(r, 0x20, 3, 5);
    rig_settle(r);
    machine_out(&r->m, 0x1f0, 2, 7);
    machine_out(&r->m, 0x376, 1, CTL_NIEN);
    r->ide->channel[1].drive[0].s->locked = true;
    r->ide->channel[1].drive[0].s->media_change = 1;
    device_reset_all(r->m.env.devices);
    for (unsigned n = 0; n < 4; n++)
        assert_memory_equal(&before[n], r->ide->channel[n / 2].drive[n % 2].s, sizeof(before[n]));
    for (unsigned i = 0; i < 2; i++)
        assert_memory_equal(&channel[i], r->ide->channel[i].s, sizeof(channel[i]));
}

static void test_save_and_load_in_mid_pio(void **state)
{
    struct rig *r = *state;
    uint8_t buf[8 * 512], block[512];

    rig_issue28(r, 0x20, 64, 8);
    for (unsigned i = 0; i < 8; i++) {
        rig_settle(r);
        rig_insw(r, buf + i * 512, 100);
        assert_null(machine_save_load(&r->m));
        rig_insw(r, buf + i * 512 + 100, 412);
    }
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    for (size_t i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], block_ram_pattern(64 * 512 + i));

    rig_issue28(r, 0x30, 64, 3);
    for (unsigned i = 0; i < 3; i++) {
        memset(block, 0x40 + (int)i, 512);
        rig_settle(r);
        rig_outsw(r, block, 200);
        assert_null(machine_save_load(&r->m));
        rig_outsw(r, block + 200, 312);
    }
    rig_settle(r);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(r->ram[0].data[64 * 512], 0x40);
    assert_int_equal(r->ram[0].data[66 * 512 + 511], 0x42);
}

static void test_interrupt_and_registers_survive_save(void **state)
{
    struct rig *r = *state;

    out(r, 7, 0xe0);
    rig_settle(r);
    rig_issue28(r, 0x70, 0x123456, 7);
    rig_settle(r);
    assert_true(rig_irq(r));
    assert_null(machine_save_load(&r->m));
    assert_true(rig_irq(r));
    assert_int_equal(in(r, 5), 0x12);
    assert_int_equal(in(r, 7), OK);
    assert_false(rig_irq(r));
}

static void test_interrupted_transfer_is_begun_again(void **state)
{
    struct rig *r = *state;
    struct block_request *old;

    /* A process died in the middle: only the state is left. */
    rig_prd(r, 0, RIG_DATA, 4096, true);
    memset(r->m.ram + RIG_DATA, 0xe1, 4096);
    r->ram[0].hold = true;
    rig_issue28(r, 0xca, 300, 8);
    rig_bm_start(r, false);
    rig_settle(r);
    old = r->ram[0].held[0];
    assert_non_null(old);
    device_loaded_all(r->m.env.devices);
    rig_settle(r);
    r->ram[0].hold = false;
    block_ram_release(&r->ram[0], 0, -EIO); /* the old one's fate does not matter */
    rig_settle(r);
    assert_int_equal(rig_bm_status(r), BM_INT);
    assert_int_equal(in(r, 7), OK);
    assert_int_equal(r->ram[0].data[300 * 512 + 4095], 0xe1);
}

static void test_busy_says_when_it_may_be_saved(void **state)
{
    struct rig *r = *state;

    assert_null(device_busy(r->m.env.devices));
    r->ram[0].hold = true;
    rig_issue28(r, 0x20, 3, 1);
    loop_turn(r->m.env.loop, 0);
    assert_string_equal(device_busy(r->m.env.devices), "ide");
    block_ram_release(&r->ram[0], 0, 0);
    assert_null(device_busy(r->m.env.devices));
}

static void test_saved_state_is_small(void **state)
{
    struct rig *r = *state;
    void *buf;
    size_t len;
    uint8_t block[16384];

    memset(block, 0xff, sizeof(block));
    for (unsigned unit = 0; unit < 3; unit++) {
        rig_select(r, unit);
        memcpy(r->ide->channel[unit / 2].drive[unit % 2].s->buffer, block, sizeof(block));
    }
    assert_int_equal(savefile_encode(r->m.env.arena, &buf, &len), 0);
    assert_true(len < 72 * 1024);
    free(buf);
}

static void test_hostile_state_is_contained(void **state)
{
    struct rig *r = *state;
    struct ide_drive_state *s = r->ide->channel[0].drive[0].s;
    unsigned accepted = 0;

    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        static struct ide_drive_state saved;
        unsigned unit = i % 3;
        uint8_t word[64];

        s = r->ide->channel[unit / 2].drive[unit % 2].s;
        saved = *s;
        s->phase = (uint8_t)(rand() % (PHASE_LAST + 1));
        s->status = (uint8_t)(rand() & 1 ? ATA_BSY : rand() & 1 ? ATA_DRQ : OK);
        s->command = (uint8_t)(rand() & 1 ? rand() : 0x20);
        s->offset = rand() & 1 ? (uint64_t)rand() << 20 : (uint64_t)(rand() % 100) * 512;
        s->left = rand() & 1 ? (uint64_t)rand() << 10 : (uint64_t)(rand() % 64) * 512;
        s->pos = (uint32_t)(rand() % (IDE_BUFFER + 1));
        s->end = (uint32_t)(rand() % (IDE_BUFFER + 1));
        s->fill = (uint32_t)(rand() % (IDE_BUFFER + 1));
        s->block = (uint32_t)(rand() % 65537);
        if (state_check(&ide_drive_desc, s)) {
            *s = saved;
            continue;
        }
        accepted++;
        device_loaded_all(r->m.env.devices);
        rig_settle(r);
        rig_select(r, unit);
        rig_insw(r, word, sizeof(word));
        rig_outsw(r, word, sizeof(word));
        rig_settle(r);
        srst(r);
    }
    assert_true(accepted > 100);
}

static void test_unplug_of_all_disks(void **state)
{
    struct rig *r = *state;
    uint8_t block[512];

    memset(block, 0x66, sizeof(block));
    rig_issue28(r, 0x30, 8, 1);
    rig_outsw(r, block, 512);
    rig_settle(r);
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_ALL), 0);
    /* Flushed and closed inside the call. */
    assert_true(r->ram[0].closed && r->ram[1].closed);
    assert_int_equal(r->ram[0].flushes, 1);
    assert_int_equal(r->ram[0].data[8 * 512], 0x66);
    assert_false(r->ram[2].closed);
    for (unsigned unit = 0; unit < 2; unit++) {
        rig_select(r, unit);
        assert_int_equal(rig_status(r), 0);
        rig_issue28(r, 0xec, 0, 1);
        rig_settle(r);
        assert_int_equal(in(r, 7), 0);
        assert_int_equal(ide_unit_kind(r->ide, unit), IDE_ABSENT);
    }
    assert_false(rig_irq(r));
    /* The CD-ROM drive goes on, with DMA. */
    rig_select(r, 2);
    assert_int_equal(ide_unit_kind(r->ide, 2), IDE_CDROM);
    assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
    /* Again, as drivers do after each resume. */
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_ALL | IDE_UNPLUG_AUX), 0);
    assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
}

static void test_unplug_of_auxiliary_disks(void **state)
{
    struct rig *r = *state;

    assert_int_equal(ide_unplug(r->ide, 2 | 8), 0); /* NICs, NVMe: not ours */
    assert_int_equal(ide_unit_kind(r->ide, 1), IDE_DISK);
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_AUX), 0);
    assert_false(r->ram[0].closed);
    assert_true(r->ram[1].closed);
    assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
    rig_select(r, 1);
    assert_int_equal(rig_status(r), 0);
}

static void test_unplug_of_a_disk_that_stays(void **state)
{
    struct rig *r = *state;

    r->ide->channel[0].drive[0].stays = true;
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_ALL), 0);
    assert_false(r->ram[0].closed);
    assert_true(r->ram[1].closed);
    assert_int_equal(ide_unit_kind(r->ide, 0), IDE_DISK);
    assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
}

static void test_unplug_with_requests_in_flight(void **state)
{
    struct rig *r = *state;

    /* T-IDE-8 */
    rig_prd(r, 0, RIG_DATA, 4096, true);
    memset(r->m.ram + RIG_DATA, 0x3c, 4096);
    r->ram[0].blocks = true;
    rig_issue28(r, 0xca, 600, 8);
    rig_bm_start(r, false);
    loop_turn(r->m.env.loop, 0);
    r->ram[1].hold = true;
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_ALL), 0);
    assert_true(r->ram[0].closed);
    assert_int_equal(r->ram[0].data[600 * 512], 0x3c);
    rig_settle(r);
    assert_false(rig_irq(r));
    assert_int_equal(rig_bm_status(r) & BM_ACTIVE, 0);
    assert_int_equal(rig_status(r), 0);
}

static void test_unplug_survives_save_and_reset(void **state)
{
    struct rig *r = *state;

    ide_unplug(r->ide, IDE_UNPLUG_ALL);
    assert_null(machine_save_load(&r->m));
    assert_int_equal(rig_status(r), 0);
    device_reset_all(r->m.env.devices);
    assert_int_equal(rig_status(r), 0);
    assert_int_equal(ide_unit_kind(r->ide, 0), IDE_ABSENT);
}

static void test_restored_unplugged_disk_is_closed(void **state)
{
    struct rig *r = *state;

    /* The new process has opened the image; the state says that the guest has unplugged it. */
    r->ide->channel[0].drive[0].s->unplugged = true;
    device_loaded_all(r->m.env.devices);
    assert_true(r->ram[0].closed);
    assert_int_equal(ide_unit_kind(r->ide, 0), IDE_ABSENT);
    assert_int_equal(ide_unit_kind(r->ide, 1), IDE_DISK);
}

static void test_failed_flush_at_unplug_is_reported(void **state)
{
    struct rig *r = *state;

    r->ram[1].fault = -EIO;
    r->ram[1].fault_op = BLOCK_FLUSH;
    assert_int_equal(ide_unplug(r->ide, IDE_UNPLUG_ALL), -EIO);
    assert_true(r->ram[0].closed && r->ram[1].closed);
}

static void test_flush_error_reaches_the_guest(void **state)
{
    struct rig *r = *state;

    r->ram[0].fault = -EIO;
    r->ram[0].fault_op = BLOCK_FLUSH;
    assert_int_equal(rig_simple(r, 0xe7, 0, 0), OK | ATA_ERR);
    assert_int_equal(in(r, 1), ATA_ABRT);
    r->ram[0].fault = 0;
    assert_int_equal(rig_simple(r, 0xea, 0, 0), OK | ATA_ERR); /* not forgotten */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_tables_are_sound),
        RIG(test_soft_reset),
        RIG(test_execute_device_diagnostic),
        RIG(test_device_reset_is_for_packet_devices),
        RIG(test_cve_2023_5088_reset_during_dma_write),
        RIG(test_cve_2016_1568_completion_after_reset_is_dropped),
        RIG(test_cve_2021_3392_cve_2022_0216_request_outlives_its_command),
        RIG(test_old_write_never_overtakes_a_new_one),
        RIG(test_reset_frees_a_drive_whose_storage_hangs),
        RIG(test_device_reset_while_srst_is_held),
        RIG(test_create_refuses_what_cannot_be),
        RIG(test_flush_all_makes_every_disk_stable),
        RIG(test_reset_is_bit_identical),
        RIG(test_save_and_load_in_mid_pio),
        RIG(test_interrupt_and_registers_survive_save),
        RIG(test_interrupted_transfer_is_begun_again),
        RIG(test_busy_says_when_it_may_be_saved),
        RIG(test_saved_state_is_small),
        RIG(test_hostile_state_is_contained),
        RIG(test_unplug_of_all_disks),
        RIG(test_unplug_of_auxiliary_disks),
        RIG(test_unplug_of_a_disk_that_stays),
        RIG(test_unplug_with_requests_in_flight),
        RIG(test_unplug_survives_save_and_reset),
        RIG(test_restored_unplugged_disk_is_closed),
        RIG(test_failed_flush_at_unplug_is_reported),
        RIG(test_flush_error_reaches_the_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
