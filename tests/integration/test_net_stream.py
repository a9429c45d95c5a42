# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards on stream sockets: servers, clients, lost peers, an unprivileged network."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import rtl8139
from fakexen import Guest
from rtl8139 import BROADCAST, Nic, card, checksum, frame, guest, link_is, pair
from tap import Skip, equal, main, test


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


def dhcp_discover(mac):
    bootp = struct.pack(">BBBBIHH16s16s192sI", 1, 1, 6, 0, 0x1234, 0, 0x8000, b"", mac, b"",
                        0x63825363) + bytes((53, 1, 1, 255))
    udp = struct.pack(">HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    ip = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                               bytes(4), b"\xff" * 4))
    ip[10:12] = struct.pack(">H", checksum(bytes(ip)))
    return BROADCAST + mac + b"\x08\0" + bytes(ip) + udp


@test
def passt():
    """an unprivileged network: passt answers the guest's DHCP"""
    if not shutil.which("passt"):
        raise Skip("needs passt")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)  # passt gives up root
        path = os.path.join(folder, "passt")
        with subprocess.Popen(["passt", "-f", "-q", "-s", path], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as server:
            end = time.monotonic() + 5
            while not os.path.exists(path):
                if server.poll() is not None or time.monotonic() > end:
                    server.kill()
                    raise Skip("passt does not run here: %s" % server.stderr.read()[-200:])
                time.sleep(0.05)
            with guest("stream,{id},server=off,reconnect=1,addr.type=unix,addr.path=" + path) \
                    as (g, _):
                nic = Nic(g)
                nic.start_cplus()
                link_is(g, nic.io, True)
                nic.send_cplus([dhcp_discover(nic.mac())])
                answer = b""
                while answer[34:38] != struct.pack(">HH", 67, 68):
                    answer = nic.receive_cplus()
                    assert answer, "no answer"
                equal(answer[46:50], struct.pack(">I", 0x1234), "transaction")
            server.kill()


main()
