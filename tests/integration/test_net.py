# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards: frames both ways in both modes, links, unplug, save and restore, the ROM."""

import contextlib
import os
import socket
import struct
import tempfile

import rtl8139
from fakexen import Failed, Guest, QmpError
from helpers import restored, save, video_frames
from rtl8139 import BROADCAST, Nic, card, dgram, frame, pair
from tap import Skip, equal, main, test

SIZES = (60, 61, 64, 128, 333, 512, 1024, 1500, 1513, 1514)
ROM = "/usr/lib/ipxe/qemu/efi-rtl8139.rom"


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


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


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


# ---- stream sockets --------------------------------------------------------------------------------


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, "the connection has ended"
        data += more
    return data


def get(sock):
    return read_exactly(sock, struct.unpack(">I", read_exactly(sock, 4))[0])


def put(sock, data):
    sock.sendall(struct.pack(">I", len(data)) + data)


def link_is(g, io, up, seconds=5.0):
    g.poll(io + rtl8139.MSR, rtl8139.LINKB, 0 if up else rtl8139.LINKB, timeout=seconds)


@test
def stream_server():
    """a listening stream socket: link up while somebody is connected"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net")
        backend = "stream,{id},server=on,addr.type=unix,addr.path=" + path
        with guest(backend) as (g, _):
            nic = Nic(g)
            nic.start_cplus()
            link_is(g, nic.io, False)
            for turn in range(3):
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.settimeout(5)
                    peer.connect(path)
                    link_is(g, nic.io, True)
                    for i in range(10):
                        nic.send_cplus([frame(i, 1514)])
                        equal(get(peer), frame(i, 1514))
                        put(peer, frame(i, 1000))
                        equal(nic.receive_cplus(), frame(i, 1000))
                    if turn == 1:
                        peer.sendall(b"\xff\xff\xff\xff garbage")  # no length that a frame has
                        equal(peer.recv(1), b"")
                link_is(g, nic.io, False)


@test
def stream_client():
    """reconnect=: the link comes back with the server"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net")
        backend = "stream,{id},server=off,reconnect=1,addr.type=unix,addr.path=" + path
        with guest(backend) as (g, _):
            nic = Nic(g)
            nic.start_c()
            for _ in range(2):
                with socket.socket(socket.AF_UNIX) as server:
                    server.bind(path)
                    server.listen(1)
                    server.settimeout(10)
                    peer, _ = server.accept()
                    with peer:
                        peer.settimeout(5)
                        link_is(g, nic.io, True)
                        nic.send_c(frame(1))
                        equal(get(peer), frame(1))
                        put(peer, frame(2))
                        equal(nic.receive_c(), frame(2))
                os.unlink(path)
                link_is(g, nic.io, False)


@test
def lost_peer():
    """the other end of a socket pair goes away: the cable is out, the guest lives"""
    ours, theirs = pair(socket.SOCK_STREAM)
    with theirs, Guest(args=card(0, "stream,{id},addr.type=fd,addr.str=%d" % theirs.fileno()),
                       pass_fds=(theirs.fileno(),)) as g:
        theirs.close()
        nic = Nic(g)
        nic.start_cplus(imr=rtl8139.LINKCHG)
        link_is(g, nic.io, True)
        ours.close()
        link_is(g, nic.io, False)
        assert nic.isr(rtl8139.LINKCHG) & rtl8139.LINKCHG
        nic.send_cplus([frame(1)])  # into nowhere
        equal(g.status()[0], "running")


# ---- links -----------------------------------------------------------------------------------------


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


# ---- unplug ----------------------------------------------------------------------------------------


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


# ---- save and restore --------------------------------------------------------------------------------


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


# ---- taps ------------------------------------------------------------------------------------------


def interface(name):
    return "/sys/class/net/" + name


@contextlib.contextmanager
def tap_guest(number):
    name = "fx%d-%d" % (os.getpid() % 100000, number)
    if os.geteuid() or not os.access("/dev/net/tun", os.W_OK):
        raise Skip("needs root and /dev/net/tun")
    with Guest(args=card(0, "tap,{id},ifname=%s,br=xenbr0,script=no,downscript=no" % name)) as g:
        assert os.path.exists(interface(name)), "no interface when the toolstack is told"
        os.system("ip link set %s up" % name)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as wire:
            wire.bind((name, 0x88B5))
            wire.settimeout(5)
            yield g, wire, name
    assert not os.path.exists(interface(name)), "the interface is left over"


@test
def tap_by_name():
    """libxl's words: the interface is there when we are ready, and carries frames"""
    with tap_guest(0) as (g, wire, _):
        for mode in ("c", "cplus"):
            nic = Nic(g)
            getattr(nic, "start_" + mode)()
            receive = getattr(nic, "receive_" + mode)
            for i, size in enumerate(SIZES):
                getattr(nic, "send_" + mode)([frame(i, size)] if mode == "cplus"
                                             else frame(i, size))
                equal(wire.recv(65536), frame(i, size))
                wire.send(frame(i, size))
                data = receive()
                while data[12:14] != b"\x88\xb5":  # the host speaks, too
                    data = receive()
                equal(data, frame(i, size))


@test
def tap_checksums_by_the_host():
    """a large send goes out whole and is cut, with sums, by whoever needs it"""
    with tap_guest(1) as (g, _, name), \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
        wire.bind((name, 0x0800))
        wire.settimeout(5)
        nic = Nic(g)
        nic.start_cplus()
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + 1900, 77, 0, 64, 6, 0,
                         bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
        tcp = struct.pack(">HHIIBBHHH", 1, 2, 1000, 0, 0x50, 0x18, 100, 0, 0)
        data = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0" + ip + tcp + b"z" * 1900
        nic.send_cplus([data], rtl8139.LGSEN | 1000 << 16)
        seen = 0
        while seen < 1900:
            seen += len(wire.recv(65536)) - 54
        equal(seen, 1900)


@test
def tap_of_an_unplugged_card():
    """it stays for the toolstack's scripts, without a carrier"""
    with tap_guest(2) as (g, _, name):
        def carrier():
            with open(interface(name) + "/carrier", encoding="ascii") as f:
                return f.read().strip()
        equal(carrier(), "1")
        g.outw(0x10, 2)
        equal(g.cfg(4, 0, 0), 0xFFFFFFFF)
        equal(carrier(), "0")


@test
def tap_taken_away():
    """somebody deletes the interface: the cable is out, the guest lives"""
    with tap_guest(3) as (g, _, name):
        nic = Nic(g)
        nic.start_cplus()
        link_is(g, nic.io, True)
        os.system("ip link del %s" % name)
        link_is(g, nic.io, False)
        equal(g.status()[0], "running")
        assert "gone" in g.log()


# ---- the machine -------------------------------------------------------------------------------------


@test
def eight_cards():
    """eight cards in eight slots, of whatever model; a ninth is refused"""
    models = ["rtl8139", "e1000", "ne2k_pci", "pcnet", "virtio-net-pci", "vmxnet3", "e1000e",
              "rtl8139"]
    with contextlib.ExitStack() as stack:
        args, fds, wires = [], [], []
        for i, model in enumerate(models):
            ours, theirs = pair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            args += card(i, dgram(theirs), model)
            fds.append(theirs.fileno())
            wires.append(ours)
        with Guest(args=args, pass_fds=fds) as g:
            for i, wire in enumerate(wires):
                equal(g.cfg(4 + i, 0, 0), 0x813910EC, "slot %d" % (4 + i))
                equal(g.cfg(4 + i, 0, 0x2C), 0x11001AF4, "subsystem")
                nic = Nic(g, 4 + i, 0xC200 + 0x100 * i, 0xF3000000 + 0x1000 * i,
                          0x100000 + 0x60000 * i)
                equal(nic.mac()[5], i)
                nic.start_cplus()
                nic.send_cplus([frame(i)])
                equal(wire.recv(65536), frame(i))
                wire.send(frame(i))
                equal(nic.receive_cplus(), frame(i))
            for model in models[1:-1]:
                equal(g.log().count("the guest gets an rtl8139 in place of the %s\n" % model), 1)
        with Guest(args=args + ["-device", "rtl8139"], pass_fds=fds, ready=False) as g:
            assert g.status(5)[1] != 0
            assert "up to 8" in g.log(), g.log()


@test
def old_words():
    """-net nic and -net tap's relatives: a card without a back-end has no cable"""
    with Guest(args=["-net", "nic,vlan=0,macaddr=00:16:3e:00:00:09,model=e1000"]) as g:
        slot = next(d["slot"] for b in g.qmp("query-pci") for d in b["devices"]
                    if d["class_info"]["class"] == 0x200)
        nic = Nic(g, slot)
        equal(nic.mac()[5], 9)
        nic.start_cplus()
        link_is(g, nic.io, False)
        nic.send_cplus([frame(1)])


@test
def option_rom():
    """iPXE's ROM in the expansion ROM BAR; another by romfile=, none by romfile="""
    if not os.path.exists(ROM):
        raise Skip("needs " + ROM)
    with open(ROM, "rb") as f:
        rom = f.read()

    def look(extra):
        ours, theirs = pair()
        with ours, theirs, Guest(args=card(0, dgram(theirs), extra=extra),
                                 pass_fds=(theirs.fileno(),)) as g:
            g.cfg(4, 0, 0x30, 4, 0xFFFFF800)
            size = -(g.cfg(4, 0, 0x30) & 0xFFFFF800) & 0xFFFFFFFF
            if not size:
                return 0, b""
            g.cfg(4, 0, 0x30, 4, 0xF3100001)
            g.cfg(4, 0, 0x04, 2, 7)
            return size, g.read(0xF3100000, 4096) + g.read(0xF3100000 + len(rom) - 4096, 4096)

    equal(look(""), (262144, rom[:4096] + rom[-4096:]))
    size, data = look(",romfile=pxe-rtl8139.rom")
    equal((size, data[:2]), (131072, b"\x55\xaa"))
    equal(look(",romfile=")[0], 0)
    equal(look(",rombar=0")[0], 0)
    with contextlib.suppress(Failed), \
            Guest(args=["-device", "rtl8139,romfile=nowhere.rom"], ready=False) as g:
        assert g.status(5)[1] != 0
        assert "nowhere.rom" in g.log()


main()
