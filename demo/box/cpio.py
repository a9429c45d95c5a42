# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes cpio archives in the "newc" form that Linux unpacks as initramfs.

An archive is collected in memory by path and written sorted, with fixed times and owner root, so
the same content gives the same bytes, whoever builds it.
"""
import os
import stat


class Archive:
    def __init__(self):
        self._entries = {}  # path without leading slash -> (mode, bytes, or path of a file to read)

    def __contains__(self, path):
        return path.strip("/") in self._entries

    def paths(self):
        return self._entries.keys()

    def directory(self, path, mode=0o755):
        self._put(path, stat.S_IFDIR | mode, b"")

    def data(self, path, content, mode=0o644):
        if isinstance(content, str):
            content = content.encode()
        self._put(path, stat.S_IFREG | mode, content)

    def file(self, path, source, mode=None):
        """Adds the file at source (links are followed); its own permissions unless mode is
        given."""
        if mode is None:
            mode = 0o755 if os.stat(source).st_mode & 0o100 else 0o644
        self._put(path, stat.S_IFREG | mode, os.path.realpath(source))

    def symlink(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def tree(self, path, source):
        """Adds a folder with everything in it; symbolic links stay links."""
        self.directory(path)
        for name in sorted(os.listdir(source)):
            below, inside = os.path.join(source, name), path + "/" + name
            if os.path.islink(below):
                self.symlink(inside, os.readlink(below))
            elif os.path.isdir(below):
                self.tree(inside, below)
            else:
                self.file(inside, below)

    def _put(self, path, mode, content):
        path = path.strip("/")
        parent = os.path.dirname(path)
        if parent and parent not in self._entries:
            self.directory(parent)
        self._entries[path] = (mode, content)

    def write(self, out):
        """Writes the archive to the binary file object out."""
        for number, path in enumerate(sorted(self._entries), 1):
            mode, content = self._entries[path]
            if isinstance(content, str):
                with open(content, "rb") as source:
                    content = source.read()
            self._record(out, number, path, mode, content)
        self._record(out, 0, "TRAILER!!!", 0, b"")

    @staticmethod
    def _record(out, inode, path, mode, content):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % value for value in fields) + name
        out.write(head + b"\0" * (-len(head) % 4))
        out.write(content + b"\0" * (-len(content) % 4))
