# SPDX-License-Identifier: GPL-2.0-or-later
"""What slimdm may cost, in numbers that the machine's speed does not change: budgets.json.

Only a release without sanitizers has them, so tests/run gives it that. A number that grows past its
budget fails; one that shrinks for good is a reason to lower the budget."""

import json
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(HERE)), "bench"), HERE]

import disk  # noqa: E402
import measure  # noqa: E402
import syscalls  # noqa: E402
from fakexen import Guest, program  # noqa: E402
from helpers import Image, sanitized, wake_ups  # noqa: E402
from tap import Skip, main, test  # noqa: E402

REQUESTS = 500
# Two threads that meet at the simulated hypervisor's lock; the real one is not the device model's.
MEETING = ("futex", "sched_yield")
ALLOCATES = ("brk", "mmap", "munmap", "mremap", "clone", "clone3")

with open(os.path.join(HERE, "budgets.json"), encoding="utf-8") as budgets:
    BUDGET = json.load(budgets)


def within(name, found):
    print("#   %s: %.4g of %g" % (name, found, BUDGET[name]))
    if found > BUDGET[name]:
        raise AssertionError("%s: %.4g are more than the budget's %g" % (name, found, BUDGET[name]))


def release(**options):
    g = Guest(dm="slimdm", **options)
    if sanitized(g.pid):
        g.close()
        raise Skip("a sanitized build has other costs")
    return g


def counted(g, action):
    found = syscalls.count(g.pid, action)
    if found is None:
        raise Skip("strace is missing, or may not look at other processes")
    return {call: n for call, n in found.items() if call not in MEETING}


@test
def files():
    """libraries, relocations and size of the program"""
    path = program("slimdm")
    with release():
        pass
    within("shared libraries on a real host", measure.needed(path))
    within("relocations", measure.relocations(path))
    within("program file, KiB", os.path.getsize(path) / 1024)


@test
def idle():
    """no wake-up, no thread and no page more than budgeted while nothing happens"""
    with Image(mib=32) as image, release(disk=image.path) as g:
        time.sleep(1)
        before = wake_ups(g.pid)
        time.sleep(10)
        within("wake-ups in 10 idle seconds", wake_ups(g.pid) - before)
        within("threads when idle", len(measure.tasks(g.pid)))
        within("private dirty after start, KiB", measure.smaps(g.pid)["Private_Dirty"])


@test
def requests():
    """system calls of single requests to a device model that sleeps in between"""
    with release() as g:
        for name, request in (
                ("port read", {"type": "pio", "dir": "read", "addr": 0x1F7, "size": 1}),
                ("port write", {"type": "pio", "dir": "write", "addr": 0x1F2, "size": 1, "data": 1}),
                ("PCI configuration read", {"type": "pci", "dir": "read", "addr": 0, "size": 4})):
            g.bench(REQUESTS, **request)
            found = counted(g, lambda: g.bench(REQUESTS, **request))  # pylint: disable=W0640
            within("system calls of a " + name, sum(found.values()) / REQUESTS)
        buffered = ["writel 0xb8000 0x07410742"]
        g.loop(REQUESTS, buffered)
        found = counted(g, lambda: g.loop(REQUESTS, buffered))
        within("system calls of a buffered write", sum(found.values()) / REQUESTS)


@test
def disk_commands():
    """system calls of disk reads, and no memory asked for once it has begun"""
    with Image(mib=disk.CHUNKS * disk.CHUNK >> 20) as image, release(disk=image.path) as g:
        disk.prepare("slimdm", g)
        sectors = disk.pio("slimdm", disk.READ_SECTORS)
        chunks = disk.dma("slimdm", disk.READ_DMA)
        for lines in (sectors, chunks):
            g.loop(2, lines)
        pio = counted(g, lambda: g.loop(2, sectors))
        dma = counted(g, lambda: g.loop(1, chunks))
        disk.check(g, image.path)
        within("system calls of a sector by READ SECTORS", sum(pio.values()) / 2 / disk.SECTORS)
        within("system calls of 128 KiB by READ DMA", sum(dma.values()) / disk.CHUNKS)
        within("allocations after the start",
               sum(found.get(call, 0) for found in (pio, dma) for call in ALLOCATES))
        within("private dirty after work, KiB", measure.smaps(g.pid)["Private_Dirty"])


main()
