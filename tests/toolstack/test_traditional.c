/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of qemu-dm, as libxl 4.17 and xend 4.1 give it, and its disks in xenstore. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline_test.h"
#include "toolstack/traditional.h"

#define TRAD "-d 5 -domain-name g "

static void assert_pci(const struct config *c, unsigned n, enum config_pci_kind kind, unsigned slot)
{
    assert_true(n < c->pci_count);
    assert_int_equal(c->pci[n].kind, kind);
    assert_int_equal(c->pci[n].slot, slot);
    assert_int_equal(c->pci[n].function, 0);
    assert_true(c->pci[n].built);
}

/* --- whole command lines ------------------------------------------------------------------------
 */

static void test_libxl_smallest(void **state)
{
    const struct config *c = accept_line(
        "-d 3 -domain-name legacy -vnc 127.0.0.1:0 -vncunused -serial pty -videoram 4 -boot cda "
        "-acpi -vcpu_avail 0x01 "
        "-net nic,vlan=0,macaddr=00:16:3e:01:02:03,model=rtl8139 "
        "-net tap,vlan=0,ifname=vif3.0-emu,bridge=xenbr0,script=no,downscript=no -M xenfv");

    assert_int_equal(c->mode, CONFIG_MODE_HVM);
    assert_true(c->traditional);
    assert_string_equal(c->save_dir, "/var/lib/xen");
    assert_int_equal(c->domid, 3);
    assert_string_equal(c->name, "legacy");
    assert_int_equal(c->monitor_count, 0);
    assert_int_equal(c->vnc_count, 1);
    assert_int_equal(c->vnc[0].display, 0);
    assert_int_equal(c->vnc[0].to, 65535 - 5900);
    assert_false(c->vnc[0].password);
    assert_true(c->serial[0].present);
    assert_int_equal(c->chardev[c->serial[0].chardev].kind, CONFIG_CHARDEV_PTY);
    assert_string_equal(c->boot_order, "cda");
    assert_true(c->acpi);
    assert_int_equal(c->vcpus, 1);
    assert_int_equal(c->maxvcpus, 1);
    assert_int_equal(c->vga.kind, CONFIG_VGA_CIRRUS);
    assert_int_equal(c->vga.vgamem_mb, 4);
    assert_int_equal(c->drive_count, 0);
    assert_int_equal(parse_messages.notice_count, 0);

    /* As guests of qemu-dm know them: 02 display, 03 platform device, 04 first card. */
    assert_int_equal(c->pci_count, 3);
    assert_pci(c, 0, CONFIG_PCI_VGA, 2);
    assert_pci(c, 1, CONFIG_PCI_PLATFORM, 3);
    assert_pci(c, 2, CONFIG_PCI_NIC, 4);
    assert_int_equal(c->nic[0].pci, 2);
    assert_int_equal(c->nic[0].mac[5], 3);
    assert_string_equal(c->netdev[c->nic[0].netdev].ifname, "vif3.0-emu");
}

static void test_libxl_restore(void **state)
{
    const struct config *c = accept_line(
        "-d 4 -domain-name legacy -vnc 0.0.0.0:1,password -k en-us -videoram 8 -std-vga -boot c "
        "-usb -usbdevice tablet -acpi -vcpus 4 -vcpu_avail 0x03 -net none "
        "-loadvm /var/lib/xen/qemu-resume.4 -M xenfv");

    assert_int_equal(c->vga.kind, CONFIG_VGA_STD);
    assert_int_equal(c->vga.vgamem_mb, 8);
    assert_true(c->vnc[0].password);
    assert_int_equal(c->vnc[0].to, 0);
    assert_string_equal(c->keymap, "en-us");
    assert_int_equal(c->vcpus, 2);
    assert_int_equal(c->maxvcpus, 4);
    assert_true(c->usb);
    assert_string_equal(c->usb_device[0].name, "tablet");
    assert_string_equal(c->incoming_file, "/var/lib/xen/qemu-resume.4");
    assert_false(c->start_paused);
}

/* VNC and SDL off, no adapter, sound, many processors, arguments of the configuration. */
static void test_libxl_others(void **state)
{
    const struct config *c =
        accept_line("-d 7 -domain-name \"a b,c=d\" -nographic -serial none -serial "
                    "tcp:127.0.0.1:4444,server,nowait "
                    "-nographic -videoram 16 -vga none -boot n -soundhw ac97,es1370 -vcpus 16 "
                    "-vcpu_avail 0x00ff -net none -no-fd-bootchk -M xenfv -fda /srv/f.img");

    assert_string_equal(c->name, "a b,c=d");
    assert_false(c->acpi);
    assert_int_equal(c->vga.kind, CONFIG_VGA_NONE);
    assert_false(c->serial[0].present);
    assert_true(c->serial[1].present);
    assert_int_equal(c->vcpus, 8);
    assert_int_equal(c->maxvcpus, 16);
    assert_false(c->floppy_bootchk);
    assert_int_equal(c->floppy[0], 0);
    assert_pci(c, 0, CONFIG_PCI_PLATFORM, 2);

    c = accept_line("-d 8 -domain-name s -sdl -disable-opengl -k de -videoram 4 -boot cda -acpi "
                    "-vcpus 128 -vcpu_avail 0xffffffffffffffffffffffffffffffff -net none -M xenfv");
    assert_true(c->sdl);
    assert_int_equal(c->vcpus, 128);
}

static void test_xend(void **state)
{
    const struct config *c = accept_line(
        "-d 2 -domain-name xp -videoram 4 -vnc 127.0.0.1:0 -vncunused -vcpus 1 -vcpu_avail 0x1 "
        "-boot c -localtime -serial pty -acpi -usb -usbdevice tablet "
        "-net nic,vlan=1,macaddr=00:16:3e:aa:bb:cc,model=rtl8139 "
        "-net tap,vlan=1,ifname=tap2.0,bridge=xenbr0 -M xenfv");

    assert_int_equal(c->domid, 2);
    assert_string_equal(c->netdev[c->nic[0].netdev].ifname, "tap2.0");
    assert_string_equal(c->netdev[c->nic[0].netdev].bridge, "xenbr0");
    assert_true(noticed("no script is ever run"));
    assert_int_equal(parse_messages.notice_count, 1);

    /* Two cards and what else xend had. */
    c = accept_line("-d 6 -domain-name old -videoram 8 -k fr -vnc 127.0.0.1:6,password "
                    "-parallel none -monitor null -vcpus 2 -vcpu_avail 0x3 -boot cd -fda /f.img "
                    "-soundhw sb16 -serial /dev/ttyS1 -std-vga -acpi "
                    "-net nic,vlan=1,macaddr=00:16:3e:00:00:01,model=e1000 "
                    "-net tap,vlan=1,ifname=tap6.0,bridge=br0 "
                    "-net nic,vlan=2,macaddr=00:16:3e:00:00:02,model=ne2k_pci "
                    "-net tap,vlan=2,ifname=tap6.1,bridge=br1 "
                    "-M xenfv -loadvm /var/lib/xen/qemu-resume.6");
    assert_int_equal(c->nic_count, 2);
    assert_pci(c, 2, CONFIG_PCI_NIC, 4);
    assert_pci(c, 3, CONFIG_PCI_NIC, 5);
    assert_string_equal(c->netdev[c->nic[1].netdev].ifname, "tap6.1");
    assert_int_equal(c->serial[0].chardev >= 0, true);
}

static void test_defaults(void **state)
{
    const struct config *c = accept_line(TRAD "-std-vga -M xenfv");

    assert_int_equal(c->vga.vgamem_mb, 8);
    c = accept_line(TRAD "-device VGA,vgamem_mb=16 -M xenfv");
    assert_int_equal(c->vga.kind, CONFIG_VGA_STD);
    assert_int_equal(c->vga.vgamem_mb, 16);
    c = accept_line(TRAD "-M pc");
    assert_false(c->platform_pci);
    c = accept_line(TRAD "-vnc unix:/run/v -vncunused -save-dir /srv/saves -M xenfv");
    assert_string_equal(c->save_dir, "/srv/saves");
    c = accept_line(TRAD "-vcpus 2 -vcpu_avail 0xf -M xenfv");
    assert_int_equal(c->vcpus, 2);
    assert_true(noticed("the first 2 start online"));
    c = accept_line(TRAD "-vcpus 8 -vcpu_avail 0xd -M xenfv");
    assert_int_equal(c->vcpus, 1);
    assert_true(noticed("the vCPUs above the first gap"));
    /* In the other dialect -d is something else, and -acpi nothing. */
    c = accept_line(HVM "-d unimp");
    assert_false(c->traditional);
    refuse_line(HVM "-acpi", "unsupported option -acpi");
}

static void test_refused(void **state)
{
    static const struct refusal bad[] = {
        {"-d 0 -domain-name x", "-d 0: not accepted"},
        {"-d 3 -domain-name", "-domain-name: the value is missing"},
        {"-domain-name x -d 3", "-domain-name x|accepted: -d N"},
        {"-d x -domain-name y", "-domain-name y|begins with the domain"},
        {TRAD "-vcpus 0", "-vcpus 0: not accepted"},
        {TRAD "-vcpus 129", "-vcpus 129"},
        {TRAD "-vcpu_avail 0x", "-vcpu_avail 0x: not accepted; accepted: a bit a vCPU"},
        {TRAD "-vcpu_avail 0xg", "-vcpu_avail 0xg"},
        {TRAD "-vcpu_avail 0x100000000000000000000000000000000", "up to 128"},
        {TRAD "-vcpu_avail 0x2", "vCPU 0 is always online"},
        {TRAD "-videoram 0", "-videoram 0"},
        {TRAD "-gfx_passthru", "-gfx_passthru: graphics passthrough"},
        {TRAD "-isa", "-isa: a machine without PCI"},
        {TRAD "-xen-domid 5", "-xen-domid 5|-d already"},
        {TRAD "-xen-attach", "-xen-attach"},
        {TRAD "-xen-domid-restrict", "-xen-domid-restrict|xenstore"},
        {TRAD "-kernel /vmlinuz", "-kernel /vmlinuz: direct kernel boot is not built yet"},
        {TRAD "-save-dir \"\"", "-save-dir|empty"},
        {TRAD "-vnc 127.0.0.1:0,password,tls", "tls is not supported"},
        {TRAD "-net tap,vlan=1,ifname=tap2.0,script=/etc/x", "no script is ever run"},
        {TRAD "-std-vga -device VGA", "has a VGA already"},
        {TRAD "-bogus", "unsupported option -bogus"},
    };

    REFUSE_ALL(bad);
}

/* --- disks --------------------------------------------------------------------------------------
 */

#define FRONTEND "/local/domain/5/device/vbd/768"
#define BACKEND  "/local/domain/0/backend/qdisk/5/768"
#define DISK(d, p, t, m, k)                                                                        \
    {                                                                                              \
        .frontend = FRONTEND, .backend = BACKEND, .dev = d, .params = p, .type = t, .mode = m,     \
        .device_type = k                                                                           \
    }

static struct config *disk_config;
static struct config_messages disk_messages;

static void release_disks(void)
{
    config_free(disk_config);
    config_messages_free(&disk_messages);
    disk_config = NULL;
}

static int add(const struct traditional_disk *disk, size_t count)
{
    struct config_messages messages;

    release_disks();
    assert_int_equal(parse_line(TRAD "-net nic -M xenfv", &disk_config, &messages), 0);
    config_messages_free(&messages);
    return traditional_add_disks(disk_config, disk, count, &disk_messages);
}

static void refuse_disk(struct traditional_disk disk, const char *words)
{
    assert_int_equal(add(&disk, 1), -EINVAL);
    assert_non_null(disk_messages.error);
    if (!strstr(disk_messages.error, words))
        fail_msg("'%s' is not in: %s", words, disk_messages.error);
}

static void test_disks(void **state)
{
    static const struct traditional_disk list[] = {
        DISK("hda", "aio:/srv/a.img", "qdisk", "w", "disk"),
        DISK("hdb", "vg0/b", "phy", "r", "disk"),
        DISK("hdc", "", "qdisk", "r", "cdrom"),
        DISK("hdd:cdrom", "/srv/d.iso", "file", "r", NULL),
        DISK("xvda", "/dev/never", "phy", "w", "disk"),
        DISK("hde", "/dev/never", "phy", "w", "disk"),
        DISK("hda1", "/dev/never", "phy", "w", "disk"),
        DISK(NULL, NULL, NULL, NULL, NULL),
    };
    const struct config_drive *d;

    assert_int_equal(add(list, 8), 0);
    assert_int_equal(disk_config->drive_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(disk_config->ide[i], i);
        assert_int_equal(disk_config->drive[i].unit, i);
        assert_int_equal(disk_config->drive[i].bus, CONFIG_BUS_IDE);
        assert_string_equal(disk_config->drive[i].frontend, FRONTEND);
        assert_string_equal(disk_config->drive[i].backend, BACKEND);
    }
    d = disk_config->drive;
    assert_string_equal(d[0].id, "ide0-hd0");
    assert_string_equal(d[0].file, "/srv/a.img");
    assert_string_equal(d[0].format_name, "raw");
    assert_false(d[0].readonly);
    assert_true(d[0].lock);
    assert_string_equal(d[1].file, "/dev/vg0/b");
    assert_true(d[1].readonly);
    assert_string_equal(d[2].id, "ide1-cd0");
    assert_null(d[2].file);
    assert_int_equal(d[2].media, CONFIG_MEDIA_CDROM);
    assert_true(d[2].readonly);
    assert_string_equal(d[2].params, "");
    assert_string_equal(d[3].file, "/srv/d.iso");
    assert_int_equal(d[3].media, CONFIG_MEDIA_CDROM);
}

/* Without any hd*, the emulated disks are xvda to xvdd. */
static void test_disks_named_xvd(void **state)
{
    static const struct traditional_disk list[] = {
        DISK("xvdb", "qcow2:/srv/b:1.qcow2", "qdisk", "w", "disk"),
        DISK("xvda", "vhd:/srv/a.vhd", "tap", "w", "disk"),
        DISK("xvde", "aio:/srv/e.img", "qdisk", "w", "disk"),
    };

    assert_int_equal(add(list, 3), 0);
    assert_int_equal(disk_config->drive_count, 2);
    assert_int_equal(disk_config->ide[0], 1);
    assert_int_equal(disk_config->ide[1], 0);
    assert_string_equal(disk_config->drive[0].file, "/srv/b:1.qcow2");
    assert_string_equal(disk_config->drive[0].format_name, "qcow2");
    assert_string_equal(disk_config->drive[1].format_name, "vpc");
}

static void test_disks_refused(void **state)
{
    const struct traditional_disk twice[] = {
        DISK("hda", "aio:/a", "qdisk", "w", "disk"),
        DISK("hda", "aio:/b", "qdisk", "w", "disk"),
    };

    refuse_disk((struct traditional_disk)DISK("sda", "aio:/a", "qdisk", "w", "disk"), "SCSI disks");
    refuse_disk((struct traditional_disk)DISK("hda", "", "qdisk", "w", "disk"), "needs an image");
    refuse_disk((struct traditional_disk)DISK("hda", NULL, "phy", "w", "disk"), "needs an image");
    refuse_disk((struct traditional_disk)DISK("hda", "zip:/a", "qdisk", "w", "disk"),
                "format is not known");
    refuse_disk((struct traditional_disk)DISK("hda", "a-very-long-format-name:/a", "tap", "w", ""),
                "format is not known");
    assert_int_equal(add(twice, 2), -EINVAL);
    assert_non_null(strstr(disk_messages.error, "hda is taken already"));
    assert_int_equal(disk_config->drive_count, 1);
    release_disks();
}

static void test_backend_of_its_own(void **state)
{
    assert_true(traditional_is_backend("/local/domain/0/backend/vbd/5/768", 5, "768"));
    assert_true(traditional_is_backend("/local/domain/0/backend/tap/5/768", 5, "768"));
    assert_true(traditional_is_backend("/local/domain/0/backend/qdisk/5/51712", 5, "51712"));
    /* The guest's, another guest's, another disk's, another kind's, a path that leads elsewhere. */
    assert_false(traditional_is_backend("/local/domain/5/backend/vbd/5/768", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vbd/6/768", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vbd/5/769", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vif/5/768", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vbd/5/768/x", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/5/data", 5, "768"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vbd/5/../6/1", 5, "../6/1"));
    assert_false(traditional_is_backend("/local/domain/0/backend/vbd/5/", 5, ""));
}

static void test_without_platform(void **state)
{
    static const struct traditional_disk none[1];

    assert_int_equal(add(none, 0), 0);
    assert_pci(disk_config, 1, CONFIG_PCI_PLATFORM, 3);
    traditional_remove_platform(disk_config);
    assert_false(disk_config->platform_pci);
    assert_int_equal(disk_config->pci_count, 2);
    assert_pci(disk_config, 0, CONFIG_PCI_VGA, 2);
    assert_pci(disk_config, 1, CONFIG_PCI_NIC, 3);
    assert_int_equal(disk_config->vga.pci, 0);
    assert_int_equal(disk_config->nic[0].pci, 1);
    traditional_remove_platform(disk_config);
    assert_int_equal(disk_config->pci_count, 2);
    release_disks();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libxl_smallest),
        cmocka_unit_test(test_libxl_restore),
        cmocka_unit_test(test_libxl_others),
        cmocka_unit_test(test_xend),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_disks),
        cmocka_unit_test(test_disks_named_xvd),
        cmocka_unit_test(test_disks_refused),
        cmocka_unit_test(test_backend_of_its_own),
        cmocka_unit_test(test_without_platform),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    parse_release();
    release_disks();
    return failed;
}
