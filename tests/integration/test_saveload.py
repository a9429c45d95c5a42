# SPDX-License-Identifier: GPL-2.0-or-later
"""Save through QMP, restore through -incoming: the guest-visible state goes along, nothing else."""

import os
import re
import subprocess
import tempfile

from fakexen import Guest, program
from helpers import (Image, cdrom, cmos_read, cmos_write, command, firmware, identify, open_files,
                     read_pio, restored, save, select, vga_linear, video_frames)
from tap import equal, main, test


def registers(g):
    """Much of what a guest can read without changing it."""
    state = {}
    for dev, fn in ((0, 0), (1, 0), (1, 1), (1, 3), (2, 0), (3, 0)):
        for reg in range(0, 256, 4):
            state["pci %d.%d+%02x" % (dev, fn, reg)] = g.cfg(dev, fn, reg)
    for index in range(14, 128):
        state["cmos %02x" % index] = cmos_read(g, index)
    for port in (0x92, 0xB2, 0xB3, 0xCF9, 0x3F9, 0x3FB, 0x3FC, 0x3FF, 0x1F2, 0x1F3, 0x1F4, 0x1F5,
                 0x1F6, 0x1F7, 0x64, 0x3CC, 0x87, 0x81):
        state["port %x" % port] = g.inb(port)
    for port, index, count in ((0x3C4, 0x3C5, 5), (0x3CE, 0x3CF, 9), (0x3D4, 0x3D5, 25)):
        for i in range(count):
            g.outb(port, i)
            state["vga %x.%x" % (port, i)] = g.inb(index)
    return state


def scribble(g):
    """Changes something in every device."""
    firmware(g)
    for index in range(14, 128, 3):
        cmos_write(g, index, index ^ 0x5A)
    g.cfg(1, 1, 0x20, 4, 0xC100)
    g.cfg(1, 1, 4, 2, 5)
    g.outb(0x3FB, 0x83)
    g.outb(0x3F8, 12)
    g.outb(0x3F9, 0)
    g.outb(0x3FB, 3)
    g.outb(0x3FC, 0x0B)
    g.outb(0x3FF, 0xA7)
    g.outb(0x92, 2)
    g.outb(0xB2, 0xF1)
    g.outb(0xB3, 0x42)
    g.outb(0x3C2, 0x67)
    vga_linear(g)
    for i in (0, 1, 2, 9, 14, 15):
        g.outw(0x3D4, (i * 17 & 0xFF) << 8 | i)
    select(g, 0x123, 7)
    g.outl(0xCF8, 0x80001234)


@test
def round_trip():
    """registers, video memory and drives are the same after save and restore"""
    with Image() as disk, cdrom() as iso, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(disk=disk.path, cdrom=iso.path, vga="std") as g:
            scribble(g)
            g.write(0xA0000, bytes(range(256)))
            before = registers(g)
            ranges = (g.ranges("pio"), g.ranges("pci"))
            save(g, path)
            frames = video_frames(g)
            picture = [g.read(gfn << 12, 4096) for gfn, _ in frames]
        assert 0 < os.path.getsize(path) < 262144, "%d bytes" % os.path.getsize(path)
        with restored(path, frames, disk=disk.path, cdrom=iso.path, vga="std") as g:
            equal(g.records("populate"), [], "frames populated a second time")
            for (gfn, _), data in zip(frames, picture):
                g.write(gfn << 12, data)
            after = registers(g)
            changed = {k: (hex(v), hex(after[k])) for k, v in before.items() if after[k] != v}
            equal(changed, {}, "registers that changed")
            equal((g.ranges("pio"), g.ranges("pci")), ranges, "ranges")
            equal(g.read(0xA0000, 256), bytes(range(256)))
            equal(read_pio(g, 9), disk.pread(9))


@test
def in_the_middle_of_a_sector():
    """a PIO transfer that was interrupted by save goes on where it stood"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(disk=disk.path) as g:
            want = identify(g)
            select(g)
            command(g, 0xEC)
            g.insw(0x1F0, 0x100000, 100)
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames, disk=disk.path) as g:
            g.insw(0x1F0, 0x100000, 156)
            equal(g.read(0x100000, 312), want[200:])
            equal(g.inb(0x1F7) & 0x89, 0)


@test
def lines_are_asserted_again():
    """an interrupt that was up is up after restore, though the new domain knows nothing of it"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(disk=disk.path) as g:
            g.outb(0x3F6, 8)
            select(g)
            g.outb(0x1F7, 0xEC)
            g.poll(0x3F6, 0x88, 0x08)  # alternate status does not acknowledge
            assert g.gsi(14), "no interrupt"
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames, disk=disk.path) as g:
            assert g.gsi(14), "line not raised after restore"
            g.inb(0x1F7)
            assert not g.gsi(14)


@test
def unplugged_stays_unplugged():
    """a disk that was unplugged does not come back"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(disk=disk.path) as g:
            g.outw(0x10, 1)
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames, disk=disk.path) as g:
            g.outb(0x1F6, 0xE0)
            equal(g.inb(0x1F7), 0)
            assert disk.path not in open_files(g.pid)
            g.outw(0x10, 1)
            equal(g.inw(0x10), 0x49D2)


@test
def after_a_save_the_guest_goes_on():
    """cont after a save (checkpoint, failed migration)"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        with Guest(disk=disk.path) as g:
            path = os.path.join(folder, "state")
            with open(path, "wb") as f:
                f.write(b"x" * 500000)  # a stale longer file
            save(g, path, live=True)
            assert os.path.getsize(path) < 262144, "stale bytes at the end"
            first = open(path, "rb").read()
            equal(g.qmp("cont"), {})
            equal(read_pio(g, 11), disk.pread(11))
            save(g, path)
            equal(g.qmp("cont"), {})
            assert first[:4] == open(path, "rb").read()[:4]


@test
def paused_restore():
    """-S with -incoming: paused until cont"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest() as g:
            cmos_write(g, 0x40, 0x21)
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames, paused=True) as g:
            equal(g.qmp("query-status")["status"], "paused")
            g.qmp("cont")
            equal(cmos_read(g, 0x40), 0x21)


@test
def hostile_streams():
    """a damaged stream is refused with one line, and never believed or crashed on"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(vga="std") as g:
            scribble(g)
            save(g, path)
            frames = video_frames(g)
        good = open(path, "rb").read()
        damaged = {"empty": b"", "another program's": b"QEVM\0\0\0\3" + good[8:],
                   "half": good[:len(good) // 2], "one byte short": good[:-1],
                   "zeroes": bytes(len(good)), "first byte": bytes([good[0] ^ 1]) + good[1:]}
        for at in range(8, len(good), len(good) // 12):
            damaged["flip at %d" % at] = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1:]
        for name, data in damaged.items():
            with open(path, "wb") as f:
                f.write(data)
            with restored(path, frames, vga="std", ready=False) as g:
                status = g.status(0.7 if name.startswith("flip") else 5)
                if name.startswith("flip") and status[0] == "running":
                    continue  # a flipped byte of plain content may be a legal value
                assert status[0] == "exited" and status[1] not in (0, 127), \
                    "%s: %r" % (name, status)
                lines = [x for x in g.log().splitlines() if "incoming" in x or "state" in x]
                assert lines, "%s: %s" % (name, g.log())


@test
def dump():
    """--dump-state prints a saved state readably"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest() as g:
            cmos_write(g, 0x40, 0xAB)
            save(g, path)
        run = subprocess.run([program("slimdm"), "--dump-state", path], capture_output=True,
                             text=True, timeout=10)
        equal(run.returncode, 0, "exit status (%s)" % run.stderr)
        assert re.search("cmos", run.stdout, re.I), run.stdout[:500]
        run = subprocess.run([program("slimdm"), "--dump-state", "/dev/null"], capture_output=True,
                             text=True, timeout=10)
        assert run.returncode not in (0, -11) and run.stderr, run


main()
