# SPDX-License-Identifier: GPL-2.0-or-later
"""dm_restrict: started as libxl does it, then without privilege, root folder, or other domains."""

import os
import shutil
import signal
import socket
import tempfile
import time

from fakexen import Guest, Qmp
from helpers import cdrom, firmware, identify, status_of
from tap import Skip, equal, main, test

UID, GID = 65551, 65534

# A process that dropped everything cannot be searched for leaks: the search attaches to itself.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"),
                                                    "detect_leaks=0")))


class Restricted:
    """A guest with dm_restrict=1: listening socket by descriptor, -S, chroot, -runas."""

    def __init__(self, more=(), **options):
        if os.geteuid() != 0:
            raise Skip("needs root, as libxl has it")
        self.folder = tempfile.mkdtemp(prefix="fx-root-")
        self.empty = os.path.join(self.folder, "root")
        os.mkdir(self.empty, 0)
        self.path = os.path.join(self.folder, "qmp")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(5)
        fd = listener.fileno()
        argv = ["-xen-domid", "1", "-no-shutdown",
                "-chardev", "socket,id=libxl-cmd,fd=%d,server=on,wait=off" % fd, "-S",
                "-mon", "chardev=libxl-cmd,mode=control",
                "-chardev", "socket,id=libxenstat-cmd,path={dir}/stat,server=on,wait=off",
                "-mon", "chardev=libxenstat-cmd,mode=control",
                "-nodefaults", "-no-user-config", "-name", "locked", "-vnc", "none",
                "-display", "none", "-device", "VGA,vgamem_mb=16", "-boot", "order=c",
                "-xen-domid-restrict", "-chroot", self.empty,
                "-machine", "xenfv,suppress-vmdesc=on", "-m", "248"] + list(more)
        argv += ["-runas", "%d:%d" % (UID, GID)]
        try:
            self.g = Guest(argv=argv, pass_fds=(fd,), ready=False, **options)
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        finally:
            listener.close()

    def __enter__(self):
        self.q = Qmp(self.path)
        equal(self.q.call("query-status")["status"], "prelaunch")
        return self.g, self.q

    def __exit__(self, *what):
        self.q.close()
        self.g.__exit__(*what)
        shutil.rmtree(self.folder)


@test
def without_privilege():
    """user, groups, capabilities, root folder; Xen handles only for the domain"""
    with Restricted() as (g, q):
        equal([r["domid"] for r in g.records("restrict")], [1])
        s = status_of(g.pid)
        equal(s["Uid"].split(), [str(UID)] * 4)
        equal(s["Gid"].split(), [str(GID)] * 4)
        equal(s["Groups"].split() in ([], [str(GID)]), True, "no further groups")
        equal(int(s["CapEff"], 16) | int(s["CapPrm"], 16) | int(s["CapAmb"], 16), 0)
        root = os.readlink("/proc/%d/root" % g.pid)
        assert root.endswith("/root") and root != "/", root


@test
def serves():
    """requests, interrupts, BAR moves and the ring work as before"""
    with Restricted() as (g, q):
        equal(q.call("cont"), {})
        firmware(g)
        equal(g.cfg(0, 0, 0), 0x12378086)
        dev = next(d for d in range(2, 6) if g.cfg(d, 0, 0) == 0x11111234)
        g.cfg(dev, 0, 0x10, 4, 0xF0000000)
        g.cfg(dev, 0, 4, 2, 3)
        g.write(0xF0000000, b"abc")
        equal(g.read(0xF0000000, 3), b"abc")
        bad = [r for r in g.records() if r["result"] and r["kind"] != "map-resource"]
        equal(bad, [])


@test
def media_by_descriptor():
    """a CD is exchanged by descriptor, as no path leads anywhere"""
    drive = ["-drive", "if=none,readonly=on,id=ide-5632",
             "-device", "ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0"]
    with cdrom() as iso, Restricted(more=drive) as (g, q):
        q.call("cont")
        fd = os.open(iso.path, os.O_RDONLY)
        got = q.call("add-fd", {"opaque": "raw:" + iso.path}, fds=[fd])
        os.close(fd)
        q.call("blockdev-change-medium", {"id": "ide-5632", "format": "raw",
                                          "filename": "/dev/fdset/%d" % got["fdset-id"]})
        equal(identify(g, 0x170, code=0xA1)[1] >> 6, 2)
        equal([b for b in q.call("query-block") if b.get("inserted")] != [], True)


@test
def guest_powers_off():
    """shutdown and reboot still reach the hypervisor"""
    with Restricted() as (g, q):
        q.call("cont")
        firmware(g)
        g.outw(0xB004, 0x2000)
        equal([(r["reason"], r["result"]) for r in g.records("shutdown")], [(0, 0)])


@test
def saves():
    """the state goes to the passed descriptor"""
    with Restricted() as (g, q), tempfile.NamedTemporaryFile() as f:
        q.call("cont")
        q.call("stop")
        got = q.call("add-fd", fds=[f.fileno()])
        q.call("xen-save-devices-state", {"filename": "/dev/fdset/%d" % got["fdset-id"]})
        assert 0 < os.path.getsize(f.name) < 262144


@test
def ends():
    """SIGHUP ends it quickly"""
    with Restricted() as (g, q):
        start = time.monotonic()
        equal(g.kill(signal.SIGHUP.value), ("exited", 0))
        assert time.monotonic() - start < 1.5


@test
def refused_restriction():
    """when restriction fails it never goes on"""
    if os.geteuid() != 0:
        raise Skip("needs root, as libxl has it")
    with Guest(args=["-xen-domid-restrict"], ready=False, before=lambda g: g.x(
            "fail", name="xentoolcore_restrict_all", errno=95)) as g:
        word, code = g.status(5)
        assert word == "exited" and code, (word, code)
        assert "restrict" in g.log().lower(), g.log()
        equal(g.xs("device-model/1/state"), None)


main()
