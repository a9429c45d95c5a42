# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of the guest's screen: reads and writes the PNG kinds that screen dumps use."""
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Picture:
    """8-bit RGB pixels, row after row."""

    def __init__(self, width, height, pixels):
        if len(pixels) != width * height * 3:
            raise ValueError("a picture of %dx%d has not %d bytes" % (width, height, len(pixels)))
        self.width, self.height, self.pixels = width, height, pixels

    def counts(self):
        """How many pixels there are of each colour, as {(r, g, b): number}."""
        result = {}
        for colour in zip(self.pixels[0::3], self.pixels[1::3], self.pixels[2::3]):
            result[colour] = result.get(colour, 0) + 1
        return result


def from_ppm(data):
    """Reads a binary PPM (P6) with 255 as its maximum."""
    fields, at = [], 0
    while len(fields) < 4:
        end = at
        while data[end:end + 1].strip():
            end += 1
        if end > at:
            fields.append(data[at:end])
        at = end + 1
    if fields[0] != b"P6" or fields[3] != b"255":
        raise ValueError("not an 8-bit PPM")
    return Picture(int(fields[1]), int(fields[2]), data[at:])


def encode(picture):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I",
                                                                        zlib.crc32(kind + body))

    row = picture.width * 3
    lines = b"".join(b"\0" + picture.pixels[at:at + row]
                     for at in range(0, len(picture.pixels), row))
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND",
                                                                                           b"")


def decode(data):
    """Reads a PNG without interlace: 8-bit RGB, RGBA (alpha is dropped) or palette."""
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at, packed, palette = len(SIGNATURE), b"", b""
    width = height = depth = kind = interlace = 0
    while at < len(data):
        length, = struct.unpack_from(">I", data, at)
        name, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        if struct.unpack_from(">I", data, at + 8 + length)[0] != zlib.crc32(name + body):
            raise ValueError("PNG chunk with a wrong checksum")
        if name == b"IHDR":
            width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif name == b"PLTE":
            palette = body
        elif name == b"IDAT":
            packed += body
        at += 12 + length
    channels = {2: 3, 6: 4, 3: 1}.get(kind)
    if depth != 8 or interlace or not channels:
        raise ValueError("a PNG of a kind that is not read here")
    pixels = _unfilter(zlib.decompress(packed), width * channels, height, channels)
    if kind == 6:
        pixels = b"".join(pixels[at:at + 3] for at in range(0, len(pixels), 4))
    elif kind == 3:
        pixels = b"".join(palette[value * 3:value * 3 + 3] for value in pixels)
    return Picture(width, height, pixels)


def _paeth(left, above, corner):
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def _unfilter(lines, row, height, channels):
    out, above = bytearray(), bytearray(row)
    for number in range(height):
        start = number * (row + 1)
        method, line = lines[start], bytearray(lines[start + 1:start + 1 + row])
        if method == 2:
            line = bytearray((value + up) & 255 for value, up in zip(line, above))
        elif method:
            for at in range(row):
                left = line[at - channels] if at >= channels else 0
                corner = above[at - channels] if at >= channels else 0
                add = (left, 0, (left + above[at]) // 2,
                       _paeth(left, above[at], corner))[method - 1]
                line[at] = (line[at] + add) & 255
        out += line
        above = line
    return bytes(out)
