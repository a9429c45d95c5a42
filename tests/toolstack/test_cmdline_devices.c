/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of devices, each by itself: what is taken, what is refused, and how the refusal is
 * worded. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "cmdline_test.h"

/* --- displays -----------------------------------------------------------------------------------
 */

static void test_vnc(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-vnc localhost", "-vnc localhost: not an address; accepted: HOST:DISPLAY"},
        {HVM "-vnc :59636", "not an address"},
        {HVM "-vnc :x", "not an address"},
        {HVM "-vnc ::1:0", "an IPv6 address needs brackets"},
        {HVM "-vnc to=99", "the address is missing"},
        {HVM "-vnc :0,to=x", "to=x"},
        {HVM "-vnc :0,tls-creds=t", "tls-creds is not supported"},
        {HVM "-vnc :0,sasl", "sasl is not supported"},
        {HVM "-vnc :0,foo", "key 'foo' is not known; accepted: to, password"},
        {HVM "-vnc :0,websocket=0", "websocket=0"},
        {HVM "-vnc unix:", "the path is empty"},
        {HVM "-vnc :0 -vnc :1 -vnc :2 -vnc :3 -vnc :4", "up to 4"},
        {HVM "-display gtk", "-display gtk: not accepted; accepted: none, sdl"},
        {HVM "-display sdl,foo=1", "key 'foo' is not known; accepted: full-screen, gl"},
        {HVM "-vga qxl", "-vga qxl: not built yet; accepted: std, cirrus, none"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM
                    "-vnc [::1]:3,password,share=force-shared,ipv6=on,websocket -vnc none "
                    "-vnc unix:/run/x.sock -vnc h:1,reverse,sasl=off,websocket=5700,nopassword");
    assert_int_equal(c->vnc_count, 3);
    assert_string_equal(c->vnc[0].address, "::1");
    assert_int_equal(c->vnc[0].display, 3);
    assert_true(c->vnc[0].password && c->vnc[0].ipv6);
    assert_int_equal(c->vnc[0].share, CONFIG_VNC_SHARE_FORCE);
    assert_int_equal(c->vnc[0].websocket, 0);
    assert_string_equal(c->vnc[1].unix_path, "/run/x.sock");
    assert_int_equal(c->vnc[1].websocket, -1);
    assert_true(c->vnc[2].reverse);
    assert_false(c->vnc[2].password);
    assert_int_equal(c->vnc[2].websocket, 5700);
    assert_int_equal(accept_line(HVM "-display vnc=:2")->vnc[0].display, 2);
    c = accept_line(HVM "-display none -display sdl");
    assert_true(c->sdl && !c->full_screen);
    c = accept_line(HVM "-display sdl,gl=off,full-screen=on,grab-mod=lshift-lctrl-lalt");
    assert_true(c->sdl && c->full_screen);
    c = accept_line(HVM "-sdl -disable-opengl -full-screen");
    assert_true(c->sdl && c->full_screen);
    assert_false(accept_line(HVM "-display sdl,gl=off -display none")->sdl);
    assert_null(accept_line(HVM "-k klingon")->keymap);
    assert_true(noticed("-k klingon: no such keymap"));
}

static void test_vga(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-device VGA,vgamem_mb=0",
         "vgamem_mb=0 is not accepted; accepted: a number from 1 to 256"},
        {HVM "-device VGA,vgamem_mb=257", "vgamem_mb=257"},
        {HVM "-device VGA,xres=1024", "xres= and yres= belong together"},
        {HVM "-device VGA,xres=5000,yres=480", "xres"},
        {HVM "-device VGA -device cirrus-vga",
         "-device cirrus-vga: the machine has a VGA already: 'VGA'"},
        {HVM "-vga std -device VGA", "a VGA already: 'std'"},
        {HVM "-device qxl-vga,vram_size_mb=64,ram_size_mb=64",
         "qxl is not supported; accepted: VGA"},
        {HVM "-device VGA,foo=1", "key 'foo'"},
        {HVM "-global VGA.vgamem_mb=x", "accepted: a number of MiB"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-device VGA,id=v,romfile=/x.rom,addr=0x5,vgamem_mb=32");
    assert_int_equal(c->vga.kind, CONFIG_VGA_STD);
    assert_int_equal(c->vga.vgamem_mb, 32);
    assert_int_equal(c->pci[c->vga.pci].slot, 5);
    assert_string_equal(c->pci[c->vga.pci].romfile, "/x.rom");
    assert_string_equal(accept_line(HVM "-device VGA,rombar=off")->pci[1].romfile, "");
    assert_string_equal(accept_line(HVM "-device VGA,rombar=0")->pci[1].romfile, "");
    assert_null(accept_line(HVM "-device VGA,rombar=1")->pci[1].romfile);
    assert_int_equal(accept_line(HVM "-device VGA -global VGA.vgamem_mb=9")->vga.vgamem_mb, 9);
    c = accept_line(HVM "-device VGA,xres=1920,yres=1080");
    assert_true(c->vga.xres == 1920 && c->vga.yres == 1080);
    assert_int_equal(accept_line(HVM "-vga none")->vga.kind, CONFIG_VGA_NONE);
    assert_int_equal(accept_line(HVM "-vga cirrus")->vga.kind, CONFIG_VGA_CIRRUS);
    assert_false(noticed("cirrus"));
}

/* --- disks --------------------------------------------------------------------------------------
 */

static void test_drive(void **state)
{
    static const struct refusal bad[] = {
        /* libxl does not double the comma of a path. */
        {HVM "-drive file=/srv/a,b.img,if=ide,index=0,media=disk,format=raw,cache=writeback",
         "-drive file=/srv/a,b.img,if=ide|key 'b.img' is not known|part of a file name|,,"},
        {HVM "-drive file=/srv/a,if=ide.img,if=ide,format=raw",
         "key 'if' is given twice|file name"},
        {HVM "-drive file=/srv/a,=b.img,if=ide,format=raw", "without a key|file name"},
        {HVM "-drive file=/x,format=foo", "format=foo is not known; accepted: raw"},
        {HVM "-drive if=none,id=x,driver=quorum", "COLO (driver=quorum)"},
        {HVM "-drive file=json:{},format=raw", "'json:'|accepted: a file or block|nbd:HOST:PORT"},
        {HVM "-drive file=fat:/etc,format=raw", "'fat:'"},
        {HVM "-drive file=a:b,format=raw", "'a:'"},
        {HVM "-drive file=/x,if=scsi", "if=scsi is not supported; accepted: ide, floppy, none"},
        {HVM "-drive file=/x,if=virtio", "if=virtio"},
        {HVM "-drive file=/x,index=4,format=raw",
         "index=4 is not accepted; accepted: a number from 0 to 3"},
        {HVM "-drive file=/x,bus=2,unit=0,format=raw", "bus=2"},
        {HVM "-drive file=/x,index=0,unit=0,format=raw", "not accepted together"},
        {HVM "-drive if=floppy,index=2", "index=2|0 to 1"},
        {HVM "-drive file=/x,media=tape", "media=tape is not accepted; accepted: disk, cdrom"},
        {HVM "-drive file=/x,cache=foo", "cache=foo is not accepted; accepted: writeback,"},
        {HVM "-drive file=/x,readonly=maybe", "readonly=maybe"},
        {HVM "-drive file=/x,snapshot=on", "snapshot"},
        {HVM "-drive file=/x,cyls=5", "together only"},
        {HVM "-drive if=ide,index=0", "a hard disk needs an image"},
        {HVM "-drive file=/x,index=1,format=raw -drive file=/y,index=1,format=raw",
         "-drive file=/y,index=1|ide.0 unit 1 (index 1, hdb) is taken already by 'file=/x,index=1"},
        {HVM "-drive if=none,id=a -drive if=none,id=a,file=/x", "the id 'a'|'if=none,id=a'"},
        {HVM "-drive file=/a,format=raw -drive file=/b,format=raw -drive file=/c,format=raw "
             "-drive file=/d,format=raw -drive file=/e,format=raw",
         "file=/e|(index 3, hdd) is taken already"},
        {HVM "-hda \"\"", "the file is missing"},
        {HVM "-drive file=/dev/fdset/7,format=raw",
         "'/dev/fdset/7': there is no -add-fd with set=7"},
        {HVM "-drive file=/dev/fdset/x,format=raw", "accepted: /dev/fdset/NUMBER"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(
        HVM "-drive file=/a,,b=c,format=raw,cache=none,discard=unmap,serial=S1,werror=stop,"
            "cyls=16,heads=4,secs=63 -hdb /x,y -cdrom /c.iso "
            "-drive driver=host_device,file.driver=host_device,file.filename=/dev/d,bus=1,"
            "unit=1,readonly=on,rerror=ignore -fda /fd -drive if=floppy,file=/f2,format=raw");
    assert_int_equal(c->drive_count, 6);
    assert_string_equal(c->drive[0].file, "/a,b=c");
    assert_int_equal(c->drive[0].cache, CONFIG_CACHE_NONE);
    assert_true(c->drive[0].discard);
    assert_string_equal(c->drive[0].serial, "S1");
    assert_int_equal(c->drive[0].werror, CONFIG_IO_ERROR_STOP);
    assert_int_equal(c->drive[0].cyls, 16);
    assert_string_equal(c->drive[1].file, "/x,y");
    assert_string_equal(c->drive[1].id, "ide0-hd1");
    assert_int_equal(c->drive[2].unit, 2);
    assert_string_equal(c->drive[2].id, "ide1-cd0");
    assert_true(c->drive[2].readonly);
    assert_int_equal(c->drive[3].unit, 3);
    assert_int_equal(c->drive[3].format, CONFIG_FORMAT_HOST_DEVICE);
    assert_true(c->drive[3].readonly);
    assert_int_equal(c->drive[3].rerror, CONFIG_IO_ERROR_IGNORE);
    assert_int_equal(c->floppy[0], 4);
    assert_int_equal(c->floppy[1], 5);
    assert_string_equal(c->drive[5].id, "floppy1");
    assert_true(c->drive[0].lock && c->drive[1].lock);
    assert_int_equal(c->drive[1].werror, CONFIG_IO_ERROR_ENOSPC);
    assert_string_equal(c->drive[0].format_name, "raw");
    accept_silently(HVM "-drive file=/x,format=raw,cache=unsafe,werror=enospc,rerror=report");
    accept_silently(HVM "-drive file=/x,format=raw,cache=directsync,werror=stop,rerror=stop");

    /* What is not a raw file comes from a server. */
    c = accept_line(HVM "-drive file=/x,format=vhd,file.locking=off -drive "
                        "file=nbd+unix:///?socket=/x,format=raw,cache.direct=on");
    assert_int_equal(c->drive[0].format, CONFIG_FORMAT_SERVED);
    assert_string_equal(c->drive[0].format_name, "vhd");
    assert_false(c->drive[0].lock);
    assert_string_equal(c->drive[1].file, "nbd+unix:///?socket=/x");
    assert_int_equal(c->drive[1].cache, CONFIG_CACHE_NONE);

    assert_string_equal(accept_line(HVM "-drive file=file:/x,format=raw")->drive[0].file, "/x");
    assert_string_equal(accept_line(HVM "-drive file=./a:b,format=raw")->drive[0].file, "./a:b");
    accept_line(HVM "-add-fd fd=9,set=7 -drive file=/dev/fdset/7,format=raw");
    accept_line(HVM "-drive file=/x");
    assert_true(noticed("no format= is given; the image is taken as raw"));
    accept_line(HVM "-drive if=none,id=a,file=/x,format=raw");
    assert_true(noticed("no -device uses this drive"));
}

static void test_ide_devices(void **state)
{
    static const struct refusal bad[] = {
        /* libxl's own check lets the fifth drive through. */
        {HVM "-drive if=none,readonly=on,id=ide-51776 "
             "-device ide-cd,id=ide-51776,drive=ide-51776,bus=ide.2,unit=0",
         "-device ide-cd,id=ide-51776|bus=ide.2 is not there; accepted: bus=ide.0, bus=ide.1"},
        {HVM "-device ide-cd,unit=2", "unit=2"},
        {HVM "-device ide-cd,drive=x", "drive=x: there is no -drive with this id"},
        {HVM "-device ide-hd,bus=ide.0", "drive=ID is missing"},
        {HVM "-drive if=none,id=a -device ide-hd,drive=a", "a hard disk needs an image"},
        {HVM "-drive if=none,id=a -device ide-cd,drive=a -device ide-cd,drive=a",
         "attached already"},
        {HVM "-hda /x -device ide-cd,bus=ide.0,unit=0", "is taken already by '/x'"},
        {HVM "-device ide-cd,id=c -device ide-cd,id=c", "the id 'c'|'ide-cd,id=c'"},
        {HVM "-device ide-cd,id=c,foo=1", "key 'foo'"},
        {HVM "-device scsi-hd,drive=x", "SCSI disks are not built yet; accepted: IDE disks"},
        {HVM "-device virtio-blk-pci,drive=x", "virtio disks are not built yet"},
        {HVM "-device usb-storage,drive=x", "USB disks are not built yet"},
        {HVM "-device foo", "device 'foo' is not supported; accepted: VGA"},
        {HVM "-device driver=foo", "device 'foo'"},
        {HVM "-device id=x", "device '' is not supported"},
        {HVM "-device virtio-serial", "spice is not supported"},
        {HVM "-device xen-pci-passthrough,hostaddr=0000:02:00.0", "passthrough is not built yet"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    /* Joined late: the device may come first. */
    c = accept_line(
        HVM "-device ide-cd,id=q,drive=d,bus=ide.0,unit=1,model=M,serial=S,bootindex=1 "
            "-device ide-hd,drive=e,wwn=0x5000 -device ide-cd -device ide-cd,unit=1 "
            "-drive if=none,id=d,file=/x,format=raw -drive if=none,id=e,file=/y,format=raw");
    assert_int_equal(c->drive_count, 4);
    assert_int_equal(c->ide[1], 0);
    assert_string_equal(c->drive[0].qdev_id, "q");
    assert_string_equal(c->drive[0].model, "M");
    assert_string_equal(c->drive[0].serial, "S");
    assert_int_equal(c->drive[0].bootindex, 1);
    assert_int_equal(c->drive[0].media, CONFIG_MEDIA_CDROM);
    assert_int_equal(c->ide[0], 1);
    assert_int_equal(c->drive[1].wwn, 0x5000);
    assert_int_equal(c->drive[1].media, CONFIG_MEDIA_DISK);
    assert_int_equal(c->ide[2], 2);
    assert_string_equal(c->drive[2].id, "ide1-cd0");
    assert_int_equal(c->ide[3], 3);
    assert_null(c->drive[3].file);
    c = accept_line(HVM "-drive if=none,id=f,file=/x,format=raw -device floppy,drive=f,unit=1");
    assert_int_equal(c->floppy[1], 0);
    c = accept_line(HVM "-drive if=none,id=a,file=/x,format=raw -drive if=none,id=b,file=/y,"
                        "format=raw -device isa-fdc,driveB=a,driveA=b,id=fdc");
    assert_int_equal(c->floppy[0], 1);
    assert_int_equal(c->floppy[1], 0);
    accept_silently(HVM "-fda /x -device isa-fdc");
}

/* --- PCI slots ----------------------------------------------------------------------------------
 */

static void test_pci_slots(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-device VGA,addr=1", "addr=1 belongs to the chipset; accepted: slots 2 to 1f"},
        {HVM "-device VGA,addr=20", "addr=20 is not accepted; accepted: SLOT or SLOT.FUNCTION"},
        {HVM "-device VGA,addr=3.8", "addr=3.8"},
        {HVM "-device VGA,addr=3.", "addr=3."},
        {HVM "-device VGA,addr=x", "addr=x"},
        {HVM "-device VGA,addr=2", "addr=2 is taken by xen-platform"},
        {HVM "-device ahci,id=a,addr=7 -device VGA,addr=7", "addr=7 is taken by ahci id=a"},
        {HVM "-device ahci,addr=7 -device VGA,addr=7.1",
         "ahci in function 0|needs multifunction=on"},
        {HVM "-device VGA,bus=pci.1", "bus=pci.1 is not there; accepted: bus=pci.0"},
    };
    char line[64 + 30 * 13] = "-xen-domid 5 -machine pc";
    const struct config *c;

    REFUSE_ALL(bad);
    /* The four functions of usbversion=2, and what takes a slot around them. */
    c = accept_line(
        HVM "-device ich9-usb-ehci1,id=usb,addr=0x1d.0x7,multifunction=on "
            "-device ich9-usb-uhci1,masterbus=usb.0,firstport=0,addr=0x1d.0,multifunction=on "
            "-device ich9-usb-uhci2,masterbus=usb.0,firstport=2,addr=0x1d.0x1,multifunction=on "
            "-device ich9-usb-uhci3,masterbus=usb.0,firstport=4,addr=0x1d.0x2,multifunction=on "
            "-device ahci,addr=4 -device VGA -device xen-pvdevice,device-id=0xc000");
    assert_int_equal(c->pci_count, 8);
    assert_int_equal(c->pci[1].slot, 0x1d);
    assert_int_equal(c->pci[1].function, 7);
    assert_int_equal(c->pci[4].function, 2);
    assert_int_equal(c->pci[5].slot, 4);
    assert_int_equal(c->pci[6].slot, 3);
    assert_int_equal(c->pci[7].slot, 5);
    assert_int_equal(c->pci[7].kind, CONFIG_PCI_PVDEVICE);
    assert_int_equal(c->pci[7].pvdevice_id, 0xc000);
    assert_false(c->pci[7].built);
    assert_true(noticed("not built yet: xen-pvdevice (-device xen-pvdevice,device-id=0xc000)"));
    refuse_line(HVM "-device xen-pvdevice", "device-id= is missing");

    c = accept_line(HVM "-device piix3-usb-uhci,id=usb -device nec-usb-xhci,id=x -device VGA");
    assert_true(c->pci[1].built);
    assert_false(c->pci[2].built);
    assert_true(noticed("not built yet: USB controller (-device nec-usb-xhci,id=x)"));
    assert_int_equal(c->pci[1].slot, 3);
    assert_int_equal(c->pci[3].slot, 5);

    for (int i = 0; i < 30; i++)
        strcat(line, " -device ahci");
    c = accept_line(line);
    assert_int_equal(c->pci[29].slot, 31);
    strcat(line, " -device lsi");
    refuse_line(line, "-device lsi: no PCI slot is free");
}

/* --- network, USB, sound ------------------------------------------------------------------------
 */

static void test_net(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-device e1000,netdev=n", "netdev=n: there is no -netdev with this id"},
        {HVM "-device e1000,mac=00:11:22:33:44",
         "mac=00:11:22:33:44 is not accepted; accepted: six"},
        {HVM "-device e1000,mac=01:11:22:33:44:55", "the first one even"},
        {HVM "-device e1000,mac=00:11:22:33:44:5g", "mac="},
        {HVM "-device e1000,mac=00:11:22:33:44:55:66", "mac="},
        {HVM "-device e1000,foo=1", "key 'foo'"},
        {HVM "-netdev user,id=n", "type=user is not accepted; accepted: tap, stream, dgram"},
        {HVM "-netdev tap", "id= is missing"},
        {HVM "-netdev id=n", "the type is missing"},
        {HVM "-netdev tap,id=n,ifname=0123456789abcdef", "ifname=0123456789abcdef|1 to 15 bytes"},
        {HVM "-netdev tap,id=n,ifname=a/b", "ifname=a/b"},
        {HVM "-netdev tap,id=n,ifname=a,fd=3", "not accepted together"},
        {HVM "-netdev tap,id=n,script=/etc/qemu-ifup", "no script is ever run|accepted: script=no"},
        {HVM "-netdev tap,id=n -netdev tap,id=n,ifname=b", "the id 'n'|'tap,id=n'"},
        {HVM "-netdev stream,id=n", "the address is missing; accepted: addr.type=inet"},
        {HVM "-netdev stream,id=n,addr.type=unix", "addr needs: addr.path=P"},
        {HVM "-netdev stream,id=n,addr.type=inet,addr.host=h", "addr.host=H,addr.port=P"},
        {HVM "-netdev stream,id=n,addr.type=unix,addr.path=x,addr.tight=off", "tight=off"},
        {HVM "-netdev stream,id=n,addr.type=unix,addr.path=x,server=on,reconnect=1",
         "reconnect= is for a client"},
        {HVM "-netdev dgram,id=n", "the address is missing"},
        {HVM "-netdev tap,id=n -device e1000,netdev=n -device rtl8139,netdev=n",
         "-device rtl8139,netdev=n: netdev=n is that of 'e1000,netdev=n' already"},
        {HVM "-net user", "type=user is not accepted; accepted: nic, tap"},
        {HVM "-net nic,model=foo", "model=foo is not known; accepted: rtl8139"},
    };
    const struct config *c;
    char line[32 + 16 * 9] = HVM;

    REFUSE_ALL(bad);
    c = accept_line(
        HVM
        "-netdev tap,id=t,fd=9,vnet_hdr=off -netdev stream,id=s,server=on,addr.type=inet,"
        "addr.host=h,addr.port=1 -netdev stream,id=u,addr.type=unix,addr.path=/x,reconnect=3 "
        "-netdev "
        "dgram,id=d,local.type=inet,local.host=a,local.port=1,remote.type=inet,remote.host=b,"
        "remote.port=2 -device ne2k_isa,netdev=t,iobase=0x300 -device pcnet,netdev=s "
        "-device virtio-net-pci,netdev=u,csum=off,bootindex=2,romfile= -device vmxnet3,netdev=d");
    assert_int_equal(c->nic_count, 4);
    assert_int_equal(c->nic[0].pci, -1);
    assert_int_equal(c->netdev[0].fd, 9);
    assert_null(c->netdev[0].ifname);
    assert_int_equal(c->netdev[1].kind, CONFIG_NETDEV_STREAM);
    assert_true(c->netdev[1].server);
    assert_string_equal(c->netdev[2].path, "/x");
    assert_int_equal(c->netdev[2].reconnect, 3);
    assert_string_equal(c->netdev[3].local_host, "a");
    assert_string_equal(c->netdev[3].host, "b");
    assert_int_equal(c->pci[c->nic[2].pci].bootindex, 2);
    assert_string_equal(c->pci[c->nic[2].pci].romfile, "");

    assert_true(
        noticed("bootindex= is ignored; under Xen the firmware takes its order from -boot"));
    assert_false(noticed("not built yet: network card rtl8139"));
    assert_true(noticed("not built yet: network card ne2k_isa"));
    assert_true(noticed("the guest gets an rtl8139 in place of the pcnet"));

    c = accept_line(HVM "-netdev stream,id=s,server=on,addr.type=inet,addr.host=h,addr.port=1,"
                        "addr.to=9,addr.ipv6=on,addr.keep-alive=on,addr.numeric=on -device "
                        "rtl8139,netdev=s -netdev dgram,id=d,local.type=fd,local.str=7 -netdev "
                        "stream,id=a,addr.type=unix,addr.path=x,addr.abstract=on,addr.tight=on");
    assert_true(c->pci[c->nic[0].pci].built);
    assert_false(noticed("in place of"));
    assert_int_equal(c->netdev[0].port_to, 9);
    assert_true(c->netdev[0].ipv6 && !c->netdev[0].ipv4 && c->netdev[0].keep_alive);
    assert_true(c->netdev[0].numeric && !c->netdev[0].abstract);
    assert_int_equal(c->netdev[1].fd, 7);
    assert_true(c->netdev[2].abstract);

    accept_line(HVM "-netdev tap,id=n");
    assert_true(noticed("no network card uses this back-end"));
    /* Cards and cables of one vlan meet. */
    c = accept_line(HVM "-net nic,vlan=1,model=e1000 -net tap,vlan=0,ifname=a -net nic,vlan=0 "
                        "-net tap,vlan=1,ifname=b -net none");
    assert_string_equal(c->netdev[c->nic[0].netdev].ifname, "b");
    assert_string_equal(c->netdev[c->nic[1].netdev].ifname, "a");
    assert_string_equal(accept_line(HVM "-net nic,model=virtio")->nic[0].model, "virtio-net-pci");

    for (int i = 0; i < 9; i++)
        strcat(line, " -device e1000");
    refuse_line(line, "one network card too many; accepted: up to 8");
}

static void test_usb_and_sound(void **state)
{
    static const struct refusal bad[] = {
        {HVM "-usbdevice disk:/x", "-usbdevice disk:/x: not supported; accepted: tablet|USB disks"},
        {HVM "-usbdevice foo", "-usbdevice foo"},
        {HVM "-soundhw foo", "'foo' is not known; accepted: a list of ac97"},
        {HVM "-soundhw ac97,", "'' is not known"},
        {HVM "-soundhw ac97 -soundhw hda", "given twice"},
        {HVM "-device es1370,foo=1", "key 'foo'"},
    };
    const struct config *c;

    REFUSE_ALL(bad);
    c = accept_line(HVM "-usbdevice host:1.2 -device usb-kbd,id=k,bus=usb.0");
    assert_true(c->usb);
    assert_string_equal(c->usb_device[0].name, "host");
    assert_string_equal(c->usb_device[0].args, "1.2");
    assert_string_equal(c->usb_device[1].name, "keyboard");
    assert_string_equal(c->usb_device[1].id, "k");
    assert_true(noticed("not built yet: USB device host (-usbdevice host:1.2)"));
    assert_false(noticed("USB device keyboard"));
    c = accept_line(HVM "-soundhw all");
    assert_int_equal(c->sound_count, 8);
    assert_int_equal(c->pci_count, 4);
    c = accept_line(HVM "-device AC97 -device es1370,audiodev=a -device sb16,iobase=0x220");
    assert_string_equal(c->sound[0].model, "ac97");
    assert_int_equal(c->sound[2].pci, -1);
    assert_int_equal(c->pci[1].kind, CONFIG_PCI_SOUND);
}

static int release(void **state)
{
    parse_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vnc),           cmocka_unit_test(test_vga),
        cmocka_unit_test(test_drive),         cmocka_unit_test(test_ide_devices),
        cmocka_unit_test(test_pci_slots),     cmocka_unit_test(test_net),
        cmocka_unit_test(test_usb_and_sound),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
