# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks when something happens: another CD, bad sectors, no server, no device model.
What the guest says about it is kept as evidence."""
import hashlib
import os
import random
import re
import time

from box import media

MIB = 1 << 20
CHUNK = 32 << 10
# Emulated disks beside paravirtual ones at xvde and up: nothing is unplugged.
BOTH_KINDS = "xen_emul_unplug=unnecessary"
NO_READAHEAD = "for f in /sys/block/[sx]*/queue/read_ahead_kb; do echo 0 > $f; done"
WORDS_OF_ERRORS = "ata[0-9]|I/O error|sr0|sr 1|sd 0|xvde|blkfront|isofs"


def _random_image(case, name, mib, seed):
    """A file in dom0 with random bytes; returns its path there, and the bytes."""
    data = random.Random(seed).randbytes(mib * MIB)
    source = os.path.join(case.out, name)
    with open(source, "wb") as target:
        target.write(data)
    path = case.copy_in(source, name)
    os.remove(source)
    return path, data


def _qdisk(path, vdev, form="raw"):
    return "format=%s,vdev=%s,access=w,backendtype=qdisk,target=%s" % (form, vdev, path)


def _drive(path, index, more):
    """A disk that libxl does not know of."""
    return ["-drive", "file=%s,if=ide,index=%d,media=disk,format=raw,cache=writeback,%s"
            % (path, index, more)]


def _disks(case, guest, *places):
    """The kernel's names of emulated disks: it looks at them side by side, and names them as they
    come. A place is channel and unit."""
    names = [guest.sh("ls /sys/bus/scsi/devices/%d:0:%d:0/block" % place).strip()
             for place in places]
    case.note("disks: " + " ".join("ata%d.0%d=%s" % (place[0] + 1, place[1], name)
                                   for place, name in zip(places, names)))
    return names


def _md5(data):
    return hashlib.md5(data).hexdigest()


def _read(guest, disk, start=0, count=None, seconds=300):
    """Checksum of chunks, read past the page cache; also of what came before an error."""
    return guest.md5("dd if=/dev/%s bs=%d skip=%d iflag=direct 2>/tmp/dd %s | md5sum"
                     % (disk, CHUNK, start, "" if count is None else "count=%d" % count), seconds)


def _wait(guest, condition, seconds=120):
    """Until a condition of the guest's shell is true."""
    guest.sh("tries=0; until %s || [ $((tries += 1)) -gt %d ]; do sleep 1; done; %s"
             % (condition, seconds, condition), 4 * seconds)


def _fails(case, guest, command, why="Input/output error", seconds=120):
    """The command must fail, by its own words for the reason given."""
    result = guest.try_sh(command + " 2>&1", seconds)
    case.note("$ %s\n%s" % (command, result.output))
    case.expect(result.status and why in result.output, "'%s' did not fail with '%s': %s"
                % (command, why, result.output))


def _messages(case, guest, *wanted):
    """What the kernel has said since the last call; it must hold the patterns wanted, and nothing
    at all where there are none."""
    found = guest.try_sh("dmesg -c | grep -E '%s'" % WORDS_OF_ERRORS).output
    lines = found.splitlines()
    case.note("\n".join(lines[:24]))
    for pattern in wanted:
        case.expect(re.search(pattern, found), "the kernel does not say '%s' but: %s"
                    % (pattern, found))
    case.expect(wanted or not found, "the kernel complains: " + found)


def _status(case, guest):
    answer = case.machine.check("""qmp %d '{"execute":"query-status"}'""" % guest.domid())
    return re.search(r'"status": *"([a-z-]+)"', answer).group(1)


def _wait_stopped(case, guest, seconds=120):
    end = time.monotonic() + seconds
    while _status(case, guest) != "io-error":
        case.expect(time.monotonic() < end, "the guest is not stopped")
        time.sleep(1)
    case.note("query-status: io-error")


# -- another CD ----------------------------------------------------------------------------------

def _cd_is(case, guest, data, name):
    size = int(guest.sh("blockdev --getsize64 /dev/sr0"))
    seen = guest.md5("md5sum < /dev/sr0", 300)
    case.note("%s: %d bytes, md5 there %s, here %s" % (name, size, seen, _md5(data)))
    case.expect(size == len(data), "the guest sees a medium of %d bytes" % size)
    case.expect(seen == _md5(data), "the guest reads other bytes than the file holds")


def test_cd_change(case):
    """xl cd-insert and cd-eject: empty drive, other media; refused while a mount locks the door"""
    second, second_data = _random_image(case, "second.iso", 4, "second")
    third, third_data = _random_image(case, "third.iso", 3, "third")
    guest = case.cd_guest()
    first = "/tmp/test/cd.img"
    guest.start()
    guest.login()
    guest.sh("echo 500 > /sys/block/sr0/events_poll_msecs;"
             " uevent sh -c 'env | grep DISK_ >> /tmp/uevents' &")
    guest.sh("dmesg -c > /dev/null; mount -t iso9660 -o ro /dev/sr0 /mnt")

    # The door is locked: nobody takes the medium away, and the guest is asked.
    for command in ("cd-insert %s hdc %s" % (guest.name, second), "cd-eject %s hdc" % guest.name):
        result = case.machine.run("xl %s 2>&1" % command, 120)
        case.note("mounted: xl %s: status %d: %s" % (command, result.status, result.output))
        case.expect("is locked" in result.output, "not refused")
        seen = guest.md5("md5sum < /mnt/data", 300)
        case.expect(seen == _md5(media.cd_data()), "the mounted CD has other bytes")
    _wait(guest, "grep -q EJECT_REQUEST /tmp/uevents", 20)
    asked = guest.sh("sort /tmp/uevents | uniq -c")
    case.note("the guest's uevents:\n" + asked)
    case.expect("DISK_EJECT_REQUEST=1" in asked, "the guest is not asked to let the medium go")
    _messages(case, guest)

    guest.sh("umount /mnt")
    case.machine.check("xl cd-insert %s hdc %s" % (guest.name, second), 120)
    _cd_is(case, guest, second_data, "second medium")
    case.machine.check("xl cd-eject %s hdc" % guest.name, 120)
    _fails(case, guest, "dd if=/dev/sr0 of=/dev/null bs=2k count=1", "No medium found")
    case.machine.check("xl cd-insert %s hdc %s" % (guest.name, third), 120)
    _cd_is(case, guest, third_data, "third medium")
    case.machine.check("xl cd-insert %s hdc %s" % (guest.name, first), 120)
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    case.expect(guest.md5("md5sum < /mnt/data", 300) == _md5(media.cd_data()),
                "the first CD has other bytes when it is back")
    changes = guest.sh("grep -c DISK_MEDIA_CHANGE=1 /tmp/uevents")
    case.note("media changes that the kernel has told of before anybody looked: " + changes)
    case.expect(int(changes) >= 1, "the kernel has told of no change of the medium")

    # By force, as somebody pulls the tray out: the guest gets errors and goes on.
    guest.sh("echo 3 > /proc/sys/vm/drop_caches; dmesg -c > /dev/null")
    case.machine.check("qmp %d '{\"execute\":\"eject\",\"arguments\":"
                       "{\"id\":\"ide-5632\",\"force\":true}}'" % guest.domid())
    _fails(case, guest, "md5sum /mnt/data")
    _messages(case, guest, "I/O error, dev sr0|sr0.*(Not Ready|Medium not present)")
    guest.sh("umount /mnt")
    case.machine.check("xl cd-insert %s hdc %s" % (guest.name, second), 120)
    _cd_is(case, guest, second_data, "after that")


# -- bad sectors ---------------------------------------------------------------------------------

BLOCK = 4096
BAD_FIRST, BAD_COUNT = 16384, CHUNK // 512  # sectors
DISK_MIB = 16


def _device_mapper(case, name, image, broken):
    """A block device in dom0 over an image, some sectors of which can be neither read nor
    written."""
    loop = case.machine.check("losetup -j %s | grep -q . || losetup -f %s; losetup -j %s"
                              " | cut -d: -f1" % (image, image, image)).strip()
    end = BAD_FIRST + BAD_COUNT
    total = DISK_MIB * MIB // 512
    bad = "error" if broken else "linear %s %d" % (loop, BAD_FIRST)
    table = ("0 %d linear %s 0\n%d %d %s\n%d %d linear %s %d"
             % (BAD_FIRST, loop, BAD_FIRST, BAD_COUNT, bad, end, total - end, loop, end))
    case.machine.check("export DM_DISABLE_UDEV=1 d=%s; modprobe dm-mod;"
                       " if [ -e /dev/mapper/$d ]; then dmsetup reload $d; dmsetup resume $d;"
                       " else dmsetup create $d; fi <<END\n%s\nEND" % (name, table))
    return "/dev/mapper/" + name


def _good_parts(case, guest, disk, data):
    """Both sides of the bad sectors."""
    for start, end in ((0, BAD_FIRST * 512), ((BAD_FIRST + BAD_COUNT) * 512, len(data))):
        seen = _read(guest, disk, start // CHUNK, (end - start) // CHUNK)
        case.expect(seen == _md5(data[start:end]), "%s: other bytes at %d" % (disk, start))
    case.note("%s: the sectors before and behind are read right" % disk)


def test_disk_errors(case):
    """sectors of the host's disk that fail, beneath sda and xvde: the guest's own messages"""
    images = [_random_image(case, name, DISK_MIB, name) for name in ("bad0", "bad1")]
    devices = [_device_mapper(case, os.path.basename(path), path, True) for path, _ in images]
    guest = case.cd_guest(words=BOTH_KINDS, xen_platform_pci=1,
                          disk=[_qdisk(devices[0], "hda"), _qdisk(devices[1], "xvde")])
    try:
        guest.start()
        guest.login()
        guest.sh(NO_READAHEAD)
        pid = guest.dm_pid()
        bad = BAD_FIRST * 512 // BLOCK
        read_bad = "dd if=/dev/%%s of=/dev/null bs=%d skip=%d count=1" % (BLOCK, bad)
        ata_error = r"ata1.00: error: \{ UNC \}"
        said = {"sda": [ata_error, r"I/O error, dev sda, sector %d op 0x0:\(READ\)" % BAD_FIRST],
                "xvde": [r"I/O error, dev xvde, sector %d op 0x0:\(READ\)" % BAD_FIRST]}
        for disk, (path, data) in zip(said, images):
            guest.sh("dmesg -c > /dev/null")
            _good_parts(case, guest, disk, data)
            _messages(case, guest)
            _fails(case, guest, read_bad % disk)
            _messages(case, guest, *said[disk])
            _good_parts(case, guest, disk, data)
            _messages(case, guest)
        # The storage is repaired under the running guest.
        for disk, (path, data) in zip(said, images):
            _device_mapper(case, os.path.basename(path), path, False)
            seen = _read(guest, disk)
            case.note("%s: repaired, md5 %s" % (disk, seen))
            case.expect(seen == _md5(data), "other bytes after the repair")
            _device_mapper(case, os.path.basename(path), path, True)
        # A written block waits in dom0's page cache: it is the flush that tells. Linux's blkfront
        # takes a flush that fails for one that is not known, so that xvde is left out.
        _fails(case, guest, "dd if=/dev/zero of=/dev/sda bs=%d seek=%d count=1 conv=fsync"
               % (BLOCK, bad))
        _messages(case, guest, r"ata1.00: failed command: FLUSH CACHE", r"I/O error, dev sda")
        _good_parts(case, guest, "sda", images[0][1])
        alive = case.machine.run("readlink /proc/%d/exe" % pid).status == 0
        case.expect(alive and guest.dm_pid() == pid, "the device model has died")
        case.note("query-status: " + _status(case, guest))
    finally:
        guest.destroy()
        case.machine.run("for d in bad0 bad1; do DM_DISABLE_UDEV=1 dmsetup remove $d; done;"
                         " losetup -D")


# -- no server -----------------------------------------------------------------------------------

def _serve(case, image):
    """An NBD server that nobody looks after; returns its process id."""
    case.machine.check("rm -f /tmp/test/nbd.sock; qemu-nbd -f raw -k /tmp/test/nbd.sock -t -e 8"
                       " --fork --pid-file=/tmp/test/nbd.pid %s" % image)
    return int(case.machine.check("cat /tmp/test/nbd.pid"))


def _own_server(case, other):
    """Process id of the server that slimdm has started, or None."""
    pids = case.machine.run("for p in $(pidof qemu-nbd); do readlink /proc/$p/exe >/dev/null &&"
                            " echo $p; done").output.split()
    own = [int(pid) for pid in pids if int(pid) != other]
    case.expect(len(own) < 2, "more servers than images: %s" % pids)
    return own[0] if own else None


def _kill(case, pid):
    case.machine.check("kill -KILL %d; while readlink /proc/%d/exe; do sleep 0.1; done"
                       % (pid, pid))


def _own_server_dies(case, guest, disk, data, other):
    """slimdm starts it again: what was not answered goes to the next one, and the guest sees
    nothing, but for the flush of what may be lost."""
    guest.sh("(while [ ! -e /tmp/enough ]; do dd if=/dev/%s bs=64k iflag=direct 2>/dev/null"
             " | md5sum >> /tmp/sums; done; touch /tmp/ended) & sleep 2" % disk)
    for _ in range(3):
        time.sleep(random.uniform(0.5, 3))
        pid = _own_server(case, other)
        _kill(case, pid)
        # The reading that goes on, and a whole one.
        lines = int(guest.sh("wc -l < /tmp/sums"))
        _wait(guest, "[ $(wc -l < /tmp/sums) -gt %d ]" % (lines + 1))
        new = _own_server(case, other)
        case.note("server %d killed; server %s goes on" % (pid, new))
        case.expect(new not in (None, pid), "no other server")
    guest.sh("touch /tmp/enough")
    _wait(guest, "[ -e /tmp/ended ]")
    sums = guest.sh("sort /tmp/sums | uniq -c").split()
    case.note("checksums of %s, read all the time: %s" % (disk, " ".join(sums)))
    case.expect(sums[1:] == [_md5(data), "-"], "other bytes came from the disk")
    _messages(case, guest)

    write = "dd if=/dev/zero of=/dev/%s bs=64k count=16 %%s 2>/dev/null" % disk
    guest.sh(write % "oflag=direct")
    _kill(case, _own_server(case, other))
    _fails(case, guest, "dd if=/dev/null of=/dev/%s bs=4k conv=fsync" % disk)
    _messages(case, guest, r"ata1.00: failed command: FLUSH CACHE", r"I/O error, dev " + disk)
    guest.sh(write % "conv=fsync", 120)
    seen = _read(guest, disk)
    case.note("written again and flushed: md5 %s" % seen)
    case.expect(seen == _md5(bytes(MIB) + data[MIB:]), "other bytes after writing again")


def _server_dies(case, guest, disk, pid):
    """A server that nobody starts again: errors."""
    guest.sh("(dd if=/dev/%s bs=64k iflag=direct > /dev/null 2>/tmp/dd; echo $? > /tmp/status) &"
             " sleep 1" % disk)
    _kill(case, pid)
    _fails(case, guest, "dd if=/dev/%s of=/dev/null bs=4k skip=77 count=1 iflag=direct" % disk)
    _wait(guest, "[ -s /tmp/status ]")
    case.note("the reader at that time: " + guest.sh("cat /tmp/status /tmp/dd"))
    _messages(case, guest, r"ata1.01: failed command: READ DMA", r"I/O error, dev " + disk)


def _server_comes(case, guest, disk, image, data):
    """rerror=stop: the guest waits for the server."""
    guest.sh("(sleep 3; dd if=/dev/%s bs=64k iflag=direct 2>/tmp/dd | md5sum > /tmp/sum) &" % disk)
    _wait_stopped(case, guest)
    _serve(case, image)
    time.sleep(1.5)
    case.machine.check("xl unpause " + guest.name)
    _wait(guest, "[ -s /tmp/sum ]")
    seen = guest.sh("cat /tmp/sum").split()[0]
    case.note("%s, read with a stop until the server was back: md5 %s" % (disk, seen))
    case.expect(seen == _md5(data), "other bytes: " + guest.sh("cat /tmp/dd"))


def test_server_vanishes(case):
    """NBD servers killed under a reading guest: started again; errors; a stop until it is back"""
    raw, data = _random_image(case, "disk", 8, "server")
    case.machine.check("qemu-img convert -f raw -O qcow2 %s /tmp/test/hda.qcow2" % raw, 120)
    other = _serve(case, raw)
    url = "nbd+unix:///?socket=/tmp/test/nbd.sock"
    guest = case.cd_guest(disk=[_qdisk("/tmp/test/hda.qcow2", "hda", "qcow2")],
                          device_model_args_hvm=_drive(url, 1, "werror=report")
                          + _drive(url, 3, "werror=stop,rerror=stop"))
    try:
        guest.start()
        guest.login()
        own, reporting, stopping = _disks(case, guest, (0, 0), (0, 1), (1, 1))
        for disk in (own, reporting, stopping):
            case.expect(_read(guest, disk) == _md5(data), "%s: other bytes" % disk)
        guest.sh("dmesg -c > /dev/null")
        _own_server_dies(case, guest, own, data, other)
        _server_dies(case, guest, reporting, other)
        case.expect(_read(guest, own) == _md5(bytes(MIB) + data[MIB:]), own + " has other bytes")
        _server_comes(case, guest, stopping, raw, data)
        seen = _read(guest, reporting)
        case.note("%s, read from the new server: md5 %s" % (reporting, seen))
        case.expect(seen == _md5(data), "other bytes")
        _messages(case, guest)
        case.note(case.machine.run("grep -i nbd /var/log/xen/qemu-dm-%s.log" % guest.name).output)
    finally:
        guest.destroy()
        case.machine.run("kill $(cat /tmp/test/nbd.pid)")


# -- no device model -----------------------------------------------------------------------------

def _numbered(count):
    """Blocks, each a padded number."""
    return b"".join(b"%4096d" % n for n in range(count))


WRITER = ("(n=0; while :; do printf %%4096d $n | dd of=/dev/%s bs=4096 seek=$n conv=fsync"
          " 2>/dev/null && echo \"[%s $n]\"; n=$((n+1)); done) & ")


def test_dm_killed(case):
    """SIGKILL of the device model under writers: each block that a flush has covered is there"""
    case.machine.check("mkdir -p /tmp/test; truncate -s 64M /tmp/test/hda /tmp/test/xvde;"
                       " qemu-img create -q -f qcow2 /tmp/test/hdb.qcow2 64M", 120)
    guest = case.cd_guest(words=BOTH_KINDS, xen_platform_pci=1,
                          disk=[_qdisk("/tmp/test/hda", "hda"), _qdisk("/tmp/test/xvde", "xvde"),
                                _qdisk("/tmp/test/hdb.qcow2", "hdb", "qcow2")])
    guest.start()
    guest.login()
    pid = guest.dm_pid()
    first, second = _disks(case, guest, (0, 0), (0, 1))
    images = {first: "/tmp/test/hda", second: "/tmp/test/hdb.raw", "xvde": "/tmp/test/xvde"}

    def acknowledged(disk):
        found = re.findall(br"\[%s (\d+)\]" % disk.encode(), bytes(guest.line.received))
        return int(found[-1]) if found else -1

    guest.sh("".join(WRITER % (disk, disk) for disk in images) + "true")
    guest.line.wait(lambda: min(map(acknowledged, images)) >= 30, 300)
    case.expect(min(map(acknowledged, images)) >= 30, "the writers do not get on: %s"
                % [(disk, acknowledged(disk)) for disk in images])
    time.sleep(random.uniform(0, 3))
    # Stopped first, at whatever it does, so that what the guest has said reaches this side; it
    # never runs again.
    case.machine.check("kill -STOP %d" % pid)
    time.sleep(2)
    _kill(case, pid)
    last = {disk: acknowledged(disk) for disk in images}
    end = time.monotonic() + 20
    while _own_server(case, None):
        case.expect(time.monotonic() < end, "its server is still there")
        time.sleep(0.5)
    case.machine.check("qemu-img convert -f qcow2 -O raw /tmp/test/hdb.qcow2 /tmp/test/hdb.raw",
                       300)
    for disk, image in images.items():
        count = last[disk] + 1
        want = _md5(_numbered(count))
        seen = case.machine.check("dd if=%s bs=%d count=%d 2>/dev/null | md5sum"
                                  % (image, BLOCK, count)).split()[0]
        more = case.machine.check("dd if=%s bs=%d skip=%d count=1 2>/dev/null | tr -d ' \\0'"
                                  % (image, BLOCK, count)).strip()
        case.note("%s: blocks 0 to %d acknowledged, md5 %s, in the image %s; block behind them: %s"
                  % (disk, last[disk], want, seen, more or "not written"))
        case.expect(seen == want, "%s: a block that was flushed is not there" % disk)
