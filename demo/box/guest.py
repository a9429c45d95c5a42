# SPDX-License-Identifier: GPL-2.0-or-later
"""One HVM guest in the box: its xl configuration, its serial line, commands run in it, pictures of
its screen."""
import json
import os
import re
import time

from . import png
from .image import PASSWORD
from .machine import MachineError, Result

LOGIN = re.compile(rb"guest login: ")
PASSWORD_PROMPT = re.compile(rb"Password: ")
SHELL = re.compile(rb"\n[^\n]*# (\x1b\[6n)?$")  # ash asks the terminal where its cursor is
SESSION = re.compile(rb"<<ready\r?\n")
BOOT_SECONDS = 600


class GuestError(MachineError):
    pass


def _spell(value):
    """A Python value in the spelling of xl's configuration files."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_spell(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else "'%s'" % value


def configuration(settings):
    return "".join("%s = %s\n" % (key, _spell(value)) for key, value in settings.items())


def seed(disk, cd):
    """The configuration that users of the older toolstack have, in their own spelling: disk and cd
    are paths in dom0."""
    return {"builder": "hvm", "memory": 256, "boot": "cda", "acpi": 1, "apic": 1, "sdl": 0,
            "vnc": 1, "stdvga": 0, "serial": "pty", "vcpus": 2,
            "disk": ["file:%s,hda,w" % disk, "file:%s,hdb:cdrom,w" % cd],
            "vif": ["type=ioemu,bridge=xenbr0,mac=00:16:3e:01:02:03"]}


class Guest:
    def __init__(self, machine, settings, line=0):
        self.machine, self.line = machine, machine.lines[line]
        self._port = "/dev/virtio-ports/line%d" % line
        kind = {} if "builder" in settings else {"type": "hvm"}
        self.settings = {**kind, "name": "guest", "memory": 256, "vcpus": 1, "serial": "pty",
                         "vnc": 1, "vnclisten": "0.0.0.0", "usb": 0, "on_poweroff": "destroy",
                         "on_reboot": "restart", "on_crash": "destroy",
                         "device_model_override": machine.dm, "device_model_version": "qemu-xen",
                         **settings}
        self.name = self.settings["name"]
        self._console = None
        self._commands = 0

    # -- life --------------------

    def create(self, options="-p"):
        """xl create. Paused by default, so that start() can listen before the guest says its first
        word."""
        path = os.path.join(self.machine.share, self.name + ".cfg")
        with open(path, "w") as target:
            target.write(configuration(self.settings))
        result = self.machine.run("xl create -q %s /box/share/%s.cfg" % (options, self.name), 120)
        if result.status:
            raise GuestError("xl create fails: %s\n%s" % (result.output.strip(), self.log()))

    def start(self, console="xl"):
        """create(), attach() and unpause."""
        self.create()
        self.attach(console)
        self.machine.check("xl unpause " + self.name)

    def attach(self, console="xl"):
        """Puts the guest's serial line on the port: through 'xl console -t serial', or straight
        from the tty."""
        if console == "xl":
            other = "EXEC:'xl console -t serial %s',pty,raw,echo=0" % self.name
        else:
            other = "OPEN:%s,raw,echo=0" % self.tty()
        self.detach()
        self.line.restart()
        self._console = self.machine.spawn(
            "echo $BASHPID > /run/%s.line; exec socat -t 0.2 OPEN:%s %s"
                                           % (self.name, self._port, other), 1 << 20)
        # Whoever reads the line gets it in pieces, after a pause or 255 bytes: one wake-up for each
        # character would take the processor away from the device model.
        self.machine.run("sleep 0.3; stty -F %s min 255 time 1" % self.tty())

    def detach(self):
        if self._console is not None:
            self.machine.run("kill $(cat /run/%s.line) 2>/dev/null" % self.name)
            self._console.wait()
            self._console = None

    def console_ended(self):
        """Whether attach()'s reader has come to an end, as it does when the domain goes."""
        return self._console is not None and self.machine.finished(self._console)

    def domid(self):
        """The domain's number, or None when there is none."""
        result = self.machine.run("xl domid " + self.name)
        return int(result.output) if result.status == 0 else None

    def store(self, path):
        """A xenstore value below the domain's own folder, or None."""
        result = self.machine.run("xenstore-read /local/domain/%s/%s" % (self.domid(), path))
        return result.output.strip() if result.status == 0 else None

    def tty(self):
        return self.store("serial/0/tty")

    def dm_pid(self):
        return int(self.store("image/device-model-pid"))

    def wait_gone(self, seconds, domid=None):
        """Waits until the domain with this number (default: the name) is no more."""
        what = "xl domid %s" % self.name if domid is None else "xl domname %d" % domid
        loop = "for n in $(seq %d); do %s >/dev/null 2>&1 || exit 0; sleep 0.5; done; exit 1"
        return self.machine.run(loop % (seconds * 2, what), seconds * 4).status == 0

    def destroy(self):
        if self.domid() is not None:
            self.machine.run("xl destroy " + self.name, 60)
            self.wait_gone(30)
        self.detach()

    def log(self):
        """What the device model wrote to its log."""
        return self.machine.run("tail -n 20 /var/log/xen/qemu-dm-%s.log" % self.name).output.strip()

    # -- inside --------------------

    def expect(self, pattern, seconds=60):
        """Waits for a pattern on the serial line; returns the match."""
        found = self.line.expect(pattern, seconds)
        if not found:
            end = bytes(self.line.received[-400:]).decode(errors="replace")
            raise GuestError("no %r on the serial line within %d s; its end is:\n%s\n"
                             "log of the device model:\n%s"
                             % (pattern.pattern.decode(), seconds, end, self.log()))
        return found

    def type(self, text):
        self.line.write(text.encode() + b"\r")

    def login(self, seconds=BOOT_SECONDS):
        """Waits for the login prompt, logs in as root, and starts the scriptable session."""
        self.expect(LOGIN, seconds)
        self.type("root")
        self.expect(PASSWORD_PROMPT, 60)
        self.type(PASSWORD)
        self.expect(SHELL, 60)
        self.type("exec session")
        self.expect(SESSION, 60)

    def try_sh(self, command, seconds=60):
        """Runs a one-line shell command in the guest; returns its status and output."""
        self._commands += 1
        tag = b"c%d" % self._commands
        self.line.write(b"%s %s\n" % (tag, command.encode()))
        self.expect(re.compile(b"<<%s\r?\n" % tag), 60)
        start = self.line.at
        end = self.expect(re.compile(b">>%s (\\d+)\r?\n" % tag), seconds)
        output = bytes(self.line.received[start:end.start()]).decode(errors="replace").replace("\r",
                                                                                               "")
        return Result(int(end.group(1)), output)

    def sh(self, command, seconds=60):
        """As try_sh(), but a failure is an error; returns the output only."""
        result = self.try_sh(command, seconds)
        if result.status:
            raise GuestError("in the guest '%s' ends with status %d: %s"
                             % (command, result.status, result.output))
        return result.output

    def md5(self, command, seconds=60):
        """Runs a command whose output ends in md5sum; returns the sum. The kernel may put a message
        of its own between."""
        output = self.sh(command, seconds)
        found = re.search(r"\b([0-9a-f]{32})  -", output)
        if not found:
            raise GuestError("no checksum in: " + output)
        return found.group(1)

    def screenshot(self, path):
        """Puts a PNG of the guest's screen into the file path of the host, taken by the device
        model."""
        inside = "shot-%d" % time.monotonic_ns()
        found = os.path.join(self.machine.share, inside)
        answer = self._screendump(inside, "png")
        if "libpng" in answer:  # Debian's qemu-system-xen is built without it
            answer = self._screendump(inside, "ppm")
        if '"return"' not in answer:
            raise GuestError("screendump is refused: " + answer.strip())
        with open(found, "rb") as source:
            data = source.read()
        os.remove(found)
        with open(path, "wb") as target:
            target.write(data if data.startswith(png.SIGNATURE) else png.encode(png.from_ppm(data)))

    def _screendump(self, name, form):
        domid = self.domid()
        if domid is None:
            raise GuestError("there is no domain to take a picture of")
        command = {"execute": "screendump",
                   "arguments": {"filename": "/box/share/" + name, "format": form}}
        return self.machine.check("qmp %d '%s'" % (domid, json.dumps(command)), 90)
