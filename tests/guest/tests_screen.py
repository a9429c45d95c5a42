# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of the screen, taken through the device model's own monitor socket."""
import os

from box import png

# The first three colours of the text console are the same in text mode and on the frame buffer
# console.
RED, GREEN = (170, 0, 0), (0, 170, 0)


def _near(colour, other):
    return all(abs(one - two) <= 8 for one, two in zip(colour, other))


def _look(case, guest, name):
    path = os.path.join(case.out, name + ".png")
    guest.screenshot(path)
    with open(path, "rb") as source:
        picture = png.decode(source.read())
    counts = picture.counts()
    total = picture.width * picture.height
    share = {key: sum(count for colour, count in counts.items() if _near(colour, value)) / total
             for key, value in (("red", RED), ("green", GREEN))}
    case.note("%s.png: %dx%d, %d colours, %.0f%% red, %.0f%% green"
              % (name, picture.width, picture.height, len(counts), share["red"] * 100,
                 share["green"] * 100))
    return picture, counts, share


def _pictures(case, guest, mode):
    guest.sh("chvt 1; sleep 1")
    # Red everywhere, then green from the middle down with text in it; no cursor, no blanking.
    guest.sh("printf '\\033[9;0]\\033[?25l\\033[41m\\033[2J' > /dev/tty1; sleep 2")
    picture, counts, share = _look(case, guest, mode + "-red")
    case.expect(share["red"] > 0.95, "the red screen is not red")
    guest.sh("set -- $(stty -F /dev/tty1 size); "
             "printf '\\033[%d;1H\\033[42m\\033[J\\033[37mSLIMDM slimdm 0123456789' "
             "$(($1 / 2 + 1)) > /dev/tty1; sleep 2")
    picture, counts, share = _look(case, guest, mode + "-half")
    case.expect(0.40 < share["red"] < 0.60 and 0.40 < share["green"] < 0.60,
                "not half red and half green")
    case.expect(any(_near(colour, (170, 170, 170)) for colour in counts), "no text in it")
    top = picture.pixels[picture.width * 3 * 5:][:3]
    case.expect(_near(tuple(top), RED), "red is not on top")
    return picture


def test_screen_text(case):
    """a PNG of the screen in text mode"""
    guest = case.cd_guest("nomodeset")
    guest.start()
    guest.login()
    console = guest.sh("dmesg | grep -i 'console: colour\\|Console: switching'")
    case.note(console)
    case.expect("frame buffer" not in console, "the console is not in text mode")
    picture = _pictures(case, guest, "text")
    case.expect((picture.width, picture.height) in ((720, 400), (640, 400)),
                "not the size of 80x25 text")


def test_screen_graphics(case):
    """a PNG of the screen in graphics mode, drawn by the kernel's display driver"""
    guest = case.cd_guest(stdvga=1)
    guest.start()
    guest.login()
    case.note(guest.sh("dmesg | grep -iE 'drm|fbcon|Console: switching'"))
    size = guest.sh("cat /sys/class/graphics/fb0/virtual_size").strip().split(",")
    picture = _pictures(case, guest, "graphics")
    case.expect([str(picture.width), str(picture.height)] == size,
                "the picture is %dx%d, the guest's screen %s"
                % (picture.width, picture.height, "x".join(size)))
