# SPDX-License-Identifier: GPL-2.0-or-later
"""The network card under stock drivers, with dom0 on the other side of the bridge; boot from the
network."""
import hashlib
import re

from box import machine, media
from box.guest import BOOT_SECONDS

HOST, GUEST = "10.0.2.15", "10.0.2.100"
MAC = "00:16:3e:01:02:03"
VIF = ["type=ioemu,model=rtl8139,bridge=xenbr0,mac=" + MAC]
ECHO = re.compile(r"(\d+) packets transmitted, (\d+) (?:packets )?received")
SIZES = (0, 1, 56, 1472, 1473, 8000, 30000)  # the largest of one frame is 1472


def _start(case, **settings):
    """A guest with a card, an address and the tools."""
    tools = case.medium("tools") + ",raw,hdd,cdrom,r"
    guest = case.cd_guest(vif=VIF, **{"disk": [tools], **settings})
    guest.start()
    guest.login()
    guest.sh("mount -t iso9660 -o ro /dev/sr0 /mnt")
    guest.sh("mkdir -p /tools && mount -t iso9660 -o ro /dev/sr1 /tools && cd / &&"
             " cpio -idu < /tools/tools.cpio 2>/dev/null", 120)
    _up(guest)
    return guest


def _up(guest):
    guest.sh("ip addr flush dev eth0; ip addr add %s/24 dev eth0 && ip link set eth0 up" % GUEST)
    guest.sh("for n in $(seq 50); do [ $(cat /sys/class/net/eth0/carrier) = 1 ] && break;"
             " usleep 100000; done; cat /sys/class/net/eth0/carrier")
    guest.sh("for n in 1 2 3 4 5; do ping -c 1 -W 5 %s && break; done" % HOST)


def _ping(case, run, target, size=56, count=3):
    """Pings with the given runner of commands; every packet has to come back."""
    found = ECHO.search(run("ping -q -c %d -W 20 -s %d %s" % (count, size, target), 90))
    case.expect(found and found.group(1) == found.group(2) == str(count),
                "ping with %d bytes to %s: %s" % (size, target, found and found.group(0)))


def _transfer(case, guest, copies):
    """The CD's data over TCP so many times, both ways, compared by checksum."""
    want = hashlib.md5(media.cd_data() * copies).hexdigest()
    receiver = case.machine.spawn("socat -u TCP-LISTEN:5000,reuseaddr - | md5sum", 3600)
    guest.sh("usleep 500000; for n in $(seq %d); do cat /mnt/data; done |"
             " socat -u -b 65536 - TCP:%s:5000" % (copies, HOST), 3600)
    seen = receiver.wait().output.split()[0]
    case.note("from the guest: %d MiB, md5 %s" % (copies * 8, seen))
    case.expect(seen == want, "other bytes came out of the guest than went in")

    medium = "/tmp/test/cd.img"
    want = case.machine.check("for n in $(seq %d); do cat %s; done | md5sum" % (copies, medium),
                              600).split()[0]
    sender = case.machine.spawn("(for n in $(seq %d); do cat %s; done) |"
                                " socat -u -b 65536 - TCP-LISTEN:5001,reuseaddr"
                                % (copies, medium), 3600)
    seen = guest.md5("usleep 500000; socat -u -b 65536 TCP:%s:5001 - | md5sum" % HOST, 3600)
    sender.wait()
    case.note("to the guest: %d CDs, md5 %s" % (copies, seen))
    case.expect(seen == want, "other bytes reached the guest than were sent")


def _healthy(case, guest):
    errors = guest.sh("cd /sys/class/net/eth0/statistics && grep -H . rx_errors tx_errors"
                      " rx_crc_errors rx_frame_errors tx_carrier_errors tx_aborted_errors")
    case.expect(not re.search(r":[1-9]", errors), "the driver counts errors: " + errors)
    words = guest.try_sh("dmesg | grep -iE 'NETDEV WATCHDOG|transmit.*time|8139.*(error|hung)'")
    case.expect(not words.output, "the kernel complains: " + words.output)


def test_network_card(case):
    """8139cp: link, ping of all sizes, data both ways, VLAN, multicast, promiscuous"""
    guest = _start(case)
    found = guest.sh("ethtool -i eth0; ethtool eth0; ip link show dev eth0")
    case.note(guest.sh("dmesg | grep -i 8139"))
    case.expect("driver: 8139cp" in found, "driven by something else: " + found)
    case.expect("Link detected: yes" in found and "Speed: 100Mb/s" in found, "link: " + found)
    case.expect(MAC in found, "another address: " + found)
    for size in SIZES:
        _ping(case, guest.sh, HOST, size)
        _ping(case, case.machine.check, GUEST, size)
    case.note("pinged both ways with %s bytes" % ", ".join(map(str, SIZES)))
    _transfer(case, guest, 1)

    case.machine.check("ip link add link xenbr0 name vlan5 type vlan id 5 &&"
                       " ip addr add 10.5.0.1/24 dev vlan5 && ip link set vlan5 up")
    guest.sh("modprobe 8021q; ip link add link eth0 name vlan5 type vlan id 5 &&"
             " ip addr add 10.5.0.2/24 dev vlan5 && ip link set vlan5 up")
    for size in (56, 1472, 8000):
        _ping(case, guest.sh, "10.5.0.1", size)
    case.note("VLAN 5: pinged")

    # IPv6's addresses of neighbours are multicast groups: without them nobody is found.
    address = re.search(r"inet6 (fe80::[0-9a-f:]+)", guest.sh("ip -6 addr show dev eth0")).group(1)
    _ping(case, case.machine.check, address + "%xenbr0")
    case.note("multicast: %s is found" % address)

    case.machine.check("/bin/ip neigh replace 10.0.2.77 lladdr 00:16:3e:77:77:77 dev xenbr0")
    guest.sh("tcpdump -Z root -l -p -n -i eth0 -c 1 host 10.0.2.77 > /tmp/not 2>/dev/null &"
             " sleep 3")
    case.machine.run("ping -q -c 3 -W 1 10.0.2.77")
    case.expect("IP" not in guest.sh("cat /tmp/not"), "a frame for somebody else was taken")
    guest.sh("killall tcpdump; "
             "tcpdump -Z root -l -n -i eth0 -c 1 host 10.0.2.77 > /tmp/seen 2>/dev/null & sleep 3")
    case.machine.run("ping -q -c 3 -W 1 10.0.2.77")
    guest.sh("for n in $(seq 50); do grep -q 10.0.2.77: /tmp/seen && break; usleep 200000; done;"
             " grep 10.0.2.77 /tmp/seen")
    case.note("promiscuous: " + guest.sh("grep 10.0.2.77 /tmp/seen"))
    _healthy(case, guest)


def test_network_restarts(case):
    """8139cp: ifdown and ifup in a loop, the module loaded again and again"""
    guest = _start(case)
    for _ in range(10):
        guest.sh("ip link set eth0 down")
        _up(guest)
    _ping(case, guest.sh, HOST)
    for _ in range(5):
        guest.sh("rmmod 8139cp && modprobe 8139cp")
        _up(guest)
    _ping(case, guest.sh, HOST, 1472)
    _ping(case, case.machine.check, GUEST)
    _healthy(case, guest)


def test_network_bulk(case):
    """256 MiB both ways, checksums compared (long)"""
    guest = _start(case)
    _transfer(case, guest, 32)
    _healthy(case, guest)


def test_network_unplug(case):
    """xen_platform_pci=1: the emulated card goes, the paravirtual one works"""
    guest = _start(case, xen_platform_pci=1)
    found = guest.sh("ethtool -i eth0")
    case.note(found)
    case.expect("driver: vif" in found, "driven by something else: " + found)
    cards = guest.sh("cat /sys/bus/pci/devices/*/device")
    case.expect("0x8139" not in cards, "the emulated card is still there")
    _ping(case, guest.sh, HOST, 1472)
    _ping(case, case.machine.check, GUEST)


def test_network_boot(case):
    """boot='n': iPXE gets a script, a kernel and a root by DHCP and TFTP, and starts them"""
    media.network_boot(case.machine.image, case.machine.tftp, machine.BOOT_FILE)
    guest = case.guest(boot="n", xen_platform_pci=0, vif=VIF, disk=[])
    guest.start()
    guest.login(BOOT_SECONDS * 3)
    line = guest.sh("cat /proc/cmdline")
    case.note(line)
    case.expect("box.loader=ipxe" in line, "booted by something else: " + line)
    found = guest.sh("readlink /sys/class/net/eth0/device/driver")
    case.expect(found.strip().endswith("8139cp"), "driven by something else: " + found)
