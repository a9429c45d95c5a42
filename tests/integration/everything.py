# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with every device that there is, and things to do to each without waiting for the end.

    with machine("cirrus") as options, Guest(**options) as g:
        work = Work(g, options, random.Random(1))
        work.any()
"""

import contextlib
import struct

import floppy
from helpers import Image, bus_master, cdrom, cmos_write, firmware, select
from rtl8139 import RE, TE, Nic, card, dgram, frame, pair
from uhci import IO as UHCI_IO, Uhci

BLIT = (
    # a solid fill of 64 lines of 256 bytes into off-screen memory
    (0x20, 0xFF), (0x21, 0), (0x22, 63), (0x23, 0), (0x24, 0), (0x25, 1), (0x28, 0), (0x29, 0),
    (0x2A, 4), (0x30, 0xC0), (0x32, 0x0D), (0x33, 4), (0x31, 2))


class Machine(dict):
    """Options of Guest(); `wire` is the network card's other end."""

    wire = None


@contextlib.contextmanager
def machine(vga, vcpus=2):
    """Images and sockets that live as long as the block."""
    ours, theirs = pair()
    ours.settimeout(0.2)
    with Image(4) as disk, cdrom() as iso, floppy.Floppy() as diskette, ours, theirs:
        result = Machine(
            vga=vga, disk=disk.path, cdrom=iso.path, vcpus=vcpus, serial=["pty", "null"],
            pass_fds=(theirs.fileno(),),
            args=["-smp", "1,maxcpus=%d" % vcpus, "-usb", "-usbdevice", "tablet",
                  *floppy.drive(diskette), *card(0, dgram(theirs))])
        result.wire = ours
        yield result


class Work:
    """Drivers without patience: each call leaves its device somewhere in the middle."""

    def __init__(self, g, options, rng):
        self.g, self.rng, self.vga, self.wire = g, rng, options["vga"], options.wire
        firmware(g)
        self.bm = bus_master(g)
        self.usb = Uhci(g)
        self.nic = Nic(g)
        self.nic.start_cplus()
        self.sent = 0
        if self.vga == "cirrus":
            for index, value in ((6, 0x12), (7, 1)):
                g.outw(0x3C4, value << 8 | index)
        self.steps = [self.disk_pio, self.disk_dma, self.packet, self.floppy, self.frames_out,
                      self.frames_in, self.usb_report, self.screen, self.serial, self.keyboard,
                      self.settings]

    def any(self):
        step = self.rng.choice(self.steps)
        step()
        return step.__name__

    def disk_pio(self):
        g, words = self.g, self.rng.randrange(1, 256)
        g.outb(0x3F6, 4)
        g.outb(0x3F6, 0)
        g.poll(0x1F7, 0x80, 0)
        writes = self.rng.random() < 0.5
        select(g, self.rng.randrange(8000), self.rng.randrange(1, 9))
        g.outb(0x1F7, 0x30 if writes else 0x20)
        g.poll(0x1F7, 0x88, 0x08)
        (g.outsw if writes else g.insw)(0x1F0, 0x100000, words)

    def disk_dma(self):
        g, count = self.g, self.rng.randrange(1, 129)
        writes = self.rng.random() < 0.5
        g.outb(self.bm, 0)
        g.outb(0x3F6, 4)
        g.outb(0x3F6, 0)
        g.poll(0x1F7, 0x80, 0)
        g.write(0x8000, struct.pack("<IIII", 0x110000, 0x8000, 0x130000, 0x80008000))
        g.outl(self.bm + 4, 0x8000)
        g.outb(self.bm + 2, 6)
        g.outb(self.bm, 0 if writes else 8)
        select(g, self.rng.randrange(8000), count)
        g.outb(0x1F7, 0xCA if writes else 0xC8)
        g.outb(self.bm, 1 if writes else 9)

    def packet(self):
        g = self.g
        g.outb(0x376, 4)
        g.outb(0x376, 0)
        g.poll(0x177, 0x80, 0)
        g.outb(0x176, 0xA0)
        g.outb(0x175, 8)
        g.outb(0x174, 0)
        g.outb(0x177, 0xA0)
        g.poll(0x177, 0x88, 0x08)
        sent = self.rng.randrange(7)
        command = struct.pack(">BBIBHBH", 0x28, 0, self.rng.randrange(500), 0, 2, 0, 0)
        for i in range(sent):
            g.outw(0x170, struct.unpack_from("<H", command, 2 * i)[0])

    def floppy(self):
        g = self.g
        g.outb(floppy.DOR, 0)
        g.outb(floppy.DOR, 0x1C)
        for _ in range(4):
            floppy.sense(g)
        floppy.channel(g, 0x46, 2048, mask=self.rng.choice((2, 6)))
        command = (0xE6, 0, self.rng.randrange(80), 0, 1 + self.rng.randrange(15), 2, 18, 0x1B,
                   0xFF)
        floppy.send(g, *command[:self.rng.choice((3, 9))])

    def frames_out(self):
        g, nic = self.g, self.nic
        for _ in range(self.rng.randrange(1, 8)):
            i = nic.tx % nic.SLOTS
            data = frame(self.sent, self.rng.randrange(60, 1500))
            self.sent += 1
            g.write(nic.buffer(0, i), data)
            g.write(nic.tx_ring + 16 * i, struct.pack(
                "<IIQ", 0xB0000000 | len(data) | (1 << 30 if i == nic.SLOTS - 1 else 0), 0,
                nic.buffer(0, i)))
            nic.tx += 1
        g.outb(nic.io + 0xD9, 0x40)

    def frames_in(self):
        for _ in range(self.rng.randrange(1, 8)):
            self.wire.send(frame(self.sent, 200))
            self.sent += 1

    def usb_report(self):
        g = self.g
        if self.rng.random() < 0.3:
            self.usb.write(0x10, self.rng.choice((0x200, 0x0E, 0x04)))
        elif self.rng.random() < 0.5:
            self.usb.write(0, self.rng.choice((0xC1, 0xC0, 0xC1)))
        else:
            self.usb.ask(0)
            g.qmp("input-send-event", {"events": [
                {"type": "abs", "data": {"axis": "x", "value": self.rng.randrange(32768)}}]})
        g.inw(UHCI_IO + 6)

    def screen(self):
        g = self.g
        for i in range(25):
            g.outw(0x3D4, self.rng.randrange(256) << 8 | i)
        g.outb(0x3C2, 0x67)
        g.outw(0x3C4, 0x0E04)
        g.outb(0x3C8, self.rng.randrange(256))
        g.outb(0x3C9, self.rng.randrange(64))
        if self.vga == "std":
            for index, value in ((4, 0), (1, 640), (2, 480), (3, 32), (4, 0x41)):
                g.outw(0x1CE, index)
                g.outw(0x1CF, value)
        else:
            for index, value in BLIT:
                g.outw(0x3CE, value << 8 | index)

    def serial(self):
        g = self.g
        g.outb(0x3FB, 0x83)
        g.outb(0x3F8, self.rng.randrange(1, 13))
        g.outb(0x3F9, 0)
        g.outb(0x3FB, 3)
        g.outb(0x3FA, 0xC7)
        g.outb(0x3FC, self.rng.choice((0x0B, 0x1B)))
        g.outb(0x3F9, self.rng.randrange(16))
        for _ in range(self.rng.randrange(20)):
            g.outb(0x3F8, self.rng.randrange(256))

    def keyboard(self):
        g = self.g
        g.qmp("send-key", {"keys": [{"type": "qcode", "data": self.rng.choice("abcxyz")}],
                           "hold-time": 10})
        for port, value in self.rng.choice((((0x64, 0x60), (0x60, 0x47)), ((0x60, 0xED),),
                                            ((0x64, 0xD4), (0x60, 0xF4)), ((0x60, 0xF2),))):
            g.outb(port, value)
        g.inb(0x60)

    def settings(self):
        g = self.g
        cmos_write(g, self.rng.randrange(14, 128), self.rng.randrange(256))
        g.outb(0xAFE2, self.rng.randrange(8))
        g.cfg(1, 0, 0x60 + self.rng.randrange(4), 1, self.rng.choice((5, 10, 11, 0x80)))
        g.x("timeoffset", seconds=self.rng.randrange(-5, 5))
        if self.rng.random() < 0.2:
            g.qmp("device_add", {"id": "cpu-1", "driver": "qemu32-i386-cpu", "socket-id": 1,
                                 "core-id": 0, "thread-id": 0})


def nic_runs(nic):
    return nic.g.inb(nic.io + 0x37) & (RE | TE) == RE | TE
