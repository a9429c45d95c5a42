#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What many guests on one host cost: device models side by side on simulated Xen, idle and busy.

    bench/scale.py --slimdm PROGRAM --fakexen FOLDER [--sizes 1 10 50 200] [--most 1000]

Memory is the PSS of all device models of one kind, without guest memory and the hypervisor's own
state. A straight line through the two sizes before the last is the model; its error at the last
size is printed, and what it says of 1,000 guests. --most N starts so many slimdm for a check of
that, too. Idle processor time is the scheduler's count over 10 s. Busy are 50 guests that all ask
for port reads at once.
"""

import argparse
import os
import resource
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "fakexen")]

import display  # noqa: E402
import measure  # noqa: E402
from fakexen import Guest  # noqa: E402

IDLE_SECONDS = 10
BUSY = 50
REQUESTS = 2000
PORT_READ = {"type": "pio", "dir": "read", "addr": 0x1F7, "size": 1}


def say(text):
    print("# " + text, file=sys.stderr, flush=True)


class Crowd:
    """A growing number of guests of one kind, each with a device model of its own."""

    def __init__(self, dm):
        self.dm, self.guests = dm, []

    def grow(self, size):
        while len(self.guests) < size:
            self.guests.append(Guest(dm=self.dm, domid=len(self.guests) + 1, timeout=60.0))

    def pids(self):
        return [g.pid for g in self.guests]

    def memory(self):
        """KiB: the sum of the PSS, and of what is private and written."""
        all_of_them = [measure.smaps(pid) for pid in self.pids()]
        return (sum(m["Pss"] for m in all_of_them), sum(m["Private_Dirty"] for m in all_of_them))

    def idle(self):
        """Milliseconds of processor time and wake-ups of all in one second."""
        pids = self.pids()
        before, woken = sum(map(display.cpu_ns, pids)), sum(map(measure.wake_ups, pids))
        time.sleep(IDLE_SECONDS)
        cpu = sum(map(display.cpu_ns, pids)) - before
        return (cpu / 1e6 / IDLE_SECONDS,
                (sum(map(measure.wake_ups, pids)) - woken) / IDLE_SECONDS)

    def busy(self):
        """Requests answered in a second, and microseconds of the device models' time for each."""
        crowd = self.guests[:BUSY]
        found = []

        def ask(guest):
            found.append(guest.bench(REQUESTS, **PORT_READ)["cpu"])

        threads = [threading.Thread(target=ask, args=(g,)) for g in crowd]
        begin = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seconds = time.monotonic() - begin
        return len(found) * REQUESTS / seconds, sum(found) / len(found) / REQUESTS / 1e3

    def close(self):
        for g in self.guests:
            g.close()
        self.guests = []


def line(small, large):
    """(fixed, each) of the straight line through two (size, KiB)."""
    each = (large[1] - small[1]) / (large[0] - small[0])
    return small[1] - each * small[0], each


def one_kind(dm, sizes, most):
    crowd = Crowd(dm)
    try:
        seen = []
        for size in sizes:
            say("%s: %d" % (dm, size))
            crowd.grow(size)
            time.sleep(1)
            pss, dirty = crowd.memory()
            cpu, woken = crowd.idle()
            seen.append((size, pss))
            print("%-7s %5d  %10.0f %9.0f %9.0f  %10.3f %9.1f"
                  % (dm, size, pss, pss / size, dirty / size, cpu, woken), flush=True)
            if size == BUSY:
                rate, each = crowd.busy()
                print("%-7s %5d busy: %.0f requests a second, %.2f us of device model each"
                      % (dm, size, rate, each), flush=True)
        if len(seen) >= 3:
            fixed, each = line(*seen[-3:-1])
            size, pss = seen[-1]
            guess = fixed + each * size
            print("%-7s model: %.0f KiB + %.1f KiB a guest; at %d it is %+.1f %% off; 1,000 guests: %.0f MiB"
                  % (dm, fixed, each, size, 100 * (guess / pss - 1), (fixed + each * 1000) / 1024))
            if most:
                say("%s: %d" % (dm, most))
                crowd.grow(most)
                pss, _ = crowd.memory()
                cpu, woken = crowd.idle()
                print("%-7s %5d measured: %.0f MiB (model %+.1f %% off), idle %.3f ms a second, %.1f wake-ups"
                      % (dm, most, pss / 1024, 100 * ((fixed + each * most) / pss - 1), cpu, woken))
    finally:
        crowd.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--slimdm", required=True)
    p.add_argument("--fakexen", required=True, help="build folder of simulated Xen")
    p.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50, 200])
    p.add_argument("--most", type=int, default=0, help="so many slimdm as a check of the model")
    options = p.parse_args()
    os.environ["SLIMDM"], os.environ["FAKEXEN"] = options.slimdm, options.fakexen
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("dm      guests     PSS KiB  PSS each  dirty each  idle ms/s  wake-ups/s")
    for dm in ("slimdm", "qemu"):
        one_kind(dm, sorted(options.sizes), options.most if dm == "slimdm" else 0)


if __name__ == "__main__":
    main()
