# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot: from CD and from disk, through three boot loaders, with one and two virtual processors."""
import re

from box.guest import BOOT_SECONDS, seed


def _boot(case, guest, loader, cpus):
    guest.start()
    said = guest.expect(re.compile(loader["says"]), BOOT_SECONDS)
    case.note("loader: " + said.group(0).decode(errors="replace"))
    guest.login()
    line = guest.sh("cat /proc/cmdline")
    case.expect("box.loader=" + loader["name"] in line, "booted by something else: " + line)
    version = guest.sh("uname -srv").strip()
    count = guest.sh("grep -c ^processor /proc/cpuinfo").strip()
    case.note("guest: %s, %s CPUs, logged in on 'xl console -t serial'" % (version, count))
    case.expect("Debian" in version, "this is not Debian's kernel")
    case.expect(count == str(cpus), "%s CPUs instead of %d" % (count, cpus))
    tainted = guest.sh("cat /proc/sys/kernel/tainted").strip()
    case.expect(tainted == "0", "the kernel is tainted: " + tainted)


ISOLINUX = {"name": "isolinux", "says": rb"ISOLINUX [0-9.]+"}
SYSLINUX = {"name": "syslinux", "says": rb"SYSLINUX [0-9.]+"}
GRUB = {"name": "grub", "says": rb"grub: loading the kernel"}


def _disk_boot(case, kind, loader, cpus):
    disk = case.medium(kind)
    guest = case.guest(boot="c", xen_platform_pci=0, vcpus=cpus, disk=[disk + ",raw,hda,w"])
    _boot(case, guest, loader, cpus)


def test_cd_boot(case):
    """CD-ROM, isolinux, to a login, 1 CPU"""
    _boot(case, case.cd_guest(), ISOLINUX, 1)


def test_cd_boot_2(case):
    """CD-ROM, isolinux, to a login, 2 CPUs"""
    _boot(case, case.cd_guest(vcpus=2), ISOLINUX, 2)


def test_grub_boot(case):
    """hard disk, GRUB, to a login, 1 CPU"""
    _disk_boot(case, "grub", GRUB, 1)


def test_grub_boot_2(case):
    """hard disk, GRUB, to a login, 2 CPUs"""
    _disk_boot(case, "grub", GRUB, 2)


def test_syslinux_boot(case):
    """hard disk, syslinux, to a login, 1 CPU"""
    _disk_boot(case, "syslinux", SYSLINUX, 1)


def test_syslinux_boot_2(case):
    """hard disk, syslinux, to a login, 2 CPUs"""
    _disk_boot(case, "syslinux", SYSLINUX, 2)


def test_seed_configuration(case):
    """the users' own configuration, with plain 'xl create'"""
    guest = case.guest(**seed(case.medium("grub"), case.medium("cd")))
    guest.create("")
    guest.attach()
    guest.login()
    case.note("disks: " + guest.sh("ls /sys/block").replace("\n", " "))
    case.note(guest.sh("cat /proc/partitions"))
    case.expect("xvda" in guest.sh("ls /sys/block"), "the disk is not there")
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt && ls /mnt/isolinux")
    case.note("CD-ROM at hdb is readable")
    case.note("VNC: %s, port %s"
              % (guest.store("console/vnc-listen"), guest.store("console/vnc-port")))
