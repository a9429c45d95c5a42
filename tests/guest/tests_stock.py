# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs as Debian ships them that draw screens of their own, seen and driven in a VNC viewer:
GRUB's graphical menu, Memtest86+."""
import os
import re

import look
from box import packages

RED = 168, 0, 0  # as GRUB has it
MEMTEST_MIB, VIDEO_MIB = 112, 16
MEMTEST_ISO = "usr/lib/memtest86+/memtest86+x64.iso"
BOOT_SECONDS = 600


def _wait_for_text(case, viewer, pattern, seconds=120):
    """Returns the TextScreen that the pattern is found in."""
    def seen():
        screen = look.text(viewer)
        return screen and re.search(pattern, str(screen)) and screen

    return look.follow(case, viewer, seen, seconds, "the text %r" % pattern)


# -- GRUB ------------------------------------------------------------------------------------------

def _red_bar(viewer):
    """First and last row of the chosen entry's bar, or None. A mode may have fewer than eight bits
    for a colour."""
    columns = range(viewer.width // 4, viewer.width * 3 // 4, viewer.width // 16)
    rows = [y for y in range(viewer.height)
            if all(abs((viewer.pixel(x, y) >> shift & 255) - value) <= 8
                   for x in columns for shift, value in zip((16, 8, 0), RED))]
    return (rows[0], rows[-1]) if rows else None


def test_grub_menu(case):
    """GRUB's graphical menu in a VBE mode: keys move through it, Return boots the entry"""
    guest = case.guest(boot="c", xen_platform_pci=0, stdvga=1, videoram=VIDEO_MIB,
                       disk=[case.medium("grub-menu") + ",raw,hda,w"])
    guest.start()
    with look.viewer(case) as viewer:
        bar = look.follow(case, viewer, lambda: _red_bar(viewer), BOOT_SECONDS, "GRUB's menu")
        case.expect((viewer.width, viewer.height) == (800, 600),
                    "the menu is shown in %dx%d" % (viewer.width, viewer.height))
        look.same_picture(case, guest, viewer, "first")
        height = bar[1] - bar[0] + 1
        for name, key, step in (("second", look.DOWN, 1), ("third", look.DOWN, 2),
                                ("back", look.UP, 1)):
            look.press(viewer, key)
            want = bar[0] + step * height, bar[1] + step * height
            look.follow(case, viewer, lambda: _red_bar(viewer) == want, 60,
                        "the bar at rows %d to %d (%s)" % (*want, name))
            look.same_picture(case, guest, viewer, name)
        case.note("the bar of %d rows was at row %d, then moved by Down and Up" % (height, bar[0]))
        look.press(viewer, look.RETURN)
        case.note(_wait_for_text(case, viewer, r"Memtest86\+ v6[^\0]*Memory *: *240MB",
                                 BOOT_SECONDS))
        look.keep(case, viewer, "booted")


# -- Memtest86+ ------------------------------------------------------------------------------------

def test_memtest86(case):
    """Memtest86+ from its own CD: floppy emulation, text mode, its own keyboard driver"""
    iso = case.copy_in(os.path.join(packages.content("memtest86+"), MEMTEST_ISO), "memtest.iso")
    guest = case.guest(boot="d", xen_platform_pci=0, memory=MEMTEST_MIB + VIDEO_MIB, stdvga=1,
                       videoram=VIDEO_MIB, disk=[iso + ",raw,hdc,cdrom,r"])
    guest.start()
    with look.viewer(case) as viewer:
        screen = _wait_for_text(case, viewer, r"Memtest86\+ v6[^\0]*Test +[1-9]\d*%%[^\0]*"
                                r"Memory *: *%dMB" % MEMTEST_MIB, BOOT_SECONDS)
        look.keep(case, viewer, "testing")
        case.note(screen)
        look.press(viewer, look.F1)
        case.note(_wait_for_text(case, viewer, r"Settings:[^\0]*<F1>  Test selection"))
        look.keep(case, viewer, "settings")
        look.press(viewer, ord("0"))
        screen = _wait_for_text(case, viewer, r"Status: Testing (?![^\0]*Settings:)")
        look.keep(case, viewer, "back")
        errors = re.search(r"Errors: (\d+)", str(screen))
        case.expect(errors and errors.group(1) == "0", "errors in memory:\n%s" % screen)
