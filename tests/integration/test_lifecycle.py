# SPDX-License-Identifier: GPL-2.0-or-later
"""From the ready signal to the end of the process, as libxl and the guest see it."""

import os
import signal
import stat
import time

from fakexen import Failed, Guest
from helpers import Image, cmos_read, cmos_write, firmware, open_files, select, wake_ups, write_pio
from tap import equal, main, test


@test
def ready():
    """when running is written, everything is there"""
    with Image() as disk, Guest(disk=disk.path) as g:
        equal(g.xs("device-model/1/state"), "running")
        server = [s for s in g.state() if s["kind"] == "server"][0]
        equal((server["enabled"], server["bufioreq"], server["bound-vcpus"], server["bound-ring"]),
              (1, 2, 1, 1))
        for path in (g.qmp_path, g.qmp_stat_path):
            assert stat.S_ISSOCK(os.stat(path).st_mode), path
        chardevs = g.qmp("query-chardev")
        serial = [c for c in chardevs if c["label"] == "serial0"][0]["filename"]
        assert serial.startswith("pty:"), serial
        assert stat.S_ISCHR(os.stat(serial[4:]).st_mode)
        assert disk.path in open_files(g.pid)


@test
def fast():
    """start-up is a matter of milliseconds"""
    with Guest() as g:
        assert g.ready_ns < 2_000_000_000, "%d ns" % g.ready_ns


@test
def signals():
    """SIGTERM, SIGHUP and SIGINT flush and exit 0 quickly"""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with Image() as disk, Guest(disk=disk.path) as g:
            data = bytes(range(256)) * 2
            equal(write_pio(g, 7, data) & 1, 0)
            start = time.monotonic()
            equal(g.kill(number.value, timeout=3), ("exited", 0), number.name)
            assert time.monotonic() - start < 1.5, "took %.1f s" % (time.monotonic() - start)
            equal(disk.pread(7), data, "sector on disk")
            assert not os.path.exists(g.qmp_path), "QMP socket left behind"


@test
def signal_under_load():
    """a signal in the middle of requests ends the process; no request is left INPROCESS"""
    with Guest(vcpus=2) as g:
        g.x("signal", signal=signal.SIGSTOP.value)
        g.x("ioreq", vcpu=0, addr=0x64, post=1)
        g.x("ioreq", vcpu=1, addr=0x64, post=1)
        g.x("signal", signal=signal.SIGTERM.value)
        g.x("signal", signal=signal.SIGCONT.value)
        equal(g.status(3), ("exited", 0))
        for vcpu in (0, 1):
            try:
                slot = g.cmd("x-slot vcpu=%d server=0" % vcpu)
            except Failed:
                continue  # server destroyed with everything answered
            assert "state=2 " not in slot, slot


@test
def domain_goes_away():
    """the process ends by itself when its domain does, but not at other domains' events"""
    with Guest() as g:
        # xenstored fires @releaseDomain for every domain; ours is still there
        g.outb(0xCF9, 6)
        time.sleep(0.3)
        equal(g.status()[0], "running")
        g.cmd("x-destroy")
        equal(g.status(5), ("exited", 0))


@test
def reboot_ways():
    """all reset registers ask for a reboot, once each, before the answer"""
    ways = {
        "0xcf9": [(0xCF9, 2), (0xCF9, 6)],
        "port 0x92": [(0x92, 1)],
        "keyboard controller pulse": [(0x64, 0xFE)],
        "keyboard controller output port": [(0x64, 0xD1), (0x60, 0xDE)],
    }
    for name, writes in ways.items():
        with Guest() as g:
            for port, value in writes[:-1]:
                g.outb(port, value)
            equal(g.records("shutdown"), [], "shutdown before the trigger of %s" % name)
            g.outb(*writes[-1])
            got = [(r["reason"], r["in-flight"]) for r in g.records("shutdown")]
            equal(got, [(1, 1)], name)


@test
def no_reset():
    """what looks like a reset register but is none"""
    with Guest() as g:
        equal(g.inb(0x92) & 1, 0)
        g.outb(0x92, 2)
        equal(g.inb(0x92), 2)
        g.outb(0x92, 0)
        g.outb(0xCF9, 2)
        g.outb(0x64, 0xFF)
        g.outl(0xCF8, 0x80000600)
        equal(g.records("shutdown"), [])


@test
def sleep_types():
    """S5 powers off, S3 suspends after the answer, other types do nothing"""
    with Guest() as g:
        firmware(g)
        for slp_typ in (2, 3, 4, 5, 6, 7):
            g.outw(0xB004, slp_typ << 10 | 0x2000)
        g.outw(0xB004, 0 << 10)
        equal(g.records("shutdown"), [])
        equal(g.records("param"), [])
        equal(g.inw(0xB004) & 0x2000, 0, "SLP_EN reads back")
        g.outw(0xB004, 0x2000)
        equal([r["reason"] for r in g.records("shutdown")], [0])


@test
def suspend_to_ram():
    """S3: CMOS code, answer, then the parameter; system_wakeup takes it back"""
    with Guest() as g:
        firmware(g)
        cmos_write(g, 0x40, 0x33)
        g.outb(0xB2, 0xF1)
        g.outw(0xB004, 0x2001 | 1 << 10)
        deadline = time.monotonic() + 2
        while not g.records("param") and time.monotonic() < deadline:
            time.sleep(0.01)
        got = [(r["index"], r["value"], r["in-flight"]) for r in g.records("param")]
        equal(got, [(14, 3, 0)], "S-state parameter (index, value, requests in flight)")
        equal(cmos_read(g, 0x0F), 0xFE)
        equal(g.qmp("system_wakeup"), {})
        deadline = time.monotonic() + 2
        while len(g.records("param")) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        equal([(r["index"], r["value"]) for r in g.records("param")], [(14, 3), (14, 0)])
        # the chipset keeps what firmware set up, as nobody will do it again
        equal(g.cfg(1, 3, 0x40) & 0xFFC0, 0xB000)
        equal(g.cfg(1, 3, 0x80, 1) & 1, 1)
        equal(g.cfg(1, 0, 0x60, 1), 5)
        equal(g.inw(0xB004) & 1, 1, "SCI_EN")
        equal(cmos_read(g, 0x40), 0x33)


@test
def after_shutdown():
    """after the guest's power-off the process stays and answers QMP"""
    with Guest() as g:
        firmware(g)
        g.outw(0xB004, 0x2000)
        equal(len(g.qmp("query-cpus-fast")), 1)
        time.sleep(0.2)
        equal(g.status()[0], "running")
        g.cmd("x-resume")
        equal(g.cfg(0, 0, 0), 0x12378086)
        equal(g.kill(signal.SIGHUP.value), ("exited", 0))


@test
def same_process():
    """the process that was started is the one that serves: no fork into the background"""
    with Guest() as g:
        with open("/proc/%d/stat" % g.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        equal(int(fields[1]), g.controller.pid, "parent")


@test
def idle():
    """an idle guest costs no processor time"""
    with Guest(vga="std") as g:
        time.sleep(0.5)
        before = wake_ups(g.pid, involuntary=True)
        time.sleep(3)
        equal(wake_ups(g.pid, involuntary=True) - before, 0, "wake-ups in three seconds")


@test
def log_is_limited():
    """a guest cannot fill the disk with the log"""
    with Guest() as g:
        g.write(0x100000, b"AAAAAAAAA\n" * 409)
        for _ in range(100):
            g.loop(10, ["x-rep dir=out port=0x12 size=1 count=4090 gpa=0x100000"])
            time.sleep(0.002)  # a limit of the rate alone would let this through in time
        g.loop(5000, ["x-ioreq type=99 addr=1 server=0"])
        assert os.path.getsize(g.log_path) <= (1 << 20) + 4096, os.path.getsize(g.log_path)


@test
def killed_process():
    """after a crash a new process can serve the same domain's ports"""
    with Image() as disk, Guest(disk=disk.path, start=False) as g:
        g.start()
        cmos_write(g, 0x40, 0x77)
        equal(g.kill(), ("killed", 9))
        select_failed = False
        try:
            select(g)
        except Failed:
            select_failed = True
        assert select_failed, "a dead process answered"
        bound = [s["bound-vcpus"] for s in g.state() if s["kind"] == "server"]
        equal(bound, [0], "channels still bound")


main()
