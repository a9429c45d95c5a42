#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the golden files of the version that is being worked on (README.md says when).

    FAKEXEN=$build/tests/fakexen SLIMDM=$build/slimdm python3 tests/golden/regenerate.py
"""

import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "fakexen")]

from everything import Work, machine  # noqa: E402
from fakexen import Guest, program  # noqa: E402
from helpers import save, video_frames  # noqa: E402


def version():
    with open(os.path.join(HERE, "..", "..", "meson.build"), encoding="ascii") as f:
        return re.search(r"version: '([0-9.]+)'", f.read())[1]


def make(vga, path):
    """A guest that has worked with every device, in the middle of it."""
    with tempfile.TemporaryDirectory() as folder, machine(vga) as options:
        stream = os.path.join(folder, "stream")
        with Guest(**options) as g:
            work = Work(g, options, random.Random(vga))
            for step in work.steps:
                step()
            save(g, stream)
            frames = video_frames(g)
        text = subprocess.run([program("slimdm"), "--dump-state", stream], capture_output=True,
                              text=True, check=True).stdout
    with open(path, "w", encoding="ascii") as f:
        f.write("# frames: %s\n" % " ".join("%x+%x" % frame for frame in frames))
        f.write(text)


def main():
    folder = os.path.join(HERE, version())
    os.makedirs(folder, exist_ok=True)
    for vga in ("cirrus", "std"):
        make(vga, os.path.join(folder, vga + ".txt"))


if __name__ == "__main__":
    main()
