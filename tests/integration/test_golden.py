# SPDX-License-Identifier: GPL-2.0-or-later
"""States that released versions have saved load as they were: tests/golden/README.md."""

import os
import random
import re
import subprocess
import tempfile

from everything import machine
from fakexen import Guest, QmpError, program
from helpers import cmos_read, restored
from statefile import HEADER, differences, flat, from_text
from tap import equal, main, test

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


class Golden:
    """One file, as a stream in a file that a device model can be started with."""

    def __init__(self, version, name, folder):
        with open(os.path.join(GOLDEN, version, name), encoding="ascii") as f:
            text = f.read()
        self.title = version + "/" + name
        self.vga = name.split(".")[0]
        first = text.splitlines()[0]
        assert first.startswith("# frames: "), first
        self.frames = [tuple(int(n, 16) for n in word.split("+")) for word in first[10:].split()]
        self.stream = from_text(text)
        self.path = os.path.join(folder, version + "-" + name)
        with open(self.path, "wb") as f:
            f.write(self.stream)


def versions():
    return sorted(v for v in os.listdir(GOLDEN) if v[0].isdigit())


def all_files(folder):
    return [Golden(v, name, folder) for v in versions()
            for name in sorted(os.listdir(os.path.join(GOLDEN, v)))]


def save_again(g, folder):
    path = os.path.join(folder, "again")
    g.qmp("xen-save-devices-state", {"filename": path, "live": False})
    with open(path, "rb") as f:
        return f.read()


def words(values, count):
    """The zeros at the end again."""
    return values + [0] * (count - len(values))


@test
def there_is_one():
    """this version has its files"""
    text = subprocess.run([program("slimdm"), "-version"], capture_output=True, text=True,
                          timeout=10).stdout
    version = re.search(r"slimdm (\d+\.\d+\.\d+)", text)[1]
    assert version in versions(), "%s: run tests/golden/regenerate.py" % version


@test
def fields():
    """every field has the value that was saved"""
    with tempfile.TemporaryDirectory() as folder:
        for golden in all_files(folder):
            with machine(golden.vga) as options, \
                    restored(golden.path, golden.frames, paused=True, **options) as g:
                want, got = flat(golden.stream), flat(save_again(g, folder))
                equal({k: got.get(k) for k in want}, want, golden.title)


@test
def registers():
    """the guest finds its registers as they were"""
    with tempfile.TemporaryDirectory() as folder:
        for golden in all_files(folder):
            want = flat(golden.stream)
            with machine(golden.vga) as options, \
                    restored(golden.path, golden.frames, **options) as g:
                cmos = words(want["cmos.data"], 128)
                equal([cmos_read(g, i) for i in range(14, 128)], cmos[14:], golden.title)
                for name, dev, fn in (("pci.i440fx", 0, 0), ("pci.piix3", 1, 0)):
                    config = bytes(words(want[name + ".config"], 256))
                    equal(b"".join(g.cfg(dev, fn, r).to_bytes(4, "little")
                                   for r in range(0, 256, 4)), config, golden.title + " " + name)
                equal(g.inb(0xAF00), want["piix4-pm.cpus"][0], golden.title)
                equal([g.inb(0xC200 + i) for i in range(6)], words(want["nic0.idr"], 6),
                      golden.title)
                equal(g.inb(0x3FB), want["uart0.lcr"][0], golden.title)


@test
def damaged():
    """the same file with a bit flipped, or cut off, is refused; afterwards it loads"""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        for golden in all_files(folder):
            with machine(golden.vga) as options, \
                    Guest(paused=True, **options) as g:
                bad = os.path.join(folder, "bad")
                for turn in range(24):
                    stream = bytearray(golden.stream)
                    if turn % 2:
                        stream[rng.randrange(len(stream))] ^= 1 << rng.randrange(8)
                    else:
                        del stream[rng.randrange(HEADER, len(stream)):]
                    with open(bad, "wb") as f:
                        f.write(stream)
                    try:
                        g.qmp("xen-load-devices-state", {"filename": bad})
                        raise AssertionError("%s was accepted in turn %d" % (golden.title, turn))
                    except QmpError as e:
                        assert "saved state" in str(e), e
                g.qmp("xen-load-devices-state", {"filename": golden.path})
                equal([d for d in differences(golden.stream, save_again(g, folder))
                       if d in flat(golden.stream)], [], golden.title)


main()
