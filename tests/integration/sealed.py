# SPDX-License-Identifier: GPL-2.0-or-later
"""A device model that has given its rights away: started by root without dm_restrict ("free"), and
with all of it ("restricted"); and what slimdm-ctl audit says of it."""

import contextlib
import os
import subprocess
import tempfile

from fakexen import program
from screen import Screen
from tap import Skip, equal

CTL = os.path.join(os.path.dirname(program("slimdm")), "ctl", "slimdm-ctl")
DRIVE = ["-drive", "if=none,readonly=on,id=ide-5632",
         "-device", "ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0"]
SERIAL = ["-serial", "unix:{dir}/serial,server=on,wait=off"]
UID, GID = 65551, 65534

# A process that dropped everything cannot be searched for leaks: the search attaches to itself.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"),
                                                    "detect_leaks=0")))


def free(more=(), incoming=(), **options):
    if os.geteuid() != 0:
        raise Skip("needs root, as libxl has it")
    return Screen(args=list(more) + list(incoming), serial=(), **options)


@contextlib.contextmanager
def restricted(more=(), incoming=(), **options):
    if os.geteuid() != 0:
        raise Skip("needs root, as libxl has it")
    folder = tempfile.mkdtemp(prefix="fx-root-")
    try:
        os.chmod(folder, 0)
        argv = ("-xen-domid 1 -no-shutdown -chardev socket,id=libxl-cmd,path={dir}/qmp-libxl-1,"
                "server=on,wait=off -mon chardev=libxl-cmd,mode=control -S -nodefaults "
                "-no-user-config -name locked -vnc 127.0.0.1:20,to=99 -display none "
                "-device VGA,vgamem_mb=16 -xen-domid-restrict -chroot %s -machine xenfv -m 248 "
                "-runas %d:%d" % (folder, UID, GID)).split()
        with Screen(argv=argv + list(more) + list(incoming), paused=True, **options) as g:
            yield g
    finally:
        os.rmdir(folder)


def audit(g, want=0):
    ran = subprocess.run([CTL, "--pid", str(g.pid), "audit", "1"], capture_output=True, text=True,
                         timeout=60)
    equal(ran.returncode, want, ran.stdout + ran.stderr)
    return ran.stdout
