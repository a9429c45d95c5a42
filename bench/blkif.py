#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paravirtual disk rows: blkif requests on simulated Xen, slimdm beside Debian's qemu-system-xen.

    bench/blkif.py --slimdm PROGRAM --fakexen FOLDER [--rounds N] [--quick]

The front end is the controller's own (x-blkif). Both device models serve the same file, in turns
within each round; a ratio is the median of the rounds' ratios. slimdm is measured with persistent
grants, as Linux's front end uses them, and without; QEMU has none. The floor is a loop of plain
preadv or pwritev calls of the same size, in the same process: no ring, no event, no other thread.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", "fakexen"), os.path.join(ROOT, "tests", "integration")]

IMAGE_MIB = 64  # all in the page cache
SECTORS = IMAGE_MIB << 11
# name, direction, pages of a request, random places
JOBS = (("4 KiB random read", "read", 1, True), ("4 KiB random write", "write", 1, True),
        ("44 KiB read", "read", 11, False), ("44 KiB write", "write", 11, False),
        ("128 KiB indirect read", "read", 32, False))
DEPTHS = (1, 32)
KINDS = ("slimdm", "slimdm copying", "qemu")


def image(folder, name):
    path = os.path.join(folder, name.replace(" ", "-") + ".img")
    with open(path, "wb") as f:
        f.write(random.Random(1).randbytes(IMAGE_MIB << 20))
    return path


class Server:
    """One device model that serves one disk, connected."""

    def __init__(self, kind, folder, core):
        from blkfront import Blkfront, toolstack
        from fakexen import Guest

        self.kind = kind
        path = image(folder, kind)
        self.guest = Guest("qemu" if kind == "qemu" else "slimdm", before=toolstack("aio:" + path))
        for pid in (self.guest.pid, self.guest.controller.pid):
            for task in os.listdir("/proc/%d/task" % pid):
                os.sched_setaffinity(int(task), core)
        self.front = Blkfront(self.guest, persistent=kind == "slimdm")
        for task in os.listdir("/proc/%d/task" % self.guest.pid):
            os.sched_setaffinity(int(task), core)  # threads that serve the ring, too
        got = self.front.read(800, 11)
        with open(path, "rb") as f:
            f.seek(800 * 512)
            if got != f.read(len(got)):
                raise AssertionError(kind + " gives wrong data")
        self.indirect = self.front.back("feature-max-indirect-segments") is not None

    def run(self, direction, pages, scattered, depth, n):
        """(ns, processor ns of the device model) for one request."""
        from fakexen import fields

        reply = fields(self.guest.cmd(
            "x-blkif ring=0x4000000 port=%d ref=100 list=4100 sectors=%d dir=%s segments=%d "
            "random=%d depth=%d n=%d" % (self.front.port, SECTORS, direction, pages, scattered,
                                         depth, n)))
        self.front.req_prod = self.front.rsp_cons = None  # the controller has gone on
        if reply["errors"]:
            raise AssertionError("%s: %d errors" % (self.kind, reply["errors"]))
        return reply["ns"] / n, reply["cpu"] / n


def floor(program, path, direction, size):
    count = (IMAGE_MIB << 20) // size
    words = subprocess.run([program, direction, path, str(size), str(count), "2"], check=True,
                           capture_output=True, text=True).stdout.split()
    return int(dict(w.split("=") for w in words)["wall"])


def cell(values):
    return "%.2f" % (statistics.median(values) / 1e3) if values else "-"


def ratio(ours, theirs):
    return "%.2f" % statistics.median(a / b for a, b in zip(ours, theirs)) if theirs else "-"


def table(title, results, floors, which):
    lines = [[title] + list(KINDS) + ["/ qemu", "floor"]]
    for job in JOBS:
        for depth in DEPTHS:
            values = [[pair[which] for pair in results.get((job[0], depth, kind), [])]
                      for kind in KINDS]
            lines.append(["%s, depth %d" % (job[0], depth)] + [cell(v) for v in values]
                         + [ratio(values[0], values[2]), cell(floors[job[0]])])
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                        for i, (c, w) in enumerate(zip(line, width))))
    print()


def measure(folder, rounds, n, core):
    program = os.path.join(folder, "floor")
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(HERE, "floor.c")], check=True)
    servers = [Server(kind, folder, core) for kind in KINDS]
    results, floors = {}, {job[0]: [] for job in JOBS}
    try:
        for turn in range(rounds + 1):  # the first one warms up
            for name, direction, pages, scattered in JOBS:
                size = pages * 4096
                floors[name].append(floor(program, os.path.join(folder, "slimdm.img"), direction,
                                          size))
                for depth in DEPTHS:
                    for server in servers[turn % 3:] + servers[:turn % 3]:
                        if pages > 11 and not server.indirect:
                            continue
                        got = server.run(direction, pages, scattered, depth, n // pages + 200)
                        if turn:
                            results.setdefault((name, depth, server.kind), []).append(got)
    finally:
        for server in servers:
            server.guest.close()
    return results, floors


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--slimdm", required=True)
    p.add_argument("--fakexen", required=True, help="build folder of simulated Xen")
    p.add_argument("--rounds", type=int)
    p.add_argument("--quick", action="store_true")
    options = p.parse_args()
    os.environ["SLIMDM"], os.environ["FAKEXEN"] = options.slimdm, options.fakexen
    rounds = options.rounds or (3 if options.quick else 7)
    cpus = sorted(os.sched_getaffinity(0))
    places = [("one processor for both", {cpus[-1]})]
    if len(cpus) > 1:
        places.append(("a processor for each", set(cpus[-2:])))
    for text, core in places:
        with tempfile.TemporaryDirectory() as folder:
            results, floors = measure(folder, rounds, 2000 if options.quick else 8000, core)
        print("%s, median of %d rounds\n" % (text, rounds))
        table("us a request", results, floors, 0)
        table("us of the device model's processor time", results, floors, 1)


if __name__ == "__main__":
    main()
