# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-xen-traditional mode: disks, commands and answers by way of xenstore, as libxl 4.17 does it."""

import os
import shutil
import stat
import tempfile
import time

from atapi import NO_MEDIUM, attention, packet
from fakexen import Guest, program
from helpers import (Image, cdrom, cmos_read, cmos_write, command, firmware, identify, read_pio,
                     until, video_frames)
from rfb import Closed, Refused, Viewer
from tap import Skip, equal, main, test

DM, HOME = "device-model/1", "/local/domain/1"
HDA, HDB, HDC = 768, 832, 5632
ARGV = ("-d 1 -domain-name legacy -vnc none -serial pty -videoram 4 -boot cda -acpi -vcpus 4 "
        "-vcpu_avail 0x03 -net none -M xenfv -save-dir {dir}").split()


def front(number):
    return "%s/device/vbd/%d" % (HOME, number)


def back(number, kind="qdisk"):
    return "/local/domain/0/backend/%s/1/%d" % (kind, number)


def put(g, path, value):
    g.cmd("x-xs-write %s %s" % (path, value))


def add_disk(g, number, dev, params, kind="qdisk", mode="w", what="disk"):
    """The nodes that libxl writes before it starts the device model."""
    put(g, front(number) + "/backend", back(number, kind))
    for node, value in (("frontend", front(number)), ("dev", dev), ("params", params),
                        ("type", "phy" if kind == "vbd" else kind), ("mode", mode),
                        ("device-type", what), ("state", "1"), ("online", "1")):
        put(g, back(number, kind) + "/" + node, value)


def traditional(disks=(), nodes=(), args=(), before=None, **options):
    def prepare(g):
        for disk in disks:
            add_disk(g, *disk)
        for path, value in nodes:
            put(g, path, value)
        if before:
            before(g)
    return Guest(argv=ARGV + list(args), vcpus=4, before=prepare, **options)


def ask(g, command_, state, ret="ok", parameter=None):
    """A command as libxl gives it; waits for the answer."""
    put(g, DM + "/ret", "?")
    if parameter is not None:
        put(g, DM + "/parameter", parameter)
    put(g, DM + "/command", command_)
    until(lambda: g.xs(DM + "/ret") != "?", "no answer to " + command_, 30)
    equal(g.xs(DM + "/ret"), ret)
    until(lambda: g.xs(DM + "/state") == state, "the state is not " + state)
    equal(g.xs(DM + "/command"), None, "the command, once it is taken")


@test
def machine():
    """a guest of qemu-dm: its slots, its ACPI ports, its disks, its memory"""
    with Image() as disk, cdrom() as iso, traditional(
            disks=[(HDA, "hda", "aio:" + disk.path), (HDC, "hdc", iso.path, "vbd", "r", "cdrom")]
            ) as g:
        firmware(g)
        equal(g.cfg(2, 0, 0), 0x00B81013, "02.0: the Cirrus adapter")
        equal(g.cfg(3, 0, 0), 0x00015853, "03.0: the platform device")
        equal(g.cfg(1, 3, 0), 0x71138086, "01.3: power management")
        equal(read_pio(g, 9), disk.pread(9))
        identify(g, 0x170, code=0xA1)
        equal(attention(g), [])
        equal(packet(g, [0x28, 0, 0, 0, 0, 0, 0, 0, 1]), iso.pread(0, 4))
        equal(g.inb(0xAF00), 0x03, "vCPUs")
        equal(g.inb(0xAFE0), 0, "GPE0")
        equal(g.inw(0xB004) & 0xC000, 0, "PMCNTRL")
        equal([g.inb(p) for p in (0x10C0, 0x10C1, 0x10C2, 0x1141)], [0, 0, 0, 0], "PCI hot-plug")
        equal(g.inl(0xAE00), 0xFFFFFFFF, "PCI hot-plug of the other tables")
        equal(cmos_read(g, 0x3D), 0x32, "boot order")
        ram = (int(g.xs(HOME + "/memory/static-max")) - int(g.xs(HOME + "/memory/videoram"))) >> 10
        equal(cmos_read(g, 0x34) | cmos_read(g, 0x35) << 8, (ram - 16) * 16, "memory above 16 MiB")
        assert g.xs(HOME + "/serial/0/tty").startswith("/dev/pts/"), "the terminal's name"


@test
def without_platform_device():
    """xen_platform_pci=0 is told in xenstore: its slot is the next device's"""
    with traditional(nodes=[(DM + "/disable_pf", "1")],
                     args=["-net", "nic,vlan=0,macaddr=00:16:3e:01:02:03,model=rtl8139"]) as g:
        equal(g.cfg(3, 0, 0), 0x813910EC, "03.0: the network card")
        equal(g.inb(0x10), 0xFF)


@test
def forged_disks():
    """a front end that names a file or another's disk gets no image; a broken disk is an error"""
    with Image() as disk, Image() as other:
        def forge(g):
            put(g, HOME + "/data/params", "aio:" + other.path)
            put(g, HOME + "/data/dev", "hdb")
            put(g, HOME + "/data/frontend", front(HDB))
            put(g, front(HDB) + "/backend", HOME + "/data")
            # Another guest's disk, which names its own front end.
            put(g, front(HDC) + "/backend", back(HDA))
        with traditional(disks=[(HDA, "hda", "aio:" + disk.path)], before=forge) as g:
            equal(read_pio(g, 3), disk.pread(3))
            g.outb(0x176, 0xA0)
            equal(g.inb(0x177), 0, "status of the second channel")
            assert "not one of this host's" in g.log(), g.log()
    with traditional(disks=[(HDA, "hda", "zip:/x")], ready=False) as g:
        equal(g.status(30), ("exited", 1))
        assert "format is not known" in g.log(), g.log()
    with traditional(disks=[(HDA, "hda", "aio:/nowhere/x")], ready=False) as g:
        equal(g.status(30), ("exited", 1))
        assert "/nowhere/x" in g.log(), g.log()


@test
def save_and_continue():
    """save leaves the file and stands still; continue goes on; both twice"""
    with Image() as disk, traditional(disks=[(HDA, "hda", "aio:" + disk.path)]) as g:
        path = os.path.join(g.dir, "qemu-save.1")
        with open(path, "wb") as f:
            f.write(bytes(1 << 20))  # a longer one of an earlier try
        for _ in range(2):
            ask(g, "save", "paused")
            equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            assert 0 < os.path.getsize(path) < 262144, "%d bytes" % os.path.getsize(path)
            g.x("ioreq", type="pci", addr=0, size=4, post=1)
            time.sleep(0.1)
            assert "state=1 " in g.x("slot"), "served while it stands still"
            ask(g, "continue", "running")
            g.x("wait", vcpu=0)
            equal(read_pio(g, 5), disk.pread(5))
        ask(g, "continue", "running")


@test
def restore():
    """-loadvm goes on with the saved state, and says running"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        disks = [(HDA, "hda", "aio:" + disk.path)]
        path = os.path.join(folder, "qemu-resume.1")
        with traditional(disks=disks) as g:
            firmware(g)
            cmos_write(g, 0x50, 0x5A)
            command(g, 0xEC)
            g.insw(0x1F0, 0x100000, 100)
            ask(g, "save", "paused")
            shutil.move(os.path.join(g.dir, "qemu-save.1"), path)
            frames = video_frames(g)

        def memory(g):
            for gfn, nr in frames:
                g.x("balloon-in", gfn=gfn, nr=nr, invalidate=0)
        with traditional(disks=disks, args=["-loadvm", path], before=memory) as g:
            equal(g.xs(DM + "/state"), "running")
            equal(cmos_read(g, 0x50), 0x5A)
            equal(g.inb(0x1F7) & 0x88, 0x08, "a transfer goes on")
            equal(g.records("populate"), [], "frames populated a second time")


@test
def failed_save():
    """a folder that cannot be written: said in the node, and the guest can go on"""
    with Image() as disk, traditional(disks=[(HDA, "hda", "aio:" + disk.path)],
                                      args=["-save-dir", "/nowhere"]) as g:
        ask(g, "save", "paused", "cannot write the state: No such file or directory")
        assert "/nowhere/qemu-save.1" in g.log(), g.log()
        ask(g, "continue", "running")
        equal(read_pio(g, 5), disk.pread(5))


@test
def refused_commands():
    """what is not built or unknown is said in the node and the log, and changes nothing"""
    with traditional() as g:
        device = "0000:03:00.0,msitranslate=0,power_mgmt=0"
        ask(g, "pci-ins", "pci-insert-failed", "pci-ins: PCI passthrough is not built (%s)" % device,
            device)
        put(g, DM + "/state", "running")  # as libxl does
        ask(g, "pci-rem", "pci-removed", "pci-rem: the guest has no such device (0000:03:00.0)",
            "0000:03:00.0")
        put(g, DM + "/state", "running")
        ask(g, "usb-add", "running", "USB hot-plug is not built (tablet)", "tablet")
        ask(g, "dance", "running", "there is no command 'dance'")
        for words in ("PCI passthrough is not built", "no command 'dance'"):
            assert words in g.log(), g.log()
        g.inb(0x71)


@test
def log_dirty():
    """the handshake before and after a save: what the device model writes is reported"""
    with Image() as disk, traditional(disks=[(HDA, "hda", "aio:" + disk.path)]) as g:
        for word in ("enable", "disable", "enable"):
            put(g, DM + "/logdirty/cmd", word)
            until(lambda: g.xs(DM + "/logdirty/ret") == word, "no answer to " + word)
            g.cmd("x-xs-rm " + DM + "/logdirty/cmd")
            g.cmd("x-xs-rm " + DM + "/logdirty/ret")
            before = len(g.records("modified"))
            g.outb(0x1F6, 0xE0)
            read_pio(g, 1)  # string input: guest memory is written
            equal(len(g.records("modified")) > before, word == "enable", "reported with " + word)
        put(g, DM + "/logdirty/cmd", "maybe")
        until(lambda: g.xs(DM + "/logdirty/ret") == "there is no such command", "no answer")


@test
def medium():
    """xl cd-insert and cd-eject by the back end's params; the guest's own eject is told"""
    with cdrom() as one, cdrom() as two, traditional(
            disks=[(HDC, "hdc", "aio:" + one.path, "qdisk", "r", "cdrom")]) as g:
        identify(g, 0x170, code=0xA1)
        attention(g)
        put(g, back(HDC) + "/params", "")
        until(lambda: attention(g)[-1:] == [(2, NO_MEDIUM)], "the medium stays")
        put(g, back(HDC) + "/params", "aio:" + two.path)
        until(lambda: packet(g, [0]) == b"", "not ready with the new medium")
        packet(g, [0x1B, 0, 0, 0, 2])
        until(lambda: g.xs(front(HDC) + "/eject") == "eject", "the eject is not told")
        put(g, back(HDC) + "/params", "aio:/nowhere/y")
        until(lambda: "/nowhere/y" in g.log(), "the log does not name the file")
        put(g, back(HDC) + "/params", "zip:" + one.path)
        until(lambda: "zip:" in g.log(), "the log does not name the format")
        g.cmd("x-xs-rm " + back(HDC))  # the domain's end
        put(g, DM + "/command", "continue")
        until(lambda: g.xs(DM + "/ret") == "ok", "it does not go on")


@test
def vcpus():
    """xl vcpu-set: availability in xenstore becomes the map of online vCPUs and an event"""
    with traditional() as g:
        firmware(g)
        equal(g.inb(0xAF00), 0x03)
        g.outb(0xAFE2, 0x04)
        put(g, HOME + "/cpu/2/availability", "online")
        until(lambda: g.inb(0xAF00) == 0x07, "vCPU 2 does not come")
        equal(g.inb(0xAFE0), 0x04, "GPE0 status")
        assert g.gsi(9), "no SCI"
        g.outb(0xAFE0, 0x04)
        put(g, HOME + "/cpu/1/availability", "offline")
        until(lambda: g.inb(0xAF00) == 0x05, "vCPU 1 does not go")
        put(g, HOME + "/cpu/0/availability", "offline")
        put(g, HOME + "/cpu/3/availability", "online")
        until(lambda: g.inb(0xAF00) == 0x0D, "vCPU 3 does not come, or vCPU 0 goes")


@test
def sleep():
    """xl trigger s3resume tells the hypervisor alone: the guest meets devices that were reset"""
    with Image() as disk, traditional(disks=[(HDA, "hda", "aio:" + disk.path)]) as g:
        firmware(g)
        for saved in (False, True):
            command(g, 0xEC)
            g.outb(0x3F9, 5)
            g.outw(0xB004, 0x2400)
            until(lambda: g.x("param", index=14) == "0x3", "it does not sleep")
            if saved:
                ask(g, "save", "paused")
                ask(g, "continue", "running")
            g.x("ioreq", addr=0x3F9, post=1, type=0, dir=1, size=1)
            time.sleep(0.4)
            assert "state=1 " in g.x("slot"), "served while it sleeps"
            g.x("param", index=14, value=0)
            equal(int(g.x("wait"), 0) & 0xFF, 0, "the serial port's interrupts, after the reset")
            equal(g.inb(0x1F7) & 8, 0, "the disk's transfer is gone")
            equal(read_pio(g, 5), disk.pread(5))


@test
def viewers():
    """the password is taken out of xenstore; port, address and terminals are told there"""
    if not os.path.exists(os.path.join(os.path.dirname(program("slimdm")), "slimdm-vnc")):
        raise Skip("slimdm-vnc is not built")
    where = []

    def password(g):
        where.append(g.xs(HOME + "/vm") + "/vncpasswd")
        put(g, where[0], "secret")
    # As libxl finds it without an override: the front-ends lie beside what the link leads to.
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "qemu-dm")
        os.symlink(program("slimdm"), link)
        g = traditional(before=password, dm=link,
                        args=["-vnc", "127.0.0.1:20,password", "-vncunused"])
    with g:
        equal(g.xs(where[0]), "", "the password's node")
        equal(g.xs(HOME + "/console/vnc-listen"), "127.0.0.1")
        equal(g.xs(HOME + "/console/vnc-pass"), "secret")
        port = int(g.xs(HOME + "/console/vnc-port"))
        Viewer(port, password="secret").close()
        try:
            Viewer(port, password="wrong").close()
            raise AssertionError("logged in with a wrong password")
        except (Refused, Closed):
            pass
        assert "secret" not in g.log(), g.log()
    with traditional(args=["-vnc", "127.0.0.1:20,password", "-vncunused"]) as g:
        assert "stays locked" in g.log(), g.log()


@test
def ends():
    """SIGHUP ends it; a domain that does not exist is an error"""
    with traditional() as g:
        equal(g.kill(1), ("exited", 0))
    with Guest(argv=["-d", "2", "-domain-name", "x", "-M", "xenfv"], ready=False) as g:
        equal(g.status(30), ("exited", 1))
        assert "-d 2: there is no such domain" in g.log(), g.log()


main()
