# SPDX-License-Identifier: GPL-2.0-or-later
"""The Xen platform device: with it the guest swaps the emulated disk for a PV one, without it it
keeps it."""
import hashlib
import re

from box import media


def _cd_is_readable(case, guest):
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    seen = guest.md5("md5sum < /mnt/data", 300)
    case.expect(seen == hashlib.md5(media.cd_data()).hexdigest(), "wrong bytes from the CD")
    case.note("CD-ROM: still readable, 8 MiB with the right checksum")


def test_unplug(case):
    """xen_platform_pci=1: emulated disk unplugged, xvda instead, CD-ROM stays"""
    disk = case.medium("grub")
    want = case.machine.check("dd if=%s bs=1M count=4 2>/dev/null | md5sum" % disk).split()[0]
    guest = case.cd_guest(xen_platform_pci=1, disk=[disk + ",raw,hda,w"])
    guest.start()
    guest.login()
    messages = guest.sh("dmesg | grep -iE 'xen|front'")
    case.note(messages)
    case.expect(re.search(r"unplug|Blkfront and the Xen platform PCI driver have been compiled",
                          messages),
                "the kernel says nothing of unplugging")
    partitions = guest.sh("cat /proc/partitions")
    case.note(partitions)
    case.expect("xvda1" in partitions, "no xvda1")
    case.expect(not re.search(r"\bsd[a-z]", partitions), "the emulated disk is still there")
    seen = guest.md5("dd if=/dev/xvda bs=1M count=4 2>/dev/null | md5sum")
    case.expect(seen == want, "wrong bytes from xvda")
    _cd_is_readable(case, guest)


def test_no_platform_device(case):
    """xen_platform_pci=0: sda, and no xvda"""
    guest = case.cd_guest(disk=[case.medium("grub") + ",raw,hda,w"])
    guest.start()
    guest.login()
    partitions = guest.sh("cat /proc/partitions")
    case.note(partitions)
    case.expect("sda1" in partitions and "xvd" not in partitions, "not the emulated disk alone")
    case.expect("5853" not in guest.sh("cat /sys/bus/pci/devices/*/vendor"),
                "the platform device is there")
    _cd_is_readable(case, guest)
