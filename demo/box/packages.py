# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages for the box: which versions, download, unpack. Nothing is installed."""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess


class PackageError(Exception):
    pass


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "slimdm")
    os.makedirs(path, exist_ok=True)
    return path


def resolve(names):
    """The named packages and all they depend on, as sorted (name, version) pairs.

    apt is asked what it would install on a machine that has nothing, so the answer does not depend
    on what this one has.
    """
    found = _ask_apt(names)
    if not found and os.getuid() == 0:  # the lists may be old, or not there at all
        subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
        found = _ask_apt(names)
    if not found:
        raise PackageError("apt-get knows no way to get %s; 'apt-get update' as root may help"
                           % " ".join(names))
    return sorted(found)


def _ask_apt(names):
    command = ["apt-get", "-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=0",
               "-o", "Debug::NoLocking=1", "-o", "Dir::Cache::pkgcache=", "-o",
               "Dir::Cache::srcpkgcache=",
               "-s", "install", *names]
    result = subprocess.run(command, capture_output=True, text=True,
                            env={**os.environ, "LC_ALL": "C"})
    found = re.findall(r"^Inst (\S+) \((\S+) ", result.stdout, re.M)
    return found if result.returncode == 0 else []


def fetch(pairs):
    """Downloads what the cache lacks; returns the paths of the package files, one for each pair."""
    folder = os.path.join(cache_folder(), "packages")
    os.makedirs(folder, exist_ok=True)

    def find(name, version):
        prefix = "%s_%s_" % (name, version.replace(":", "%3a"))
        hits = [entry for entry in os.listdir(folder) if entry.startswith(prefix)
                and entry.endswith(".deb")]
        return os.path.join(folder, hits[0]) if hits else None

    missing = ["%s=%s" % pair for pair in pairs if not find(*pair)]
    if missing:
        partial = folder + ".part"  # a download that is cut off leaves nothing under a final name
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        result = subprocess.run(["apt-get", "download", "-qq", *missing], cwd=partial, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if result.returncode:
            raise PackageError("download failed: " + result.stderr[-600:])
        for name in os.listdir(partial):
            os.rename(os.path.join(partial, name), os.path.join(folder, name))
        shutil.rmtree(partial)
    paths = [find(*pair) for pair in pairs]
    if None in paths:
        raise PackageError("not downloaded: %s=%s" % pairs[paths.index(None)])
    return paths


def unpack(debs, root, exclude):
    """Unpacks packages into the folder root, without the files that match the exclude patterns of
    tar."""
    os.makedirs(root, exist_ok=True)
    options = ["--exclude=" + pattern for pattern in exclude]
    for deb in debs:
        reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        writer = subprocess.run(["tar", "-x", "-C", root, "--keep-directory-symlink",
                                 "--no-same-owner", *options],
                                stdin=reader.stdout, stderr=subprocess.PIPE, text=True)
        reader.stdout.close()
        if reader.wait() or writer.returncode:
            raise PackageError("cannot unpack %s: %s" % (deb, writer.stderr[-400:]))


def content(name):
    """A folder of the cache with the files of one package, without those that it depends on."""
    with open(os.path.join(cache_folder(), "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pairs = [pair for pair in resolve([name]) if pair[0] == name]
        folder = os.path.join(cache_folder(), "unpacked-" + digest(repr(pairs)))
        if not os.path.exists(folder):
            shutil.rmtree(folder + ".part", ignore_errors=True)
            unpack(fetch(pairs), folder + ".part", [])
            os.rename(folder + ".part", folder)
        return folder


def digest(*parts):
    """A short key for a cache entry, from strings and from the content of files ('@path')."""
    total = hashlib.sha256()
    for part in parts:
        if part.startswith("@"):
            with open(part[1:], "rb") as source:
                part = source.read()
        else:
            part = part.encode()
        total.update(b"%d:" % len(part) + part)
    return total.hexdigest()[:16]
