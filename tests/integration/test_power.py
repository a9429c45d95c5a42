# SPDX-License-Identifier: GPL-2.0-or-later
"""Sleep and wake-up, buttons, crashes: what the toolstack and the hypervisor do with a guest that
the device model has to follow. Reset and power-off by the guest: test_lifecycle.py."""

import os
import signal
import tempfile
import time

from fakexen import Guest, QmpError
from helpers import (BSY, Image, cmos_read, cmos_write, firmware, identify, read_pio, restored,
                     sanitized, save, select, until, vga_linear, video_frames, write_pio)
from rtl8139 import CR, IDR, RE, TE, Nic, guest as guest_with_nic
from tap import equal, main, test
from uhci import Uhci

S_STATE = 14  # HVM_PARAM_ACPI_S_STATE
ASLEEP, AWAKE = (S_STATE, 3), (S_STATE, 0)


def params(g):
    return [(r["index"], r["value"]) for r in g.records("param")]


def go_to_sleep(g):
    firmware(g)
    g.outb(0xB2, 0xF1)
    count = len(params(g))
    g.outw(0xB004, 0x2001 | 1 << 10)
    until(lambda: len(params(g)) > count, "no S-state parameter", 5)
    equal(params(g)[-1], ASLEEP)
    equal(g.qmp("query-status")["status"], "suspended")


def wake_up(g):
    """xl trigger NAME s3resume"""
    equal(g.qmp("system_wakeup"), {})
    equal(params(g)[-1], AWAKE)


@test
def devices_lose_power():
    """S3 resets disks, serial ports, keyboard controller and VGA; memory and chipset stay"""
    with Image() as disk, Guest(disk=disk.path, vga="std") as g:
        go_to_sleep(g)
        wake_up(g)
        equal(g.qmp("query-status")["status"], "running")
        cmos_write(g, 0x40, 0x5C)
        g.outb(0x92, 2)
        g.outb(0x3FB, 0x03)
        g.outb(0x3FF, 0xA5)
        g.outb(0x64, 0x60)
        g.outb(0x60, 0x47)
        vga_linear(g)
        g.write(0xA0000, b"stays in video memory")
        g.write(0x180000, b"stays in RAM")
        write_pio(g, 5, b"W" * 512)
        select(g, 0x123, 9)
        g.outb(0x1F1, 0x55)
        routes = [g.cfg(1, 0, 0x60 + i, 1) for i in range(4)]
        go_to_sleep(g)
        wake_up(g)
        # what firmware has set up once
        equal(cmos_read(g, 0x40), 0x5C)
        equal(cmos_read(g, 0x0F), 0xFE, "shutdown code for the BIOS")
        equal([g.cfg(1, 0, 0x60 + i, 1) for i in range(4)], routes)
        equal(g.cfg(1, 3, 0x40) & 0xFFC0, 0xB000)
        equal(g.cfg(1, 3, 0x80, 1) & 1, 1)
        equal(g.inw(0xB004) & 1, 1, "SCI_EN")
        equal(g.cfg(1, 1, 0x40, 2), 0x8000, "IDE timing")
        equal(g.inb(0x92), 2)
        # what drivers set up
        equal((g.inb(0x3FB), g.inb(0x3FF)), (0, 0), "LCR and scratch register of COM1")
        equal((g.inb(0x1F2), g.inb(0x1F3), g.inb(0x1F4)), (1, 1, 0), "signature of the disk")
        equal(g.inb(0x3CC), 0, "miscellaneous output")
        g.outb(0x64, 0x20)
        assert g.inb(0x60) != 0x47, "command byte of the keyboard controller"
        # and nothing is lost
        vga_linear(g)
        equal(g.read(0xA0000, 21), b"stays in video memory")
        equal(g.read(0x180000, 12), b"stays in RAM")
        equal(read_pio(g, 5), b"W" * 512)


@test
def nic_loses_power():
    """a card is off after S3, with its address read from the EEPROM again, and works again"""
    with guest_with_nic() as (g, wire):
        nic = Nic(g)
        nic.start_c()
        g.outb(nic.io + 0x50, 0xC0)
        g.outl(nic.io + IDR, 0x11223344)
        mac = b"\0\x16\x3e\0\0\0"
        go_to_sleep(g)
        wake_up(g)
        equal(g.inb(nic.io + CR) & (RE | TE), 0)
        equal(nic.mac(), mac)
        nic.start_c()
        nic.send_c(b"\xff" * 6 + mac + b"\x88\xb5" + b"awake".ljust(60))
        equal(wire.recv(2000)[14:19], b"awake")


@test
def usb_loses_power():
    """the controller is halted after S3, and its device answers at address 0 again"""
    with Guest(args=("-usb", "-usbdevice", "tablet")) as g:
        Uhci(g).enumerate()
        go_to_sleep(g)
        wake_up(g)
        u = Uhci.__new__(Uhci)
        u.g = g
        equal(u.read(0) & 1, 0, "run/stop")
        equal(u.read(2) & 0x20, 0x20, "halted")
        equal(g.inw(0xC0D0) & 5, 1, "connected, not enabled")
        Uhci(g).enumerate()


@test
def transfer_in_flight():
    """a transfer that sleep has cut off does not end after the wake-up"""
    with Image(4) as disk, Guest(disk=disk.path) as g:
        select(g, 0, 0)
        g.outb(0x1F7, 0x20)
        go_to_sleep(g)
        wake_up(g)
        time.sleep(0.1)
        equal(g.inb(0x1F7) & (BSY | 0x08), 0)
        equal(read_pio(g, 3), disk.pread(3))


@test
def unplugged_stays_unplugged():
    """sleep does not bring back what drivers have unplugged"""
    with Image() as disk, Guest(disk=disk.path) as g:
        g.outw(0x10, 1)
        go_to_sleep(g)
        wake_up(g)
        g.outb(0x1F6, 0xE0)
        equal(g.inb(0x1F7), 0)
        equal(g.inw(0x10), 0x49D2)


@test
def events():
    """SUSPEND and WAKEUP are told; a second wake-up, or one without sleep, is no error"""
    with Guest() as g:
        m = g.monitor()
        equal(m.call("system_wakeup"), {})
        equal(params(g), [])
        go_to_sleep(g)
        equal(m.call("system_wakeup"), {})
        equal(m.call("system_wakeup"), {})
        equal(params(g), [ASLEEP, AWAKE])
        m.call("query-status")
        equal([e["event"] for e in m.events], ["SUSPEND", "WAKEUP"])
        m.close()


@test
def woken_while_stopped():
    """system_wakeup between stop and cont: nothing is served before cont"""
    with Guest() as g:
        go_to_sleep(g)
        equal(g.qmp("stop"), {})
        equal(g.qmp("query-status")["status"], "paused")
        wake_up(g)
        equal(g.qmp("query-status")["status"], "paused")
        equal(g.qmp("cont"), {})
        equal(g.qmp("query-status")["status"], "running")
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def stopped_while_asleep():
    """stop and cont leave a sleeping guest asleep"""
    with Guest() as g:
        go_to_sleep(g)
        g.qmp("stop")
        g.qmp("cont")
        equal(g.qmp("query-status")["status"], "suspended")
        wake_up(g)
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def refused_by_the_hypervisor():
    """a wake-up that Xen refuses is an error, and can be tried again"""
    with Guest() as g:
        go_to_sleep(g)
        g.x("fail", name="hvm_set_param", errno=1)
        try:
            g.qmp("system_wakeup")
            raise AssertionError("system_wakeup succeeded")
        except QmpError as e:
            assert "permitted" in str(e), e
        equal(g.qmp("query-status")["status"], "suspended")
        g.x("fail")
        wake_up(g)


@test
def saved_asleep():
    """a guest that sleeps is saved, sleeps after restore, and is woken there"""
    with Image() as disk, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(disk=disk.path) as g:
            go_to_sleep(g)
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames, disk=disk.path) as g:
            equal(params(g), [ASLEEP], "the new domain is put to sleep")
            equal(g.qmp("query-status")["status"], "suspended")
            wake_up(g)
            equal(g.qmp("query-status")["status"], "running")
            equal(len(identify(g)), 512)


@test
def hypervisors_buttons():
    """xl trigger is the hypervisor's: system_powerdown says so, PM1's events are never claimed"""
    with Guest() as g:
        firmware(g)
        try:
            g.qmp("system_powerdown")
            raise AssertionError("system_powerdown succeeded")
        except QmpError as e:
            assert "xl trigger guest power" in str(e), e
        for first, last in g.ranges("pio"):
            assert last < 0xB000 or first > 0xB003, "PM1a_STS and _EN: %x-%x" % (first, last)
            assert last < 0xB008 or first > 0xB00B, "PM timer: %x-%x" % (first, last)
        equal(g.records("shutdown"), [])


@test
def gpe_does_not_touch_the_buttons_line():
    """IRQ 9 is also the hypervisor's: PM1 control leaves its level alone"""
    with Guest() as g:
        firmware(g)
        mark = g.mark()
        g.outw(0xB004, 1)
        g.outw(0xB004, 1 | 5 << 10)
        g.outb(0xB2, 0xF1)
        equal([r for r in g.records("isa", mark) if r.get("irq") == 9], [])


@test
def qmp_reset():
    """system_reset asks the hypervisor for a reboot; the process stays"""
    with Guest() as g:
        m = g.monitor()
        equal(m.call("system_reset"), {})
        equal([r["reason"] for r in g.records("shutdown")], [1])
        equal(m.call("query-status")["status"], "shutdown")
        equal([e["event"] for e in m.events], ["RESET"])
        equal(len(m.call("query-cpus-fast")), 1)
        m.close()


@test
def other_shutdowns():
    """suspend, crash, watchdog: the process stays, and serves again when the domain goes on"""
    for reason in (2, 3, 4):
        with Guest() as g:
            g.x("shutdown", reason=reason)
            equal(g.status(0.3)[0], "running")
            equal(g.qmp("query-status")["status"], "running")
            g.cmd("x-resume")
            equal(g.cfg(0, 0, 0), 0x12378086)
            equal(g.records("shutdown"), [], "no shutdown of our own")


@test
def fault_is_reported():
    """a fault of the process is a crash of the domain, so that on_crash is done"""
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE):
        g = Guest()
        try:
            own_end = sanitized(g.pid)
            word, value = g.kill(number.value)
            # a sanitizer's own handler comes after ours, and exits or aborts
            assert ((word, value) == ("killed", number.value) or
                    own_end and (word == "exited" or value == signal.SIGABRT.value)), (word, value)
            equal([r["reason"] for r in g.records("shutdown")], [3], number.name)
            assert "crashed" in g.log(), g.log()
        finally:
            g.close()


@test
def ends_are_no_crashes():
    """an ordinary end says nothing to the hypervisor"""
    for number in (signal.SIGHUP, signal.SIGTERM):
        with Guest() as g:
            equal(g.kill(number.value), ("exited", 0))
            equal(g.records("shutdown"), [])


main()
