# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of every kind and cache mode; what becomes of errors; nothing that was flushed is lost."""

import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from fakexen import Failed, Guest, QmpError
from helpers import (BSY, ERR, Image, bus_master, dma, identify, read_pio, reset_channel,
                     select, until, wait_dma, wake_ups, write_pio)
from tap import Skip, equal, main, same_bytes, test


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip("no " + program)


def drive(path, fmt="raw", extra="", cache="writeback"):
    return ["-drive", "file=%s,if=ide,index=0,media=disk,format=%s,cache=%s%s"
            % (path, fmt, cache, "," + extra if extra else "")]


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def __call__(self, name):
        return os.path.join(self.path, name)


def pattern(seed, sectors=1):
    return random.Random(seed).randbytes(512 * sectors)


def flush(g):
    g.outb(0x1F7, 0xE7)
    return g.poll(0x1F7, BSY, 0)


def write_and_read(g, read_back=True):
    bm = bus_master(g)
    one, two = pattern(1, 4), pattern(2, 64)
    equal(write_pio(g, 100, one) & ERR, 0)
    g.write(0x200200, two)
    equal(dma(g, bm, [(0x200200, len(two))], 1001, 64, write=True) & 7, 4)
    equal(flush(g) & ERR, 0)
    if read_back:
        equal(read_pio(g, 100, 4), one)
        g.memset(0x300000, 32768, 0)
        equal(dma(g, bm, [(0x300000, 1024), (0x310200, 31744)], 1001, 64) & 7, 4)
        same_bytes(g.read(0x300000, 1024) + g.read(0x310200, 31744), two)
    return one, two


@test
def cache_modes():
    """PIO and DMA at odd sectors in every cache mode; the image has the bytes"""
    for cache in ("writeback", "writethrough", "none", "directsync", "unsafe"):
        with Image(2) as disk, Guest(args=drive(disk.path, cache=cache)) as g:
            one, two = write_and_read(g)
            same_bytes(disk.pread(100, 4), one, cache)
            same_bytes(disk.pread(1001, 64), two, cache)
            same_bytes(disk.pread(99), Image.sector(99), cache)
            same_bytes(disk.pread(104), Image.sector(104), cache)
            same_bytes(disk.pread(1065), Image.sector(1065), cache)
            cached = g.qmp("query-block")[0]["inserted"]["cache"]
            equal(cached["direct"], cache in ("none", "directsync"))
            equal(cached["no-flush"], cache == "unsafe")


@test
def a_block_device():
    """a loop device: its size, data both ways, and its lock"""
    if os.getuid() or not os.path.exists("/dev/loop-control"):
        raise Skip("needs root and loop devices")
    with Image(2) as disk:
        got = subprocess.run(["losetup", "--find", "--show", disk.path], capture_output=True,
                             text=True)
        if got.returncode:
            raise Skip("no loop device is free: " + got.stderr.strip())
        device = got.stdout.strip()
        try:
            for cache in ("writeback", "none"):
                with Guest(args=drive(device, cache=cache, extra="discard=unmap")) as g:
                    equal(struct.unpack_from("<I", identify(g), 120)[0], disk.sectors)
                    one, two = write_and_read(g)
                same_bytes(disk.pread(100, 4), one)
                same_bytes(disk.pread(1001, 64), two)
        finally:
            subprocess.run(["losetup", "-d", device], check=True)


@test
def two_writers():
    """slimdm and QEMU's programs keep each other out; a saved guest lets go, a continued takes"""
    need("qemu-io")

    def qemu_io(path, *options):
        return subprocess.run(["qemu-io", "-f", "raw", *options, "-c", "read 0 512", path],
                              capture_output=True, text=True)
    with Image(2) as disk, Folder() as folder:
        with Guest(disk=disk.path) as g:
            got = qemu_io(disk.path)
            assert got.returncode and "lock" in got.stderr, got
            try:
                with Guest(disk=disk.path, domid=2):
                    pass
                raise AssertionError("a second device model took the image")
            except Failed as e:
                assert "another process" in str(e), str(e)
            g.qmp("stop")
            g.qmp("xen-save-devices-state", {"filename": folder("state"), "live": False})
            equal(qemu_io(disk.path).returncode, 0, "qemu-io after a save")
            holder = subprocess.Popen(["qemu-io", "-f", "raw", disk.path], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
            holder.stdin.write(b"length\n")
            holder.stdin.flush()
            holder.stdout.readline()
            try:
                g.qmp("cont")
                raise AssertionError("went on with an image that another process has")
            except QmpError:
                pass
            finally:
                holder.communicate(b"quit\n")
            g.qmp("cont")
            assert qemu_io(disk.path).returncode
        equal(qemu_io(disk.path).returncode, 0, "qemu-io afterwards")
        with Guest(args=drive(disk.path, extra="file.locking=off")):
            equal(qemu_io(disk.path).returncode, 0, "qemu-io beside file.locking=off")


@test
def unplugged_disks_are_free():
    """after the guest has unplugged its disk, another program can have the image"""
    need("qemu-io")
    with Image(2) as disk, Guest(disk=disk.path) as g:
        one, _ = write_and_read(g)
        equal(g.inw(0x10), 0x49D2, "magic of the unplug protocol")
        g.outw(0x10, 1)
        got = subprocess.run(["qemu-io", "-f", "raw", "-c", "write 0 512", disk.path],
                             capture_output=True, text=True)
        equal(got.returncode, 0, got.stderr)
        same_bytes(disk.pread(100, 4), one)


@test
def another_size():
    """block_resize: the file grows, IDENTIFY tells, the new sectors are there"""
    with Image(1) as disk, Guest(disk=disk.path) as g:
        equal(struct.unpack_from("<I", identify(g), 120)[0], 2048)
        g.qmp("block_resize", {"device": "ide0-hd0", "size": 3 << 20})
        equal(struct.unpack_from("<I", identify(g), 120)[0], 6144)
        data = pattern(3)
        equal(write_pio(g, 6143, data) & ERR, 0)
        same_bytes(read_pio(g, 6143), data)
        equal(os.path.getsize(disk.path), 3 << 20)
        for device, size in (("ide0-hd0", 0), ("nobody", 1 << 20)):
            try:
                g.qmp("block_resize", {"device": device, "size": size})
                raise AssertionError("not refused")
            except QmpError:
                pass


# -- formats and servers ---------------------------------------------------------------------------

def make(path, fmt, size="4M"):
    subprocess.run(["qemu-img", "create", "-q", "-f", fmt, path, size], check=True)


def content(path, fmt, folder):
    raw = folder("raw")
    subprocess.run(["qemu-img", "convert", "-f", fmt, "-O", "raw", path, raw], check=True)
    with open(raw, "rb") as f:
        return f.read()


@test
def other_formats():
    """qcow2, vhd and vmdk: written by the guest, read by qemu-img"""
    need("qemu-img", "qemu-nbd")
    for word, fmt in (("qcow2", "qcow2"), ("vpc", "vpc"), ("vmdk", "vmdk")):
        with Folder() as folder:
            path = folder("disk." + word)
            make(path, fmt)
            with Guest(args=drive(path, word)) as g:
                one, two = write_and_read(g)
                equal(g.qmp("query-block")[0]["inserted"]["drv"], word)
                equal(g.kill(signal.SIGTERM)[0], "exited")
            deadline = time.monotonic() + 20
            while True:  # the server ends when we do, and lets go of the image
                try:
                    data = content(path, fmt, folder)
                    break
                except subprocess.CalledProcessError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            same_bytes(data[51200:53248], one, word)
            same_bytes(data[1001 * 512:1065 * 512], two, word)


@test
def nothing_is_loaded_without_need():
    """a guest with raw disks has no libnbd, and no server beside it"""
    with Image(1) as disk, Guest(disk=disk.path) as g:
        with open("/proc/%d/maps" % g.pid) as f:
            assert "libnbd" not in f.read()


@test
def idle_images_wake_nobody():
    """with a qcow2 disk, neither slimdm nor slimdm-nbd runs while the guest is idle"""
    need("qemu-img", "qemu-nbd", "pgrep")
    with Folder() as folder:
        path = folder("disk.qcow2")
        make(path, "qcow2")
        with Guest(args=drive(path, "qcow2")) as g:
            write_and_read(g)
            time.sleep(0.5)
            way = int(subprocess.run(["pgrep", "-f", "^slimdm-nbd run .*" + path], check=True,
                                     capture_output=True, text=True).stdout)
            before = [wake_ups(g.pid), wake_ups(way)]
            time.sleep(2)
            equal([wake_ups(g.pid), wake_ups(way)], before, "wake-ups in two seconds")


SLOW_END = """#!/bin/sh
# A server whose connections end some time before it does.
sh -c 'LISTEN_PID=$$; export LISTEN_PID; exec %s "$@"' qemu-nbd "$@"
sleep 0.4
"""


@test
def a_server_that_takes_long_to_die():
    """asked for a connection while the server still ends: the next one serves, and no error"""
    need("qemu-img", "qemu-nbd", "pgrep")
    with Folder() as folder:
        path, program = folder("disk.qcow2"), shutil.which("qemu-nbd")
        make(path, "qcow2")
        with open(folder("qemu-nbd"), "w") as f:
            f.write(SLOW_END % program)
        os.chmod(folder("qemu-nbd"), 0o755)
        search = os.environ["PATH"]
        os.environ["PATH"] = folder.path + ":" + search
        try:
            with Guest(args=drive(path, "qcow2")) as g:
                one, _ = write_and_read(g)
                for _ in range(2):
                    inner = subprocess.run(["pgrep", "-f", "^%s --persistent .*%s" % (program, path)],
                                           check=True, capture_output=True, text=True).stdout
                    os.kill(int(inner), signal.SIGKILL)
                    equal(read_pio(g, 100, 4), one)
        finally:
            os.environ["PATH"] = search


def nbdkit(folder, *words):
    sock = folder("sock")
    if os.path.exists(sock):
        os.unlink(sock)
    server = subprocess.Popen(["nbdkit", "-f", "-U", sock, *words], stderr=subprocess.DEVNULL)
    for _ in range(1000):
        if os.path.exists(sock):
            break
        time.sleep(0.01)
    time.sleep(0.05)
    return server


def end(server):
    server.kill()
    server.wait()


@test
def nbd_as_libxl_says_it():
    """nbd+unix:///?socket=, raw; the server goes away: ATA errors; it is back: data"""
    need("nbdkit")
    with Folder() as folder, Image(2) as disk:
        server = nbdkit(folder, "file", disk.path)
        try:
            with Guest(args=drive("nbd+unix:///?socket=" + folder("sock"))) as g:
                write_and_read(g)
                end(server)
                select(g, 5, 1)
                g.outb(0x1F7, 0x20)
                assert g.poll(0x1F7, BSY, 0, timeout=20) & ERR, "no error without a server"
                equal(g.status()[0], "running")
                server = nbdkit(folder, "file", disk.path)
                time.sleep(1.1)
                reset_channel(g)
                same_bytes(read_pio(g, 5), Image.sector(5))
        finally:
            end(server)


@test
def werror_stop_and_cont():
    """with rerror=stop the guest waits for its server, and sees nothing of it"""
    need("nbdkit")
    with Folder() as folder, Image(2) as disk:
        server = nbdkit(folder, "file", disk.path)
        try:
            with Guest(args=drive("nbd:unix:" + folder("sock"),
                                  extra="werror=stop,rerror=stop")) as g:
                bm = bus_master(g)
                g.qmp("query-status")
                end(server)
                g.write(0x8000, struct.pack("<II", 0x200000, 0x80000200))
                g.outl(bm + 4, 0x8000)
                g.outb(bm + 2, 6)
                g.outb(bm, 8)
                select(g, 77, 1)
                g.outb(0x1F7, 0xC8)
                g.outb(bm, 9)
                wait_state(g, "io-error")
                server = nbdkit(folder, "file", disk.path)
                time.sleep(1.1)
                g.qmp("cont")
                wait_state(g, "running")
                equal(wait_dma(g, bm) & 6, 4)
                equal(g.inb(0x1F7) & ERR, 0)
                same_bytes(g.read(0x200000, 512), Image.sector(77))
                events = [(e["event"], e.get("data", {}).get("action")) for e in g._qmp.events]
                assert ("BLOCK_IO_ERROR", "stop") in events, events
                assert ("STOP", None) in events and ("RESUME", None) in events, events
        finally:
            end(server)


def wait_state(g, state):
    until(lambda: g.qmp("query-status")["status"] == state, "not " + state, 20)


def stopped(g):
    return g.qmp("query-status")["status"] == "io-error"


def part_of(path, offset, size):
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read(size)


@test
def errors_of_a_server():
    """a full server stops the guest (werror=enospc, the default) until there is room"""
    need("nbdkit")
    with Folder() as folder:
        flag = folder("full")
        server = nbdkit(folder, "--filter=error", "memory", "4M", "error-pwrite=ENOSPC",
                        "error-pwrite-rate=100%", "error-file=" + flag)
        try:
            with Guest(args=drive("nbd:unix:" + folder("sock"))) as g:
                bm = bus_master(g)
                data = pattern(5, 8)
                g.write(0x200000, data)
                equal(dma(g, bm, [(0x200000, 4096)], 10, 8, write=True) & 7, 4)
                with open(flag, "w"):
                    pass
                g.write(0x8000, struct.pack("<II", 0x200000, 0x80001000))
                g.outb(bm + 2, 6)
                g.outb(bm, 0)
                select(g, 20, 8)
                g.outb(0x1F7, 0xCA)
                g.outb(bm, 1)
                wait_state(g, "io-error")
                os.unlink(flag)
                g.qmp("cont")
                equal(wait_dma(g, bm) & 6, 4)
                equal(g.inb(0x1F7) & ERR, 0)
                equal(read_pio(g, 20, 8), data)
        finally:
            end(server)


@test
def a_full_file_system():
    """a full tmpfs stops the guest; with room made it goes on, and the data is there"""
    folder = tempfile.mkdtemp()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder],
                                     stderr=subprocess.DEVNULL).returncode:
        os.rmdir(folder)
        raise Skip("needs root and a tmpfs")
    path, ballast = os.path.join(folder, "disk"), os.path.join(folder, "ballast")
    try:
        with open(path, "wb") as f:
            f.truncate(4 << 20)
        with open(ballast, "wb") as f:
            f.write(bytes(900 << 10))
        with Guest(args=drive(path, extra="werror=report")) as g:
            bm = bus_master(g)
            for i in range(4):
                g.write(0x200000, pattern(i, 128))
                dma(g, bm, [(0x200000, 65536)], i * 128, 128, write=True)
            assert g.inb(0x1F7) & ERR, "no error on a full file system"
            assert "No space left" in g.log()
        with Guest(args=drive(path)) as g:
            bm = bus_master(g)
            data = pattern(9, 128)
            g.write(0x200000, data)
            g.write(0x8000, struct.pack("<II", 0x200000, 0x80000000))
            g.outl(bm + 4, 0x8000)
            for i in range(8, 20):
                g.outb(bm + 2, 6)
                g.outb(bm, 0)
                select(g, i * 128, 128)
                g.outb(0x1F7, 0xCA)
                g.outb(bm, 1)
                # A stopped guest's ports do not answer: the file tells whether it was written.
                until(lambda at=i * 65536: stopped(g) or part_of(path, at, 65536) == data,
                      "neither written nor stopped", 20)
                if stopped(g):
                    break
                wait_dma(g, bm)
                g.outb(bm, 0)
            assert stopped(g), "never stopped"
            os.unlink(ballast)
            g.qmp("cont")
            equal(wait_dma(g, bm) & 6, 4)
            equal(g.inb(0x1F7) & ERR, 0)
            same_bytes(part_of(path, i * 65536, 65536), data)
    finally:
        subprocess.run(["umount", folder], check=True)
        os.rmdir(folder)


# -- nothing lost ----------------------------------------------------------------------------------

def writing_guest(g, bm, rng, stable, deadline):
    """Writes by PIO and DMA, flushes now and then; `stable` has what was flushed, by sector.

    What is returned may be there instead: what was written since, and what became of the writes that
    the guest was told of by an error, their own or that of the next flush. No later flush is one of
    theirs."""
    pending, open_ended = {}, {}

    def leave_open(sectors):
        for sector in sectors:
            open_ended.setdefault(sector, []).extend(pending.pop(sector))

    try:
        while time.monotonic() < deadline:
            lba, count = rng.randrange(4000), rng.choice((1, 1, 8, 32))
            data = rng.randbytes(512 * count)
            for i in range(count):
                pending.setdefault(lba + i, []).append(data[i * 512:i * 512 + 512])
            if rng.random() < 0.3 and count == 1:
                failed = write_pio(g, lba, data) & ERR
            else:
                g.write(0x200000, data)
                failed = dma(g, bm, [(0x200000, len(data))], lba, count, write=True) & 7 != 4 \
                    or g.inb(0x1F7) & ERR
            if failed:
                leave_open(range(lba, lba + count))
            if rng.random() < 0.3:
                if flush(g) & ERR:
                    leave_open(list(pending))
                for sector, datas in pending.items():
                    stable[sector] = datas[-1]
                    open_ended.pop(sector, None)
                pending.clear()
    except (Failed, EOFError):
        pass
    leave_open(list(pending))
    return open_ended


def check_stable(data, stable, pending, what):
    for sector, want in stable.items():
        got = data[sector * 512:sector * 512 + 512]
        if got != want and got not in pending.get(sector, ()):
            raise AssertionError("%s: sector %d was flushed and is not there" % (what, sector))


def killed_while_writing(path, fmt, content_of, seed):
    rng = random.Random(seed)
    stable = {}
    with Guest(args=drive(path, fmt)) as g:
        bm = bus_master(g)
        killer = None
        delay = 0.15 + rng.random() * 0.5
        pid = g.pid
        killer = subprocess.Popen(["sh", "-c", "sleep %.3f; kill -9 %d" % (delay, pid)])
        pending = writing_guest(g, bm, rng, stable, time.monotonic() + delay + 5)
        killer.wait()
        equal(g.status(5)[0], "killed")
    check_stable(content_of(), stable, pending, "seed %d" % seed)
    return len(stable)


@test
def killed_at_random_points():
    """SIGKILL under a writing guest: every flushed sector is in the raw image"""
    total = 0
    for seed in range(6):
        with Image(4, fill=False) as disk:
            total += killed_while_writing(disk.path, "raw", lambda: disk.pread(0, disk.sectors),
                                          seed)
    assert total > 20, "only %d sectors were flushed" % total


@test
def killed_with_its_server():
    """the same with qcow2, whose server ends with the device model"""
    need("qemu-img", "qemu-nbd")
    for seed in range(2):
        with Folder() as folder:
            path = folder("disk.qcow2")
            make(path, "qcow2")

            def content_of():
                deadline = time.monotonic() + 20
                while True:
                    try:
                        return content(path, "qcow2", folder)
                    except subprocess.CalledProcessError:
                        if time.monotonic() > deadline:
                            raise
                        time.sleep(0.05)
            killed_while_writing(path, "qcow2", content_of, 100 + seed)


@test
def a_server_killed_under_a_writing_guest():
    """qemu-nbd is killed again and again: it comes back, and what was flushed is there"""
    need("qemu-img", "qemu-nbd")
    with Folder() as folder:
        path = folder("disk.qcow2")
        make(path, "qcow2")
        stable, rng = {}, random.Random(7)
        with Guest(args=drive(path, "qcow2")) as g:
            bm = bus_master(g)
            killer = subprocess.Popen(
                ["sh", "-c", "for i in 1 2 3; do sleep 0.4; "
                 "pkill -9 -f '^qemu-nbd .*%s'; done" % folder.path])
            pending = writing_guest(g, bm, rng, stable, time.monotonic() + 2)
            killer.wait()
            reset_channel(g)
            data = pattern(11)
            deadline = time.monotonic() + 60
            # The last kill's error may be this one's, and a server's start takes its time.
            while write_pio(g, 4001, data, timeout=30.0) & ERR or flush(g) & ERR:
                assert time.monotonic() < deadline, "no write succeeds any more"
                reset_channel(g)
            stable[4001] = data
            got = b"".join(read_pio(g, s) if s in stable else bytes(512)
                           for s in range(max(stable) + 1))
            check_stable(got, stable, pending, "after the kills")


main()
