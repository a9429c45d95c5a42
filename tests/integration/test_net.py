# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards: frames both ways in both modes, links, unplug, save and restore."""

import os
import struct
import tempfile

import rtl8139
from fakexen import Guest, QmpError
from helpers import restored, save, video_frames
from rtl8139 import BROADCAST, Nic, card, checksum, dgram, frame, guest, link_is, nothing, pair
from tap import equal, main, test

SIZES = (60, 61, 64, 128, 333, 512, 1024, 1500, 1513, 1514)


def hmp(g, line):
    return g.qmp("human-monitor-command", {"command-line": line})


# ---- frames --------------------------------------------------------------------------------------


@test
def c_mode_both_ways():
    """four transmit descriptors and a receive ring that wraps"""
    with guest() as (g, wire):
        nic = Nic(g)
        equal(nic.mac().hex(), "00163e000000")
        nic.start_c()
        for i in range(80):
            data = frame(i, SIZES[i % len(SIZES)])
            nic.send_c(data)
            equal(wire.recv(65536), data, "sent frame %d" % i)
            wire.send(data)
            equal(nic.receive_c(), data, "received frame %d" % i)
        assert nic.isr() & 5 == 5
        to_another = frame(1, 64, b"\x02\1\2\3\4\5")
        wire.send(to_another)
        wire.send(frame(2, 64, nic.mac()))
        equal(nic.receive_c(), frame(2, 64, nic.mac()), "frames for others are filtered")


@test
def cplus_mode_both_ways():
    """descriptor rings, several frames a kick"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus()
        number = 0
        for burst in (1, 5, 30, 64, 64, 7):
            frames = [frame(number + i, SIZES[i % len(SIZES)]) for i in range(burst)]
            nic.send_cplus(frames)
            for data in frames:
                equal(wire.recv(65536), data)
            for data in frames:
                wire.send(data)
            for data in frames:
                equal(nic.receive_cplus(), data)
            number += burst


@test
def interrupts():
    """the line follows ISR and IMR in both directions"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus(imr=rtl8139.ROK | rtl8139.TOK)
        gsi = 16 + (nic.slot * 4 & 31)
        assert not g.gsi(gsi)
        wire.send(frame(1))
        g.x("wait-irq", gsi=gsi)
        nic.isr()
        assert not g.gsi(gsi)
        nic.send_cplus([frame(2)])
        assert g.gsi(gsi)
        nic.isr()
        assert not g.gsi(gsi)


@test
def large_send():
    """a TCP segment of 4000 bytes is cut, each part with its own sums"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus()
        payload = bytes(i * 7 & 0xFF for i in range(4000))
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 77, 0, 64, 6, 0,
                         bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
        tcp = struct.pack(">HHIIBBHHH", 1, 2, 1000, 0, 0x50, 0x18, 100, 0, 0)
        data = BROADCAST + b"\x02\0\0\0\0\1\x08\0" + ip + tcp + payload
        at = nic.buffer(0, 0)
        g.write(at, data)
        # over three descriptors, as a driver gives head and pages
        parts = [(0, 100), (100, 2000), (2100, len(data) - 2100)]
        for i, (start, size) in enumerate(parts):
            flags = rtl8139.OWN | rtl8139.LGSEN | 1000 << 16 | size
            flags |= rtl8139.FS if i == 0 else 0
            flags |= rtl8139.LS if i == len(parts) - 1 else 0
            g.write(nic.tx_ring + 16 * i, struct.pack("<IIQ", flags, 0, at + start))
        g.outb(nic.io + rtl8139.TPPOLL, 0x40)
        nic.wait_sent(len(parts) - 1)
        got, sequence = b"", 1000
        for i in range(4):
            part = wire.recv(65536)
            equal(checksum(part[14:34]), 0, "IP checksum of part %d" % i)
            pseudo = part[26:34] + struct.pack(">HH", 6, len(part) - 34)
            equal(checksum(pseudo + part[34:]), 0, "TCP checksum of part %d" % i)
            equal(struct.unpack(">I", part[38:42])[0], sequence)
            equal(bool(part[47] & 8), i == 3, "PSH")
            sequence += len(part) - 54
            got += part[54:]
        equal(got, payload)
        equal(nothing(wire, 0.1), None)


@test
def frames_wait_for_buffers():
    """what the guest has no room for stays outside and comes without a word when there is room"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus(descriptors=False)
        for i in range(20):
            wire.send(frame(i))
        nothing(wire, 0.2)
        equal(g.read(nic.rx_ring, 1024), bytes(1024))
        assert nic.isr() & rtl8139.RDU
        for i in range(nic.SLOTS):
            nic.give(i)
        got = []
        while len(got) < 20:
            data = nic.receive_cplus(3)
            assert data is not None, "frames %r came" % got
            got.append(struct.unpack_from("<I", data, 14)[0])
        equal(got, list(range(20)))


@test
def wire_that_is_not_read():
    """a full back-end stops the transmitter, not the process; all frames arrive, in order"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus()
        sent = 0
        try:
            for _ in range(40):
                nic.send_cplus([frame(sent + i, 1514) for i in range(16)])
                sent += 16
        except AssertionError:
            sent += 16
        assert g.qmp("query-status")["running"]
        for i in range(sent):
            equal(wire.recv(65536), frame(i, 1514), "frame %d of %d" % (i, sent))


@test
def stopped_guest():
    """no frame moves between stop and cont"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus()
        g.qmp("stop")
        wire.send(frame(5))
        before = g.read(nic.rx_ring, 1024)
        nothing(wire, 0.2)
        equal(g.read(nic.rx_ring, 1024), before)
        g.qmp("cont")
        equal(nic.receive_cplus(), frame(5))


# ---- links ---------------------------------------------------------------------------------------


@test
def set_link():
    """set_link by the name of card and back-end, seen in the registers"""
    with guest() as (g, wire):
        nic = Nic(g)
        nic.start_cplus(imr=rtl8139.LINKCHG)
        for name in ("nic0", "net0"):
            equal(g.qmp("set_link", {"name": name, "up": False}), {})
            link_is(g, nic.io, False)
            assert nic.isr(rtl8139.LINKCHG) & rtl8139.LINKCHG
            equal(g.inw(nic.io + 0x64) & 4, 0, "BMSR link status")
            nic.send_cplus([frame(1)])
            equal(nothing(wire, 0.2), None)
            wire.send(frame(2))
            equal(nic.receive_cplus(0.2), None)
            equal(g.qmp("set_link", {"name": name, "up": True}), {})
            link_is(g, nic.io, True)
            assert nic.isr(rtl8139.LINKCHG) & rtl8139.LINKCHG
            wire.send(frame(3))
            equal(nic.receive_cplus(), frame(3), "frames of the time without a cable are lost")
        try:
            g.qmp("set_link", {"name": "nic9", "up": False})
            assert False, "an unknown name was taken"
        except QmpError as e:
            equal(e.reply["class"], "DeviceNotFound")


@test
def info_network():
    """HMP's info network and set_link, as xl qemu-monitor-command uses them"""
    with guest() as (g, _):
        text = hmp(g, "info network")
        assert "nic0" in text and "macaddr=00:16:3e:00:00:00" in text and "net0" in text, text
        equal(hmp(g, "set_link nic0 off"), "")
        assert "link down" in hmp(g, "info network")
        link_is(g, Nic(g).io, False)


# ---- unplug --------------------------------------------------------------------------------------


@test
def unplug():
    """the platform device takes the cards away, in the middle of traffic and for good"""
    ours, theirs = pair()
    other, others = pair()
    with ours, theirs, other, others, Guest(
            args=card(0, dgram(theirs)) + card(1, dgram(others), "e1000"),
            pass_fds=(theirs.fileno(), others.fileno())) as g:
        nic = Nic(g)
        second = Nic(g, 5, 0xC300, 0xF3001000, 0x200000)
        nic.start_cplus()
        second.start_c()
        for i in range(8):
            ours.send(frame(i))
            other.send(frame(i))
        equal(g.inw(0x10), 0x49D2)
        g.outw(0x10, 2)
        for slot in (4, 5):
            equal(g.cfg(slot, 0, 0), 0xFFFFFFFF, "slot %d" % slot)
        equal(g.inl(nic.io), 0xFFFFFFFF)
        equal(g.readl(nic.mmio), 0xFFFFFFFF)
        memory = g.read(nic.ram, 0x20000)
        ours.send(frame(99))
        nothing(ours, 0.2)
        equal(g.read(nic.ram, 0x20000), memory, "memory after the unplug")
        g.outw(0x10, 2)
        assert g.cfg(3, 0, 0) != 0xFFFFFFFF, "the display is gone, too"
        assert "unplugged" in hmp(g, "info network")
        g.qmp("set_link", {"name": "nic0", "up": False})
        equal(g.status()[0], "running")


# ---- save and restore ----------------------------------------------------------------------------


def roundtrip(mode):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with guest() as (g, wire):
            nic = Nic(g)
            getattr(nic, "start_" + mode)()
            for i in range(70):
                getattr(nic, "send_" + mode)([frame(i)] if mode == "cplus" else frame(i))
                equal(wire.recv(65536), frame(i))
                wire.send(frame(i))
                equal(getattr(nic, "receive_" + mode)(), frame(i))
            wire.send(frame(70))  # received, not yet looked at by the driver
            assert nic.isr(rtl8139.ROK) & rtl8139.ROK
            save(g, path)
            memory = g.read(nic.ram, 0x60000)
            frames = video_frames(g)
        ours, theirs = pair()
        with ours, theirs, restored(path, frames, args=card(0, dgram(theirs)),
                                    pass_fds=(theirs.fileno(),)) as g:
            again = Nic(g, fresh=False)
            again.tx, again.rx, again.read = nic.tx, nic.rx, nic.read
            g.write(nic.ram, memory)
            equal(again.mac(), b"\0\x16\x3e\0\0\0")
            equal(getattr(again, "receive_" + mode)(), frame(70))
            for i in range(70):
                getattr(again, "send_" + mode)([frame(i)] if mode == "cplus" else frame(i))
                equal(ours.recv(65536), frame(i))
                ours.send(frame(i))
                equal(getattr(again, "receive_" + mode)(), frame(i))


@test
def saved_in_c_mode():
    """rings, indexes and a frame that the driver has not seen go along"""
    roundtrip("c")


@test
def saved_in_cplus_mode():
    """descriptor rings go on where they stood"""
    roundtrip("cplus")


@test
def saved_without_cable():
    """a pulled cable is still out after a restore; an unplugged card still gone"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with guest() as (g, _):
            Nic(g).start_cplus()
            g.qmp("set_link", {"name": "nic0", "up": False})
            save(g, path)
            frames = video_frames(g)
        for unplugged in (False, True):
            ours, theirs = pair()
            with ours, theirs, restored(path, frames, args=card(0, dgram(theirs)),
                                        pass_fds=(theirs.fileno(),)) as g:
                if unplugged:
                    equal(g.cfg(4, 0, 0), 0xFFFFFFFF)
                    g.outw(0x10, 2)
                    continue
                nic = Nic(g, fresh=False)
                link_is(g, nic.io, False)
                g.qmp("set_link", {"name": "nic0", "up": True})
                link_is(g, nic.io, True)
                g.outw(0x10, 2)
                save(g, path)


main()
