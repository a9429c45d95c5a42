/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C+: PCI function, registers in all widths, EEPROM, MII, timer, reset, link. */
#include "tests/hw/net/nicrig.h"

static uint32_t config(unsigned reg, unsigned size)
{
    return pci_config_read(rig.m.env.pci, NIC_DEVFN, reg, size);
}

static void config_set(unsigned reg, unsigned size, uint32_t value)
{
    pci_config_write(rig.m.env.pci, NIC_DEVFN, reg, size, value);
}

/* ---- PCI --------------------------------------------------------------------------------------
 */

static void test_pci_identity(void **state)
{
    assert_int_equal(config(0x00, 4), 0x813910ec);
    assert_int_equal(config(0x08, 4), 0x02000020);
    assert_int_equal(config(0x2c, 4), 0x11001af4);
    assert_int_equal(config(PCI_INTERRUPT_PIN, 1), 1);
    config_set(0x10, 4, 0xffffffff);
    config_set(0x14, 4, 0xffffffff);
    config_set(0x30, 4, 0xfffffffe);
    assert_int_equal(config(0x10, 4), 0xffffff01);
    assert_int_equal(config(0x14, 4), 0xffffff00);
    assert_int_equal(config(0x30, 4), 0xfffff000);
    config_set(0x30, 4, 0xf4000001);
    assert_int_equal(machine_read(&rig.m, 0xf4000000, 2), 0xaa55);
}

static void test_both_bars_show_the_same_registers(void **state)
{
    for (unsigned reg = 0; reg < 256; reg++)
        if (reg < TCTR || reg >= TCTR + 4)
            assert_int_equal(get(reg, 1), machine_read(&rig.m, NIC_MMIO + reg, 1));
    machine_write(&rig.m, NIC_MMIO + PARA78, 4, 0x12345678);
    assert_int_equal(get(PARA78, 4), 0x12345678);
    assert_int_equal(get(PARA78 + 1, 2), 0x3456);
}

/* ---- registers --------------------------------------------------------------------------------
 */

static void test_reset_values(void **state)
{
    static const struct {
        uint16_t reg, size;
        uint32_t value;
    } expected[] = {
        {IDR0, 4, 0x113e1600}, {IDR4, 4, 0x00003322}, {TSD0, 4, TSD_OWN},
        {TSD3, 4, TSD_OWN},    {TSAD0, 4, 0},         {RBSTART, 4, 0},
        {ERBCR, 2, 0},         {REG_CR, 1, CR_BUFE},  {CAPR, 2, 0xfff0},
        {REG_CBR, 2, 0},       {IMR, 2, 0},           {REG_ISR, 2, 0},
        {TCR, 4, 0x74800000},  {RCR, 4, 0},           {MPC, 4, 0},
        {CR9346, 1, 0},        {REG_CONFIG0, 1, 0},   {REG_CONFIG1, 1, 0x0d},
        {TIMERINT, 4, 0},      {MSR, 1, 0xd0},        {REG_CONFIG3, 1, 1},
        {REG_CONFIG4, 1, 0},   {REG_RERID, 1, 0x20},  {TSAD, 2, 0x000f},
        {REG_BMCR, 2, 0x1000}, {BMSR, 2, 0x782d},     {REG_ANAR, 2, 0x05e1},
        {ANLPAR, 2, 0x05e1},   {0x6a, 2, 1},          {0x6c, 4, 0},
        {CSCR, 2, 0x0348},     {CONFIG5, 2, 0},       {CPCR, 4, 0},
        {RDSAR, 4, 0},         {MTPS, 1, 0},          {0xfc, 4, 0},
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(get(expected[i].reg, expected[i].size), expected[i].value);
}

static void test_writable_bits(void **state)
{
    static const struct {
        uint16_t reg, size;
        uint32_t ones, zeros;
    } expected[] = {
        {IDR0, 4, 0xffffffff, 0},
        {IDR4, 4, 0x0000ffff, 0},
        {MAR0, 4, 0xffffffff, 0},
        {MAR4, 4, 0xffffffff, 0},
        {TSAD0, 4, 0xffffffff, 0},
        {TSAD3, 4, 0xffffffff, 0},
        {RBSTART, 4, 0xffffffff, 0},
        {IMR, 2, 0xe1ff, 0},
        {TCR, 4, 0x778707f0, 0x74800000},
        {RCR, 4, 0x0f03ffbf, 0},
        {TIMERINT, 4, 0xffffffff, 0},
        {REG_HLTCLK, 1, 0, 0},
        {MULINT, 2, 0x0fff, 0},
        {REG_ANAR, 2, 0xffff, 0},
        {PARA78, 4, 0xffffffff, 0},
        {PARA7C, 4, 0xffffffff, 0},
        {CONFIG5, 1, 0x7f, 0},
        {CPCR, 2, 0x007b, 0},
        {CPCR + 2, 2, 0, 0},
        {RDSAR, 4, 0xffffffff, 0},
        {RDSAR_HIGH, 4, 0xffffffff, 0},
        {MTPS, 1, 0xff, 0},
        {REG_CBR, 2, 0, 0},
        {ERBCR, 2, 0, 0},
        {REG_RERID, 1, 0x20, 0x20},
        {BMSR, 2, 0x782d, 0x782d},
        {TSAD, 2, 0x000f, 0x000f},
        /* closed without config-write mode */
        {REG_CONFIG0, 1, 0, 0},
        {REG_CONFIG1, 1, 0x0d, 0x0d},
        {REG_CONFIG3, 1, 1, 1},
        {REG_CONFIG4, 1, 0, 0},
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        set(expected[i].reg, expected[i].size, 0xffffffff);
        assert_int_equal(get(expected[i].reg, expected[i].size), expected[i].ones);
        set(expected[i].reg, expected[i].size, 0);
        assert_int_equal(get(expected[i].reg, expected[i].size), expected[i].zeros);
    }
}

static void test_config_write_mode(void **state)
{
    set(CR9346, 1, EEM_CONFIG);
    set(REG_CONFIG0, 1, 0xff);
    set(REG_CONFIG1, 1, 0xff);
    set(REG_CONFIG3, 1, 0xff);
    set(REG_CONFIG4, 1, 0xff);
    assert_int_equal(get(REG_CONFIG0, 1), 0x07);
    assert_int_equal(get(REG_CONFIG1, 1), 0xff);
    assert_int_equal(get(REG_CONFIG3, 1), 0x71);
    assert_int_equal(get(REG_CONFIG4, 1), 0xf5);
    set(REG_CONFIG1, 1, 0);
    assert_int_equal(get(REG_CONFIG1, 1), 0x0c);
    set(CR9346, 1, 0);
    set(REG_CONFIG1, 1, 0xff);
    assert_int_equal(get(REG_CONFIG1, 1), 0x0c);
}

/* T-NET-7: Windows writes RCR and TCR byte by byte. */
static void test_byte_writes_merge(void **state)
{
    set(RCR, 4, 0x0000e70f);
    set(RCR, 1, 0x0e);
    assert_int_equal(get(RCR, 4), 0x0000e70e);
    set(RCR + 1, 1, 0x10);
    assert_int_equal(get(RCR, 4), 0x0000100e);
    set(TCR + 1, 1, 0x07);
    set(TCR + 3, 1, 0xff);
    assert_int_equal(get(TCR, 4), 0x77800700);
    assert_int_equal(get(TCR + 3, 1), 0x77);
    set(MAR0 + 3, 2, 0xbeef); /* across two dwords */
    assert_int_equal(get(MAR0, 4), 0xef000000);
    assert_int_equal(get(MAR4, 4), 0x000000be);
    assert_int_equal(get(MAR0 + 3, 2), 0xbeef);
    set(TSD0, 1, 0x40); /* OWN stays as it is: nothing starts */
    assert_int_equal(get(TSD0, 4), TSD_OWN | 0x40);
}

/* T-NET-15: the line is a level; W1C; masks do not hide what has come. */
static void test_interrupt_level(void **state)
{
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    assert_int_equal(get(REG_ISR, 2), INT_SWINT);
    assert_false(line());
    set(IMR, 2, INT_SWINT);
    assert_true(line());
    set(REG_ISR, 2, 0);
    set(REG_ISR, 1, 0xff);
    assert_true(line());
    set(REG_ISR + 1, 1, 0xff);
    assert_false(line());
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    set(REG_ISR, 2, (uint16_t)~INT_SWINT);
    assert_int_equal(get(REG_ISR, 2), INT_SWINT);
    set(IMR, 2, (uint16_t)~INT_SWINT);
    assert_false(line());
}

static void test_software_reset(void **state)
{
    start_cplus(CPCR_CPTX | CPCR_CPRX);
    set(MAR0, 4, 0x11223344);
    set(IDR0, 4, 0);
    set(REG_TPPOLL, 1, TPPOLL_FSWINT);
    set(TIMERINT, 4, 100000);
    assert_true(line());
    set(REG_CR, 1, CR_RST);
    assert_false(line());
    assert_int_equal(get(REG_CR, 1), CR_BUFE);
    assert_int_equal(get(REG_ISR, 2) | get(IMR, 2) | get(CPCR, 2) | get(RDSAR, 4), 0);
    assert_int_equal(get(TIMERINT, 4) | get(TSAD0, 4), 0);
    assert_int_equal(get(IDR0, 4), 0x113e1600);
    assert_int_equal(get(MAR0, 4), 0x11223344);
    machine_advance(&rig.m, 10000000);
    assert_int_equal(get(REG_ISR, 2), 0);
}

/* CVE-2020-13754 and its like: an access at the end of the window does not leave it. */
static void test_cve_2020_13754_access_at_the_end_of_a_bar(void **state)
{
    for (unsigned size = 1; size <= 8; size *= 2)
        for (unsigned at = 0xf8; at < 0x100; at++) {
            (void)machine_read(&rig.m, NIC_MMIO + at, size);
            machine_write(&rig.m, NIC_MMIO + at, size, UINT64_MAX);
            if (size <= 4) {
                (void)get(at, size);
                set(at, size, 0xffffffff);
            }
        }
    assert_int_equal(get(0xff, 1), 0);
    assert_int_equal(machine_read(&rig.m, NIC_MMIO + 0xff, 2), 0xff00);
}

/* ---- MII --------------------------------------------------------------------------------------
 */

static void test_mii(void **state)
{
    set(REG_BMCR, 2, 0x2100);
    assert_int_equal(get(REG_BMCR, 2), 0x1000);
    set(CR9346, 1, EEM_CONFIG);
    set(REG_BMCR, 2, 0x2100);
    assert_int_equal(get(REG_BMCR, 2), 0x2100);
    assert_int_equal(get(MSR, 1), 0xd0);
    set(REG_BMCR, 2, 0x0000);
    assert_int_equal(get(MSR, 1), 0xd8);
    set(REG_BMCR, 2, 0x1200); /* restart: clears itself */
    assert_int_equal(get(REG_BMCR, 2), 0x1000);
    set(REG_ANAR, 2, 0x0061);
    set(REG_BMCR, 2, 0xa100);
    assert_int_equal(get(REG_BMCR, 2), 0x1000);
    assert_int_equal(get(REG_ANAR, 2), 0x05e1);
}

static void test_link(void **state)
{
    set(IMR, 2, INT_LINKCHG);
    fakenet_set_link(&rig.net, true);
    assert_false(line());
    fakenet_set_link(&rig.net, false);
    assert_true(line());
    assert_int_equal(get(REG_ISR, 2), INT_LINKCHG);
    assert_int_equal(get(MSR, 1), 0xd4);
    assert_int_equal(get(BMSR, 2), 0x7829);
    assert_int_equal(get(CSCR, 2), 0x0340);
    /* T-NET-13: a reset does not plug the cable in. */
    set(REG_CR, 1, CR_RST);
    assert_int_equal(get(MSR, 1), 0xd4);
    device_reset_all(rig.m.env.devices);
    assert_false(rig.nic->s->link);
    assert_int_equal(rig.nic->s->isr, 0);
}

/* ---- EEPROM -----------------------------------------------------------------------------------
 */

static void wires(unsigned bits)
{
    set(CR9346, 1, EEM_PROGRAM | bits);
}

static void bit_out(unsigned bit)
{
    wires(EECS | (bit ? EEDI : 0));
    wires(EECS | EESK | (bit ? EEDI : 0));
}

static unsigned bits_in(unsigned count)
{
    unsigned value = 0;

    while (count--) {
        wires(EECS);
        wires(EECS | EESK);
        value = value << 1 | (get(CR9346, 1) & EEDO);
    }
    return value;
}

static void bits_out(unsigned value, unsigned count)
{
    while (count--)
        bit_out(value >> count & 1);
}

static void deselect(void)
{
    wires(EECS);
    wires(0);
}

/* As drivers do it, with `width` address bits. */
static unsigned eeprom_read(unsigned address, unsigned width)
{
    unsigned value;

    wires(EECS);
    bits_out(6, 3);
    bits_out(address, width);
    if (width == 6)
        assert_int_equal(get(CR9346, 1) & EEDO, 0); /* the dummy */
    value = bits_in(16);
    deselect();
    return value;
}

static void eeprom_command(unsigned command)
{
    wires(EECS);
    bits_out(1u << 8 | command, 9);
}

static void test_eeprom_read(void **state)
{
    /* How drivers find out that it has six address bits. */
    assert_int_not_equal(eeprom_read(0, 8), 0x8129);
    assert_int_equal(eeprom_read(0, 6), 0x8129);
    assert_int_equal(eeprom_read(1, 6), 0x10ec);
    assert_int_equal(eeprom_read(2, 6), 0x8139);
    assert_int_equal(eeprom_read(7, 6), 0x1600);
    assert_int_equal(eeprom_read(8, 6), 0x113e);
    assert_int_equal(eeprom_read(9, 6), 0x3322);
    assert_int_equal(eeprom_read(63, 6), 0);
    set(CR9346, 1, 0);
    assert_int_equal(get(CR9346, 1), 0);
}

/* T-NET-6: a start bit may come without the chip select having gone. */
static void test_eeprom_reads_in_a_row(void **state)
{
    wires(EECS);
    for (unsigned i = 7; i < 10; i++) {
        bits_out(6, 3);
        bits_out(i, 6);
        assert_int_equal(bits_in(16), rig.nic->eeprom->word[i]);
    }
    deselect();
    /* Zeros before the start bit are no command. */
    wires(EECS);
    bits_out(0, 5);
    bits_out(6, 3);
    bits_out(0, 6);
    assert_int_equal(bits_in(16), 0x8129);
}

static void test_eeprom_write(void **state)
{
    eeprom_command(0x45); /* write without EWEN */
    bits_out(0xbeef, 16);
    deselect();
    assert_int_equal(eeprom_read(5, 6), 0);
    eeprom_command(0x30); /* EWEN */
    deselect();
    eeprom_command(0x45);
    bits_out(0xbeef, 16);
    deselect();
    wires(EECS);
    wires(EECS | EESK);
    assert_int_equal(get(CR9346, 1) & EEDO, EEDO); /* ready */
    deselect();
    assert_int_equal(eeprom_read(5, 6), 0xbeef);
    eeprom_command(0xc5); /* erase */
    deselect();
    assert_int_equal(eeprom_read(5, 6), 0xffff);
    eeprom_command(0x10); /* WRAL */
    bits_out(0x1234, 16);
    deselect();
    assert_int_equal(eeprom_read(0, 6), 0x1234);
    assert_int_equal(eeprom_read(63, 6), 0x1234);
    eeprom_command(0x20); /* ERAL */
    deselect();
    assert_int_equal(eeprom_read(33, 6), 0xffff);
    eeprom_command(0x00); /* EWDS */
    deselect();
    eeprom_command(0x45);
    bits_out(0x5555, 16);
    deselect();
    eeprom_command(0xc5);
    deselect();
    eeprom_command(0x20);
    deselect();
    assert_int_equal(eeprom_read(5, 6), 0xffff);
    /* What is written stays over a reset of the machine, and becomes the address. */
    device_reset_all(rig.m.env.devices);
    assert_int_equal(rig.nic->eeprom->word[5], 0xffff);
    assert_int_equal(rig.nic->s->idr[0], 0xff);
}

static void test_eeprom_autoload(void **state)
{
    set(IDR0, 4, 0);
    set(CR9346, 1, EEM_AUTOLOAD);
    assert_int_equal(get(IDR0, 4), 0x113e1600);
    assert_int_equal(get(CR9346, 1), 0);
}

/* ---- timer ------------------------------------------------------------------------------------
 */

static void test_tctr_counts(void **state)
{
    set(TCTR, 4, 0x12345678);
    assert_int_equal(get(TCTR, 4), 0);
    machine_advance(&rig.m, 3000);
    assert_int_equal(get(TCTR, 4), 100);
    set(TCTR + 2, 1, 0);
    assert_int_equal(get(TCTR, 4), 0);
}

/* T-NET-12: the comparison holds once a round, and 0 means never. */
static void test_timer_interrupt(void **state)
{
    const uint64_t round_ns = 30ull << 32;

    set(IMR, 2, INT_TIMEOUT);
    set(TCTR, 4, 0);
    set(TIMERINT, 4, 1000);
    machine_advance(&rig.m, 29000);
    assert_false(line());
    machine_advance(&rig.m, 2000);
    assert_true(line());
    set(REG_ISR, 2, INT_TIMEOUT);
    assert_false(line());
    machine_advance(&rig.m, round_ns - 2000);
    assert_false(line());
    machine_advance(&rig.m, 2000);
    assert_true(line());
    set(REG_ISR, 2, INT_TIMEOUT);
    /* Already gone by: the next round. */
    set(TIMERINT, 4, 0);
    set(TCTR, 4, 0);
    machine_advance(&rig.m, 60000);
    set(TIMERINT, 4, 1000);
    machine_advance(&rig.m, 1000000);
    assert_false(line());
    /* Just now: not at once either. */
    set(TIMERINT, 4, get(TCTR, 4));
    assert_false(line());
    set(TIMERINT, 4, 0);
    machine_advance(&rig.m, 2 * round_ns);
    assert_false(line());
}

#define T(f) cmocka_unit_test_setup_teardown(f, nicrig_setup, nicrig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_pci_identity),
        T(test_both_bars_show_the_same_registers),
        T(test_reset_values),
        T(test_writable_bits),
        T(test_config_write_mode),
        T(test_byte_writes_merge),
        T(test_interrupt_level),
        T(test_software_reset),
        T(test_cve_2020_13754_access_at_the_end_of_a_bar),
        T(test_mii),
        T(test_link),
        T(test_eeprom_read),
        T(test_eeprom_reads_in_a_row),
        T(test_eeprom_write),
        T(test_eeprom_autoload),
        T(test_tctr_counts),
        T(test_timer_interrupt),
    };

    return cmocka_run_group_tests_name("rtl8139 registers", tests, NULL, NULL);
}
