# SPDX-License-Identifier: GPL-2.0-or-later
"""Life and death: power off, reboot, power button, pause, destroy."""
import re
import time


def test_poweroff(case):
    """the guest powers off by ACPI and the domain goes away"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    pid = guest.dm_pid()
    guest.type("q poweroff")
    said = guest.expect(re.compile(rb"reboot: Power down"), 90)
    case.note("guest: " + said.group(0).decode())
    case.expect(guest.wait_gone(60), "the domain is still there")
    case.expect(case.machine.run("test -d /proc/%d" % pid).status != 0,
                "the device model is still there")
    case.note("log of xl: " + case.machine.run("tail -n 3 /var/log/xen/xl-guest.log").output)


def test_reboot(case):
    """the guest reboots, the toolstack makes a new domain, which boots again"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    old, old_pid = guest.domid(), guest.dm_pid()
    guest.type("q reboot")
    said = guest.expect(re.compile(rb"reboot: Restarting system"), 90)
    case.note("guest: " + said.group(0).decode())
    case.expect(guest.wait_gone(60, domid=old), "the old domain is still there")
    end = time.monotonic() + 120
    while guest.domid() is None or not guest.tty():
        case.expect(time.monotonic() < end,
                    "no new domain: " + case.machine.run("cat /var/log/xen/xl-guest.log").output)
        time.sleep(1)
    case.note("domain %d became %d, device model %d became %d"
              % (old, guest.domid(), old_pid, guest.dm_pid()))
    case.expect(case.machine.run("test -d /proc/%d" % old_pid).status != 0,
                "the old device model is still there")
    guest.attach()
    guest.login()
    case.note("logged in again after " + guest.sh("cut -d' ' -f1 /proc/uptime").strip()
              + " s of the new guest's life")


def test_power_button(case):
    """'xl trigger guest power': the guest sees the button and powers off"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    case.note(guest.sh("dmesg | grep -i 'power button'"))
    case.machine.check("xl trigger guest power")
    said = guest.expect(re.compile(rb"guest: power button"), 60)
    case.note(said.group(0).decode())
    guest.expect(re.compile(rb"reboot: Power down"), 90)
    case.expect(guest.wait_gone(60), "the domain is still there")


def test_pause(case):
    """a paused guest stands still and goes on where it was"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    case.machine.check("xl pause guest")
    guest.line.write(b"p1 echo answer\n")
    time.sleep(8)
    case.expect(b">>p1" not in guest.line.received[guest.line.at:], "a paused guest answers")
    state = case.machine.check("xl list guest | tail -n 1").split()[4]
    case.expect("p" in state, "xl does not show it as paused: " + state)
    case.machine.check("xl unpause guest")
    guest.expect(re.compile(rb">>p1 0\r?\n"), 60)
    case.note("what was typed while it was paused is answered after 'xl unpause'")


def test_destroy(case):
    """xl destroy leaves no process, socket, tap or xenstore node of the device model"""
    guest = case.cd_guest(vif=["bridge=xenbr0,mac=00:16:3e:01:02:03"])
    guest.start()
    domid, pid = guest.domid(), guest.dm_pid()
    tap = case.machine.run("ls -d /sys/class/net/vif%d.0-emu" % domid)
    case.note("before: device model %d, %s" % (pid, tap.output.strip()))
    case.expect(tap.status == 0, "the device model made no tap")
    guest.expect(re.compile(rb"ISOLINUX"), 200)
    case.machine.check("xl destroy guest")
    time.sleep(3)
    left = case.machine.run(
        """ls -d /proc/%d /var/run/xen/qmp-*-%d /sys/class/net/vif%d.* 2>/dev/null
        xenstore-ls -f /local/domain/0/device-model/%d 2>/dev/null
        ps | grep '[x]en-domid'""" % (pid, domid, domid, domid))
    case.expect(not left.output.strip(), "left behind: " + left.output)
    case.note("nothing is left after xl destroy")
