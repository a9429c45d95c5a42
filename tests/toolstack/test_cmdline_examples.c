/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The complete command lines, each as libxl sends it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "cmdline_test.h"

static void assert_qmp(const struct config *c, const char *path)
{
    assert_int_equal(c->monitor_count, 2);
    assert_string_equal(c->chardev[0].id, "libxl-cmd");
    assert_int_equal(c->chardev[0].kind, CONFIG_CHARDEV_UNIX);
    assert_true(c->chardev[0].server);
    assert_false(c->chardev[0].wait);
    if (path) {
        assert_string_equal(c->chardev[0].path, path);
        assert_int_equal(c->chardev[0].fd, -1);
    }
    assert_string_equal(c->chardev[1].id, "libxenstat-cmd");
    assert_int_equal(c->monitor[0].chardev, 0);
    assert_int_equal(c->monitor[1].chardev, 1);
}

static void assert_pci(const struct config *c, unsigned n, enum config_pci_kind kind,
                       const char *driver, unsigned slot, unsigned function)
{
    assert_true(n < c->pci_count);
    assert_int_equal(c->pci[n].kind, kind);
    assert_string_equal(c->pci[n].driver, driver);
    assert_int_equal(c->pci[n].slot, slot);
    assert_int_equal(c->pci[n].function, function);
}

static void test_a_smallest(void **state)
{
    const struct config *c = accept_line("-xen-domid 1 -no-shutdown " QMP_OF(
        1) "-nodefaults -no-user-config -name g -vnc 127.0.0.1:0,to=99 -display none -serial pty "
           "-device cirrus-vga,vgamem_mb=8 -boot order=d -net none "
           "-machine xenfv,suppress-vmdesc=on -m 248 "
           "-drive file=/srv/vm/hd.img,if=ide,index=0,media=disk,format=raw,cache=writeback "
           "-drive if=none,readonly=on,id=ide-5632,file=/srv/iso/g.iso,format=raw "
           "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0");

    assert_int_equal(c->mode, CONFIG_MODE_HVM);
    assert_int_equal(c->domid, 1);
    assert_string_equal(c->name, "g");
    assert_qmp(c, "/var/run/xen/qmp-libxl-1");
    assert_int_equal(c->vnc_count, 1);
    assert_string_equal(c->vnc[0].address, "127.0.0.1");
    assert_int_equal(c->vnc[0].display, 0);
    assert_int_equal(c->vnc[0].to, 99);
    assert_false(c->vnc[0].password);
    assert_false(c->sdl);
    assert_true(c->serial[0].present);
    assert_false(c->serial[1].present);
    assert_int_equal(c->chardev[c->serial[0].chardev].kind, CONFIG_CHARDEV_PTY);
    assert_string_equal(c->chardev[c->serial[0].chardev].id, "serial0");
    assert_int_equal(c->vga.kind, CONFIG_VGA_CIRRUS);
    assert_int_equal(c->vga.vgamem_mb, 8);
    assert_string_equal(c->boot_order, "d");
    assert_int_equal(c->boot_code[0], 3);
    assert_int_equal(c->boot_code[1], 0);
    assert_int_equal(c->memory_mb, 248);
    assert_int_equal(c->vcpus, 1);
    assert_int_equal(c->maxvcpus, 1);
    assert_true(c->platform_pci);
    assert_true(c->acpi);
    assert_int_equal(c->max_ram_below_4g, 0xf0000000);

    assert_int_equal(c->drive_count, 2);
    assert_int_equal(c->ide[0], 0);
    assert_int_equal(c->ide[1], -1);
    assert_int_equal(c->ide[2], 1);
    assert_int_equal(c->ide[3], -1);
    assert_string_equal(c->drive[0].file, "/srv/vm/hd.img");
    assert_string_equal(c->drive[0].id, "ide0-hd0");
    assert_int_equal(c->drive[0].media, CONFIG_MEDIA_DISK);
    assert_int_equal(c->drive[0].cache, CONFIG_CACHE_WRITEBACK);
    assert_false(c->drive[0].readonly);
    assert_string_equal(c->drive[1].id, "ide-5632");
    assert_string_equal(c->drive[1].qdev_id, "ide-5632");
    assert_string_equal(c->drive[1].file, "/srv/iso/g.iso");
    assert_int_equal(c->drive[1].media, CONFIG_MEDIA_CDROM);
    assert_int_equal(c->drive[1].bus, CONFIG_BUS_IDE);
    assert_int_equal(c->drive[1].unit, 2);
    assert_true(c->drive[1].readonly);

    assert_int_equal(c->pci_count, 2);
    assert_pci(c, 0, CONFIG_PCI_PLATFORM, "xen-platform", 2, 0);
    assert_pci(c, 1, CONFIG_PCI_VGA, "cirrus-vga", 3, 0);
    assert_int_equal(c->vga.pci, 1);
    assert_true(c->pci[0].built);
    assert_true(c->pci[1].built);

    assert_int_equal(parse_messages.notice_count, 0);
}

/* As it is in the document: with a qcow2 disk. */
#define EXAMPLE_B(disk, extra)                                                                     \
    "-xen-domid 7 -no-shutdown " QMP_OF(                                                           \
        7) "-nodefaults -no-user-config -name win10 -vnc 0.0.0.0:0,password=on,to=99 -display "    \
           "none -k de "                                                                           \
           "-device VGA,vgamem_mb=16 -boot order=cd -usb -usbdevice tablet -smp 4,maxcpus=8 "      \
           "-device e1000,id=nic0,netdev=net0,mac=00:16:3e:5e:01:02 "                              \
           "-netdev type=tap,id=net0,ifname=vif7.0-emu,br=xenbr0,script=no,downscript=no " extra   \
           "-machine xenfv,suppress-vmdesc=on -m 4080 " disk                                       \
           " -drive if=none,readonly=on,id=ide-5632 "                                              \
           "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0"

static void test_b_windows(void **state)
{
    static const uint8_t mac[6] = {0x00, 0x16, 0x3e, 0x5e, 0x01, 0x02};
    const struct config *c;

    c = accept_line(EXAMPLE_B("-drive file=/srv/vm/win.qcow2,if=ide,index=0,media=disk,"
                              "format=qcow2,cache=writeback",
                              ""));
    assert_string_equal(c->drive[0].format_name, "qcow2");

    c = accept_line(EXAMPLE_B("-drive file=/srv/vm/win.img,if=ide,index=0,media=disk,format=raw,"
                              "cache=writeback",
                              ""));
    assert_qmp(c, "/var/run/xen/qmp-libxl-7");
    assert_string_equal(c->vnc[0].address, "0.0.0.0");
    assert_true(c->vnc[0].password);
    assert_int_equal(c->vnc[0].to, 99);
    assert_string_equal(c->keymap, "de");
    assert_int_equal(c->vga.kind, CONFIG_VGA_STD);
    assert_int_equal(c->vga.vgamem_mb, 16);
    assert_memory_equal(c->boot_code, ((uint8_t[]){2, 3, 0}), 3);
    assert_int_equal(c->vcpus, 4);
    assert_int_equal(c->maxvcpus, 8);
    assert_true(c->usb);
    assert_int_equal(c->usb_device_count, 1);
    assert_string_equal(c->usb_device[0].name, "tablet");

    assert_int_equal(c->pci_count, 4);
    assert_pci(c, 0, CONFIG_PCI_USB, "piix3-usb-uhci", 1, 2);
    assert_pci(c, 1, CONFIG_PCI_PLATFORM, "xen-platform", 2, 0);
    assert_pci(c, 2, CONFIG_PCI_VGA, "VGA", 3, 0);
    assert_pci(c, 3, CONFIG_PCI_NIC, "e1000", 4, 0);
    assert_string_equal(c->pci[3].id, "nic0");
    assert_int_equal(c->pci[3].index, 0);
    assert_true(c->pci[3].built);
    assert_int_equal(c->nic_count, 1);
    assert_string_equal(c->nic[0].model, "e1000");
    assert_true(c->nic[0].has_mac);
    assert_memory_equal(c->nic[0].mac, mac, 6);
    assert_int_equal(c->nic[0].netdev, 0);
    assert_int_equal(c->nic[0].pci, 3);
    assert_int_equal(c->netdev[0].kind, CONFIG_NETDEV_TAP);
    assert_string_equal(c->netdev[0].ifname, "vif7.0-emu");
    assert_string_equal(c->netdev[0].bridge, "xenbr0");
    assert_int_equal(c->netdev[0].fd, -1);

    assert_int_equal(c->ide[2], 1);
    assert_null(c->drive[1].file);
    assert_int_equal(c->drive[1].media, CONFIG_MEDIA_CDROM);
    assert_true(noticed("the guest gets an rtl8139 in place of the e1000"));
    assert_true(c->pci[0].built);
    assert_false(noticed("USB"));
}

#define EXAMPLE_C(disks)                                                                           \
    "-xen-domid 9 -no-shutdown " QMP_OF(                                                           \
        9) "-nodefaults -no-user-config -name multi -vnc 127.0.0.1:4 -display none -device "       \
           "lsi53c895a "                                                                           \
           "-serial pty -serial tcp:127.0.0.1:4555,server,nowait -device cirrus-vga,vgamem_mb=8 "  \
           "-boot order=cda -device intel-hda -device hda-duplex -smp 2,maxcpus=2 "                \
           "-device rtl8139,id=nic0,netdev=net0,mac=00:16:3e:00:00:01 "                            \
           "-netdev type=tap,id=net0,ifname=vif9.0-emu,br=xenbr0,script=no,downscript=no "         \
           "-device e1000,id=nic1,netdev=net1,mac=00:16:3e:00:00:02 "                              \
           "-netdev type=tap,id=net1,ifname=vif9.1-emu,br=xenbr1,script=no,downscript=no "         \
           "-machine pc,accel=xen,suppress-vmdesc=on,max-ram-below-4g=3221225472 -m 8184 "         \
           "-device ahci,id=ahci0 " disks

static void test_c_ahci_scsi(void **state)
{
    const struct config *c;

    refuse_line(EXAMPLE_C("-drive file=/dev/vg/m0,if=none,id=ahcidisk-0,format=raw,cache=writeback "
                          "-device ide-hd,bus=ahci0.0,unit=0,drive=ahcidisk-0"),
                "-device ide-hd,bus=ahci0.0|AHCI disks are not built yet|accepted: bus=ide.0");
    refuse_line(EXAMPLE_C("-drive file=/dev/vg/m1,id=scsi0-hd1,format=raw,if=none,readonly=off,"
                          "cache=writeback -device scsi-hd,drive=scsi0-hd1,scsi-id=1"),
                "-device scsi-hd,drive=scsi0-hd1|SCSI disks are not built yet|accepted: IDE disks");

    c = accept_line(EXAMPLE_C(""));
    assert_false(c->platform_pci);
    assert_int_equal(c->max_ram_below_4g, 3221225472u);
    assert_int_equal(c->memory_mb, 8184);
    assert_int_equal(c->vnc[0].display, 4);
    assert_int_equal(c->vnc[0].to, 0);
    assert_memory_equal(c->boot_code, ((uint8_t[]){2, 3, 1}), 3);
    assert_int_equal(c->serial[1].chardev, 3);
    assert_int_equal(c->chardev[3].kind, CONFIG_CHARDEV_TCP);
    assert_string_equal(c->chardev[3].id, "serial1");
    assert_string_equal(c->chardev[3].host, "127.0.0.1");
    assert_string_equal(c->chardev[3].port, "4555");
    assert_true(c->chardev[3].server);
    assert_false(c->chardev[3].wait);

    /* Without the platform device everything is one slot lower; what is not built keeps its own. */
    assert_int_equal(c->pci_count, 6);
    assert_pci(c, 0, CONFIG_PCI_SCSI, "lsi53c895a", 2, 0);
    assert_pci(c, 1, CONFIG_PCI_VGA, "cirrus-vga", 3, 0);
    assert_pci(c, 2, CONFIG_PCI_SOUND, "intel-hda", 4, 0);
    assert_pci(c, 3, CONFIG_PCI_NIC, "rtl8139", 5, 0);
    assert_pci(c, 4, CONFIG_PCI_NIC, "e1000", 6, 0);
    assert_pci(c, 5, CONFIG_PCI_AHCI, "ahci", 7, 0);
    assert_int_equal(c->nic[1].netdev, 1);
    assert_int_equal(c->sound_count, 2);
    assert_string_equal(c->sound[0].model, "intel-hda");
    assert_int_equal(c->sound[0].pci, 2);
    assert_string_equal(c->sound[1].model, "hda-duplex");
    assert_int_equal(c->sound[1].pci, -1);
}

static void test_d_kernel(void **state)
{
    const struct config *c;

    refuse_line(
        "-xen-domid 12 -no-shutdown " QMP_OF(
            12) "-nodefaults -no-user-config -name krn -vnc none -display none "
                "-kernel /boot/vmlinuz -initrd /boot/initrd.img "
                "-append \"console=ttyS0 root=/dev/xvda1\" -serial file:/var/log/guest-com1.log "
                "-nographic -boot order=cda -net none -machine xenfv,suppress-vmdesc=on -m 512 "
                "-drive file=/dev/vg/k,if=ide,index=0,media=disk,format=raw,cache=writeback",
        "-kernel /boot/vmlinuz|not built yet|accepted");
    c = accept_line("-xen-domid 12 -no-shutdown " QMP_OF(
        12) "-nodefaults -no-user-config -name krn -vnc none -display none "
            "-serial file:/var/log/guest-com1.log "
            "-nographic -boot order=cda -net none -machine xenfv,suppress-vmdesc=on -m 512 "
            "-drive file=/dev/vg/k,if=ide,index=0,media=disk,format=raw,cache=writeback");
    assert_int_equal(c->vnc_count, 0);
    assert_int_equal(c->vga.kind, CONFIG_VGA_NONE);
    assert_int_equal(c->vga.pci, -1);
    assert_int_equal(c->pci_count, 1);
    assert_int_equal(c->chardev[c->serial[0].chardev].kind, CONFIG_CHARDEV_FILE);
    assert_string_equal(c->chardev[c->serial[0].chardev].path, "/var/log/guest-com1.log");
    assert_string_equal(c->drive[0].file, "/dev/vg/k");
    assert_int_equal(parse_messages.notice_count, 0);
}

#define EXAMPLE_E(restricted, runas)                                                               \
    "-xen-domid 15 -no-shutdown "                                                                  \
    "-chardev socket,id=libxl-cmd,fd=20,server=on,wait=off -S "                                    \
    "-mon chardev=libxl-cmd,mode=control "                                                         \
    "-chardev "                                                                                    \
    "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-15,server=on,wait=off "             \
    "-mon chardev=libxenstat-cmd,mode=control -nodefaults -no-user-config -name locked "           \
    "-vnc 127.0.0.1:0,to=99 -display none -device cirrus-vga,vgamem_mb=8 -boot order=c "           \
    "-device rtl8139,id=nic0,netdev=net0,mac=00:16:3e:44:00:01 "                                   \
    "-netdev type=tap,id=net0,ifname=vif15.0-emu,br=xenbr0,script=no,downscript=no " restricted    \
    "-machine xenfv,suppress-vmdesc=on -m 1016 "                                                   \
    "-drive file=/dev/vg/l,if=ide,index=0,media=disk,format=raw,cache=writeback " runas

static void assert_restricted(const struct config *c)
{
    assert_qmp(c, NULL);
    assert_int_equal(c->chardev[0].fd, 20);
    assert_null(c->chardev[0].path);
    assert_true(c->start_paused);
    assert_true(c->restrict_domid);
    assert_string_equal(c->chroot_dir, "/var/run/xen/qemu-root-15");
    assert_null(c->runas_user);
    assert_true(c->runas_ids);
    assert_int_equal(c->runas_uid, 65551);
    assert_int_equal(c->runas_gid, 65534);
}

static void test_e_restricted(void **state)
{
    const struct config *c = accept_line(
        EXAMPLE_E("-xen-domid-restrict -chroot /var/run/xen/qemu-root-15 ", "-runas 65551:65534"));

    assert_restricted(c);
    assert_int_equal(c->incoming_fd, -1);
    assert_pci(c, 2, CONFIG_PCI_NIC, "rtl8139", 4, 0);
}

static void test_f_incoming(void **state)
{
    const struct config *c = accept_line(EXAMPLE_B(
        "-drive file=/srv/vm/win.img,if=ide,index=0,media=disk,format=raw,cache=writeback",
        "-incoming fd:21 "));

    assert_int_equal(c->incoming_fd, 21);
    assert_null(c->incoming_file);
    assert_false(c->start_paused);
}

static void test_g_restore_restricted(void **state)
{
    assert_restricted(accept_line(
        EXAMPLE_E("-xen-domid-restrict -run-with chroot=/var/run/xen/qemu-root-15 -incoming fd:21 ",
                  "-run-with user=65551:65534")));
    assert_int_equal(
        accept_line(EXAMPLE_E("-xen-domid-restrict -chroot /x -incoming fd:21 ", ""))->incoming_fd,
        21);
}

static void test_h_probe(void **state)
{
    const struct config *c =
        accept_line("-S -no-user-config -nodefaults -nographic -machine none,accel=xen "
                    "-chardev socket,id=libxl-cmd,fd=20,server=on,wait=off "
                    "-mon chardev=libxl-cmd,mode=control");

    assert_int_equal(c->mode, CONFIG_MODE_PROBE);
    assert_int_equal(c->monitor_count, 1);
    assert_int_equal(c->chardev[c->monitor[0].chardev].fd, 20);
    assert_int_equal(c->pci_count, 0);
    assert_int_equal(parse_messages.notice_count, 0);
}

/* What older releases sent for the same guest. */
static void test_older_spellings(void **state)
{
    const struct config *c = accept_line(
        "-xen-domid 1 -chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-1,server,nowait "
        "-mon chardev=libxl-cmd,mode=control "
        "-chardev socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-1,server,nowait "
        "-mon chardev=libxenstat-cmd,mode=control "
        "-nodefaults -name g -vnc 127.0.0.1:0,password,to=99 -sdl -soundhw hda -usb "
        "-device cirrus-vga -global cirrus-vga.vgamem_mb=4 -machine xenfv -m 248 "
        "-drive if=ide,index=2,readonly=on,media=cdrom,id=ide-5632 "
        "-drive file=/srv/vm/hd.img,if=ide,index=0,media=disk,format=raw,cache=writeback");

    assert_qmp(c, "/var/run/xen/qmp-libxl-1");
    assert_true(c->vnc[0].password);
    assert_true(c->sdl);
    assert_int_equal(c->vga.vgamem_mb, 4);
    assert_int_equal(c->ide[2], 0);
    assert_int_equal(c->ide[0], 1);
    assert_null(c->drive[0].file);
    assert_int_equal(c->drive[0].media, CONFIG_MEDIA_CDROM);
    /* -soundhw cards come before those of -device. */
    assert_pci(c, 2, CONFIG_PCI_SOUND, "intel-hda", 3, 0);
    assert_pci(c, 3, CONFIG_PCI_VGA, "cirrus-vga", 4, 0);

    c = accept_line("--xen-domid 1 --vga std -net nic,vlan=0,macaddr=00:16:3e:00:00:01 "
                    "-net tap,vlan=0,ifname=tap1.0,bridge=xenbr0,script=no --machine xenfv -m 128");
    assert_pci(c, 0, CONFIG_PCI_VGA, "VGA", 2, 0);
    assert_pci(c, 1, CONFIG_PCI_NIC, "rtl8139", 3, 0);
    assert_pci(c, 2, CONFIG_PCI_PLATFORM, "xen-platform", 4, 0);
    assert_int_equal(c->nic[0].netdev, 0);
    assert_string_equal(c->netdev[0].ifname, "tap1.0");
}

static int release(void **state)
{
    parse_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_smallest),           cmocka_unit_test(test_b_windows),
        cmocka_unit_test(test_c_ahci_scsi),          cmocka_unit_test(test_d_kernel),
        cmocka_unit_test(test_e_restricted),         cmocka_unit_test(test_f_incoming),
        cmocka_unit_test(test_g_restore_restricted), cmocka_unit_test(test_h_probe),
        cmocka_unit_test(test_older_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
