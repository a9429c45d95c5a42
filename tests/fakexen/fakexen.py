# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a device model on simulated Xen and plays its guest.

    with Guest(dm="slimdm", disk="hd.img") as g:
        print(hex(g.inb(0x1f7)))
        print(g.qmp("query-status"))

The environment says where things are: FAKEXEN is the build folder with `fakexen` and `lib/`,
SLIMDM the program. Everything is cleaned up at the end of the block, also after an error. See
README.md for the x- commands.
"""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

QEMU = "/usr/libexec/xen-qemu-system-i386"
SHM = "/dev/shm"

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|^.*runtime error:", re.MULTILINE)

READ, WRITE = 1, 0
PIO, COPY, PCI, TIMEOFFSET, INVALIDATE = 0, 1, 2, 7, 8


class Failed(Exception):
    """A command was answered with FAIL."""


class QmpError(Exception):
    """QMP answered an error; .reply has the class and the text."""

    def __init__(self, reply):
        super().__init__(reply.get("desc", str(reply)))
        self.reply = reply


class Qmp:
    """One connection to a QMP socket, as libxl talks: CR LF, integer ids."""

    def __init__(self, path, timeout=10.0, negotiate=True, patience=5.0):
        end = time.monotonic() + patience
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self.buffer = b""
        self.events = []
        self.next_id = 0x786C7100
        self.greeting = self.receive()
        if negotiate:
            self.call("qmp_capabilities")

    def receive(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("QMP connection closed")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def send(self, message, fds=()):
        """Sends an object (or raw bytes); descriptors go with the first byte, as libxl does it."""
        data = message if isinstance(message, bytes) else (json.dumps(message) + "\r\n").encode()
        if fds:
            socket.send_fds(self.sock, [data[:1]], list(fds))
            data = data[1:]
        self.sock.sendall(data)

    def answer(self):
        while True:
            reply = self.receive()
            if "event" in reply:
                self.events.append(reply)
            else:
                return reply

    def call(self, command, arguments=None, fds=()):
        message = {"execute": command, "id": self.next_id}
        self.next_id += 1
        if arguments is not None:
            message["arguments"] = arguments
        self.send(message, fds)
        reply = self.answer()
        if reply.get("id") != message["id"]:
            raise AssertionError("answer with id %r to %r" % (reply.get("id"), message))
        if "error" in reply:
            raise QmpError(reply["error"])
        return reply["return"]

    def close(self):
        self.sock.close()


def fields(text):
    """'a=1 b=0x2 c=x' as a dictionary with numbers where possible."""
    result = {}
    for word in text.split():
        key, _, value = word.partition("=")
        try:
            result[key] = int(value, 0)
        except ValueError:
            result[key] = value
    return result


BUILD = "the build folder's tests/fakexen"


def setting(name, what):
    if name not in os.environ:
        raise RuntimeError("the environment lacks %s, the path of %s" % (name, what))
    return os.path.abspath(os.environ[name])


def program(dm):
    if dm == "qemu":
        return QEMU
    if dm == "slimdm":
        return setting("SLIMDM", "the program")
    if dm == "answerer":
        return os.path.join(setting("FAKEXEN", BUILD), "answerer")
    return os.path.abspath(dm)


class Guest:
    """A domain, its controller and (unless start=False) its device model, started as by libxl.

    dm        "slimdm", "qemu", "answerer" or a path
    args      more arguments behind libxl's own; argv replaces all of them (without argv[0]);
              "{dir}" in them becomes the folder of the sockets
    ram       MiB for -m; video MiB of room for the device model; vcpus; domid
    disk      path of the raw image of hda; disks: further (index, path)
    cdrom     path of the image in hdc, "" for an empty drive
    vga       "cirrus", "std" or None; serial: "pty", None or any -serial value (or a list of them)
    paused    start with -S
    before    called with the guest before the device model is started (to order failures, ...)
    ready     wait until the device model is ready
    pass_fds  descriptors that the device model inherits with their numbers
    """

    def __init__(self, dm="slimdm", args=(), argv=None, ram=248, video=16, vcpus=1, domid=1,
                 disk=None, disks=(), cdrom=None, vga="cirrus", serial="pty", boot="d",
                 paused=False, machine="xenfv", start=True, ready=True, before=None, preload=None,
                 pass_fds=(), timeout=20.0):
        self.build = setting("FAKEXEN", BUILD)
        # Where libxl has its sockets there is a tmpfs, too.
        self.dir = tempfile.mkdtemp(prefix="fx-", dir=SHM if os.path.isdir(SHM) else None)
        self.domid, self.vcpus, self.paused, self.ram = domid, vcpus, paused, ram
        self.log_path = os.path.join(self.dir, "dm.log")
        self.qmp_path = os.path.join(self.dir, "qmp-libxl-%d" % domid)
        self.qmp_stat_path = os.path.join(self.dir, "qmp-libxenstat-%d" % domid)
        self.irqs = []  # (line, level) in order, once irq_intercept_in was called
        self._qmp = None
        self.sock = None
        self.controller = None
        self.buffer = b""
        self.ready_ns = None   # from its start to being ready
        self.ready_cpu = None  # the device model's processor time then
        if argv is None and dm != "answerer":
            argv = self.libxl_argv(disk, disks, cdrom, vga, serial, boot, machine) + list(args)
        elif argv is None:
            argv = [str(domid)] + list(args)
        command = [os.path.join(self.build, "fakexen"), "--dir", self.dir,
                   "--lib", os.path.join(self.build, "lib"), "--log", self.log_path,
                   "--ram", str(ram), "--video", str(video), "--vcpus", str(vcpus),
                   "--domid", str(domid)]
        if preload:
            command += ["--preload", preload]
        command += ["--", program(dm)] + [a.replace("{dir}", self.dir) for a in argv]
        try:
            self.controller = subprocess.Popen(command, stdin=subprocess.PIPE,
                                               stdout=subprocess.PIPE, pass_fds=pass_fds)
            if self.controller.stdout.readline() != b"listening\n":
                raise RuntimeError("the controller did not start")
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.connect(os.path.join(self.dir, "qtest"))
            self.sock.settimeout(120)
            if before:
                before(self)
            if start:
                self.start(ready, timeout)
        except BaseException:
            self.close()
            raise

    def libxl_argv(self, disk, disks, cdrom, vga, serial, boot, machine):
        argv = ["-xen-domid", str(self.domid), "-no-shutdown",
                "-chardev", "socket,id=libxl-cmd,path=%s,server=on,wait=off" % self.qmp_path]
        if self.paused:
            argv.append("-S")
        argv += ["-mon", "chardev=libxl-cmd,mode=control",
                 "-chardev",
                 "socket,id=libxenstat-cmd,path=%s,server=on,wait=off" % self.qmp_stat_path,
                 "-mon", "chardev=libxenstat-cmd,mode=control", "-nodefaults", "-no-user-config",
                 "-name", "guest", "-vnc", "none", "-display", "none"]
        for one in [serial] if isinstance(serial, str) else serial or []:
            argv += ["-serial", one]
        if vga:
            argv += ["-device",
                     "cirrus-vga,vgamem_mb=8" if vga == "cirrus" else "VGA,vgamem_mb=16"]
        argv += ["-boot", "order=%s" % boot]
        if self.vcpus > 1:
            argv += ["-smp", "%d,maxcpus=%d" % (self.vcpus, self.vcpus)]
        argv += ["-net", "none", "-machine", "%s,suppress-vmdesc=on" % machine,
                 "-m", str(self.ram)]
        for index, path in ([(0, disk)] if disk else []) + list(disks):
            argv += ["-drive", "file=%s,if=ide,index=%d,media=disk,format=raw,cache=writeback"
                     % (path, index)]
        if cdrom is not None:
            image = ",file=%s,format=raw" % cdrom if cdrom else ""
            argv += ["-drive", "if=none,readonly=on,id=ide-5632" + image,
                     "-device", "ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0"]
        return argv

    # -- life of the device model ------------------------------------------------------------------

    def start(self, ready=True, timeout=20.0):
        self.cmd("x-start")
        if ready:
            self.wait_ready(timeout)

    def wait_ready(self, timeout=20.0):
        try:
            reply = self.cmd("x-ready timeout=%d for=%s"
                             % (timeout * 1000, "enabled" if self.paused else "running"))
        except Failed as e:
            raise Failed("%s; its log:\n%s" % (e, self.log())) from None
        self.ready_ns = fields(reply)["ns"]
        self.ready_cpu = fields(reply)["cpu"]

    def status(self, timeout=0.0):
        """('running', pid), ('exited', code) or ('killed', signal).

        Waits up to timeout seconds for the end."""
        word, _, rest = self.cmd("x-dm timeout=%d" % (timeout * 1000)).partition(" ")
        return word, next(iter(fields(rest).values()), None)

    @property
    def pid(self):
        word, value = self.status()
        return value if word == "running" else None

    def kill(self, number=signal.SIGKILL, timeout=5.0):
        self.cmd("x-kill signal=%d timeout=%d" % (number, timeout * 1000))
        return self.status()

    def log(self):
        """What the device model wrote to stdout and stderr."""
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def close(self):
        if self._qmp:
            self._qmp.close()
        if self.sock:
            self.sock.close()
        if self.controller:
            self.controller.stdin.close()
            self.controller.stdout.close()
            try:
                self.controller.wait(15)
            except subprocess.TimeoutExpired:
                self.controller.kill()
                self.controller.wait()
        if os.environ.get("FAKEXEN_KEEP") != "1":
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        log = self.log()
        self.close()
        found = SANITIZER.search(log)
        if found and kind is None:
            raise AssertionError("sanitizer report:\n" + log[found.start():found.start() + 4000])

    # -- the qtest socket --------------------------------------------------------------------------

    def _line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError("the controller has gone")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace")

    def _answer(self):
        while True:
            line = self._line()
            if line.startswith("IRQ "):
                _, verb, number = line.split()
                self.irqs.append((int(number), int(verb == "raise")))
            elif line.startswith("OK"):
                return line[3:]
            else:
                raise Failed(line[5:])

    def cmd(self, line):
        """Sends one line of the protocol and gives the text behind OK; raises Failed."""
        self.sock.sendall(line.encode() + b"\n")
        return self._answer()

    def lines(self, line):
        """The same for an answer of several lines."""
        count = int(self.cmd(line).split()[0])
        return [self._line()[2:] for _ in range(count)]

    def number(self, line):
        return int(self.cmd(line), 0)

    def inb(self, port):
        return self.number("inb %#x" % port)

    def inw(self, port):
        return self.number("inw %#x" % port)

    def inl(self, port):
        return self.number("inl %#x" % port)

    def outb(self, port, value):
        self.cmd("outb %#x %#x" % (port, value))

    def outw(self, port, value):
        self.cmd("outw %#x %#x" % (port, value))

    def outl(self, port, value):
        self.cmd("outl %#x %#x" % (port, value))

    def readb(self, addr):
        return self.number("readb %#x" % addr)

    def readw(self, addr):
        return self.number("readw %#x" % addr)

    def readl(self, addr):
        return self.number("readl %#x" % addr)

    def readq(self, addr):
        return self.number("readq %#x" % addr)

    def writeb(self, addr, value):
        self.cmd("writeb %#x %#x" % (addr, value))

    def writew(self, addr, value):
        self.cmd("writew %#x %#x" % (addr, value))

    def writel(self, addr, value):
        self.cmd("writel %#x %#x" % (addr, value))

    def writeq(self, addr, value):
        self.cmd("writeq %#x %#x" % (addr, value))

    def read(self, addr, size):
        return base64.b64decode(self.cmd("b64read %#x %#x" % (addr, size)))

    def write(self, addr, data):
        self.cmd("b64write %#x %#x %s" % (addr, len(data), base64.b64encode(data).decode()))

    def memset(self, addr, size, value):
        self.cmd("memset %#x %#x %#x" % (addr, size, value))

    # -- what qtest has no word for ----------------------------------------------------------------

    def x(self, name, /, **args):
        """x('ioreq', type=0, addr=0x1f7) sends 'x-ioreq type=0 addr=503'."""
        words = ["x-" + name.replace("_", "-")]
        words += ["%s=%s" % (k.replace("_", "-"), v)
                  for k, v in args.items() if v is not None]
        return self.cmd(" ".join(words))

    def ioreq(self, **args):
        return int(self.x("ioreq", **args), 0)

    def cfg(self, dev, fn, reg, size=4, value=None):
        """Configuration space through 0xcf8/0xcfc, as a guest does it."""
        self.outl(0xCF8, 0x80000000 | dev << 11 | fn << 8 | reg & 0xFC)
        port = 0xCFC + (reg & 3)
        if value is None:
            return {1: self.inb, 2: self.inw, 4: self.inl}[size](port)
        return {1: self.outb, 2: self.outw, 4: self.outl}[size](port, value)

    def insw(self, port, gpa, count, df=0):
        self.x("rep", dir="in", port=port, size=2, count=count, gpa=gpa, df=df)

    def outsw(self, port, gpa, count, df=0):
        self.x("rep", dir="out", port=port, size=2, count=count, gpa=gpa, df=df)

    def poll(self, port, mask, value, timeout=5.0):
        return int(self.x("poll", port=port, mask=mask, value=value,
                          timeout=int(timeout * 1000)), 0)

    def records(self, kind=None, since=0):
        """What the device model asked of Xen, as dictionaries with 'kind' and 'number'."""
        result = []
        for line in self.lines("x-log from=%d%s" % (since, " kind=%s" % kind if kind else "")):
            number, name, rest = line.split(" ", 2)
            result.append(dict(fields(rest), kind=name, number=int(number)))
        return result

    def mark(self):
        """A position for records(since=...)."""
        return self.domain()["records"]

    def state(self):
        result = []
        for line in self.lines("x-state"):
            kind, _, rest = line.partition(" ")
            result.append(dict(fields(rest), kind=kind))
        return result

    def domain(self):
        return self.state()[0]

    def ranges(self, space, server=None):
        return [(r["first"], r["last"]) for r in self.state()
                if r["kind"] == "range" and r["space"] == space and server in (None, r["id"])]

    def gsi(self, line):
        return any(r["kind"] == "gsi" and r["line"] == line for r in self.state())

    def intercept(self):
        self.cmd("irq_intercept_in ioapic")

    def xs(self, path):
        """A xenstore value, None when there is none."""
        try:
            return self.cmd("x-xs-read " + path)
        except Failed:
            return None

    def loop(self, n, lines):
        """Runs the lines n times inside the controller.

        Gives n, ns and cpu (of the device model, in ns)."""
        self.sock.sendall(("x-loop n=%d\n%s\nx-end\n" % (n, "\n".join(lines))).encode())
        return fields(self._answer())

    def bench(self, n, vcpus=1, **request):
        return fields(self.x("bench", n=n, vcpus=vcpus, **request))

    # -- QMP ---------------------------------------------------------------------------------------

    def monitor(self, **options):
        """A new connection to the QMP socket."""
        return Qmp(self.qmp_path, **options)

    def qmp(self, command, arguments=None, fds=()):
        if not self._qmp:
            self._qmp = self.monitor()
        return self._qmp.call(command, arguments, fds)
