# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulated machine boots: hypervisor, dom0 and the root of the guests, made from Debian
packages.

Everything is kept under the user's cache folder. The key is made of the versions of all packages
and of the sources in this folder, so a change in either gives a new image and nothing else does.
"""
import fcntl
import glob
import gzip
import lzma
import os
import re
import shutil
import struct
import subprocess
import time

from . import cpio, elf, modules, packages
from .progress import say, step

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = """xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common xenstore-utils
    linux-image-amd64 busybox-static bash coreutils util-linux mount iproute2 bridge-utils socat
    seabios ipxe-qemu qemu-system-xen qemu-utils libnbd0 ethtool tcpdump dmsetup""".split()
# Needed by those only to be installed, never by what runs in dom0.
UNUSED = re.compile(r"(python3|libpython3|perl|iso-codes|dpkg|adduser|initramfs-tools|klibc|debconf"
                    r"|media-types|passwd|readline-common|ucf|tar$|mawk|sensible-utils)")
NOT_UNPACKED = ["./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*",
                "*/drivers/gpu/drm/amd/*",
                "*/drivers/gpu/drm/nouveau/*", "*/drivers/gpu/drm/i915/*", "*/drivers/media/*",
                "*/net/wireless/*", "*/sound/*", "*/drivers/infiniband/*"]
DOM0_MODULES = """virtio_pci virtio_blk virtio_net virtio_console 9p 9pnet_virtio loop tun bridge
    xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback
    8021q dm-mod""".split()
# Stock drivers for every device that a guest may be shown; which of them load is up to what it
# finds.
GUEST_MODULES = """ata_piix ata_generic sd_mod sr_mod isofs psmouse evdev button bochs cirrus
    xen-blkfront xen-netfront 8139cp 8139too 8021q uhci-hcd usbhid hid-generic floppy""".split()
XEN_PROGRAMS = """xl xenstored xenconsoled xenconsole xen-init-dom0 libxl-save-helper xen-hvmctx
    xenctx""".split()
DOM0_PROGRAMS = """bin/bash bin/ip sbin/bridge sbin/brctl bin/stat usr/bin/socat usr/bin/flock
    sbin/losetup usr/bin/timeout usr/bin/setsid usr/bin/qemu-img usr/bin/qemu-nbd
    sbin/dmsetup""".split()
# For guests, on a CD of their own with the libraries they need.
TOOLS = ["usr/sbin/ethtool", "usr/bin/tcpdump", "usr/bin/socat"]
ROMS = ["usr/share/seabios/*.bin", "usr/lib/ipxe/qemu/*.rom"]
PASSWORD = "slimdm"  # of root in the guest; the hash below is of this word
PASSWD = "root:$1$slimdm$NVx6z2JnxA40Jrj7yETuy.:0:0:root:/root:/bin/sh\n"


DAY = 24 * 3600


class Image:
    """Paths of a finished image."""

    def __init__(self, folder):
        self.folder = folder
        self.xen = os.path.join(folder, "xen")
        self.dom0_kernel = os.path.join(folder, "dom0-kernel")
        self.dom0_root = os.path.join(folder, "dom0.cpio")
        self.baseline = os.path.join(folder, "baseline.cpio")
        self.guest_kernel = os.path.join(folder, "guest-kernel")
        self.guest_root = os.path.join(folder, "guest-initrd")
        self.tools = os.path.join(folder, "tools.cpio")
        with open(os.path.join(folder, "contents")) as source:
            self.dom0_files = set(source.read().split("\n"))


def obtain():
    """Finds the image in the cache or builds it."""
    cache = packages.cache_folder()
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pairs = [pair for pair in packages.resolve(PACKAGES) if not UNUSED.match(pair[0])]
        sources = [path for path in glob.glob(os.path.join(HERE, "**"), recursive=True)
                   if os.path.isfile(path) and os.path.basename(path) in IMAGE_SOURCES]
        key = packages.digest(repr(pairs), *["@" + path for path in sorted(sources)])
        folder = os.path.join(cache, "image-" + key)
        if not os.path.exists(folder):
            _build(pairs, folder)
            _prune(cache, folder)
        return Image(folder)


def _prune(cache, folder):
    """Removes what a build that was cut off left behind, and what was made more than a day ago:
    a younger one may be in use by another run."""
    for path in glob.glob(os.path.join(cache, "*.part")):
        shutil.rmtree(path)
    for kind in ("image-*", "unpacked-*"):
        for path in glob.glob(os.path.join(cache, kind)):
            if path != folder and os.stat(path).st_ctime < time.time() - DAY:
                shutil.rmtree(path)


IMAGE_SOURCES = {"image.py", "cpio.py", "elf.py", "modules.py", "init", "agent", "qmp", "inittab",
                 "rc", "session",
                 "powerbutton"}


def _build(pairs, folder):
    with step("download of %d Debian packages for the box" % len(pairs)):
        debs = packages.fetch(pairs)
    root = os.path.join(packages.cache_folder(),
                        "unpacked-" + packages.digest(repr(pairs), repr(NOT_UNPACKED)))
    if not os.path.exists(root):
        with step("unpacking them"):
            shutil.rmtree(root + ".part", ignore_errors=True)
            packages.unpack(debs, root + ".part", NOT_UNPACKED)
            os.rename(root + ".part", root)
    with step("making dom0 and the guest's root from them"):
        part = folder + ".part"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        _hypervisor(root, part)
        tree = modules.ModuleTree(root)
        _kernels(root, tree, part)
        _dom0(root, tree, part)
        _guest(root, tree, part)
        _tools(root, part)
        os.rename(part, folder)


def _hypervisor(root, part):
    with gzip.open(glob.glob(os.path.join(root, "boot/xen-4.17*-amd64.gz"))[0]) as source, \
            open(os.path.join(part, "xen"), "wb") as out:
        shutil.copyfileobj(source, out)


def _kernels(root, tree, part):
    """The guest gets Debian's kernel as it is; dom0's is unpacked here, since that takes long under
    emulation."""
    path = os.path.join(root, "boot/vmlinuz-" + tree.release)
    shutil.copy(path, os.path.join(part, "guest-kernel"))
    with open(path, "rb") as source:
        image = source.read()
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    try:
        payload = lzma.LZMADecompressor().decompress(payload)
    except lzma.LZMAError:
        say("the kernel is not packed with xz: dom0 unpacks it itself")
    with open(os.path.join(part, "dom0-kernel"), "wb") as out:
        out.write(payload if payload[:4] == b"\x7fELF" else image)


def _busybox_links(archive, root):
    archive.file("bin/busybox", os.path.join(root, "bin/busybox"), 0o755)
    listing = subprocess.run([os.path.join(root, "bin/busybox"), "--list-full"],
                             capture_output=True, text=True)
    for applet in listing.stdout.split():
        if applet not in archive:
            archive.symlink(applet, "/bin/busybox")


def library_folders(root):
    return [os.path.join(root, folder) for folder in
            ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu",
             "usr/lib/xen-4.17/lib/x86_64-linux-gnu")]


def _add_programs(archive, root, names):
    """Adds programs, looked for with and without /usr; returns where they were found."""
    found = []
    for name in names:
        for place in (name, "usr/" + name, name.removeprefix("usr/"),
                      name.replace("bin/", "sbin/", 1)):
            if os.path.exists(os.path.join(root, place)):
                archive.file(name, os.path.join(root, place), 0o755)
                found.append(os.path.join(root, place))
                break
        else:
            raise FileNotFoundError("no package holds " + name)
    return found


def _dom0(root, tree, part):
    dom0 = cpio.Archive()
    for folder in ("proc sys dev run tmp root mnt var/log/xen var/lib/xen var/lib/xenstored "
                   "var/lib/xen/dump box/share box/dm").split():
        dom0.directory(folder)
    dom0.symlink("var/run", "/run")
    dom0.symlink("var/lock", "/run/lock")
    programs = _add_programs(dom0, root, DOM0_PROGRAMS)
    for name in XEN_PROGRAMS:
        programs += _add_programs(dom0, root, ["usr/lib/xen-4.17/bin/" + name])
    programs += _add_programs(dom0, root, ["usr/bin/xenstore"])
    for name in "chmod exists list ls read rm watch write".split():
        dom0.symlink("usr/bin/xenstore-" + name, "xenstore")
    dom0.file("usr/lib/xen-4.17/boot/hvmloader",
              os.path.join(root, "usr/lib/xen-4.17/boot/hvmloader"))
    dom0.tree("etc/xen/scripts", os.path.join(root, "etc/xen/scripts"))
    dom0.file("etc/xen/xl.conf", os.path.join(root, "etc/xen/xl.conf"))
    for pattern in ROMS:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            inside = os.path.relpath(path, root)
            dom0.file(inside, path)
            dom0.symlink("usr/share/qemu/" + os.path.basename(path), "/" + inside)
    dom0.file("lib64/ld-linux-x86-64.so.2",
              os.path.join(root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), 0o755)
    # The stable Xen libraries, for whatever device model is put in, also those that no program here
    # needs.
    programs += glob.glob(os.path.join(root, "usr/lib/x86_64-linux-gnu/libxen*.so.[0-9]"))
    # slimdm-nbd loads this one when it is needed.
    programs += glob.glob(os.path.join(root, "usr/lib/x86_64-linux-gnu/libnbd.so.0"))
    for path in programs:
        if ".so." in path:
            dom0.file("lib/x86_64-linux-gnu/" + os.path.basename(path), path)
    # glibc loads this one by itself when a thread is cancelled, as xl does.
    unwinder = os.path.join(root, "lib/x86_64-linux-gnu/libgcc_s.so.1")
    dom0.file("lib/x86_64-linux-gnu/libgcc_s.so.1", unwinder)
    _libraries(dom0, root, programs)
    tree.add(dom0, DOM0_MODULES)
    dom0.data("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"
              "xen-qemuuser-range-base:x:65536:65536::/:/bin/false\n"
              "xen-qemuuser-shared:x:65535:65535::/:/bin/false\n")
    dom0.data("etc/group", "root:x:0:\n")
    dom0.file("init", os.path.join(HERE, "dom0/init"), 0o755)
    for name in ("agent", "qmp"):
        dom0.file("box/bin/" + name if name == "qmp" else "box/" + name,
                  os.path.join(HERE, "dom0", name), 0o755)
    _busybox_links(dom0, root)
    _write(dom0, part, "dom0.cpio")

    baseline = cpio.Archive()
    program = os.path.join(root, "usr/libexec/xen-qemu-system-i386")
    baseline.file("usr/libexec/xen-qemu-system-i386", program, 0o755)
    baseline.tree("usr/share/qemu/keymaps", os.path.join(root, "usr/share/qemu/keymaps"))
    plugins = os.path.join(root, "usr/lib/x86_64-linux-gnu/qemu")
    if os.path.isdir(plugins):
        baseline.tree("usr/lib/x86_64-linux-gnu/qemu", plugins)
    elf_files = [program, *glob.glob(plugins + "/*.so")]
    _libraries(baseline, root, elf_files, present=dom0)
    _write(baseline, part, "baseline.cpio")
    with open(os.path.join(part, "contents"), "w") as out:
        out.write("\n".join(sorted(dom0.paths())))


def _libraries(archive, root, files, present=()):
    missing = elf.add_libraries(archive, files, library_folders(root), present)
    if missing:
        raise FileNotFoundError("no package holds " + " ".join(missing))


def _write(archive, part, name):
    with open(os.path.join(part, name), "wb") as out:
        archive.write(out)


def _guest(root, tree, part):
    guest = cpio.Archive()
    for folder in "proc sys dev tmp mnt root etc/acpi/PWRF".split():
        guest.directory(folder)
    guest.file("init", os.path.join(HERE, "guest/init"), 0o755)
    for name in ("inittab", "rc", "session", "powerbutton"):
        places = {"session": "bin/session", "powerbutton": "etc/acpi/PWRF/00000080"}
        place = places.get(name, "etc/" + name)
        guest.file(place, os.path.join(HERE, "guest", name), 0o644 if name == "inittab" else 0o755)
    guest.data("etc/passwd", PASSWD)
    guest.data("etc/group", "root:x:0:\n")
    guest.data("etc/issue",
               "\nA guest of the slimdm box. Log in as root, password: %s\n\n" % PASSWORD)
    _busybox_links(guest, root)
    tree.add(guest, GUEST_MODULES)
    raw = os.path.join(part, "guest.cpio")
    with open(raw, "wb") as out:
        guest.write(out)
    # Small matters most: the BIOS reads this word by word. The kernel's own unpacker wants CRC32.
    with open(raw, "rb") as source, open(os.path.join(part, "guest-initrd"), "wb") as out:
        out.write(lzma.compress(source.read(), check=lzma.CHECK_CRC32, preset=9))
    os.remove(raw)


def _tools(root, part):
    tools = cpio.Archive()
    tools.file("lib64/ld-linux-x86-64.so.2",
               os.path.join(root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), 0o755)
    _libraries(tools, root, _add_programs(tools, root, TOOLS))
    _write(tools, part, "tools.cpio")
