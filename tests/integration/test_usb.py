# SPDX-License-Identifier: GPL-2.0-or-later
"""The USB tablet, mouse and keyboard of the production binary, driven by a schedule in memory."""

import os
import tempfile
import time

from fakexen import Guest
from helpers import wake_ups
from tap import equal, main, test
from uhci import PORTSC, STS, Uhci

TABLET = ("-usb", "-usbdevice", "tablet")


def pointer(g, x, y, button=None):
    events = [{"type": "abs", "data": {"axis": "x", "value": x}},
              {"type": "abs", "data": {"axis": "y", "value": y}}]
    if button:
        events.append({"type": "btn", "data": {"button": button, "down": True}})
    g.qmp("input-send-event", {"events": events})


def key(g, name, down):
    g.qmp("input-send-event", {"events": [
        {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}]})


@test
def tablet():
    """enumerated, asked, and told of a pointer that QMP has moved"""
    with Guest(args=TABLET) as g:
        equal(g.cfg(1, 2, 0), 0x70208086)
        u = Uhci(g)
        equal(u.reset_port() & 5, 5, "connected and enabled")
        equal(u.read(PORTSC + 2) & 1, 0, "the other port is empty")
        device = u.control(0, 0x80, 6, 0x100, 0, 64)
        equal((len(device), device[8:12]), (18, b"\x27\x06\x01\x00"))
        u.enumerate()
        u.ask()
        pointer(g, 0x1234, 0x7FFF, "left")
        equal(u.report(), b"\x01\x34\x12\xff\x7f\x00")
        assert u.read(STS) & 1, "no interrupt"


@test
def keyboard_and_spellings():
    """usbdevice=keyboard with usbversion=1's controller, -device spellings, one device too many"""
    args = ("-device", "piix3-usb-uhci,id=usb", "-device", "usb-kbd", "-device", "usb-tablet",
            "-device", "usb-mouse")
    with Guest(args=args) as g:
        slot = next(s for s in range(2, 32) if g.cfg(s, 0, 0) == 0x70208086)
        equal(g.cfg(1, 2, 0), 0xFFFFFFFF)
        u = Uhci(g, (slot, 0))
        u.enumerate()
        u.ask()
        key(g, "b", True)
        equal(u.report(), b"\0\0\x05\0\0\0\0\0")
        assert "both ports are taken" in g.log(), g.log()


@test
def other_devices_are_named():
    """a USB device that is not built is named in the log; the guest starts"""
    with Guest(args=("-usb", "-usbdevice", "host:1.2")) as g:
        equal(g.cfg(1, 2, 0), 0x70208086)
        assert "USB device host" in g.log(), g.log()


@test
def idle():
    """a tablet that is asked and has nothing to say wakes nobody but twice a second"""
    with Guest(args=TABLET) as g:
        u = Uhci(g)
        u.enumerate()
        u.ask()
        time.sleep(2)
        before = wake_ups(g.pid)
        time.sleep(3)
        rate = (wake_ups(g.pid) - before) / 3
        assert rate < 20, "%.1f wake-ups a second" % rate
        pointer(g, 5, 6)
        begin = time.monotonic()
        equal(u.report(), b"\0\x05\0\x06\0\0")
        assert time.monotonic() - begin < 0.4, "late"


@test
def saved_and_restored():
    """the tablet is configured still, and its transfer goes on"""
    state = tempfile.mktemp()
    try:
        with Guest(args=TABLET) as g:
            u = Uhci(g)
            u.enumerate()
            u.ask()
            pointer(g, 0x100, 0x200)
            equal(u.report(), b"\0\0\x01\0\x02\0")
            g.qmp("stop")
            g.qmp("xen-save-devices-state", {"filename": state, "live": False})
        fd = os.open(state, os.O_RDONLY)
        with Guest(args=TABLET + ("-incoming", "fd:%d" % fd), paused=True, pass_fds=[fd]) as g:
            os.close(fd)
            g.qmp("cont")
            u = Uhci.__new__(Uhci)
            u.g = g
            equal(u.read(PORTSC) & 5, 5)
            frame = u.read(6)
            time.sleep(0.05)
            assert u.read(6) != frame, "the frame counter stands"
    finally:
        os.unlink(state)


main()
