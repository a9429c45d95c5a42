# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared libraries that 64-bit ELF files need, found without running them."""
import os
import struct

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5


def needed(path):
    """The DT_NEEDED names of a file, in order; empty for anything that is not a dynamic ELF64
    file."""
    with open(path, "rb") as source:
        image = source.read()
    if image[:5] != b"\x7fELF\x02":
        return []
    table, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    loads, dynamic = [], None
    for at in range(table, table + size * count, size):
        kind, = struct.unpack_from("<I", image, at)
        offset, address, _, length = struct.unpack_from("<QQQQ", image, at + 8)
        if kind == PT_LOAD:
            loads.append((address, offset, length))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, length)
    if dynamic is None:
        return []
    entries = list(struct.iter_unpack("<qQ", image[dynamic[0]:dynamic[0] + dynamic[1] // 16 * 16]))
    strings = next(value for tag, value in entries if tag == DT_STRTAB)
    for address, offset, length in loads:
        if address <= strings < address + length:
            strings += offset - address
            break
    names = []
    for tag, value in entries:
        if tag == DT_NEEDED:
            start = strings + value
            names.append(image[start:image.index(b"\0", start)].decode())
    return names


def add_libraries(archive, files, search, present=()):
    """Adds to the archive, under /lib/x86_64-linux-gnu, every library that the files need, and what
    those need, from the first folder of search that has it, but none whose path is in present
    already. Returns the names that were found nowhere."""
    missing, waiting = [], list(files)
    while waiting:
        for name in needed(waiting.pop()):
            inside = "lib/x86_64-linux-gnu/" + name
            known = inside in archive or inside in present or name in missing
            if known or name.startswith("ld-linux"):
                continue
            for folder in search:
                candidate = os.path.join(folder, name)
                if os.path.exists(candidate):
                    archive.file(inside, candidate)
                    waiting.append(candidate)
                    break
            else:
                missing.append(name)
    return missing
