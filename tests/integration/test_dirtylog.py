# SPDX-License-Identifier: GPL-2.0-or-later
"""Migration: while the global dirty log is on, every frame that a device writes is reported, before
the guest can know of it; while it is off, none is.

Grants are not reported: the hypervisor marks a granted frame when it is unmapped.
"""

import contextlib

import floppy
from fakexen import Guest
from helpers import Image, bus_master, command, dma, select, vga_linear, video_frames
from rtl8139 import IMR, ROK, Nic, frame, guest as guest_with_nic
from tap import equal, main, test
from uhci import Uhci

PAGE = 4096


class DirtyLog:
    """What is reported between on() and the question."""

    def __init__(self, g):
        self.g = g
        self.position = 0

    def on(self):
        self.g.qmp("xen-set-global-dirty-log", {"enable": True})
        self.mark()

    def off(self):
        self.g.qmp("xen-set-global-dirty-log", {"enable": False})
        self.mark()

    def mark(self):
        self.position = self.g.mark()

    def reports(self):
        return self.g.records("modified", self.position)

    def frames(self):
        return {r["first"] + i for r in self.reports() for i in range(r["nr"])}


def changed(before, after, base):
    """Frames in which two pictures of memory differ."""
    return {(base + at) // PAGE for at in range(0, len(before), PAGE)
            if before[at:at + PAGE] != after[at:at + PAGE]}


@contextlib.contextmanager
def watched(g, log, base, size):
    """Whatever changes in [base, base + size) inside the block was reported."""
    before = g.read(base, size)
    log.mark()
    yield
    after = g.read(base, size)
    wrote = changed(before, after, base)
    assert wrote, "nothing was written at %#x" % base
    missing = wrote - log.frames()
    assert not missing, "not reported: " + ", ".join("%#x" % f for f in sorted(missing))


def disk_work(g):
    """(memory, size, action) of each way in which the disks write to memory."""
    bm = bus_master(g)

    def read_dma():
        equal(dma(g, bm, [(0x100000, 8192), (0x109002, 4094), (0x180FFE, 4098)], 8, 32) & 7, 4)

    def read_pio():
        select(g, 3, 1)
        command(g, 0x20)
        g.insw(0x1F0, 0x200FFE, 256)

    return ((0x100000, 0x100000, read_dma), (0x200000, 0x4000, read_pio))


@test
def disk():
    """IDE, bus master and string input"""
    with Image() as image, Guest(disk=image.path) as g:
        log = DirtyLog(g)
        work = disk_work(g)
        log.off()
        for _, _, action in work:
            action()
        equal(log.reports(), [])
        log.on()
        for base, size, action in work:
            g.memset(base, size, 0xEE)
            with watched(g, log, base, size):
                action()


@test
def diskette():
    """the floppy controller by way of the 8237"""
    with floppy.Floppy() as image, Guest(args=floppy.drive(image)) as g:
        log = DirtyLog(g)
        floppy.reset(g)
        log.off()
        floppy.read(g, 0, 4)
        equal(log.reports(), [])
        log.on()
        g.memset(floppy.DATA, 0x4000, 0xEE)
        with watched(g, log, floppy.DATA, 0x4000):
            floppy.read(g, 36, 18)


@test
def network_card():
    """RTL8139: frames that come, descriptors that go back, the counters' dump; before the line"""
    with guest_with_nic() as (g, wire):
        log = DirtyLog(g)
        nic = Nic(g)
        for mode in ("c", "cplus"):
            log.off()
            getattr(nic, "start_" + mode)()
            wire.send(frame(1, 900))
            equal(getattr(nic, "receive_" + mode)(), frame(1, 900))
            equal(log.reports(), [], mode)
            log.on()
            nic.isr()
            g.outw(nic.io + IMR, ROK)
            with watched(g, log, nic.ram, 0x40000):
                for i in range(4):
                    wire.send(frame(i, 1400))
                nic.isr(ROK)
                g.inb(nic.io)
            reports = log.reports()
            up = [r["number"] for r in g.records("intx", log.position) if r["level"]]
            assert up and min(r["number"] for r in reports) < up[0], "reported after the interrupt"
            for i in range(4):
                equal(getattr(nic, "receive_" + mode)(), frame(i, 1400))
        g.outw(nic.io + IMR, 0)
        log.mark()
        nic.send_cplus([frame(9)])
        equal(log.frames(), {nic.tx_ring // PAGE}, "transmit descriptor")
        g.memset(0x300000, 64, 0xEE)
        with watched(g, log, 0x300000, PAGE):
            g.outl(nic.io + 0x14, 0)
            g.outl(nic.io + 0x10, 0x300000 | 8)
            g.poll(nic.io + 0x10, 8, 0)


@test
def usb():
    """UHCI: data, the status of transfers, the heads of queues"""
    with Guest(args=("-usb", "-usbdevice", "tablet")) as g:
        log = DirtyLog(g)
        u = Uhci(g)
        u.reset_port()
        log.off()
        equal(len(u.control(0, 0x80, 6, 0x100, 0, 18)), 18)
        equal(log.reports(), [])
        log.on()
        equal(len(u.control(0, 0x80, 6, 0x100, 0, 18)), 18)
        missing = {0x701, 0x702, 0x704} - log.frames()
        equal(missing, set(), "frames of queue heads, transfers and data")


def picture(g):
    """Base and size of video memory."""
    frames = video_frames(g)
    return frames[0][0] * PAGE, 64 << 10


@test
def vga_window():
    """what the VGA writes to video memory for the guest: the window at a0000"""
    with Guest(vga="std") as g:
        log = DirtyLog(g)
        vga_linear(g)
        log.on()
        with watched(g, log, *picture(g)):
            g.write(0xA0000, bytes(range(1, 251)) * 80)
            g.readb(0xA0000)
        log.off()
        g.writeb(0xA0000, 77)
        g.readb(0xA0000)
        equal(log.reports(), [])


@test
def cirrus_blitter():
    """a blit into video memory"""
    with Guest(vga="cirrus") as g:
        log = DirtyLog(g)
        g.cfg(3, 0, 0x10, 4, 0xF0000000)
        g.cfg(3, 0, 0x14, 4, 0xF3000000)
        g.cfg(3, 0, 4, 2, 3)
        for index, value in ((6, 0x12), (7, 0xF1)):
            g.outw(0x3C4, value << 8 | index)
        log.on()
        with watched(g, log, *picture(g)):
            for offset, value in ((0, 0), (4, 0x5A), (8, 1023 | 15 << 16), (0xC, 1024),
                                  (0x10, 0x1000), (0x14, 0), (0x18, 0xC0 | 0x0D << 16 | 4 << 24)):
                g.writel(0xF3000100 + offset, value)
            g.writeb(0xF3000140, 2)
            g.readb(0xF3000140)


main()
