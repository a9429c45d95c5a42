# SPDX-License-Identifier: GPL-2.0-or-later
"""Save, restore and migration: the guest goes on where it was."""
import re

from box.guest import BOOT_SECONDS
from tests_network import GUEST, HOST, VIF

MEMORY = 256
DISK_MIB = 8
STATE = "/tmp/test/guest.state"
# What the guest is at meanwhile: it counts, and reads its disk over and over.
WORK = ("(n=0; while :; do echo $((n += 1)) > /tmp/count; usleep 50000; done) & "
        "(while :; do dd if=/dev/%s bs=64k 2>/dev/null | md5sum >> /tmp/sums; done) & "
        "sleep 3")


def _start(case, **settings):
    """A guest at work, with a disk, a CD, a card and a graphics screen; also its disk's checksum."""
    case.machine.check("mkdir -p /tmp/test; dd if=/dev/urandom of=/tmp/test/hda.img bs=1M count=%d"
                       " 2>/dev/null" % DISK_MIB, 120)
    want = case.machine.check("md5sum < /tmp/test/hda.img", 120).split()[0]
    guest = case.cd_guest(memory=MEMORY, stdvga=1, vif=VIF,
                          disk=["/tmp/test/hda.img,raw,hda,w"], **settings)
    guest.start()
    guest.login(BOOT_SECONDS)
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt; ip addr add %s/24 dev eth0;"
             " ip link set eth0 up" % GUEST)
    guest.sh("for n in 1 2 3 4 5; do ping -c 1 -W 5 %s && break; done" % HOST)
    name = "xvda" if settings.get("xen_platform_pci") else "sda"
    guest.sh(WORK % name)
    return guest, want


def _wake(case, guest, paused=True):
    """Attaches to a restored guest, lets it go on, and waits until it takes what is typed: while
    its serial driver resumes it empties the FIFO, and 'xl console' flushes what comes too early."""
    guest.attach("tty")
    if paused:
        case.machine.check("xl unpause " + guest.name)
    for _ in range(60):
        guest.line.write(b"\n")  # to the session a command without a name
        if guest.line.expect(re.compile(rb">> 0\r?\n"), 1):
            return
    case.expect(False, "nobody answers on the restored guest's serial line")


def _count(guest):
    # The file is empty for a moment each time.
    return int(guest.sh("while n=$(cat /tmp/count); [ -z \"$n\" ]; do :; done; echo $n"))


def _goes_on(case, guest, want, before):
    """The guest is the same one, and everything that it uses still works."""
    now = _count(guest)
    case.note("the guest's counter: %d before, %d after; up for %s s"
              % (before, now, guest.sh("cut -d' ' -f1 /proc/uptime").strip()))
    case.expect(now > before, "the counter has begun again")
    guest.sh("sleep 3")
    case.expect(_count(guest) > now, "the counter stands still")
    lines = int(guest.sh("wc -l < /tmp/sums"))
    guest.sh("for n in $(seq 60); do [ $(wc -l < /tmp/sums) -gt %d ] && break; sleep 1; done;"
             " [ $(wc -l < /tmp/sums) -gt %d ]" % (lines + 1, lines + 1), 300)
    sums = guest.sh("sort /tmp/sums | uniq -c").split()
    case.note("checksums of the disk, read all the time: " + " ".join(sums))
    case.expect(sums[1:] == [want, "-"], "other bytes came from the disk")
    guest.sh("dd if=/mnt/data of=/dev/null bs=64k", 300)
    guest.sh("(for n in 1 2 3 4 5; do ping -c 1 -W 5 %s && exit 0; done; exit 1)" % HOST)
    words = guest.try_sh("dmesg | grep -E 'ata[0-9].*(exception|error|lost)|NETDEV WATCHDOG|"
                         "Oops|BUG:|lockup'")
    case.expect(not words.output, "the kernel complains: " + words.output)


def _save_and_restore(case, **settings):
    guest, want = _start(case, **settings)
    before, pid, old = _count(guest), guest.dm_pid(), guest.domid()
    guest.screenshot(case.out + "/before.png")
    case.machine.check("xl save %s %s" % (guest.name, STATE), 600)
    case.expect(guest.wait_gone(30, domid=old), "the saved domain is still there")
    case.expect(case.machine.run("test -d /proc/%d" % pid).status != 0,
                "its device model is still there")
    guest.detach()
    case.machine.check("xl restore -p %s" % STATE, 600)
    _wake(case, guest)
    case.note("domain %d became %d" % (old, guest.domid()))
    _goes_on(case, guest, want, before)
    guest.screenshot(case.out + "/after.png")
    return guest


def test_save_restore(case):
    """xl save and xl restore of a guest at work on its emulated devices"""
    _save_and_restore(case)


def test_save_unplugged(case):
    """the same with paravirtual disk and network: the emulated ones stay unplugged"""
    guest = _save_and_restore(case, xen_platform_pci=1)
    found = guest.sh("cat /proc/partitions")
    case.expect("xvda" in found and not re.search(r"\bsda\b", found), "disks: " + found)


def test_checkpoint(case):
    """xl save -c: the guest goes on, and what was saved can be restored later"""
    guest, want = _start(case)
    before, old = _count(guest), guest.domid()
    case.machine.check("xl save -c %s %s" % (guest.name, STATE), 600)
    case.expect(guest.domid() == old, "the domain is another one")
    _goes_on(case, guest, want, before)
    later = _count(guest)
    guest.destroy()
    case.machine.check("xl restore -p %s" % STATE, 600)
    _wake(case, guest)
    case.expect(before <= _count(guest) < later, "it does not go on where it was saved")
    _goes_on(case, guest, want, before)


def test_migrate(case):
    """xl migrate to the same host while disk and card are at work"""
    guest, want = _start(case)
    before, old = _count(guest), guest.domid()
    guest.detach()
    case.machine.check("xl migrate -s '' %s 'xl migrate-receive'" % guest.name, 900)
    case.expect(guest.domid() not in (None, old), "no new domain")
    _wake(case, guest, paused=False)
    case.note("domain %d became %d" % (old, guest.domid()))
    _goes_on(case, guest, want, before)
