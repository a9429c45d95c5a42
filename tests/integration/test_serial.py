# SPDX-License-Identifier: GPL-2.0-or-later
"""Serial ports and the keyboard, from the request to the terminal and back."""

import os
import random
import socket
import threading
import time
import tty

from fakexen import Guest
from helpers import wake_ups
from tap import equal, main, same_bytes, test

MIB = 1 << 20
PATIENCE = 30  # s without a byte
BLOCK = 4096
THR = RBR = 0x3F8
IER, FCR, IIR, LCR, LSR = 0x3F9, 0x3FA, 0x3FA, 0x3FB, 0x3FD


def pattern(size):
    return random.Random(size).randbytes(size)


def terminal(g, label="serial0"):
    """The pty of a serial port, as libxl finds it."""
    for one in g.qmp("query-chardev"):
        if one["label"] == label:
            assert one["filename"].startswith("pty:"), one
            return one["filename"][4:]
    raise AssertionError("no %s" % label)


def open_terminal(g):
    fd = os.open(terminal(g), os.O_RDWR | os.O_NOCTTY)
    time.sleep(0.1)
    return fd


def set_line(g):
    """115200 8N1, FIFO with a trigger level of 14."""
    g.outb(LCR, 0x80)
    g.outb(THR, 1)
    g.outb(IER, 0)
    g.outb(LCR, 0x03)
    g.outb(FCR, 0xC1)


def outsb(g, data, block, gpa=0x100000):
    """rep outsb in such blocks, each when the transmitter is empty. It keeps 16 for sure, more as
    long as somebody takes them."""
    g.write(gpa, data)
    for at in range(0, len(data), block):
        g.poll(LSR, 0x20, 0x20)
        g.x("rep", dir="out", port=THR, size=1, count=min(block, len(data) - at), gpa=gpa + at)


class Reader(threading.Thread):
    """Reads a descriptor until so many bytes have come, or none for half a minute."""

    def __init__(self, fd, size):
        super().__init__(daemon=True)
        self.fd, self.size, self.data = fd, size, b""
        os.set_blocking(fd, False)
        self.start()

    def run(self):
        end = time.monotonic() + PATIENCE
        while len(self.data) < self.size and time.monotonic() < end:
            try:
                self.data += os.read(self.fd, 65536)
                end = time.monotonic() + PATIENCE
            except BlockingIOError:
                time.sleep(0.001)

    def result(self):
        self.join()
        return self.data


def insb(g, size, gpa=0x200000):
    """What a driver with a trigger level of 14 reads, then the rest by the timeout."""
    data = b""
    g.outb(IER, 0x01)
    end = time.monotonic() + PATIENCE
    while len(data) < size and time.monotonic() < end:
        cause = g.inb(IIR) & 0x0F
        if cause in (0x04, 0x0C):
            end = time.monotonic() + PATIENCE
        if cause == 0x04:
            g.x("rep", dir="in", port=RBR, size=1, count=14, gpa=gpa)
            data += g.read(gpa, 14)
        elif cause == 0x0C:
            while g.inb(LSR) & 1:
                data += bytes([g.inb(RBR)])
    g.outb(IER, 0)
    return data


@test
def data_out():
    """256 KiB reach the terminal, no byte lost, however busy its reader is"""
    with Guest() as g:
        fd = open_terminal(g)
        set_line(g)
        data = pattern(MIB // 4)
        reader = Reader(fd, len(data))
        outsb(g, data, 16)
        same_bytes(reader.result(), data)
        os.close(fd)


@test
def bytes_out_one_by_one():
    """single OUTs, in order"""
    with Guest() as g:
        fd = open_terminal(g)
        data = bytes(range(32, 127)) * 4
        reader = Reader(fd, len(data))
        for c in data:
            g.outb(THR, c & 0x1F)  # the line is set to five bits after reset
        equal(reader.result(), bytes(c & 0x1F for c in data))
        os.close(fd)


@test
def data_in():
    """64 KiB typed at once arrive in the guest, no byte lost, no overrun"""
    with Guest() as g:
        fd = open_terminal(g)
        set_line(g)
        data = pattern(65536)
        threading.Thread(daemon=True, target=lambda: [os.write(fd, data[i:i + 1000])
                                                      for i in range(0, len(data), 1000)]).start()
        same_bytes(insb(g, len(data)), data)
        equal(g.inb(LSR) & 0x02, 0, "overrun")
        os.close(fd)


@test
def nobody_reads():
    """without a reader nothing stops, and the newest output waits for one"""
    with Guest() as g:
        set_line(g)
        data = pattern(MIB)
        began = time.monotonic()
        outsb(g, data, BLOCK)
        assert time.monotonic() - began < 60
        fd = os.open(terminal(g), os.O_RDWR | os.O_NOCTTY)
        same_bytes(Reader(fd, 65536).result(), data[-65536:])
        os.close(fd)


@test
def reader_sleeps():
    """a reader that does not read holds the guest up for a moment only"""
    with Guest() as g:
        fd = open_terminal(g)
        set_line(g)
        began = time.monotonic()
        outsb(g, pattern(MIB), BLOCK)
        assert time.monotonic() - began < 60
        os.close(fd)


@test
def readers_come_and_go():
    """the terminal is opened and closed again and again"""
    with Guest() as g:
        set_line(g)
        for n in range(20):
            fd = open_terminal(g)
            word = b"round %d" % n
            reader = Reader(fd, len(word))
            for c in word:
                g.outb(THR, c)
            equal(reader.result(), word)
            os.write(fd, b"!")
            g.poll(LSR, 1, 1)
            equal(g.inb(RBR), ord("!"))
            os.close(fd)


@test
def no_wake_ups():
    """no wake-up in three seconds: nobody there, somebody silent, somebody gone"""
    with Guest() as g:
        g.outb(THR, 65)
        time.sleep(0.5)
        fd = None
        for step in range(3):
            if step == 1:
                fd = open_terminal(g)
            elif step == 2:
                os.close(fd)
            time.sleep(0.5)
            before = wake_ups(g.pid)
            time.sleep(3)
            equal(wake_ups(g.pid) - before, 0, "wake-ups at step %d" % step)


@test
def four_ports_on_everything():
    """pty, file, UNIX socket and null; query-chardev names them as QEMU does"""
    with Guest(serial=["pty", "file:{dir}/out", "unix:{dir}/com3,server,nowait", "null"]) as g:
        names = {one["label"]: one["filename"] for one in g.qmp("query-chardev")}
        assert names["serial0"].startswith("pty:/dev/pts/"), names
        equal(names["serial1"], "file")
        equal(names["serial2"], "disconnected:unix:%s/com3,server=on" % g.dir)
        equal(names["serial3"], "null")
        equal(os.stat(g.dir + "/out").st_mode & 0o777, 0o600)
        equal(os.stat(g.dir + "/com3").st_mode & 0o777, 0o600)
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(5)
        peer.connect(g.dir + "/com3")
        for base in (0x3F8, 0x2F8, 0x3E8, 0x2E8):
            g.outb(base + 1, 0)
            equal(g.inb(base + 1), 0)
            g.outb(base + 1, 0x0F)
            equal(g.inb(base + 1), 0x0F)
            g.outb(base + 1, 0)
            g.outb(base + 3, 3)
            for c in b"hello":
                g.outb(base, c)
        equal(peer.recv(5, socket.MSG_WAITALL), b"hello")
        names = {one["label"]: one["filename"] for one in g.qmp("query-chardev")}
        equal(names["serial2"], "unix:%s/com3,server=on" % g.dir)
        end = time.monotonic() + 5
        while os.stat(g.dir + "/out").st_size < 5 and time.monotonic() < end:
            time.sleep(0.01)
        with open(g.dir + "/out", "rb") as f:
            equal(f.read(), b"hello")


@test
def no_serial_no_port():
    """without serial= there is no UART"""
    with Guest(serial=None) as g:
        equal(g.inb(LSR), 0xFF)
        g.outb(IER, 0x0F)
        equal(g.inb(IER), 0xFF)


@test
def terminal_is_private_and_raw():
    """mode 0600, raw, no echo"""
    with Guest() as g:
        name = terminal(g)
        equal(os.stat(name).st_mode & 0o777, 0o600)
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        attributes = tty.tcgetattr(fd)
        equal(attributes[3] & (tty.ECHO | tty.ICANON | tty.ISIG), 0)
        equal(attributes[1] & tty.OPOST, 0)
        os.close(fd)


@test
def keys_from_the_monitor():
    """send-key reaches the keyboard controller as scan codes"""
    with Guest() as g:
        g.outb(0x64, 0x60)
        g.outb(0x60, 0x41)
        g.qmp("send-key", {"keys": [{"type": "qcode", "data": "shift"},
                                    {"type": "qcode", "data": "home"}]})
        codes = []
        for _ in range(6):
            g.poll(0x64, 1, 1)
            codes.append(g.inb(0x60))
        equal(codes, [0x2A, 0xE0, 0x47, 0xE0, 0xC7, 0xAA])


main()
