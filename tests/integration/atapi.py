# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands of an ATAPI CD-ROM drive at hdc, and what it says of its medium."""

from helpers import BSY, DRQ, ERR

NOT_READY, ILLEGAL, ATTENTION = 2, 5, 6
NO_MEDIUM, CHANGED = 0x3A, 0x28


def packet(g, cdb, want=2048):
    """An ATAPI command with PIO data; None when it fails."""
    base = 0x170
    for at, value in ((6, 0xA0), (1, 0), (4, want & 0xFF), (5, want >> 8), (7, 0xA0)):
        g.outb(base + at, value)
    g.poll(base + 7, BSY | DRQ, DRQ)
    cdb = list(cdb) + [0] * (12 - len(cdb))
    for low, high in zip(cdb[::2], cdb[1::2]):
        g.outw(base, low | high << 8)
    data = b""
    while True:
        status = g.poll(base + 7, BSY, 0)
        if status & ERR:
            return None
        if not status & DRQ:
            return data
        count = g.inb(base + 4) | g.inb(base + 5) << 8
        g.insw(base, 0x100000, count // 2)
        data += g.read(0x100000, count)


def sense(g):
    packet(g, [0])
    data = packet(g, [3, 0, 0, 0, 18], 18)
    return data[2] & 15, data[12]


def attention(g):
    """All senses until the drive is ready again."""
    codes = []
    while len(codes) < 6 and packet(g, [0]) is None:
        data = packet(g, [3, 0, 0, 0, 18], 18)
        codes.append((data[2] & 15, data[12]))
    return codes
