# SPDX-License-Identifier: GPL-2.0-or-later
"""Paravirtual disks: a front end's life, its data, and what it may not do."""

import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from blkfront import (BARRIER, Blkfront, CLOSED, CLOSING, DISCARD, EOPNOTSUPP, ERROR, FLUSH,
                      INITIALISING, INIT_WAIT, OKAY, READ, WRITE, back_path, front_path, toolstack)
from fakexen import Guest, fields
from helpers import ERR, Image, cdrom, identify, read_pio, wake_ups, write_pio, xs_get, xs_set
from tap import Skip, equal, main, same_bytes, test


def guest(image, **keys):
    """The image is hda and xvda, as libxl gives it."""
    return Guest(disk=image.path, before=toolstack("aio:" + image.path), **keys)


@test
def features():
    """what a front end reads before it connects"""
    with Image(2) as disk, guest(disk) as g:
        f = Blkfront(g, connect=False)
        f.wait_back(INIT_WAIT)
        for node, want in (("sectors", "4096"), ("sector-size", "512"), ("info", "0"),
                           ("feature-flush-cache", "1"), ("feature-persistent", "1"),
                           ("feature-discard", "1"), ("discard-granularity", "4096"),
                           ("discard-alignment", "0"), ("feature-max-indirect-segments", "128"),
                           ("max-ring-page-order", "4"), ("hotplug-status", "connected"),
                           ("online", "1")):
            equal(f.back(node), want, node)


@test
def data():
    """reads, writes and flushes in all layouts, with and without persistent grants"""
    for abi, order, persistent in (("x86_64-abi", 0, False), ("x86_32-abi", 0, True),
                                   ("x86_64-abi", 4, True), ("x86_32-abi", 2, False)):
        with Image(2) as disk, guest(disk) as g:
            f = Blkfront(g, abi=abi, order=order, persistent=persistent)
            want = bytearray(disk.pread(0, disk.sectors))
            same_bytes(f.read(8, 11), bytes(want[4096:4096 * 12]))
            block = os.urandom(4096 * 11)
            equal(f.write(100, block), OKAY)
            want[51200:51200 + len(block)] = block
            equal(f.run(READ, 7, 201, [(5, 3, 4), (6, 0, 0)]), OKAY)
            same_bytes(g.read(f.page(5) + 3 * 512, 1024), bytes(want[201 * 512:203 * 512]))
            equal(f.run(FLUSH, 8), OKAY)
            same_bytes(disk.pread(0, disk.sectors), bytes(want))
            f.put_indirect(READ, 9, 0, range(64), 100)
            f.push()
            equal(f.response(), (9, READ, OKAY))
            same_bytes(g.read(f.page(0), 64 * 4096), bytes(want[:64 * 4096]))
            f.disconnect()
            equal(f.mapped(), 0, "pages mapped")


@test
def discard():
    """discarded sectors are given back to the host"""
    with Image(4) as disk, guest(disk) as g:
        f = Blkfront(g)
        before = os.stat(disk.path).st_blocks
        f.put_discard(1, 2048, 4096)
        f.push()
        equal(f.response(), (1, DISCARD, OKAY))
        equal(f.run(FLUSH, 2), OKAY)
        equal(disk.pread(2048, 4096), bytes(4096 * 512), "discarded sectors")
        equal(disk.pread(2047), Image.sector(2047))
        equal(disk.pread(6144), Image.sector(6144))
        assert os.stat(disk.path).st_blocks <= before - 4000, "no space came back"


@test
def one_image_for_both_disks():
    """what the emulated disk has written the paravirtual one reads, and it outlives the unplug"""
    with Image(2) as disk, guest(disk) as g:
        one, two = os.urandom(512), os.urandom(4096)
        equal(write_pio(g, 77, one) & 1, 0)
        f = Blkfront(g)
        same_bytes(f.read(77)[:512], one)
        equal(f.write(88, two), OKAY)
        same_bytes(read_pio(g, 88), two[:512])
        g.outw(0x10, 1)
        equal(g.inb(0x1F7), 0, "status of the emulated disk")
        same_bytes(f.read(88), two)
        equal(f.write(200, two), OKAY)
        equal(f.run(FLUSH, 3), OKAY)
        same_bytes(disk.pread(200, 8), two)


@test
def unplug_before_the_front_end_comes():
    """as Linux does it: the emulated disk is gone before the ring is there"""
    with Image(2) as disk, guest(disk) as g:
        g.outw(0x10, 1)
        equal(g.inb(0x1F7), 0)
        f = Blkfront(g)
        same_bytes(f.read(16), disk.pread(16, 8))
        equal(f.write(16, bytes(4096)), OKAY)
        equal(disk.pread(16, 8), bytes(4096))


@test
def begins_again():
    """the front end closes, or just begins again (kexec): there is a new ring"""
    with Image(2) as disk, guest(disk) as g:
        for again in range(6):
            f = Blkfront(g, order=again % 3, persistent=again & 1)
            same_bytes(f.read(8), disk.pread(8, 8))
            if again < 3:
                f.disconnect()
                f.set("state", INITIALISING)
            else:
                g.cmd("x-port-free port=%d" % f.port)
                f.set("state", INITIALISING)
            f.wait_back(INIT_WAIT)
            equal(f.mapped(), 0, "pages mapped")
            if f.order:
                g.cmd("x-xs-rm %s/ring-page-order" % front_path(g))


@test
def attach_and_detach():
    """xl block-attach and block-detach while the guest runs"""
    with Image(1) as first, Image(2) as second, guest(first) as g:
        toolstack("aio:" + second.path, devid=51728)(g)
        f = Blkfront(g, devid=51728)
        equal(f.back("sectors"), "4096")
        equal(f.write(0, bytes(4096)), OKAY)
        back = back_path(g, 51728)
        xs_set(g, back + "/online", 0)
        xs_set(g, back + "/state", CLOSING)
        time.sleep(0.1)
        equal(f.run(READ, 1, 0, [0]), OKAY, "a read before the front end has closed")
        f.disconnect()
        equal(f.mapped(), 0, "pages mapped")
        g.cmd("x-xs-rm " + back)
        time.sleep(0.1)
        equal(xs_get(g, back + "/state"), None, "state of what was removed")
        equal(second.pread(0, 8), bytes(4096))
        links = [os.readlink("/proc/%d/fd/%s" % (g.pid, fd))
                 for fd in os.listdir("/proc/%d/fd" % g.pid)]
        assert second.path not in links, "the image is still open"
        # and one that nobody ever used
        toolstack("aio:" + second.path, devid=51728)(g)
        unused = Blkfront(g, devid=51728, connect=False)
        unused.wait_back(INIT_WAIT)
        xs_set(g, back + "/online", 0)
        xs_set(g, back + "/state", CLOSING)
        unused.wait_back(CLOSED)


@test
def bad_requests():
    """each gets an error, none of them an effect, and the next proper one is served"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g)
        before = disk.pread(0, disk.sectors)
        last = disk.sectors
        for operation, sector, segments, count in (
                (READ, 0, [0], 0), (WRITE, 0, [0], 12), (READ, 0, [0], 255),
                (WRITE, last - 7, [0], None), (READ, last, [0], None),
                (WRITE, 1 << 63, [0], None), (READ, (1 << 64) - 1, [0], None),
                (READ, (1 << 55) + 1, [0], None), (WRITE, 0, [(0, 0, 8)], None),
                (WRITE, 0, [(0, 5, 4)], None), (READ, 0, [7000], None), (55, 0, [0], None)):
            equal(f.run(operation, 1, sector, segments, count), ERROR,
                  "status of %r" % ((operation, sector, segments, count),))
        equal(f.run(BARRIER, 1, 0, [0]), EOPNOTSUPP)
        f.put_indirect(WRITE, 2, 0, range(129), 200)
        f.put_indirect(7, 3, 0, range(2), 200)
        f.put_discard(4, last - 1, 2)
        f.put_discard(5, 1, (1 << 64) - 1)
        f.push()
        for _ in range(4):
            equal(f.response()[2], ERROR)
        g.cmd("x-grant ref=%d gfn=%#x ro=1" % (100, f.page(0) >> 12))
        equal(f.run(READ, 6, 0, [0]), ERROR, "a read into a page granted for reading")
        equal(f.run(READ, 7, 0, [1]), OKAY)
        same_bytes(disk.pread(0, disk.sectors), before)


@test
def broken_ring():
    """a ring with impossible indexes is left alone until there is a new one"""
    with Image(1) as disk, guest(disk) as g:
        for prod in (33, 0x80000000, 0xFFFFFFFF):
            f = Blkfront(g)
            f.put(READ, 1, 0, [0])
            f.push(prod)
            time.sleep(0.05)
            equal(f.published(), 0, "responses")
            f.disconnect()
            f.set("state", INITIALISING)
        f = Blkfront(g)
        same_bytes(f.read(0), disk.pread(0, 8))


@test
def bad_handshakes():
    """front ends that publish nonsense are closed, and may try again"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g, connect=False)
        for node, value in (("ring-ref", "-5"), ("ring-ref", "9999"), ("event-channel", "1999"),
                            ("event-channel", "x"), ("protocol", "sparc-abi"),
                            ("ring-page-order", "31")):
            f.wait_back(INIT_WAIT)
            f.publish(**{node: value})
            f.wait_back(CLOSING)
            f.set("state", CLOSED)
            f.wait_back(CLOSED)
            g.cmd("x-port-free port=%d" % f.port)
            if node == "ring-page-order":
                g.cmd("x-xs-rm %s/ring-page-order" % front_path(g))
            f.set("state", INITIALISING)
        f.connect()
        same_bytes(f.read(0), disk.pread(0, 8))


@test
def flushed_blocks_survive_kill():
    """SIGKILL at any moment loses no block that a flush has answered"""
    random.seed(5)
    with Image(4) as disk, guest(disk) as g:
        f = Blkfront(g, order=2, persistent=True)
        sure, maybe = {}, {}
        for round in range(60):
            page = random.randrange(1000)
            stamp = struct.pack("<QQ", round + 1, page) * 256
            g.write(f.page(0), stamp)
            equal(f.run(WRITE, round, page * 8, [0]), OKAY)
            maybe[page] = stamp
            if round % 7 == 6:
                equal(f.run(FLUSH, round), OKAY)
                sure.update(maybe)
                maybe.clear()
        f.put(WRITE, 99, 0, [0])
        f.push()
        g.kill(signal.SIGKILL)
        for page, stamp in sure.items():
            got = disk.pread(page * 8, 8)
            assert got == stamp or got == maybe.get(page), "page %d is lost" % page


@test
def served_again_after_kill():
    """another process takes the ring over where it is"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g)
        same_bytes(f.read(8), disk.pread(8, 8))
        g.kill(signal.SIGKILL)
        f.put(READ, 5, 16, [2])
        f.push()
        g.start()
        equal(f.response(), (5, READ, OKAY))
        same_bytes(g.read(f.page(2), 4096), disk.pread(16, 8))
        f.disconnect()


@test
def cd_media():
    """a paravirtual CD-ROM follows params"""
    with cdrom(1) as one, cdrom(2) as two, \
            Guest(cdrom="", before=toolstack("", devid=5632, cdrom=True, mode="r")) as g:
        f = Blkfront(g, devid=5632)
        equal((f.back("sectors"), f.back("info")), ("0", "7"))
        equal(f.run(READ, 1, 0, [0]), ERROR)
        for image in (one, two):
            xs_set(g, back_path(g, 5632) + "/params", "aio:" + image.path)
            end = time.time() + 10
            while f.back("sectors") != str(image.sectors) and time.time() < end:
                time.sleep(0.01)
            same_bytes(f.read(64), image.pread(64, 8))
            equal(f.run(WRITE, 2, 0, [0]), ERROR)
        xs_set(g, back_path(g, 5632) + "/params", "")
        end = time.time() + 10
        while f.back("sectors") != "0" and time.time() < end:
            time.sleep(0.01)
        equal(f.run(READ, 3, 0, [0]), ERROR)


@test
def read_only():
    """mode=r is honoured"""
    with Image(1) as disk, Guest(before=toolstack("aio:" + disk.path, mode="r")) as g:
        f = Blkfront(g)
        equal(f.back("info"), "4")
        equal(f.back("feature-discard"), "0")
        equal(f.run(WRITE, 1, 0, [0]), ERROR)
        equal(f.run(READ, 1, 0, [0]), OKAY)
        equal(disk.pread(0), Image.sector(0))


@test
def stands_still():
    """while the machine is stopped the ring waits; what was in it is done afterwards"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g)
        g.qmp("stop")
        f.put(WRITE, 1, 0, [0])
        f.push()
        time.sleep(0.1)
        equal(f.published(), 0, "responses")
        equal(disk.pread(0), Image.sector(0))
        g.qmp("cont")
        equal(f.response(), (1, WRITE, OKAY))


@test
def statistics_and_size():
    """after the unplug QMP still knows the image, for xentop and for block_resize"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g)
        g.outw(0x10, 1)
        equal(f.write(0, bytes(4096 * 2)), OKAY)
        block = [b for b in g.qmp("query-block") if b["device"] == "ide0-hd0"][0]
        equal(block["inserted"]["file"], disk.path)
        stats = [b for b in g.qmp("query-blockstats") if b["device"] == "ide0-hd0"][0]["stats"]
        equal((stats["wr_bytes"], stats["wr_operations"]), (8192, 1))
        g.qmp("block_resize", {"device": "ide0-hd0", "size": 3 << 20})
        equal(f.back("sectors"), str(3 << 11))
        equal(f.write((3 << 11) - 8, bytes(4096)), OKAY, "a write behind the old end")
        equal(os.stat(disk.path).st_size, 3 << 20)


@test
def qcow2():
    """an image of another format: one server for both disks, and it survives the unplug"""
    if not shutil.which("qemu-img") or not shutil.which("qemu-nbd"):
        raise Skip("qemu-img or qemu-nbd is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "disk.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
        drive = "file=%s,if=ide,index=0,media=disk,format=qcow2,cache=writeback" % path
        one, two = os.urandom(512), os.urandom(4096 * 11)
        with Guest(args=["-drive", drive], before=toolstack("qcow2:" + path)) as g:
            equal(write_pio(g, 77, one) & ERR, 0)
            f = Blkfront(g, persistent=True)
            equal(f.back("sectors"), str(8 << 11))
            same_bytes(f.read(77)[:512], one)
            g.outw(0x10, 1)
            equal(f.write(4000, two), OKAY)
            same_bytes(f.read(4000, 11), two)
            equal(f.run(FLUSH, 9), OKAY)
            f.disconnect()
            g.kill(signal.SIGTERM)
        raw = os.path.join(folder, "raw")
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
        with open(raw, "rb") as image:
            data = image.read()
        same_bytes(data[77 * 512:78 * 512], one)
        same_bytes(data[4000 * 512:4000 * 512 + len(two)], two)


@test
def restricted():
    """with -xen-domid-restrict the back end is closed at once and the emulated disk stays"""
    with Image(1) as disk, Image(1) as other, \
            guest(disk, disks=[(1, other.path)], args=["-xen-domid-restrict"], ready=False) as g:
        g.cmd("x-ready for=enabled timeout=20000")
        g.qmp("query-status")  # answered after the seal
        equal(xs_get(g, back_path(g) + "/state"), str(CLOSED))
        assert "not served with -xen-domid-restrict" in g.log(), g.log()
        g.outw(0x10, 1)
        equal(identify(g)[0:2], struct.pack("<H", 0x0040), "the emulated disk after unplug")
        same_bytes(read_pio(g, 5), disk.pread(5))
        # the kernel's back end serves the other one: it goes
        g.outb(0x1F6, 0xF0)
        equal(g.inb(0x1F7), 0, "status of the other disk")
        g.outb(0x1F6, 0xE0)


@test
def without_grants():
    """a host without /dev/xen/gntdev: the same answer"""
    def before(g):
        toolstack("aio:" + disk.path)(g)
        g.x("fail", name="xengnttab_open", errno=2)
    with Image(1) as disk, Guest(disk=disk.path, before=before) as g:
        equal(xs_get(g, back_path(g) + "/state"), str(CLOSED))
        assert "/dev/xen/gntdev" in g.log(), g.log()
        g.outw(0x10, 1)
        same_bytes(read_pio(g, 5), disk.pread(5))


@test
def idle():
    """a connected ring without requests costs nothing"""
    with Image(1) as disk, guest(disk) as g:
        f = Blkfront(g, persistent=True)
        f.read(0)
        time.sleep(0.3)
        before = int(g.cmd("x-cpu"))
        switches = wake_ups(g.pid, involuntary=True)
        time.sleep(1)
        equal(wake_ups(g.pid, involuntary=True), switches, "context switches")
        equal(int(g.cmd("x-cpu")), before, "processor time")


@test
def many_at_once():
    """full rings at full speed, every request answered, from the cache and by worker threads"""
    with Image(4) as disk, guest(disk) as g:
        for order, depth, segments, persistent, direction in (
                (0, 32, 1, 1, "read"), (0, 32, 11, 0, "read"), (4, 200, 4, 1, "write"),
                (0, 32, 1, 1, "write"), (0, 1, 1, 0, "write"), (0, 16, 64, 1, "read"),
                (0, 16, 64, 0, "write")):
            f = Blkfront(g, order=order, persistent=bool(persistent))
            reply = fields(g.cmd(
                "x-blkif ring=0x4000000 pages=%d port=%d depth=%d segments=%d ref=100 list=4100 "
                "sectors=%d random=1 dir=%s n=%d" % (1 << order, f.port, depth, segments,
                                                      disk.sectors, direction, 4000 // segments)))
            equal(reply["errors"], 0, "errors")
            f.disconnect()
            f.set("state", INITIALISING)
            if order:
                g.cmd("x-xs-rm %s/ring-page-order" % front_path(g))


main()
