# SPDX-License-Identifier: GPL-2.0-or-later
"""The paravirtual keyboard and pointer: a front end in xenstore, and events caused by QMP."""

import struct
import time

from fakexen import Guest, fields
from helpers import xs_get, xs_set
from tap import equal, main, test

INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED = 1, 2, 3, 4, 5, 6
BACK, FRONT = "/local/domain/0/backend/vkbd/1/0", "/local/domain/1/device/vkbd/0"
PAGE, REF = 0x600000, 40
KEY, POS, MOTION = 3, 4, 1
KEY_A, BTN_LEFT = 30, 0x110


def toolstack(g):
    """What libxl writes for each HVM guest."""
    for node, value in (("backend", BACK), ("backend-id", 0), ("state", INITIALISING)):
        xs_set(g, FRONT + "/" + node, value)
    for node, value in (("frontend", FRONT), ("frontend-id", 1), ("online", 1),
                        ("state", INITIALISING)):
        xs_set(g, BACK + "/" + node, value)


def wait_back(g, state, timeout=10.0):
    end = time.monotonic() + timeout
    while xs_get(g, BACK + "/state") != str(state):
        assert time.monotonic() < end, "back end in state %s" % xs_get(g, BACK + "/state")
        time.sleep(0.005)


class Front:
    """As Linux's driver: its state is Initialised before the back end says InitWait."""

    def __init__(self, g, absolute=True, by_grant=True):
        self.g = g
        g.memset(PAGE, 4096, 0)
        self.port = int(g.x("port-new"), 0)
        if by_grant:
            g.x("grant", ref=REF, gfn=PAGE >> 12)
            xs_set(g, FRONT + "/page-gref", REF)
        xs_set(g, FRONT + "/page-ref", PAGE >> 12)
        xs_set(g, FRONT + "/event-channel", self.port)
        xs_set(g, FRONT + "/request-abs-pointer", int(absolute))
        xs_set(g, FRONT + "/state", INITIALISED)
        wait_back(g, CONNECTED)
        xs_set(g, FRONT + "/state", CONNECTED)
        self.notified = self.count()

    def count(self):
        return fields(self.g.x("port", port=self.port))["notified"]

    def event(self, timeout=5.0):
        end = time.monotonic() + timeout
        while True:
            cons, prod = struct.unpack("<II", self.g.read(PAGE, 8))
            if cons != prod:
                break
            assert time.monotonic() < end, "no event"
            time.sleep(0.005)
        raw = self.g.read(PAGE + 1024 + cons % 51 * 40, 40)
        self.g.writel(PAGE, (cons + 1) & 0xFFFFFFFF)
        self.g.x("port-signal", port=self.port)
        if raw[0] == KEY:
            return (KEY, struct.unpack_from("<I", raw, 4)[0], raw[1])
        return (raw[0],) + struct.unpack_from("<iii", raw, 4)


def send_key(g, name, down):
    g.qmp("input-send-event", {"events": [
        {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}]})


def send_pointer(g, x, y):
    g.qmp("input-send-event", {"events": [
        {"type": "abs", "data": {"axis": "x", "value": x}},
        {"type": "abs", "data": {"axis": "y", "value": y}},
        {"type": "btn", "data": {"button": "left", "down": True}}]})


@test
def features():
    """what the front end reads, and InitWait, so that no guest waits"""
    with Guest(before=toolstack) as g:
        wait_back(g, INIT_WAIT)
        for node, want in (("feature-abs-pointer", "1"), ("feature-raw-pointer", "1"),
                           ("width", "32767"), ("height", "32767")):
            equal(xs_get(g, BACK + "/" + node), want, node)


@test
def keys_and_pointer():
    """by grant, and by frame number as older drivers"""
    for by_grant in (True, False):
        with Guest(before=toolstack) as g:
            wait_back(g, INIT_WAIT)
            f = Front(g, by_grant=by_grant)
            send_key(g, "a", True)
            send_key(g, "a", False)
            equal(f.event(), (KEY, KEY_A, 1))
            equal(f.event(), (KEY, KEY_A, 0))
            send_pointer(g, 0x1234, 0x7FFF)
            equal(f.event(), (POS, 0x1234, 0x7FFF, 0))
            equal(f.event(), (KEY, BTN_LEFT, 1))
            assert f.count() > f.notified, "not notified"


@test
def next_kernel():
    """closed and opened again; in between keys come by the emulated keyboard"""
    with Guest(before=toolstack) as g:
        wait_back(g, INIT_WAIT)
        for _ in range(2):
            f = Front(g)
            send_key(g, "b", True)
            equal(f.event(), (KEY, 48, 1))
            xs_set(g, FRONT + "/state", CLOSING)
            wait_back(g, CLOSING)
            equal(f.event(), (KEY, 48, 0))
            xs_set(g, FRONT + "/state", CLOSED)
            wait_back(g, CLOSED)
            equal(fields(g.x("grants"))["mapped"], 0)
            send_key(g, "c", True)
            g.poll(0x64, 1, 1)
            g.inb(0x60)
            send_key(g, "c", False)
            while g.inb(0x64) & 1:
                g.inb(0x60)
                time.sleep(0.01)
            xs_set(g, FRONT + "/state", INITIALISING)
            wait_back(g, INIT_WAIT)


@test
def restricted():
    """with -xen-domid-restrict it is closed before the guest could wait for it"""
    with Guest(before=toolstack, args=("-xen-domid-restrict",), ready=False) as g:
        wait_back(g, CLOSED)


@test
def none_at_all():
    """vkb_device=0: nothing is made up"""
    with Guest() as g:
        g.qmp("query-status")
        equal(xs_get(g, BACK + "/state"), None)


main()
