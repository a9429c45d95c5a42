/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host protected area, power management, names; resets in the middle of things. */
#include <stdlib.h>
#include <string.h>

#include "tests/hw/ide/rig.h"

#define OK  (ATA_DRDY | ATA_DSC)
#define BAD (ATA_DRDY | ATA_DSC | ATA_ERR)

static struct ide_drive *hda(struct rig *r)
{
    return &r->ide->channel[0].drive[0];
}

static void identify(struct rig *r, uint8_t command, uint16_t w[256])
{
    out(r, 7, command);
    rig_settle(r);
    rig_insw(r, w, 512);
    in(r, 7);
}

static uint8_t finish(struct rig *r)
{
    rig_settle(r);
    return in(r, 7);
}

static uint32_t capacity(struct rig *r)
{
    uint16_t w[256];

    identify(r, 0xec, w);
    assert_int_equal(w[60] | (uint32_t)w[61] << 16, w[100] | (uint32_t)w[101] << 16);
    return w[100] | (uint32_t)w[101] << 16;
}

/* ---- SET MAX --------------------------------------------------------------------------------- */

static uint8_t set_max28(struct rig *r, uint32_t last, bool keep)
{
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    rig_issue28(r, 0xf9, last, keep);
    return finish(r);
}

static void test_set_max_hides_the_end_of_the_disk(void **state)
{
    struct rig *r = *state;

    assert_int_equal(set_max28(r, 999, false), OK);
    assert_int_equal(capacity(r), 1000);
    rig_issue28(r, 0x40, 999, 1);
    assert_int_equal(finish(r), OK);
    rig_issue28(r, 0x40, 1000, 1);
    assert_int_equal(finish(r), BAD);
    assert_int_equal(rig_error(r), ATA_ABRT);
    rig_issue48(r, 0x35, 990, 11); /* nor is anything written there */
    assert_int_equal(finish(r), BAD);
    /* What is there in truth is told, and can be had back. */
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    assert_int_equal(in(r, 3) | in(r, 4) << 8 | in(r, 5) << 16, RIG_DISK_SECTORS - 1);
    rig_issue28(r, 0xf9, RIG_DISK_SECTORS - 1, 0);
    assert_int_equal(finish(r), OK);
    assert_int_equal(capacity(r), RIG_DISK_SECTORS);
    assert_int_equal(r->ram[0].writes, 0);
}

static void test_set_max_has_to_follow_native_max(void **state)
{
    struct rig *r = *state;

    rig_issue28(r, 0xf9, 99, 0);
    assert_int_equal(finish(r), BAD);
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    assert_int_equal(rig_simple(r, 0xe5, 0, 0), OK); /* something between */
    rig_issue28(r, 0xf9, 99, 0);
    assert_int_equal(finish(r), BAD);
    assert_int_equal(rig_simple(r, 0xf8, 0, 0), OK);
    rig_issue48(r, 0x37, 99, 0); /* of the other kind */
    assert_int_equal(finish(r), BAD);
    assert_int_equal(capacity(r), RIG_DISK_SECTORS);
    assert_int_equal(set_max28(r, RIG_DISK_SECTORS, false), BAD);
    assert_int_equal(rig_error(r), ATA_IDNF);
    assert_int_equal(capacity(r), RIG_DISK_SECTORS);
}

static void test_set_max_may_outlast_a_reset(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_simple(r, 0x27, 0, 0), OK);
    rig_issue48(r, 0x37, 4999, 1);
    assert_int_equal(finish(r), OK);
    assert_int_equal(capacity(r), 5000);
    assert_int_equal(set_max28(r, 99, false), OK);
    assert_int_equal(capacity(r), 100);
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_SRST);
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
    out(r, 6, 0xe0);
    assert_int_equal(capacity(r), 100); /* software reset changes nothing */
    assert_null(machine_save_load(&r->m));
    assert_int_equal(capacity(r), 100);
    device_reset_all(r->m.env.devices);
    rig_select(r, 0);
    assert_int_equal(capacity(r), 5000);
}

static void test_trim_of_hidden_sectors_is_refused(void **state)
{
    struct rig *r = *state;
    uint8_t *list = r->m.ram + RIG_DATA;

    assert_int_equal(set_max28(r, 999, false), OK);
    memset(list, 0, 512);
    list[0] = 0xe8; /* sector 1000 */
    list[1] = 0x03;
    list[6] = 1;
    rig_prd(r, 0, RIG_DATA, 512, true);
    out(r, 1, 1);
    out(r, 2, 0);
    out(r, 2, 1);
    out(r, 7, 0x06);
    rig_bm_start(r, false);
    assert_int_equal(finish(r), BAD);
    assert_int_equal(r->ram[0].discards, 0);
}

/* ---- power ----------------------------------------------------------------------------------- */

static uint8_t power_mode(struct rig *r)
{
    assert_int_equal(rig_simple(r, 0xe5, 0, 0x55), OK);
    return in(r, 2);
}

static void test_standby_until_an_access(void **state)
{
    struct rig *r = *state;
    static const uint8_t to_standby[] = {0xe0, 0x94, 0xe2, 0x96, 0xe6, 0x99};
    static const uint8_t to_idle[] = {0xe1, 0x95, 0xe3, 0x97};

    for (unsigned i = 0; i < sizeof(to_standby); i++) {
        assert_int_equal(rig_simple(r, to_standby[i], 0, 0), OK);
        assert_int_equal(power_mode(r), 0x00);
        assert_int_equal(power_mode(r), 0x00); /* asking does not wake it */
        rig_issue28(r, 0x40, 0, 1);
        assert_int_equal(finish(r), OK);
        assert_int_equal(power_mode(r), 0xff);
    }
    for (unsigned i = 0; i < sizeof(to_idle); i++) {
        assert_int_equal(rig_simple(r, 0xe0, 0, 0), OK);
        assert_int_equal(rig_simple(r, to_idle[i], 0, 0), OK);
        assert_int_equal(power_mode(r), 0xff);
    }
}

static void test_standby_timer(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t value;
        uint32_t seconds;
    } each[] = {{1, 5},      {240, 1200},  {241, 1800},  {251, 19800},
                {252, 1260}, {253, 28800}, {254, 28800}, {255, 1275}};

    for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        assert_int_equal(rig_simple(r, 0xe3, 0, each[i].value), OK);
        machine_advance(&r->m, (each[i].seconds - 1) * 1000000000ull);
        assert_int_equal(power_mode(r), 0xff);
        machine_advance(&r->m, 1000000000ull);
        assert_int_equal(power_mode(r), 0x00);
        assert_null(machine_save_load(&r->m));
        assert_int_equal(power_mode(r), 0x00);
    }
    rig_issue28(r, 0x20, 0, 1);
    assert_int_equal(finish(r), OK | ATA_DRQ);
    assert_int_equal(rig_simple(r, 0xe3, 0, 0), OK | ATA_DRQ); /* busy: not taken */
    r->base = 0x1f0;
    uint8_t sector[512];
    rig_insw(r, sector, 512);
    assert_int_equal(rig_simple(r, 0xe3, 0, 0), OK); /* no timer */
    machine_advance(&r->m, 100000 * 1000000000ull);
    assert_int_equal(power_mode(r), 0xff);
}

/* ---- names and locks ------------------------------------------------------------------------- */

static void test_world_wide_name(void **state)
{
    struct rig *r = *state;
    uint16_t w[256];

    identify(r, 0xec, w);
    assert_int_equal(w[84], 0x4000);
    assert_int_equal(w[108] | w[111], 0);
    hda(r)->wwn = 0x5000c50012345678;
    identify(r, 0xec, w);
    assert_int_equal(w[84], 0x4100);
    assert_int_equal(w[87], 0x4100);
    assert_int_equal(w[108], 0x5000);
    assert_int_equal(w[109], 0xc500);
    assert_int_equal(w[110], 0x1234);
    assert_int_equal(w[111], 0x5678);
    rig_select(r, 2);
    r->ide->channel[1].drive[0].wwn = 0x5000c50012345679;
    identify(r, 0xa1, w);
    assert_int_equal(w[111], 0x5679);
}

/* No password can lock the disk against its owner, whatever a guest tries. */
static void test_security_is_frozen(void **state)
{
    struct rig *r = *state;
    uint16_t w[256];

    assert_int_equal(rig_simple(r, 0xf5, 0, 0), OK);
    for (unsigned command = 0xf1; command < 0xf7; command++) {
        if (command == 0xf5)
            continue;
        assert_int_equal(rig_simple(r, (uint8_t)command, 0, 1), BAD);
        assert_int_equal(rig_error(r), ATA_ABRT);
    }
    for (uint8_t feature = 1; feature < 5; feature++) /* SET MAX SET PASSWORD and so on */
        assert_int_equal(rig_simple(r, 0xf9, feature, 1), BAD);
    identify(r, 0xec, w);
    assert_int_equal(w[82] & 2, 0);
    assert_int_equal(w[128], 0);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static void soft_reset(struct rig *r)
{
    machine_out(&r->m, (uint16_t)r->control, 1, CTL_SRST);
    assert_int_equal(rig_status(r), ATA_BSY);
    machine_out(&r->m, (uint16_t)r->control, 1, 0);
    rig_settle(r);
}

static void test_srst_in_the_middle_of_programmed_io(void **state)
{
    struct rig *r = *state;
    uint8_t data[300];

    memset(data, 0x5a, sizeof(data));
    rig_issue28(r, 0x30, 100, 2);
    rig_outsw(r, data, sizeof(data));
    soft_reset(r);
    assert_int_equal(rig_status(r), OK);
    assert_int_equal(rig_error(r), 1);
    rig_outsw(r, data, sizeof(data)); /* nobody takes it */
    rig_settle(r);
    assert_int_equal(r->ram[0].writes, 0);
    rig_issue28(r, 0x20, 7, 2);
    rig_settle(r);
    rig_insw(r, data, sizeof(data));
    soft_reset(r);
    rig_insw(r, data, 64);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(data[i], 0);
    /* The next command is whole. */
    out(r, 6, 0xe0);
    rig_issue28(r, 0x20, 3, 1);
    rig_settle(r);
    rig_insw(r, data, 256);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(data[i], block_ram_pattern(3 * 512 + i));
}

static void test_device_reset_in_the_middle_of_a_packet(void **state)
{
    struct rig *r = *state;
    static const uint8_t read10[12] = {0x28, 0, 0, 0, 0, 1, 0, 0, 2};
    uint8_t data[512];

    rig_select(r, 2);
    for (unsigned stage = 0; stage < 3; stage++) {
        out(r, 1, 0);
        out(r, 4, 0);
        out(r, 5, 8);
        out(r, 7, 0xa0);
        rig_outsw(r, read10, stage ? 12 : 6);
        if (stage == 2) {
            rig_settle(r);
            rig_insw(r, data, sizeof(data));
        }
        out(r, 7, 0x08);
        assert_int_equal(rig_status(r), 0);
        assert_int_equal(in(r, 4) | in(r, 5) << 8, 0xeb14);
        rig_settle(r);
        assert_false(rig_irq(r));
        assert_int_equal(rig_status(r), 0);
        rig_insw(r, data, 8);
        assert_int_equal(data[0] | data[7], 0);
    }
    assert_int_equal(rig_packet(r, (const uint8_t[12]){0}, 0, NULL, 0, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_set_max_hides_the_end_of_the_disk),
        RIG(test_set_max_has_to_follow_native_max),
        RIG(test_set_max_may_outlast_a_reset),
        RIG(test_trim_of_hidden_sectors_is_refused),
        RIG(test_standby_until_an_access),
        RIG(test_standby_timer),
        RIG(test_world_wide_name),
        RIG(test_security_is_frozen),
        RIG(test_srst_in_the_middle_of_programmed_io),
        RIG(test_device_reset_in_the_middle_of_a_packet),
    };

    return cmocka_run_group_tests_name("ata_features", tests, NULL, NULL);
}
