/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function's life on the bus: BARs, ROM, command register, INTx, configuration cycles. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/hw/pci/probe.h"

static void test_header(void **state)
{
    assert_int_equal(get(0, 4), 0x56781234);
    assert_int_equal(get(0x08, 4), 0x03008007);
    assert_int_equal(get(0x2c, 4), 0x11001af4);
    assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 2);
    assert_int_equal(get(0x50, 1), 0x5a);
    put(0, 4, 0);
    put(0x08, 4, 0);
    put(0x2c, 4, 0);
    put(PCI_INTERRUPT_PIN, 1, 0);
    assert_int_equal(get(0, 4), 0x56781234);
    assert_int_equal(get(0x08, 4), 0x03008007);
    assert_int_equal(get(0x2c, 4), 0x11001af4);
    assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 2);
    put(PCI_INTERRUPT_LINE, 1, 10);
    assert_int_equal(get(PCI_INTERRUPT_LINE, 1), 10);
    put(PCI_COMMAND, 2, 0xffff);
    assert_int_equal(get(PCI_COMMAND, 2), 0x0507);
}

static void test_absent_functions_read_ones(void **state)
{
    assert_int_equal(pci_config_read(m.env.pci, PCI_DEVFN(4, 1), 0, 2), 0xffff);
    assert_int_equal(pci_config_read(m.env.pci, PCI_DEVFN(31, 7), 0, 4), 0xffffffff);
    assert_int_equal(pci_config_read(m.env.pci, 0, 0x10, 1), 0xff);
    pci_config_write(m.env.pci, 0, 0x10, 4, 1);
}

static void test_sizing(void **state)
{
    static const uint32_t sizing[6] = {0xffffff01, 0xfffff000, 0xff000008, 0xff800008, 0, 0};

    for (unsigned i = 0; i < 6; i++) {
        put(0x10 + 4 * i, 4, 0xffffffff);
        assert_int_equal(get(0x10 + 4 * i, 4), sizing[i]);
    }
    put(PCI_ROM_ADDRESS, 4, 0xfffff800); /* as hvmloader does */
    assert_int_equal(get(PCI_ROM_ADDRESS, 4), 0xfffff800);
    put(PCI_ROM_ADDRESS, 4, 0xfffffffe); /* as SeaBIOS does */
    assert_int_equal(get(PCI_ROM_ADDRESS, 4), 0xfffff800);
}

/* Sizing with decoding on maps nothing at the end of the space. */
static void test_sizing_while_decoding(void **state)
{
    map_all();
    for (unsigned i = 0; i < 4; i++)
        put(0x10 + 4 * i, 4, 0xffffffff);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pci_bar_address(&probe.fn, i), PCI_UNMAPPED);
    assert_int_equal(machine_in(&m, 0xff10, 1), 0xff);
    assert_int_equal(probe.vram, PCI_UNMAPPED);
}

static void test_decoding_follows_the_command_register(void **state)
{
    put(0x10, 4, IO_AT);
    put(0x14, 4, MEM_AT);
    assert_int_equal(machine_in(&m, IO_AT + 0x21, 1), 0xff);
    put(PCI_COMMAND, 2, PCI_COMMAND_IO);
    assert_int_equal(machine_in(&m, IO_AT + 0x21, 1), 0x21);
    assert_int_equal(machine_read(&m, MEM_AT + 0x42, 1), 0xff);
    assert_int_equal(pci_bar_address(&probe.fn, 0), IO_AT);
    assert_int_equal(pci_bar_address(&probe.fn, 1), PCI_UNMAPPED);
    put(PCI_COMMAND, 1, PCI_COMMAND_MEMORY);
    assert_int_equal(machine_in(&m, IO_AT + 0x21, 1), 0xff);
    assert_int_equal(machine_read(&m, MEM_AT + 0x42, 1), 0x42);
    machine_write(&m, MEM_AT + 4, 4, 0x12345678);
    assert_int_equal(probe.written, 0x12345678);
    put(PCI_COMMAND, 2, 0);
    assert_int_equal(machine_read(&m, MEM_AT + 0x42, 1), 0xff);
    assert_int_equal(pci_bar_address(&probe.fn, 1), PCI_UNMAPPED);
}

static void test_bar_written_by_bytes(void **state)
{
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    put(0x17, 1, 0xf0);
    assert_int_equal(pci_bar_address(&probe.fn, 1), 0xf0000000);
    put(0x15, 2, 0x3420);
    assert_int_equal(pci_bar_address(&probe.fn, 1), 0xf0342000);
    assert_int_equal(machine_read(&m, 0xf0342010, 1), 0x10);
    assert_int_equal(machine_read(&m, 0xf0000010, 1), 0xff);
}

static void test_bus_master(void **state)
{
    assert_false(pci_bus_master(&probe.fn));
    put(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    assert_true(pci_bus_master(&probe.fn));
    pci_remove(&probe.fn);
    assert_false(pci_bus_master(&probe.fn));
}

static void test_rom(void **state)
{
    uint8_t buffer[32];

    probe.image[0] = 0x55;
    probe.image[1] = 0xaa;
    put(PCI_ROM_ADDRESS, 4, ROM_AT);
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(machine_read(&m, ROM_AT, 2), 0xffff); /* not enabled */
    put(PCI_ROM_ADDRESS, 4, ROM_AT | 1);
    assert_int_equal(machine_read(&m, ROM_AT, 2), 0xaa55);
    assert_int_equal(machine_read(&m, ROM_AT + 2044, 4), 0x77777777);
    machine_write(&m, ROM_AT, 1, 0);
    assert_int_equal(probe.image[0], 0x55);
    memset(buffer, 0, sizeof(buffer));
    io_read_string(m.env.io, IO_MEMORY, ROM_AT + 2048 - 16, 2, 1, buffer, 16);
    for (unsigned i = 0; i < 32; i++) /* the second half lies behind the ROM */
        assert_int_equal(buffer[i], i < 16 ? 0x77 : 0xff);
    put(PCI_COMMAND, 2, 0);
    assert_int_equal(machine_read(&m, ROM_AT, 2), 0xffff);
}

/* A ROM in a file, which is shorter than the BAR, and which somebody cuts off and writes over. */
static void test_rom_in_a_file(void **state)
{
    FILE *file = tmpfile();
    uint8_t content[1000], buffer[2048];

    assert_non_null(file);
    memset(content, 0x33, sizeof(content));
    assert_int_equal(pwrite(fileno(file), content, sizeof(content), 0), sizeof(content));
    probe.rom.image = NULL;
    probe.rom.fd = fileno(file);
    probe.rom.file_size = sizeof(content);
    put(PCI_ROM_ADDRESS, 4, ROM_AT | 1);
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(machine_read(&m, ROM_AT + 998, 4), 0xffff3333);
    assert_int_equal(machine_read(&m, ROM_AT + 1000, 4), 0xffffffff);
    io_read_string(m.env.io, IO_MEMORY, ROM_AT, 4, 1, buffer, 512);
    for (unsigned i = 0; i < sizeof(buffer); i++)
        assert_int_equal(buffer[i], i < sizeof(content) ? 0x33 : 0xff);

    assert_int_equal(ftruncate(fileno(file), 500), 0);
    assert_int_equal(machine_read(&m, ROM_AT + 498, 4), 0xffff3333);
    assert_int_equal(machine_read(&m, ROM_AT + 996, 4), 0xffffffff);
    /* Longer than it was: what was not there at first stays away. */
    assert_int_equal(ftruncate(fileno(file), 2000), 0);
    assert_int_equal(machine_read(&m, ROM_AT + 998, 4), 0xffff0000);
    fclose(file);
    /* Nothing can be read any more. */
    probe.rom.fd = -1;
    assert_int_equal(machine_read(&m, ROM_AT, 4), 0xffffffff);
}

static void test_untrapped_bar_is_told_where_it_is(void **state)
{
    put(0x1c, 4, 0xe0000000);
    assert_int_equal(probe.moves, 0);
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(probe.vram, 0xe0000000);
    put(0x1c, 4, 0xe1000000);
    assert_int_equal(probe.vram, 0xe1000000);
    put(PCI_INTERRUPT_LINE, 1, 5);
    assert_int_equal(probe.moves, 2);
    put(PCI_COMMAND, 2, 0);
    assert_int_equal(probe.vram, PCI_UNMAPPED);
    assert_int_equal(probe.moves, 3);
}

/* BAR 2 has no handler: only its place is known, and reads find nobody. */
static void test_bar_without_handler(void **state)
{
    put(0x18, 4, 0xf2000000);
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(pci_bar_address(&probe.fn, 2), 0xf2000000);
    assert_int_equal(machine_read(&m, 0xf2000000, 4), 0xffffffff);
}

/* The old place is given up before the new one is taken, also when they overlap. */
static void test_bar_moves_onto_itself(void **state)
{
    put(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    put(0x10, 4, IO_AT);
    put(0x14, 4, MEM_AT);
    put(0x14, 4, MEM_AT + 0x1000);
    assert_int_equal(machine_read(&m, MEM_AT + 0x1004, 1), 0x04);
    assert_int_equal(machine_read(&m, MEM_AT + 4, 1), 0xff);
}

static void test_overlap_is_refused_until_the_other_leaves(void **state)
{
    put(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    put_other(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    put(0x14, 4, MEM_AT);
    put_other(0x14, 4, MEM_AT);
    assert_int_equal(pci_bar_address(&other.fn, 1), PCI_UNMAPPED);
    machine_write(&m, MEM_AT, 1, 0x99);
    assert_int_equal(probe.written, 0x99);
    assert_int_equal(other.written, 0);
    put(0x14, 4, MEM_AT + 0x10000);
    assert_int_equal(pci_bar_address(&other.fn, 1), MEM_AT);
    machine_write(&m, MEM_AT, 1, 0x98);
    assert_int_equal(other.written, 0x98);
    assert_int_equal(probe.written, 0x99);
}

static void test_overlap_ends_with_unplug(void **state)
{
    put(PCI_COMMAND, 2, PCI_COMMAND_IO);
    put_other(PCI_COMMAND, 2, PCI_COMMAND_IO);
    put(0x10, 4, IO_AT);
    put_other(0x10, 4, IO_AT);
    assert_int_equal(pci_bar_address(&other.fn, 0), PCI_UNMAPPED);
    pci_remove(&probe.fn);
    assert_int_equal(pci_bar_address(&other.fn, 0), IO_AT);
}

static void test_unaligned_and_row_crossing_cycles(void **state)
{
    put(0x41, 4, 0x44332211);
    assert_int_equal(get(0x40, 4), 0x33221100);
    assert_int_equal(get(0x43, 2), 0x4433);
    assert_int_equal(get(0x3f, 2), 0x0000);
    put(0xfd, 4, 0xddccbbaa);
    assert_int_equal(get(0xfd, 4), 0xffccbbaa);
    assert_int_equal(get(0xff, 4), 0xffffffcc);
    assert_int_equal(get(0xff, 2), 0xffcc);
    assert_int_equal(get(256, 4), 0xffffffff);
    put(256, 4, 0);
    put(4000000000u, 4, 0);
    assert_int_equal(get(4000000000u, 4), 0xffffffff);
    assert_int_equal(probe.config_writes, 2);
}

static void test_intx(void **state)
{
    pci_set_irq(&probe.fn, true);
    assert_true(m.intx[4][1]);
    assert_int_equal(get(PCI_STATUS, 1) & 8, 8);
    put(PCI_COMMAND, 2, 0x400); /* interrupts disabled */
    assert_false(m.intx[4][1]);
    put(PCI_COMMAND, 2, 0);
    assert_true(m.intx[4][1]);
    pci_set_irq(&probe.fn, false);
    assert_false(m.intx[4][1]);
    assert_int_equal(get(PCI_STATUS, 1) & 8, 0);
}

static void test_bad_functions_are_refused(void **state)
{
    struct probe bad;

    probe_describe(&bad, "bad", PCI_DEVFN(4, 0));
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EEXIST);
    bad.fn.devfn = PCI_DEVFN(6, 0);
    bad.fn.interrupt_pin = 5;
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EINVAL);
    bad.fn.interrupt_pin = 0;
    bad.fn.bar[1].size = 4095;
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EINVAL);
    bad.fn.bar[1].size = 8;
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EINVAL);
    bad.fn.bar[1].size = 4096;
    bad.fn.bar[1].moved = probe_moved; /* and trapped */
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EINVAL);
    bad.fn.bar[1].moved = NULL;
    bad.fn.bar[5] = bad.fn.bar[PCI_BAR_ROM];
    assert_int_equal(pci_add(m.env.pci, &bad.fn), -EINVAL);
    assert_int_equal(pci_config_read(m.env.pci, PCI_DEVFN(6, 0), 0, 4), 0xffffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_header),
        CASE(test_absent_functions_read_ones),
        CASE(test_sizing),
        CASE(test_sizing_while_decoding),
        CASE(test_decoding_follows_the_command_register),
        CASE(test_bar_written_by_bytes),
        CASE(test_bus_master),
        CASE(test_rom),
        CASE(test_rom_in_a_file),
        CASE(test_untrapped_bar_is_told_where_it_is),
        CASE(test_bar_without_handler),
        CASE(test_bar_moves_onto_itself),
        CASE(test_overlap_is_refused_until_the_other_leaves),
        CASE(test_overlap_ends_with_unplug),
        CASE(test_unaligned_and_row_crossing_cycles),
        CASE(test_intx),
        CASE(test_bad_functions_are_refused),
    };

    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
