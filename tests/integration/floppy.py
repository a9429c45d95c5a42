# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver of the floppy controller, with DMA channel 2 and a buffer at DATA."""

import os

from helpers import Image
from tap import equal

MSR, FIFO, DOR, DIR = 0x3F4, 0x3F5, 0x3F2, 0x3F7
DATA = 0x30000


class Floppy(Image):
    """An image of so many KiB; every sector begins with its number."""

    def __init__(self, kib=1440):
        super().__init__((kib >> 10) + 1)
        os.truncate(self.path, kib << 10)
        self.sectors = kib * 2


def drive(image, unit=0, more=""):
    return ["-drive", "file=%s,if=floppy,index=%d,format=raw%s" % (image.path, unit, more)]


def send(g, *command):
    for byte in command:
        g.poll(MSR, 0xC0, 0x80)
        g.outb(FIFO, byte)


def result(g, count):
    g.poll(MSR, 0xC0, 0xC0)
    return [g.inb(FIFO) for _ in range(count)]


def sense(g):
    send(g, 0x08)
    return result(g, 2)


def reset(g, rate=0):
    g.outb(DOR, 0x08)
    g.outb(DOR, 0x1C)
    equal([sense(g)[0] for _ in range(4)], [0xC0, 0xC1, 0xC2, 0xC3])
    g.outb(DIR, rate)
    send(g, 0x03, 0xDF, 0x02)
    for cylinder in (1, 0):
        send(g, 0x0F, 0, cylinder)
        g.poll(MSR, 0x0F, 0)
        equal(sense(g), [0x20, cylinder])


def channel(g, mode, count, mask=2):
    g.outb(0x0A, 6)
    g.outb(0x0C, 0)
    for port, value in ((4, DATA & 0xFFFF), (5, count - 1)):
        g.outb(port, value & 0xFF)
        g.outb(port, value >> 8)
    g.outb(0x81, DATA >> 16)
    g.outb(0x0B, mode)
    g.outb(0x0A, mask)


def transfer(g, opcode, mode, lba, count, per_track=18, unit=0):
    """Sectors within a cylinder; the status bytes."""
    c, rest = divmod(lba, per_track * 2)
    h, s = divmod(rest, per_track)
    channel(g, mode, count * 512)
    send(g, opcode, h << 2 | unit, c, h, s + 1, 2, per_track, 0x1B, 0xFF)
    return result(g, 7)[:3]


def read(g, lba, count, **where):
    st = transfer(g, 0xE6, 0x46, lba, count, **where)
    equal(st[0] & 0xC0, 0, "ST0")
    return g.read(DATA, count * 512)
