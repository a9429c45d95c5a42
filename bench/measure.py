# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured and how; report.py says how it is shown.

A row is a name and a unit; its values are kept per device model in rounds, so that a ratio can be
formed within each round. Processor time is the scheduler's own count over all threads of the device
model.
"""

import contextlib
import os
import re
import subprocess
import tempfile
import time

import disk
import display
import net
import syscalls
from fakexen import Failed, Guest, QmpError, program
from helpers import wake_ups  # display.py says where

DMS = ("slimdm", "qemu", "answerer")
WARM_UP = 500  # requests before the first measured ones

# One request each, as it stands in the slot. Device 0:0.0 is there in all three.
REQUESTS = (
    ("port read", {"type": "pio", "dir": "read", "addr": 0x1F7, "size": 1}),
    ("port write", {"type": "pio", "dir": "write", "addr": 0x1F2, "size": 1, "data": 1}),
    ("MMIO read", {"type": "copy", "dir": "read", "addr": 0xB8000, "size": 4}),
    ("MMIO write", {"type": "copy", "dir": "write", "addr": 0xB8000, "size": 4,
                    "data": 0x07410742}),
    ("PCI config read", {"type": "pci", "dir": "read", "addr": 0, "size": 4}),
)
BUFFERED = ["writel 0xb8000 0x07410742"]


class Rows:
    """values[row][device model] is a list with one number a round."""

    def __init__(self):
        self.unit = {}
        self.values = {}
        self.notes = []

    def add(self, row, unit, dm, value):
        self.unit[row] = unit
        self.values.setdefault(row, {}).setdefault(dm, []).append(value)

    def get(self, row, dm):
        return self.values.get(row, {}).get(dm, [])


# ---- processors ----------------------------------------------------------------------------------


def cores():
    """(another one, the one that is measured on); the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def tasks(pid):
    with contextlib.suppress(OSError):
        return [int(t) for t in os.listdir("/proc/%d/task" % pid)]
    return []


def pin(pid, core):
    for task in tasks(pid):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(task, {core})


@contextlib.contextmanager
def apart(g):
    """Controller and device model on a processor each, as a guest and its device model mostly are."""
    control, work = cores()
    pin(g.controller.pid, control)
    yield
    pin(g.controller.pid, work)


# ---- one process ---------------------------------------------------------------------------------


def smaps(pid):
    """Sums in KiB over its mappings, without the guest's memory and the hypervisor's own state,
    which belong to simulated Xen."""
    total = {"Private_Dirty": 0, "Pss": 0, "Rss": 0}
    counted = True
    with open("/proc/%d/smaps" % pid, encoding="utf-8", errors="replace") as f:
        for line in f:
            word = line.split(maxsplit=5)
            if not word[0].endswith(":"):
                counted = "/memfd:fakexen" not in line
            elif counted and word[0][:-1] in total:
                total[word[0][:-1]] += int(word[1])
    return total


def libraries(pid):
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace") as f:
        return len({line.split()[-1] for line in f if ".so" in line})


def needed(path):
    """Libraries that the program loads on a real host, where each Xen library is one."""
    text = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return sum("=>" in line for line in text.splitlines())


# ---- start and memory ----------------------------------------------------------------------------


def launch(dm, image=None):
    """A running guest, and its start's wall and processor time in ns: from vfork() to the write that
    tells the toolstack that it runs.

    Controller and device model share one processor: the device model inherits it."""
    core = cores()[1]
    if dm == "answerer":
        g = Guest(dm=dm, args=["disk=" + image] if image else [], start=False)
    else:
        g = Guest(dm=dm, disk=image, start=False)
    try:
        pin(g.controller.pid, core)
        g.start()
        if os.sched_getaffinity(g.pid) != {core}:
            raise AssertionError("%s is not on its processor" % dm)
        return g, g.ready_ns, g.ready_cpu
    except BaseException:
        g.close()
        raise


def start_round(rows, dm, image):
    g, wall, cpu = launch(dm, image)
    with g:
        rows.add("start to running, wall", "ms", dm, wall / 1e6)
        rows.add("start to running, CPU", "ms", dm, cpu / 1e6)
        time.sleep(0.05)  # threads that end by themselves
        pid = g.pid
        memory = smaps(pid)
        rows.add("private dirty after start", "KiB", dm, memory["Private_Dirty"])
        rows.add("PSS after start", "KiB", dm, memory["Pss"])
        rows.add("RSS after start", "KiB", dm, memory["Rss"])
        rows.add("threads after start", "", dm, len(tasks(pid)))
        rows.add("shared libraries mapped", "", dm, libraries(pid))


def relocations(path):
    """What the dynamic loader has to fill in or look up at each start, packed ones counted singly."""
    text = subprocess.run(["readelf", "-rW", path], capture_output=True, text=True, check=True).stdout
    packed = re.findall(r"contains \d+ entr(?:y|ies):\s+(\d+) offsets", text)
    return text.count("R_X86_64_") + sum(map(int, packed))


def constants(rows):
    for dm in DMS:
        path = program(dm)
        with open(path, "rb") as f:
            os.fsync(f.fileno())  # pages not yet written back would count as private dirty
        rows.add("shared libraries on a real host", "", dm, needed(path))
        rows.add("relocations", "", dm, relocations(path))
        rows.add("program file", "KiB", dm, os.path.getsize(path) / 1024)


# ---- requests ------------------------------------------------------------------------------------


def request_rows(rows, guests, n):
    """Each kind of request on one device model after the other, before the next kind."""
    for name, request in REQUESTS:
        for dm, g in guests:
            one_request(rows, name, request, dm, g, n)
    for dm, g in guests:
        g.loop(WARM_UP, BUFFERED)
        r = g.loop(n, BUFFERED)
        rows.add("buffered write, wall", "us", dm, r["ns"] / n / 1e3)
        rows.add("buffered write, DM CPU", "us", dm, r["cpu"] / n / 1e3)


def one_request(rows, name, request, dm, g, n):
    g.bench(WARM_UP, **request)
    r = g.bench(n, **request)
    rows.add(name + ", round trip", "us", dm, r["ns"] / n / 1e3)
    rows.add(name + ", DM CPU", "us", dm, r["cpu"] / n / 1e3)


def apart_rows(rows, guests, n):
    """The first request again while controller and device model have a processor each.

    Each sleep then idles a processor, and each wake-up crosses to another one: in a virtual machine
    that costs more than all the rest. Looking out for the next request saves it."""
    name, request = REQUESTS[0]
    for dm, g in guests:
        with apart(g):
            one_request(rows, name + " on two processors", request, dm, g, n)


def save(rows, dm, g, folder):
    path = os.path.join(folder, "state")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    try:
        begin = time.monotonic_ns()
        g.qmp("stop")
        g.qmp("xen-save-devices-state", {"filename": path, "live": False})
        rows.add("stop, flush and save, wall", "ms", dm, (time.monotonic_ns() - begin) / 1e6)
        rows.add("saved state", "KiB", dm, os.path.getsize(path) / 1024)
        g.qmp("cont")
    except (QmpError, OSError) as e:
        note = "save by %s: %s" % (dm, e)
        if note not in rows.notes:
            rows.notes.append(note)


def work_round(rows, order, images, floor, sizes, folder):
    with contextlib.ExitStack() as stack:
        guests = []
        for dm in order:
            g, _, _ = launch(dm, images[dm])
            guests.append((dm, stack.enter_context(g)))
        request_rows(rows, guests, sizes["requests"])
        apart_rows(rows, guests, sizes["requests"])
        disk.rows(rows, guests, images, floor, sizes, cores()[1], apart)
        for dm, g in guests:
            memory = smaps(g.pid)
            rows.add("private dirty after work", "KiB", dm, memory["Private_Dirty"])
            rows.add("RSS after work", "KiB", dm, memory["Rss"])
            rows.add("threads after work", "", dm, len(tasks(g.pid)))
            if dm != "answerer":
                save(rows, dm, g, folder)


def system_calls(rows, images, n):
    """Once a run: counting them slows them down, so nothing else is measured here."""
    for dm in DMS:
        g, _, _ = launch(dm, images[dm])
        with g:
            for name, request in REQUESTS[:2] + REQUESTS[4:]:
                found = syscalls.count(g.pid, lambda: g.bench(n, **request))  # pylint: disable=W0640
                if found is None:
                    rows.notes.append("system calls are not counted: strace is missing")
                    return
                rows.add(name + ", system calls", "", dm, sum(found.values()) / n)
                if name == "port read":
                    calls = sorted(found.items(), key=lambda e: -e[1])[:5]
                    rows.notes.append("%s, system calls of a port read: %s" % (
                        dm, ", ".join("%s %.2f" % (k, v / n) for k, v in calls)))
            found = syscalls.count(g.pid, lambda: g.loop(n, BUFFERED))  # pylint: disable=W0640
            rows.add("buffered write, system calls", "", dm, sum(found.values()) / n)


# ---- all of it -----------------------------------------------------------------------------------


def network(rows, options, rounds, say):
    reason = net.missing()
    if reason:
        rows.notes.append(reason)
        return
    program_path = os.path.join(options.build, "bench-netfloor")
    for i in range(rounds):
        say("round %d of %d: network" % (i + 1, rounds))
        order = [DMS[(i + k) % len(DMS)] for k in range(len(DMS))]
        net.rows(rows, order, program_path, 30 if options.quick else 100, cores()[1], pin,
                 apart)


def screens(rows, options, say):
    reason = display.missing()
    if reason:
        rows.notes.append(reason)
        return
    rounds = 1 if options.quick else 3
    for i in range(rounds):
        say("round %d of %d: screens" % (i + 1, rounds))
        try:
            display.one_round(rows, display.DMS[::-1] if i % 2 else display.DMS)
        except (AssertionError, Failed, OSError) as e:
            rows.notes.append("screens: %s" % e)


def everything(options, floor, say):
    rows = Rows()
    rounds = options.rounds or (3 if options.quick else 9)
    starts = 7 if options.quick else 25
    sizes = {"requests": 4000, "pio": 4, "dma": 1} if options.quick else \
        {"requests": 10000, "pio": 16, "dma": 3}
    constants(rows)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=options.build))
        # QEMU locks its image. The answerer's is what it transfers from when a bus master starts.
        images = {dm: disk.make_image(folder, dm) for dm in DMS}
        still = {dm: disk.make_image(folder, "idle-" + dm) for dm in DMS}
        say("%d starts of each, alternating" % starts)
        for i in range(starts):
            for k in range(len(DMS)):
                dm = DMS[(i + k) % len(DMS)]
                start_round(rows, dm, images[dm])

        idle = {dm: stack.enter_context(launch(dm, still[dm])[0]) for dm in DMS}
        time.sleep(2)  # what follows a start
        before = {dm: wake_ups(g.pid) for dm, g in idle.items()}
        idle_end = time.monotonic() + options.idle

        for i in range(rounds):
            say("round %d of %d: requests and disk" % (i + 1, rounds))
            order = [DMS[(i + k) % len(DMS)] for k in range(len(DMS))]
            work_round(rows, order, images, floor, sizes, folder)
        network(rows, options, rounds, say)
        screens(rows, options, say)
        say("system calls")
        try:
            system_calls(rows, images, 1000)
        except Failed as e:
            rows.notes.append("system calls: %s" % e)
        left = idle_end - time.monotonic()
        if left > 0:
            say("watching idle processes for another %d s" % (left + 1))
            time.sleep(left)
        seconds = options.idle + max(0.0, -left)
        for dm, g in idle.items():
            rows.add("wake-ups in %d idle seconds" % options.idle, "", dm,
                     (wake_ups(g.pid) - before[dm]) * options.idle / seconds)
    return rows
