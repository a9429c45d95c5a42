# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP as libxl and libxenstat speak it, and as a careless client does."""

import json
import os
import socket
import struct
import tempfile
import time
import zlib

from fakexen import Guest, Qmp, QmpError
from helpers import BSY, DRQ, ERR, Image, cdrom, firmware, identify, read_pio, status_of, vga_text
from tap import equal, main, test


@test
def greeting():
    """the first line says QEMU 7.2 and no capabilities; lines end in CR LF; ids come back"""
    with Guest() as g:
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(g.qmp_path)
        raw.settimeout(5)
        line = raw.recv(65536)
        assert line.endswith(b"\r\n"), line
        hello = json.loads(line)["QMP"]
        version = hello["version"]["qemu"]
        equal((version["major"], version["minor"], version["micro"]), (7, 2, 0))
        equal(hello["capabilities"], [])
        raw.sendall(b'{"execute":"qmp_capabilities","id":2020372736}\r\n')
        reply = raw.recv(65536)
        assert reply.endswith(b"\r\n"), reply
        equal(json.loads(reply), {"return": {}, "id": 2020372736})
        raw.close()


@test
def create():
    """what xl create asks after the ready signal"""
    with Guest(serial=["pty", "null"]) as g:
        chardevs = {c["label"]: c["filename"] for c in g.qmp("query-chardev")}
        assert chardevs["serial0"].startswith("pty:/dev/"), chardevs
        assert "serial1" in chardevs
        vnc = g.qmp("query-vnc")
        assert isinstance(vnc["enabled"], bool)
        if vnc["enabled"]:
            assert isinstance(vnc["host"], str) and isinstance(vnc["service"], str)
        equal(g.qmp("cont"), {})
        equal(g.qmp("query-status")["status"], "running")


@test
def clients_after_each_other():
    """every operation is a connection of its own; the next one gets its greeting at once"""
    with Guest() as g:
        for _ in range(30):
            m = g.monitor(patience=0)
            equal(m.call("query-status")["running"], True)
            m.close()


@test
def clients_together():
    """a second client is served, at the latest when the first has gone"""
    with Guest() as g:
        first = g.monitor()
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(g.qmp_path)
        equal(first.call("query-status")["running"], True)
        first.close()
        raw.settimeout(5)
        assert b'"QMP"' in raw.recv(65536)
        raw.close()


@test
def run_state():
    """-S, cont, stop, and each of them twice"""
    with Guest(paused=True) as g:
        equal(g.qmp("query-status")["status"], "prelaunch")
        g.x("ioreq", type="pci", addr=0, size=4, post=1)
        time.sleep(0.1)
        assert "state=1 " in g.x("slot"), "served before cont"
        equal(g.qmp("cont"), {})
        equal(int(g.x("wait"), 0), 0x12378086)
        equal(g.qmp("cont"), {})
        equal(g.qmp("query-status"), dict(g.qmp("query-status"), status="running", running=True))
        equal(g.qmp("stop"), {})
        equal(g.qmp("stop"), {})
        equal(g.qmp("query-status")["status"], "paused")
        equal(g.qmp("cont"), {})
        equal(g.cfg(0, 0, 0), 0x12378086)
        equal(g.qmp("system_wakeup"), {}, "system_wakeup outside S3")


@test
def stop_means_stopped():
    """after stop nothing is served any more, disabled or not; cont takes it up again"""
    with Guest() as g:
        g.qmp("stop")
        server = [s for s in g.state() if s["kind"] == "server"][0]
        if server["enabled"]:
            g.x("ioreq", type="pci", addr=0, size=4, post=1)
            time.sleep(0.1)
            assert "state=1 " in g.x("slot")
            g.qmp("cont")
            equal(int(g.x("wait"), 0), 0x12378086)
        else:
            g.qmp("cont")
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def processors():
    """query-cpus-fast lists the online ones, hot-plug has a type, device_add brings one"""
    with Guest(vcpus=4, args=["-smp", "2,maxcpus=4"]) as g:
        firmware(g)
        equal([c["cpu-index"] for c in g.qmp("query-cpus-fast")], [0, 1])
        equal(g.inb(0xAF00), 3, "CPU presence")
        kinds = g.qmp("query-hotpluggable-cpus")
        assert kinds and isinstance(kinds[0]["type"], str)
        g.outb(0xAFE2, 4)  # enable the CPU event
        g.intercept()
        equal(g.qmp("device_add", {"id": "cpu-2", "driver": kinds[0]["type"], "socket-id": 2,
                                   "core-id": 0, "thread-id": 0}), {})
        equal([c["cpu-index"] for c in g.qmp("query-cpus-fast")], [0, 1, 2])
        equal(g.inb(0xAF00), 7)
        equal(g.inb(0xAFE0) & 4, 4, "GPE status")
        assert (9, 1) in g.irqs, g.irqs
        g.outb(0xAFE0, 4)
        equal(g.inb(0xAFE0) & 4, 0)


@test
def cd_change():
    """eject and insert by descriptor, as xl cd-insert does it; the guest is told"""
    with cdrom() as iso, cdrom(2) as other, Guest(cdrom=iso.path) as g:
        identify(g, 0x170, code=0xA1)
        equal(packet(g, [0x25] + [0] * 11, 8)[:4], struct.pack(">I", 511), "last block")
        equal(g.qmp("query-version")["qemu"]["major"], 7)
        equal(g.qmp("eject", {"id": "ide-5632"}), {})
        equal(g.qmp("eject", {"id": "ide-5632"}), {}, "eject of an empty drive")
        equal(sense(g), (2, 0x3A), "sense of the empty drive")
        fd = os.open(other.path, os.O_RDONLY)
        got = g.qmp("add-fd", {"opaque": "raw:" + other.path}, fds=[fd])
        os.close(fd)
        equal(g.qmp("blockdev-change-medium",
                    {"id": "ide-5632", "filename": "/dev/fdset/%d" % got["fdset-id"],
                     "format": "raw"}), {})
        codes = [sense(g) for _ in range(3)]
        assert (6, 0x28) in codes, "no unit attention for the new medium: %r" % codes
        equal(packet(g, [0x25] + [0] * 11, 8)[:4], struct.pack(">I", 1023), "last block")
        data = packet(g, [0x28, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0, 0], 2048)
        equal(data, other.pread(64, 4))


def packet(g, cdb, want):
    """An ATAPI command with PIO data; None when it fails."""
    base = 0x170
    g.outb(base + 6, 0xA0)
    g.outb(base + 1, 0)
    g.outb(base + 4, want & 0xFF)
    g.outb(base + 5, want >> 8)
    g.outb(base + 7, 0xA0)
    g.poll(base + 7, BSY | DRQ, DRQ)
    for low, high in zip(cdb[::2], cdb[1::2]):
        g.outw(base, low | high << 8)
    status = g.poll(base + 7, BSY, 0)
    if status & ERR:
        return None
    data = b""
    while status & DRQ:
        count = g.inb(base + 4) | g.inb(base + 5) << 8
        data += b"".join(struct.pack("<H", g.inw(base)) for _ in range(count // 2))
        status = g.poll(base + 7, BSY, 0)
    return data


def sense(g):
    """TEST UNIT READY, then the sense key and code that REQUEST SENSE gives."""
    packet(g, [0] * 12, 0)
    data = packet(g, [3, 0, 0, 0, 18] + [0] * 7, 18)
    return data[2] & 15, data[12]


@test
def disk_statistics():
    """libxenstat: no newline, no id, replies that come at once and alone"""
    with Image() as disk, Guest(disk=disk.path) as g:
        read_pio(g, 0, 8)
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(g.qmp_stat_path)
        raw.settimeout(1)
        decode, replies = json.JSONDecoder(), []
        for command in ("qmp_capabilities", "query-blockstats", "query-block"):
            raw.sendall(('{ "execute": "%s" }' % command).encode())
            time.sleep(0.05)
            text = raw.recv(1 << 20).decode()
            while text.strip():
                value, end = decode.raw_decode(text.lstrip())
                text = text.lstrip()[end:]
                replies.append(value)
        raw.close()
        stats, block = replies[-2]["return"], replies[-1]["return"]
        name = stats[0]["device"]
        equal(block[0]["device"], name)
        equal(block[0]["inserted"]["file"], disk.path)
        s = stats[0]["stats"]
        equal(s["rd_bytes"], 8 * 512)
        assert s["rd_operations"] >= 1 and s["wr_bytes"] == 0 and s["wr_operations"] == 0


@test
def errors():
    """errors have a class that libxl knows and a text"""
    with Guest() as g:
        for command, arguments, kind in (("no-such-command", None, "CommandNotFound"),
                                         ("eject", {"id": "nobody"}, None),
                                         ("device_add", {"driver": "xen-pci-passthrough",
                                                         "id": "pci-pt-02_00.0",
                                                         "hostaddr": "0000:02:00.0"},
                                          "GenericError"),
                                         ("change-vnc-password", {"password": 5}, None),
                                         ("xen-save-devices-state", {}, None)):
            try:
                g.qmp(command, arguments)
                raise AssertionError("%s succeeded" % command)
            except QmpError as e:
                assert e.reply["desc"], e.reply
                assert e.reply["class"] in ("GenericError", "CommandNotFound", "DeviceNotActive",
                                            "DeviceNotFound"), e.reply
                if kind:
                    equal(e.reply["class"], kind, command)


@test
def before_negotiation():
    """commands before qmp_capabilities are refused, and the connection goes on"""
    with Guest() as g:
        m = g.monitor(negotiate=False)
        try:
            m.call("query-status")
            raise AssertionError("accepted")
        except QmpError as e:
            equal(e.reply["class"], "CommandNotFound")
        m.call("qmp_capabilities")
        equal(m.call("query-status")["running"], True)


@test
def malformed_input():
    """broken and oversized input is answered or ends that connection, never the process"""
    junk = [b"\r\n", b"{]\r\n", b"[]\r\n", b'{"execute":5}\r\n',
            b'{"execute":"cont","id":{}}\r\n', b'{"execute":"eject","arguments":[]}\r\n',
            b"\xff\xfe\x00\r\n", b'"text"\r\n', b"}}}}\r\n",
            b'{"execute":"query-status","arguments":{"x":' + b"[" * 5000 + b"\r\n",
            b'{"execute":"\\u0000\\ud800"}\r\n', b'{"id":1e400}\r\n', b"{" * 100000,
            b'{"execute":"' + b"a" * (3 << 20) + b'"}\r\n', b"x" * (3 << 20)]
    with Guest() as g:
        for text in junk:
            m = g.monitor()
            try:
                m.sock.settimeout(2)
                m.send(text)
                m.sock.shutdown(socket.SHUT_WR)
                while m.sock.recv(65536):
                    pass
            except (OSError, EOFError):
                pass
            m.close()
        equal(g.qmp("query-status")["running"], True)
        rss = int(status_of(g.pid)["VmRSS"].split()[0])
        assert rss < 200000, "%d kB after junk" % rss


@test
def deaf_client():
    """a client that never reads stops nobody"""
    with Guest() as g:
        m = g.monitor()
        m.sock.settimeout(0.2)
        line = b'{"execute":"query-chardev","id":1}\r\n' * 200
        try:
            for _ in range(100):
                m.send(line)
        except OSError:
            pass
        equal(g.cfg(0, 0, 0), 0x12378086)
        other = Qmp(g.qmp_stat_path)
        equal(other.call("query-status")["running"], True)
        other.close()
        m.close()


@test
def escapes():
    """names come with escaped slashes and unicode"""
    with cdrom() as iso, Guest(cdrom="") as g:
        m = g.monitor()
        path = iso.path.replace("/", "\\/")
        m.send(('{"execute":"blockdev-change-medium","id":7,"arguments":{"id":"ide\\u002d5632",'
                '"filename":"%s","format":"raw"}}\r\n' % path).encode())
        reply = m.answer()
        equal(reply, {"return": {}, "id": 7})


def png_pixels(path):
    """Width, height and RGB rows of an 8-bit PNG without interlace."""
    with open(path, "rb") as f:
        data = f.read()
    equal(data[:8], b"\x89PNG\r\n\x1a\n", "signature")
    at, body, header, palette = 8, b"", None, None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            body += chunk
        elif kind == b"PLTE":
            palette = chunk
        at += size + 12
    width, height, depth, colour = header[:4]
    assert depth == 8 and colour in (2, 3, 6) and not header[6], header
    channels = {2: 3, 3: 1, 6: 4}[colour]
    raw, rows, before = zlib.decompress(body), [], bytes(width * channels)
    for y in range(height):
        start = y * (width * channels + 1)
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + width * channels])
        for i in range(len(line)):
            left = line[i - channels] if i >= channels else 0
            up = before[i]
            corner = before[i - channels] if i >= channels else 0
            if kind == 1:
                line[i] = line[i] + left & 0xFF
            elif kind == 2:
                line[i] = line[i] + up & 0xFF
            elif kind == 3:
                line[i] = line[i] + (left + up) // 2 & 0xFF
            elif kind == 4:
                p = left + up - corner
                best = min((abs(p - left), 0, left), (abs(p - up), 1, up),
                           (abs(p - corner), 2, corner))
                line[i] = line[i] + best[2] & 0xFF
        before = bytes(line)
        if colour == 3:
            rows.append(b"".join(palette[3 * p:3 * p + 3] for p in line))
        else:
            rows.append(b"".join(before[i:i + 3] for i in range(0, len(before), channels)))
    return width, height, rows


@test
def screenshot():
    """screendump shows the pixels of a VBE mode as PNG"""
    with Guest(vga="std") as g, tempfile.TemporaryDirectory() as folder:
        dev = next(d for d in range(2, 6) if g.cfg(d, 0, 0) == 0x11111234)
        g.cfg(dev, 0, 0x10, 4, 0xF0000000)
        g.cfg(dev, 0, 4, 2, 3)
        for index, value in ((4, 0), (1, 64), (2, 48), (3, 32), (4, 0x41)):
            g.outw(0x1CE, index)
            g.outw(0x1CF, value)
        g.outb(0x3C0, 0x20)
        row = b"".join(struct.pack("<I", x << 16 | (255 - x) << 8 | x // 2) for x in range(64))
        g.write(0xF0000000, row * 48)
        path = os.path.join(folder, "screen.png")
        g.qmp("screendump", {"filename": path, "format": "png"})
        width, height, rows = png_pixels(path)
        equal((width, height), (64, 48))
        want = b"".join(bytes((x, 255 - x, x // 2)) for x in range(64))
        equal(rows[0], want)
        equal(rows[47], want)


@test
def text_screenshot():
    """screendump shows text: a cell of blanks on blue and one full block"""
    with Guest(vga="std") as g, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "screen.png")
        vga_text(g)
        g.write(0xB8000, b"\xdb\x04" * 4)
        g.qmp("screendump", {"filename": path, "format": "png"})
        width, height, _ = png_pixels(path)
        assert width >= 1 and height >= 1


@test
def human_monitor():
    """text commands give a text, unknown ones too"""
    with Guest(cdrom="") as g:
        for line in ("info block", "no such command", ""):
            assert isinstance(g.qmp("human-monitor-command", {"command-line": line}), str)


@test
def quit_answers_first():
    """quit is answered before the process ends"""
    with Guest() as g:
        equal(g.qmp("quit"), {})
        equal(g.status(5), ("exited", 0))


main()
