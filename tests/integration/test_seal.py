# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's device model can do, and what it cannot, once it has given its rights away.
test_audit.py has what only a build without sanitizers can show."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from helpers import cdrom, firmware, identify, open_files, sanitized, save, status_of, video_frames
from rfb import Viewer
from screen import GREEN
from sealed import CTL, DRIVE, SERIAL, audit, free, restricted
from tap import equal, main, test

THR, IER, LCR, LSR = 0x3F8, 0x3F9, 0x3FB, 0x3FD
MEDIUM = {"id": "ide-5632", "format": "raw"}


def pass_file(g, path, flags):
    """The name under which the device model finds it."""
    fd = os.open(path, flags, 0o600)
    try:
        return "/dev/fdset/%d" % g.qmp("add-fd", fds=[fd])["fdset-id"]
    finally:
        os.close(fd)


def change_medium(g, name):
    g.qmp("blockdev-change-medium", dict(MEDIUM, filename=name))
    assert [b for b in g.qmp("query-block") if b.get("inserted")], "no medium"


def screenshot(g, name, path):
    g.qmp("screendump", {"filename": name})
    with open(path, "rb") as f:
        equal(f.read(2), b"P6")


def type_in(g):
    """A client of the serial port, both ways."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(g.dir + "/serial")
        g.outb(LCR, 3)
        g.poll(LSR, 0x20, 0x20)
        g.outb(THR, ord("a"))
        equal(client.recv(1), b"a")
        client.send(b"b")
        g.poll(LSR, 1, 1)
        equal(g.inb(THR), ord("b"))


def restart_viewer(g):
    port = g.port
    with Viewer(port) as v:
        v.wait(lambda: v.rects > 0)
        before = g.processes()[1]
        os.kill(before, signal.SIGKILL)
        end = time.monotonic() + 20
        while g.processes()[1] == before:
            assert time.monotonic() < end, "it was not restarted"
    g.fill(GREEN, 0, 0, 8, 8)
    with Viewer(port) as v:
        v.wait(lambda: v.pixel(0, 0) == GREEN)


def works(g, by_name):
    """All that the toolstack and viewers ask of a running guest."""
    def named(path, flags):
        return path if by_name else pass_file(g, path, flags)
    firmware(g)
    with cdrom() as iso, tempfile.TemporaryDirectory() as folder:
        change_medium(g, named(iso.path, os.O_RDONLY))
        equal(identify(g, 0x170, code=0xA1)[1] >> 6, 2)
        g.qmp("eject", {"id": "ide-5632"})
        picture = os.path.join(folder, "screen.ppm")
        screenshot(g, named(picture, os.O_WRONLY | os.O_CREAT), picture)
    type_in(g)
    restart_viewer(g)
    g.outb(0xCF9, 6)
    equal([(r["reason"], r["result"]) for r in g.records("shutdown")], [(1, 0)])
    equal(g.status()[0], "running")


def saves_and_goes_on(start):
    with tempfile.NamedTemporaryFile() as f:
        with start() as g:
            firmware(g)
            g.cfg(1, 1, 0x40, 2, 0x8123)
            frames = video_frames(g)
            save(g, f.name)
        fd = os.open(f.name, os.O_RDONLY)

        def memory(g):
            for gfn, nr in frames:
                g.x("balloon-in", gfn=gfn, nr=nr, invalidate=0)
        try:
            with start(incoming=["-incoming", "fd:%d" % fd], pass_fds=(fd,), before=memory) as g:
                equal(g.cfg(1, 1, 0x40, 2), 0x8123)
                if not sanitized(g.pid):
                    audit(g)
        finally:
            os.close(fd)


@test
def free_works():
    """CD by path, screenshot, serial client, front-end's restart, reboot"""
    with free(more=DRIVE + SERIAL) as g:
        works(g, True)


@test
def restricted_works():
    """the same by descriptors, with -xen-domid-restrict, -chroot and -runas"""
    with restricted(more=DRIVE + SERIAL) as g:
        works(g, False)


@test
def free_saves():
    """save, and restore into a sealed process"""
    saves_and_goes_on(free)


@test
def restricted_saves():
    """the same with dm_restrict"""
    saves_and_goes_on(restricted)


@test
def reconnects():
    """a serial port that calls its peer finds one that comes later"""
    folder = tempfile.mkdtemp()
    try:
        path = os.path.join(folder, "peer")
        with free(more=["-serial", "unix:%s,reconnect=1" % path]) as g:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(20)
            peer = listener.accept()[0]
            peer.settimeout(20)
            g.outb(LCR, 3)
            g.outb(THR, ord("x"))
            equal(peer.recv(1), b"x")
            peer.close()
            listener.close()
    finally:
        shutil.rmtree(folder)


# ---- what it has given away


@test
def audit_by_domain():
    """the process is found in xenstore"""
    with free() as g:
        g.cmd("x-xs-write /local/domain/1/image/device-model-pid %d" % g.pid)
        with open("/proc/%d/environ" % g.pid, "rb") as f:
            env = dict(v.decode().split("=", 1) for v in f.read().split(b"\0") if b"=" in v)
        ran = subprocess.run([CTL, "audit", "1"], capture_output=True, text=True, timeout=60,
                             env=dict(os.environ, FAKEXEN_SOCKET=env["FAKEXEN_SOCKET"],
                                      LD_LIBRARY_PATH=env["LD_LIBRARY_PATH"]))
        assert "process         %d, " % g.pid in ran.stdout, ran.stdout + ran.stderr


@test
def audit_of_another():
    """a process that has given nothing away fails line by line"""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "-runas", "1:1",
                              "-chroot", "/proc", "-xen-domid-restrict"])
    try:
        ran = subprocess.run([CTL, "--pid", str(child.pid), "audit", "1"], capture_output=True,
                             text=True, timeout=60)
        equal(ran.returncode, 1)
        for topic in ("user", "new privileges", "system calls", "root folder", "limit"):
            assert "\nFAIL  " + topic in ran.stdout, ran.stdout
        assert "does not hold" in ran.stderr, ran.stderr
    finally:
        child.kill()
        child.wait()
    ran = subprocess.run([CTL, "--pid", str(child.pid), "audit", "1"], capture_output=True)
    equal(ran.returncode, 1)


@test
def sandbox_off():
    """the only way out of the filter, with a warning; the rest is given away all the same"""
    with free(more=["-sandbox", "off"]) as g:
        s = status_of(g.pid)
        equal((s["Seccomp"], s["NoNewPrivs"]), ("0", "1"))
        equal(int(s["CapEff"], 16) & ~2, 0)
        assert "-sandbox off: system calls are not filtered" in g.log(), g.log()
        audit(g)


@test
def nothing_inherited():
    """a descriptor that no option names is closed"""
    with tempfile.NamedTemporaryFile() as stray, \
            tempfile.NamedTemporaryFile(suffix=".iso") as named:
        with free(more=["-add-fd", "fd=%d,set=1" % named.fileno()],
                  pass_fds=(stray.fileno(), named.fileno())) as g:
            files = open_files(g.pid)
            assert stray.name not in files, files
            assert named.name in files, files


main()
