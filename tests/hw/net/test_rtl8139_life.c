/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C+: power states, save and restore, standing still, unplug, several cards. */
#include <errno.h>

#include "tests/hw/net/nicrig.h"

static uint32_t config(unsigned reg, unsigned size)
{
    return pci_config_read(rig.m.env.pci, NIC_DEVFN, reg, size);
}

static void config_set(unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(rig.m.env.pci, NIC_DEVFN, reg, size, value);
}

/* ---- power ---------------------------------------------------------------------------------- */

static void test_power_management_capability(void **state)
{
    assert_int_equal(config(PCI_STATUS, 2) & 0x10, 0x10);
    assert_int_equal(config(0x34, 1), 0xdc);
    assert_int_equal(config(0xdc, 4), 0x06030001);
    config_set(0xdc, 4, 0xffffffff);
    config_set(0xe0, 4, 0xfffffffc);
    assert_int_equal(config(0xdc, 4), 0x06030001);
    assert_int_equal(config(0xe0, 4), 0x00000008);
}

/* In D3hot only configuration space answers; nothing is lost on the way back. */
static void test_power_states(void **state)
{
    set(IMR, 2, 0xffff);
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    assert_true(line());
    config_set(0xe0, 2, 3);
    assert_int_equal(config(0xe0, 2), 0x000b);
    assert_false(line());
    assert_int_equal(get(TCR, 4), 0xffffffff);
    assert_int_equal(get(REG_CR, 1), 0xff);
    set(REG_ISR, 2, 0xffff);
    config_set(0xe0, 2, 0);
    assert_true(line());
    assert_int_equal(get(REG_ISR, 2), INT_SWINT);
}

static void test_nothing_is_sent_or_received_in_d3(void **state)
{
    start_c_mode(RCR_AB);
    set(TSAD0, 4, TX_BUF);
    config_set(0xe0, 2, 3);
    arrive((const uint8_t[6]){255, 255, 255, 255, 255, 255}, 100);
    assert_int_equal(rig.net.nwaiting, 1);
    assert_false(rig.net.want);
    config_set(0xe0, 2, 0);
    settle();
    assert_int_equal(rig.net.nwaiting, 0);
    assert_int_equal(get(REG_ISR, 2), INT_ROK);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void test_state_tables(void **state)
{
    assert_null(state_desc_flaw(&rtl8139_desc));
    assert_null(state_desc_flaw(&eeprom93c46_desc));
    assert_null(state_check(&rtl8139_desc, rig.nic->s));
}

static void test_save_and_load(void **state)
{
    struct rtl8139_state before;

    start_c_mode(RCR_AB | 2 << 11);
    set(CR9346, 1, EEM_CONFIG);
    set(MAR0, 4, 0xcafe0001);
    set(TIMERINT, 4, 5000);
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    arrive((const uint8_t[6]){255, 255, 255, 255, 255, 255}, 64);
    before = *rig.nic->s;
    assert_null(machine_save_load(&rig.m));
    assert_null(state_differs(&rtl8139_desc, &before, rig.nic->s));
    assert_true(line());
    assert_true(rig.net.want);
    set(REG_ISR, 2, 0xffff);
    machine_advance(&rig.m, 150001);
    assert_int_equal(get(REG_ISR, 2), INT_TIMEOUT);
}

static void test_a_restored_state_is_checked(void **state)
{
    struct rtl8139_state *s = rig.nic->s;

    s->rx_write = 2;
    assert_string_equal(state_check(&rtl8139_desc, s), "rx_write");
    s->rx_write = 8192;
    assert_string_equal(state_check(&rtl8139_desc, s), "rx_write");
    s->rx_write = 0;
    s->rx_read = 8192;
    assert_string_equal(state_check(&rtl8139_desc, s), "rx_read");
    s->rx_read = 0;
    s->tx_index = 4;
    assert_string_equal(state_check(&rtl8139_desc, s), "tx_index");
    s->tx_index = 0;
    s->ring_index[1] = 64;
    assert_string_equal(state_check(&rtl8139_desc, s), "ring_index");
}

static void test_the_link_of_the_new_place_counts(void **state)
{
    rig.net.up = false; /* as if it had been restored behind another back-end */
    device_loaded_all(rig.m.env.devices);
    assert_int_equal(get(REG_ISR, 2), INT_LINKCHG);
    assert_int_equal(get(MSR, 1), 0xd4);
}

static void test_nothing_moves_while_the_guest_stands(void **state)
{
    start_c_mode(RCR_AB);
    rtl8139_set_running(rig.nic, false);
    assert_false(rig.net.want);
    arrive((const uint8_t[6]){255, 255, 255, 255, 255, 255}, 64);
    assert_int_equal(rig.net.nwaiting, 1);
    rtl8139_set_running(rig.nic, true);
    settle();
    assert_int_equal(rig.net.nwaiting, 0);
}

static void test_unplug(void **state)
{
    start_c_mode(RCR_AB);
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    assert_true(line());
    rtl8139_unplug(rig.nic);
    assert_false(rig.net.attached);
    assert_false(line());
    assert_int_equal(config(0, 4), 0xffffffff);
    assert_int_equal(get(TCR, 4), 0xffffffff);
    assert_int_equal(machine_read(&rig.m, NIC_MMIO + TCR, 4), 0xffffffff);
    rtl8139_unplug(rig.nic);
    device_reset_all(rig.m.env.devices);
    assert_null(machine_save_load(&rig.m));
    assert_int_equal(config(0, 4), 0xffffffff);
}

/* A machine that is restored from one where it had been unplugged. */
static void test_unplugged_elsewhere(void **state)
{
    pci_remove(&rig.nic->fn);
    assert_true(rig.net.attached);
    device_loaded_all(rig.m.env.devices);
    assert_false(rig.net.attached);
}

static void test_what_cannot_be_made(void **state)
{
    struct rtl8139_config c = {.devfn = NIC_DEVFN, .index = 1};
    struct rtl8139 *nic = NULL;

    assert_int_equal(rtl8139_create(&nic, &rig.m.env, &c), -EEXIST); /* the slot */
    c.devfn = PCI_DEVFN(5, 0);
    c.index = 0;
    assert_int_equal(rtl8139_create(&nic, &rig.m.env, &c), -ENOMEM); /* the name */
    assert_null(nic);
}

/* Eight of them, one without a cable. */
static void test_eight_nics(void **state)
{
    struct rtl8139_config c = {.mac = {2, 0, 0, 0, 0, 1}};
    struct rtl8139 *nic;

    for (c.index = 1; c.index < 8; c.index++) {
        c.devfn = PCI_DEVFN(4 + c.index, 0);
        assert_int_equal(rtl8139_create(&nic, &rig.m.env, &c), 0);
        rtl8139_set_running(nic, true);
        assert_false(nic->s->link);
    }
    pci_config_write(rig.m.env.pci, PCI_DEVFN(11, 0), 0x10, 4, 0xd001);
    pci_config_write(rig.m.env.pci, PCI_DEVFN(11, 0), PCI_COMMAND, 2, 5);
    assert_int_equal(machine_in(&rig.m, 0xd000 + MSR, 1), 0xd4);
    machine_out(&rig.m, 0xd000 + REG_CR, 1, CR_TE | CR_RE);
    machine_out(&rig.m, 0xd000 + TSAD0, 4, TX_BUF);
    machine_out(&rig.m, 0xd000 + TSD0, 4, 64);
    assert_int_equal(machine_in(&rig.m, 0xd000 + TSD0, 4), TSD_OWN | TSD_TOK | 64);
    rtl8139_unplug(nic);
}

#define T(f) cmocka_unit_test_setup_teardown(f, nicrig_setup, nicrig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_power_management_capability),
        T(test_power_states),
        T(test_nothing_is_sent_or_received_in_d3),
        T(test_state_tables),
        T(test_save_and_load),
        T(test_a_restored_state_is_checked),
        T(test_the_link_of_the_new_place_counts),
        T(test_nothing_moves_while_the_guest_stands),
        T(test_unplug),
        T(test_unplugged_elsewhere),
        T(test_what_cannot_be_made),
        T(test_eight_nics),
    };

    return cmocka_run_group_tests_name("rtl8139 life", tests, NULL, NULL);
}
