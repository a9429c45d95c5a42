# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver of the UHCI controller at 01.2 and of a HID device on its port 1.

The schedule is in guest memory, as a driver's: each frame goes through the interrupt queue of its
period, and then through the control queue.
"""

import struct
import time

IO = 0xC0C0
CMD, STS, INTR, FRNUM, FLBASE, PORTSC = 0, 2, 4, 6, 8, 0x10
LIST, QH_INT, QH_CTL, TDS, TD_INT = 0x700000, 0x701000, 0x701020, 0x702000, 0x703000
BUFFER, REPORT = 0x704000, 0x705000
TERMINATE, QUEUE, DEPTH = 1, 2, 4
ACTIVE, STALLED, IOC, ERRORS3, SHORT = 1 << 23, 1 << 22, 1 << 24, 3 << 27, 1 << 29
IN, OUT, SETUP = 0x69, 0xE1, 0x2D
PERIOD = 8  # frames, for an endpoint of 10 ms


def token(pid, address, endpoint, length):
    return ((length - 1) & 0x7FF) << 21 | endpoint << 15 | address << 8 | pid


class Uhci:
    def __init__(self, g, function=(1, 2)):
        self.g = g
        g.cfg(*function, 0x20, 4, IO)
        g.cfg(*function, 0x04, 2, 5)
        self.write(CMD, 2)
        entries = [(QH_INT if n % PERIOD == 3 else QH_CTL) | QUEUE for n in range(1024)]
        g.write(LIST, struct.pack("<1024I", *entries))
        g.write(QH_INT, struct.pack("<II", QH_CTL | QUEUE, TERMINATE))
        g.write(QH_CTL, struct.pack("<II", TERMINATE, TERMINATE))
        g.outl(IO + FLBASE, LIST)
        self.write(INTR, 15)
        self.write(CMD, 0xC1)

    def read(self, register):
        return self.g.inw(IO + register)

    def write(self, register, value):
        self.g.outw(IO + register, value)

    def td(self, at, link, status, tok, buffer):
        self.g.write(at, struct.pack("<IIII", link, status, tok, buffer))

    def reset_port(self, port=0):
        register = PORTSC + 2 * port
        self.write(register, 0x200)
        time.sleep(0.01)
        self.write(register, 0)
        self.write(register, 0x0E)
        return self.read(register)

    def control(self, address, kind, request, value, index, length, data=b"", timeout=3.0):
        """A control transfer; the bytes that came, or None when it has failed."""
        g, packets = self.g, (length + 7) // 8
        g.write(BUFFER, struct.pack("<BBHHH", kind, request, value, index, length) + data)
        towards_us = kind & 0x80
        self.td(TDS, TDS + 32 | DEPTH, ACTIVE | ERRORS3, token(SETUP, address, 0, 8), BUFFER)
        for n in range(packets):
            at = TDS + 32 * (n + 1)
            self.td(at, at + 32 | DEPTH, ACTIVE | ERRORS3 | (SHORT if towards_us else 0),
                    token(IN if towards_us else OUT, address, 0, min(8, length - 8 * n)),
                    BUFFER + 8 + 8 * n)
        last = TDS + 32 * (packets + 1)
        self.td(last, TERMINATE, ACTIVE | ERRORS3 | IOC,
                token(OUT if towards_us and length else IN, address, 0, 0), 0)
        g.writel(QH_CTL + 4, TDS)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            element = g.readl(QH_CTL + 4)
            if element & TERMINATE:
                got = [(g.readl(TDS + 32 * (n + 1) + 4) + 1) & 0x7FF for n in range(packets)
                       if not g.readl(TDS + 32 * (n + 1) + 4) & ACTIVE]
                return g.read(BUFFER + 8, sum(got)) if sum(got) else b""
            status = g.readl((element & ~15) + 4)
            if status & STALLED:
                g.writel(QH_CTL + 4, TERMINATE)
                return None
            time.sleep(0.002)
            # Done, and the queue has not moved on: a short packet. On to the status stage.
            if not status & ACTIVE and element != last and g.readl(QH_CTL + 4) == element:
                g.writel(QH_CTL + 4, last)
        return None

    def enumerate(self, address=5, port=0):
        self.reset_port(port)
        assert self.control(0, 0x00, 5, address, 0, 0) == b"", "SET_ADDRESS"
        time.sleep(0.01)
        assert self.control(address, 0x00, 9, 1, 0, 0) == b"", "SET_CONFIGURATION"
        self.write(STS, 0x1F)

    def ask(self, address=5):
        """A TD for the next report, linked without any register access."""
        self.td(TD_INT, TERMINATE, ACTIVE | ERRORS3 | IOC, token(IN, address, 1, 8), REPORT)
        self.g.writel(QH_INT + 4, TD_INT)

    def report(self, timeout=3.0):
        end = time.monotonic() + timeout
        while self.g.readl(TD_INT + 4) & ACTIVE:
            if time.monotonic() > end:
                return None
            time.sleep(0.001)
        return self.g.read(REPORT, (self.g.readl(TD_INT + 4) + 1) & 0x7FF)

    def poll_root_hub(self):
        """What Linux does four times a second."""
        return self.read(FRNUM), self.read(PORTSC), self.read(PORTSC + 2)
