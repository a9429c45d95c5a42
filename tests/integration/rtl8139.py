# SPDX-License-Identifier: GPL-2.0-or-later
"""A small driver for the RTL8139C+ in both of its modes, by the registers of its data sheet."""

import contextlib
import socket
import struct
import time

from fakexen import Guest

IDR, TSD, TSAD, RBSTART, CR, CAPR = 0x00, 0x10, 0x20, 0x30, 0x37, 0x38
IMR, ISR, RCR, MSR, CPCR, RDSAR, TPPOLL = 0x3C, 0x3E, 0x44, 0x58, 0xE0, 0xE4, 0xD9
RST, RE, TE, BUFE = 0x10, 0x08, 0x04, 0x01
ROK, TOK, RDU, LINKCHG = 0x0001, 0x0004, 0x0010, 0x0020
TSD_OWN, TSD_TOK = 1 << 13, 1 << 15
LINKB = 0x04
OWN, EOR, FS, LS, LGSEN = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27
IPCS, TCPCS = 1 << 18, 1 << 16

BROADCAST = b"\xff" * 6


def pair(kind=socket.SOCK_DGRAM):
    """(ours, the device model's) ends of a pair of sockets."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.settimeout(5)
    return ours, theirs


def card(number, backend, model="rtl8139", mac=None, extra=""):
    """Arguments for a card and its -netdev, in libxl's order."""
    mac = mac or "00:16:3e:00:00:%02x" % number
    return ["-device", "%s,id=nic%d,netdev=net%d,mac=%s%s" % (model, number, number, mac, extra),
            "-netdev", backend.replace("{id}", "id=net%d" % number)]


def dgram(sock):
    return "dgram,{id},local.type=fd,local.str=%d" % sock.fileno()


def frame(number, size=64, to=BROADCAST):
    """A frame that shows its number."""
    head = to + b"\x02\0\0\0\0\1" + b"\x88\xb5" + struct.pack("<I", number)
    return head + bytes((number + i) & 0xFF for i in range(size - len(head)))


def checksum(data):
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Nic:
    """The card in a slot, BARs as firmware gives them; memory from `ram` on is the driver's."""

    SLOTS = 64
    SIZE = 2048

    def __init__(self, g, slot=4, io=0xC200, mmio=0xF3000000, ram=0x100000, fresh=True):
        self.g, self.slot, self.io, self.mmio, self.ram = g, slot, io, mmio, ram
        self.tx = self.rx = self.read = 0
        if fresh:
            g.cfg(slot, 0, 0x10, 4, io)
            g.cfg(slot, 0, 0x14, 4, mmio)
            g.cfg(slot, 0, 0x04, 2, 7)

    def mac(self):
        return bytes(self.g.inb(self.io + i) for i in range(6))

    def isr(self, wait=0, timeout=5.0):
        """Waits for bits of ISR, acknowledges all that are set."""
        end = time.monotonic() + timeout
        while True:
            got = self.g.inw(self.io + ISR)
            if got & wait == wait or time.monotonic() > end:
                self.g.outw(self.io + ISR, got)
                return got

    def reset(self):
        self.g.outb(self.io + CR, RST)
        self.g.poll(self.io + CR, RST, 0)
        self.tx = self.rx = self.read = 0

    # -- C mode: four transmit descriptors, one receive ring ---------------------------------------

    RING = 32768

    def start_c(self, imr=0):
        g = self.g
        self.reset()
        g.memset(self.ram, self.RING + 2048, 0)
        g.outl(self.io + RBSTART, self.ram)
        g.outl(self.io + RCR, 2 << 11 | 0x80 | 0x0E)
        g.outw(self.io + IMR, imr)
        g.outb(self.io + CR, RE | TE)
        g.outl(self.io + RCR, 2 << 11 | 0x80 | 0x0E)

    def send_c(self, data):
        g, i = self.g, self.tx % 4
        at = self.ram + 0x10000 + i * self.SIZE
        g.write(at, data)
        g.outl(self.io + TSAD + 4 * i, at)
        g.outl(self.io + TSD + 4 * i, len(data))
        self.tx += 1
        end = time.monotonic() + 5
        while g.inl(self.io + TSD + 4 * i) & (TSD_OWN | TSD_TOK) != TSD_OWN | TSD_TOK:
            assert time.monotonic() < end, "descriptor %d is not given back" % i

    def receive_c(self, timeout=5.0):
        """The next frame, without FCS; None when none has come in time."""
        g = self.g
        end = time.monotonic() + timeout
        while g.inb(self.io + CR) & BUFE:
            if time.monotonic() > end:
                return None
        status, size = struct.unpack("<HH", g.read(self.ram + self.read, 4))
        assert status & 1, "status %#x" % status
        data = g.read(self.ram + self.read + 4, size - 4)  # it may run over the end: WRAP is set
        self.read = (self.read + size + 4 + 3 & ~3) % self.RING
        g.outw(self.io + CAPR, self.read - 16 & 0xFFFF)
        return data

    # -- C+ mode: rings of descriptors -------------------------------------------------------------

    @property
    def tx_ring(self):
        return self.ram

    @property
    def rx_ring(self):
        return self.ram + 0x1000

    def buffer(self, ring, i):
        return self.ram + 0x10000 + (ring * self.SLOTS + i) * self.SIZE

    def give(self, i):
        """Receive descriptor i to the chip."""
        self.g.write(self.rx_ring + 16 * i, struct.pack(
            "<IIQ", OWN | (EOR if i == self.SLOTS - 1 else 0) | self.SIZE, 0, self.buffer(1, i)))

    def start_cplus(self, cpcr=3, imr=0, descriptors=True):
        g = self.g
        self.reset()
        g.memset(self.ram, 0x2000, 0)
        for i in range(self.SLOTS if descriptors else 0):
            self.give(i)
        g.outw(self.io + CPCR, cpcr)
        g.outl(self.io + RDSAR, self.rx_ring)
        g.outl(self.io + RDSAR + 4, 0)
        g.outl(self.io + TSAD, self.tx_ring)
        g.outl(self.io + TSAD + 4, 0)
        g.outb(self.io + CR, RE | TE)
        g.outl(self.io + RCR, 0x0E)
        g.outw(self.io + IMR, imr)

    def send_cplus(self, frames, flags=0):
        """Several frames by one kick; waits until the last descriptor is the driver's again."""
        g, i = self.g, 0
        for data in frames:
            i = self.tx % self.SLOTS
            at = self.buffer(0, i)
            g.write(at, data)
            g.write(self.tx_ring + 16 * i, struct.pack(
                "<IIQ", OWN | FS | LS | flags | len(data) |
                (EOR if i == self.SLOTS - 1 else 0), 0, at))
            self.tx += 1
        g.outb(self.io + TPPOLL, 0x40)
        self.wait_sent(i)

    def wait_sent(self, i):
        end = time.monotonic() + 5
        while self.g.readl(self.tx_ring + 16 * i) & OWN:
            assert time.monotonic() < end, "descriptor %d is not given back" % i

    def receive_cplus(self, timeout=5.0):
        g, i = self.g, self.rx % self.SLOTS
        end = time.monotonic() + timeout
        while True:
            status = g.readl(self.rx_ring + 16 * i)
            if not status & OWN:
                break
            if time.monotonic() > end:
                return None
        assert status & (FS | LS) == FS | LS, "status %#x" % status
        data = g.read(self.buffer(1, i), (status & 0x1FFF) - 4)
        self.give(i)
        self.rx += 1
        return data


# ---- guests with a card


@contextlib.contextmanager
def guest(backend=None, args=(), **options):
    """(guest, the socket at the other end of its one card)."""
    ours, theirs = pair()
    with ours, theirs:
        with Guest(args=card(0, backend or dgram(theirs)) + list(args),
                   pass_fds=(theirs.fileno(),), **options) as g:
            yield g, ours


def nothing(sock, seconds=0.3):
    sock.settimeout(seconds)
    try:
        return sock.recv(65536)
    except (socket.timeout, BlockingIOError):
        return None
    finally:
        sock.settimeout(5)


def link_is(g, io, up, seconds=5.0):
    g.poll(io + MSR, LINKB, 0 if up else LINKB, timeout=seconds)
