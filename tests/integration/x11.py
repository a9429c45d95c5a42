# SPDX-License-Identifier: GPL-2.0-or-later
"""An X server without a screen for the tests of windows, and what a user does there: looks at
windows, types, points, and closes them. libX11 and libXtst are called directly."""

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import tempfile
import time

from tap import Skip

UL = ctypes.c_ulong
INT = ctypes.c_int
PTR = ctypes.c_void_p
Z_PIXMAP, CLIENT_MESSAGE = 2, 33
STRUCTURE_MASK = 0x080000  # SubstructureNotify: programs talk to a window manager so


class Image(ctypes.Structure):
    """The beginning of XImage."""
    _fields_ = [("width", INT), ("height", INT), ("xoffset", INT), ("format", INT), ("data", PTR),
                ("byte_order", INT), ("bitmap_unit", INT), ("bitmap_bit_order", INT),
                ("bitmap_pad", INT), ("depth", INT), ("bytes_per_line", INT),
                ("bits_per_pixel", INT)]


class Attributes(ctypes.Structure):
    """XWindowAttributes."""
    _fields_ = [("x", INT), ("y", INT), ("width", INT), ("height", INT), ("border", INT),
                ("depth", INT), ("visual", PTR), ("root", UL), ("window_class", INT),
                ("bit_gravity", INT), ("win_gravity", INT), ("backing_store", INT),
                ("planes", UL), ("pixel", UL), ("save_under", INT), ("colormap", UL),
                ("installed", INT), ("map_state", INT), ("all_masks", ctypes.c_long),
                ("your_mask", ctypes.c_long), ("no_propagate", ctypes.c_long),
                ("override_redirect", INT), ("screen", PTR)]


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, as long as XEvent."""
    _fields_ = [("type", INT), ("serial", UL), ("send_event", INT), ("display", PTR),
                ("window", UL), ("message_type", UL), ("format", INT), ("data", UL * 5),
                ("rest", UL * 12)]


HANDLER = ctypes.CFUNCTYPE(INT, PTR, PTR)
# A window may go while it is looked at; that is no reason to end.
_ignore = HANDLER(lambda display, event: 0)


def _load(name, package):
    path = ctypes.util.find_library(name)
    if not path:
        raise Skip("needs lib%s (package %s)" % (name, package))
    return ctypes.CDLL(path)


def need(program, package):
    """The program's path; without it the test is skipped."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/games")
    if not path:
        raise Skip("needs %s (package %s)" % (program, package))
    return path


class Server:
    """Xvfb, with `.display` to be put into DISPLAY."""

    def __init__(self, width=1280, height=1024):
        xvfb = need("Xvfb", "xvfb")
        self.x, self.xtst = _load("X11", "libx11-6"), _load("Xtst", "libxtst6")
        self._declare()
        ours, theirs = os.pipe()
        self.log = tempfile.TemporaryFile()
        self.server = subprocess.Popen(
            [xvfb, "-displayfd", str(theirs), "-screen", "0", "%dx%dx24" % (width, height),
             "-nolisten", "tcp", "-noreset"], pass_fds=(theirs,), stdout=self.log, stderr=self.log)
        os.close(theirs)
        with os.fdopen(ours) as f:
            self.display = ":" + f.readline().strip()
        assert self.display != ":", self._said()
        self.x.XSetErrorHandler(_ignore)
        self.connection = self.x.XOpenDisplay(self.display.encode())
        assert self.connection, "cannot connect to " + self.display
        self.root = self.x.XDefaultRootWindow(self.connection)
        self.x.XSelectInput(self.connection, self.root, STRUCTURE_MASK)

    def _declare(self):
        for name, result, *arguments in (
                ("XOpenDisplay", PTR, ctypes.c_char_p), ("XDefaultRootWindow", UL, PTR),
                ("XCloseDisplay", INT, PTR), ("XSetErrorHandler", PTR, HANDLER),
                ("XQueryTree", INT, PTR, UL, PTR, PTR, PTR, PTR), ("XFree", INT, PTR),
                ("XFetchName", INT, PTR, UL, PTR), ("XDestroyImage", INT, PTR),
                ("XGetImage", ctypes.POINTER(Image), PTR, UL, INT, INT, ctypes.c_uint,
                 ctypes.c_uint, UL, INT),
                ("XGetWindowAttributes", INT, PTR, UL, PTR), ("XSync", INT, PTR, INT),
                ("XInternAtom", UL, PTR, ctypes.c_char_p, INT),
                ("XSendEvent", INT, PTR, UL, INT, ctypes.c_long, PTR),
                ("XSetInputFocus", INT, PTR, UL, INT, UL), ("XRaiseWindow", INT, PTR, UL),
                ("XMoveWindow", INT, PTR, UL, INT, INT), ("XPending", INT, PTR),
                ("XSelectInput", INT, PTR, UL, ctypes.c_long), ("XNextEvent", INT, PTR, PTR),
                ("XResizeWindow", INT, PTR, UL, ctypes.c_uint, ctypes.c_uint),
                ("XStringToKeysym", UL, ctypes.c_char_p),
                ("XKeysymToKeycode", ctypes.c_ubyte, PTR, UL),
                ("XTranslateCoordinates", INT, PTR, UL, UL, INT, INT, PTR, PTR, PTR)):
            function = getattr(self.x, name)
            function.restype, function.argtypes = result, arguments
        for name, arguments in (("XTestFakeKeyEvent", (PTR, ctypes.c_uint, INT, UL)),
                                ("XTestFakeButtonEvent", (PTR, ctypes.c_uint, INT, UL)),
                                ("XTestFakeMotionEvent", (PTR, INT, INT, INT, UL)),
                                ("XTestFakeRelativeMotionEvent", (PTR, INT, INT, UL))):
            getattr(self.xtst, name).argtypes = arguments

    def _said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.x.XCloseDisplay(self.connection)
        self.server.kill()
        self.server.wait()
        self.log.close()

    def sync(self):
        self.x.XSync(self.connection, 0)

    # -- windows -------------------------------------------------------------------------------------

    def attributes(self, window):
        """None when it is gone."""
        a = Attributes()
        return a if self.x.XGetWindowAttributes(self.connection, window, ctypes.byref(a)) else None

    def title(self, window):
        name = ctypes.c_char_p()
        self.x.XFetchName(self.connection, window, ctypes.byref(name))
        text = (name.value or b"").decode(errors="replace")
        if name.value is not None:
            self.x.XFree(name)
        return text

    def windows(self, parent=None):
        """All that can be seen, with their titles: [(id, title)], the outer ones first."""
        root, up, count = UL(), UL(), ctypes.c_uint()
        children, found = ctypes.POINTER(UL)(), []
        if not self.x.XQueryTree(self.connection, parent or self.root, ctypes.byref(root),
                                 ctypes.byref(up), ctypes.byref(children), ctypes.byref(count)):
            return found
        for window in [children[i] for i in range(count.value)]:
            a = self.attributes(window)
            if a and a.map_state == 2:
                found.append((window, self.title(window)))
                found += self.windows(window)
        if children:
            self.x.XFree(children)
        return found

    def find(self, part, timeout=20):
        """The first window with this in its title."""
        end = time.monotonic() + timeout
        while True:
            for window, title in self.windows():
                if part in title:
                    return window
            assert time.monotonic() < end, "no window %r: %r" % (part, self.windows())
            time.sleep(0.05)

    def size(self, window):
        a = self.attributes(window)
        return (a.width, a.height) if a else None

    def picture(self, window):
        """(width, height, rows of 0x00RRGGBB as bytes of little-endian words)."""
        a = self.attributes(window)
        image = self.x.XGetImage(self.connection, window, 0, 0, a.width, a.height, 0xFFFFFFFF,
                                 Z_PIXMAP) if a else None
        if not image:
            return 0, 0, []
        one = image.contents
        data = bytearray(ctypes.string_at(one.data, one.bytes_per_line * one.height))
        data[3::4] = bytes(len(data) // 4)  # whatever the server keeps there
        rows = [data[y * one.bytes_per_line:y * one.bytes_per_line + 4 * one.width]
                for y in range(one.height)]
        size = one.width, one.height
        self.x.XDestroyImage(image)
        return size + (rows,)

    def pixel(self, window, x, y):
        width, height, rows = self.picture(window)
        if x >= width or y >= height:
            return None
        return int.from_bytes(rows[y][4 * x:4 * x + 3], "little")

    # -- what a user and a window manager do ------------------------------------------------------------

    def focus(self, window):
        self.x.XRaiseWindow(self.connection, window)
        self.x.XSetInputFocus(self.connection, window, 1, 0)
        self.sync()

    def resize(self, window, width, height):
        self.x.XResizeWindow(self.connection, window, width, height)
        self.sync()

    def to_corner(self, window):
        """Nobody places windows here, and what is off the screen has no picture."""
        self.x.XMoveWindow(self.connection, window, 0, 0)
        self.sync()

    def full_screen_wish(self, window, timeout=20):
        """What a program asks a window manager for: True, or False for a window of its own size."""
        end = time.monotonic() + timeout
        event = ClientMessage()
        while time.monotonic() < end:
            while self.x.XPending(self.connection):
                self.x.XNextEvent(self.connection, ctypes.byref(event))
                if (event.type == CLIENT_MESSAGE and event.window == window and
                        event.message_type == self._atom("_NET_WM_STATE") and
                        event.data[1] == self._atom("_NET_WM_STATE_FULLSCREEN")):
                    return event.data[0] == 1
            time.sleep(0.02)
        raise AssertionError("no wish")

    def _atom(self, name):
        return self.x.XInternAtom(self.connection, name.encode(), 0)

    def close(self, window):
        """The close button."""
        event = ClientMessage(CLIENT_MESSAGE, 0, 1, self.connection, window, self._atom("WM_PROTOCOLS"), 32)
        event.data[0] = self._atom("WM_DELETE_WINDOW")
        self.x.XSendEvent(self.connection, window, 0, 0, ctypes.byref(event))
        self.sync()

    def key(self, name, down=None):
        """Presses and releases a key, or does one of the two."""
        code = self.x.XKeysymToKeycode(self.connection, self.x.XStringToKeysym(name.encode()))
        assert code, "no key " + name
        for way in (1, 0) if down is None else (int(down),):
            self.xtst.XTestFakeKeyEvent(self.connection, code, way, 0)
        self.sync()

    def button(self, number, down=None):
        for way in (1, 0) if down is None else (int(down),):
            self.xtst.XTestFakeButtonEvent(self.connection, number, way, 0)
        self.sync()

    def point(self, window, x, y):
        """Moves the pointer to a place in the window."""
        rx, ry, child = INT(), INT(), UL()
        self.x.XTranslateCoordinates(self.connection, window, self.root, x, y, ctypes.byref(rx),
                                     ctypes.byref(ry), ctypes.byref(child))
        self.xtst.XTestFakeMotionEvent(self.connection, 0, rx.value, ry.value, 0)
        self.sync()

    def move(self, dx, dy):
        self.xtst.XTestFakeRelativeMotionEvent(self.connection, dx, dy, 0)
        self.sync()
