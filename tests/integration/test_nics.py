# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards on taps of the host, and in the machine: eight of them, old words, the ROM."""

import contextlib
import os
import socket
import struct

import rtl8139
from fakexen import Failed, Guest
from rtl8139 import Nic, card, dgram, frame, link_is, pair
from tap import Skip, equal, main, test

SIZES = (60, 333, 1500, 1514)
ROM = "/usr/lib/ipxe/qemu/efi-rtl8139.rom"


# ---- taps ----------------------------------------------------------------------------------------


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


# ---- the machine ---------------------------------------------------------------------------------


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
