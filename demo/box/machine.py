# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated machine that Xen runs on.

It is a QEMU with no display. Virtio serial ports lead from dom0 to sockets of the host: "control"
to the agent, "line0" and so on to whatever a job in dom0 puts on them (the serial lines of guests).
A shared folder holds all files that go in or out. With TCG the processor has an emulated AMD SVM,
which Xen uses for its guests.
"""
import base64
import collections
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import cpio, elf, image as images
from .progress import say, step

# SMEP and SMAP stop dom0 from starting in TCG. Guests with an emulated time stamp counter trip over
# RDTSCP, since TCG tells Xen no instruction length. MONITOR would let Xen idle in MWAIT, which TCG
# answers with a busy loop.
TCG_CPU = "EPYC,+svm,+npt,-smep,-smap,-rdtscp,-monitor"
XEN_WORDS = ("console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning noreboot "
             "dom0_mem={0}M,max:{0}M dom0_max_vcpus=1 dom0_vcpus_pin sched=credit "
             "spec-ctrl=no cpuidle=0 xsave=0")
DOM0_WORDS = ("console=hvc0 quiet loglevel=4 mitigations=off nokaslr nomodeset edd=off "
              "tsc=reliable 8250.nr_uarts=0 rdinit=/init")
KEYBOARDS = "/usr/share/X11/xkb"
HOST_LIBRARIES = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
                  "/usr/local/lib/x86_64-linux-gnu",
                  "/usr/local/lib"]
BASELINE = "/usr/libexec/xen-qemu-system-i386"
HELPERS = ["nbd", "supervise", "vnc"]
BOOT_FILE = "boot"  # what the DHCP server names
LINES = 2
TIMER_PANIC = "IO-APIC + timer doesn't work"
TIMER_RETRIES = 2
READY_SECONDS = 180

Result = collections.namedtuple("Result", "status output")


class MachineError(Exception):
    pass


def interrupt_on_signals():
    """Makes SIGINT, SIGTERM and SIGHUP a KeyboardInterrupt, once: what is cleaned up then is not
    interrupted again."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_):
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


class Port:
    """One byte stream between the host and dom0. Everything received is kept; expect() walks
    through it."""

    def __init__(self, path, log=None):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._log = open(log, "ab", buffering=0) if log else None
        self._change = threading.Condition()
        self.received = bytearray()
        self.at = 0          # how far expect() and take() have come
        self.closed = False
        self.listener = None  # called with each piece of bytes, from the reading thread
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                piece = self._socket.recv(65536)
            except OSError:
                piece = b""
            with self._change:
                self.received += piece
                self.closed = not piece
                self._change.notify_all()
            if not piece:
                return
            if self._log:
                self._log.write(piece)
            if self.listener:
                self.listener(piece)

    def write(self, data):
        self._socket.sendall(data)

    def restart(self):
        """Forgets what came so far."""
        with self._change:
            self.received.clear()
            self.at = 0

    def wait(self, condition, seconds):
        """Waits until condition() is true; it is asked again after each arrival. Returns its last
        value."""
        end = time.monotonic() + seconds
        with self._change:
            while True:
                value = condition()
                left = end - time.monotonic()
                if value or self.closed or left <= 0:
                    return value
                self._change.wait(min(left, 1))

    def expect(self, pattern, seconds):
        """Waits for the compiled bytes pattern behind the last match; returns the match, or None in
        time-out."""
        found = self.wait(lambda: pattern.search(self.received, self.at), seconds)
        if found:
            self.at = found.end()
        return found

    def take_lines(self):
        """The complete lines that came since the last call."""
        with self._change:
            end = self.received.rfind(b"\n") + 1
            lines = bytes(self.received[self.at:end]).splitlines()
            self.at = max(self.at, end)
            return lines

    def close(self):
        self._socket.close()


class Job:
    """A script that runs in dom0."""

    def __init__(self, machine, number, seconds):
        self._machine, self._number, self._end = machine, number, time.monotonic() + seconds + 30

    def status(self):
        return self._machine.answers.get(self._number)

    def wait(self):
        control = self._machine.control
        control.wait(lambda: self._number in self._machine.parse_answers(),
                     self._end - time.monotonic())
        status = self.status()
        if status is None:
            raise MachineError("dom0 gives no answer" + self._machine.last_words())
        path = os.path.join(self._machine.share, "jobs", str(self._number))
        with open(path, errors="replace") as source:
            output = source.read()
        os.remove(path)
        return Result(status, output)


class Machine:
    """dm is "baseline" for Debian's qemu-system-xen, or the path of a device model to put into
    dom0. out is a folder for logs, the shared folder and the one that guests boot from over the
    network. forwards are (host port, dom0 port) of 127.0.0.1."""

    def __init__(self, out, dm="baseline", forwards=(), memory=2048, dom0_memory=768):
        self.image = images.obtain()
        self.out = os.path.abspath(out)
        self.share = os.path.join(self.out, "share")
        self.tftp = os.path.join(self.out, "tftp")
        self.dm = BASELINE if dm == "baseline" else "/usr/libexec/" + os.path.basename(dm)
        self._dm_source = None if dm == "baseline" else os.path.abspath(dm)
        self._forwards, self._memory, self._dom0_memory = forwards, memory, dom0_memory
        self._process = self._work = None
        self._count = 0
        self._lock = threading.Lock()
        self.answers, self.lines, self.control = {}, [], None
        os.makedirs(os.path.join(self.share, "jobs"), exist_ok=True)
        os.makedirs(self.tftp, exist_ok=True)

    # -- start and stop --------------------

    def start(self):
        """Emulated on a busy host, Xen may wait in vain for its timer's interrupts while it tests
        them. That says nothing about what runs on it: it is started again."""
        kinds = self._accelerators() + ["tcg"] * TIMER_RETRIES
        for left, kind in zip(range(len(kinds) - 1, -1, -1), kinds):
            try:
                with step("start of Xen and dom0 in QEMU (%s)" % kind):
                    self._boot(kind)
                return self
            except MachineError as error:
                self.stop()
                if kind == "tcg" and (left == 0 or TIMER_PANIC not in str(error)):
                    raise
                say("%s does not work here: %s" % (kind, str(error).splitlines()[0])
                    if kind != "tcg" else "Xen got no timer interrupts; once more")

    def _accelerators(self):
        """KVM is only of use where it can run a hypervisor inside; that it really does is seen when
        Xen starts."""
        for module, flag in (("kvm_amd", "svm"), ("kvm_intel", "vmx")):
            try:
                with open("/sys/module/%s/parameters/nested" % module) as source:
                    nested = source.read().strip() in ("1", "Y", "y")
                with open("/proc/cpuinfo") as source:
                    able = " %s " % flag in source.read()
            except OSError:
                continue
            if nested and able and os.access("/dev/kvm", os.R_OK | os.W_OK):
                return ["kvm", "tcg"]
        return ["tcg"]

    def _boot(self, kind):
        self._work = tempfile.mkdtemp(prefix="slimdm-box-")
        path = lambda name: os.path.join(self._work, name)
        self._write_initrd(path("initrd"))
        if kind == "kvm":
            processor = ["-accel", "kvm", "-cpu", "host"]
        else:
            processor = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", TCG_CPU]
        # dom0 has 10.0.2.15; the DHCP and TFTP servers are for guests that boot from the network.
        net = "user,id=net0,dhcpstart=10.0.2.20,tftp=%s,bootfile=%s" % (self.tftp, BOOT_FILE)
        net += "".join(",hostfwd=tcp:127.0.0.1:%d-10.0.2.15:%d" % pair
                       for pair in self._forwards)
        command = ["qemu-system-x86_64", *processor, "-machine", "pc", "-smp", "2", "-m",
                   str(self._memory),
                   "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
                   "-no-reboot",
                   "-serial", "file:" + os.path.join(self.out, "console.log"),
                   "-kernel", self.image.xen, "-append", XEN_WORDS.format(self._dom0_memory),
                   "-initrd", "%s %s,%s" % (self.image.dom0_kernel, DOM0_WORDS, path("initrd")),
                   "-netdev", net, "-device", "virtio-net-pci,netdev=net0,romfile=",
                   "-fsdev", "local,id=share,security_model=none,path=" + self.share,
                   "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
                   "-device", "virtio-serial-pci"]
        names = ["control"] + ["line%d" % number for number in range(LINES)]
        for name in names:
            command += ["-chardev", "socket,id=%s,server=on,wait=off,path=%s" % (name, path(name)),
                        "-device", "virtserialport,chardev=%s,name=%s" % (name, name)]
        with open(os.path.join(self.out, "qemu.log"), "wb") as log:
            # Its own session, so that Ctrl-C on the terminal reaches this program only, which then
            # powers off.
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log,
                                             start_new_session=True)
        self._wait_for(lambda: all(os.path.exists(path(name)) for name in names), 20)
        self.control = Port(path("control"))
        self.lines = [Port(path(name), os.path.join(self.out, name + ".log")) for name in names[1:]]
        self.answers = {}
        self._wait_for(lambda: "ready" in self.parse_answers(), READY_SECONDS)
        os.remove(path("initrd"))
        if "hvm" not in self.run("xl info").output:
            raise MachineError("Xen cannot run HVM guests here")

    def _wait_for(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                raise MachineError("the machine does not start" + self.last_words())
            time.sleep(0.1)

    def _write_initrd(self, target):
        extra = cpio.Archive()
        if self._dm_source:
            # Its helper programs lie beside it, here and there; dom0 has no display for windows.
            beside = os.path.join(os.path.dirname(self._dm_source), "slimdm-%s")
            programs = [self._dm_source] + [path for path in (beside % name for name in HELPERS)
                                            if os.path.isfile(path)]
            for path in programs:
                extra.file("/usr/libexec/" + os.path.basename(path), path, 0o755)
            missing = elf.add_libraries(extra, programs, HOST_LIBRARIES, self.image.dom0_files)
            if os.path.isdir(KEYBOARDS):  # for the VNC server's keyboard layouts
                extra.tree(KEYBOARDS, KEYBOARDS)
            if missing:
                raise MachineError("%s needs libraries that are not here: %s"
                                   % (self._dm_source, " ".join(missing)))
        parts = [self.image.dom0_root]
        if not self._dm_source or "qemu" in self.dm:
            parts.append(self.image.baseline)
        with open(target, "wb") as out:
            for part in parts:
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, out)
            extra.write(out)

    def stop(self):
        if self._process is not None:
            try:
                if self._process.poll() is None and self.control is not None:
                    self.control.write(b"quit\n")
                    self._process.wait(15)
            except (OSError, subprocess.TimeoutExpired):
                pass
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        for port in [self.control, *self.lines]:
            if port is not None:
                port.close()
        self.control, self.lines = None, []
        if self._work:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def last_words(self):
        """The ends of the logs that say why the machine does not answer."""
        text = ""
        for name in ("qemu.log", "console.log"):
            try:
                with open(os.path.join(self.out, name), errors="replace") as source:
                    lines = [line.rstrip() for line in source if "TCG doesn't support" not in line]
            except OSError:
                continue
            text += "".join("\n  %s: %s" % (name, line) for line in lines[-8:])
        return text

    # -- commands --------------------

    def parse_answers(self):
        """Takes in what the agent has answered so far; returns all answers, by the number of the
        job."""
        for line in self.control.take_lines():
            words = line.split()
            if len(words) == 2:
                key = words[0].decode()
                self.answers[int(key) if key.isdigit() else key] = int(words[1])
        return self.answers

    def spawn(self, script, seconds=60):
        """Starts a bash script in dom0 that may take so many seconds of real time."""
        with self._lock:
            self._count += 1
            number = self._count
            self.control.write(b"%d %d %s\n" % (number, seconds, base64.b64encode(script.encode())))
        return Job(self, number, seconds)

    def finished(self, job):
        """Whether a job has come to its end, without waiting."""
        self.parse_answers()
        return job.status() is not None

    def run(self, script, seconds=60):
        """Runs a bash script in dom0; returns its status and all its output."""
        return self.spawn(script, seconds).wait()

    def check(self, script, seconds=60):
        """As run(), but a failure is an error; returns the output only."""
        result = self.run(script, seconds)
        if result.status:
            raise MachineError("in dom0 '%s' ends with status %d: %s"
                               % (script, result.status, result.output.strip()))
        return result.output
