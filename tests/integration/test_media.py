# SPDX-License-Identifier: GPL-2.0-or-later
"""CD change while running, as libxl asks for it: the guest sees it, a locked door stays shut."""

import os
import shutil
import struct
import subprocess
import tempfile

from atapi import ATTENTION, CHANGED, NO_MEDIUM, NOT_READY, attention, packet, sense
from fakexen import Guest, QmpError
from helpers import cdrom, identify, sanitized
from tap import Skip, equal, main, same_bytes, test

ID = {"id": "ide-5632"}


def media_event(g):
    """GET EVENT STATUS NOTIFICATION, polled, media class: (event, media status)."""
    data = packet(g, [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8], 8)
    return data[4] & 15, data[5]


def read(g, block, count=1):
    return packet(g, [0x28, 0, 0, 0, 0, block, 0, 0, count], 2048 * count)


def lock(g, on):
    assert packet(g, [0x1E, 0, 0, 0, int(on)]) is not None


def error_of(g, command, arguments):
    try:
        g.qmp(command, arguments)
    except QmpError as e:
        return e.reply["desc"]
    raise AssertionError("%s was not refused" % command)


def by_descriptor(g, path, fmt="raw", **more):
    """blockdev-change-medium of libxl 4.17 and later."""
    fd = os.open(path, os.O_RDONLY)
    got = g.qmp("add-fd", {"opaque": "%s:%s" % (fmt, path)}, fds=[fd])
    os.close(fd)
    g.qmp("blockdev-change-medium",
          dict(ID, filename="/dev/fdset/%d" % got["fdset-id"], format=fmt, **more))


def inserted(g):
    return [b for b in g.qmp("query-block") if b["device"] == "ide-5632"][0].get("inserted")


@test
def by_path_and_by_descriptor():
    """the guest gets a unit attention, then the new medium's size and data"""
    with cdrom(1) as a, cdrom(2) as b, Guest(cdrom=a.path) as g:
        identify(g, 0x170, code=0xA1)
        attention(g)
        same_bytes(read(g, 5), a.pread(20, 4))
        for change in (lambda: by_descriptor(g, b.path),
                       lambda: g.qmp("blockdev-change-medium",
                                     dict(ID, filename=b.path, format="raw")),
                       lambda: g.qmp("change", {"device": "ide-5632", "target": b.path,
                                                "arg": "raw"})):
            g.qmp("eject", ID)
            equal(inserted(g), None)
            equal(sense(g), (NOT_READY, NO_MEDIUM))
            change()
            assert (ATTENTION, CHANGED) in attention(g), "no unit attention"
            equal([media_event(g)[0] for _ in range(3)], [3, 2, 0], "removal, new media, no more")
            equal(packet(g, [0x25], 8)[:4], struct.pack(">I", 1023), "last block")
            same_bytes(read(g, 1000 % 256, 2), b.pread(1000 % 256 * 4, 8))
            equal(inserted(g)["image"]["virtual-size"], 2 << 20)


@test
def a_locked_door():
    """eject and change are refused and the guest is asked; force opens all the same"""
    with cdrom(1) as a, cdrom(2) as b, Guest(cdrom=a.path) as g:
        identify(g, 0x170, code=0xA1)
        attention(g)
        lock(g, True)
        assert "is locked" in error_of(g, "eject", ID)
        equal(media_event(g)[0], 1, "media event: eject request")
        assert "is locked" in error_of(g, "eject", {"device": "ide-5632"})
        assert "is locked" in error_of(g, "blockdev-open-tray", ID)
        assert "is locked" in error_of(g, "blockdev-change-medium",
                                       dict(ID, filename=b.path, format="raw"))
        assert [x["locked"] for x in g.qmp("query-block") if x["device"] == "ide-5632"] == [True]
        same_bytes(read(g, 7), a.pread(28, 4), "the medium that stays")
        # a guest that obeys
        lock(g, False)
        g.qmp("eject", ID)
        equal(sense(g), (NOT_READY, NO_MEDIUM))
        by_descriptor(g, a.path)
        attention(g)
        # and one that does not
        lock(g, True)
        by_descriptor(g, b.path, force=True)
        assert (ATTENTION, CHANGED) in attention(g)
        same_bytes(read(g, 7), b.pread(28, 4))
        lock(g, True)
        g.qmp("eject", dict(ID, force=True))
        equal(sense(g), (NOT_READY, NO_MEDIUM))
        # an empty drive cannot hold anything back
        lock(g, True)
        g.qmp("eject", ID)


@test
def trays():
    """blockdev-open-tray lets the medium go, blockdev-close-tray closes an empty drive"""
    with cdrom(1) as a, Guest(cdrom=a.path) as g:
        identify(g, 0x170, code=0xA1)
        attention(g)

        def tray():
            return [x["tray_open"] for x in g.qmp("query-block") if x["device"] == "ide-5632"][0]
        equal(tray(), False)
        g.qmp("blockdev-open-tray", ID)
        equal(tray(), True)
        equal(inserted(g), None)
        g.qmp("blockdev-close-tray", ID)
        equal(tray(), False)
        equal(sense(g), (NOT_READY, NO_MEDIUM))
        by_descriptor(g, a.path)
        same_bytes((attention(g), read(g, 3))[1], a.pread(12, 4))


@test
def a_medium_that_cannot_be():
    """a wrong file or format is refused by name, and the drive keeps what it has"""
    with cdrom(1) as a, Guest(cdrom=a.path) as g:
        identify(g, 0x170, code=0xA1)
        attention(g)
        assert "nowhere" in error_of(g, "blockdev-change-medium", dict(ID, filename="/nowhere"))
        assert "luks" in error_of(g, "blockdev-change-medium",
                                  dict(ID, filename=a.path, format="luks"))
        assert "neither a regular file" in error_of(g, "blockdev-change-medium",
                                                    dict(ID, filename="/dev/null", format="raw"))
        same_bytes(read(g, 9), a.pread(36, 4))


@test
def another_format():
    """a medium in qcow2, by descriptor: its server is started with -sandbox off only"""
    if not shutil.which("qemu-img") or not shutil.which("qemu-nbd"):
        raise Skip("no qemu-img, qemu-nbd")
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "cd.qcow2")
    try:
        with cdrom(1) as a:
            subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", a.path, path],
                           check=True)
        with cdrom(1) as a, Guest(cdrom="", args=["-sandbox", "off"]) as g:
            identify(g, 0x170, code=0xA1)
            by_descriptor(g, path, "qcow2")
            attention(g)
            equal(packet(g, [0x25], 8)[:4], struct.pack(">I", 511), "last block")
            same_bytes(read(g, 11, 2), a.pread(44, 8))
        with Guest(cdrom="") as g:
            if not sanitized(g.pid):
                fd = os.open(path, os.O_RDONLY)
                got = g.qmp("add-fd", {"opaque": "qcow2:" + path}, fds=[fd])
                os.close(fd)
                assert "-sandbox off" in error_of(
                    g, "blockdev-change-medium",
                    dict(ID, filename="/dev/fdset/%d" % got["fdset-id"], format="qcow2"))
                equal(g.qmp("query-status")["status"], "running")
    finally:
        shutil.rmtree(folder)


main()
