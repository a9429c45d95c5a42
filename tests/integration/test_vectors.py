# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance vectors of a Xen device model: one stimulus each through slot or ring."""

from fakexen import PCI, Failed, Guest
from helpers import (DRQ, Image, cdrom, cmos_read, cmos_write, command, firmware, identify,
                     open_files, select, vga_linear, vga_text)
from tap import equal, main, test


@test
def text_cell_through_the_ring():
    """1: a ring entry is executed before the next synchronous request is looked at"""
    with Guest() as g:
        vga_text(g)
        g.x("ring", w0=0xB8000401, w1=0x00000741, notify=0)
        equal(g.readw(0xB8000), 0x0741)


@test
def config_address_latch():
    """2: 0xcf8 reads back"""
    with Guest() as g:
        g.outl(0xCF8, 0x80000000)
        equal(g.inl(0xCF8), 0x80000000)


@test
def config_address_byte_write():
    """3: a byte write to 0xcfb does not disturb the latch"""
    with Guest() as g:
        g.outl(0xCF8, 0x80000000)
        g.outb(0xCFB, 1)
        equal(g.inl(0xCF8), 0x80000000)


@test
def host_bridge():
    """4: id of 00.0"""
    with Guest() as g:
        equal(g.ioreq(type=PCI, addr=0, size=4), 0x12378086)


@test
def isa_bridge():
    """5: id of 01.0"""
    with Guest() as g:
        equal(g.ioreq(type=PCI, addr=8 << 32, size=4), 0x70008086)


@test
def link_route():
    """6: PIRQ route registers reach the hypervisor, also in wider writes"""
    with Guest() as g:
        mark = g.mark()
        g.ioreq(type=PCI, dir="out", addr=8 << 32 | 0x60, size=1, data=5)
        new = g.records("link", mark)
        assert (0, 5) in [(r["link"], r["irq"]) for r in new], new
        assert all(r["in-flight"] == 1 for r in new), "route set after the answer: %r" % new
        g.ioreq(type=PCI, dir="out", addr=8 << 32 | 0x60, size=4, data=0x0B800A05)
        links = {r["link"]: r["irq"] for r in g.state() if r["kind"] == "link"}
        equal(links, {0: 5, 1: 10, 2: 0, 3: 11})


@test
def ide_timing():
    """7: IDE timing registers store"""
    with Guest() as g:
        g.ioreq(type=PCI, dir="out", addr=9 << 32 | 0x40, size=2, data=0x8000)
        equal(g.ioreq(type=PCI, addr=9 << 32 | 0x40, size=2) & 0xFFFF, 0x8000)


@test
def sci_enable():
    """8: 0xf1 to the APM port sets SCI_EN"""
    with Guest() as g:
        firmware(g)
        g.outb(0xB2, 0xF0)
        equal(g.inw(0xB004) & 1, 0)
        g.outb(0xB2, 0xF1)
        equal(g.inw(0xB004) & 1, 1)


def shutdown_before_answer(port, value, size, reason):
    with Guest() as g:
        firmware(g)
        g.ioreq(type="pio", dir="out", addr=port, data=value, size=size)
        got = g.records("shutdown")
        equal([r["reason"] for r in got], [reason], "shutdowns")
        equal((got[0]["in-flight"], got[0]["state"]), (1, 2), "requests in flight, state")
        equal(g.domain()["shut-down"], 1)
        equal(g.status()[0], "running")


@test
def poweroff():
    """9: S5 is a power-off, asked for before the answer"""
    shutdown_before_answer(0xB004, 0x2000, 2, 0)


@test
def reset():
    """10: the reset register is a reboot, asked for before the answer"""
    shutdown_before_answer(0xCF9, 6, 1, 1)


@test
def platform_magic():
    """11: magic and protocol version of the platform device"""
    with Guest() as g:
        equal(g.inw(0x10), 0x49D2)
        equal(g.inb(0x12), 1)


@test
def unplug():
    """12: unplug closes the disk inside the write and leaves the CD-ROM"""
    with Image() as disk, cdrom() as iso, Guest(disk=disk.path, cdrom=iso.path) as g:
        select(g)
        equal(g.inb(0x1F7) & 0x50, 0x50)
        assert disk.path in open_files(g.pid)
        g.outw(0x10, 3)
        assert disk.path not in open_files(g.pid), "image still open"
        g.outb(0x1F6, 0xE0)
        equal(g.inb(0x1F7), 0, "status of the unplugged disk")
        data = identify(g, 0x170, code=0xA1)
        equal(data[1] >> 6, 2, "ATAPI in IDENTIFY PACKET")
        g.outw(0x10, 3)  # drivers repeat it
        equal(g.inb(0x1F7), 0)


@test
def cmos_index_bit_7():
    """13: the NMI bit of the CMOS index is masked"""
    with Guest() as g:
        cmos_write(g, 0x0F, 0x5A)
        equal(cmos_read(g, 0x8F), 0x5A)


@test
def string_over_a_page_end():
    """14: rep insw of a sector over a page end, and with an element that straddles two pages"""
    with Image() as disk, Guest(disk=disk.path) as g:
        want = identify(g)
        for gpa in (0x5FFE, 0x5FFF, 0x5F01):
            g.memset(0x5000, 0x2000, 0xAA)
            select(g)
            command(g, 0xEC)
            g.insw(0x1F0, gpa, 256)
            equal(g.read(gpa, 512), want, "data at %#x" % gpa)
            equal(g.read(gpa - 1, 1) + g.read(gpa + 512, 1), b"\xaa\xaa", "bytes around")
            equal(g.inb(0x1F7) & DRQ, 0, "DRQ")


@test
def string_downwards():
    """15: the same with the direction flag set"""
    with Image() as disk, Guest(disk=disk.path) as g:
        want = identify(g)
        turned = b"".join(want[i:i + 2] for i in range(510, -1, -2))
        for gpa in (0x6000, 0x5FFE, 0x5FFF, 0x61FE):
            g.memset(0x5000, 0x2000, 0xAA)
            select(g)
            command(g, 0xEC)
            g.insw(0x1F0, gpa, 256, df=1)
            equal(g.read(gpa - 510, 512), turned, "data down from %#x" % gpa)
            equal(g.read(gpa + 2, 1) + g.read(gpa - 511, 1), b"\xaa\xaa", "bytes around")


@test
def stos_into_the_window():
    """16: a count without data_is_ptr writes every element"""
    with Guest() as g:
        vga_linear(g)
        g.memset(0xA0000, 8192, 0)
        g.x("stos", mmio=0xA0000, size=4, count=1024, data=0x11223344)
        equal(g.read(0xA0000, 4096), b"\x44\x33\x22\x11" * 1024)
        equal(g.readl(0xA1000), 0)


@test
def invalidate():
    """17: INVALIDATE with count 0 is answered"""
    with Guest(vcpus=2) as g:
        g.x("invalidate")
        g.x("invalidate", vcpu=1)
        equal(g.inb(0x64) & 0xC0, 0)


@test
def time_offset():
    """18: TIMEOFFSET through two ring entries is stored for the next boot"""
    with Guest() as g:
        g.x("timeoffset", seconds=-3600)
        g.inb(0x64)
        path = g.xs("/local/domain/1/vm") + "/rtc/timeoffset"
        equal(g.xs(path), "-3600")
        g.x("timeoffset", seconds=60)
        g.inb(0x64)
        equal(g.xs(path), "-3540", "offset after a second change")


@test
def unknown_port():
    """19: a port of no device reads ones"""
    with Guest() as g:
        equal(g.ioreq(addr=0x5E5E, size=1, server=0) & 0xFF, 0xFF)
        equal(g.ioreq(addr=0x5E5E, size=4, server=0) & 0xFFFFFFFF, 0xFFFFFFFF)
        g.ioreq(dir="out", addr=0x5E5E, size=4, data=1, server=0)


@test
def request_survives_the_process():
    """20: a request that was READY at kill -9 is still there for a successor"""
    with Guest() as g:
        g.x("signal", signal=19)
        g.x("ioreq", addr=0x64, post=1)
        equal(g.kill(), ("killed", 9))
        assert "state=1 " in g.cmd("x-slot server=0")
        try:
            g.x("wait", server=0, timeout=200)
            raise AssertionError("answered by nobody")
        except Failed as e:
            assert "dead" in str(e)
        servers = [s for s in g.state() if s["kind"] == "server"]
        equal([(s["id"], s["enabled"], s["bound-vcpus"]) for s in servers], [(0, 1, 0)])


main()
