# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test does with a VNC viewer: waits for a picture, reads the text in it, types, and keeps
it."""
import os
import select
import struct
import time

import rfb
from box import png

RETURN, UP, DOWN, ESCAPE, F1 = 0xFF0D, 0xFF52, 0xFF54, 0xFF1B, 0xFFBE
VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin"
LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")  # in the 8x16 font of the VGA BIOS
COLUMNS, LINES, CELL_HEIGHT = 80, 25, 16


def viewer(case):
    return rfb.Viewer(port=case.suite.vnc_port, encodings=(rfb.ZRLE, rfb.RAW), timeout=120)


def press(viewer, keysym):
    """One key, at a pace that a guest under emulation can follow."""
    viewer.key(keysym)
    time.sleep(0.05)
    viewer.key(keysym, False)
    time.sleep(0.05)


def type_text(viewer, text):
    for letter in text:
        press(viewer, RETURN if letter == "\n" else ord(letter))


def follow(case, viewer, seen, seconds, what):
    """Takes updates until seen() gives something true, which is returned; it is asked once a
    second. `what` says what was waited for."""
    end = time.monotonic() + seconds
    viewer.request()
    while True:
        found = seen()
        if found:
            return found
        case.expect(time.monotonic() < end, "the viewer never sees " + what)
        _take_updates(viewer, 1)


def _take_updates(viewer, seconds):
    """Returns whether any came."""
    end, any_came = time.monotonic() + seconds, False
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([viewer.sock], [], [], left)[0]:
            return any_came
        any_came = True
        viewer.update()
        viewer.request()


def pixels(viewer):
    """The viewer's picture as a png.Picture."""
    out = bytearray(3 * viewer.width * viewer.height)
    for channel in range(3):
        out[channel::3] = b"".join(row[2 - channel::4] for row in viewer.rows)
    return png.Picture(viewer.width, viewer.height, bytes(out))


def keep(case, viewer, name):
    """Writes the viewer's picture into the test's folder and returns it."""
    picture = pixels(viewer)
    with open(os.path.join(case.out, name + ".png"), "wb") as target:
        target.write(png.encode(picture))
    return picture


def same_picture(case, guest, viewer, name):
    """What the viewer holds is what the device model's own screenshot shows."""
    path = os.path.join(case.out, name + ".png")
    guest.screenshot(path)
    with open(path, "rb") as source:
        picture = png.decode(source.read())

    def same():
        return ((viewer.width, viewer.height) == (picture.width, picture.height)
                and pixels(viewer).pixels == picture.pixels)

    viewer.request(False)
    follow(case, viewer, same, 120, "the picture %s.png" % name)
    case.note("%s: %dx%d, every pixel as in %s.png"
              % (name, picture.width, picture.height, name))


# -- text ------------------------------------------------------------------------------------------

def _font():
    """The characters of the VGA BIOS's font, by their pixels."""
    with open(VGA_BIOS, "rb") as source:
        rom = source.read()
    start = rom.index(LETTER_A) - CELL_HEIGHT * ord("A")
    return {rom[start + CELL_HEIGHT * code:start + CELL_HEIGHT * (code + 1)]: chr(code)
            for code in range(126, 31, -1)}


class TextScreen:
    """The picture of an 80x25 text mode, read with the font that the VGA BIOS loads. A character
    that is not ASCII is a question mark."""

    font = None

    def __init__(self, viewer):
        TextScreen.font = TextScreen.font or _font()
        self.width = viewer.width // COLUMNS
        self.rows = [struct.unpack("<%dI" % viewer.width, row) for row in viewer.rows]
        self.lines = ["".join(self._character(line, column) for column in range(COLUMNS))
                      for line in range(LINES)]

    def background(self, line, column):
        """(r, g, b) of the corner of a cell, which no letter reaches."""
        pixel = self.rows[line * CELL_HEIGHT][column * self.width]
        return pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255

    def find(self, word):
        """Line and column where it first stands."""
        return next((number, line.index(word)) for number, line in enumerate(self.lines)
                    if word in line)

    def _character(self, line, column):
        left, top = column * self.width, line * CELL_HEIGHT
        empty = self.rows[top][left]
        shape = bytes(sum(128 >> x for x, pixel in enumerate(row[left:left + 8]) if pixel != empty)
                      for row in self.rows[top:top + CELL_HEIGHT])
        return self.font.get(shape, "?")

    def __str__(self):
        return "\n".join(line.rstrip() for line in self.lines if line.strip())


def text(viewer):
    """The screen as a TextScreen, or None when it is in no 80x25 text mode."""
    size = viewer.width, viewer.height
    in_text = size in ((COLUMNS * 9, LINES * CELL_HEIGHT), (COLUMNS * 8, LINES * CELL_HEIGHT))
    return TextScreen(viewer) if in_text else None
