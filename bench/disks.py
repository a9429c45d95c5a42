# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of all kinds: one table of what an ATA command costs, beside QEMU and beside bare calls.

    FAKEXEN=BUILD/tests/fakexen SLIMDM=BUILD/slimdm PYTHONPATH=tests/fakexen python3 bench/disks.py

Reads and writes of 4, 64 and 128 KiB, in order and at random, through the page cache and past it
(cache=none), by bus master and by programmed I/O; each device model takes its turn at the same
commands on an image of its own, and the median of the rounds counts. The floor is preadv or pwritev
of the same sizes at the same places, once for each command: no port request, no interrupt, no wait.
"""

import argparse
import mmap
import os
import random
import statistics
import tempfile
import time

from disk import BASE, BUFFER, PRD, READ_DMA, READ_SECTORS, WRITE_DMA, WRITE_SECTORS, task_file
from fakexen import Guest

IMAGE_MIB = 32
SIZES = (4, 64, 128)
DMS = ("slimdm", "qemu")


def places(kib, shuffled, count):
    slots = (IMAGE_MIB << 10) // kib
    order = list(range(slots))
    if shuffled:
        random.Random(kib).shuffle(order)
    return [order[i % slots] * kib * 2 for i in range(count)]


def set_prd(g, kib):
    entries, left, at = [], kib << 10, BUFFER
    while left:
        size = min(left, 0x10000)
        left -= size
        entries.append((at, size & 0xFFFF | (0 if left else 0x80000000)))
        at += size
    g.write(PRD, b"".join(a.to_bytes(4, "little") + b.to_bytes(4, "little") for a, b in entries))


def dma(kib, lbas, write):
    direction = 0 if write else 8
    lines = []
    for lba in lbas:
        lines += ["outl %#x %#x" % (BASE + 4, PRD), "outb %#x %#x" % (BASE, direction),
                  "outb %#x 6" % (BASE + 2)]
        lines += task_file(lba, kib * 2, WRITE_DMA if write else READ_DMA)
        lines += ["outb %#x %#x" % (BASE, direction | 1),
                  "x-poll port=%#x mask=5 value=4" % (BASE + 2),
                  "outb %#x %#x" % (BASE, direction), "inb 0x1f7"]
    return lines


def pio(kib, lbas, write):
    lines = []
    for lba in lbas:
        lines += task_file(lba, kib * 2, WRITE_SECTORS if write else READ_SECTORS)
        for i in range(kib * 2):
            lines += ["x-poll port=0x1f7 mask=0x88 value=8",
                      "x-rep dir=%s port=0x1f0 size=2 count=256 gpa=%#x"
                      % ("out" if write else "in", BUFFER + i * 512)]
        lines.append("x-poll port=0x1f7 mask=0x89 value=0")
    return lines


def bare(path, kib, lbas, write, direct):
    """us for one call."""
    fd = os.open(path, os.O_RDWR | (os.O_DIRECT if direct else 0))
    memory = [mmap.mmap(-1, kib << 10)]
    call = os.pwritev if write else os.preadv
    begin = time.perf_counter_ns()
    for lba in lbas:
        call(fd, memory, lba * 512)
    took = time.perf_counter_ns() - begin
    os.close(fd)
    return took / len(lbas) / 1e3


def start(dm, path, cache):
    g = Guest(dm=dm, args=["-drive", "file=%s,if=ide,index=0,media=disk,format=raw,cache=%s"
                           % (path, cache)])
    g.cfg(1, 1, 0x20, value=BASE | 1)
    g.cfg(1, 1, 4, size=2, value=5)
    return g


def measure(guests, bare_path, cache, options):
    rows = []
    for way, program, count in (("DMA", dma, options.commands),
                                ("PIO", pio, max(options.commands // 16, 4))):
        for write in (False, True):
            for kib in SIZES:
                for shuffled in (False, True):
                    lbas = places(kib, shuffled, count)
                    lines = program(kib, lbas, write)
                    got = {dm: [] for dm in (*DMS, "bare")}
                    for _ in range(options.rounds):
                        for dm, g in guests.items():
                            set_prd(g, kib)
                            got[dm].append(g.loop(1, lines)["ns"] / len(lbas) / 1e3)
                        got["bare"].append(bare(bare_path, kib, lbas, write, cache == "none"))
                    rows.append((way, "write" if write else "read", kib,
                                 "random" if shuffled else "in order",
                                 {dm: statistics.median(v) for dm, v in got.items()}))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=256, help="by DMA; PIO does a sixteenth")
    options = parser.parse_args()
    print("us a command          KiB            slimdm      qemu  bare call   qemu/slimdm")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        paths = {}
        for name in (*DMS, "bare"):
            paths[name] = os.path.join(os.path.abspath(folder), name)
            with open(paths[name], "wb") as f:
                f.write(random.Random(1).randbytes(IMAGE_MIB << 20))
                f.flush()
                os.fsync(f.fileno())
        for cache in ("writeback", "none"):
            for path in paths.values():  # what is dirty would be written before a direct read
                with open(path, "rb") as f:
                    os.fsync(f.fileno())
            guests = {dm: start(dm, paths[dm], cache) for dm in DMS}
            try:
                for way, what, kib, order, us in measure(guests, paths["bare"], cache, options):
                    print("%-4s%-6s%-12s%4d  %-9s%9.1f %9.1f  %9.1f   %11.2f"
                          % (way, what, "cached" if cache == "writeback" else "direct", kib, order,
                             us["slimdm"], us["qemu"], us["bare"], us["qemu"] / us["slimdm"]),
                          flush=True)
            finally:
                for g in guests.values():
                    g.close()


if __name__ == "__main__":
    main()
