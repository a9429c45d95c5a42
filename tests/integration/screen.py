# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with a screen, a keyboard and a VNC server, and what the tests of viewers do to it."""

import os
import struct
import time

from fakexen import Guest
from helpers import sanitized, status_of
from rfb import Viewer
from tap import equal

FB = 0xF0000000
BLUE, RED, GREEN = 0x0000FF, 0xFF0000, 0x00FF00


class Screen(Guest):
    """A guest with VNC, in a VBE mode with its frame buffer at FB."""

    def __init__(self, vnc="127.0.0.1:20,to=99", width=640, height=480, args=(), **more):
        super().__init__(vga="std", args=["-vnc", vnc] + list(args), **more)
        if self.paused:
            self.qmp("cont")
        dev = next(d for d in range(2, 6) if self.cfg(d, 0, 0) == 0x11111234)
        self.cfg(dev, 0, 0x10, 4, FB)
        self.cfg(dev, 0, 4, 2, 3)
        self.mode(width, height)

    def mode(self, width, height):
        self.width, self.height = width, height
        for index, value in ((4, 0), (1, width), (2, height), (3, 32), (4, 0x41)):
            self.outw(0x1CE, index)
            self.outw(0x1CF, value)
        self.outb(0x3C0, 0x20)

    def fill(self, colour, x, y, w, h):
        for row in range(y, y + h):
            self.write(FB + 4 * (row * self.width + x), struct.pack("<I", colour) * w)

    @property
    def port(self):
        return int(self.qmp("query-vnc")["service"])

    def viewer(self, **options):
        return Viewer(self.port, **options)

    def scancodes(self, count, timeout=5.0):
        """The next bytes of the keyboard."""
        codes, end = [], time.monotonic() + timeout
        while len(codes) < count and time.monotonic() < end:
            status = self.inb(0x64)
            if status & 1:
                byte = self.inb(0x60)
                if not status & 0x20:
                    codes.append(byte)
        return codes

    def keyboard(self):
        """Translation and the keyboard on, the mouse too, as firmware leaves them."""
        self.outb(0x64, 0x60)
        self.outb(0x60, 0x47)
        self.outb(0x64, 0xAE)
        while self.inb(0x64) & 1:
            self.inb(0x60)
        return self

    def processes(self):
        """Process ids of (supervisor, front-end)."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for supervisor in children(self.pid):
                for frontend in children(supervisor):
                    return supervisor, frontend
            time.sleep(0.02)
        raise AssertionError("no front-end")


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(word) for word in f.read().split()]
    except FileNotFoundError:
        return []


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def check_sandbox(g, pid, files):
    """A front-end: another user, no new privileges, a filter, and only descriptors of these kinds."""
    status = status_of(pid)
    equal(status["NoNewPrivs"], "1")
    if os.getuid() == 0:
        equal(status["CapEff"], "0" * 16)
        assert "0" not in status["Uid"].split(), status["Uid"]
    if not sanitized(pid):
        equal(status["Seccomp"], "2")
    names = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    for name in names:
        assert name.startswith(files + ("/dev/null",)) or name == g.log_path, names
