# SPDX-License-Identifier: GPL-2.0-or-later
"""Saving at any point, loading what is damaged: the state is the same afterwards, or untouched."""

import os
import random
import re
import subprocess
import tempfile

from everything import Work, machine
from fakexen import Guest, QmpError, program
from helpers import firmware, restored, save, video_frames
from statefile import (HEADER, MAGIC, decode, differences, encode, encode_object, from_text,
                       seal, with_checksum)
from tap import equal, main, test

POINTS = 4


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def dump(path):
    return subprocess.run([program("slimdm"), "--dump-state", path], capture_output=True, text=True,
                          check=True, timeout=20).stdout


def same_state(a, b, what):
    if a != b:
        raise AssertionError("%s: %s" % (what, ", ".join(differences(a, b)) or "order of fields"))


def saved_anywhere(vga):
    for seed in range(POINTS):
        rng = random.Random("%s %d" % (vga, seed))
        with tempfile.TemporaryDirectory() as folder, machine(vga) as options:
            first, second = (os.path.join(folder, name) for name in ("first", "second"))
            with Guest(**options) as g:
                work = Work(g, options, rng)
                steps = [work.any() for _ in range(rng.randrange(4, 24))]
                save(g, first)
                save(g, second)
                same_state(contents(first), contents(second), "saved twice after %s" % steps)
                frames = video_frames(g)
            with restored(first, frames, paused=True, **options) as g:
                save(g, second)
                same_state(contents(first), contents(second), "restored after %s" % steps)
                g.qmp("cont")
                equal(g.cfg(0, 0, 0), 0x12378086)
                equal(g.cfg(1, 2, 0), 0x70208086)


@test
def with_cirrus():
    """any point of all devices' work: what is restored saves the same bytes again (Cirrus)"""
    saved_anywhere("cirrus")


@test
def with_vga():
    """the same with standard VGA"""
    saved_anywhere("std")


class Loader:
    """A stopped guest that streams are loaded into."""

    def __init__(self, g, folder):
        self.g = g
        self.path = os.path.join(folder, "stream")
        self.again = os.path.join(folder, "again")
        self.names = None

    def load(self, stream):
        """None, or the text of the error."""
        with open(self.path, "wb") as f:
            f.write(stream)
        try:
            self.g.qmp("xen-load-devices-state", {"filename": self.path})
        except QmpError as e:
            equal(e.reply["class"], "GenericError")
            return e.reply["desc"]
        return None

    def state(self):
        self.g.qmp("xen-save-devices-state", {"filename": self.again, "live": False})
        return contents(self.again)

    def refused(self, stream, what):
        text = self.load(stream)
        assert text, "%s was accepted" % what
        return text

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.g.pid))


class Loading:
    """(loader, a good stream) of a guest that has worked and stands."""

    def __init__(self, vga, seed):
        self.vga, self.rng = vga, random.Random(seed)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.machine = machine(self.vga)
        options = self.machine.__enter__()
        self.g = Guest(**options)
        work = Work(self.g, options, self.rng)
        for step in work.steps:
            step()
        self.g.qmp("stop")
        loader = Loader(self.g, self.folder.name)
        return loader, loader.state(), self.rng

    def __exit__(self, *exc):
        self.g.__exit__(*exc)
        self.machine.__exit__(*exc)
        self.folder.cleanup()


@test
def headers():
    """every bit of the header, and every length that is cut off, is refused by name"""
    with Loading("cirrus", 1) as (loader, good, rng):
        before = loader.descriptors()
        for bit in range(HEADER * 8):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            text = loader.refused(bytes(bad), "bit %d of the header" % bit)
            assert "saved state" in text or "device" in text or "missing" in text, text
        sizes = list(range(40)) + [rng.randrange(len(good)) for _ in range(100)] + [len(good) - 1]
        for size in sizes:
            text = loader.refused(good[:size], "%d of %d bytes" % (size, len(good)))
            assert "saved state" in text, text
            if size > HEADER:
                cut = seal(good[HEADER:size], int.from_bytes(good[12:16], "little"))
                text = loader.refused(cut, "%d bytes with a checksum" % size)
                assert "cut off" in text or "missing" in text, text
        assert "saved state" in loader.refused(good + b"\0", "a byte more")
        assert "QEMU" in loader.refused(b"QEVM" + good[4:], "QEMU's")
        assert "format 2" in loader.refused(seal(good[HEADER:], 1, 2), "a later format")
        same_state(good, loader.state(), "after all of that")
        equal(loader.descriptors(), before, "descriptors")


@test
def bodies():
    """flipped bits, with a good checksum too: refused by name, or values a device can live with"""
    with Loading("cirrus", 2) as (loader, good, rng):
        accepted = refused = 0
        for turn in range(300):
            bad = bytearray(good)
            for _ in range(rng.choice((1, 1, 1, 2, 5))):
                bad[rng.randrange(HEADER, len(bad))] ^= 1 << rng.randrange(8)
            bad = bytes(bad)
            if bad == good:
                continue
            if turn % 7 == 0:
                assert "checksum" in loader.refused(bad, "a flipped bit")
            text = loader.load(with_checksum(bad))
            if text is None:
                accepted += 1
                if accepted % 20 == 0:
                    loader.g.qmp("cont")
                    equal(loader.g.cfg(0, 0, 0) & 0xFFFF, 0x8086)
                    loader.g.qmp("stop")
                equal(loader.load(good), None)
            else:
                refused += 1
                assert re.match(r"[^:]+: [a-z0-9]", text) or "saved state" in text, text
            if turn % 50 == 0:
                same_state(good, loader.state(), "after turn %d" % turn)
        same_state(good, loader.state(), "at the end")
        assert accepted > 20 and refused > 20, "%d accepted, %d refused" % (accepted, refused)


@test
def every_field_missing():
    """a field or object that is missing, twice, or of another length is refused by its name"""
    with Loading("std", 3) as (loader, good, _):
        objects = decode(good)
        parts = [encode_object(*o) for o in objects]

        def with_part(o, *changed):
            return seal(b"".join(parts[:o] + [encode_object(*changed)] + parts[o + 1:]), len(parts))

        for o, (name, kind, version, fields) in enumerate(objects):
            without = objects[:o] + objects[o + 1:]
            text = loader.refused(encode(without), "without " + name)
            assert name in text and "missing" in text, text
            text = loader.refused(encode(objects + [objects[o]]), "with two " + name)
            assert name in text and "twice" in text, text
            text = loader.refused(with_part(o, name, kind, version + 1, fields),
                                  "%s of a later version" % name)
            assert name in text and "version" in text, text
            assert name in loader.refused(with_part(o, name, kind + "x", version, fields),
                                          "%s of another kind" % name)
            for f, field in enumerate(fields):
                for changed, word in ((fields[:f] + fields[f + 1:], "missing"),
                                      (fields + [field], "twice"),
                                      (fields[:f] + [(field[0], field[1], field[2] + 1, field[3])] +
                                       fields[f + 1:], "elements")):
                    text = loader.refused(with_part(o, name, kind, version, changed),
                                          "%s.%s %s" % (name, field[0], word))
                    assert "%s.%s" % (name, field[0]) in text and word in text, text
        same_state(good, loader.state(), "after all of that")


@test
def text_and_back():
    """what --dump-state prints says everything: the stream can be made from it again"""
    with Loading("cirrus", 4) as (loader, good, _):
        equal(encode(decode(good)), good)
        same_state(from_text(dump(loader.again)), good, "made from text")
        assert good.startswith(MAGIC)


@test
def failed_start():
    """a process that is started with a damaged stream ends with one line that says why"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest() as g:
            firmware(g)
            save(g, path)
            frames = video_frames(g)
        good = contents(path)
        objects = decode(good)
        for name, stream in (("checksum", good[:-1] + bytes([good[-1] ^ 1])),
                             (objects[3][0], encode(objects[:3] + objects[4:]))):
            with open(path, "wb") as f:
                f.write(stream)
            with restored(path, frames, ready=False) as g:
                equal(g.status(5), ("exited", 1))
                assert name in g.log(), g.log()
                assert not os.path.exists(g.qmp_path)


main()
