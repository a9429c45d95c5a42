# SPDX-License-Identifier: GPL-2.0-or-later
"""The saved state's format (dm/savefile.h), written a second time: stream, objects, text.

Objects are [(name, kind, version, [(field, type, count, values)])]; the text is what
`slimdm --dump-state` prints.
"""

import re
import struct
import zlib

MAGIC = b"SLIMDM\r\n"
HEADER = 24
SIZES = {1: 1, 2: 2, 4: 4, 8: 8, 9: 1}
NAMES = {1: "u8", 2: "u16", 4: "u32", 8: "u64", 9: "bool"}
TYPES = {name: number for number, name in NAMES.items()}


def seal(body, objects, form=1):
    return MAGIC + struct.pack("<IIII", form, objects, len(body), zlib.crc32(body)) + body


def with_checksum(stream):
    """The same stream with a checksum that is right."""
    return stream[:20] + struct.pack("<I", zlib.crc32(stream[HEADER:])) + stream[HEADER:]


def encode_object(name, kind, version, fields):
    def string(text):
        return struct.pack("<B", len(text)) + text.encode()
    body = string(name) + string(kind) + struct.pack("<HH", version, len(fields))
    for field, kind_of, count, values in fields:
        stored = len(values)
        while stored and values[stored - 1] == 0:
            stored -= 1
        body += string(field) + struct.pack("<BII", kind_of, count, stored)
        body += b"".join(v.to_bytes(SIZES[kind_of], "little") for v in values[:stored])
    return body


def encode(objects):
    return seal(b"".join(encode_object(*o) for o in objects), len(objects))


def decode(stream):
    at = HEADER

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, stream, at)
        at += struct.calcsize("<" + form)
        return values

    def string():
        nonlocal at
        length, = take("B")
        at += length
        return stream[at - length:at].decode()

    objects = []
    assert stream[:8] == MAGIC, stream[:8]
    for _ in range(struct.unpack_from("<I", stream, 12)[0]):
        name, kind = string(), string()
        version, count = take("HH")
        fields = []
        for _ in range(count):
            field = string()
            kind_of, elements, stored = take("BII")
            size = SIZES[kind_of]
            values = [int.from_bytes(stream[at + i * size:at + (i + 1) * size], "little")
                      for i in range(stored)]
            at += stored * size
            fields.append((field, kind_of, elements, values))
        objects.append((name, kind, version, fields))
    assert at == len(stream), "%d bytes are left" % (len(stream) - at)
    return objects


def flat(stream):
    """{"object.field": values without the zeros at the end}"""
    return {"%s.%s" % (name, field): values
            for name, _, _, fields in decode(stream) for field, _, _, values in fields}


def differences(a, b):
    """Names of the fields that differ."""
    one, other = flat(a), flat(b)
    return sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k))


def from_text(text):
    """The stream of which `slimdm --dump-state` has printed this."""
    objects = []
    # a long field goes on in further lines, deeper than the fields
    for line in re.sub(r"\n {8}(?=[0-9a-f])", " ", text).splitlines():
        head = re.fullmatch(r"(\S+): (\S+) version (\d+)", line)
        field = re.fullmatch(r"    (\w+) (\w+)(?:\[(\d+)\])? =([0-9a-f ]*)(?:\(then \d+ zeros\))?",
                             line)
        if head:
            objects.append((head[1], head[2], int(head[3]), []))
        elif field:
            objects[-1][3].append((field[1], TYPES[field[2]], int(field[3] or 1),
                                   [int(v, 16) for v in field[4].split()]))
        else:
            assert line.startswith(("#", "saved state,")) or not line, line
    return encode(objects)
