# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays one script of qtest lines to two device models and lists where their answers differ.

    python3 player.py scripts/uart.qts ...       # prints the differences that expected.json lacks
    python3 player.py --all scripts/uart.qts     # prints all
    python3 player.py --docs                     # writes docs/differences.md anew

A script has one qtest (or x-) line a line, comments (#), words in braces that are worked out, and:

    @machine key=value ...     how the guest is made: disk=MIB cdrom=MIB|empty floppy=KIB vga=
                               serial= vcpus= usb=DEVICE
                               nic=1: a card, and the player at the other end of its cable
    @label TEXT                names what follows, for the list of differences
    @macro NAME PARAMETER...   ... @end; @do NAME VALUE... puts the lines between in its place
    @for NAME FROM TO [STEP]   ... @end; also @for NAME in A B C
    @settle                    waits a moment and compares how the interrupt lines moved since then
    @records KIND              compares what was asked of Xen since then
    @quiet LINE                sends a line without comparing its answer
    @keyboard                  reads the i8042 until it stays empty; bytes of the mouse are marked
    @arrive HEX                a frame comes to the card; words of the form NUMBER*HEX repeat HEX
    @sent                      compares the frames that the card has sent since then
    @screen                    compares size and picture of the screen, five bits of each colour
"""

import json
import os
import re
import socket
import sys
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("fakexen", "integration"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

from fakexen import Failed, Guest, fields  # noqa: E402
from helpers import Image  # noqa: E402


def parse(path):
    with open(path) as f:
        lines = [line.split("#", 1)[0].rstrip() for line in f]
    return [line for line in lines if line.strip()]


def expand(lines, names=None):
    """The script with loops unrolled and braces replaced."""
    names = dict(names or {})
    result, at = [], 0
    while at < len(lines):
        words = lines[at].split()
        if words[0] == "@do":
            parameters, body = names["@" + words[1]]
            values = [int(_value(w.strip("{}"), names), 0) for w in words[2:]]
            result += expand(body, dict(names, **dict(zip(parameters, values, strict=True))))
            at += 1
            continue
        if words[0] not in ("@for", "@macro"):
            result.append(re.sub(r"\{([^}]*)\}", lambda m: _value(m[1], names), lines[at].strip()))
            at += 1
            continue
        depth, end = 1, at
        while depth:
            end += 1
            first = lines[end].split()[0]
            depth += (first in ("@for", "@macro")) - (first == "@end")
        if words[0] == "@macro":
            names["@" + words[1]] = (words[2:], lines[at + 1:end])
            at = end + 1
            continue
        numbers = [int(eval(w, {}, names)) for w in words[2:] if w != "in"]
        if words[2] != "in":
            numbers = range(*numbers)
        for value in numbers:
            result += expand(lines[at + 1:end], dict(names, **{words[1]: value}))
        at = end + 1
    return result


def _value(text, names):
    return "%#x" % eval(text, {"__builtins__": {}}, names)


def machine(lines):
    options = {"vga": "std", "serial": "null", "boot": "c"}
    for line in lines:
        if line.startswith("@machine"):
            options.update(fields(line[8:]))
    return options


class Cable:
    """A card and the other end of its cable."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def options(self):
        fd = self.theirs.fileno()
        return {"pass_fds": (fd,),
                "args": ["-device", "rtl8139,id=nic0,netdev=net0,mac=00:16:3e:11:22:33",
                         "-netdev", "dgram,id=net0,local.type=fd,local.str=%d" % fd]}

    def arrive(self, words):
        frame = b""
        for word in words.split():
            times, _, text = word.rpartition("*")
            frame += bytes.fromhex(text) * int(times or 1)
        self.ours.send(frame)
        time.sleep(0.03)  # the card says nothing of frames that it does not want

    def sent(self):
        frames = []
        self.ours.settimeout(0.05)
        try:
            while True:
                frames.append(self.ours.recv(65536).hex())
        except socket.timeout:
            return " ".join(frames)

    def close(self):
        self.ours.close()
        self.theirs.close()


def play(dm, lines, images):
    """[(label, line, how often that line came before under this label, answer), ...]"""
    cable = Cable() if machine(lines).get("nic") else None
    try:
        return play_with(dm, lines, images, cable)
    finally:
        if cable:
            cable.close()


def play_with(dm, lines, images, cable):
    options = machine(lines)
    if options.pop("nic", None):
        options.update(cable.options())
    usb = options.pop("usb", None)
    disk, iso = options.pop("disk", None), options.pop("cdrom", None)
    if options.pop("floppy", None):
        options["args"] = ["-drive", "file=%s,if=floppy,index=0,format=raw" % images["floppy"]]
    if usb:
        options["args"] = ["-usb", "-usbdevice", usb]
    if disk:
        options["disk"] = images["disk"]
    if iso:
        options["cdrom"] = images["cdrom"] if iso != "empty" else ""
    answers, label, seen = [], "start", Counter()
    with Guest(dm, **options) as g:
        g.intercept()
        mark = g.mark()

        def note(line, answer):
            answers.append((label, line, seen[label, line], answer))
            seen[label, line] += 1

        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "@machine":
                continue
            if word == "@label":
                label = rest
            elif word == "@settle":
                settle(g)
                moves = " ".join("%d%s" % (n, "+" if up else "-") for n, up in g.irqs)
                g.irqs.clear()
                note("interrupts", moves)
            elif word == "@records":
                note("records of " + rest, "; ".join(
                    " ".join("%s=%s" % item for item in r.items()
                             if item[0] not in ("number", "kind", "id", "in-flight", "state"))
                    for r in g.records(rest, mark)))
                mark = g.mark()
            elif word == "@keyboard":
                note("bytes", keyboard(g))
            elif word == "@arrive":
                cable.arrive(rest)
            elif word == "@sent":
                note("frames", cable.sent())
            elif word == "@screen":
                note("screen", screen(g))
            elif word == "@quiet":
                g.cmd(rest)
            else:
                try:
                    note(line, g.cmd(line))
                except Failed as e:
                    note(line, "FAIL %s" % e)
                    if g.status()[0] != "running":
                        note("process", "dead")
                        break
    return answers


def settle(g, patience=0.03):
    """Waits until no interrupt line has moved for a while."""
    seen, end = len(g.irqs), time.monotonic() + patience
    while time.monotonic() < end:
        g.cmd("clock_step 2000000")
        if len(g.irqs) != seen:
            seen, end = len(g.irqs), time.monotonic() + patience


def keyboard(g, patience=0.04):
    """What waits in the i8042's output buffer, and what comes up behind it in a moment."""
    result, last = [], time.monotonic()
    while time.monotonic() - last < patience and len(result) < 64:
        status = g.inb(0x64)
        if status & 1:
            result.append("%02x%s" % (g.inb(0x60), "m" if status & 0x20 else ""))
            last = time.monotonic()
    return " ".join(result)


def screen(g):
    """Size and hash of a screenshot. The lower bits are spread differently: by repetition of the
    upper ones here, by shifting in QEMU."""
    path = os.path.join(g.dir, "screen.ppm")
    g.inb(0x3CC)  # behind what waits in the ring
    g.qmp("screendump", {"filename": path})
    with open(path, "rb") as f:
        kind, size, _, pixels = f.read().split(b"\n", 3)
    assert kind == b"P6", kind
    return "%s %s" % (size.decode(), hash_of(pixels.translate(bytes(v & 0xF8 for v in range(256)))))


def differences(script, peer="qemu", own="slimdm"):
    """[{'script', 'label', 'line', 'count', 'qemu', 'slimdm'}, ...]"""
    lines = expand(parse(script))
    options = machine(lines)
    name = os.path.splitext(os.path.basename(script))[0]
    result = []
    sides = []
    floppy_kib = options.get("floppy", 0)
    for dm in (peer, own):  # each on images of its own
        with Image(options.get("disk") or 1, fill=bool(options.get("disk"))) as disk, \
                Image(options["cdrom"] if isinstance(options.get("cdrom"), int) else 1,
                      suffix=".iso") as iso, \
                Image((floppy_kib >> 10) + 1, fill=bool(floppy_kib)) as floppy:
            os.truncate(floppy.path, floppy_kib << 10)
            answers = play(dm, lines, {"disk": disk.path, "cdrom": iso.path,
                                       "floppy": floppy.path})
            for kind, image in (("disk", disk), ("floppy", floppy)):
                if options.get(kind):
                    with open(image.path, "rb") as f:
                        answers.append(("end", "image", 0, str(hash_of(f.read()))))
        sides.append(answers)
    theirs = {a[:3]: a[3] for a in sides[0]}
    ours = {a[:3]: a[3] for a in sides[1]}
    for key in list(theirs) + [k for k in ours if k not in theirs]:
        a, b = theirs.get(key, "nothing"), ours.get(key, "nothing")
        if a != b:
            result.append({"script": name, "label": key[0], "line": key[1], "count": key[2],
                           "qemu": a, "slimdm": b})
    return result


def hash_of(data):
    import hashlib
    return hashlib.sha256(data).hexdigest()[:16]


def expected():
    """expected.json: [{"id", "title", "reason", "where": [{"script", ...}]}, ...].

    The other words of a place are regular expressions for label, line and both answers."""
    with open(os.path.join(HERE, "expected.json")) as f:
        return json.load(f)


def matches(place, difference):
    return place["script"] == difference["script"] and all(
        re.fullmatch(place.get(key, ".*"), difference[key], re.DOTALL)
        for key in ("label", "line", "qemu", "slimdm"))


def sort_out(found, entries, script):
    """(differences that no place explains, places that explain nothing any more)"""
    own = [place for e in entries for place in e["where"] if place["script"] == script]
    used = set()
    unexplained = []
    for d in found:
        hits = [i for i, place in enumerate(own) if matches(place, d)]
        used.update(hits)
        if not hits:
            unexplained.append(d)
    return unexplained, [place for i, place in enumerate(own) if i not in used]


DOCS = os.path.join(HERE, "..", "..", "docs", "differences.md")
BEYOND = os.path.join(HERE, "beyond.md")  # what no script can show

HEAD = """# Where slimdm answers differently from QEMU

The same request sequences are played to slimdm and to Debian 12's `qemu-system-xen` (7.2) on
simulated Xen, and every answer, interrupt and written byte is compared. What stays different is
listed here, each with its reason. The list is made from `tests/differential/expected.json`: a
difference that is not in it fails the tests, and so does an entry that has stopped being true. The
last part is what the comparison does not reach.

`python3 tests/differential/player.py --all SCRIPT` shows the answers themselves.
"""


def docs():
    text = HEAD
    entries = expected()
    titles = {"pci": "PCI configuration space", "cmos": "CMOS", "pm": "Power management",
              "platform": "Xen platform device", "i8042": "Keyboard controller, keyboard, mouse",
              "uart": "Serial port", "dma8237": "DMA controller", "ide": "IDE disk",
              "idedma": "Bus-master IDE", "idefeatures": "IDE disk, features",
              "atapi": "CD-ROM", "fdc": "Floppy",
              "uhci_regs": "USB host controller", "uhci_transfers": "USB transfers",
              "fdcformat": "Floppy, formatting", "vga": "VGA",
              "vga_screen": "VGA: the screen", "cirrus_regs": "Cirrus: registers and memory",
              "cirrus_blt": "Cirrus: blits", "cirrus_screen": "Cirrus: the screen",
              "rtl8139_regs": "Network card: registers",
              "rtl8139_frames": "Network card: frames", "reset": "Reset"}
    for script, title in titles.items():
        own = [e for e in entries if e["where"][0]["script"] == script]
        if own:
            text += "\n## %s\n" % title
        for e in own:
            text += "\n* **%s** (`%s`). %s\n" % (e["title"], e["id"], e["reason"])
    with open(BEYOND) as f:
        return text + f.read()


def show(d):
    return "%s | %s | %s #%d\n    qemu   %s\n    slimdm %s" % (
        d["script"], d["label"], d["line"], d["count"], d["qemu"][:200], d["slimdm"][:200])


def run():
    if "--docs" in sys.argv:
        with open(DOCS, "w") as f:
            f.write(docs())
        return 0
    entries = [] if "--all" in sys.argv else expected()
    failed = False
    for path in sys.argv[1:]:
        if path.startswith("--"):
            continue
        found = differences(path)
        more, gone = sort_out(found, entries, os.path.splitext(os.path.basename(path))[0])
        for d in more:
            print(show(d))
        for e in gone:
            print("no longer: %s" % json.dumps(e))
        failed = failed or more or gone
        print("%s: %d differences, %d not listed, %d listed that are gone"
              % (path, len(found), len(more), len(gone)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run())
