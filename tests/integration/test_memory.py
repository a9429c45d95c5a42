# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest memory: holes, frames that change, INVALIDATE, the ways to map the server's pages."""

import errno
import os
import tempfile

from fakexen import Guest
from helpers import (Image, bus_master, command, dma, identify, read_pio, reset_channel, select,
                     vga_linear, wait_dma)
from tap import equal, main, test


@test
def invalidate_drops_mappings():
    """after INVALIDATE a frame number shows its new frame"""
    with Image() as disk, Guest(disk=disk.path) as g:
        want = identify(g)
        bm = bus_master(g)
        select(g)
        command(g, 0xEC)
        g.insw(0x1F0, 0x60000, 256)
        equal(g.read(0x60000, 512), want)
        for turn in range(3):
            g.x("balloon-out", gfn=0x60, nr=2)
            g.x("balloon-in", gfn=0x60, nr=2)
            g.memset(0x60000, 4096, 0)
            select(g)
            command(g, 0xEC)
            g.insw(0x1F0, 0x60000, 256)
            equal(g.read(0x60000, 512), want, "string data, turn %d" % turn)
            g.x("balloon-out", gfn=0x60, nr=2)
            g.x("balloon-in", gfn=0x60, nr=2)
            equal(dma(g, bm, [(0x60000, 8192)], 16, 16) & 7, 4, "bus-master status")
            equal(g.read(0x60000, 8192), disk.pread(16, 16), "DMA data, turn %d" % turn)


@test
def frame_comes_without_invalidate():
    """a hole that is populated later is found, though nobody announces that"""
    with Image() as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        g.x("balloon-out", gfn=0x70, nr=4)
        equal(dma(g, bm, [(0x68000, 4096)], 8, 8) & 7, 4)
        g.x("balloon-in", gfn=0x70, nr=4, invalidate=0)
        equal(dma(g, bm, [(0x70000, 8192)], 40, 16) & 7, 4)
        equal(g.read(0x70000, 8192), disk.pread(40, 16))


@test
def dma_into_holes():
    """bus-master transfers to frames that are not there end, and harm nobody"""
    with Image() as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        g.x("balloon-out", gfn=0x80, nr=1)
        dma(g, bm, [(0x7F000, 4096), (0x80000, 4096), (0x81000, 4096)], 0, 24)
        equal(g.read(0x7F000, 4096), disk.pread(0, 8), "data in front of the hole")
        equal(g.status()[0], "running")
        for gpa in (0xE0000000, 0xA0000, 0xFFFFE000):
            reset_channel(g)
            dma(g, bm, [(gpa, 4096)], 0, 8)
        # the table itself in a hole
        g.outl(bm + 4, 0x80000)
        select(g, 0, 1)
        g.outb(0x1F7, 0xC8)
        g.outb(bm, 9)
        wait_dma(g, bm, 0.2)
        g.outb(bm, 0)
        reset_channel(g)
        equal(dma(g, bm, [(0x100000, 512)], 3, 1) & 7, 4)
        equal(g.read(0x100000, 512), disk.pread(3))


@test
def dma_from_holes():
    """writes from frames that are not there"""
    with Image() as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        g.x("balloon-out", gfn=0x80, nr=1)
        dma(g, bm, [(0x80000, 4096)], 64, 8, write=True)
        reset_channel(g)
        equal(read_pio(g, 5), disk.pread(5))


@test
def scattered_dma():
    """a transfer over many small and odd pieces, RAM above 4 GiB left alone"""
    with Image(4) as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        pieces, gpa, left = [], 0x100002, 128 * 512
        for i in range(60):
            size = (i * 34 + 2) & 0xFFE or 2
            pieces.append((gpa, size))
            gpa, left = gpa + size + 4098, left - size
        pieces.append((gpa, left))
        equal(dma(g, bm, pieces, 100, 128) & 7, 4)
        got = b"".join(g.read(at, size) for at, size in pieces)
        equal(got, disk.pread(100, 128))
        data = bytes((i * 13 + 5) & 0xFF for i in range(128 * 512))
        at = 0
        for gpa, size in pieces:
            g.write(gpa, data[at:at + size])
            at += size
        equal(dma(g, bm, pieces, 1000, 128, write=True) & 7, 4)
        g.outb(0x1F6, 0xE0)
        command(g, 0xE7, want=0)
        equal(disk.pread(1000, 128), data)


@test
def memory_above_4_gib():
    """string data above 4 GiB"""
    with Image() as disk, Guest(disk=disk.path, ram=4352) as g:
        want = identify(g)
        for gpa in (0x1_0000_0000, 0x1_0ABC_DFFF, 0xEFFF_FE00):
            select(g)
            command(g, 0xEC)
            g.insw(0x1F0, gpa, 256)
            equal(g.read(gpa, 512), want, "data at %#x" % gpa)


@test
def without_resource_mapping():
    """an old kernel: the server's pages come as guest frames, mapped before enabling"""
    with Guest(vcpus=4, before=lambda g: g.x("set", no_resource=1)) as g:
        server = [s for s in g.state() if s["kind"] == "server"][0]
        equal((server["by-gfn"], server["bound-vcpus"], server["bound-ring"]), (1, 4, 1))
        equal(g.ioreq(vcpu=3, type="pci", addr=0, size=4), 0x12378086)
        vga_linear(g)
        g.writel(0xA0000, 0x12345678)
        equal(g.readl(0xA0000), 0x12345678)


@test
def no_stray_calls():
    """start-up asks Xen for nothing that goes wrong, and parks video memory outside of RAM"""
    with Guest(vga="std") as g:
        for r in g.records():
            if r["kind"] == "map-resource":
                continue
            equal(r["result"], 0, "result of %r" % r)
            assert r["kind"] != "bad", r
        for r in g.records("populate"):
            assert r["gfn"] >= g.ram << 8, "populated inside RAM: %r" % r
        d = g.domain()
        assert d["pages"] <= d["max-pages"]


@test
def video_memory_without_large_pages():
    """where there are no pages of 2 MiB left, it is made of small ones"""
    def none_left(g):
        g.x("fail", name="populate_physmap", times=1, errno=errno.ENOMEM)
    for before in (None, none_left):
        with Guest(vga="std", before=before) as g:
            frames = [r["nr"] for r in g.records("populate") if r["result"] == 0]
            equal(sum(frames), 16 << 8)
            equal(len(frames), 1 if before is None else 8)


@test
def vram_moves_with_its_bar():
    """decoding the frame buffer moves its frames, pins them write-back, and brings them back"""
    with Guest(vga="std") as g:
        for dev in range(2, 6):
            if g.cfg(dev, 0, 0) == 0x11111234:
                break
        else:
            raise AssertionError("no standard VGA")
        g.cfg(dev, 0, 0x10, 4, 0xFFFFFFFF)
        size = -(g.cfg(dev, 0, 0x10) & ~15) & 0xFFFFFFFF
        g.cfg(dev, 0, 0x10, 4, 0xF0000000)
        g.cfg(dev, 0, 4, 2, 3)
        assert "mfn=0x0 " not in g.x("physmap", gfn=0xF0000)
        assert "mfn=0x0 " not in g.x("physmap", gfn=0xF0000 + size // 4096 - 1)
        pins = [p for p in g.state() if p["kind"] == "pin"]
        equal([(p["first"], p["last"], p["type"]) for p in pins],
              [(0xF0000, 0xF0000 + size // 4096 - 1, 6)])
        for r in g.records("relocate"):
            equal(r["result"], 0)
            assert 0 < r["nr"] < 65536
        g.write(0xF0000000, b"pixels")
        g.cfg(dev, 0, 4, 2, 0)
        assert "mfn=0x0 " in g.x("physmap", gfn=0xF0000)
        equal([p for p in g.state() if p["kind"] == "pin"], [], "pins left behind")
        g.cfg(dev, 0, 0x10, 4, 0xE0000000)
        g.cfg(dev, 0, 4, 2, 3)
        equal(g.read(0xE0000000, 6), b"pixels")
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def modified_frames_are_reported():
    """while the global dirty log is on, every frame that a device writes is reported in time"""
    with Image() as disk, Guest(disk=disk.path) as g:
        bm = bus_master(g)
        mark = g.mark()
        dma(g, bm, [(0x100000, 8192)], 0, 16)
        equal(g.records("modified", mark), [], "reports while it is off")
        g.qmp("xen-set-global-dirty-log", {"enable": True})
        mark = g.mark()
        dma(g, bm, [(0x100000, 8192), (0x180000, 4096)], 0, 24)
        frames = {r["first"] + i for r in g.records("modified", mark) for i in range(r["nr"])}
        assert {0x100, 0x101, 0x180} <= frames, frames
        log = g.records(since=mark)
        irq = min([r["number"] for r in log if r["kind"] == "isa" and r["level"]] or [1 << 60])
        assert all(r["number"] < irq for r in log if r["kind"] == "modified"), \
            "reported after the interrupt"
        mark = g.mark()
        select(g)
        command(g, 0xEC)
        g.insw(0x1F0, 0x200FFE, 256)
        got = g.records("modified", mark)
        frames = {r["first"] + i for r in got for i in range(r["nr"])}
        assert {0x200, 0x201} <= frames, frames
        assert all(r["in-flight"] for r in got), "reported after the answer"
        g.qmp("xen-set-global-dirty-log", {"enable": False})
        mark = g.mark()
        dma(g, bm, [(0x100000, 8192)], 0, 16)
        equal(g.records("modified", mark), [])


@test
def device_opens_no_more_than_it_needs():
    """a read-only image is opened read-only"""
    with tempfile.NamedTemporaryFile(suffix=".iso") as f:
        f.truncate(1 << 20)
        with Guest(cdrom=f.name) as g:
            for fd in os.listdir("/proc/%d/fd" % g.pid):
                try:
                    if os.readlink("/proc/%d/fd/%s" % (g.pid, fd)) == f.name:
                        break
                except FileNotFoundError:
                    continue
            else:
                raise AssertionError("image is not open")
            with open("/proc/%d/fdinfo/%s" % (g.pid, fd)) as info:
                flags = int(info.read().split("flags:")[1].split()[0], 8)
            equal(flags & 3, os.O_RDONLY, "access mode")


main()
