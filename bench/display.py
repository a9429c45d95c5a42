# SPDX-License-Identifier: GPL-2.0-or-later
"""Screens: what a viewer costs the guest and the host.

"Film" is a guest that redraws all of its frame buffer 30 times a second, and a viewer that asks for
the next update as soon as it has one, raw. By itself:

    FAKEXEN=$build/tests/fakexen SLIMDM=$build/slimdm python3 bench/display.py [ROUNDS]
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
for folder in ("fakexen", "integration"):
    sys.path.insert(0, os.path.join(HERE, "..", "tests", folder))

from fakexen import QEMU, program  # noqa: E402
from rfb import Viewer  # noqa: E402
from helpers import until  # noqa: E402
from screen import FB, Screen, children  # noqa: E402

DMS = ("slimdm", "qemu")
SIZES = ((1024, 768), (1920, 1080))
FRAME_US = 33000
PORT = {"type": "pio", "dir": "read", "addr": 0x1F7, "size": 1}
PAUSE_US = 150  # between two requests, on average
TURNS = 3


def missing():
    """Why they cannot be measured, or None."""
    return None if os.path.exists(QEMU) else "screens are not measured: there is no QEMU"


def server(g):
    """The VNC server that listens; QEMU's first one is libxl's `-vnc none`."""
    return next(s for s in g.qmp("query-vnc-servers") if s["server"])


def port(g):
    return int(server(g)["server"][0]["service"])


# ---- processes -----------------------------------------------------------------------------------


def family(pid):
    """The device model and what it has started."""
    return [pid] + [p for child in children(pid) for p in family(child)]


def cpu_ns(pid):
    """Of all its threads so far, also of those that have ended."""
    return time.clock_gettime_ns(~pid << 3 | 2)  # the clock that clock_getcpuclockid(3) gives


def thread_ns(tid):
    """Of one thread: the first one of a device model answers the guest."""
    with open("/proc/%d/schedstat" % tid, encoding="ascii") as f:
        return int(f.read().split()[0])


def private_dirty(pid):
    """KiB, without guest memory and the picture that is shared with viewers."""
    total, counted = 0, True
    with open("/proc/%d/smaps" % pid, encoding="utf-8", errors="replace") as f:
        for line in f:
            word = line.split(maxsplit=5)
            if not word[0].endswith(":"):
                counted = "/memfd:fakexen" not in line and "/memfd:slimdm-screen" not in line
            elif counted and word[0] == "Private_Dirty:":
                total += int(word[1])
    return total


def first_in_line(g):
    """The guest's processor and the thread that answers it come before all other processes, so that
    a machine with few or busy processors shows what the device model does to itself, and not how
    they are shared out. Threads that the device model starts do not inherit it."""
    for pid in (g.controller.pid, g.pid):
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


class Watching:
    """A process that looks at the guest's screen as fast as it can."""

    def __init__(self, g):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "viewer.py"), str(port(g))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        until(lambda: server(g)["clients"], "no viewer")
        time.sleep(0.3)

    def count_from_here(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def result(self):
        out, _ = self.process.communicate(timeout=20)
        return json.loads(out)


# ---- rows ----------------------------------------------------------------------------------------


def add_load(rows, dm, name, g, seconds, play):
    """Processor time and bytes a second while play() is called, which takes `seconds`."""
    with Watching(g) as viewer:
        play(0.5)
        pids = family(g.pid)
        before = {pid: cpu_ns(pid) for pid in pids}
        thread = thread_ns(g.pid)
        viewer.count_from_here()
        begin = time.monotonic()
        play(seconds)
        spent = time.monotonic() - begin
        used = [(cpu_ns(pid) - before[pid]) / 1e6 / spent for pid in pids]
        found = viewer.result()
    rows.add(name + ", CPU a second", "ms", dm, sum(used))
    rows.add(name + ", CPU a second of the guest's own thread", "ms", dm,
             (thread_ns(g.pid) - thread) / 1e6 / spent)
    if dm == "slimdm":
        rows.add(name + ", CPU a second of the core alone", "ms", dm, used[0])
    rows.add(name + ", sent a second", "MiB", dm, found["bytes"] / found["seconds"] / (1 << 20))
    return found


def film(g):
    """Arguments of a frame buffer that is redrawn all the time."""
    return {"film": FB, "bytes": 4 * g.width * g.height, "period": FRAME_US}


def request_rows(rows, dm, g, n):
    """A port's round trip with nobody looking, and during a film; in turns, and the median of the
    turns' own percentiles, so that what else the machine does is in both or in neither."""
    name = "port read during a film of %d x %d" % (g.width, g.height)
    quiet, busy = [], []
    first_in_line(g)
    g.x("latency", n=300, pause=PAUSE_US, **PORT)
    for _ in range(TURNS):
        quiet.append(percentiles(g.x("latency", n=n, pause=PAUSE_US, **PORT)))
        with Watching(g):
            g.x("latency", n=300, pause=PAUSE_US, **film(g), **PORT)
            busy.append(percentiles(g.x("latency", n=n, pause=PAUSE_US, **film(g), **PORT)))
    for p in ("p50", "p99", "p999"):
        before, during = ([turn[p] for turn in turns] for turns in (quiet, busy))
        rows.add("port read, nobody looks, " + p, "us", dm, statistics.median(before))
        rows.add("%s, %s" % (name, p), "us", dm, statistics.median(during))
        rows.add("%s, %s: times the quiet one" % (name, p), "", dm,
                 statistics.median(b / a for a, b in zip(before, during)))


def percentiles(text):
    return {k: int(v) / 1e3 for k, v in (word.split("=") for word in text.split()) if k[0] == "p"}


def film_rows(rows, dm, g, seconds):
    def play(for_seconds):
        g.x("latency", n=int(for_seconds * 200), pause=5000, **film(g), **PORT)

    name = "film of %d x %d" % (g.width, g.height)
    found = add_load(rows, dm, name, g, seconds, play)
    screens = found["bytes"] / (4 * g.width * g.height) / found["seconds"]
    rows.add(name + ", screens a second", "", dm, screens)


def text_rows(rows, dm, g, seconds):
    """80 x 25 characters, of which all move up by one line 20 times a second."""
    g.outw(0x1CE, 4)
    g.outw(0x1CF, 0)
    text_mode(g)
    lines = [bytes(b for c in range(80) for b in (33 + (7 * c + 13 * i) % 90, 7)) for i in range(60)]
    step = 0

    def play(for_seconds):
        nonlocal step
        begin, n = time.monotonic(), 0
        while time.monotonic() < begin + for_seconds:
            g.write(0xB8000, b"".join(lines[(step + i) % 60] for i in range(25)))
            step, n = step + 1, n + 1
            time.sleep(max(0, begin + n / 20 - time.monotonic()))

    add_load(rows, dm, "scrolling text", g, seconds, play)


def text_mode(g):
    """Mode 3 of the BIOS, with a font that is all the same."""
    for port, values in ((0x3C4, (0x03, 0x00, 0x03, 0x00, 0x02)),
                         (0x3CE, (0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x0F, 0xFF))):
        for index, value in enumerate(values):
            g.outw(port, index | value << 8)
    g.outb(0x3C2, 0x67)
    g.outw(0x3D4, 0x0011)
    for index, value in enumerate(bytes.fromhex(
            "5f4f50825581bf1f004f0d0e00000000 9c0e8f281f96b9a3ff")):
        g.outw(0x3D4, index | value << 8)
    g.inb(0x3DA)
    for index in range(20):
        g.outb(0x3C0, index)
        g.outb(0x3C0, (*range(16), 0x0C, 0x00, 0x0F, 0x08)[index])
    g.outb(0x3C0, 0x20)
    g.outb(0x3C6, 0xFF)
    g.outb(0x3C8, 0)
    for entry in range(64):
        for _ in range(3):
            g.outb(0x3C9, entry)
    for index, value in ((2, 4), (4, 7)):  # plane 2, in order
        g.outw(0x3C4, index | value << 8)
    g.outw(0x3CE, 0x0005)
    g.outw(0x3CE, 0x0406)
    for at in range(0, 8192, 32):
        g.write(0xA0000 + at, bytes((at // 32 * 37 + i * 11) & 0xFF for i in range(16)))
    for port, index, value in ((0x3C4, 2, 3), (0x3C4, 4, 2), (0x3CE, 5, 0x10), (0x3CE, 6, 0x0E)):
        g.outw(port, index | value << 8)


def still_rows(rows, dm, g, seconds):
    add_load(rows, dm, "screen that stands still", g, seconds, time.sleep)


def pixel_rows(rows, dm, g, n):
    """From the write of a pixel into the frame buffer to its arrival at the viewer."""
    took = []
    with Viewer(port(g), notices=()) as v:
        v.wait(lambda: v.rects > 0)
        for i in range(n):
            time.sleep(0.05 + 0.013 * (i % 5))
            colour = 0x10101 * (i + 1)
            v.request()
            begin = time.monotonic()
            g.writel(FB, colour)
            while v.pixel(0, 0) != colour:
                before = v.updates
                v.update()
                if v.updates != before and v.pixel(0, 0) != colour:
                    v.request()
            took.append((time.monotonic() - begin) * 1e3)
    rows.add("frame buffer write to the viewer's pixel, median", "ms", dm, statistics.median(took))
    rows.add("frame buffer write to the viewer's pixel, longest", "ms", dm, max(took))


def settle(dm):
    """Pages of a new program that are not yet written back would count as private dirty."""
    folder = os.path.dirname(program(dm))
    for path in (program(dm), *(os.path.join(folder, "slimdm-" + f) for f in ("vnc", "supervise"))):
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
            os.fsync(f.fileno())


def memory_rows(rows, dm, g):
    with Viewer(port(g), notices=()) as v:
        v.wait(lambda: v.rects > 0)
        time.sleep(0.2)
        dirty = [private_dirty(pid) for pid in family(g.pid)]
    rows.add("private dirty with a viewer, no video memory", "KiB", dm, dirty[0])
    if dm == "slimdm":
        rows.add("private dirty of its front-end and supervisor", "KiB", dm, sum(dirty[1:]))


def one_round(rows, order, requests=1500, seconds=2.0):
    for dm in order:
        settle(dm)
    for width, height in SIZES:
        for dm in order:
            with Screen(dm=dm, width=width, height=height) as g:
                request_rows(rows, dm, g, requests)
                film_rows(rows, dm, g, seconds)
                if (width, height) == SIZES[0]:
                    pixel_rows(rows, dm, g, 15)
                    memory_rows(rows, dm, g)
                    still_rows(rows, dm, g, seconds)
                    text_rows(rows, dm, g, seconds)


def main():
    from measure import Rows  # pylint: disable=import-outside-toplevel
    import report  # pylint: disable=import-outside-toplevel

    rows = Rows()
    for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        one_round(rows, DMS[::-1] if i % 2 else DMS)
    print("\n".join(report.main_table(rows)))


if __name__ == "__main__":
    main()
