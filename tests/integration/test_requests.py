# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules of the ioreq interface that a guest, or a broken hypervisor, can put to the test."""

import signal
import time

from fakexen import COPY, PCI, PIO, Guest
from helpers import (Image, cmos_read, cmos_write, command, firmware, identify, select,
                     vga_linear, vga_text)
from tap import equal, main, test


@test
def all_vcpus():
    """128 vCPUs are answered, one by one and all at once"""
    with Guest(vcpus=128) as g:
        server = [s for s in g.state() if s["kind"] == "server"][0]
        equal((server["bound-vcpus"], server["bound-ring"]), (128, 1), "bound channels")
        for vcpu in (0, 1, 63, 127):
            equal(g.ioreq(vcpu=vcpu, type=PCI, addr=0, size=4), 0x12378086)
        equal(g.bench(20, vcpus=128, type=PCI, addr=0, size=4)["data"], 0x12378086)


@test
def spurious_events():
    """an event without a request changes nothing"""
    with Guest(vcpus=2) as g:
        for vcpu in (0, 1):
            for _ in range(10):
                g.x("event", vcpu=vcpu)
        for _ in range(10):
            g.x("event", ring=1)
        equal(g.ioreq(type=PCI, addr=0, size=4), 0x12378086)
        assert "state=0 " in g.x("slot", vcpu=1)


@test
def ring_before_any_vcpu():
    """the ring is drained before a request of any vCPU"""
    with Guest(vcpus=4) as g:
        vga_text(g)
        for i in range(40):
            g.x("ring", addr=0xB8000, size=2, data=0x0700 + i, notify=0)
            equal(g.ioreq(vcpu=i % 4, type=COPY, addr=0xB8000, size=2) & 0xFFFF, 0x0700 + i)


@test
def all_sizes():
    """window accesses of 1, 2, 4 and 8 bytes"""
    with Guest() as g:
        vga_linear(g)
        g.writeq(0xA0100, 0x8877665544332211)
        equal(g.readb(0xA0107), 0x88)
        equal(g.readw(0xA0102), 0x4433)
        equal(g.readl(0xA0103), 0x77665544)
        equal(g.readq(0xA0100), 0x8877665544332211)
        g.ioreq(type=COPY, dir="out", addr=0xA0100, size=8, data=0x0102030405060708)
        equal(g.readq(0xA0100), 0x0102030405060708)


@test
def junk_above_the_size():
    """bits of a write above its size do not count"""
    with Guest() as g:
        cmos_write(g, 0x40, 0)
        g.outb(0x70, 0x40)
        g.ioreq(type=PIO, dir="out", addr=0x71, size=1, data=0xFFFFFFFFFFFFFF5A)
        equal(cmos_read(g, 0x40), 0x5A)


@test
def pci_strings():
    """rep insl and outsl on configuration data: count > 1 with data_is_ptr"""
    with Guest() as g:
        g.outl(0xCF8, 0x80000000)
        g.memset(0x5000, 64, 0)
        g.x("rep", dir="in", port=0xCFC, size=4, count=8, gpa=0x5000)
        equal(g.read(0x5000, 32), b"\x86\x80\x37\x12" * 8)
        g.memset(0x5000, 64, 0)
        g.x("rep", dir="in", port=0xCFC, size=4, count=4, gpa=0x500C, df=1)
        equal(g.read(0x5000, 20), b"\x86\x80\x37\x12" * 4 + b"\0\0\0\0")
        g.write(0x5000, b"\x01\x02\x03\x04")
        g.outl(0xCF8, 0x80000000 | 9 << 8 | 0x40)
        g.x("rep", dir="out", port=0xCFC, size=1, count=4, gpa=0x5000)
        equal(g.cfg(1, 1, 0x40, 1), 4, "last byte written")
        g.ioreq(type=PCI, dir="out", addr=9 << 32 | 0x42, size=1, count=3, data=0x80)
        equal(g.cfg(1, 1, 0x42, 1), 0x80)
        equal(g.ioreq(type=PCI, addr=0, size=4, count=2) & 0xFFFFFFFF, 0x12378086)


@test
def config_past_the_end():
    """configuration accesses may be unaligned and run past the register file"""
    with Guest() as g:
        g.outl(0xCF8, 0x80000000)
        equal(g.inl(0xCFD) & 0xFFFFFF, 0x123780)
        g.outl(0xCF8, 0x800000FC)
        g.inl(0xCFF)
        g.ioreq(type=PCI, addr=0xFF, size=4)
        g.ioreq(type=PCI, dir="out", addr=0xFF, size=4, data=0)
        g.ioreq(type=PCI, addr=0xFFFFFFFF, size=4)
        equal(g.ioreq(type=PCI, addr=0x00FFFF00 << 32, size=4, server=0) & 0xFFFFFFFF, 0xFFFFFFFF)
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def holes_in_string_data():
    """RAM that is not there supplies ones and swallows data, and the request is completed"""
    with Image() as disk, Guest(disk=disk.path) as g:
        want = identify(g)
        g.x("balloon-out", gfn=0x50, nr=1)
        select(g)
        command(g, 0xEC)
        g.insw(0x1F0, 0x50000, 256)
        equal(g.inb(0x1F7) & 8, 0, "DRQ after the data were swallowed")
        cmos_write(g, 0x40, 0)
        g.outb(0x70, 0x40)
        g.x("ioreq", type=PIO, dir="out", addr=0x71, size=1, count=2, ptr=1, data=0x50000)
        equal(cmos_read(g, 0x40), 0xFF)
        # half of an element in the hole
        select(g)
        command(g, 0xEC)
        g.ioreq(type=PIO, addr=0x1F0, size=2, count=1, ptr=1, data=0x4FFFF)
        equal(g.readb(0x4FFFF), want[0])
        g.ioreq(type=PIO, addr=0x1F0, size=2, count=1, ptr=1, data=0x50FFF)
        equal(g.readb(0x51000), want[3])
        # far beyond any memory
        g.ioreq(type=PIO, addr=0x1F0, size=2, count=1, ptr=1, data=0xFFFFFFFFFFFFFFFF)
        g.ioreq(type=PIO, addr=0x1F0, size=2, count=4, ptr=1, data=0x00FFFFFFFFFFF000)
        g.ioreq(type=PIO, addr=0x1F0, size=2, count=4, ptr=1, df=1, data=2)
        equal(g.inb(0x1F7) & 8, 8, "DRQ")


@test
def one_element_by_pointer():
    """count 1 with data_is_ptr, in both directions"""
    with Guest() as g:
        g.write(0x5000, b"\x00\x66")
        g.outb(0x70, 0x41)
        g.ioreq(type=PIO, dir="out", addr=0x71, size=1, ptr=1, data=0x5001)
        equal(cmos_read(g, 0x41), 0x66)
        g.outb(0x70, 0x41)
        g.ioreq(type=PIO, addr=0x71, size=1, ptr=1, data=0x5FFF)
        equal(g.readb(0x5FFF), 0x66)


@test
def last_value_wins():
    """count > 1 without data_is_ptr: all elements are executed, the last value is the answer"""
    with Image() as disk, Guest(disk=disk.path) as g:
        want = identify(g)
        select(g)
        command(g, 0xEC)
        equal(g.ioreq(type=PIO, addr=0x1F0, size=2, count=5) & 0xFFFF,
              int.from_bytes(want[8:10], "little"))
        equal(g.inw(0x1F0), int.from_bytes(want[10:12], "little"))


@test
def count_zero():
    """count 0 does nothing and is answered"""
    with Guest() as g:
        cmos_write(g, 0x40, 0x12)
        g.outb(0x70, 0x40)
        for ptr in (0, 1):
            g.ioreq(type=PIO, dir="out", addr=0x71, size=1, count=0, ptr=ptr, data=0x5000)
            g.ioreq(type=COPY, dir="out", addr=0xA0000, size=4, count=0, ptr=ptr, data=0x5000)
            g.ioreq(type=PCI, dir="out", addr=9 << 32 | 0x40, size=2, count=0, ptr=ptr)
        equal(cmos_read(g, 0x40), 0x12)


@test
def strange_sizes():
    """sizes that no bus knows get an answer and nothing else"""
    with Guest() as g:
        for size in (0, 3, 5, 6, 7, 16, 0x80000000, 0xFFFFFFFF):
            for kind in (PIO, COPY, PCI):
                for direction in ("in", "out"):
                    for ptr in (0, 1):
                        g.ioreq(type=kind, dir=direction, addr=0x71, size=size, ptr=ptr,
                                data=0x5000, server=0)
        g.ioreq(type=PIO, addr=0xFFFF, size=4, server=0)
        g.ioreq(type=PIO, addr=0x123456789, size=4, server=0)
        g.ioreq(type=COPY, addr=0xFFFFFFFFFFFFFFFC, size=8, server=0)
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def endless_counts():
    """work that one request can ask for is bounded"""
    with Guest() as g:
        for kind, addr in ((PIO, 0x71), (PIO, 0x5E5E), (COPY, 0xA0000), (PCI, 0)):
            for ptr in (0, 1):
                for df in (0, 1):
                    for direction in ("in", "out"):
                        g.ioreq(type=kind, dir=direction, addr=addr, size=4 if kind == PCI else 1,
                                count=0xFFFFFFFF, ptr=ptr, df=df, data=0x100000, server=0)
        equal(g.status()[0], "running")
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def unknown_types():
    """types that nobody knows are answered, the process lives"""
    with Guest() as g:
        for kind in (3, 4, 5, 6, 7, 9, 15, 128, 255):
            for direction in ("in", "out"):
                g.ioreq(type=kind, dir=direction, addr=0x1234, size=4, data=5, server=0)
        equal(g.cfg(0, 0, 0), 0x12378086)
        assert len(g.log().splitlines()) < 40, "log flood"


@test
def movs_both_ways():
    """rep movs between RAM and the VGA window, upwards and downwards"""
    with Guest() as g:
        vga_linear(g)
        data = bytes((i * 31 + 7) & 0xFF for i in range(8192))
        g.write(0x20000, data)
        g.x("movs", dir="out", mmio=0xA0000, size=4, count=2048, gpa=0x20000)
        equal(g.read(0xA0000, 8192), data)
        g.memset(0x30000, 8192, 0)
        g.x("movs", dir="in", mmio=0xA0000, size=2, count=4096, gpa=0x30000)
        equal(g.read(0x30000, 8192), data)
        g.memset(0x30000, 8192, 0)
        g.x("movs", dir="in", mmio=0xA1FFE, size=2, count=4096, gpa=0x31FFE, df=1)
        equal(g.read(0x30000, 8192), data)
        g.memset(0xA0000, 8192, 0)
        g.x("movs", dir="out", mmio=0xA1FF8, size=8, count=1024, gpa=0x21FF8, df=1)
        equal(g.read(0xA0000, 8192), data)
        g.memset(0xA0000, 64, 0)
        g.x("stos", mmio=0xA0010, size=2, count=4, data=0x1234, df=1)
        equal(g.read(0xA0008, 12), b"\0\0" + b"\x34\x12" * 4 + b"\0\0")


@test
def batch_over_two_devices():
    """elements are looked up one by one: a batch may run over the end of a device"""
    with Guest() as g:
        vga_linear(g)  # a0000-affff decodes, b0000 does not
        g.memset(0xAFF00, 0x100, 0)
        g.ioreq(type=COPY, dir="out", addr=0xAFFF8, size=4, count=4, data=0x01010101)
        equal(g.readq(0xAFFF8), 0x0101010101010101)
        # over the end of the window: what is behind it reads ones
        g.ioreq(type=COPY, addr=0xBFFFC, size=4, count=8, ptr=1, data=0x5000, server=0)
        equal(g.readl(0x5004), 0xFFFFFFFF)


@test
def nothing_but_the_answer():
    """an answer changes state and data only, and data only of plain reads"""
    with Guest() as g:
        def slot(**args):
            g.ioreq(**args)
            return dict(word.split("=") for word in g.x("slot").split())

        want = {"type": "0", "df": "1", "addr": "0x71", "count": "3", "size": "1", "state": "0"}
        got = slot(type=PIO, dir="out", addr=0x71, size=1, count=3, df=1, data=0x1234567)
        equal(got, dict(want, dir="0", ptr="0", data="0x1234567", port=got["port"]))
        got = slot(type=PIO, dir="in", addr=0x71, size=1, count=3, df=1, ptr=1, data=0x5010)
        equal(got, dict(want, dir="1", ptr="1", data="0x5010", port=got["port"]))


@test
def request_for_what_has_gone():
    """a request that was posted before its range was withdrawn reads ones"""
    with Guest(vcpus=2) as g:
        g.cfg(1, 1, 0x20, 4, 0xC101)
        g.cfg(1, 1, 4, 2, 1)
        equal(g.inb(0xC102) & 0x80, 0)
        time.sleep(0.05)  # until it is asleep, and will look at vCPU 0's slot first
        g.x("signal", signal=signal.SIGSTOP.value)
        g.x("ioreq", vcpu=0, type=PCI, dir="out", addr=9 << 32 | 4, size=2, data=0, post=1)
        g.x("ioreq", vcpu=1, type=PIO, addr=0xC102, size=1, post=1)
        g.x("signal", signal=signal.SIGCONT.value)
        g.x("wait", vcpu=0)
        equal(int(g.x("wait", vcpu=1), 0) & 0xFF, 0xFF)
        assert not any(first <= 0xC102 <= last for first, last in g.ranges("pio"))


@test
def bars_move():
    """moving a BAR over its own old place never overlaps, and ends leave neighbours alone"""
    with Image() as disk, Guest(disk=disk.path) as g:
        g.cfg(1, 1, 4, 2, 1)
        mark = g.mark()
        for base in (0xC100, 0xC110, 0xC100, 0xC0F0, 0xFFE0, 0xC100):
            g.cfg(1, 1, 0x20, 4, base | 1)
            mine = [r for r in g.ranges("pio") if r[0] <= base <= r[1]]
            equal(mine, [(base, base + 15)])
        # on top of other devices and back: nobody gets lost
        g.cfg(1, 1, 0x20, 4, 0x1F1)
        g.cfg(1, 1, 0x20, 4, 0x3F1)
        g.cfg(1, 1, 0x20, 4, 0xC101)
        select(g)
        equal(g.inb(0x1F6) & 0xF0, 0xE0)
        equal(g.inb(0x3FD), 0x60)
        equal(g.inb(0xC102) & 0x80, 0)
        bad = [r for r in g.records(since=mark)
               if r["kind"] in ("map", "unmap") and r["result"]]
        equal(bad, [], "refused calls")


@test
def interrupt_lines():
    """ISA lines move with the device, no INTx pin is touched that belongs to Xen"""
    with Image() as disk, Guest(disk=disk.path) as g:
        g.intercept()
        for _ in range(3):
            select(g)
            g.outb(0x1F7, 0xEC)
            g.poll(0x3F6, 0x88, 0x08)
            g.inb(0x1F7)
            g.x("rep", dir="in", port=0x1F0, size=2, count=256, gpa=0x100000)
        equal(g.irqs, [(14, 1), (14, 0)] * 3)
        g.outw(0x10, 0)
        equal(g.records("intx"), [])
        equal(g.records("msi"), [])


@test
def wide_port_access():
    """a dword at 0xcf8 is the latch, never the reset register"""
    with Guest() as g:
        g.outl(0xCF8, 0x80000600)
        equal(g.records("shutdown"), [])
        equal(g.inl(0xCF8), 0x80000600)


@test
def xen_ranges():
    """what is claimed: the configuration ports, the window, no neighbours, few ranges"""
    with Guest() as g:
        firmware(g)
        pio = g.ranges("pio")

        def covered(port):
            return any(first <= port <= last for first, last in pio)

        for port in (0x60, 0x64, 0x70, 0x71, 0x92, 0xB2, 0xCF8, 0xCFB, 0x1F0, 0x1F7, 0x3F6, 0x170,
                     0x376, 0x3C0, 0x3DA, 0x3F8, 0x3FF, 0x10, 0x13, 0xB004, 0xAFE0, 0xAE00, 0xAF00):
            assert covered(port), "port %#x is not claimed" % port
        for port in (0x5E, 0x5F, 0x1E8, 0x278, 0x378, 0x2F8, 0x300):
            assert not covered(port), "port %#x is claimed" % port
        assert len(pio) < 100
        assert any(first <= 0xA0000 and last >= 0xBFFFF for first, last in g.ranges("mmio"))
        pci = g.ranges("pci")
        devices = {d for first, last in pci for d in range(first, last + 1)}
        for devfn in (0x00, 0x08, 0x09, 0x0B, 0x10, 0x18):
            assert devfn in devices, "function %#x is not registered" % devfn
        bad = [r for r in g.records() if r["kind"] in ("map", "bad") and r["result"]]
        equal(bad, [], "refused calls")


main()
