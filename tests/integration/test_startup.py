# SPDX-License-Identifier: GPL-2.0-or-later
"""Start-up that cannot succeed: a clear message, exit status, nothing left behind."""

import errno
import os
import re
import subprocess

from fakexen import Guest, program
from tap import equal, main, test


def causes(log):
    """The lines that are neither notices of what was set up nor of where it ended."""
    return [line for line in log.splitlines()
            if not re.search("warning:|pseudo terminal|redirected to|start-up failed in", line)]


def fails(words, before=None, seconds=5, **options):
    """The device model must exit by itself, and its first complaint contains all the words."""
    with Guest(ready=False, before=before, **options) as g:
        status = g.status(seconds)
        lines = causes(g.log())
        assert status[0] == "exited" and status[1] not in (0, 127), "%r: %r" % (status, lines)
        assert 1 <= len(lines) <= 2, "lines in the log: %r" % lines  # a cause and what it spoiled
        for word in words:
            assert word.lower() in lines[0].lower(), "no %r in %r" % (word, lines[0])
        equal(g.xs("device-model/1/state"), None, "state in xenstore")
        left = [s for s in g.state() if s["kind"] == "server"]
        equal(left, [], "ioreq servers left behind")
        assert not os.path.exists(g.qmp_path), "QMP socket left behind"


def refused(name, error, skip=0):
    text = os.strerror(error)
    fails([text], lambda g: g.x("fail", name=name, errno=error, skip=skip, times=1 << 30))


@test
def no_hypervisor():
    """handles that cannot be opened"""
    for name in ("xendevicemodel_open", "xenforeignmemory_open", "xenevtchn_open", "xs_open",
                 "xencall_open"):
        refused(name, errno.EACCES)


@test
def no_server():
    """no ioreq server"""
    refused("xendevicemodel_create_ioreq_server", errno.ENOSPC)
    refused("xendevicemodel_get_ioreq_server_info", errno.ENOENT)
    refused("xendevicemodel_set_ioreq_server_state", errno.EPERM)


@test
def no_pages():
    """server pages that cannot be mapped"""
    refused("xenforeignmemory_map_resource", errno.ENOMEM)

    def old(g):
        g.x("set", no_resource=1)
        g.x("fail", name="xenforeignmemory_map", errno=errno.EINVAL)
    fails([os.strerror(errno.EINVAL)], old)


@test
def no_events():
    """event channels that cannot be bound, the first, a later one, the ring's"""
    for skip in (0, 2, 4):
        with Guest(vcpus=4, ready=False, before=lambda g: g.x(
                "fail", name="xenevtchn_bind_interdomain", errno=errno.EINVAL, skip=skip)) as g:
            assert g.status(5)[0] == "exited", "call %d" % skip
            assert os.strerror(errno.EINVAL) in g.log(), g.log()


@test
def no_ranges():
    """ranges and functions that Xen refuses"""
    refused("xendevicemodel_map_io_range_to_ioreq_server", errno.ENOMEM, skip=3)
    refused("xendevicemodel_map_pcidev_to_ioreq_server", errno.EEXIST, skip=1)


@test
def no_memory():
    """no room for video memory"""
    fails(["memory"], lambda g: g.x("set", max_pages=g.domain()["pages"] + 100))
    refused("populate_physmap", errno.EPERM)


@test
def no_xenstore():
    """ready cannot be told"""
    refused("xs_write", errno.EACCES)


@test
def no_domain():
    """a domain that does not exist"""
    with Guest(ready=False, argv=None, before=lambda g: g.cmd("x-destroy")) as g:
        assert g.status(5)[0] == "exited"
        assert "no such process" in g.log().lower() or "domain" in g.log().lower(), g.log()


@test
def bad_options():
    """options, values and files that do not exist are named"""
    fails(["-bogus"], args=["-bogus"])
    fails(["/nonexistent/image"], disk="/nonexistent/image")
    fails(["cache", "sometimes"], args=["-drive", "file=/dev/null,if=ide,index=1,media=disk,"
                                        "format=raw,cache=sometimes"])
    fails(["-serial", "nowhere"], args=["-serial", "nowhere"])
    fails(["machine", "toaster"], machine="toaster")


@test
def without_xen():
    """-help and -version need no hypervisor"""
    slimdm = program("slimdm")
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FAKEXEN")}
    for option, word in (("-help", "-xen-domid"), ("-version", "version")):
        run = subprocess.run([slimdm, option], env=plain, capture_output=True, text=True,
                             timeout=10)
        equal(run.returncode, 0, "exit status of %s" % option)
        assert word in run.stdout, run.stdout[:200]


@test
def probe():
    """the probe run of newer toolstacks touches no domain and answers"""
    with Guest(argv=["-S", "-no-user-config", "-nodefaults", "-nographic", "-machine",
                     "none,accel=xen", "-chardev",
                     "socket,id=libxl-cmd,path={dir}/qmp-libxl-1,server=on,wait=off",
                     "-mon", "chardev=libxl-cmd,mode=control"], ready=False) as g:
        options = g.qmp("query-command-line-options")
        assert all(isinstance(o["option"], str) for o in options), options
        equal(g.qmp("quit"), {})
        equal(g.status(5), ("exited", 0))
        equal(g.records(), [])


@test
def only_stable_libraries():
    """nothing of libxenctrl, libxenguest or libxenlight is linked"""
    out = subprocess.run(["readelf", "-d", program("slimdm")], capture_output=True, text=True,
                         check=True).stdout
    needed = re.findall(r"NEEDED.*\[(.*?)\]", out)
    assert needed, out
    for name in needed:
        assert not re.match(r"libxen(ctrl|guest|light|util|stat)", name), name


main()
