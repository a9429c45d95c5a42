# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole command lines of libxl: each starts what it names, or says what is missing."""

from fakexen import Guest
from helpers import Image, cdrom, cmos_read, firmware, identify
from tap import equal, main, test

QMP = ["-chardev", "socket,id=libxl-cmd,path={dir}/qmp-libxl-1,server=on,wait=off",
       "-mon", "chardev=libxl-cmd,mode=control",
       "-chardev", "socket,id=libxenstat-cmd,path={dir}/qmp-libxenstat-1,server=on,wait=off",
       "-mon", "chardev=libxenstat-cmd,mode=control"]
START = ["-xen-domid", "1", "-no-shutdown"] + QMP + ["-nodefaults", "-no-user-config", "-name"]


def words(text):
    return text.split()


@test
def smallest():
    """disk, CD, pty, cirrus"""
    with Image() as disk, cdrom() as iso, Guest(argv=START + words(
            "g -vnc none -display none -serial pty -device cirrus-vga,vgamem_mb=8 -boot order=d "
            "-net none -machine xenfv,suppress-vmdesc=on -m 248 "
            "-drive file=%s,if=ide,index=0,media=disk,format=raw,cache=writeback "
            "-drive if=none,readonly=on,id=ide-5632,file=%s,format=raw "
            "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0" % (disk.path, iso.path))
            ) as g:
        equal(g.inb(0x3FD), 0x60)
        identify(g)
        identify(g, 0x170, code=0xA1)
        equal(cmos_read(g, 0x3D), 0x03, "boot order")
        equal(g.cfg(3, 0, 0), 0x00B81013, "a Cirrus adapter")


@test
def typical_windows():
    """processors to be added, standard VGA, tablet, NIC, empty CD drive"""
    with Image() as disk, Guest(vcpus=8, ram=512, argv=START + words(
            "win10 -vnc none -display none -k de -device VGA,vgamem_mb=16 -boot order=cd -usb "
            "-usbdevice tablet -smp 4,maxcpus=8 -device e1000,id=nic0,netdev=net0,"
            "mac=00:16:3e:5e:01:02 -netdev type=tap,id=net0,ifname=vif1.0-emu,br=xenbr0,script=no,"
            "downscript=no -machine xenfv,suppress-vmdesc=on -m 512 "
            "-drive file=%s,if=ide,index=0,media=disk,format=raw,cache=writeback "
            "-drive if=none,readonly=on,id=ide-5632 "
            "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0" % disk.path)) as g:
        firmware(g)
        equal(g.inb(0xAF00), 0x0F)
        equal([c["cpu-index"] for c in g.qmp("query-cpus-fast")], [0, 1, 2, 3])
        equal(cmos_read(g, 0x3D), 0x32, "boot order")
        equal(g.cfg(3, 0, 0), 0x11111234)
        equal(g.cfg(1, 2, 0), 0x70208086)
        assert "e1000" in g.log(), "no notice about e1000: %s" % g.log()


@test
def without_platform_device():
    """xen_platform_pci=0: the VGA takes its slot, ports 0x10 to 0x13 are nobody's"""
    with Guest(argv=START + words(
            "plain -vnc none -display none -device VGA,vgamem_mb=16 -boot order=c -net none "
            "-machine pc,accel=xen,suppress-vmdesc=on -m 248")) as g:
        equal(g.cfg(2, 0, 0), 0x11111234)
        equal(g.inw(0x10), 0xFFFF)
        equal(g.inb(0x12), 0xFF)


@test
def headless():
    """no VGA, output to a file"""
    with Guest(argv=START + words(
            "krn -vnc none -display none -serial file:{dir}/com1.log -nographic -boot order=cda "
            "-net none -machine xenfv,suppress-vmdesc=on -m 248")) as g:
        equal(g.inb(0x3FD), 0x60)
        equal(g.cfg(3, 0, 0), 0xFFFFFFFF)
        g.outb(0x3F8, ord("A"))
        equal(cmos_read(g, 0x3D), 0x32)
        equal(cmos_read(g, 0x38) & 0xF0, 0x10)


@test
def several_serial_ports():
    """two ports, one of them a TCP socket with old spelling"""
    with Guest(argv=START + words(
            "multi -vnc none -display none -serial pty -serial tcp:127.0.0.1:0,server,nowait "
            "-device cirrus-vga,vgamem_mb=8 -boot order=cda -smp 2,maxcpus=2 -net none "
            "-machine xenfv,suppress-vmdesc=on,max-ram-below-4g=3221225472 -m 248"),
            vcpus=2) as g:
        equal((g.inb(0x3FD), g.inb(0x2FD)), (0x60, 0x60))
        equal(g.inb(0x3ED), 0xFF)


main()
