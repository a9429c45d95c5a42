# SPDX-License-Identifier: GPL-2.0-or-later
"""A block front end in Python, and the toolstack's part of a paravirtual disk."""

import struct
import time

from fakexen import fields
from helpers import xs_get, xs_set

READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT = 0, 1, 2, 3, 5, 6
OKAY, ERROR, EOPNOTSUPP = 0, -1, -2
INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED = 1, 2, 3, 4, 5, 6
DEVID = 51712  # xvda

RING_GPA, DATA_GPA = 0x4000000, 0x4100000
RING_REF, DATA_REF = 1, 100


def back_path(g, devid=DEVID):
    return "backend/qdisk/%d/%d" % (g.domid, devid)


def front_path(g, devid=DEVID):
    return "/local/domain/%d/device/vbd/%d" % (g.domid, devid)


def toolstack(params, devid=DEVID, cdrom=False, mode="w", discard=1):
    """For Guest(before=...): what libxl writes for a disk with backendtype=qdisk."""
    def write(g):
        front, back = front_path(g, devid), "/local/domain/0/" + back_path(g, devid)
        kind = "cdrom" if cdrom else "disk"
        for node, value in (("backend", back), ("backend-id", 0), ("virtual-device", devid),
                            ("device-type", kind), ("state", INITIALISING)):
            xs_set(g, "%s/%s" % (front, node), value)
        for node, value in (("frontend", front), ("frontend-id", g.domid), ("online", 1),
                            ("removable", int(cdrom)), ("bootable", 1), ("dev", "xvda"),
                            ("type", "qdisk"), ("mode", mode), ("device-type", kind),
                            ("params", params), ("discard-enable", discard),
                            ("specification", "xen"), ("state", INITIALISING)):
            xs_set(g, "%s/%s" % (back, node), value)
    return write


class Blkfront:
    """One ring. Data pages are numbered; page n is granted with reference DATA_REF + n."""

    def __init__(self, g, devid=DEVID, abi="x86_64-abi", order=0, persistent=False, connect=True):
        self.g, self.devid, self.order, self.persistent = g, devid, order, persistent
        self.wide = abi == "x86_64-abi"
        self.abi = abi
        self.stride = 112 if self.wide else 108
        self.slots = 1
        while self.slots * 2 * self.stride <= (4096 << order) - 64:
            self.slots *= 2
        g.cmd("x-grant ref=%d gfn=%#x count=%d" % (RING_REF, RING_GPA >> 12, 1 << order))
        g.cmd("x-grant ref=%d gfn=%#x count=4096" % (DATA_REF, DATA_GPA >> 12))
        self.port = None
        if connect:
            self.connect()

    # -- handshake -----------------------------------------------------------------------------

    def back(self, node):
        return xs_get(self.g, "%s/%s" % (back_path(self.g, self.devid), node))

    def set(self, node, value):
        xs_set(self.g, "%s/%s" % (front_path(self.g, self.devid), node), value)

    def wait_back(self, state, timeout=15):
        end = time.time() + timeout
        while self.back("state") != str(state):
            if time.time() > end:
                raise AssertionError("the back end is in state %s, not %s; log:\n%s"
                                     % (self.back("state"), state, self.g.log()))
            time.sleep(0.002)

    def publish(self, **other):
        """A ring, and Initialised; `other` replaces nodes of the front end."""
        g = self.g
        self.req_prod = self.rsp_cons = 0
        g.write(RING_GPA, struct.pack("<4I", 0, 1, 0, 1) + bytes((4096 << self.order) - 16))
        self.port = int(g.cmd("x-port-new"))
        if self.order:
            self.set("ring-page-order", self.order)
            for i in range(1 << self.order):
                self.set("ring-ref%d" % i, RING_REF + i)
        else:
            self.set("ring-ref", RING_REF)
        self.set("event-channel", self.port)
        self.set("protocol", self.abi)
        self.set("feature-persistent", int(self.persistent))
        for node, value in other.items():
            self.set(node.replace("_", "-"), value)
        self.set("state", INITIALISED)

    def connect(self):
        self.wait_back(INIT_WAIT)
        self.publish()
        self.wait_back(CONNECTED)
        self.set("state", CONNECTED)

    def disconnect(self):
        self.set("state", CLOSING)
        self.wait_back(CLOSING)
        self.set("state", CLOSED)
        self.wait_back(CLOSED)
        self.g.cmd("x-port-free port=%d" % self.port)

    # -- the ring ------------------------------------------------------------------------------

    def page(self, n):
        return DATA_GPA + n * 4096

    def _put(self, operation, second, ident, sector, rest):
        head = struct.pack("<BBH", operation, second, 0) if isinstance(second, int) else second
        if self.wide:
            head += bytes(4)
        raw = head + struct.pack("<QQ", ident, sector) + rest
        self.g.write(RING_GPA + 64 + self.req_prod % self.slots * self.stride,
                     raw.ljust(self.stride, b"\xee"))
        self.req_prod += 1

    @staticmethod
    def segment(page, first=0, last=7):
        return struct.pack("<IBBH", DATA_REF + page, first, last, 0)

    def put(self, operation, ident, sector=0, segments=(), count=None):
        """A request with segments, each (page) or (page, first, last)."""
        rest = b"".join(self.segment(*(s if isinstance(s, tuple) else (s,))) for s in segments)
        self._put(operation, len(segments) if count is None else count, ident, sector, rest)

    def put_indirect(self, operation, ident, sector, pages, list_page):
        self.g.write(self.page(list_page), b"".join(self.segment(p) for p in pages))
        head = struct.pack("<BBH", INDIRECT, operation, len(pages))
        self._put(INDIRECT, head, ident, sector, struct.pack("<HHI", 0, 0, DATA_REF + list_page))

    def put_discard(self, ident, sector, count):
        self._put(DISCARD, 0, ident, sector, struct.pack("<Q", count))

    def push(self, prod=None):
        value = self.req_prod if prod is None else prod
        self.g.write(RING_GPA, struct.pack("<I", value & 0xFFFFFFFF))
        self.g.cmd("x-port-signal port=%d" % self.port)

    def published(self):
        return struct.unpack("<I", self.g.read(RING_GPA + 8, 4))[0]

    def response(self, timeout=15):
        """The next (id, operation, status)."""
        end = time.time() + timeout
        while self.published() == self.rsp_cons:
            if time.time() > end:
                raise AssertionError("no response; log:\n" + self.g.log())
            time.sleep(0.0005)
        raw = self.g.read(RING_GPA + 64 + self.rsp_cons % self.slots * self.stride, 12)
        self.rsp_cons += 1
        self.g.write(RING_GPA + 12, struct.pack("<I", self.rsp_cons + 1))
        return struct.unpack("<QBxh", raw)

    def run(self, *args, **keys):
        """One request and its status."""
        self.put(*args, **keys)
        self.push()
        return self.response()[2]

    def read(self, sector, pages=1):
        status = self.run(READ, 1, sector, range(pages))
        assert status == OKAY, "read gave %d" % status
        return self.g.read(self.page(0), pages * 4096)

    def write(self, sector, data):
        self.g.write(self.page(0), data)
        return self.run(WRITE, 2, sector, range(len(data) // 4096))

    def mapped(self):
        return fields(self.g.cmd("x-grants"))["mapped"]
