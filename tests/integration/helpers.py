# SPDX-License-Identifier: GPL-2.0-or-later
"""What several integration tests do to a guest: images, the ATA registers, the VGA's modes."""

import os
import struct
import tempfile
import time

from fakexen import Failed, Guest
from tap import equal

BSY, DRDY, DRQ, ERR = 0x80, 0x40, 0x08, 0x01


def until(condition, what, timeout=10):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Image:
    """A raw image that is removed at the end; every sector begins with its number."""

    def __init__(self, mib=1, suffix=".img", fill=True):
        fd, self.path = tempfile.mkstemp(suffix=suffix)
        os.ftruncate(fd, mib << 20)
        self.sectors = mib << 11
        if fill:
            for lba in range(self.sectors):
                os.pwrite(fd, self.sector(lba), lba * 512)
        os.close(fd)

    @staticmethod
    def sector(lba):
        return struct.pack("<Q", lba) + bytes((lba * 7 + i) & 0xFF for i in range(504))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self.path)

    def pread(self, lba, count=1):
        with open(self.path, "rb") as f:
            f.seek(lba * 512)
            return f.read(count * 512)


def cdrom(mib=1):
    return Image(mib, suffix=".iso")


def select(g, lba=0, count=1, base=0x1F0, slave=0):
    g.outb(base + 6, 0xE0 | slave << 4 | lba >> 24 & 15)
    g.outb(base + 2, count & 0xFF)
    g.outb(base + 3, lba & 0xFF)
    g.outb(base + 4, lba >> 8 & 0xFF)
    g.outb(base + 5, lba >> 16 & 0xFF)


def command(g, code, base=0x1F0, want=DRQ):
    """Issues a command and waits for BSY clear with `want` set."""
    g.outb(base + 7, code)
    return g.poll(base + 7, BSY | want, want)


def identify(g, base=0x1F0, slave=0, code=0xEC):
    select(g, base=base, slave=slave)
    command(g, code, base)
    return b"".join(struct.pack("<H", g.inw(base)) for _ in range(256))


def read_pio(g, lba, count=1, gpa=0x100000):
    select(g, lba, count)
    g.outb(0x1F7, 0x20)
    for i in range(count):
        g.poll(0x1F7, BSY | DRQ, DRQ)
        g.insw(0x1F0, gpa + i * 512, 256)
    return g.read(gpa, count * 512)


def write_pio(g, lba, data, gpa=0x100000, timeout=5.0):
    count = len(data) // 512
    g.write(gpa, data)
    select(g, lba, count)
    g.outb(0x1F7, 0x30)
    for i in range(count):
        g.poll(0x1F7, BSY | DRQ, DRQ, timeout=timeout)
        g.outsw(0x1F0, gpa + i * 512, 256)
    return g.poll(0x1F7, BSY | DRQ, 0, timeout=timeout)


def bus_master(g, base=0xC100):
    """Gives the IDE function its bus-master ports, as firmware does."""
    g.cfg(1, 1, 0x20, 4, base)
    g.cfg(1, 1, 0x04, 2, 0x05)
    return base


def dma(g, bm, regions, lba, count, write=False, table=0x8000, code=None):
    """One DMA command over [(gpa, bytes), ...]; gives the bus-master status at the end."""
    g.write(table, b"".join(struct.pack("<II", gpa, (size & 0xFFFF) |
                                        (0x80000000 if i == len(regions) - 1 else 0))
                            for i, (gpa, size) in enumerate(regions)))
    g.outl(bm + 4, table)
    g.outb(bm + 2, 6)
    g.outb(bm, 0 if write else 8)
    select(g, lba, count)
    g.outb(0x1F7, code or (0xCA if write else 0xC8))
    g.outb(bm, 1 if write else 9)
    status = wait_dma(g, bm)
    g.outb(bm, 0)
    g.outb(bm + 2, 6)
    return status


def wait_dma(g, bm, timeout=3.0):
    """Bus-master status once it shows an interrupt or an error, or at the end of the time."""
    end = time.monotonic() + timeout
    while True:
        status = g.inb(bm + 2)
        if status & 6 or time.monotonic() > end:
            return status


def reset_channel(g, control=0x3F6):
    g.outb(control, 4)
    g.outb(control, 0)
    g.poll(control, BSY, 0)


def vga_text(g):
    """Text memory: odd/even addressing at b8000."""
    g.outb(0x3C2, 0x67)
    g.outw(0x3C4, 0x0302)
    g.outw(0x3C4, 0x0204)
    g.outw(0x3CE, 0x1005)
    g.outw(0x3CE, 0x0E06)
    g.outw(0x3CE, 0x0001)
    g.outw(0x3CE, 0xFF08)
    g.outw(0x3CE, 0x0003)


def vga_linear(g):
    """256-colour memory: chain 4, 64 KiB at a0000."""
    g.outb(0x3C2, 0x67)
    g.outw(0x3C4, 0x0F02)
    g.outw(0x3C4, 0x0E04)
    g.outw(0x3CE, 0x4005)
    g.outw(0x3CE, 0x0506)
    g.outw(0x3CE, 0x0001)
    g.outw(0x3CE, 0xFF08)
    g.outw(0x3CE, 0x0003)


def cmos_write(g, index, value):
    g.outb(0x70, index)
    g.outb(0x71, value)


def cmos_read(g, index):
    g.outb(0x70, index)
    return g.inb(0x71)


def open_files(pid):
    """Paths that a process has open."""
    result = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            result.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except FileNotFoundError:
            pass
    return result


def xs_set(g, path, value):
    g.cmd("x-xs-write %s %s" % (path, value))


def xs_get(g, path):
    try:
        return g.cmd("x-xs-read %s" % path)
    except Failed:
        return None


def firmware(g):
    """What hvmloader sets up before anything else: PIRQ routes, the PM ports, the IDE timing."""
    for link, irq in enumerate((5, 10, 11, 5)):
        g.cfg(1, 0, 0x60 + link, 1, irq)
    g.cfg(1, 3, 0x40, 4, 0xB001)
    g.cfg(1, 3, 0x80, 1, 1)
    g.cfg(1, 1, 0x40, 2, 0x8000)
    g.cfg(1, 1, 0x42, 2, 0x8000)
    return g


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def wake_ups(pid, involuntary=False):
    """How often its threads have gone to sleep by themselves, or also when others had their turn."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("voluntary_ctxt_switches") or
                         involuntary and line.startswith("nonvoluntary_ctxt_switches"))
    return total


def sanitized(pid):
    """Has it a sanitizer's run time, which maps terabytes, and lives with no system call filter?"""
    return int(status_of(pid)["VmSize"].split()[0]) > 1 << 30  # KiB


# ---- save and restore


def save(g, path, live=False):
    """As libxl: dirty log on, stop, descriptor, save, dirty log off."""
    equal(g.qmp("xen-set-global-dirty-log", {"enable": True}), {})
    equal(g.qmp("stop"), {})
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    got = g.qmp("add-fd", fds=[fd])
    os.close(fd)
    equal(g.qmp("xen-save-devices-state",
                {"filename": "/dev/fdset/%d" % got["fdset-id"], "live": live}), {})
    equal(g.qmp("xen-set-global-dirty-log", {"enable": False}), {})


def video_frames(g):
    """gfns that the device model populated, where they are now."""
    frames = [(r["gfn"], r["nr"]) for r in g.records("populate")]
    for r in g.records("relocate"):
        frames = [(r["to"], n) if gfn == r["from"] else (gfn, n) for gfn, n in frames]
    return frames


def restored(path, frames, args=(), pass_fds=(), **options):
    """A guest on the receiving side: memory is there before the device model starts."""
    fd = os.open(path, os.O_RDONLY)

    def memory(g):
        for gfn, nr in frames:
            g.x("balloon-in", gfn=gfn, nr=nr, invalidate=0)
    try:
        return Guest(args=["-incoming", "fd:%d" % fd] + list(args), pass_fds=(fd,) + pass_fds,
                     before=memory, **options)
    finally:
        os.close(fd)
