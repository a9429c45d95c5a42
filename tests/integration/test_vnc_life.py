# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-vnc as a process: its rights, its end, its return, and its rest."""

import os
import signal
import tempfile
import time

from fakexen import program as path_of
from helpers import until, wake_ups
from rfb import Viewer
from screen import GREEN, RED, Screen, check_sandbox, gone
from tap import Skip, equal, main, test


@test
def restarted():
    """a killed front-end comes back on the same port; the guest does not notice; a new viewer connects"""
    with Screen() as g:
        port = g.port
        with g.viewer() as v:
            v.wait(lambda: v.rects > 0)
            for number in range(2):
                before = g.processes()[1]
                os.kill(before, signal.SIGKILL)
                equal(g.cfg(0, 0, 0), 0x12378086, "a register, at once")
                until(lambda: g.processes()[1] != before, "it was not restarted")
        g.fill(GREEN, 0, 0, 8, 8)
        with Viewer(port) as v:
            v.wait(lambda: v.pixel(0, 0) == GREEN)
        assert "was ended by signal 9; it is started again" in g.log(), g.log()
        equal(g.status()[0], "running")


@test
def stuck():
    """a front-end that does not answer is noticed, ended and started again"""
    with Screen() as g:
        v = g.viewer()
        v.wait(lambda: v.rects > 0)
        before = g.processes()[1]
        os.kill(before, signal.SIGSTOP)
        g.fill(RED, 0, 0, 640, 400)
        equal(g.cfg(0, 0, 0), 0x12378086)
        until(lambda: g.processes()[1] != before, "it is still there", 25)
        assert "has not answered" in g.log(), g.log()
        with g.viewer() as again:
            again.wait(lambda: again.pixel(0, 0) == RED)
        v.close()


@test
def ends_with_the_guest():
    """nothing of it stays behind, even when the device model is killed"""
    with Screen() as g:
        pids = g.processes()
        g.kill()
        until(lambda: all(gone(p) for p in pids), "%r stay" % (pids,))
    with Screen() as g:
        pids = g.processes()
        g.qmp("quit")
        until(lambda: all(gone(p) for p in pids), "%r stay" % (pids,))


@test
def sandbox():
    """the front-end: another user, no new privileges, a filter, no memory of the guest, no other files"""
    with Screen() as g, g.viewer() as v:
        v.wait(lambda: v.rects > 0)
        check_sandbox(g, g.processes()[1], ("socket:", "anon_inode:"))


@test
def restricted():
    """dm_restrict=1 with its limit of 256 KiB a file: the screen is shown, by processes of the guest's user"""
    if os.geteuid() != 0:
        raise Skip("needs root, as libxl has it")
    # In a container root may be without the right to lift limits, which it has in dom0.
    with open("/proc/self/status") as f:
        capabilities = next(int(line.split()[1], 16) for line in f if line.startswith("CapEff"))
    limit = "ulimit -f 512" if capabilities >> 24 & 1 else ":"
    with tempfile.TemporaryDirectory() as folder:
        program, empty = os.path.join(folder, "limited"), os.path.join(folder, "empty")
        with open(program, "w") as f:
            f.write("#!/bin/sh\n%s\nexec '%s' \"$@\"\n" % (limit, path_of("slimdm")))
        os.chmod(program, 0o755)
        os.mkdir(empty, 0)
        argv = ("-xen-domid 1 -no-shutdown -chardev socket,id=libxl-cmd,path={dir}/qmp-libxl-1,server=on,"
                "wait=off -mon chardev=libxl-cmd,mode=control -S -nodefaults -no-user-config -name locked "
                "-vnc 127.0.0.1:20,to=99 -display none -device VGA,vgamem_mb=16 -xen-domid-restrict "
                "-chroot %s -machine xenfv -m 248 -runas 65551:65534" % empty).split()
        with Screen(dm=program, argv=argv, paused=True) as g:
            g.fill(GREEN, 0, 0, 640, 480)
            with g.viewer() as v:
                v.wait(lambda: v.pixel(639, 479) == GREEN)
            for pid in g.processes():
                with open("/proc/%d/status" % pid) as f:
                    uid = next(line.split()[1:] for line in f if line.startswith("Uid:"))
                equal(uid, ["65551"] * 4)


@test
def quiet():
    """nobody looks: neither the device model nor its front-end is woken; a static screen: rarely"""
    with Screen() as g:
        supervisor, frontend = g.processes()
        g.viewer().close()
        time.sleep(0.5)
        before = [wake_ups(p) for p in (g.pid, supervisor, frontend)]
        time.sleep(1)
        equal([wake_ups(p) for p in (g.pid, supervisor, frontend)], before, "switches while idle")
        with g.viewer() as v:
            v.wait(lambda: v.rects > 0)
            time.sleep(2)
            before = wake_ups(g.pid)
            time.sleep(1)
            woken = wake_ups(g.pid) - before
            assert woken <= 10, "%d wake-ups in a second of a static screen" % woken


main()
