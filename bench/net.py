# SPDX-License-Identifier: GPL-2.0-or-later
"""Network rows: an RTL8139 on a tap, driven as its drivers drive it, in both of its modes.

Sending: the controller plays the driver; a frame in C mode is one port request, all frames of a
pass in C+ mode are one. Receiving: frames are put onto the wire while the device model stands still
(SIGSTOP), so that each pass has the same number of them, and what is measured begins when it goes
on. The floor is a loop of writev or readv on a tap of its own (netfloor.c): it has neither port
requests nor wake-ups, and so is compared with what one more frame costs in a pass, the difference
between long passes and short ones.

C mode once more with the driver on the other processor, as a guest's mostly is: there the device
model can look out for the next frame's request instead of going to sleep.
"""

import base64
import os
import signal
import socket
import struct
import subprocess
import time
from contextlib import ExitStack, contextmanager

from fakexen import Guest

SIZES = (64, 512, 1500)
IO = 0xC200
SLOT = 4
RING, RX_RING, TX_BUF, RX_BUF = 0x100000, 0x101000, 0x110000, 0x140000
C_RING = 0x180000  # 64 KiB and what runs over
ROOM = 2048
DESCRIPTORS = 64
MANY, FEW = 40, 4  # frames of a pass
OWN, EOR, FS, LS, LGSEN = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27
MSS, SEGMENT = 1448, 32768  # a large send: its parts, and its payload
HEADERS = 54
TSD, TSAD, RBSTART, CR, CAPR = 0x10, 0x20, 0x30, 0x37, 0x38
ISR, RCR, CPCR, RDSAR, TPPOLL = 0x3E, 0x44, 0xE0, 0xE4, 0xD9
MEASURED = ("slimdm", "qemu")


def missing():
    """Why there are no network rows here, or None."""
    if os.geteuid() or not os.access("/dev/net/tun", os.W_OK):
        return "network rows are not measured: they need root and /dev/net/tun"
    return None


def frame(size):
    """Broadcast, of a protocol that the host knows nothing of."""
    return b"\xff" * 6 + b"\x02\0\0\0\0\1\x88\xb5" + bytes(i & 0xFF for i in range(size - 14))


def tcp_frame():
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + SEGMENT, 7, 0, 64, 6, 0,
                     bytes((10, 9, 8, 1)), bytes((10, 9, 8, 2)))
    tcp = struct.pack(">HHIIBBHHH", 1, 2, 1000, 0, 0x50, 0x18, 100, 0, 0)
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0" + ip + tcp + bytes(SEGMENT)


class Card:
    """One guest with one card on a tap, and a packet socket at the tap's other end."""

    def __init__(self, stack, dm, core, pin):
        self.dm, self.name = dm, "bn%d-%s" % (os.getpid() % 100000, dm[0])
        self.g = Guest(dm=dm, start=False, args=[
            "-device", "rtl8139,id=nic0,netdev=net0,mac=00:16:3e:00:00:01",
            "-netdev", "type=tap,id=net0,ifname=%s,script=no,downscript=no" % self.name])
        stack.enter_context(self.g)
        pin(self.g.controller.pid, core)
        self.g.start()
        subprocess.run(["ip", "link", "set", self.name, "up"], check=True)
        self.wire = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self.wire.bind((self.name, 0))
        g = self.g
        g.cfg(SLOT, 0, 0x10, 4, IO)
        g.cfg(SLOT, 0, 0x04, 2, 7)

    def cpu(self):
        return int(self.g.cmd("x-cpu").split()[0].split("=")[-1])

    def arrived(self):
        """Frames that the host has got from the card."""
        with open("/sys/class/net/%s/statistics/rx_packets" % self.name, encoding="ascii") as f:
            return int(f.read())

    # -- modes -------------------------------------------------------------------------------------

    def start_c(self):
        g = self.g
        g.outb(IO + CR, 0x10)
        g.outl(IO + RBSTART, C_RING)
        g.outb(IO + CR, 0x0C)
        g.outl(IO + RCR, 3 << 11 | 0x0E)
        for i in range(4):
            g.outl(IO + TSAD + 4 * i, TX_BUF + i * ROOM)

    def start_cplus(self):
        g = self.g
        g.outb(IO + CR, 0x10)
        g.memset(RING, 0x2000, 0)
        g.outw(IO + CPCR, 3)
        for register, ring in ((RDSAR, RX_RING), (TSAD, RING)):
            g.outl(IO + register, ring)
            g.outl(IO + register + 4, 0)
        g.outb(IO + CR, 0x0C)
        g.outl(IO + RCR, 0x0E)

    def tx_ring(self, pieces):
        """Descriptors over (address, length, flags); the ring ends with the last."""
        return b"".join(struct.pack("<IIQ", flags | size | (EOR if i == len(pieces) - 1 else 0), 0,
                                    at) for i, (at, size, flags) in enumerate(pieces))

    def write_line(self, at, data):
        return "b64write %#x %#x %s" % (at, len(data), base64.b64encode(data).decode())

    # -- sending -----------------------------------------------------------------------------------

    def send(self, lines, passes, frames):
        """ns of processor time and of wall time for a pass, all of whose frames have to arrive."""
        self.g.loop(2, lines)
        before = self.arrived()
        r = self.g.loop(passes, lines)
        end = time.monotonic() + 5
        while self.arrived() - before < passes * frames and time.monotonic() < end:
            time.sleep(0.01)
        if self.arrived() - before < passes * frames:
            raise AssertionError("%s: %d frames of %d arrived"
                                 % (self.dm, self.arrived() - before, passes * frames))
        return r["cpu"] / passes, r["ns"] / passes

    def send_c(self, size, passes, frames):
        self.start_c()
        for i in range(4):
            self.g.write(TX_BUF + i * ROOM, frame(size))
        lines = ["outl %#x %#x" % (IO + TSD + 4 * (i % 4), size) for i in range(frames)]
        return self.send(lines + ["outw %#x 0xffff" % (IO + ISR)], passes, frames)

    def send_cplus(self, size, passes, frames):
        self.start_cplus()
        for i in range(DESCRIPTORS):
            self.g.write(TX_BUF + i * ROOM, frame(size))
        ring = self.tx_ring([(TX_BUF + i * ROOM, size, OWN | FS | LS) for i in range(frames)])
        return self.send([self.write_line(RING, ring), "outb %#x 0x40" % (IO + TPPOLL),
                          "outw %#x 0xffff" % (IO + ISR)], passes, frames)

    def large_send(self, passes):
        """ns of processor time and of wall time for a MiB of payload."""
        self.start_cplus()
        self.g.write(TX_BUF, tcp_frame())
        flags = OWN | LGSEN | MSS << 16
        pieces = []
        while len(pieces) + 9 <= DESCRIPTORS:
            pieces.append((TX_BUF, HEADERS, flags | FS))
            pieces += [(TX_BUF + HEADERS + i * 4096, 4096, flags | (LS if i == 7 else 0))
                       for i in range(8)]
        frames = len(pieces) // 9
        cpu, wall = self.send([self.write_line(RING, self.tx_ring(pieces)),
                               "outb %#x 0x40" % (IO + TPPOLL),
                               "outw %#x 0xffff" % (IO + ISR)], passes, frames)
        mib = frames * SEGMENT / (1 << 20)
        return cpu / mib, wall / mib

    # -- receiving ---------------------------------------------------------------------------------

    @contextmanager
    def standing(self):
        os.kill(self.g.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.g.pid, signal.SIGCONT)

    def receive(self, size, passes, frames, ready, done):
        data = frame(size)
        cpu = wall = 0
        for turn in range(-2, passes):
            before = self.cpu()
            with self.standing():
                ready()
                for _ in range(frames):
                    self.wire.send(data)
            begin = time.monotonic_ns()
            end = begin + 5_000_000_000
            while not done():
                time.sleep(20e-6)
                if time.monotonic_ns() > end:
                    raise AssertionError("%s: not all frames were received" % self.dm)
            if turn >= 0:
                wall += time.monotonic_ns() - begin
            self.g.outw(IO + ISR, 0xFFFF)
            if turn >= 0:
                cpu += self.cpu() - before
        return cpu / passes, wall / passes

    def receive_cplus(self, size, passes, frames):
        ring = b"".join(struct.pack("<IIQ", OWN | ROOM, 0, RX_BUF + i * ROOM)
                        for i in range(frames - 1))
        ring += struct.pack("<IIQ", OWN | EOR | ROOM, 0, RX_BUF + (frames - 1) * ROOM)
        self.start_cplus()
        self.g.write(RX_RING, ring)
        last = RX_RING + 16 * (frames - 1)
        return self.receive(size, passes, frames, lambda: self.g.write(RX_RING, ring),
                            lambda: not self.g.readl(last) & OWN)

    def receive_c(self, size, passes, frames):
        step = size + 4 + 4 + 3 & ~3
        self.start_c()
        at = 0

        def last():
            return C_RING + (at + (frames - 1) * step & 0xFFFF)

        def ready():
            self.g.writel(last(), 0)

        def done():
            nonlocal at
            if not self.g.readl(last()):
                return False
            at = at + frames * step & 0xFFFF
            self.g.outw(IO + CAPR, at - 16 & 0xFFFF)
            return True

        return self.receive(size, passes, frames, ready, done)


def floor_loop(program, core, what, size, passes):
    words = subprocess.run(["taskset", "-c", str(core), program, what, "bn%d-f" % (os.getpid() %
                                                                                  100000),
                            str(size), str(MANY), str(passes)],
                           check=True, capture_output=True, text=True).stdout.split()
    return {k: int(v) for k, v in (w.split("=") for w in words)}


@contextmanager
def on_core(core):
    """This process shares the others' processor, and so the caches: the floor is one process."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def add(table, name, dm, size, cpu, wall):
    """ns for one frame."""
    table.add(name + ", DM CPU", "us", dm, cpu / 1e3)
    table.add(name + ", speed", "frames/s", dm, 1e9 / wall)
    table.add(name + ", throughput", "MB/s", dm, size * 1e3 / wall)


def traffic(table, card, mode, what, size, passes, where=""):
    name = "%s mode, %s %d%s" % ("C+" if mode == "cplus" else "C", what, size, where)
    run = getattr(card, "%s_%s" % (what, mode))
    cpu, wall = run(size, passes, MANY)
    add(table, name, card.dm, size, cpu / MANY, wall / MANY)
    # In C mode each frame that is sent has a port request of its own.
    if (mode, what) != ("c", "send") and not where:
        few = run(size, passes, FEW)[0]
        table.add(name + ", one more", "us", card.dm, (cpu - few) / (MANY - FEW) / 1e3)


def rows(table, order, program, passes, core, pin, apart):
    """One round; `order` is that of the device models in it."""
    order = [dm for dm in order if dm in MEASURED]
    with ExitStack() as stack:
        cards = [Card(stack, dm, core, pin) for dm in order]
        stack.enter_context(on_core(core))
        for size in SIZES:
            floor = {what: floor_loop(program, core, what, size, passes * 2)
                     for what in ("send", "receive")}
            for mode in ("c", "cplus"):
                for what in ("send", "receive"):
                    for card in cards:
                        traffic(table, card, mode, what, size, passes)
                    if (mode, what) != ("c", "send"):
                        table.add("%s mode, %s %d, one more"
                                  % ("C+" if mode == "cplus" else "C", what, size),
                                  "us", "answerer", floor[what]["cpu"] / 1e3)
            for what, bare in floor.items():
                add(table, "bare %s, %d" % ("writev" if what == "send" else "readv", size),
                    "answerer", size, bare["cpu"], bare["wall"])
        for card in cards:
            with apart(card.g):
                for what in ("send", "receive"):
                    traffic(table, card, "c", what, SIZES[-1], passes, " on two processors")
        for card in cards:
            cpu, wall = card.large_send(passes)
            table.add("C+ mode, large send, DM CPU a MiB", "us", card.dm, cpu / 1e3)
            table.add("C+ mode, large send, throughput", "MB/s", card.dm, (1 << 20) * 1e3 / wall)
