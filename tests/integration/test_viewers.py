# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's VNC viewers on an X server without a screen: they connect, show, type, and follow the mode."""

import os
import subprocess
import tempfile

from helpers import until
from screen import BLUE, GREEN, RED, Screen
from tap import equal, main, test
from x11 import Server, need


class Program:
    """A viewer with a home of its own; its output is told when a check fails."""

    def __init__(self, x, *command):
        self.home = tempfile.TemporaryDirectory()
        self.log = open(os.path.join(self.home.name, "log"), "w+b")
        env = {"DISPLAY": x.display, "HOME": self.home.name, "PATH": "/usr/bin:/bin",
               "XDG_RUNTIME_DIR": self.home.name, "LANG": "C.UTF-8", "NO_AT_BRIDGE": "1",
               "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11",
               "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.home.cleanup()


def area(x, window, colour):
    """(x, y, width, height) of what is in this colour, between its first and its last pixel."""
    lines = []
    for y, row in enumerate(x.picture(window)[2]):
        pixels = memoryview(row).cast("I").tolist()
        if colour in pixels:
            lines.append((y, pixels.index(colour), len(pixels) - pixels[::-1].index(colour)))
    if not lines:
        return 0, 0, 0, 0
    left, right = min(line[1] for line in lines), max(line[2] for line in lines)
    return left, lines[0][0], right - left, lines[-1][0] - lines[0][0] + 1


def follow(x, g, program, grows=True):
    """The same for every viewer: the guest's picture, a key, another mode."""
    g.keyboard()
    g.fill(BLUE, 0, 0, 640, 480)
    g.fill(RED, 100, 50, 200, 300)
    window = x.find("guest", 60)
    x.focus(window)
    x.to_corner(window)
    until(lambda: area(x, window, RED)[2:] == (200, 300),
          "the guest's picture is not there: %r %s" % (x.windows(), program.said()), 30)
    left, top = area(x, window, BLUE)[:2]
    equal(area(x, window, RED)[:2], (left + 100, top + 50), "place of the red part")
    equal(area(x, window, BLUE)[2:], (640, 480), "size of the blue part")
    x.focus(window)
    x.point(window, left + 320, top + 240)
    until(lambda: x.key("a") or g.scancodes(2, 0.5) == [0x1E, 0x9E], "the key does not come", 20)
    g.mode(800, 600)
    g.fill(GREEN, 0, 0, 800, 600)
    g.fill(RED, 600, 400, 200, 200)
    if not grows:
        x.resize(window, left + 800, top + 600)
    want = left + 600, top + 400, 200, 200
    until(lambda: area(x, window, RED) == want and area(x, window, GREEN)[2:] == (800, 600),
          "the new mode is not shown", 20)
    equal(program.process.poll(), None, "the viewer's end")


@test
def tigervnc():
    """tigervnc-viewer"""
    viewer = need("xtigervncviewer", "tigervnc-viewer")
    with Server() as x, Screen() as g:
        with Program(x, viewer, "-SecurityTypes", "None", "127.0.0.1::%d" % g.port) as program:
            follow(x, g, program)


@test
def gvncviewer():
    """gvncviewer, which scales the screen into a window that it leaves as it is"""
    viewer = need("gvncviewer", "gvncviewer")
    with Server() as x, Screen() as g:
        with Program(x, viewer, "127.0.0.1:%d" % (g.port - 5900)) as program:
            follow(x, g, program, grows=False)


main()
