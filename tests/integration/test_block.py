# SPDX-License-Identifier: GPL-2.0-or-later
"""Images: what is written is there, errors reach the guest, a slow disk holds up nobody."""

import os
import resource
import signal
import struct

from fakexen import Failed, Guest
from helpers import (BSY, DRQ, ERR, Image, bus_master, cdrom, command, dma, identify, read_pio,
                     reset_channel, select, write_pio)
from tap import equal, main, same_bytes, test


@test
def written_and_read():
    """sectors written by PIO and DMA are in the image, and only those"""
    with Image(2) as disk, Guest(disk=disk.path) as g:
        before = disk.pread(0, disk.sectors)
        bm = bus_master(g)
        one = bytes((i * 3) & 0xFF for i in range(512 * 4))
        two = bytes((i * 5 + 1) & 0xFF for i in range(512 * 64))
        equal(write_pio(g, 100, one) & ERR, 0)
        g.write(0x200000, two)
        equal(dma(g, bm, [(0x200000, len(two))], 1000, 64, write=True) & 7, 4)
        equal(read_pio(g, 100, 4), one)
        select(g)
        command(g, 0xE7, want=0)
        want = bytearray(before)
        want[100 * 512:104 * 512] = one
        want[1000 * 512:1064 * 512] = two
        same_bytes(disk.pread(0, disk.sectors), bytes(want))


@test
def two_disks_and_a_cd():
    """hda, hdb and hdc are three drives"""
    with Image(1) as a, Image(2) as b, cdrom(1) as c, \
            Guest(disk=a.path, disks=[(1, b.path)], cdrom=c.path) as g:
        for slave, image in ((0, a), (1, b)):
            data = identify(g, slave=slave)
            equal(struct.unpack_from("<I", data, 120)[0], image.sectors, "sectors")
        equal(identify(g, 0x170, code=0xA1)[1] >> 6, 2)
        g.write(0x100000, bytes(512))
        select(g, 5, 1, slave=1)
        g.outb(0x1F7, 0x30)
        g.poll(0x1F7, BSY | DRQ, DRQ)
        g.outsw(0x1F0, 0x100000, 256)
        g.poll(0x1F7, BSY | DRQ, 0)
        g.outb(0x1F7, 0xE7)
        g.poll(0x1F7, BSY, 0)
        equal(b.pread(5), bytes(512))
        equal(a.pread(5), Image.sector(5))


@test
def write_error():
    """a write that the host refuses is an ATA error, and the process lives"""
    with Image(2) as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        resource.prlimit(g.pid, resource.RLIMIT_FSIZE, (262144, 262144))
        data = bytes(range(256)) * 2
        equal(write_pio(g, 10, data) & ERR, 0, "error below the limit")
        try:
            status = write_pio(g, 2000, data)
        except Failed:
            status = g.inb(0x1F7)
        # a cache may swallow the write; then the flush must tell
        if not status & ERR:
            g.outb(0x1F7, 0xE7)
            status = g.poll(0x1F7, BSY, 0)
        equal(status & ERR, ERR, "error of PIO")
        assert g.inb(0x1F1) & 0x54, "error register %#x" % g.inb(0x1F1)
        g.write(0x200000, data * 8)
        dma(g, bm, [(0x200000, 4096)], 2000, 8, write=True)
        status = g.inb(0x1F7)
        if not status & ERR:
            g.outb(0x1F7, 0xE7)
            status = g.poll(0x1F7, BSY, 0)
        equal(status & ERR, ERR, "error of DMA")
        reset_channel(g)
        equal(read_pio(g, 10), data)
        equal(g.status()[0], "running")


@test
def image_that_shrinks():
    """an image cut off below the guest gives errors behind its end, not other data"""
    with Image(2) as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        os.truncate(disk.path, 1 << 20)
        select(g, 3000, 1)
        g.outb(0x1F7, 0x20)
        assert g.poll(0x1F7, BSY, 0) & ERR
        dma(g, bm, [(0x200000, 4096)], 3000, 8)
        assert g.inb(0x1F7) & ERR
        reset_channel(g)
        equal(read_pio(g, 7), Image.sector(7))


@test
def many_at_once():
    """transfers on both channels overlap and do not mix"""
    with Image(2) as a, cdrom(2) as c, Guest(disk=a.path, cdrom=c.path, vcpus=2) as g:
        bm = bus_master(g)
        for turn in range(20):
            lba = turn * 50
            g.write(0x8000, struct.pack("<II", 0x200000, 0x80008000))
            g.write(0x9000, struct.pack("<II", 0x300000, 0x80008000))
            g.outl(bm + 4, 0x8000)
            g.outl(bm + 12, 0x9000)
            g.outb(bm + 2, 6)
            g.outb(bm + 10, 6)
            select(g, lba, 64)
            g.outb(0x1F7, 0xC8)
            g.outb(0x176, 0xA0)
            g.outb(0x171, 1)
            g.outb(0x177, 0xA0)
            g.poll(0x177, BSY | DRQ, DRQ)
            for word in (0x0028, 0, (turn & 0xFF) << 8, 0, 0x0010, 0):
                g.outw(0x170, word)
            g.outb(bm, 9)
            g.outb(bm + 8, 9)
            for at in (bm + 2, bm + 10):
                g.poll(at, 4, 4)
            g.outb(bm, 0)
            g.outb(bm + 8, 0)
            same_bytes(g.read(0x200000, 32768), a.pread(lba, 64), "disk, turn %d" % turn)
            same_bytes(g.read(0x300000, 32768), c.pread(turn * 4, 64), "CD, turn %d" % turn)
            g.inb(0x1F7)
            g.inb(0x177)


@test
def stopped_in_flight():
    """stop waits for transfers, whose data are in memory when it answers"""
    with Image(4) as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        for turn in range(5):
            g.memset(0x200000, 65536, 0)
            g.write(0x8000, struct.pack("<II", 0x200000, 0x80000000))
            g.outl(bm + 4, 0x8000)
            g.outb(bm + 2, 6)
            select(g, turn * 128, 128)
            g.outb(0x1F7, 0xC8)
            g.outb(bm, 9)
            g.qmp("stop")
            same_bytes(g.read(0x200000, 65536), disk.pread(turn * 128, 128), "data at stop")
            g.qmp("cont")
            g.poll(bm + 2, 4, 4)
            g.outb(bm, 0)
            g.inb(0x1F7)


@test
def killed_by_a_signal():
    """what was flushed is on disk after SIGKILL, what was answered after SIGTERM"""
    for number in (signal.SIGKILL, signal.SIGTERM):
        with Image() as disk, Guest(disk=disk.path) as g:
            data = bytes((i ^ 0xA5) & 0xFF for i in range(512))
            equal(write_pio(g, 33, data) & ERR, 0)
            if number == signal.SIGKILL:
                g.outb(0x1F7, 0xE7)
                g.poll(0x1F7, BSY, 0)
            g.kill(number.value)
            same_bytes(disk.pread(33), data, number.name)


main()
