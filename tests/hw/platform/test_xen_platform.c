/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen platform device: protocol, blacklist, log, ROM lock, unplug. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dm/log.h"
#include "hw/pci/pci.h"
#include "hw/platform/xen_platform.h"
#include "tests/harness/machine.h"
#include "tests/harness/tap.h"

#define SLOT  PCI_DEVFN(2, 0)
#define BAR0  0xc000
#define MAGIC 0x49d2

static struct machine m;
static struct xen_platform *platform;

/* What has been unplugged, as the other side of the operations sees it. */
static unsigned disk_calls, aux_calls, nic_calls, nvme_calls;

static void unplug_disks(void *opaque, bool aux_only)
{
    assert_ptr_equal(opaque, &m);
    if (aux_only)
        aux_calls++;
    else
        disk_calls++;
}

static void unplug_nics(void *opaque)
{
    nic_calls++;
}

static void unplug_nvme(void *opaque)
{
    nvme_calls++;
}

static unsigned questions;

static bool blacklisted(void *list, uint16_t product, uint32_t build)
{
    assert_ptr_equal(list, &questions);
    assert_int_not_equal(product, 0);
    questions++;
    return (product == 3 && build == 0xbad) || (product == 1 && build == 0x12345678);
}

static int setup(void **state)
{
    struct xen_platform_config config = {
        .devfn = SLOT,
        .unplug = {unplug_disks, unplug_nics, unplug_nvme, &m},
        .blacklisted = blacklisted,
        .blacklist = &questions,
    };

    questions = disk_calls = aux_calls = nic_calls = nvme_calls = 0;
    machine_init_pci(&m);
    assert_int_equal(xen_platform_create(&platform, &m.env, &config), 0);
    machine_start(&m);
    return 0;
}

static int teardown(void **state)
{
    machine_fini(&m);
    return 0;
}

static uint32_t get(unsigned reg, unsigned size)
{
    return pci_config_read(m.env.pci, SLOT, reg, size);
}

static void map_bars(void)
{
    pci_config_write(m.env.pci, SLOT, 0x10, 4, BAR0);
    pci_config_write(m.env.pci, SLOT, 0x14, 4, 0xf2000000);
    pci_config_write(m.env.pci, SLOT, PCI_COMMAND, 2, 7);
}

static void identify(uint16_t product, uint32_t build)
{
    machine_out(&m, 0x12, 2, product);
    machine_out(&m, 0x10, 4, build);
}

static unsigned calls(void)
{
    return disk_calls + aux_calls + nic_calls + nvme_calls;
}

static void test_pci_function(void **state)
{
    assert_int_equal(get(0, 4), 0x00015853);
    assert_int_equal(get(0x08, 4), 0xff800001);
    assert_int_equal(get(0x2c, 4), 0x00015853);
    assert_int_equal(get(PCI_COMMAND, 2), 3);
    assert_int_equal(get(PCI_INTERRUPT_PIN, 1), 1);
    pci_config_write(m.env.pci, SLOT, 0x10, 4, 0xffffffff);
    pci_config_write(m.env.pci, SLOT, 0x14, 4, 0xffffffff);
    assert_int_equal(get(0x10, 4), 0xffffff01);
    assert_int_equal(get(0x14, 4), 0xff000008);
}

static void test_bar1_is_address_space_only(void **state)
{
    map_bars();
    assert_int_equal(get(0x14, 4), 0xf2000008);
    assert_int_equal(machine_read(&m, 0xf2000000, 4), 0xffffffff);
    machine_write(&m, 0xf2000000, 4, 0);
}

static void test_vector_11_magic_and_version(void **state)
{
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
    assert_int_equal(machine_in(&m, 0x12, 1), 1);
}

static void test_width_selects_the_register(void **state)
{
    assert_int_equal(machine_in(&m, 0x10, 1), 0);
    assert_int_equal(machine_in(&m, 0x10, 4), 0xffffffff);
    assert_int_equal(machine_in(&m, 0x11, 1), 0xff);
    assert_int_equal(machine_in(&m, 0x11, 2), 0xffff);
    assert_int_equal(machine_in(&m, 0x12, 2), 0xffff);
    assert_int_equal(machine_in(&m, 0x13, 1), 0xff);
    machine_out(&m, 0x11, 1, 0xff);
    machine_out(&m, 0x11, 2, 0xffff);
    machine_out(&m, 0x13, 1, 0xff);
    assert_int_equal(calls(), 0);
    assert_int_equal(machine_in(&m, 0x14, 1), 0xff);
    assert_int_equal(machine_in(&m, 0x1f, 1), 0xff);
}

static void test_vector_12_unplug_disks_and_nics(void **state)
{
    machine_out(&m, 0x10, 2, 3);
    assert_int_equal(disk_calls, 1);
    assert_int_equal(nic_calls, 1);
    assert_int_equal(aux_calls + nvme_calls, 0);
    assert_int_equal(get(0, 4), 0x00015853); /* itself it stays */
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
}

static void test_unplug_mask(void **state)
{
    machine_out(&m, 0x10, 2, 0);
    machine_out(&m, 0x10, 2, 0xfff0);
    assert_int_equal(calls(), 0);
    machine_out(&m, 0x10, 2, 4);
    assert_int_equal(aux_calls, 1);
    machine_out(&m, 0x10, 2, 8);
    assert_int_equal(nvme_calls, 1);
    machine_out(&m, 0x10, 2, 5); /* all disks covers the auxiliary ones */
    assert_int_equal(aux_calls, 1);
    assert_int_equal(disk_calls, 1);
    assert_int_equal(nic_calls, 0);
}

/* T-PLAT-4: neither a build number nor a byte is an unplug mask. */
static void test_only_a_word_unplugs(void **state)
{
    machine_out(&m, 0x10, 4, 0x0000000f);
    machine_out(&m, 0x10, 1, 0x0e);
    machine_out(&m, 0x12, 2, 0x000f);
    machine_out(&m, 0x12, 1, 0x0f);
    assert_int_equal(calls(), 0);
}

static void test_legacy_unplug_in_bar0(void **state)
{
    map_bars();
    machine_out(&m, BAR0 + 8, 1, 1);
    assert_int_equal(disk_calls, 1);
    assert_int_equal(nic_calls, 0);
    machine_out(&m, BAR0 + 8, 1, 2);
    assert_int_equal(nic_calls, 1);
    machine_out(&m, BAR0 + 4, 1, 2);
    assert_int_equal(calls(), 2);
    machine_out(&m, BAR0 + 4, 1, 1);
    assert_int_equal(disk_calls, 2);
    assert_int_equal(nic_calls, 2);
    assert_int_equal(machine_in(&m, BAR0 + 4, 1), 0xff);
    assert_int_equal(machine_in(&m, BAR0 + 0xff, 1), 0xff);
}

/* Unplugging twice: the operations are asked again and have to bear it; nothing else changes. */
static void test_cve_2015_5166_unplug_repeated(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        machine_out(&m, 0x10, 2, 0xffff);
    assert_int_equal(disk_calls, 100);
    assert_int_equal(aux_calls, 0);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
    assert_null(machine_save_load(&m));
    machine_out(&m, 0x10, 2, 1);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
}

/* Nobody to unplug is no reason to fail. */
static void test_unplug_without_operations(void **state)
{
    struct xen_platform_config config = {.devfn = PCI_DEVFN(3, 0)};

    machine_fini(&m);
    machine_init_pci(&m);
    assert_int_equal(xen_platform_create(&platform, &m.env, &config), 0);
    machine_start(&m);
    machine_out(&m, 0x10, 2, 0x0f);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
}

static void test_unplug_is_done_again_after_restore(void **state)
{
    machine_out(&m, 0x10, 2, 6);
    assert_null(machine_save_load(&m));
    assert_int_equal(aux_calls, 2);
    assert_int_equal(nic_calls, 2);
    assert_int_equal(disk_calls, 0);
    machine_out(&m, 0x10, 2, 6); /* the driver repeats it after a resume */
    assert_int_equal(nic_calls, 3);
}

static void test_blacklist(void **state)
{
    machine_out(&m, 0x12, 2, 3);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC); /* the build is not known yet */
    machine_out(&m, 0x10, 4, 0xbad);
    assert_int_equal(machine_in(&m, 0x10, 2), 0xd249);
    machine_out(&m, 0x10, 2, 3);
    assert_int_equal(calls(), 0);
    assert_null(machine_save_load(&m));
    assert_int_equal(machine_in(&m, 0x10, 2), 0xd249);
    identify(3, 0xbae); /* another driver */
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
    machine_out(&m, 0x10, 2, 3);
    assert_int_equal(calls(), 2);
    identify(1, 0x12345678);
    assert_int_equal(machine_in(&m, 0x10, 2), 0xd249);
    identify(0, 7); /* from an unknown name in the list */
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
}

static void test_product_names(void **state)
{
    assert_int_equal(xen_platform_product("linux"), 3);
    assert_int_equal(xen_platform_product("xensource-windows"), 1);
    assert_int_equal(xen_platform_product("experimental"), 0xffff);
    assert_int_equal(xen_platform_product("../../etc"), 0);
    assert_int_equal(xen_platform_product(""), 0);
}

static void test_rom_lock(void **state)
{
    machine_out(&m, 0x10, 1, 1);
    assert_int_equal(machine_in(&m, 0x10, 1), 1);
    assert_true(m.protected_frames[0xc0]);
    assert_true(m.protected_frames[0xff]);
    assert_false(m.protected_frames[0xbf]);
    machine_out(&m, 0x10, 1, 0xfe);
    assert_int_equal(machine_in(&m, 0x10, 1), 0);
    assert_false(m.protected_frames[0xc0]);
    map_bars();
    machine_out(&m, BAR0, 1, 1);
    assert_int_equal(machine_in(&m, BAR0, 1), 1);
    assert_true(m.protected_frames[0xff]);
    memset(m.protected_frames, 0, sizeof(m.protected_frames));
    assert_null(machine_save_load(&m));
    assert_true(m.protected_frames[0xc0]);
    device_reset_all(m.env.devices);
    assert_false(m.protected_frames[0xc0]);
}

/* ---- the log --------------------------------------------------------------------------------- */

static FILE *capture;
static int saved_stderr;

static void capture_begin(void)
{
    capture = tmpfile();
    assert_non_null(capture);
    fflush(stderr);
    saved_stderr = dup(2);
    dup2(fileno(capture), 2);
}

static size_t capture_end(char *text, size_t size)
{
    fflush(stderr);
    dup2(saved_stderr, 2);
    close(saved_stderr);
    rewind(capture);
    size_t length = fread(text, 1, size - 1, capture);
    text[length] = '\0';
    fclose(capture);
    return length;
}

static void say(const char *text)
{
    for (; *text; text++)
        machine_out(&m, 0x12, 1, (uint8_t)*text);
}

static void test_log_line(void **state)
{
    static char text[8192];

    capture_begin();
    say("hello, \rwor");
    assert_null(machine_save_load(&m)); /* half a line survives */
    say("ld\033[31m\200\n");
    capture_end(text, sizeof(text));
    assert_non_null(strstr(text, "guest: hello, world?[31m?\n"));
    assert_null(strchr(text, '\033'));
}

static void test_log_without_newline_is_flushed_at_4_kib(void **state)
{
    static char text[32768];
    unsigned count = 0;

    capture_begin();
    for (unsigned i = 0; i < 4095; i++)
        machine_out(&m, 0x12, 1, 'x');
    size_t length = capture_end(text, sizeof(text));
    for (size_t i = 0; i < length; i++)
        count += text[i] == 'x';
    assert_int_equal(count, 4095);
}

/* A guest that writes without end fills neither memory nor the host's disk. */
static void test_cve_2014_3672_log_flood(void **state)
{
    static char text[65536];

    size_t before = log_guest_bytes();
    capture_begin();
    for (unsigned i = 0; i < 200000; i++)
        machine_out(&m, 0x12, 1, i % 10 == 9 ? '\n' : 'y');
    map_bars();
    for (unsigned i = 0; i < 200000; i++)
        machine_out(&m, BAR0 + 8, 1, i % 10 == 9 ? '\n' : 'y');
    for (unsigned i = 0; i < 10000; i++) {
        identify(3, 0xbad);
        machine_out(&m, 0x10, 2, 3);
    }
    capture_end(text, sizeof(text));
    assert_true(log_guest_bytes() - before < 20000);
}

/* Numbers of the guest are compared as numbers and never become part of a path. */
static void test_driver_identity_is_numbers_only(void **state)
{
    identify(0xffff, 0xffffffff);
    identify(0, 0);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
}

static int corrupt(void *opaque, const char *name, const struct state_desc *desc, void *state)
{
    if (strcmp(name, "xen-platform") != 0)
        return 0;
    for (size_t i = 0; i < desc->nfields; i++)
        if (strcmp(desc->fields[i].name, opaque) == 0)
            state_set(&desc->fields[i], state, 0, UINT64_MAX);
    const char *wrong = state_check(desc, state);
    return wrong && strcmp(wrong, opaque) == 0;
}

static void test_hostile_saved_state_is_refused(void **state)
{
    char length[] = "log_length", unplugged[] = "unplugged", flags[] = "flags";
    char *fields[] = {flags, unplugged, length};

    for (unsigned i = 0; i < 3; i++) {
        if (i) {
            teardown(state);
            setup(state);
        }
        assert_int_equal(arena_each(m.env.arena, corrupt, fields[i]), 1);
    }
}

static void test_state_table_is_sound(void **state)
{
    assert_null(machine_table_flaw(&m));
}

static void test_reset(void **state)
{
    identify(3, 0xbad);
    machine_out(&m, 0x10, 2, 1);
    device_reset_all(m.env.devices);
    assert_int_equal(machine_in(&m, 0x10, 2), MAGIC);
    assert_int_equal(get(PCI_COMMAND, 2), 3);
}

static void test_interrupt_is_never_driven(void **state)
{
    map_bars();
    machine_out(&m, 0x10, 2, 0x0f);
    say("x\n");
    assert_int_equal(m.intx_rises[2][0], 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: together they spend the burst of ten lines that the log allows. */
        CASE(test_log_line),
        CASE(test_log_without_newline_is_flushed_at_4_kib),
        CASE(test_pci_function),
        CASE(test_bar1_is_address_space_only),
        CASE(test_vector_11_magic_and_version),
        CASE(test_width_selects_the_register),
        CASE(test_vector_12_unplug_disks_and_nics),
        CASE(test_unplug_mask),
        CASE(test_only_a_word_unplugs),
        CASE(test_legacy_unplug_in_bar0),
        CASE(test_cve_2015_5166_unplug_repeated),
        CASE(test_unplug_without_operations),
        CASE(test_unplug_is_done_again_after_restore),
        CASE(test_blacklist),
        CASE(test_product_names),
        CASE(test_rom_lock),
        CASE(test_cve_2014_3672_log_flood),
        CASE(test_driver_identity_is_numbers_only),
        CASE(test_hostile_saved_state_is_refused),
        CASE(test_state_table_is_sound),
        CASE(test_reset),
        CASE(test_interrupt_is_never_driven),
    };

    return cmocka_run_group_tests_name("xen_platform", tests, NULL, NULL);
}
