# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-ctl beside a running guest."""

import os
import socket
import subprocess
import threading

from fakexen import Guest, program
from helpers import cdrom
from screen import RED, Screen
from tap import equal, main, test

CTL = os.path.join(os.path.dirname(program("slimdm")), "ctl", "slimdm-ctl")


def ctl(*words, want=0):
    """What it prints on standard output, or with an error on standard error."""
    ran = subprocess.run([CTL] + list(words), capture_output=True, text=True, timeout=60)
    equal(ran.returncode, want, "status of %r: %s" % (words, ran.stderr))
    equal(ran.stderr if not want else ran.stdout, "", "the other output")
    return ran.stderr if want else ran.stdout


@test
def screenshot():
    """a PPM and a PNG of the guest's screen by name; an old file is replaced; nothing else stays in the folder"""
    with Screen() as g:
        g.fill(RED, 0, 0, 640, 240)
        folder = os.path.join(g.dir, "pictures")
        os.mkdir(folder)
        ppm, png = os.path.join(folder, "a.PPM"), os.path.join(folder, "a")
        with open(png, "w") as f:
            f.write("old")
        for file in (ppm, png):
            equal(ctl("--socket", g.qmp_path, "screenshot", "1", file), "")
        data = open(ppm, "rb").read()
        equal(data[:15], b"P6\n640 480\n255\n")
        equal(data[15:18] + data[-3:], b"\xff\0\0\0\0\0")
        equal(open(png, "rb").read()[:8], b"\x89PNG\r\n\x1a\n")
        equal(sorted(os.listdir(folder)), ["a", "a.PPM"])
        equal(os.stat(png).st_mode & 0o777, 0o666 & ~_umask())
        equal(g.qmp("query-fdsets"), [], "descriptors it has left behind")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@test
def no_screen():
    """without a screen there is an error, no file, and an old one stays"""
    with Guest(vga=None) as g:
        file = os.path.join(g.dir, "old.png")
        with open(file, "w") as f:
            f.write("old")
        said = ctl("--socket", g.qmp_path, "screenshot", "1", file, want=1)
        equal(said, "slimdm-ctl: screendump: the guest has no display (vga=none)\n")
        equal(open(file).read(), "old")
        equal([n for n in os.listdir(g.dir) if n.startswith("old")], ["old.png"])


@test
def status():
    """run state, VNC with its viewers, drives; while the toolstack is connected"""
    with cdrom() as cd, Screen(cdrom=cd.path) as g, g.viewer() as v:
        v.wait(lambda: v.rects > 0)
        said = ctl("--socket", g.qmp_stat_path, "status", "1").splitlines()
        equal(said[:2], ["domain 1: running", "vnc: 127.0.0.1:%d, no password, 1 viewer" % g.port])
        equal(said[2], "viewer: 127.0.0.1:%d" % v.sock.getsockname()[1])
        assert "drive ide-5632: %s, raw, read-only" % cd.path in said, said
        g.qmp("stop")
        equal(ctl("--socket", g.qmp_path, "status", "1").splitlines()[0], "domain 1: paused")
    with Guest() as g:
        assert "vnc: none" in ctl("--socket", g.qmp_path, "status", "1").splitlines()


@test
def errors():
    """no such domain, a device model that has ended, what does not speak QMP, a wrong command line"""
    said = ctl("status", "31999", want=1)
    assert "domain 31999 has no device model here" in said, said
    with Guest() as g:
        dead, other = os.path.join(g.dir, "dead"), os.path.join(g.dir, "other")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(dead)
        said = ctl("--socket", dead, "status", "1", want=1)
        assert "has ended" in said, said
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(other)
            s.listen()
            threading.Thread(target=lambda: s.accept()[0].sendall(b"220 ready\r\n")).start()
            said = ctl("--socket", other, "status", "1", want=1)
            assert "does not speak QMP" in said, said
        said = ctl("--socket", g.qmp_path, "screenshot", "1", g.dir + "/missing/a.png", want=1)
        assert "cannot make %s/missing/a.png: No such file" % g.dir in said, said
    for words in ((), ("status",), ("status", "1", "2"), ("status", "x"), ("status", "-1"),
                  ("fly", "1"), ("--socket", "x"), ("status", "32752")):
        ctl(*words, want=2)
    assert "screenshot DOMID FILE" in ctl("--help")


main()
