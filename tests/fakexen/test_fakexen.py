# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of simulated Xen itself: what is built on it can only be as right as it is."""

import os
import signal
import sys

from fakexen import Failed, Guest
from tap import Skip, equal, main, test

HERE = os.path.dirname(os.path.abspath(__file__))


@test
def libraries():
    """every call of the libraries keeps Xen's rules and error numbers"""
    with Guest(sys.executable, argv=[os.path.join(HERE, "hypercalls.py")], vcpus=2,
               ready=False) as g:
        status = g.status(20)
        log = g.log()
    lines = log.splitlines()
    bad = [line for line in lines if not line.startswith("ok ")]
    assert status == ("exited", 0) and not bad and len(lines) == 9, "%r\n%s" % (status, log)


@test
def restart():
    """the domain outlives its device model, a successor takes the waiting request over"""
    once = 'test -e "$0" && exec "$1" 1 take-over; : >"$0"; exec "$1" 1'
    with Guest("/bin/sh", argv=["-c", once, "{dir}/second",
                                os.path.join(os.environ["FAKEXEN"], "answerer")], vcpus=3) as g:
        g.x("signal", signal=signal.SIGSTOP.value)
        g.x("ioreq", vcpu=2, addr=0x77, post=1)
        equal(g.kill(), ("killed", 9))
        g.start()
        equal(int(g.x("wait", vcpu=2), 0), 0x77)
        equal(g.inb(0x55), 0x55)
        equal(len([s for s in g.state() if s["kind"] == "server"]), 1, "servers")


@test
def death():
    """a request to a dead device model fails with the reason, and a stale slot is found"""
    with Guest("answerer") as g:
        g.kill()
        try:
            g.inb(0x60)
            raise AssertionError("answered")
        except Failed as e:
            assert "dead" in str(e)
        try:
            g.inb(0x60)
            raise AssertionError("answered")
        except Failed as e:
            assert "not idle" in str(e)


@test
def ring_rules():
    """511 entries, then the access goes synchronous; indexes come down by 511"""
    with Guest("answerer") as g:
        g.x("signal", signal=signal.SIGSTOP.value)
        for _ in range(511):
            g.x("ring", addr=0xA0000, size=1, data=1, notify=0)
        try:
            g.x("ring", addr=0xA0000, size=1, data=1)
            raise AssertionError("512th entry taken")
        except Failed as e:
            equal(str(e), "ring full")
        g.x("signal", signal=signal.SIGCONT.value)
        g.inb(0x60)
        equal(g.x("ring-info"), "read=511 write=511")
        g.writeb(0xA0000, 1)
        g.inb(0x60)
        equal(g.x("ring-info"), "read=1 write=1")
        g.writeq(0xA0000, 1)
        g.inb(0x60)
        equal(g.x("ring-info"), "read=3 write=3")


@test
def routing():
    """Xen's own ports stay with Xen, configuration cycles become PCI requests"""
    with Guest("answerer") as g:
        equal(g.inb(0x20), 0)
        g.outb(0x70, 0x0D)
        equal(g.inb(0x71), 0x80)
        g.outb(0x70, 0x8F)
        equal(g.inb(0x71), 0x71)
        equal(g.cfg(0, 0, 8), 8)
        equal(g.cfg(1, 0, 8), 0xFFFFFFFF, "a function nobody registered")
        g.outl(0xCF8, 0)
        equal(g.inw(0xCFC), 0xCFC)
        assert (g.inl(0xB008) - g.inl(0xB008)) & 0xFFFFFFFF > 0xF0000000
        equal(g.readl(0xFFE00000), 0xFFFFFFFF)


@test
def protocol():
    """qtest answers"""
    with Guest("answerer") as g:
        equal(g.cmd("endianness"), "little")
        g.write(0x9FFF0, b"0123456789abcdef")
        equal(g.cmd("read 0x9fff4 4"), "0x34353637")
        g.cmd("write 0x9fff4 2 0x4142")
        equal(g.read(0x9FFF0, 8), b"0123AB67")
        g.memset(0x5000, 5000, 0x5A)
        equal(g.read(0x5000 + 4990, 12), b"\x5a" * 10 + b"\0\0")
        equal(g.cmd("inb 0x61f7"), "0x00f7")
        equal(g.cmd("readw 0x9fff0"), "0x0000000000003130")
        before = int(g.cmd("clock_step 1000000"))
        assert int(g.cmd("clock_step")) > before
        g.intercept()
        g.cmd("set_irq_in /machine ioapic 9 1")
        g.cmd("set_irq_in /machine ioapic 9 0")
        equal(g.irqs, [(9, 1), (9, 0)])
        g.cmd("write 0x6000 4 0x4142")
        g.cmd("b64write 0x6004 4 QUJDREVG")
        equal(g.read(0x6000, 8), b"AB\0\0ABCD")
        for line in ("inb", "outb 1", "inb 0x10000", "read 0 0", "nonsense", "write 0 2 0x1",
                     "write 0 2 41", "b64write 0 1 !", "x-no"):
            try:
                g.cmd(line)
                raise AssertionError("%r was accepted" % line)
            except Failed:
                pass


@test
def strings():
    """string instructions are split at pages as Xen splits them"""
    with Guest("answerer") as g:
        equal(g.x("rep", dir="in", port=0x1f0, size=2, count=256, gpa=0x5FFE), "2")
        equal(g.x("rep", dir="in", port=0x1f0, size=2, count=256, gpa=0x5FFF), "2")
        equal(g.x("rep", dir="in", port=0x1f0, size=2, count=256, gpa=0x5000, df=1), "2")
        equal(g.x("rep", dir="in", port=0x1f0, size=2, count=1, gpa=0x5000), "1")
        equal(g.readw(0x5000), 0x1F0)
        equal(g.x("stos", mmio=0xA0800, size=4, count=1024, data=1), "2")


@test
def many_vcpus():
    """128 vCPUs at once"""
    with Guest("answerer", vcpus=128) as g:
        equal(g.bench(20, vcpus=128, addr=0x42)["data"], 0x42)
        server = [s for s in g.state() if s["kind"] == "server"][0]
        equal((server["bound-vcpus"], server["bound-ring"]), (128, 1))


@test
def peer():
    """Debian's qemu-system-xen starts and answers"""
    qemu = "/usr/libexec/xen-qemu-system-i386"
    if not os.path.exists(qemu):
        raise Skip("qemu-system-xen is not installed")
    with Guest("qemu", vcpus=2, cdrom="") as g:
        equal(g.cfg(0, 0, 0), 0x12378086)
        equal(g.inb(0x3FD), 0x60)
        equal(g.ioreq(vcpu=1, type="pci", addr=8 << 32, size=4), 0x70008086)
        equal(g.qmp("query-status")["status"], "running")
        picture = os.path.join(g.dir, "screen.ppm")
        g.qmp("screendump", {"filename": picture})
        assert os.path.getsize(picture) > 100000
        equal([line for line in g.log().splitlines() if "redirected" not in line], [], "its log")


main()
