# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's screen in a VNC viewer; keys and pointer from there to the guest's own drivers."""
import base64
import re
import struct
import time

from look import same_picture, type_text, viewer as _viewer


def _screen(case, guest, viewer, name):
    """A screen that stands still: no cursor, no blanking, and something on it."""
    guest.sh("chvt 1; sleep 1; printf '\\033[9;0]\\033[?25l\\033[44m\\033[2J\\033[1;1H"
             "\\033[37mSLIMDM slimdm 0123456789' > /dev/tty1; sleep 2")
    same_picture(case, guest, viewer, name)


def _log_in_by_keys(case, guest, viewer):
    """Types at the login prompt of the screen; the serial line tells what came of it."""
    guest.sh("printf '\\033c' > /dev/tty1; killall -q getty; sleep 3")
    type_text(viewer, "root\n")
    guest.sh("for n in $(seq 50); do ps | grep -q '[l]ogin.* root' && break; usleep 200000; done;"
             " sleep 2")
    type_text(viewer, "slimdm\n")
    time.sleep(5)
    type_text(viewer, "id >/tmp/typed; tty >>/tmp/typed\n")
    said = guest.sh("for n in $(seq 50); do grep -q tty1 /tmp/typed && break; usleep 200000; done;"
                    " cat /tmp/typed")
    case.expect("uid=0" in said and "/dev/tty1" in said, "typed in vain: " + said)
    case.note("logged in on tty1 by keys of the viewer")


def test_vnc(case):
    """bochs-drm in a viewer: the picture is right, a login by its keys"""
    guest = case.cd_guest(stdvga=1)
    guest.start()
    with _viewer(case) as viewer:
        viewer.wait(lambda: viewer.updates > 3, 120)  # the firmware's and the loader's screens
        guest.login()
        _screen(case, guest, viewer, "bochs")
        _log_in_by_keys(case, guest, viewer)
    with _viewer(case) as viewer, _viewer(case) as other:
        viewer.wait(lambda: viewer.updates, 60)
        other.wait(lambda: other.updates, 60)
        case.expect(viewer.rows == other.rows, "two viewers see two screens")


def test_cirrus(case):
    """stdvga=0: the kernel's cirrus driver draws its console on the Cirrus, seen in a viewer"""
    guest = case.cd_guest(stdvga=0)
    guest.start()
    guest.login()
    driver = guest.sh("readlink /sys/class/graphics/fb0/device/driver").strip()
    case.note(guest.sh("dmesg | grep -iE 'drm|cirrus|Console: switching'"))
    case.expect(driver.endswith("/cirrus"), "the frame buffer is driven by " + driver)
    with _viewer(case) as viewer:
        viewer.wait(lambda: viewer.updates, 60)
        _screen(case, guest, viewer, "cirrus")


def test_vesafb(case):
    """the firmware's VBE mode, used by the kernel as it stands"""
    guest = case.cd_guest("nomodeset vga=0x314", stdvga=1)
    guest.start()
    guest.login()
    driver = guest.sh("cat /proc/fb; dmesg | grep -iE 'vesafb|simple-framebuffer|simpledrm'")
    case.note(driver)
    case.expect(re.search("vesa|simple", driver, re.I), "not a frame buffer of the firmware's")
    with _viewer(case) as viewer:
        viewer.wait(lambda: viewer.updates, 60)
        _screen(case, guest, viewer, "vesafb")


def _pointer_positions(guest, name):
    """Starts to watch the input device with this name; the function returned gives the last
    absolute position that it told."""
    devices = guest.sh("cat /proc/bus/input/devices")
    found = re.search(r'Name="%s"[^\0]*?Handlers=[^\n]*?(event\d+)' % name, devices)
    if not found:
        return None, devices
    guest.sh("(cat /dev/input/%s > /tmp/events) 2>/dev/null & sleep 1" % found.group(1))

    def last():
        data = base64.b64decode(guest.sh("base64 /tmp/events"))
        position = {}
        for at in range(0, len(data) - 23, 24):  # struct input_event
            kind, code, value = struct.unpack_from("<HHi", data, at + 16)
            if kind == 3:  # EV_ABS
                position[code] = value
        return position.get(0), position.get(1)

    return last, devices


def _move(case, guest, name, full):
    """The viewer's pointer and the guest's agree: `full` is the device's largest position."""
    last, devices = _pointer_positions(guest, name)
    case.expect(last, "no %s among the input devices:\n%s" % (name, devices))
    with _viewer(case) as viewer:
        viewer.wait(lambda: viewer.updates, 60)
        case.expect(viewer.absolute != 0, "the viewer is told of a relative pointer")
        for x, y in ((viewer.width // 4, viewer.height // 2),
                     (viewer.width - 1, viewer.height - 1)):
            for back in (9, 0):  # a step aside first: the last position is never told twice
                viewer.pointer(x - back, y - back)
                time.sleep(1)
            guest.sh("sleep 2")
            want = x * full // (viewer.width - 1), y * full // (viewer.height - 1)
            seen = last()
            case.note("%s: viewer at %d,%d; guest told %s, %s" % (name, x, y, *seen))
            case.expect(None not in seen and all(abs(a - b) <= full // 300
                                                 for a, b in zip(seen, want)),
                        "the guest's pointer is at %s and not at %s" % (seen, want))


def test_tablet(case):
    """usb=1, usbdevice='tablet': usbhid drives it, the pointer is where the viewer's is"""
    guest = case.cd_guest(stdvga=1, usb=1, usbdevice="tablet", vkb_device=0)
    guest.start()
    guest.login()
    case.note(guest.sh("dmesg | grep -iE 'uhci|usb 1-|hid'"))
    _move(case, guest, "[^\"]*Tablet", 32767)


def test_paravirtual_pointer(case):
    """xen-kbdfront: keys and an absolute pointer without an emulated device"""
    guest = case.cd_guest(stdvga=1, xen_platform_pci=1)
    guest.start()
    guest.login()
    _move(case, guest, "Xen Virtual Pointer", 32767)
    with _viewer(case) as viewer:
        viewer.wait(lambda: viewer.updates, 60)
        _log_in_by_keys(case, guest, viewer)
