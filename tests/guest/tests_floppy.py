# SPDX-License-Identifier: GPL-2.0-or-later
"""Floppy disks: one that boots, and one that the guest's stock driver reads and writes."""
import hashlib
import os
import random
import re

from box import media
from box.guest import BOOT_SECONDS

DISK_BYTES = 1440 << 10
TRACK = 18 * 1024      # both sides of a cylinder
READ = "dd if=/dev/fd0 bs=%d count=80 2>/dev/null | md5sum" % TRACK


def test_floppy_boot(case):
    """1.44 MB disk, boot='a': SeaBIOS loads syslinux, which reads its files through the BIOS"""
    disk = case.medium("floppy")
    guest = case.guest(boot="a", xen_platform_pci=0, device_model_args_hvm=["-fda", disk])
    guest.start()
    said = guest.expect(re.compile(rb"SYSLINUX [0-9.]+"), BOOT_SECONDS)
    case.note("loader: " + said.group(0).decode())
    guest.expect(re.compile(rb"boot: ?"), 60)
    guest.type("nosuch")
    guest.expect(re.compile(rb"Loading nosuch... failed: No such file"), 60)
    case.note("it has read its configuration and looks for files")


def test_floppy_linux(case):
    """Linux's floppy driver finds the controller, reads and writes a 1.44 MB disk"""
    given = random.Random("floppy").randbytes(DISK_BYTES)
    source = os.path.join(case.out, "floppy")
    with open(source, "wb") as target:
        target.write(given)
    disk = case.copy_in(source, "fda.img")
    os.remove(source)
    guest = case.cd_guest(device_model_args_hvm=["-drive",
                                                 "file=%s,if=floppy,index=0,format=raw" % disk])
    guest.start()
    guest.login()
    guest.sh("modprobe floppy", 120)
    messages = guest.sh("dmesg | grep -iE 'floppy|FDC'")
    case.note(messages)
    case.expect("fd0 is 1.44M" in messages, "the kernel finds no 1.44 MB drive")
    case.expect("82078" in messages, "the kernel takes the controller for another")
    seen = guest.md5(READ, 300)
    case.note("read by the guest:    md5 %s" % seen)
    case.expect(seen == hashlib.md5(given).hexdigest(),
                "the guest reads other bytes than the file holds")

    written = media.cd_data()[:DISK_BYTES]
    want = hashlib.md5(written).hexdigest()
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    guest.sh("dd if=/mnt/data of=/dev/fd0 bs=%d count=80 conv=fsync 2>/dev/null" % TRACK, 300)
    seen = case.machine.check("md5sum < %s" % disk, 60).split()[0]
    case.note("found in dom0's file: md5 %s" % seen)
    case.expect(seen == want, "the file in dom0 holds other bytes than the guest wrote")
    guest.sh("echo 3 > /proc/sys/vm/drop_caches")
    seen = guest.md5(READ, 300)
    case.expect(seen == want, "the guest reads back other bytes than it wrote")
    errors = guest.try_sh("dmesg | grep -iE 'fd0.*error|floppy.*(error|timeout)|I/O error'").output
    case.expect(not errors, "the kernel complains: " + errors)
