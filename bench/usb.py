# SPDX-License-Identifier: GPL-2.0-or-later
"""What a USB tablet costs while nobody moves it: wake-ups and processor time a second.

    FAKEXEN=$build/tests/fakexen SLIMDM=$build/slimdm python3 bench/usb.py [--seconds N]

The guest's driver is a schedule in guest memory with a transfer that asks the tablet's interrupt
endpoint, as it is from the moment that a desktop or console has opened it. "Root hub polled" adds
the register reads that Linux makes four times a second; each is a request of the guest's own.
"moved" has a pointer event sixty times a second, each fetched by the driver.
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("fakexen", "integration"):
    sys.path.insert(0, os.path.join(HERE, "..", "tests", folder))

from fakexen import QEMU, Guest  # noqa: E402
from uhci import STS, Uhci  # noqa: E402

POLLS, MOVES = 4, 60


def counters(pid):
    """(times that a thread went to sleep, ns of processor time), of all threads."""
    switches = cpu = 0
    for task in os.listdir("/proc/%d/task" % pid):
        base = "/proc/%d/task/%s/" % (pid, task)
        with open(base + "status") as f:
            switches += int(next(line for line in f if line.startswith("voluntary")).split()[1])
        with open(base + "schedstat") as f:
            cpu += int(f.read().split()[0])
    return switches, cpu


def rate(g, seconds, step=None, times=1):
    """(wake-ups, ms of processor time) a second, while step() is done `times` a second."""
    switches, cpu = counters(g.pid)
    begin = time.monotonic()
    for n in range(int(seconds * times)):
        time.sleep(max(0, begin + n / times - time.monotonic()))
        if step:
            step()
    time.sleep(max(0, begin + seconds - time.monotonic()))
    after, cpu_after = counters(g.pid)
    spent = time.monotonic() - begin
    return (after - switches) / spent, (cpu_after - cpu) / 1e6 / spent


def mover(g, u):
    place = [0]

    def move():
        place[0] = (place[0] + 97) % 0x7FFF
        g.qmp("input-send-event", {"events": [
            {"type": "abs", "data": {"axis": "x", "value": place[0]}},
            {"type": "abs", "data": {"axis": "y", "value": 5}}]})
        if u.report(1) is not None:
            u.write(STS, 1)
            u.ask()
    return move


def measure(dm, seconds):
    rows = {}
    with Guest(dm, vga="std", serial="null", args=["-usb", "-usbdevice", "tablet"]) as g:
        time.sleep(1)
        rows["controller halted"] = rate(g, seconds)
        u = Uhci(g)
        u.enumerate()
        u.ask()
        time.sleep(2)
        rows["tablet asked, silent"] = rate(g, seconds)
        rows["and root hub polled %d/s" % POLLS] = rate(g, seconds, u.poll_root_hub, POLLS)
        rows["pointer moved %d/s" % MOVES] = rate(g, seconds, mover(g, u), MOVES)
    return rows


def main():
    seconds = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 5.0
    ours = measure("slimdm", seconds)
    theirs = measure("qemu", seconds) if os.path.exists(QEMU) else {}
    print("%-28s %26s %26s" % ("USB tablet, a second", "slimdm", "qemu-xen"))
    for name, (wakes, ms) in ours.items():
        other = theirs.get(name)
        print("%-28s %8.1f wake-ups %6.2f ms %s" % (
            name, wakes, ms, "%8.1f wake-ups %6.2f ms" % other if other else ""))


main()
