# SPDX-License-Identifier: GPL-2.0-or-later
"""Floppy drives: what is configured is there, disks are read, written, changed, and saved in the
middle of a transfer."""

import os
import tempfile

from fakexen import Guest
from floppy import (DATA, DIR, MSR, Floppy, channel, drive, read, reset, result, send, sense,
                    transfer)
from helpers import cmos_read, restored, save, video_frames
from tap import equal, main, same_bytes, test

@test
def absent():
    """without a floppy drive there is no controller, and the CMOS says so"""
    with Guest() as g:
        equal([g.inb(p) for p in (0x3F2, 0x3F4, 0x3F5, 0x3F7)], [0xFF] * 4)
        equal(cmos_read(g, 0x10), 0)
        equal(cmos_read(g, 0x14) & 0x41, 0)


@test
def two_drives():
    """A and B are different disks; the CMOS knows their kinds, boot order 'a' comes first"""
    with Floppy() as a, Floppy(720) as b, \
            Guest(args=drive(a) + drive(b, 1, ",readonly=on"), boot="ac") as g:
        equal(cmos_read(g, 0x10), 0x44)
        equal(cmos_read(g, 0x14) & 0x41, 0x41)
        equal(cmos_read(g, 0x3D), 0x21)
        reset(g)
        same_bytes(read(g, 40, 20), a.pread(40, 20))
        g.outb(DIR, 2)
        same_bytes(read(g, 19, 3, per_track=9, unit=1), b.pread(19, 3))
        equal(transfer(g, 0xC5, 0x4A, 19, 1, per_track=9, unit=1), [0x41, 0x02, 0])


@test
def written():
    """a write is in the file when the command has ended"""
    with Floppy() as a, Guest(args=["-fda", a.path]) as g:
        reset(g)
        before = a.pread(0, a.sectors)
        data = bytes((i * 5 + 3) & 0xFF for i in range(512 * 7))
        g.write(DATA, data)
        equal(transfer(g, 0xC5, 0x4A, 36 * 79 + 20, 7)[0] & 0xC0, 0)
        at = (36 * 79 + 20) * 512
        same_bytes(a.pread(0, a.sectors), before[:at] + data + before[at + len(data):])


@test
def changed():
    """QMP takes the disk out and puts another in; the change line tells the guest"""
    with Floppy() as a, Floppy() as b, Guest(args=drive(a, 0, ",id=fd")) as g:
        reset(g)
        equal(g.inb(DIR) & 0x80, 0)
        g.qmp("eject", {"device": "fd"})
        equal(g.inb(DIR) & 0x80, 0x80)
        equal(transfer(g, 0x46, 0x46, 0, 1), [0x40, 0x01, 0])
        os.pwrite(os.open(b.path, os.O_WRONLY), b"another disk", 512)
        g.qmp("blockdev-change-medium", {"device": "fd", "filename": b.path, "format": "raw"})
        equal(g.inb(DIR) & 0x80, 0x80)
        send(g, 0x0F, 0, 3)
        g.poll(MSR, 0x0F, 0)
        sense(g)
        equal(g.inb(DIR) & 0x80, 0)
        equal(read(g, 1, 1)[:12], b"another disk")


@test
def saved_in_a_transfer():
    """a restored guest unmasks the channel, and its read goes on"""
    with Floppy() as a, tempfile.NamedTemporaryFile() as state:
        with Guest(args=drive(a)) as g:
            reset(g)
            channel(g, 0x46, 1024, mask=6)
            send(g, 0xE6, 0, 7, 0, 9, 2, 18, 0x1B, 0xFF)
            frames = video_frames(g)
            save(g, state.name)
        with restored(state.name, frames, args=drive(a)) as g:
            equal(g.inb(MSR), 0x10)
            g.outb(0x0A, 2)
            equal(result(g, 7), [0x20, 0, 0, 7, 0, 11, 2])
            same_bytes(g.read(DATA, 1024), a.pread(36 * 7 + 8, 2))


main()
