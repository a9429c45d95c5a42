# SPDX-License-Identifier: GPL-2.0-or-later
"""The adapters behind the production binary: what a viewer of them costs the guest, and a Cirrus."""

import struct

from fakexen import Guest
from helpers import until
from rfb import Viewer
from screen import BLUE, FB, GREEN, RED, Screen
from tap import equal, main, test

REGISTERS = 0xF3010000
MODE_12 = {  # 640 x 480
    0x3C4: (0x03, 0x01, 0x0F, 0x00, 0x0E),
    0x3D4: (0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0, 0x40, 0, 0, 0, 0, 0, 0,
            0xEA, 0x0C, 0xDF, 0x40, 0, 0xE7, 0x04, 0xE3, 0xFF),
    0x3CE: (0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF),
}


class Cirrus(Guest):
    """A guest with VNC on a Cirrus that shows 640 x 480 in 32 bits."""

    def __init__(self, **more):
        super().__init__(vga="cirrus", args=["-vnc", "127.0.0.1:20,to=99"], **more)
        for reg, value in ((0x10, FB), (0x14, REGISTERS), (4, 3)):
            self.cfg(3, 0, reg, 4, value)
        self.outb(0x3C2, 0xE3)
        for port, values in MODE_12.items():
            for index, value in enumerate(values):
                self.outw(port, index | value << 8)
        for port, index, value in ((0x3C4, 6, 0x12), (0x3C4, 7, 0xF9), (0x3D4, 0x1B, 0x32)):
            self.outw(port, index | value << 8)
        self.inb(0x3DA)
        self.outb(0x3C0, 0x20)
        self.memset(FB, 4 * 640 * 480, 0)

    def viewer(self):
        return Viewer(int(self.qmp("query-vnc")["service"]))

    def blit(self, colour, x, y, width, height):
        """A solid fill."""
        for offset, value in ((0, 0), (4, colour), (8, 4 * width - 1 | (height - 1) << 16),
                              (0xC, 2560), (0x10, 4 * (640 * y + x)), (0x14, 0),
                              (0x18, 0xF0 | 0x0D << 16 | 4 << 24)):
            self.writel(REGISTERS + 0x100 + offset, value)
        self.writeb(REGISTERS + 0x140, 2)


def armed(g):
    """Frames whose writes Xen follows."""
    words = dict(word.split("=", 1) for word in g.x("dirty").split() if "=" in word)
    return int(words["nr"]) if int(words["armed"]) else 0


@test
def tracking_while_somebody_looks():
    """Xen follows the frames that are on the screen, while a viewer is connected and no longer"""
    with Screen() as g:
        equal(armed(g), 0)
        g.qmp("screendump", {"filename": g.dir + "/screen.ppm"})
        equal(armed(g), 0, "a screenshot")
        with g.viewer() as v:
            v.wait(lambda: v.rects > 0)
            until(lambda: armed(g) == 300, "640 x 480 x 4 bytes are followed")
            g.mode(800, 600)
            until(lambda: armed(g) == 469, "the new screen is followed")
        until(lambda: armed(g) == 0, "nobody looks any more")


@test
def tracking_ends_when_the_frames_move():
    """the BAR is switched off and on under a viewer's eyes"""
    with Screen() as g, g.viewer() as v:
        g.fill(RED, 0, 0, 640, 4)
        v.wait(lambda: v.pixel(0, 0) == RED, ask=True)
        dev = next(d for d in range(2, 6) if g.cfg(d, 0, 0) == 0x11111234)
        g.cfg(dev, 0, 4, 2, 1)
        equal(armed(g), 0)
        g.cfg(dev, 0, 4, 2, 3)
        g.fill(GREEN, 0, 0, 640, 4)
        v.wait(lambda: v.pixel(0, 0) == GREEN, ask=True)


@test
def cirrus_screen():
    """a Cirrus over VNC: written memory, blits, the frame buffer trapped and back"""
    with Cirrus() as g, g.viewer() as v:
        equal((v.width, v.height), (640, 480))
        g.write(FB + 4 * 640 * 10, struct.pack("<I", BLUE) * 640)
        v.wait(lambda: v.pixel(5, 10) == BLUE, ask=True)
        g.blit(RED, 100, 200, 40, 30)
        v.wait(lambda: v.pixel(100, 200) == RED and v.pixel(139, 229) == RED, ask=True)
        equal((v.pixel(99, 200), v.pixel(140, 229)), (0, 0))
        frames = armed(g)
        assert frames > 0, "the frame buffer is not followed"
        g.outw(0x3C4, 0x4417)  # registers at its end: every access is trapped
        equal(armed(g), 0)
        g.writel(FB + 4 * (640 * 300 + 7), GREEN)
        v.wait(lambda: v.pixel(7, 300) == GREEN, ask=True)
        g.outw(0x3C4, 0x0017)
        g.writel(FB + 4 * (640 * 301 + 7), GREEN)
        v.wait(lambda: v.pixel(7, 301) == GREEN, ask=True)
        equal(armed(g), frames)


@test
def cirrus_bios():
    """its BIOS is in the ROM BAR"""
    with Cirrus() as g:
        g.cfg(3, 0, 0x30, 4, 0xF3000001)
        equal(g.readw(0xF3000000), 0xAA55)
        header = g.readw(0xF3000018)
        equal(g.readl(0xF3000000 + header + 4), 0x00B81013, "made for this adapter")


main()
