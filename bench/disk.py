# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk rows: ATA commands as a driver gives them, through programmed I/O and the bus master.

Every device model gets the same port requests. What a DMA command's data costs is what the command
costs less as many plain port writes to the same device model in the same round; that is what a pread
or pwrite loop over the same file is compared with. The file is larger than the processor's own
caches, as a disk is.
"""

import os
import random
import statistics
import subprocess

IMAGE_MIB = 32  # all in the page cache
CHUNK = 128 * 1024
CHUNKS = (IMAGE_MIB << 20) // CHUNK
SECTORS = CHUNK // 512
BUFFER = 0x200000
PRD = 0x8000
BASE = 0xC000  # of the bus master
BLOCK = 16  # sectors of READ MULTIPLE

PLAIN = "outb 0x1f2 1"  # a port request that asks for nothing

READ_SECTORS, READ_MULTIPLE, WRITE_SECTORS, SET_MULTIPLE = 0x20, 0xC4, 0x30, 0xC6
READ_DMA, WRITE_DMA = 0xC8, 0xCA


def make_image(folder, name):
    path = os.path.join(folder, name + ".img")
    with open(path, "wb") as f:
        f.write(random.Random(1).randbytes(IMAGE_MIB << 20))
    return path


def task_file(lba, sectors, command):
    return ["outb 0x1f6 %#x" % (0xE0 | lba >> 24), "outb 0x1f2 %#x" % (sectors & 0xFF),
            "outb 0x1f3 %#x" % (lba & 0xFF), "outb 0x1f4 %#x" % (lba >> 8 & 0xFF),
            "outb 0x1f5 %#x" % (lba >> 16 & 0xFF), "outb 0x1f7 %#x" % command]


def wait(dm, port, mask, value):
    """The answerer has no status to wait for: one read."""
    if dm == "answerer":
        return "inb %#x" % port
    return "x-poll port=%#x mask=%#x value=%#x" % (port, mask, value)


def pio(dm, command, block=1):
    """One command for 128 KiB."""
    lines = task_file(0, SECTORS, command)
    for i in range(SECTORS // block):
        lines += [wait(dm, 0x1F7, 0x88, 0x08),
                  "x-rep dir=%s port=0x1f0 size=2 count=%d gpa=%#x"
                  % ("out" if command == WRITE_SECTORS else "in", 256 * block,
                     BUFFER + i * block * 512)]
    return lines + [wait(dm, 0x1F7, 0x89, 0)]


def dma(dm, command):
    """A command for each chunk of the image."""
    direction = 8 if command == READ_DMA else 0
    lines = []
    for i in range(CHUNKS):
        lines += ["outl %#x %#x" % (BASE + 4, PRD), "outb %#x %#x" % (BASE, direction),
                  "outb %#x 6" % (BASE + 2)]
        lines += task_file(i * SECTORS, SECTORS, command)
        lines += ["outb %#x %#x" % (BASE, direction | 1), wait(dm, BASE + 2, 0x05, 0x04),
                  "outb %#x %#x" % (BASE, direction), "inb 0x1f7"]
    return lines


def prepare(dm, g):
    if dm == "answerer":
        return
    g.cfg(1, 1, 0x20, value=BASE | 1)
    g.cfg(1, 1, 4, size=2, value=5)
    # Two entries of 64 KiB, the second one the last.
    g.write(PRD, b"".join(v.to_bytes(4, "little") for v in
                          (BUFFER, 0, BUFFER + 0x10000, 0x80000000)))
    g.outb(0x1F6, 0xE0)
    g.outb(0x1F2, BLOCK)
    g.outb(0x1F7, SET_MULTIPLE)
    g.poll(0x1F7, 0x89, 0)


def check(dm, g, image):
    """The data of the last chunk read has to be the file's."""
    if dm == "answerer":
        return
    with open(image, "rb") as f:
        f.seek((CHUNKS - 1) * CHUNK)
        if g.read(BUFFER, CHUNK) != f.read(CHUNK):
            raise AssertionError("%s read wrong data" % dm)


def loop(floor, core, what, image, passes):
    """ns of wall and processor time for one call of the plain loop."""
    words = subprocess.run(["taskset", "-c", str(core), floor, what, image, str(CHUNK),
                            str(CHUNKS), str(passes)],
                           check=True, capture_output=True, text=True).stdout.split()
    return {k: int(v) for k, v in (w.split("=") for w in words)}


def rows(table, guests, images, floor, sizes, core):
    for dm, g in guests:
        prepare(dm, g)
    for name, command, block in (("READ SECTORS", READ_SECTORS, 1),
                                 ("READ MULTIPLE", READ_MULTIPLE, BLOCK),
                                 ("WRITE SECTORS", WRITE_SECTORS, 1)):
        for dm, g in guests:
            lines = pio(dm, command, block)
            g.loop(1, lines)
            r = g.loop(sizes["pio"], lines)
            mib = r["n"] * CHUNK / 2**20
            table.add("%s, throughput" % name, "MiB/s", dm, mib / r["ns"] * 1e9)
            table.add("%s, DM CPU a MiB" % name, "ms", dm, r["cpu"] / mib / 1e6)
    string_row(table, guests, sizes)
    for name, command, plain in (("DMA 128 KiB read", READ_DMA, "read"),
                                 ("DMA 128 KiB write", WRITE_DMA, "write")):
        bare = loop(floor, core, plain, images["answerer"], sizes["dma"])
        # Here the floor is the plain loop.
        table.add(name + ", wall", "us", "answerer", bare["wall"] / 1e3)
        table.add(name + ", DM CPU", "us", "answerer", bare["cpu"] / 1e3)
        table.add(name + ", data alone, CPU", "us", "answerer", bare["cpu"] / 1e3)
        for dm, g in guests:
            if dm == "answerer":
                continue
            wall, cpu, alone = dma_cost(g, dma(dm, command), sizes["dma"])
            table.add(name + ", wall", "us", dm, wall)
            table.add(name + ", DM CPU", "us", dm, cpu)
            table.add(name + ", data alone, CPU", "us", dm, alone)
            if command == READ_DMA:
                check(dm, g, images[dm])


def dma_cost(g, lines, passes):
    """Medians in us for one command: wall, CPU, and CPU less its port requests'.

    Commands and plain requests take turns, a few at a time: the difference is small beside both."""
    step = 16 * (len(lines) // CHUNKS)
    found = []
    for i in range(0, passes * len(lines), step):
        part = lines[i % len(lines):][:step]
        r, ports = g.loop(1, part), g.loop(1, [PLAIN] * len(part))
        found.append((r["ns"] / 16e3, r["cpu"] / 16e3, (r["cpu"] - ports["cpu"]) / 16e3))
    return [statistics.median(column) for column in zip(*found)]


def string_row(table, guests, sizes):
    """rep insw of one sector each: the string requests of a READ MULTIPLE block, nothing else."""
    for dm, g in guests:
        cpu = ns = n = 0
        for _ in range(sizes["pio"] * 8):
            for line in task_file(0, BLOCK, READ_MULTIPLE):
                g.cmd(line)
            g.cmd(wait(dm, 0x1F7, 0x88, 0x08))
            r = g.bench(BLOCK, type="pio", dir="read", addr=0x1F0, size=2, count=256, ptr=1,
                        data=BUFFER)
            cpu, ns, n = cpu + r["cpu"], ns + r["ns"], n + r["n"]
            g.cmd(wait(dm, 0x1F7, 0x89, 0))
        table.add("rep insw of a sector, round trip", "us", dm, ns / n / 1e3)
        table.add("rep insw of a sector, DM CPU", "us", dm, cpu / n / 1e3)
