# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the guest tests, each on a fresh guest, in one box, and prints TAP.

A test is a function test_NAME(case) of one of the tests_*.py files. It fails by raising an
exception. What it saw it says with case.note(): that is printed and kept, so that a pass can be
judged too.
"""
import argparse
import importlib
import os
import shutil
import socket
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "demo"), os.path.join(TOP, "tests", "integration")]

from box import guest, machine, media  # noqa: E402
from box.progress import say  # noqa: E402

FILES = ["tests_boot", "tests_devices", "tests_floppy", "tests_power", "tests_platform",
         "tests_save", "tests_screen", "tests_viewer", "tests_stock", "tests_network", "tests_pv",
         "tests_disk"]
QUICK = ["cd_boot", "grub_boot", "unplug", "reboot"]
BUILDERS = {"cd": media.cd, "grub": media.grub_disk, "grub-menu": media.grub_menu_disk,
            "floppy": media.floppy,
            "syslinux": media.syslinux_disk, "tools": media.tools_cd}


class Failure(Exception):
    pass


class Case:
    """What a test is given."""

    def __init__(self, suite, name):
        self.suite, self.name = suite, name
        self.out = os.path.join(suite.out, name)
        self.machine = suite.box()
        self.guests, self.notes = [], []
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)

    def note(self, text):
        for line in str(text).strip().splitlines():
            print("#   " + line, flush=True)
            self.notes.append(line)

    def expect(self, condition, text):
        if not condition:
            raise Failure(text)

    def medium(self, kind, words=""):
        """Path in dom0 of a fresh boot medium: kind is one of BUILDERS."""
        return self.copy_in(self.suite.medium(kind, words), kind + ".img")

    def copy_in(self, path, name):
        """Copies a file of the host into dom0's memory, under a name of its own; returns its path
        there."""
        shutil.copy(path, os.path.join(self.machine.share, name))
        self.machine.check("mkdir -p /tmp/test; mv /box/share/%s /tmp/test/" % name, 120)
        return "/tmp/test/" + name

    def guest(self, **settings):
        new = guest.Guest(self.machine, {"memory": 256, **settings})
        self.guests.append(new)
        return new

    def cd_guest(self, words="", **settings):
        """A guest set up to boot from CD, without the Xen platform device unless it is asked
        for."""
        disks = settings.pop("disk", []) + [self.medium("cd", words) + ",raw,hdc,cdrom,r"]
        return self.guest(**{"boot": "d", "xen_platform_pci": 0, **settings, "disk": disks})

    def finish(self, failed):
        """Keeps the logs and removes what the test left in the box."""
        if not self.machine.alive():
            return
        if failed:
            for one in self.guests:
                try:
                    one.screenshot(os.path.join(self.out, "screen.png"))
                except (machine.MachineError, OSError, ValueError):
                    pass
        for one in self.guests:
            one.destroy()
        self.machine.run("mkdir -p /box/share/logs; mv /var/log/xen/*.log* /box/share/logs/; "
                         "xl dmesg -c > /box/share/logs/xl-dmesg.log; rm -rf /tmp/test")
        logs = os.path.join(self.machine.share, "logs")
        shutil.copytree(logs, self.out, dirs_exist_ok=True)
        shutil.rmtree(logs)
        for line in self.machine.lines:
            with open(os.path.join(self.out, "serial.log"), "ab") as target:
                target.write(bytes(line.received))
            line.restart()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Suite:
    def __init__(self, dm, out):
        self.dm, self.out = dm, out
        self._box, self._media, self._starts = None, {}, 0
        self.vnc_port = None  # of the host: leads to the first viewer's port in dom0

    def box(self):
        """The machine; a new one when the last one died."""
        if self._box is None or not self._box.alive():
            self.close()
            self._starts += 1
            self.vnc_port = _free_port()
            self._box = machine.Machine(os.path.join(self.out, "box%d" % self._starts), self.dm,
                                        forwards=[(self.vnc_port, 5900)]).start()
        return self._box

    def medium(self, kind, words):
        key = (kind, words)
        if key not in self._media:
            path = os.path.join(self.out, "%s-%d.img" % (kind, len(self._media)))
            BUILDERS[kind](self._box.image, path, words)
            self._media[key] = path
        return self._media[key]

    def close(self):
        if self._box is not None:
            self._box.stop()
            self._box = None

    def run(self, name, function):
        start, why, case = time.monotonic(), None, None
        try:
            case = Case(self, name)
            function(case)
        except (Failure, machine.MachineError) as error:
            why = str(error)
        except Exception:  # a test that is itself wrong fails as well
            why = traceback.format_exc()
        if case is not None:
            try:
                case.finish(why is not None)
            except (machine.MachineError, OSError) as error:
                why = why or "after the test: %s" % error
                self.close()
        return why, time.monotonic() - start


def collect():
    found = {}
    for file in FILES:
        module = importlib.import_module(file)
        for name, function in vars(module).items():
            if name.startswith("test_"):
                found[name[5:]] = function
    return found


def main():
    parser = argparse.ArgumentParser(prog="tests/guest/run")
    parser.add_argument("--dm", default=os.path.join(TOP, "build-demo", "slimdm"),
                        help="device model: a path, or 'baseline' for Debian's qemu-system-xen")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these tests")
    parser.add_argument("--quick", action="store_true", help="run only " + ", ".join(QUICK))
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("--out",
                        help="folder for logs (default: a new temporary one)")
    options = parser.parse_args()
    tests = collect()
    names = options.only or (QUICK if options.quick else list(tests))
    unknown = [name for name in names if name not in tests]
    if unknown:
        parser.error("no such test: %s; --list shows them" % " ".join(unknown))
    if options.list:
        for name in names:
            print("%-20s %s" % (name, tests[name].__doc__.strip().splitlines()[0]))
        return 0
    if options.dm != "baseline" and not os.access(options.dm, os.X_OK):
        parser.error("--dm %s is not a program" % options.dm)
    out = os.path.abspath(options.out or tempfile.mkdtemp(prefix="slimdm-guest-"))
    os.makedirs(out, exist_ok=True)
    say("device model %s, logs in %s" % (options.dm, out))
    suite, failed = Suite(options.dm, out), 0
    machine.interrupt_on_signals()
    print("1..%d" % len(names), flush=True)
    try:
        for number, name in enumerate(names, 1):
            say("%s: %s" % (name, tests[name].__doc__.strip().splitlines()[0]))
            why, seconds = suite.run(name, tests[name])
            failed += why is not None
            print("%sok %d - %s, %.0f s" % ("not " if why else "", number, name, seconds),
                  flush=True)
            for line in (why or "").splitlines():
                print("#   " + line, flush=True)
    except KeyboardInterrupt:
        print("Bail out! interrupted", flush=True)
        return 1
    finally:
        suite.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
