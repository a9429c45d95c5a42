# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk rows: ATA commands as a driver gives them, through programmed I/O and the bus master.

Every device model gets the same port requests. The floor of programmed I/O is an answerer without
data. The floor of DMA is an answerer that does one pread or pwrite when the bus master is started,
and nothing else: a loop of bare calls beside it shows what the port requests alone cost. The file is
larger than the processor's own caches, as a disk is.
"""

import os
import random
import subprocess

IMAGE_MIB = 32  # all in the page cache
CHUNK = 128 * 1024
CHUNKS = (IMAGE_MIB << 20) // CHUNK
SECTORS = CHUNK // 512
BUFFER = 0x200000
PRD = 0x8000
BASE = 0xC000  # of the bus master
BLOCK = 16  # sectors of READ MULTIPLE

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


def check(g, image):
    """The data of the last chunk read has to be the file's."""
    with open(image, "rb") as f:
        f.seek((CHUNKS - 1) * CHUNK)
        if g.read(BUFFER, CHUNK) != f.read(CHUNK):
            raise AssertionError("wrong data in " + image)


def loop(floor, core, what, image, passes):
    """ns of wall and processor time for one call of the plain loop."""
    words = subprocess.run(["taskset", "-c", str(core), floor, what, image, str(CHUNK),
                            str(CHUNKS), str(passes)],
                           check=True, capture_output=True, text=True).stdout.split()
    return {k: int(v) for k, v in (w.split("=") for w in words)}


def rows(table, guests, images, floor, sizes, core, apart):
    for dm, g in guests:
        prepare(dm, g)
    for name, command, block in (("READ SECTORS", READ_SECTORS, 1),
                                 ("READ MULTIPLE", READ_MULTIPLE, BLOCK),
                                 ("WRITE SECTORS", WRITE_SECTORS, 1)):
        for dm, g in guests:
            pio_row(table, name, dm, g, pio(dm, command, block), sizes["pio"])
    for dm, g in guests:
        string_row(table, "rep insw of a sector", dm, g, sizes["pio"] * 8)
        with apart(g):
            string_row(table, "rep insw of a sector on two processors", dm, g, sizes["pio"] * 8)
            pio_row(table, "READ SECTORS on two processors", dm, g, pio(dm, READ_SECTORS),
                    sizes["pio"])
    for name, command, plain in (("DMA 128 KiB read", READ_DMA, "read"),
                                 ("DMA 128 KiB write", WRITE_DMA, "write")):
        bare = loop(floor, core, plain, images["answerer"], sizes["dma"])
        table.add("p%s of 128 KiB in a bare loop, wall" % plain, "us", "answerer",
                  bare["wall"] / 1e3)
        for dm, g in guests:
            lines = dma(dm, command)
            g.loop(1, lines)
            r = g.loop(sizes["dma"], lines)
            commands = sizes["dma"] * CHUNKS
            table.add(name + ", wall", "us", dm, r["ns"] / commands / 1e3)
            table.add(name + ", DM CPU", "us", dm, r["cpu"] / commands / 1e3)
            if command == READ_DMA:
                check(g, images[dm])


def pio_row(table, name, dm, g, lines, commands):
    g.loop(1, lines)
    r = g.loop(commands, lines)
    mib = r["n"] * CHUNK / 2**20
    table.add(name + ", throughput", "MiB/s", dm, mib / r["ns"] * 1e9)
    table.add(name + ", DM CPU a MiB", "ms", dm, r["cpu"] / mib / 1e6)


def string_row(table, name, dm, g, blocks):
    """rep insw of one sector each: the string requests of a READ MULTIPLE block, nothing else."""
    cpu = ns = n = 0
    for _ in range(blocks):
        for line in task_file(0, BLOCK, READ_MULTIPLE):
            g.cmd(line)
        g.cmd(wait(dm, 0x1F7, 0x88, 0x08))
        r = g.bench(BLOCK, type="pio", dir="read", addr=0x1F0, size=2, count=256, ptr=1,
                    data=BUFFER)
        cpu, ns, n = cpu + r["cpu"], ns + r["ns"], n + r["n"]
        g.cmd(wait(dm, 0x1F7, 0x89, 0))
    table.add(name + ", round trip", "us", dm, ns / n / 1e3)
    table.add(name + ", DM CPU", "us", dm, cpu / n / 1e3)
