# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk, CD-ROM, serial line, keyboard and mouse, driven by the guest's stock drivers."""
import base64
import hashlib
import json
import os
import random
import re

from box import media

MIB = 1 << 20
DISK_MIB = 64
SERIAL_BYTES = MIB


def _driver(guest, block):
    """The host controller's driver and the disk's own, as sysfs links them."""
    device = guest.sh("readlink -f /sys/block/%s/device" % block).strip()
    pci = re.match(r".*/\d{4}:\d\d:\d\d\.\d", device).group(0)
    return [os.path.basename(guest.sh("readlink -f %s/driver" % path).strip())
            for path in (pci, device)]


def _dma_mode(case, guest, device):
    """What the kernel has set the drive to: it says so in sysfs only, not in its messages."""
    modes = guest.sh("cd /sys/class/ata_device/%s && grep -H . *_mode" % device)
    case.note("%s: %s" % (device, modes.strip().replace("\n", " ")))
    case.expect(re.search(r"xfer_mode:.*(MWDMA|MW_DMA|UDMA)", modes), "the drive is not set to DMA")


def test_ata_disk(case):
    """ata_piix and sd bind, DMA, 64 MiB read and written, compared from both sides"""
    given = random.Random("disk").randbytes(DISK_MIB * MIB)
    source = os.path.join(case.out, "disk")
    with open(source, "wb") as target:
        target.write(given)
    disk = case.copy_in(source, "hda.img")
    os.remove(source)
    guest = case.cd_guest(disk=[disk + ",raw,hda,w"])
    guest.start()
    guest.login()
    case.note("drivers of sda: %s" % " ".join(_driver(guest, "sda")))
    case.expect(_driver(guest, "sda") == ["ata_piix", "sd"], "sda is driven by something else")
    messages = guest.sh("dmesg | grep -E 'ata[0-9]|sd 0'")
    case.note(messages)
    _dma_mode(case, guest, "dev1.0")

    seen = guest.md5("dd if=/dev/sda bs=1M count=%d 2>/dev/null | md5sum" % DISK_MIB, 600)
    case.note("read by the guest:    md5 %s" % seen)
    case.expect(seen == hashlib.md5(given).hexdigest(),
                "the guest reads other bytes than the file holds")

    # The guest writes bytes that the host can work out too: the CD's data again and again, each
    # time behind a number.
    written = b"".join(b"%d\n" % turn + media.cd_data() for turn in range(9))[:DISK_MIB * MIB]
    want = hashlib.md5(written).hexdigest()
    case.note("given to the guest:   md5 %s" % want)
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    guest.sh("for n in 0 1 2 3 4 5 6 7 8; do echo $n; cat /mnt/data; done 2>/dev/null"
             " | dd of=/dev/sda bs=1M count=%d iflag=fullblock 2>/dev/null; sync" % DISK_MIB, 900)
    seen = case.machine.check("md5sum < %s" % disk, 300).split()[0]
    case.note("found in dom0's file: md5 %s" % seen)
    case.expect(seen == want, "the file in dom0 holds other bytes than the guest wrote")
    guest.sh("sync; echo 3 > /proc/sys/vm/drop_caches")
    seen = guest.md5("dd if=/dev/sda bs=1M count=%d 2>/dev/null | md5sum" % DISK_MIB, 600)
    case.note("read back from it:    md5 %s" % seen)
    case.expect(seen == want, "the guest reads back other bytes than it wrote")
    pattern = "ata.*(error|exception|failed|timeout)|I/O error"
    errors = guest.try_sh("dmesg | grep -E '%s'" % pattern).output
    case.expect(not errors, "the kernel complains: " + errors)


def test_cdrom(case):
    """sr binds, the file on the CD is read right, the device model tells what is in the drive"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    case.note("drivers of sr0: %s" % " ".join(_driver(guest, "sr0")))
    case.expect(_driver(guest, "sr0") == ["ata_piix", "sr"], "sr0 is driven by something else")
    messages = guest.sh("dmesg | grep -E 'ata2|sr 1|sr0'")
    case.note(messages)
    _dma_mode(case, guest, "dev2.0")
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    seen = guest.md5("md5sum < /mnt/data", 300)
    case.note("8 MiB of the CD: md5 %s" % seen)
    case.expect(seen == hashlib.md5(media.cd_data()).hexdigest(), "wrong bytes from the CD")
    answer = case.machine.check("""qmp %d '{"execute":"query-block"}'""" % guest.domid())
    drives = [drive for drive in json.loads(answer)["return"] if "cd.img" in json.dumps(drive)]
    case.expect(len(drives) == 1, "query-block does not know the CD: " + answer)
    case.note("query-block: "
              + json.dumps({key: drives[0].get(key) for key in ("device", "locked", "removable")}))


def test_serial_line(case):
    """8250 on ttyS0: 1 MiB out and 1 MiB in, no byte lost"""
    guest = case.cd_guest()
    guest.start("tty")
    guest.login()
    found = guest.sh("dmesg | grep -E 'ttyS0|8250'")
    case.note(found)
    case.expect("16550A" in found, "the UART is not seen as a 16550A")
    # base64 keeps control characters away from the terminals between; 3 bytes become 4.
    count = SERIAL_BYTES // 4 * 3
    out = guest.sh("head -c %d /dev/urandom > /tmp/out; base64 -w 0 /tmp/out; echo; "
                   "md5sum < /tmp/out" % count, 3600)
    text, total = out.split("\n")[:2]
    case.note("from the guest: %d characters" % len(text))
    case.expect(len(text) == SERIAL_BYTES,
                "%d characters instead of %d" % (len(text), SERIAL_BYTES))
    case.expect(hashlib.md5(base64.b64decode(text)).hexdigest() == total.split()[0],
                "the bytes changed on their way")

    data = base64.b64encode(random.Random("serial").randbytes(count))
    guest.type("x stty raw; echo go-ahead; dd bs=4k count=%d iflag=fullblock 2>/dev/null | md5sum; "
               "stty -raw -echo -onlcr" % (len(data) // 4096))
    guest.expect(re.compile(rb"go-ahead\r?\n"), 60)
    guest.line.write(data)
    seen = guest.expect(re.compile(rb"([0-9a-f]{32})  -"), 3600).group(1).decode()
    guest.expect(re.compile(rb">>x 0\r?\n"), 60)
    case.note("to the guest:   %d characters, md5 there %s" % (len(data), seen))
    case.expect(seen == hashlib.md5(data).hexdigest(), "the bytes changed on their way in")
    counters = guest.sh("cat /proc/tty/driver/serial | grep '^0:'")
    case.note(counters)
    case.expect(not re.search(r"\b(fe|oe|pe|brk):", counters),
                "the driver counts errors: " + counters)


def test_keyboard_and_mouse(case):
    """PS/2 keyboard and mouse are found by their stock drivers"""
    guest = case.cd_guest()
    guest.start()
    guest.login()
    case.note(guest.sh("dmesg | grep -iE 'i8042|serio|atkbd|psmouse|input:'"))
    devices = guest.sh("cat /proc/bus/input/devices")
    for name in (r"AT Translated Set 2 keyboard", r"(ImExPS/2|ImPS/2|PS/2) .*Mouse"):
        found = re.search(r'Name="(%s)"' % name, devices)
        case.expect(found, "no %s among the input devices:\n%s" % (name, devices))
        case.note("found: " + found.group(1))
    for port, driver in (("serio0", "atkbd"), ("serio1", "psmouse")):
        bound = os.path.basename(guest.sh("readlink -f /sys/bus/serio/devices/%s/driver"
                                          % port).strip())
        case.expect(bound == driver, "%s is bound to %s" % (port, bound))
