# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules: picks some out of an unpacked kernel package, with all that they need.

modprobe needs modules.dep and modules.alias, which a package does not hold (depmod makes them when
it is installed). Both are written here from what each module says about itself.
"""
import os
import re


def _key(name):
    return name.replace("-", "_")


class ModuleTree:
    def __init__(self, root):
        base = os.path.join(root, "lib/modules")
        self.release = sorted(os.listdir(base))[-1]
        self.base = os.path.join(base, self.release)
        self._paths = {}
        for folder, _, names in os.walk(os.path.join(self.base, "kernel")):
            for name in names:
                if name.endswith(".ko"):
                    path = os.path.relpath(os.path.join(folder, name), self.base)
                    self._paths[_key(name[:-3])] = path
        with open(os.path.join(self.base, "modules.builtin")) as source:
            self._builtin = {_key(os.path.basename(line.strip())[:-3]) for line in source}

    def _info(self, path, field):
        with open(os.path.join(self.base, path), "rb") as source:
            found = re.findall(rb"(?:^|\0)" + field + rb"=([^\0]*)", source.read())
        return [value.decode() for value in found]

    def depends(self, name):
        """Direct dependencies of a module, by name."""
        fields = self._info(self._paths[_key(name)], b"depends")
        return [_key(other) for field in fields for other in field.split(",") if other]

    def closure(self, names):
        """The modules and everything they need, each after what it needs. Built-in ones are left
        out."""
        order = []

        def visit(name):
            if name in order or name in self._builtin:
                return
            if name not in self._paths:
                raise KeyError("no kernel module " + name)
            for other in self.depends(name):
                visit(other)
            order.append(name)

        for name in names:
            visit(_key(name))
        return order

    def add(self, archive, names):
        """Adds the modules and the tables for modprobe to a cpio archive."""
        chosen = self.closure(names)
        target = "lib/modules/" + self.release
        dep, alias = [], []
        for name in chosen:
            path = self._paths[name]
            archive.file(target + "/" + path, os.path.join(self.base, path), 0o644)
            needs = [other for other in self.closure([name]) if other != name]
            dep.append(path + ": " + " ".join(self._paths[other] for other in reversed(needs)))
            alias += ["alias %s %s" % (value, name) for value in self._info(path, b"alias")]
        archive.data(target + "/modules.dep", "\n".join(dep) + "\n")
        archive.data(target + "/modules.alias", "\n".join(alias) + "\n")
