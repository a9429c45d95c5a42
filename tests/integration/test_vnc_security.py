# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-vnc: who may look, and what no viewer can do to it, to others or to the guest."""

import os
import socket
import struct
import time

import rfb
from fakexen import Guest, QmpError
from helpers import until
from rfb import Closed, Refused, Viewer, connect
from screen import GREEN, RED, Screen, children
from tap import equal, main, test

# A sanitizer keeps what is freed for a while, which would look like memory that is not freed.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (
    os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1:thread_local_quarantine_size_kb=64")))


# -- who may look --------------------------------------------------------------------------------------

def refused(g, password, **options):
    try:
        g.viewer(password=password, **options).close()
    except (Refused, Closed):
        return True
    return False


@test
def password():
    """logins are refused until a password is set, then it counts (its first eight bytes)"""
    with Screen("127.0.0.1:20,to=99,password=on") as g:
        equal(g.qmp("query-vnc")["auth"], "vnc")
        assert refused(g, "")
        equal(g.qmp("change-vnc-password", {"password": "secret123"}), {})
        until(lambda: not refused(g, "secret12"), "the right password")
        assert refused(g, "secret")
        for version in (b"RFB 003.003\n", b"RFB 003.007\n"):
            g.viewer(password="secret12", version=version).close()
            assert refused(g, "wrong", version=version)
        assert "secret" not in g.log()


@test
def test_cve_2011_0011_empty_password_locks():
    """CVE-2011-0011: an empty password opens nothing"""
    with Screen("127.0.0.1:20,to=99,password=on") as g:
        g.qmp("set_password", {"protocol": "vnc", "password": "x"})
        until(lambda: not refused(g, "x"), "the right password")
        g.qmp("set_password", {"protocol": "vnc", "password": ""})
        until(lambda: refused(g, "x"), "still open")
        assert refused(g, "")
        raw = connect(g.port)
        equal(raw.recv(12), b"RFB 003.008\n")
        raw.sendall(b"RFB 003.008\n")
        equal(raw.recv(2), b"\x01\x02", "security types")
        raw.close()


@test
def expiry():
    """expire_password: now refuses, never accepts"""
    with Screen("127.0.0.1:20,to=99,password=on") as g:
        g.qmp("set_password", {"protocol": "vnc", "password": "x"})
        g.qmp("expire_password", {"protocol": "vnc", "time": "now"})
        until(lambda: refused(g, "x"), "it has expired")
        g.qmp("expire_password", {"protocol": "vnc", "time": "never"})
        until(lambda: not refused(g, "x"), "it is valid")


@test
def password_without_password():
    """a password for a display that asks for none is an error, not a promise"""
    with Screen() as g:
        for command, args in (("change-vnc-password", {"password": "x"}),
                              ("expire_password", {"protocol": "vnc", "time": "now"})):
            try:
                g.qmp(command, args)
            except QmpError as e:
                assert "password=on" in str(e), e
            else:
                raise AssertionError(command + " was accepted")


@test
def challenges_differ():
    """every login gets a challenge of its own"""
    with Screen("127.0.0.1:20,to=99,password=on") as g:
        g.qmp("change-vnc-password", {"password": "x"})
        until(lambda: not refused(g, "x"), "the right password")
        seen = set()
        for _ in range(5):
            with g.viewer(password="x") as v:
                seen.add(v.challenge)
        equal(len(seen), 5)


@test
def exclusive():
    """share: one who wants the screen alone ends the others, is turned away, or is not heeded"""
    for share, others_stay, admitted in (("allow-exclusive", False, True), ("force-shared", True, False),
                                         ("ignore", True, True)):
        with Screen("127.0.0.1:20,to=99,share=" + share) as g, g.viewer() as first:
            first.wait(lambda: first.rects > 0)
            try:
                second = g.viewer(shared=False)
                second.wait(lambda: second.rects > 0)
                equal(True, admitted, share)
                second.close()
            except Closed:
                equal(False, admitted, share)
            try:
                g.fill(RED, 0, 0, 10, 10)
                first.wait(lambda: first.pixel(0, 0) == RED)
                equal(True, others_stay, share)
            except (Closed, BrokenPipeError):
                equal(False, others_stay, share)


@test
def clients():
    """query-vnc and query-vnc-servers list viewers"""
    with Screen() as g:
        equal(g.qmp("query-vnc")["clients"], [])
        with g.viewer() as a, g.viewer() as b:
            for v in (a, b):
                v.wait(lambda v=v: v.rects > 0)
            listed = g.qmp("query-vnc")["clients"]
            equal(sorted(c["service"] for c in listed),
                  sorted(str(v.sock.getsockname()[1]) for v in (a, b)))
            equal(listed[0]["host"], "127.0.0.1")
            servers = g.qmp("query-vnc-servers")
            equal(len(servers), 1)
            equal(len(servers[0]["clients"]), 2)
        until(lambda: g.qmp("query-vnc")["clients"] == [], "viewers that have gone")


# -- what cannot happen ---------------------------------------------------------------------------------

@test
def test_cve_2017_15124_slow_viewer():
    """CVE-2017-15124: a viewer that never reads costs no memory and nobody's time"""
    with Screen(width=1024, height=768) as g:
        slow = g.viewer()
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pid = g.processes()[1]
        with g.viewer() as v:
            v.wait(lambda: v.rects > 0)

            def resident():
                with open("/proc/%d/statm" % pid) as f:
                    return int(f.read().split()[1]) * 4096
            for _ in range(300):
                slow.request(False)
            begin = resident()
            for n in range(12):
                g.fill(n + 1, 0, n * 60, 1024, 60)
                v.wait(lambda: v.pixel(0, n * 60) == n + 1 and v.pixel(1023, n * 60 + 59) == n + 1)
                for _ in range(100):
                    slow.request(False)
            assert resident() - begin < 2 * 1024 * 768 * 4 + (4 << 20), resident() - begin
        slow.close()


@test
def test_cve_2009_3616_gone_in_the_middle():
    """CVE-2009-3616: viewers that leave in the middle of an update, or break the protocol during one"""
    with Screen(width=1024, height=768) as g:
        before = g.processes()[1]
        for n in range(20):
            v = g.viewer(notices=())
            v.request(False)
            v.read(n * 7)
            if n % 2:
                v.sock.sendall(b"\x09")
            v.close()
        with g.viewer() as v:
            v.wait(lambda: v.rects > 0)
        equal(g.processes()[1], before, "the process")


@test
def test_cve_2017_2633_odd_width():
    """CVE-2017-2633: sizes that are no multiple of a tile, in every encoding, while they change"""
    with Screen(width=808, height=601) as g:
        for encoding in (rfb.HEXTILE, rfb.ZRLE, rfb.TIGHT):
            with g.viewer(encodings=(encoding,)) as v:
                for width, height in ((72, 37), (1000, 333), (808, 601)):
                    g.mode(width, height)
                    g.fill(RED, width - 3, height - 3, 3, 3)
                    v.wait(lambda: (v.width, v.height) == (width, height) and
                           v.pixel(width - 1, height - 1) == RED)
                    equal(v.pixel(width - 4, height - 1), 0)


@test
def test_cve_2019_20382_memory_after_viewers():
    """CVE-2019-20382, CVE-2020-29260, CVE-2017-15268: what viewers used is free when they have gone"""
    with Screen("127.0.0.1:20,to=99,websocket=on") as g:
        pid = g.processes()[1]
        port = next(int(s["service"]) for s in g.qmp("query-vnc-servers")[0]["server"] if s["websocket"])

        def resident():
            with open("/proc/%d/statm" % pid) as f:
                return int(f.read().split()[1]) * 4096
        sizes = []
        for _ in range(3):
            for n in range(10):
                with Viewer(port if n % 2 else g.port, websocket=bool(n % 2),
                            encodings=((rfb.ZRLE, rfb.TIGHT)[n // 2 % 2],)) as v:
                    v.wait(lambda: v.rects > 0)
            until(lambda: g.qmp("query-vnc")["clients"] == [], "viewers that have gone")
            sizes.append(resident())
        assert sizes[2] - sizes[1] < 1 << 20, sizes
        assert len(os.listdir("/proc/%d/fd" % pid)) < 20


@test
def test_cve_2019_15681_nothing_but_updates():
    """CVE-2019-15681, CVE-2018-21247: the server sends no text; a viewer that knows every extension gets none
    that was not asked of the gate"""
    with Screen(width=64, height=64) as g:
        with g.viewer(notices=(-1063131698, -312, -313, -309, -259, -314) + rfb.ALL_NOTICES) as v:
            v.sock.sendall(struct.pack(">BxxxI", 6, 4) + b"text")
            for colour in (RED, GREEN, RED):
                g.fill(colour, 0, 0, 64, 64)
                v.wait(lambda: v.pixel(63, 63) == colour)


def ends(g, data):
    """The server closes the connection on this, and goes on."""
    before = g.processes()[1]
    v = g.viewer(notices=())
    v.sock.sendall(data)
    try:
        v.request(False)
        while True:
            v.update()
            time.sleep(0.05)
            v.request(False)
    except (Closed, BrokenPipeError, ConnectionResetError):
        pass
    v.close()
    equal(g.processes()[1], before, "the process")


@test
def what_is_not_offered():
    """CVE-2014-7815, CVE-2015-8504, CVE-2014-6054, CVE-2020-25708, CVE-2015-5239 and more: the connection
    ends"""
    good = dict(bpp=32, depth=24, big=0, true=1, rmax=255, gmax=255, bmax=255, rs=16, gs=8, bs=0)

    def pixel_format(**change):
        f = dict(good, **change)
        return struct.pack(">BxxxBBBBHHHBBBxxx", 0, f["bpp"], f["depth"], f["big"], f["true"], f["rmax"],
                           f["gmax"], f["bmax"], f["rs"], f["gs"], f["bs"])
    with Screen(width=64, height=64) as g:
        for data in (pixel_format(bpp=255), pixel_format(bpp=24), pixel_format(bpp=0),
                     pixel_format(rmax=0), pixel_format(bmax=254), pixel_format(gs=30),
                     pixel_format(depth=0), pixel_format(true=0),
                     b"\x08\x00\x00\x00", b"\x0f\x00\x00\x00",        # SetScale
                     b"\x07" + bytes(11),                              # file transfer
                     b"\x0b\x00\x00\x00" + b"\xff" * 4,                # text chat
                     b"\xfa\x00\x01\x02",                              # xvp
                     b"\xff\x01\x00\x02" + bytes(8),                   # QEMU audio
                     struct.pack(">BxxxI", 6, 0xFFFFFFFF),             # cut text
                     struct.pack(">BxxxI", 6, 0x80000003),             # extended clipboard, short
                     struct.pack(">BxH", 2, 60000),                    # encodings
                     struct.pack(">BxHHBx", 251, 1, 1, 255)):          # screens
            ends(g, data)


@test
def cut_text_is_dropped():
    """a long text is read and forgotten; empty SetEncodings (CVE-2008-2382) is no loop"""
    with Screen(width=64, height=64) as g, g.viewer(notices=()) as v:
        v.sock.sendall(struct.pack(">BxxxI", 6, 1 << 20) + b"x" * (1 << 20))
        v.sock.sendall(struct.pack(">BxH", 2, 0))
        g.fill(RED, 0, 0, 64, 64)
        v.wait(lambda: v.pixel(63, 63) == RED)


@test
def test_cve_2023_3354_time_to_log_in():
    """CVE-2023-3354: at most four who have not logged in"""
    with Screen() as g, g.viewer() as v:
        idle = [connect(g.port) for _ in range(4)]
        for s in idle:
            equal(s.recv(12), b"RFB 003.008\n")
        fifth = connect(g.port)
        equal(fifth.recv(12), b"", "answer to the fifth")
        v.wait(lambda: v.rects > 0)
        for s in idle:
            s.close()
        until(lambda: connect(g.port).recv(12) == b"RFB 003.008\n", "no place is free again")


@test
def test_cve_2015_1779_websocket_header():
    """CVE-2015-1779: a request without end is not collected"""
    with Screen("127.0.0.1:20,to=99,websocket=on") as g:
        port = next(int(s["service"]) for s in g.qmp("query-vnc-servers")[0]["server"] if s["websocket"])
        for data in (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000, b"RFB 003.008\n\r\n\r\n", b"\0" * 5000):
            s = connect(port)
            try:
                s.sendall(data)
                equal(s.recv(100), b"")
            except (ConnectionResetError, BrokenPipeError):
                pass
            s.close()


@test
def no_input_before_login():
    """keys of one who has not logged in reach nobody"""
    with Screen("127.0.0.1:20,to=99,password=on") as g:
        g.keyboard()
        s = connect(g.port)
        s.recv(12)
        s.sendall(b"RFB 003.008\n")
        s.recv(2)
        s.sendall(b"\x02" + struct.pack(">BBHII", 255, 0, 1, 0, 0x1E) * 10)
        equal(g.scancodes(1, timeout=0.5), [])
        s.close()


@test
def test_xsa_119_none_is_none():
    """CVE-2015-2152 / XSA-119: -vnc none: no process, no port"""
    with Guest(vga="std") as g:
        equal(g.qmp("query-vnc"), {"enabled": False})
        equal(g.qmp("query-vnc-servers"), [])
        equal(children(g.pid), [])


main()
