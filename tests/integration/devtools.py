# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium without a screen, driven through its DevTools protocol on a pair of pipes."""

import base64
import json
import os
import select
import struct
import subprocess
import tempfile
import time
import zlib

from x11 import need


class Chromium:
    """One page. Messages are JSON, each with a NUL behind it."""

    def __init__(self, url, width=1000, height=800):
        program = need("chromium", "chromium")
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = open(os.path.join(self.home.name, "log"), "w+b")
        theirs_in, self.to = os.pipe()
        self.fro, theirs_out = os.pipe()
        # Its ends are descriptors 3 and 4. Root cannot be put into Chromium's own sandbox.
        command = 'exec "$0" "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out)
        self.process = subprocess.Popen(
            ["bash", "-c", command, program, "--headless=new", "--remote-debugging-pipe",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--force-device-scale-factor=1", "--window-size=%d,%d" % (width, height),
             "--user-data-dir=" + os.path.join(self.home.name, "profile"), "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env={"HOME": self.home.name, "PATH": "/usr/bin:/bin",
                                  "XDG_RUNTIME_DIR": self.home.name,
                                  "DBUS_SESSION_BUS_ADDRESS": "disabled:"})
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number, self.session = b"", 0, None
        try:
            target = self.call("Target.createTarget", url=url)
            self.session = self.call("Target.attachToTarget", targetId=target["targetId"],
                                     flatten=True)["sessionId"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        os.close(self.to)
        os.close(self.fro)
        self.home.cleanup()

    def _message(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.fro], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.fro, 1 << 20) if ready else b""
            if not data:
                self.log.seek(0)
                raise AssertionError("chromium does not answer: " +
                                     self.log.read().decode(errors="replace")[-2000:])
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, /, timeout=90, **parameters):
        self.number += 1
        question = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            question["sessionId"] = self.session
        os.write(self.to, json.dumps(question).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self.number:
                assert "result" in answer, answer
                return answer["result"]

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page."""
        return self.call("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"].get("value")

    def screenshot(self):
        """(width, height, rows of RGB bytes) of the page."""
        return png(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def key(self, key, code, number):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code,
                      windowsVirtualKeyCode=number)


def png(data):
    """(width, height, rows of RGB bytes) of a PNG with eight bits a channel."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed, header = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        header = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colours, _, _, interlaced = header
    assert depth == 8 and colours in (2, 6) and not interlaced, header
    step = 3 if colours == 2 else 4
    raw, rows, above = zlib.decompress(packed), [], bytearray(width * step)
    for y in range(height):
        begin = y * (width * step + 1)
        row = bytearray(raw[begin + 1:begin + 1 + width * step])
        _unfilter(raw[begin], row, above, step)
        rows.append(bytes(row) if step == 3 else
                    b"".join(bytes(row[i:i + 3]) for i in range(0, len(row), 4)))
        above = row
    return width, height, rows


def _unfilter(kind, row, above, step):
    for i in range(len(row) if kind else 0):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = (left, above[i], (left + above[i]) // 2, None)[kind - 1]
        if guess is None:
            p = left + above[i] - corner
            guess = min((abs(p - left), 0, left), (abs(p - above[i]), 1, above[i]),
                        (abs(p - corner), 2, corner))[2]
        row[i] = row[i] + guess & 0xFF
