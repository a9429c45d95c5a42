# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-vnc behind the production binary: what viewers see, press, and find where."""

import os
import signal
import socket
import struct
import tempfile
import time

import rfb
from fakexen import Failed, Guest
from helpers import until
from rfb import Viewer
from screen import BLUE, FB, GREEN, RED, Screen
from tap import equal, main, test


# -- what is seen --------------------------------------------------------------------------------------

@test
def screen():
    """the guest's screen with its size and its name; a change comes as its rectangle"""
    with Screen() as g:
        g.fill(BLUE, 0, 0, 640, 4)
        with g.viewer() as v:
            equal((v.width, v.height, v.name), (640, 480, "guest"))
            equal(v.format[:2] + v.format[4:], (32, 24, 255, 255, 255, 16, 8, 0))
            v.wait(lambda: v.pixel(0, 0) == BLUE and v.pixel(639, 3) == BLUE)
            equal(v.pixel(0, 4), 0)
            g.fill(RED, 100, 200, 20, 10)
            v.wait(lambda: v.pixel(100, 200) == RED and v.pixel(119, 209) == RED, ask=True)
            equal((v.pixel(99, 200), v.pixel(120, 209)), (0, 0))


@test
def encodings():
    """raw, hextile, ZRLE and tight show the same picture"""
    with Screen(width=320, height=200) as g:
        for i in range(0, 320, 8):
            g.fill(i * 0x010203 & 0xFFFFFF, i, i % 40, 8, 150)
        noise = os.urandom(4 * 320 * 20)
        g.write(FB + 4 * 320 * 180, noise)
        pictures = []
        for encoding in (rfb.RAW, rfb.HEXTILE, rfb.ZRLE, rfb.TIGHT):
            with g.viewer(encodings=(encoding,)) as v:
                v.wait(lambda: v.rows[199][:4] == noise[4 * 320 * 19:][:3] + b"\0" and
                       v.pixel(316, 100) == 312 * 0x010203 & 0xFFFFFF)
                pictures.append([bytes(b for i, b in enumerate(row) if i % 4 != 3) for row in v.rows])
        for picture in pictures[1:]:
            equal(picture == pictures[0], True, "the same picture")


@test
def resize():
    """a change of mode: told by DesktopSize or ExtendedDesktopSize; others get what fits"""
    with Screen() as g, g.viewer() as new, g.viewer(notices=(rfb.DESKTOP_SIZE,)) as old, \
            g.viewer(notices=()) as none:
        for v in (new, old, none):
            v.wait(lambda v=v: v.rects > 0)
        g.mode(800, 600)
        g.fill(GREEN, 0, 0, 800, 600)
        for v in (new, old):
            v.wait(lambda v=v: v.width == 800 and v.pixel(799, 599) == GREEN)
        equal(new.size_known_by, rfb.EXTENDED_SIZE)
        equal(old.size_known_by, rfb.DESKTOP_SIZE)
        none.wait(lambda: none.pixel(639, 479) == GREEN)
        g.mode(320, 200)
        g.fill(RED, 0, 0, 320, 200)
        new.wait(lambda: new.width == 320 and new.pixel(319, 199) == RED)
        none.request(True, (0, 0, 320, 200))
        none.wait(lambda: none.pixel(319, 199) == RED, ask=False)


@test
def size_is_not_the_viewers():
    """SetDesktopSize is answered: prohibited"""
    with Screen() as g, g.viewer() as v:
        v.wait(lambda: v.rects > 0)
        v.sock.sendall(struct.pack(">BxHHBxIHHHHI", 251, 800, 600, 1, 0, 0, 0, 800, 600, 0))
        v.wait(lambda: (rfb.EXTENDED_SIZE, 1, 1) in v.notes)
        equal((v.width, v.height), (640, 480))


@test
def everything_each_time():
    """a viewer that never asks incrementally sees pixels all the same"""
    with Screen(width=64, height=64) as g, g.viewer() as v:
        g.fill(RED, 0, 0, 64, 64)
        end = time.monotonic() + 5
        while v.pixel(63, 63) != RED:
            assert time.monotonic() < end, "no pixel comes"
            v.request(False)
            v.update()


@test
def pixel_formats():
    """viewers with 16 and 8 bits get theirs"""
    with Screen(width=64, height=64) as g:
        g.fill(RED, 0, 0, 64, 64)
        for layout, want in ((struct.pack(">BBBBHHHBBBxxx", 16, 16, 0, 1, 31, 63, 31, 11, 5, 0), b"\x00\xF8"),
                             (struct.pack(">BBBBHHHBBBxxx", 8, 8, 0, 1, 7, 7, 3, 0, 3, 6), b"\x07")):
            with g.viewer(notices=()) as v:
                v.sock.sendall(struct.pack(">Bxxx", 0) + layout)
                until(lambda: g.qmp("query-vnc")["clients"], "no viewer")
                for _ in range(50):
                    v.request(False)
                    equal(v.read(4), b"\0\0\0\1")
                    v.read(12)
                    pixels = v.read(64 * 64 * len(want))
                    if pixels == want * 4096:
                        break
                    time.sleep(0.02)
                equal(pixels == want * 4096, True, "red in %d bytes" % len(want))


@test
def no_screen():
    """a guest without a VGA: a viewer connects, sees black, types"""
    with Guest(vga=None, args=["-vnc", "127.0.0.1:20,to=99"]) as g:
        with Viewer(int(g.qmp("query-vnc")["service"])) as v:
            v.wait(lambda: v.rects > 0)
            equal(v.pixel(0, 0), 0)
            v.raw_key(0x44)


# -- keys and pointer ----------------------------------------------------------------------------------

@test
def extended_keys():
    """raw key codes reach the keyboard controller; the server says that it takes them"""
    with Screen() as g, g.keyboard().viewer() as v:
        v.wait(lambda: any(n[0] == rfb.EXTENDED_KEYS for n in v.notes))
        v.raw_key(0x1E)
        v.raw_key(0x1E, False)
        v.raw_key(0xCB)
        v.raw_key(0xCB, False)
        equal(g.scancodes(6), [0x1E, 0x9E, 0xE0, 0x4B, 0xE0, 0xCB])


@test
def keysyms():
    """symbols become keys of the configured layout, with shift where the symbol needs it"""
    with Screen(args=["-k", "de"]) as g, g.keyboard().viewer() as v:
        for keysym in (ord("z"), 0xE4, ord("?")):  # z, a umlaut, question mark
            v.key(keysym)
            v.key(keysym, False)
        equal(g.scancodes(8), [0x15, 0x95, 0x28, 0xA8, 0x2A, 0x0C, 0xAA, 0x8C])


@test
def release_needs_no_symbol():
    """T-VNC-2: shift goes up first, so the key goes up under another symbol"""
    with Screen() as g, g.keyboard().viewer() as v:
        v.key(0xFFE1)
        v.key(ord("!"))
        v.key(0xFFE1, False)
        v.key(ord("!"), False)
        equal(g.scancodes(4), [0x2A, 0x02, 0xAA, 0x82])


@test
def keys_of_the_gone():
    """T-KBC-7: a viewer that vanishes lets go of its keys"""
    with Screen() as g:
        g.keyboard()
        v = g.viewer()
        v.raw_key(0x1D)
        v.raw_key(0x2E)
        equal(g.scancodes(2), [0x1D, 0x2E])
        v.close()
        equal(sorted(g.scancodes(2)), [0x9D, 0xAE])


@test
def keys_of_a_killed_front_end():
    """a front-end that is killed: what its viewer held is let go"""
    with Screen() as g:
        g.keyboard()
        with g.viewer() as v:
            v.raw_key(0x1D)
            equal(g.scancodes(1), [0x1D])
            os.kill(g.processes()[1], signal.SIGKILL)
            equal(g.scancodes(1), [0x9D])


@test
def lamps():
    """the guest's Caps Lock lamp reaches the viewer"""
    with Screen() as g, g.keyboard().viewer() as v:
        v.wait(lambda: v.leds == 0)
        for byte in (0xED, 0x04):
            g.outb(0x60, byte)
            equal(g.scancodes(1), [0xFA])
        v.wait(lambda: v.leds == 4, ask=False)


@test
def mouse():
    """T-VNC-7: a guest with a mouse: the viewer is told relative, also the next one; movements reach it"""
    with Screen() as g:
        g.keyboard()
        g.outb(0x64, 0xD4)
        g.outb(0x60, 0xF4)
        until(lambda: g.inb(0x64) & 1, "no answer of the mouse")
        equal(g.inb(0x60), 0xFA)
        for _ in range(2):
            with g.viewer() as v:
                v.wait(lambda: v.absolute == 0)
                v.pointer(0x7FFF + 5, 0x7FFF + 3, 1)
                packet, end = [], time.monotonic() + 5
                while len(packet) < 3 and time.monotonic() < end:
                    if g.inb(0x64) & 1:
                        packet.append(g.inb(0x60))
                equal(packet, [0x29, 5, 0xFD])
            packet = []
            until(lambda: g.inb(0x64) & 1, "the button stays down")
            while len(packet) < 3:
                if g.inb(0x64) & 1:
                    packet.append(g.inb(0x60))
            equal(packet[0] & 7, 0)


# -- where ---------------------------------------------------------------------------------------------

@test
def busy_port():
    """to=: the first free port is taken and reported; without it the start fails, with its reason"""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for display in range(30, 80):
            try:
                taken.bind(("127.0.0.1", 5900 + display))
                break
            except OSError:
                continue
        taken.listen()
        with Screen("127.0.0.1:%d,to=99" % display) as g:
            assert g.port > 5900 + display
            g.viewer().close()
        try:
            with Screen("127.0.0.1:%d" % display):
                raise AssertionError("it started")
        except Failed as e:
            assert "cannot listen on 127.0.0.1, port %d" % (5900 + display) in str(e), e


@test
def unix_socket():
    """-vnc unix:PATH"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vnc")
        with Screen("unix:" + path) as g:
            vnc = g.qmp("query-vnc")
            equal((vnc["host"], vnc["family"], isinstance(vnc["service"], str)), (path, "unix", True))
            os.chmod(path, 0o666)
            g.fill(RED, 0, 0, 8, 8)
            with Viewer(path=path) as v:
                v.wait(lambda: v.pixel(0, 0) == RED)


@test
def ipv6():
    """-vnc [::1]:N"""
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        return
    with Screen("[::1]:20,to=99") as g:
        equal(g.qmp("query-vnc")["host"], "::1")
        socket.create_connection(("::1", g.port)).close()


@test
def websocket():
    """websocket=on: a browser's viewer sees the screen, types, and is answered when it pings"""
    with Screen("127.0.0.1:20,to=99,websocket=on") as g:
        g.keyboard().fill(RED, 0, 0, 8, 8)
        port = next(int(s["service"]) for s in g.qmp("query-vnc-servers")[0]["server"] if s["websocket"])
        with Viewer(port, websocket=True, encodings=(rfb.TIGHT,)) as v:
            v.wait(lambda: v.pixel(0, 0) == RED)
            v.raw_key(0x1E)
            equal(g.scancodes(1), [0x1E])
            equal(g.qmp("query-vnc")["clients"][0]["websocket"], True)
            v.sock.frame(9, b"are you there")
            opcode, data = v.sock.recv_frame()
            while opcode != 10:
                opcode, data = v.sock.recv_frame()
            equal(data, b"are you there")


@test
def two_displays():
    """two -vnc: two servers, one screen"""
    with Screen(args=["-vnc", "127.0.0.1:40,to=99"]) as g:
        g.fill(RED, 0, 0, 8, 8)
        servers = g.qmp("query-vnc-servers")
        equal(len(servers), 2)
        for server in servers:
            with Viewer(int(server["server"][0]["service"])) as v:
                v.wait(lambda: v.pixel(0, 0) == RED)


main()
