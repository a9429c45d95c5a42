# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer that takes whole screens as fast as it can: raw, incremental, nothing is looked at.

    viewer.py PORT          until its standard input ends; then prints bytes, updates and seconds
"""

import json
import os
import select
import socket
import struct
import sys
import time

RAW, DESKTOP_SIZE = 0, -223


class Fast:
    """Logs in without a password; begin() asks for the first screen."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.buffer = bytearray(1 << 20)
        self.bytes = self.updates = 0
        self.read(12)
        self.sock.sendall(b"RFB 003.008\n")
        self.read(self.read(1)[0])
        self.sock.sendall(b"\x01")
        if self.read(4) != b"\0\0\0\0":
            raise OSError("not let in")
        self.sock.sendall(b"\x01")
        self.size = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.read(struct.unpack(">I", self.read(4))[0])
        self.sock.sendall(struct.pack(">BBH2i", 2, 0, 2, RAW, DESKTOP_SIZE))

    def take(self, n):
        """n bytes, which are dropped; the last ones stay at the beginning of the buffer."""
        self.bytes += n
        view = memoryview(self.buffer)
        while n > 0:
            got = self.sock.recv_into(view, min(n, len(view)))
            if not got:
                raise OSError("the server has gone")
            n -= got

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise OSError("the server has gone")
            data += piece
        self.bytes += n
        return data

    def ask(self, incremental=True):
        self.sock.sendall(struct.pack(">BB4H", 3, incremental, 0, 0, *self.size))

    def update(self):
        kind, count = struct.unpack(">BxH", self.read(4))
        if kind != 0:
            raise OSError("message %d" % kind)
        for _ in range(count):
            _, _, w, h, encoding = struct.unpack(">4Hi", self.read(12))
            if encoding == DESKTOP_SIZE:
                self.size = (w, h)
            else:
                self.take(4 * w * h)
        self.updates += 1


def main():
    v = Fast(int(sys.argv[1]))
    v.ask(False)
    begin = time.monotonic()
    while True:
        ready, _, _ = select.select([v.sock, sys.stdin], [], [])
        if sys.stdin in ready:
            if not os.read(0, 1):
                break
            v.bytes = v.updates = 0  # a byte: count from here on
            begin = time.monotonic()
        if v.sock in ready:
            v.update()
            v.ask()
    print(json.dumps({"bytes": v.bytes, "updates": v.updates,
                      "seconds": time.monotonic() - begin}))


if __name__ == "__main__":
    main()
