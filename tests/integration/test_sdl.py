# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-sdl: a guest's window on an X server without a screen."""

import os
import signal
import time

from fakexen import Guest
from helpers import until, vga_text, wake_ups
from screen import BLUE, GREEN, RED, Screen, check_sandbox, children
from tap import equal, main, test
from uhci import Uhci
from x11 import Server

GRABS, RELEASES = "Ctrl+Alt+G grabs", "Ctrl+Alt+G releases"
ACK = 0xFA


class Desktop:
    """An X server, and the environment in which a device model finds it."""

    def __init__(self, **size):
        self.size = size

    def __enter__(self):
        self.server = Server(**self.size)
        self.before = {k: os.environ.get(k) for k in ("DISPLAY", "XAUTHORITY")}
        os.environ["DISPLAY"] = self.server.display
        os.environ.pop("XAUTHORITY", None)
        return self.server

    def __exit__(self, *_):
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.server.__exit__()


def screen(args=(), **more):
    return Screen(vnc="none", args=["-display", "sdl"] + list(args), **more)


def shows(x, window, at, colour, timeout=10):
    until(lambda: x.pixel(window, *at) == colour,
          "%r is not %06x at %r" % (x.size(window), colour, at), timeout)


def mouse(g):
    """The mouse reports, and what came before is away."""
    g.outb(0x64, 0xA8)
    g.outb(0x64, 0xD4)
    g.outb(0x60, 0xF4)
    packet(g, 1)
    return g


def packet(g, count=3, timeout=5.0):
    """The next bytes of the mouse."""
    out, end = [], time.monotonic() + timeout
    while len(out) < count and time.monotonic() < end:
        status = g.inb(0x64)
        if status & 1:
            byte = g.inb(0x60)
            if status & 0x20:
                out.append(byte)
    return out


@test
def picture():
    """the window shows the guest's screen and its name; what is drawn later comes too"""
    with Desktop() as x, screen() as g:
        g.fill(BLUE, 0, 0, 640, 240)
        window = x.find("guest - " + GRABS)
        until(lambda: x.size(window) == (640, 480), "its size")
        shows(x, window, (0, 0), BLUE)
        shows(x, window, (639, 239), BLUE)
        shows(x, window, (0, 240), 0)
        g.fill(RED, 10, 300, 5, 5)
        shows(x, window, (14, 304), RED)
        equal(x.pixel(window, 15, 304), 0)


@test
def same_as_screenshot():
    """a text screen: the window's pixels are those of a screenshot"""
    with Desktop() as x, Guest(vga="std", args=["-display", "sdl"]) as g:
        text_mode(g)
        window = x.find("guest - ")
        file = os.path.join(g.dir, "screen.ppm")
        until(lambda: x.size(window) == (720, 400), "its size is %r" % (x.size(window),))

        def same():
            g.qmp("screendump", {"filename": file})
            want = open(file, "rb").read()[-720 * 400 * 3:]
            rows = x.picture(window)[2]
            got = b"".join(rows)
            red, green, blue = got[2::4], got[1::4], got[0::4]
            return (red, green, blue) == (want[0::3], want[1::3], want[2::3]) and any(red)
        until(same, "the two differ")


def text_mode(g):
    """80 x 25 characters of 9 x 16, a font of bars, and a text in red on blue."""
    vga_text(g)
    registers = {0x3C4: (0x03, 0x00, 0x03, 0x00, 0x02),
                 0x3D4: (0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0, 0x4F, 0x20, 0, 0, 0, 0,
                         0, 0x9C, 0x0E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF),
                 0x3CE: (0, 0, 0, 0, 0, 0x10, 0x0E, 0x0F, 0xFF)}
    g.outw(0x3D4, 0x0011)
    for port, values in registers.items():
        for index, value in enumerate(values):
            g.outw(port, index | value << 8)
    g.inb(0x3DA)
    for index in range(16):
        g.outb(0x3C0, index)
        g.outb(0x3C0, index)
    for index, value in ((0x10, 0x0C), (0x11, 0), (0x12, 0x0F), (0x13, 0x08), (0x14, 0)):
        g.outb(0x3C0, index)
        g.outb(0x3C0, value)
    g.outb(0x3C6, 0xFF)
    g.outb(0x3C8, 0)
    for colour in ((0, 0, 0), (0, 0, 63), (0, 63, 0), (0, 63, 63), (63, 0, 0)):
        for part in colour:
            g.outb(0x3C9, part)
    # The font lies in plane 2.
    for pair in ((0x3C4, 0x0402), (0x3C4, 0x0704), (0x3CE, 0x0005), (0x3CE, 0x0406)):
        g.outw(*pair)
    g.write(0xA0000 + 32 * 0x41, bytes([0xAA, 0x0F] * 8))
    for pair in ((0x3C4, 0x0302), (0x3C4, 0x0304), (0x3CE, 0x1005), (0x3CE, 0x0E06)):
        g.outw(*pair)
    g.write(0xB8000, b"\x41\x14" * 2000)
    g.inb(0x3DA)
    g.outb(0x3C0, 0x20)


@test
def keys():
    """typed keys reach the keyboard controller by their place; a key held down when the focus goes is let go"""
    with Desktop() as x, screen() as g:
        g.keyboard()
        window = x.find("guest - ")
        x.focus(window)
        shown = lambda: x.key("a") or g.scancodes(2, 0.5) == [0x1E, 0x9E]
        until(shown, "no key comes")
        for name, codes in (("Up", [0xE0, 0x48, 0xE0, 0xC8]), ("Super_R", [0xE0, 0x5C, 0xE0, 0xDC]),
                            ("less", [0x56, 0xD6]), ("KP_Enter", [0xE0, 0x1C, 0xE0, 0x9C]),
                            ("F12", [0x58, 0xD8])):
            x.key(name)
            equal(g.scancodes(len(codes)), codes, name)
        x.key("Shift_R", True)
        equal(g.scancodes(1), [0x36])
        x.focus(x.root)
        equal(g.scancodes(1), [0xB6])
        x.key("Shift_R", False)
        equal(g.scancodes(1, 0.3), [], "a second release")


@test
def mode_change():
    """the window follows the guest's mode; when it was sized by hand it stays, and the screen is scaled into it"""
    with Desktop() as x, screen() as g:
        window = x.find("guest - ")
        x.to_corner(window)
        g.mode(800, 600)
        g.fill(GREEN, 0, 0, 800, 600)
        until(lambda: x.size(window) == (800, 600), "its size")
        shows(x, window, (799, 599), GREEN)
        x.resize(window, 1000, 600)
        shows(x, window, (99, 300), 0)
        shows(x, window, (101, 300), GREEN)
        shows(x, window, (898, 599), GREEN)
        shows(x, window, (901, 0), 0)
        g.mode(640, 480)
        g.fill(RED, 0, 0, 640, 480)
        shows(x, window, (500, 300), RED)
        equal(x.size(window), (1000, 600))
        x.focus(window)
        hot_key(x, "u")
        until(lambda: x.size(window) == (640, 480), "Ctrl+Alt+U does not fit the window")
        shows(x, window, (639, 479), RED)


def hot_key(x, letter):
    for key, down in (("Control_L", 1), ("Alt_L", 1), (letter, 1), (letter, 0), ("Alt_L", 0),
                      ("Control_L", 0)):
        x.key(key, down)


@test
def full_screen():
    """Ctrl+Alt+F asks the window manager; the screen is then as large as it fits, with bars; and back"""
    with Desktop() as x, screen() as g:
        g.fill(GREEN, 0, 0, 640, 480)
        window = x.find("guest - ")
        x.to_corner(window)
        x.focus(window)
        shows(x, window, (639, 479), GREEN)
        hot_key(x, "f")
        equal(x.full_screen_wish(window), True)
        x.resize(window, 1280, 1024)
        shows(x, window, (0, 33), GREEN)
        shows(x, window, (1279, 990), GREEN)
        equal((x.pixel(window, 640, 30), x.pixel(window, 640, 993)), (0, 0), "the bars")
        hot_key(x, "f")
        equal(x.full_screen_wish(window), False)
        x.resize(window, 640, 480)
        shows(x, window, (639, 479), GREEN)


@test
def larger_than_the_desktop():
    """a screen that does not fit is scaled down"""
    with Desktop(width=640, height=400) as x, screen() as g:
        window = x.find("guest - ")
        x.to_corner(window)
        g.mode(1280, 1024)
        g.fill(GREEN, 0, 0, 1280, 1024)
        until(lambda: x.size(window) == (500, 400), "its size is %r" % (x.size(window),))
        shows(x, window, (250, 200), GREEN)


@test
def grab():
    """a click grabs the pointer, movements and buttons and wheel are the guest's; Ctrl+Alt+G releases"""
    with Desktop() as x, screen() as g:
        g.keyboard()
        mouse(g)
        window = x.find(GRABS)
        x.focus(window)
        x.point(window, 300, 200)
        x.move(5, 5)
        equal(packet(g, 3, 0.5), [], "a movement before the grab")
        x.button(1)
        x.find(RELEASES)
        equal(packet(g, 3, 0.5), [], "the click that grabs")
        x.move(7, 4)
        moved, end = [0, 0], time.monotonic() + 10
        while moved != [7, -4] and time.monotonic() < end:
            got = packet(g, 3, 1)
            if got:
                moved[0] += got[1] - 256 * (got[0] >> 4 & 1)
                moved[1] += got[2] - 256 * (got[0] >> 5 & 1)
        equal(moved, [7, -4])
        x.button(3, True)
        equal(packet(g)[0] & 7, 2)
        x.button(3, False)
        equal(packet(g)[0] & 7, 0)
        for key, down in (("Control_L", 1), ("Alt_L", 1), ("g", 1)):
            x.key(key, down)
        x.find(GRABS)
        for key in ("g", "Alt_L", "Control_L"):
            x.key(key, False)
        equal(sorted(g.scancodes(4)), [0x1D, 0x38, 0x9D, 0xB8], "Ctrl and Alt, down and up")
        equal(g.scancodes(1, 0.3), [], "the hot key")
        x.move(9, 9)
        equal(packet(g, 3, 0.5), [], "a movement after the grab")


@test
def tablet():
    """a pointer that takes positions needs no grab: corners, buttons and wheel, in a scaled window too"""
    with Desktop() as x, screen(["-usb", "-usbdevice", "tablet"]) as g:
        window = x.find(GRABS)
        x.to_corner(window)
        x.focus(window)
        until(lambda: x.size(window) == (640, 480), "its size")
        u = Uhci(g)
        u.reset_port()
        u.enumerate()

        def reports(want, act):
            """Positions may come in steps; the last report counts."""
            act()

            def come():
                u.ask()
                return u.report() == want
            until(come, "no report %r" % want)
        x.point(window, 320, 240)
        far = bytes((0, 0xFF, 0x7F, 0xFF, 0x7F, 0))
        reports(far, lambda: (x.point(window, 5, 5), x.point(window, 639, 479)))
        reports(b"\x01" + far[1:], lambda: x.button(1, True))
        reports(far, lambda: x.button(1, False))
        reports(far[:5] + b"\x01", lambda: x.button(4))
        reports(far[:5] + b"\xff", lambda: x.button(5))
        assert RELEASES not in x.title(window), "a click has grabbed"


@test
def close_button():
    """it asks the guest's drivers to power off and tells QMP; the guest and the window stay"""
    with Desktop() as x, screen() as g:
        window = x.find("guest - ")
        g.monitor().close()
        m = g.monitor()
        x.close(window)
        until(lambda: "no driver of the guest can be asked" in g.log(), "no line in the log")
        equal(g.xs("/local/domain/1/control/shutdown") or "", "")
        g.cmd("x-xs-write /local/domain/1/control/feature-poweroff 1")
        x.close(window)
        until(lambda: g.xs("/local/domain/1/control/shutdown") == "poweroff", "it is not asked")
        m.call("query-status")
        equal([e["event"] for e in m.events], ["POWERDOWN", "POWERDOWN"])
        equal(g.qmp("query-status")["status"], "running")
        g.fill(RED, 0, 0, 640, 480)
        shows(x, window, (5, 5), RED)
        m.close()


@test
def restarted():
    """when it is killed, its window comes back; the guest does not notice"""
    with Desktop() as x, screen() as g:
        g.fill(GREEN, 0, 0, 640, 480)
        first = x.find("guest - ")
        shows(x, first, (0, 0), GREEN)
        before = g.processes()[1]
        os.kill(before, signal.SIGKILL)
        until(lambda: x.attributes(first) is None, "the window stays")
        equal(g.cfg(0, 0, 0), 0x12378086)
        shows(x, x.find("guest - "), (320, 240), GREEN)
        assert g.processes()[1] != before
        assert "was ended by signal 9; it is started again" in g.log(), g.log()
        equal(g.status()[0], "running")


@test
def lamps():
    """the title shows the lamps that the guest has lit"""
    with Desktop() as x, screen() as g:
        g.keyboard()
        x.find("guest - ")
        for lit, title in ((4, "guest [Caps] - "), (3, "guest [Num] [Scroll] - "), (0, "guest - ")):
            for byte in (0xED, lit):
                g.outb(0x60, byte)
                equal(g.scancodes(1), [ACK])
            x.find(title)


@test
def cve_2015_2152_nothing_unasked():
    """a display is there, but the guest is to have no window: no program is started, nothing is shown"""
    for args in ((), ("-display", "sdl", "-display", "none"), ("-sdl", "-nographic")):
        with Desktop() as x, Screen(vnc="none", args=args) as g:
            time.sleep(0.5)
            equal(children(g.pid), [])
            equal(x.windows(), [])
    with Desktop() as x, Screen(vnc="none", args=["-sdl"]) as g:
        x.find("guest - ")


@test
def without_display():
    """no DISPLAY, or one that cannot be opened: a line in the log says it, and the guest runs"""
    saved = os.environ.pop("DISPLAY", None)
    try:
        with screen() as g:
            assert "-display sdl: DISPLAY is not set" in g.log(), g.log()
            equal(g.cfg(0, 0, 0), 0x12378086)
        os.environ["DISPLAY"] = ":7777"
        with screen() as g:
            until(lambda: "the guest goes on without a window" in g.log(), g.log())
            assert "no display can be opened (DISPLAY is :7777)" in g.log(), g.log()
            pid = g.processes()[1]
            time.sleep(0.5)
            equal(g.processes()[1], pid, "its process, which is not started again and again")
            equal(g.qmp("query-status")["status"], "running")
    finally:
        os.environ.pop("DISPLAY", None)
        if saved is not None:
            os.environ["DISPLAY"] = saved


@test
def sandbox():
    """another user, no new privileges, a filter, no descriptor of the guest; idle, it is never woken"""
    with Desktop() as x, screen() as g:
        g.fill(GREEN, 0, 0, 640, 480)
        shows(x, x.find("guest - "), (0, 0), GREEN)
        pid = g.processes()[1]
        check_sandbox(g, pid, ("socket:",))
        time.sleep(1)
        before = wake_ups(pid, involuntary=True)
        time.sleep(2)
        woken = wake_ups(pid, involuntary=True) - before
        assert woken <= 3, "%d wake-ups in two seconds of a static screen" % woken


main()
