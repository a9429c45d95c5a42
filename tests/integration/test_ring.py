# SPDX-License-Identifier: GPL-2.0-or-later
"""The buffered ring: order, wrap, full ring, entries that take two slots."""

import signal

from fakexen import TIMEOFFSET, Failed, Guest
from helpers import vga_linear
from tap import equal, main, test


def indexes(g):
    return tuple(int(w.split("=")[1]) for w in g.x("ring-info").split())


@test
def full_ring():
    """511 entries wait while the process sleeps, all are executed in order"""
    with Guest() as g:
        vga_linear(g)
        g.memset(0xA0000, 1024, 0)
        g.inb(0x64)
        g.x("signal", signal=signal.SIGSTOP.value)
        for i in range(511):
            g.x("ring", addr=0xA0000 + i, size=1, data=i * 3 & 0xFF, notify=int(i == 510))
        try:
            g.x("ring", addr=0xA0000, size=1, data=1)
            raise AssertionError("a 512th entry was taken")
        except Failed as e:
            equal(str(e), "ring full")
        g.x("signal", signal=signal.SIGCONT.value)
        equal(g.read(0xA0000, 512), bytes(i * 3 & 0xFF for i in range(511)) + b"\0")
        equal(len(set(indexes(g))), 1, "distinct indexes")


@test
def many_turns():
    """20000 single writes go round the ring many times"""
    with Guest() as g:
        vga_linear(g)
        data = bytes((i * 7 + i // 256) & 0xFF for i in range(4000))
        lines = []
        for i in range(0, 4000, 8):
            lines += ["writeb %#x %#x" % (0xA0000 + i, ~data[i] & 0xFF),
                      "writel %#x %#x" % (0xA0000 + i, int.from_bytes(data[i:i + 4], "little")),
                      "writew %#x %#x" % (0xA0004 + i, int.from_bytes(data[i + 4:i + 6], "little")),
                      "writeb %#x %#x" % (0xA0006 + i, data[i + 6]),
                      "writeb %#x %#x" % (0xA0007 + i, data[i + 7])]
        g.loop(8, lines)
        equal(g.read(0xA0000, 4000), data)
        rd, wr = indexes(g)
        assert rd == wr and rd < 2 * 511, "indexes %d, %d" % (rd, wr)


@test
def qword_over_the_end():
    """an eight-byte entry lies in the last slot and the first"""
    with Guest() as g:
        vga_linear(g)
        g.inb(0x64)
        for index in (510, 509, 1021, 5109, 0xFFFFFE00 - 0xFFFFFE00 % 511 + 510):
            g.x("ring-info", index=index)
            g.x("ring", addr=0xA0010, size=8, data=0x1122334455667788 + index)
            equal(g.readq(0xA0010), 0x1122334455667788 + index, "with index %d" % index)
            g.x("ring", addr=0xA0018, size=1, data=0x5A)
            equal(g.readb(0xA0018), 0x5A)
            rd, wr = indexes(g)
            equal(rd, wr)


@test
def mixed_entries():
    """time offsets between pixels, in order, none lost"""
    with Guest() as g:
        vga_linear(g)
        path = g.xs("/local/domain/1/vm") + "/rtc/timeoffset"
        for i in range(300):
            g.x("ring", addr=0xA0000 + i, size=1, data=i & 0xFF, notify=0)
            if i % 10 == 0:
                g.x("timeoffset", seconds=1)
        equal(g.read(0xA0000, 300), bytes(i & 0xFF for i in range(300)))
        equal(g.xs(path), "30")


@test
def strange_entries():
    """entries of other types are dropped, what comes after them is executed"""
    with Guest() as g:
        vga_linear(g)
        for kind in (0, 2, 3, 8, 255):
            g.x("ring", type=kind, addr=0xA0000, size=4, data=0xFFFFFFFF, notify=0)
            g.x("ring", addr=0xA0000, size=1, data=kind & 0x7F)
            equal(g.readb(0xA0000), kind & 0x7F)
        g.x("ring", type=TIMEOFFSET, addr=0, size=4, data=1)  # not eight bytes
        g.x("ring", dir="in", addr=0xA0000, size=4, data=0)
        g.x("ring", addr=0xFFFFF, size=4, data=0)  # outside the window
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def half_a_qword():
    """a lone first half does not stop the service"""
    with Guest() as g:
        vga_linear(g)
        g.inb(0x64)
        g.x("ring", w0=0xA0000 << 12 | 3 << 10 | 1, w1=5)
        equal(g.ioreq(type="pci", addr=0, size=4), 0x12378086)
        equal(g.status()[0], "running")


@test
def no_notification_needed():
    """an entry is executed even when its event is still on the way"""
    with Guest(vcpus=2) as g:
        vga_linear(g)
        for i in range(100):
            g.x("ring", addr=0xA0000, size=1, data=i, notify=i & 1)
            equal(g.readb(0xA0000), i)


main()
