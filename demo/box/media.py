# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot media for guests: Debian's kernel and our small root, on a CD or a disk, behind a stock boot
loader.

Every loader also speaks on the first serial line, so that its own words show that it ran.
"""
import os
import random
import shutil
import struct
import subprocess
import tempfile

from . import packages

KERNEL_WORDS = "console=tty1 console=ttyS0,115200n8 quiet panic=5 mitigations=off nokaslr"
ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
SYSLINUX_MODULES = "/usr/lib/syslinux/modules/bios"
SYSLINUX_MBR = "/usr/lib/syslinux/mbr/mbr.bin"
GRUB = "/usr/lib/grub/i386-pc"
GRUB_FONT = "/usr/share/grub/ascii.pf2"
SECTOR = 512
FIRST = 2048               # first sector of the partition: 1 MiB, as partitioning programs do it
CD_DATA_BYTES = 8 << 20    # of the file "data" on the CD, for reading tests


def _tool(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}, **options)
    if result.returncode:
        raise RuntimeError("%s failed:\n%s" % (command[0], result.stdout[-800:]))


def _syslinux_configuration(loader, words):
    return ("serial 0 115200\n"
            "say %s: loading the kernel\n"
            "default guest\nprompt 0\n"
            "label guest\n kernel /boot/vmlinuz\n append initrd=/boot/initrd box.loader=%s %s %s\n"
            % (loader, loader, KERNEL_WORDS, words))


def _boot_folder(image, folder):
    os.makedirs(folder)
    shutil.copy(image.guest_kernel, os.path.join(folder, "vmlinuz"))
    shutil.copy(image.guest_root, os.path.join(folder, "initrd"))


def cd_data():
    """The bytes of the CD's file "data": the same on every CD."""
    return random.Random("slimdm").randbytes(CD_DATA_BYTES)


def isolinux_cd(top, out, configuration):
    """Makes a CD image of the folder top, with isolinux added to it."""
    os.makedirs(os.path.join(top, "isolinux"))
    shutil.copy(ISOLINUX, os.path.join(top, "isolinux"))
    shutil.copy(os.path.join(SYSLINUX_MODULES, "ldlinux.c32"), os.path.join(top, "isolinux"))
    with open(os.path.join(top, "isolinux/isolinux.cfg"), "w") as target:
        target.write(configuration)
    _tool("xorriso", "-as", "mkisofs", "-quiet", "-o", out, "-V", "SLIMDM_GUEST", "-b",
          "isolinux/isolinux.bin",
          "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",
          "-boot-info-table", top)


def cd(image, out, words=""):
    """A CD image that isolinux boots; words are added to the kernel's command line."""
    with tempfile.TemporaryDirectory() as work:
        top = os.path.join(work, "cd")
        _boot_folder(image, os.path.join(top, "boot"))
        with open(os.path.join(top, "data"), "wb") as target:
            target.write(cd_data())
        isolinux_cd(top, out, _syslinux_configuration("isolinux", words))


def tools_cd(image, out, words=""):
    """A CD with programs for guests: "tools.cpio", to be unpacked over the guest's root."""
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(image.tools, os.path.join(work, "tools.cpio"))
        _tool("xorriso", "-as", "mkisofs", "-quiet", "-o", out, "-V", "TOOLS", work)


def network_boot(image, folder, name, words=""):
    """Puts our kernel and small root into a TFTP server's folder, and a script for iPXE."""
    shutil.copy(image.guest_kernel, os.path.join(folder, "vmlinuz"))
    shutil.copy(image.guest_root, os.path.join(folder, "initrd"))
    with open(os.path.join(folder, name), "w") as target:
        target.write("#!ipxe\nkernel vmlinuz initrd=initrd box.loader=ipxe %s %s\n"
                     "initrd initrd\nboot\n" % (KERNEL_WORDS, words))


def floppy(image, out, words=""):
    """A 1.44 MB disk with syslinux on FAT12, which has no kernel to load: it shows its prompt on
    the serial line."""
    with tempfile.TemporaryDirectory() as work:
        configuration = os.path.join(work, "syslinux.cfg")
        with open(configuration, "w") as target:
            target.write("serial 0 115200\nprompt 1\ntimeout 0\n")
        with open(out, "wb") as target:
            target.truncate(1440 << 10)
        _tool("mformat", "-i", out, "-f", "1440", "-v", "SLIMDM", "::")
        _tool("mcopy", "-i", out, configuration, "::")
        _tool("syslinux", "--install", out)


def _partitioned(out, boot_code, kind, filesystem):
    """A disk image with one active partition that holds the file filesystem."""
    length = os.path.getsize(filesystem) // SECTOR
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", FIRST, length)
    with open(out, "wb") as disk, open(filesystem, "rb") as source:
        disk.write(boot_code[:440].ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa")
        disk.write(boot_code[SECTOR:])
        if disk.tell() > FIRST * SECTOR:
            raise RuntimeError("the boot loader does not fit before the partition")
        disk.seek(FIRST * SECTOR)
        shutil.copyfileobj(source, disk)


def syslinux_disk(image, out, words="", mebibytes=20):
    """A disk image: syslinux's MBR, one FAT16 partition with syslinux on it."""
    with tempfile.TemporaryDirectory() as work:
        boot, fat = os.path.join(work, "boot"), os.path.join(work, "fat")
        _boot_folder(image, boot)
        with open(os.path.join(work, "syslinux.cfg"), "w") as target:
            target.write(_syslinux_configuration("syslinux", words))
        with open(fat, "wb") as target:
            target.truncate(mebibytes << 20)
        _tool("mkfs.vfat", "-F", "16", "-h", str(FIRST), "-n", "SLIMDM", fat)
        _tool("mcopy", "-s", "-i", fat, boot, os.path.join(work, "syslinux.cfg"), "::")
        _tool("syslinux", "--install", fat)
        with open(SYSLINUX_MBR, "rb") as source:
            _partitioned(out, source.read(), 0x0e, fat)


def _grub_disk(image, out, configuration, modules, files=(), mebibytes=20):
    """A disk image: GRUB's boot sector, its core between that and the one ext4 partition. files of
    the host are put beside GRUB's configuration."""
    with tempfile.TemporaryDirectory() as work:
        top, ext4, core = (os.path.join(work, name) for name in ("top", "ext4", "core"))
        _boot_folder(image, os.path.join(top, "boot"))
        os.makedirs(os.path.join(top, "boot/grub"))
        for path in files:
            shutil.copy(path, os.path.join(top, "boot/grub"))
        with open(os.path.join(top, "boot/grub/grub.cfg"), "w") as target:
            target.write(configuration)
        _tool("mke2fs", "-q", "-t", "ext4", "-L", "slimdm", "-d", top, ext4, "%dM" % mebibytes)
        _tool("grub-mkimage", "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o", core,
              "biosdisk", "part_msdos", "ext2", "normal", "linux", "echo", "terminal", *modules)
        with open(os.path.join(GRUB, "boot.img"), "rb") as source, open(core, "rb") as rest:
            _partitioned(out, source.read(SECTOR) + rest.read(), 0x83, ext4)


def grub_disk(image, out, words=""):
    """A disk that GRUB boots without asking, speaking on the serial line too."""
    _grub_disk(image, out,
               "serial --unit=0 --speed=115200\nterminal_output console serial\n"
               "echo 'grub: loading the kernel'\n"
               "linux /boot/vmlinuz box.loader=grub %s %s\ninitrd /boot/initrd\nboot\n"
               % (KERNEL_WORDS, words), ["serial"])


def grub_menu_disk(image, out, words=""):
    """A disk on which GRUB shows a menu in a graphics mode, with the chosen entry on red, and waits
    for a key: Debian, Memtest86+, a restart."""
    memtest = os.path.join(packages.content("memtest86+"), "boot/memtest86+x64.bin")
    _grub_disk(image, out,
               "loadfont /boot/grub/%s\nset gfxmode=800x600\nterminal_output gfxterm\n"
               "set menu_color_highlight=white/red\nset timeout=-1\n"
               "menuentry Debian {\n linux /boot/vmlinuz box.loader=grub %s %s\n"
               " initrd /boot/initrd\n}\n"
               "menuentry Memtest86+ {\n linux16 /boot/grub/%s\n}\n"
               "menuentry Restart {\n reboot\n}\n"
               % (os.path.basename(GRUB_FONT), KERNEL_WORDS, words, os.path.basename(memtest)),
               ["font", "gfxterm", "vbe", "linux16", "reboot"], [GRUB_FONT, memtest])
