# SPDX-License-Identifier: GPL-2.0-or-later
"""Character back-ends as a guest that obeys THRE meets them; a socket in both directions."""

import os
import select
import socket
import tempfile
import time
import tty

from fakexen import Guest
from tap import equal, main, same_bytes, test

THRE, DR = 0x20, 0x01


def pty_of(g, label="serial0"):
    name = [c["filename"] for c in g.qmp("query-chardev") if c["label"] == label][0]
    assert name.startswith("pty:"), name
    fd = os.open(name[4:], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    return fd


def collect(fd, size, seconds=10.0):
    data, end = b"", time.monotonic() + seconds
    while len(data) < size and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data += os.read(fd, 65536)
            except BlockingIOError:
                continue
    return data


def line(g, base=0x3F8, fifo=True):
    g.outb(base + 3, 0x83)
    g.outb(base, 1)
    g.outb(base + 1, 0)
    g.outb(base + 3, 3)
    g.outb(base + 2, 0x07 if fifo else 0)
    g.outb(base + 4, 0x0B)


def send(g, data, base=0x3F8, burst=16):
    """As a driver does it: a burst whenever THRE shows room."""
    for i in range(0, len(data), burst):
        g.poll(base + 5, THRE, THRE)
        g.write(0x100000, data[i:i + burst])
        g.x("rep", dir="out", port=base, size=1, count=len(data[i:i + burst]), gpa=0x100000)


@test
def nobody_reads():
    """a pty without a reader stops neither guest nor monitor, and says busy like a UART"""
    with Guest() as g:
        fd = pty_of(g)
        line(g)
        written = 0
        while written < 200000 and g.inb(0x3FD) & THRE:
            g.write(0x100000, bytes((written + i) & 0xFF for i in range(16)))
            g.x("rep", dir="out", port=0x3F8, size=1, count=16, gpa=0x100000)
            written += 16
        start = time.monotonic()
        equal(g.qmp("query-status")["running"], True)
        equal(g.cfg(0, 0, 0), 0x12378086)
        got = collect(fd, written, 5)
        same_bytes(got, bytes(i & 0xFF for i in range(written)), "what was accepted")
        g.poll(0x3FD, THRE, THRE)
        for _ in range(2000):
            g.outb(0x3F8, 0x2A)  # a guest that does not look at THRE
        equal(g.qmp("query-status")["running"], True)
        assert time.monotonic() - start < 10
        os.close(fd)


@test
def four_ports():
    """four ports on a pty, a file, a socket and nothing, each with its own bytes"""
    with tempfile.TemporaryDirectory() as folder:
        path, log = os.path.join(folder, "s"), os.path.join(folder, "log")
        with Guest(serial=["pty", "file:" + log, "unix:%s,server,nowait" % path, "null"]) as g:
            fd = pty_of(g)
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(path)
            bases = (0x3F8, 0x2F8, 0x3E8, 0x2E8)
            for i, base in enumerate(bases):
                line(g, base)
                send(g, b"port %d\n" % i, base)
            equal(collect(fd, 7), b"port 0\n")
            peer.settimeout(5)
            equal(peer.recv(100), b"port 2\n")
            g.poll(0x2FD, 0x60, 0x60)
            end = time.monotonic() + 3
            while time.monotonic() < end and os.path.getsize(log) < 7:
                time.sleep(0.01)
            with open(log, "rb") as f:
                equal(f.read(), b"port 1\n")
            peer.sendall(b"back")
            g.poll(0x3ED, DR, DR)
            equal(bytes(g.inb(0x3E8) for _ in range(4)), b"back")
            equal(g.inb(0x2FD) & DR, 0)
            peer.close()
            send(g, b"nobody", 0x3E8)
            equal(g.status()[0], "running")
            os.close(fd)


main()
