# SPDX-License-Identifier: GPL-2.0-or-later
"""A small VNC viewer for the tests: RFB 3.3 to 3.8, raw, hextile, ZRLE and tight, TCP, UNIX sockets
and WebSocket. It keeps the picture as rows of 32-bit pixels."""

import base64
import hashlib
import os
import socket
import struct
import time
import zlib

RAW, HEXTILE, TIGHT, ZRLE = 0, 5, 7, 16
DESKTOP_SIZE, LAST_RECT, POINTER_MODE, EXTENDED_KEYS, LEDS = -223, -224, -257, -258, -261
EXTENDED_SIZE = -308
ALL_NOTICES = (DESKTOP_SIZE, EXTENDED_SIZE, POINTER_MODE, EXTENDED_KEYS, LEDS)


class Refused(Exception):
    """The server does not let us in, with its reason."""


class Closed(Exception):
    """The server has closed the connection."""


# -- DES, as VNC uses it: the only cipher here, and only to answer challenges ---------------------

_IP = [58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6,
       64, 56, 48, 40, 32, 24, 16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3,
       61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7]
_FP = [40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30,
       37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
       34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25]
_E = [32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18,
      19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1]
_P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
      13, 30, 6, 22, 11, 4, 25]
_PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3,
        60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37,
        29, 21, 13, 5, 28, 20, 12, 4]
_PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41,
        52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
_SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
_SBOX = (
    "e4d12fb83a6c5907" "0f74e2d1a6cb9538" "41e8d62bfc973a50" "fc8249175b3ea06d",
    "f18e6b34972dc05a" "3d47f28ec01a69b5" "0e7ba4d158c6932f" "d8a13f42b67c05e9",
    "a09e63f51dc7b428" "d709346a285ecbf1" "d6498f30b12c5ae7" "1ad069874fe3b52c",
    "7de3069a1285bc4f" "d8b56f03472c1ae9" "a690cb7df13e5284" "3f06a1d8945bc72e",
    "2c417ab6853fd0e9" "eb2c47d150fa3986" "421bad78f9c5630e" "b8c71e2d6f09a453",
    "c1af92680d34e75b" "af427c9561de0b38" "9ef528c3704a1db6" "432c95fabe17608d",
    "4b2ef08d3c975a61" "d0b7491ae35c2f86" "14bdc37eaf680592" "6bd814a7950fe23c",
    "d2846fb1a93e50c7" "1fd8a374c56b0e92" "7b419ce206adf358" "21e74a8dfc90356b")


def _pick(value, width, table):
    out = 0
    for bit in table:
        out = out << 1 | value >> (width - bit) & 1
    return out


def des(key, block):
    """One block of eight bytes."""
    k = _pick(int.from_bytes(key, "big"), 64, _PC1)
    c, d, keys = k >> 28, k & 0xFFFFFFF, []
    for n in _SHIFTS:
        c, d = ((c << n | c >> (28 - n)) & 0xFFFFFFF), ((d << n | d >> (28 - n)) & 0xFFFFFFF)
        keys.append(_pick(c << 28 | d, 56, _PC2))
    v = _pick(int.from_bytes(block, "big"), 64, _IP)
    left, right = v >> 32, v & 0xFFFFFFFF
    for sub in keys:
        x, f = _pick(right, 32, _E) ^ sub, 0
        for i in range(8):
            six = x >> (42 - 6 * i) & 63
            f = f << 4 | int(_SBOX[i][(six >> 4 & 2 | six & 1) * 16 + (six >> 1 & 15)], 16)
        left, right = right, left ^ _pick(f, 32, _P)
    return _pick(right << 32 | left, 64, _FP).to_bytes(8, "big")


def answer(password, challenge):
    """VNC takes the bits of each byte of the password in reverse."""
    key = password.encode()[:8].ljust(8, b"\0")
    key = bytes(int("{:08b}".format(b)[::-1], 2) for b in key)
    return des(key, challenge[:8]) + des(key, challenge[8:])


# -- WebSocket ---------------------------------------------------------------------------------------

class WebSocket:
    """A socket whose bytes go in binary frames."""

    def __init__(self, sock):
        self.sock, self.pending = sock, b""
        key = base64.b64encode(os.urandom(16))
        sock.sendall(b"GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                     b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     b"Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        assert head.startswith(b"HTTP/1.1 101"), head
        assert base64.b64encode(digest) in head, head
        assert b"Sec-WebSocket-Protocol: binary" in head, head

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise Closed
            data += piece
        return data

    def frame(self, opcode, data):
        mask = os.urandom(4)
        size = (bytes([0x80 | len(data)]) if len(data) < 126 else
                b"\xFE" + struct.pack(">H", len(data)))
        self.sock.sendall(bytes([0x80 | opcode]) + size + mask +
                          bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def sendall(self, data):
        for at in range(0, len(data), 60000):
            self.frame(2, data[at:at + 60000])

    def recv_frame(self):
        first, size = self._exactly(2)
        if size == 126:
            size, = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            size, = struct.unpack(">Q", self._exactly(8))
        return first & 15, self._exactly(size)

    def recv(self, n):
        while not self.pending:
            opcode, data = self.recv_frame()
            if opcode == 2:
                self.pending = data
        data, self.pending = self.pending[:n], self.pending[n:]
        return data

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def close(self):
        self.sock.close()


# -- the viewer --------------------------------------------------------------------------------------

def connect(port=None, path=None, timeout=10, websocket=False):
    if path:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(path)
    else:
        sock = socket.create_connection(("127.0.0.1", port), timeout)
    return WebSocket(sock) if websocket else sock


class Viewer:
    """Connects, logs in, and follows the guest's screen."""

    def __init__(self, port=None, path=None, password=None, version=b"RFB 003.008\n", shared=True,
                 encodings=(RAW,), notices=ALL_NOTICES, websocket=False, timeout=10):
        self.sock = connect(port, path, timeout, websocket)
        self.size_known_by, self.notes, self.leds, self.absolute = None, [], None, None
        self.inflate, self.rects, self.updates, self.tight = zlib.decompressobj(), 0, 0, {}
        try:
            self._login(version, password, shared)
        except BaseException:
            self.sock.close()
            raise
        self.set_encodings(tuple(encodings) + tuple(notices))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def read(self, n):
        data = bytearray()
        while len(data) < n:
            try:
                piece = self.sock.recv(min(n - len(data), 1 << 20))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    def unpack(self, layout):
        return struct.unpack(layout, self.read(struct.calcsize(layout)))

    def _login(self, version, password, shared):
        assert self.read(12) == b"RFB 003.008\n"
        self.sock.sendall(version)
        minor = int(version[8:11])
        if minor >= 7:
            kinds = self.read(self.read(1)[0])
            assert kinds == (b"\x02" if password is not None else b"\x01"), kinds
            self.sock.sendall(kinds)
        else:
            kinds = bytes([self.unpack(">I")[0]])
        if kinds == b"\x02":
            self.challenge = self.read(16)
            self.sock.sendall(answer(password, self.challenge))
        if (kinds == b"\x02" or minor >= 8) and self.unpack(">I")[0] != 0:
            raise Refused(self.read(self.unpack(">I")[0]) if minor >= 8 else b"")
        self.sock.sendall(bytes([shared]))
        self.width, self.height = self.unpack(">HH")
        self.format = self.unpack(">BBBBHHHBBBxxx")
        self.name = self.read(self.unpack(">I")[0]).decode()
        self._blank()

    def _blank(self):
        self.rows = [bytearray(4 * self.width) for _ in range(self.height)]

    # -- to the server ---------------------------------------------------------------------------

    def set_encodings(self, encodings):
        self.sock.sendall(struct.pack(">BBH%di" % len(encodings), 2, 0, len(encodings), *encodings))

    def request(self, incremental=True, rect=None):
        self.sock.sendall(struct.pack(">BB4H", 3, incremental, *(rect or (0, 0, self.width, self.height))))

    def key(self, keysym, down=True):
        self.sock.sendall(struct.pack(">BBHI", 4, down, 0, keysym))

    def raw_key(self, code, down=True, keysym=0):
        self.sock.sendall(struct.pack(">BBHII", 255, 0, down, keysym, code))

    def pointer(self, x, y, buttons=0):
        self.sock.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    # -- from the server -------------------------------------------------------------------------

    def update(self):
        """Takes one message."""
        kind = self.read(1)[0]
        assert kind == 0, "message %d" % kind
        count, = self.unpack(">xH")
        self.updates += 1
        for _ in range(count):
            x, y, w, h, encoding = self.unpack(">HHHHi")
            if encoding == LAST_RECT:
                break
            self._rect(x, y, w, h, encoding)

    def wait(self, condition, timeout=10, ask=True):
        """Takes updates, asking for more, until condition() holds."""
        end = time.monotonic() + timeout
        if ask:
            self.request(False)
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("the screen never came to be as expected")
            before = self.updates
            self.update()
            if ask and self.updates != before:
                self.request()

    def pixel(self, x, y):
        return struct.unpack_from("<I", self.rows[y], 4 * x)[0] & 0xFFFFFF

    def _rect(self, x, y, w, h, encoding):
        if encoding in (DESKTOP_SIZE, EXTENDED_SIZE):
            if encoding == EXTENDED_SIZE:
                screens, = self.unpack(">Bxxx")
                self.read(16 * screens)
                self.notes.append((encoding, x, y))
            self.size_known_by = encoding
            if (w, h) != (self.width, self.height):
                self.width, self.height = w, h
                self._blank()
        elif encoding == POINTER_MODE:
            self.absolute = x
        elif encoding == EXTENDED_KEYS:
            self.notes.append((encoding, x, y))
        elif encoding == LEDS:
            self.leds = self.read(1)[0]
        else:
            assert x + w <= self.width and y + h <= self.height, "a rectangle beyond the screen"
            self.rects += 1
            {RAW: self._raw, HEXTILE: self._hextile, ZRLE: self._zrle,
             TIGHT: self._tight}[encoding](x, y, w, h)

    def _put(self, x, y, w, data):
        for i in range(len(data) // (4 * w) if w else 0):
            self.rows[y + i][4 * x:4 * (x + w)] = data[4 * w * i:4 * w * (i + 1)]

    def _fill(self, x, y, w, h, pixel):
        self._put(x, y, w, pixel * (w * h))

    def _raw(self, x, y, w, h):
        self._put(x, y, w, self.read(4 * w * h))

    def _hextile(self, x, y, w, h):
        background = foreground = b"\0" * 4
        for ty in range(y, y + h, 16):
            for tx in range(x, x + w, 16):
                tw, th = min(16, x + w - tx), min(16, y + h - ty)
                flags = self.read(1)[0]
                if flags & 1:
                    self._raw(tx, ty, tw, th)
                    continue
                background = self.read(4) if flags & 2 else background
                foreground = self.read(4) if flags & 4 else foreground
                self._fill(tx, ty, tw, th, background)
                for _ in range(self.read(1)[0] if flags & 8 else 0):
                    colour = self.read(4) if flags & 16 else foreground
                    at, size = self.read(2)
                    self._fill(tx + (at >> 4), ty + (at & 15), (size >> 4) + 1, (size & 15) + 1, colour)

    def _zrle(self, x, y, w, h):
        data = self.inflate.decompress(self.read(self.unpack(">I")[0]))
        at = 0

        def take(n):
            nonlocal at
            at += n
            return data[at - n:at]

        def run():
            length = 1
            while True:
                byte = take(1)[0]
                length += byte
                if byte != 255:
                    return length

        for ty in range(y, y + h, 64):
            for tx in range(x, x + w, 64):
                tw, th = min(64, x + w - tx), min(64, y + h - ty)
                kind, total = take(1)[0], tw * th
                out = b""
                palette = [take(3) + b"\0" for _ in range(kind & 127)]
                if kind == 0:
                    out = b"".join(take(3) + b"\0" for _ in range(total))
                elif kind == 1:
                    out = palette[0] * total
                elif kind <= 16:
                    bits = 1 if kind == 2 else 2 if kind <= 4 else 4
                    for _ in range(th):
                        row = take((tw * bits + 7) // 8)
                        out += b"".join(palette[row[i * bits // 8] >> (8 - bits - i * bits % 8)
                                                & (1 << bits) - 1] for i in range(tw))
                elif kind == 128:
                    while len(out) < 4 * total:
                        pixel = take(3) + b"\0"
                        out += pixel * run()
                else:
                    while len(out) < 4 * total:
                        index = take(1)[0]
                        out += palette[index & 127] * (run() if index & 128 else 1)
                self._put(tx, ty, tw, out)
        assert at == len(data), "%d bytes too many" % (len(data) - at)

    def _tight_length(self):
        length = 0
        for shift in (0, 7, 14):
            byte = self.read(1)[0]
            length |= (byte & 127 if shift < 14 else byte) << shift
            if not byte & 128:
                break
        return length

    def _tight(self, x, y, w, h):
        control = self.read(1)[0]
        for stream in range(4):
            if control >> stream & 1:
                self.tight.pop(stream, None)
        kind = control >> 4
        if kind == 8:
            self._fill(x, y, w, h, self.read(3)[::-1] + b"\0")
            return
        assert kind < 8, "JPEG was not asked for"
        choice, colours = (self.read(1)[0] if kind & 4 else 0), []
        if choice == 1:
            colours = [self.read(3)[::-1] + b"\0" for _ in range(self.read(1)[0] + 1)]
        assert choice < 2, "gradients were not asked for"
        row = (w + 7) // 8 if len(colours) == 2 else w if colours else 3 * w
        if row * h < 12:
            data = self.read(row * h)
        else:
            inflate = self.tight.setdefault(kind & 3, zlib.decompressobj())
            data = inflate.decompress(self.read(self._tight_length()))
        if len(colours) == 2:
            out = b"".join(colours[data[j * row + i // 8] >> (7 - i % 8) & 1]
                           for j in range(h) for i in range(w))
        elif colours:
            out = b"".join(colours[b] for b in data)
        else:
            out = b"".join(data[i:i + 3][::-1] + b"\0" for i in range(0, len(data), 3))
        self._put(x, y, w, out)
