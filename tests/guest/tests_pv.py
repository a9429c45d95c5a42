# SPDX-License-Identifier: GPL-2.0-or-later
"""Paravirtual devices that the device model serves, driven by the guest's stock drivers."""
import hashlib
import re

from box import media

MIB = 1 << 20
WRITTEN_MIB = 16


def _back_end(case, guest, node):
    """A node of the guest's only qdisk back end, as dom0 sees it."""
    domid = case.machine.check("xl domid %s" % guest.name).strip()
    base = "/local/domain/0/backend/qdisk/%s" % domid
    devid = case.machine.check("xenstore-list %s" % base).split()[0]
    return case.machine.check("xenstore-read %s/%s/%s" % (base, devid, node)).strip()


def _written():
    """Bytes that guest and host can both work out: the CD's data, each time behind a number."""
    data = b""
    turn = 0
    while len(data) < WRITTEN_MIB * MIB:
        data += b"%d\n" % turn + media.cd_data()
        turn += 1
    return data[:WRITTEN_MIB * MIB], turn


def _use_disk(case, guest, seen_in_dom0):
    """xvda is there instead of sda; 16 MiB are written, flushed, and found by `seen_in_dom0`."""
    partitions = guest.sh("cat /proc/partitions")
    case.note(partitions)
    case.expect("xvda" in partitions, "no xvda")
    case.expect(not re.search(r"\bsd[a-z]", partitions), "the emulated disk is still there")
    messages = guest.sh("dmesg | grep -E 'blkfront|xvda'")
    case.note(messages)
    case.expect(_back_end(case, guest, "state") == "4", "the back end is not connected")
    data, turns = _written()
    want = hashlib.md5(data).hexdigest()
    case.note("given to the guest:   md5 %s" % want)
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    guest.sh("n=0; while [ $n -lt %d ]; do echo $n; cat /mnt/data; n=$((n+1)); done 2>/dev/null"
             " | dd of=/dev/xvda bs=1M count=%d iflag=fullblock conv=fsync 2>/dev/null"
             % (turns, WRITTEN_MIB), 900)
    seen = seen_in_dom0()
    case.note("found in dom0's file: md5 %s" % seen)
    case.expect(seen == want, "the image in dom0 holds other bytes than the guest wrote")
    guest.sh("echo 3 > /proc/sys/vm/drop_caches")
    seen = guest.md5("dd if=/dev/xvda bs=1M count=%d 2>/dev/null | md5sum" % WRITTEN_MIB, 600)
    case.expect(seen == want, "the guest reads back other bytes than it wrote")
    errors = guest.try_sh("dmesg | grep -E 'I/O error|blkfront.*(barrier|bad|incorrect)'").output
    case.expect(not errors, "the kernel complains: " + errors)


def test_qdisk_unplug(case):
    """backendtype=qdisk, format=raw: xvda after the unplug, 16 MiB written are in the image"""
    case.machine.check("mkdir -p /tmp/test; truncate -s %dM /tmp/test/hda.img" % (4 * WRITTEN_MIB))
    guest = case.cd_guest(
        xen_platform_pci=1,
        disk=["format=raw,vdev=hda,access=w,backendtype=qdisk,target=/tmp/test/hda.img"])
    guest.start()
    guest.login()
    _use_disk(case, guest, lambda: case.machine.check(
        "dd if=/tmp/test/hda.img bs=1M count=%d 2>/dev/null | md5sum" % WRITTEN_MIB,
        300).split()[0])


def test_qdisk_qcow2(case):
    """the same with format=qcow2, which comes through an NBD server"""
    tools = case.machine.run("command -v qemu-img && command -v qemu-nbd")
    case.expect(tools.status == 0, "dom0 lacks qemu-img or qemu-nbd")
    case.machine.check("mkdir -p /tmp/test; qemu-img create -q -f qcow2 /tmp/test/hda.qcow2 %dM"
                       % (4 * WRITTEN_MIB), 120)
    guest = case.cd_guest(
        xen_platform_pci=1,
        disk=["format=qcow2,vdev=hda,access=w,backendtype=qdisk,target=/tmp/test/hda.qcow2"])
    guest.start()
    guest.login()

    def seen_in_dom0():
        # The guest has flushed: another reader may look, without the lock of the server.
        return case.machine.check(
            "qemu-img convert -U -f qcow2 -O raw /tmp/test/hda.qcow2 /tmp/test/hda.raw &&"
            " dd if=/tmp/test/hda.raw bs=1M count=%d 2>/dev/null | md5sum" % WRITTEN_MIB,
            600).split()[0]

    _use_disk(case, guest, seen_in_dom0)


def test_qdisk_attach(case):
    """xl block-attach and block-detach of a qdisk while the guest runs"""
    case.machine.check("mkdir -p /tmp/test; truncate -s 16M /tmp/test/b.img")
    guest = case.cd_guest(xen_platform_pci=1)
    guest.start()
    guest.login()
    case.machine.check("xl block-attach %s format=raw,vdev=xvdb,access=w,backendtype=qdisk,"
                       "target=/tmp/test/b.img" % guest.name, 120)
    guest.sh("for n in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/xvdb ] && break; sleep 1; done;"
             " dd if=/dev/sr0 of=/dev/xvdb bs=1M count=4 conv=fsync 2>/dev/null", 300)
    want = guest.md5("dd if=/dev/sr0 bs=1M count=4 2>/dev/null | md5sum", 300)
    seen = case.machine.check("dd if=/tmp/test/b.img bs=1M count=4 2>/dev/null | md5sum").split()[0]
    case.expect(seen == want, "the image holds other bytes than the guest wrote")
    case.machine.check("xl block-detach %s xvdb" % guest.name, 120)
    case.expect("xvdb" not in guest.sh("cat /proc/partitions"), "xvdb is still there")
