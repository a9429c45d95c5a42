# SPDX-License-Identifier: GPL-2.0-or-later
"""Every QMP command that a toolstack sends, by who sends it when, with what it reads in the answer.

The senders are libxl 4.17 to 4.21, libxenstat (xentop), and libvirt, whose libxl driver adds text
commands only. None of them waits for an event. Details of each command: test_monitor.py.
"""

import json
import os
import socket
import tempfile

from everything import machine
from fakexen import Guest, QmpError
from helpers import cdrom
from tap import equal, main, test

GENERIC, UNKNOWN, NO_DEVICE = "GenericError", "CommandNotFound", "DeviceNotFound"
OK = {}

CPU = {"cpu-index": int, "thread-id": int, "qom-path": str, "target": str,
       "props": {"socket-id": int, "core-id": int, "thread-id": int}}
PCI = [{"bus": int, "devices": [{"bus": int, "slot": int, "function": int, "qdev_id": str,
                                 "class_info": {"class": int}, "id": {"device": int, "vendor": int},
                                 "regions": list}]}]
STATUS = {"status": str, "running": bool, "singlestep": bool}
VERSION = {"qemu": {"major": int, "minor": int, "micro": int}, "package": str}

# (who and when, [(command, arguments, what is read in the answer or the class of the error)])
# FD in arguments' place: add-fd, with a descriptor; its fdset-id replaces "%d" from then on.
FD = object()
EXCHANGES = (
    ("create: consoles and screen", [
        ("query-chardev", None, [{"label": str, "filename": str, "frontend-open": bool}]),
        ("query-vnc", None, {"enabled": bool})]),
    ("create with dm_restrict: ready?", [("query-status", None, STATUS)]),
    ("create and unpause", [("cont", None, OK), ("cont", None, OK)]),
    ("create with vncpasswd, where there is no VNC", [
        ("change-vnc-password", {"password": "secret"}, GENERIC)]),
    ("create with pci=, pci-attach", [
        ("device_add", {"driver": "xen-pci-passthrough", "id": "pci-pt-02_00.0",
                        "hostaddr": "0000:02:00.0", "addr": "5.0", "permissive": True}, GENERIC),
        ("query-pci", None, PCI)]),
    ("pci-detach", [("device_del", {"id": "pci-pt-02_00.0"}, NO_DEVICE)]),
    ("usbctrl-attach, numbers as text up to 4.17", [
        ("device_add", {"driver": "nec-usb-xhci", "id": "xenusb-0", "p2": "4", "p3": "4"},
         GENERIC)]),
    ("usbctrl-attach, numbers as such later", [
        ("device_add", {"driver": "nec-usb-xhci", "id": "xenusb-0", "p2": 4, "p3": 4}, GENERIC)]),
    ("usbdev-attach", [
        ("device_add", {"driver": "usb-host", "id": "xenusb-1-5", "bus": "xenusb-0.0", "port": "1",
                        "hostbus": "1", "hostaddr": "5"}, GENERIC)]),
    ("usbdev-detach", [("device_del", {"id": "xenusb-1-5"}, NO_DEVICE)]),
    ("vcpu-set", [
        ("query-cpus-fast", None, [CPU]),
        ("query-hotpluggable-cpus", None, [{"type": str, "vcpus-count": int, "props": dict}]),
        ("device_add", {"id": "cpu-1", "driver": "qemu32-i386-cpu", "socket-id": 1, "core-id": 0,
                        "thread-id": 0}, OK)]),
    ("vcpu-set where query-cpus-fast is unknown", [
        ("query-cpus", None, [{"CPU": int}]), ("cpu-add", {"id": 2}, OK),
        ("cpu-add", {"id": 99}, GENERIC)]),
    ("list -l, reboot", [("query-cpus-fast", None, [CPU])]),
    ("cd-insert", [
        ("query-version", None, VERSION), ("eject", {"id": "ide-5632"}, OK), ("add-fd", FD, None),
        ("blockdev-change-medium", {"id": "ide-5632", "filename": "/dev/fdset/%d",
                                    "format": "raw"}, OK)]),
    ("cd-insert of before QEMU 2.8", [
        ("eject", {"device": "ide-5632"}, OK), ("add-fd", FD, None),
        ("change", {"device": "ide-5632", "target": "/dev/fdset/%d", "arg": "raw"}, OK)]),
    ("cd-insert of 4.21 with a stub domain", [
        ("query-fdsets", None, [{"fdset-id": int, "fds": [{"fd": int}]}]), ("add-fd", FD, None),
        ("query-fdsets", None, [{"fdset-id": int, "fds": [{"fd": int}]}]),
        ("remove-fd", {"fdset-id": "%d"}, OK)]),
    ("cd-eject", [("query-version", None, VERSION), ("eject", {"id": "ide-5632"}, OK)]),
    ("cd-insert into a drive that is not there", [("eject", {"id": "ide-768"}, NO_DEVICE)]),
    ("save -c, failed migration", [
        ("query-cpus-fast", None, [CPU]), ("xen-set-global-dirty-log", {"enable": True}, OK),
        ("stop", None, OK), ("add-fd", FD, None),
        ("xen-save-devices-state", {"filename": "/dev/fdset/%d", "live": True}, OK),
        ("xen-set-global-dirty-log", {"enable": False}, OK), ("cont", None, OK)]),
    ("save of before QEMU 2.11", [
        ("stop", None, OK), ("add-fd", FD, None),
        ("xen-save-devices-state", {"filename": "/dev/fdset/%d"}, OK), ("cont", None, OK)]),
    ("trigger s3resume", [("system_wakeup", None, OK)]),
    ("probe of 4.20", [
        ("query-command-line-options", None, [{"option": str, "parameters": list}])]),
    ("qemu-monitor-command, virsh --hmp", [
        ("human-monitor-command", {"command-line": "info block"}, str),
        ("human-monitor-command", {"command-line": "no such command"}, str)]),
    ("xentop", [
        ("query-blockstats", None, [{"device": str, "stats": {
            "rd_bytes": int, "wr_bytes": int, "rd_operations": int, "wr_operations": int}}]),
        ("query-block", None, [{"device": str, "locked": bool, "removable": bool}])]),
    ("what else an administrator may ask", [
        ("query-name", None, {"name": str}), ("query-commands", None, [{"name": str}]),
        ("query-kvm", None, {"enabled": bool, "present": bool}),
        ("system_powerdown", None, GENERIC)]),
    ("COLO, which is not built", [
        (name, None, UNKNOWN) for name in (
            "nbd-server-start", "nbd-server-add", "nbd-server-stop", "xen-set-replication",
            "query-xen-replication-status", "xen-colo-do-checkpoint", "x-blockdev-change")]),
    ("what belongs to the hypervisor", [("inject-nmi", None, UNKNOWN)]),
    ("arguments that are wrong", [
        ("eject", {"id": 5}, GENERIC), ("cont", {"now": True}, GENERIC),
        ("xen-set-global-dirty-log", None, GENERIC), ("xen-save-devices-state", {}, GENERIC),
        ("xen-save-devices-state", {"filename": "/dev/fdset/77"}, GENERIC),
        ("add-fd", None, GENERIC), ("remove-fd", {"fdset-id": 77}, GENERIC)]),
)


def fits(value, shape, where):
    """Whether all that is read is there, and of its type; more may be there."""
    if isinstance(shape, type):
        assert type(value) is shape, "%s is %r, no %s" % (where, value, shape.__name__)
    elif isinstance(shape, list):
        assert type(value) is list, "%s is %r" % (where, value)
        for i, element in enumerate(value):
            fits(element, shape[0], "%s[%d]" % (where, i))
    elif shape == OK:
        equal(value, {}, where)
    else:
        assert type(value) is dict, "%s is %r" % (where, value)
        for key, inner in shape.items():
            assert key in value, "%s has no %r" % (where, key)
            fits(value[key], inner, "%s.%s" % (where, key))


class Client:
    """One operation of a toolstack: a connection of its own, descriptors as it passes them."""

    def __init__(self, g, path, flags):
        self.m, self.path, self.flags, self.fdset = g.monitor(), path, flags, None

    def arguments(self, args):
        if not args or self.fdset is None:
            return args
        return {k: self.fdset if v == "%d" else
                v.replace("%d", str(self.fdset)) if isinstance(v, str) else v
                for k, v in args.items()}

    def add_fd(self):
        fd = os.open(self.path, self.flags, 0o600)
        got = self.m.call("add-fd", fds=[fd])
        os.close(fd)
        fits(got, {"fdset-id": int, "fd": int}, "add-fd")
        self.fdset = got["fdset-id"]

    def step(self, who, command, args, want):
        where = "%s: %s" % (who, command)
        if args is FD:
            self.add_fd()
            return
        try:
            got = self.m.call(command, self.arguments(args))
        except QmpError as e:
            assert isinstance(want, str), "%s: %s" % (where, e)
            equal(e.reply["class"], want, where)
            assert type(e.reply["desc"]) is str and e.reply["desc"], where
            return
        assert not isinstance(want, str), "%s succeeded" % where
        fits(got, want, where)


@test
def table():
    """every command of every exchange"""
    with tempfile.TemporaryDirectory() as folder, machine("std", vcpus=4) as options, \
            cdrom() as iso, Guest(**options) as g:
        for who, steps in EXCHANGES:
            client = Client(g, iso.path, os.O_RDONLY) if who.startswith("cd-") else \
                Client(g, os.path.join(folder, "state"), os.O_WRONLY | os.O_CREAT)
            for step in steps:
                client.step(who, *step)
            client.m.close()
        fits(g.qmp("query-status"), STATUS, "at the end")


@test
def commands_are_listed():
    """query-commands has all that are answered, and answers all that it has"""
    with Guest() as g:
        listed = [c["name"] for c in g.qmp("query-commands")]
        equal(len(listed), len(set(listed)), "names")
        for _, steps in EXCHANGES:
            for command, _, want in steps:
                equal(command in listed, want != UNKNOWN, command)
        for command in listed:
            try:
                g.qmp(command, {"no such argument": 1})
                assert command == "device_add", "%s takes anything" % command
            except QmpError as e:
                known = GENERIC if command != "qmp_capabilities" else UNKNOWN
                equal(e.reply["class"], known, command)


@test
def ids():
    """ids of every kind come back as they were, with results and errors; without one, none comes"""
    with Guest() as g:
        m = g.monitor()
        for number in (2020372736, 0, -1, 1 << 40, "text", "\u00e4\"\\", None, True, 1.5, [1, "a"],
                       {"a": {"b": [None]}}):
            for command in ("query-status", "stop", "cont", "no-such-command"):
                m.send(json.dumps({"id": number, "execute": command}).encode() + b"\r\n")
                reply = m.answer()
                equal(reply["id"], number, "id of " + command)
                equal("error" in reply, command == "no-such-command")
        m.send(b'{"execute":"query-status"}\r\n')
        assert "id" not in m.answer()
        m.close()


@test
def descriptors():
    """passed with the first byte, queued, counted, and given back with the client"""
    with Guest() as g:
        count = len(os.listdir("/proc/%d/fd" % g.pid))
        m = g.monitor()
        with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as two:
            for rest in (b'"execute":"query-status","id":1}\r\n',
                         b'"execute":"add-fd","id":2}\r\n'):
                socket.send_fds(m.sock, [b"{"], [one.fileno()])
                m.sock.sendall(rest)
                assert "return" in m.answer()
            first = m.call("add-fd", {"opaque": "first"}, [two.fileno()])["fdset-id"]
            second = m.call("add-fd", {"fdset-id": first}, [one.fileno()])
        equal(second["fdset-id"], first)
        sets = {s["fdset-id"]: s["fds"] for s in m.call("query-fdsets")}
        equal(len(sets[first]), 2)
        assert "first" in [f.get("opaque") for f in sets[first]], sets
        equal(m.call("remove-fd", {"fdset-id": first, "fd": second["fd"]}), {})
        equal(m.call("remove-fd", {"fdset-id": first}), {})
        m.close()
        g.qmp("query-status")
        g._qmp.close()
        g._qmp = None
        m = g.monitor()
        equal(m.call("query-fdsets"), [])
        equal(len(os.listdir("/proc/%d/fd" % g.pid)), count + 1, "descriptors, one of them ours")
        m.close()


@test
def events():
    """what happens is told on the control socket, and never on libxenstat's"""
    with Guest() as g:
        m = g.monitor()
        stat = socket.socket(socket.AF_UNIX)
        stat.connect(g.qmp_stat_path)
        stat.settimeout(2)
        stat.sendall(b'{ "execute": "qmp_capabilities" }')
        seen = b""
        while seen.count(b"\r\n") < 2:
            seen += stat.recv(65536)
        for command in ("stop", "cont", "system_reset"):
            m.call(command)
        m.call("query-status")
        equal([e["event"] for e in m.events], ["STOP", "RESUME", "RESET"])
        for e in m.events:
            fits(e["timestamp"], {"seconds": int, "microseconds": int}, "timestamp")
        stat.sendall(b'{ "execute": "query-status" }')
        lines = stat.recv(65536).split(b"\r\n")
        equal(len(lines), 2, "lines")
        assert b'"return"' in lines[0], lines
        stat.close()
        m.close()


main()
