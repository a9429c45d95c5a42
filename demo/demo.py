# SPDX-License-Identifier: GPL-2.0-or-later
"""The second half of demo/run: box, guest, console."""
import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import stat
import sys
import termios
import threading
import time
import tty

from box import guest, machine, media, png
from box.image import PASSWORD
from box.progress import say, step

ESCAPE = b"\x1d"  # Ctrl-], as xl's console has it
VNC_PORTS = range(5910, 5960)
GONE_SECONDS = 20  # how long a reboot may leave us without a domain


# -- the other side of 'demo/run shot' and 'demo/run stop'
# ------------------------------------------------

def private_folder():
    """A folder that only this user can use, for the socket between two runs of this program."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    path = os.path.join(base, "slimdm-demo-%d" % os.getuid())
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SystemExit("%s is not a folder of yours alone: remove it" % path)
    return path


def ask(request):
    """Sends a request to the running demo; returns the exit status."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(os.path.join(private_folder(), "socket"))
        except OSError:
            print("no demo is running", file=sys.stderr)
            return 1
        link.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(link.makefile().readline() or '{"error": "the demo has ended"}')
    print(answer.get("error") or answer["done"],
          file=sys.stderr if "error" in answer else sys.stdout)
    return 1 if "error" in answer else 0


class Helper(threading.Thread):
    """Answers ask() of other runs."""

    def __init__(self, shoot):
        super().__init__(daemon=True)
        path = os.path.join(private_folder(), "socket")
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        self._listen = socket.socket(socket.AF_UNIX)
        self._listen.bind(path)
        self._listen.listen()
        self._shoot = shoot

    def run(self):
        while True:
            link, _ = self._listen.accept()
            with link:
                try:
                    request = json.loads(link.makefile().readline())
                    if request["do"] == "stop":
                        answer = {"done": "the demo is being stopped"}
                        os.kill(os.getpid(), signal.SIGTERM)
                    else:
                        self._shoot(request["file"])
                        answer = {"done": "the guest's screen is in " + request["file"]}
                except (machine.MachineError, OSError, ValueError, KeyError) as error:
                    answer = {"error": str(error)}
                with contextlib.suppress(OSError):
                    link.sendall(json.dumps(answer).encode() + b"\n")


# -- the demo --------------------

def free_port():
    for port in VNC_PORTS:
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise SystemExit("no free TCP port from %d to %d" % (VNC_PORTS[0], VNC_PORTS[-1]))


def make_guest(box):
    """The guest boots from CD, since the disk is empty: loading from CD is quicker by far."""
    with step("boot medium of the guest"):
        media.cd(box.image, os.path.join(box.share, "cd.iso"))
        box.check("mv /box/share/cd.iso /root/ && truncate -s 64M /root/disk.img", 120)
    return guest.Guest(box, guest.seed("/root/disk.img", "/root/cd.iso"))


def hint(one, port):
    """The line that says what to do next. VNC is spoken of only when somebody listens in dom0."""
    where = one.store("console/vnc-port")
    listens = where and one.machine.run("netstat -ltn | grep -q ':%s '" % where).status == 0
    screen = ("vncviewer 127.0.0.1::%d" % port if listens and where == "5900"
              else "demo/run shot FILE.png (in another terminal)")
    return ("root's password: %s | the screen: %s | stop: %s"
            % (PASSWORD, screen,
               "Ctrl-] or demo/run stop" if sys.stdin.isatty() else "demo/run stop"))


@contextlib.contextmanager
def raw_terminal():
    if not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
        sys.stdout.write("\r\n")


def show(data):
    os.write(1, data)


def reattach(one):
    """After the console ended: finds the domain again when the guest rebooted. False when it is
    gone for good."""
    end = time.monotonic() + GONE_SECONDS
    while time.monotonic() < end:
        if one.domid() is not None and one.tty():
            one.attach()
            return True
        time.sleep(1)
    return False


def converse(one, port):
    """Terminal and guest talk to each other until one of them has enough."""
    announced, keyboard = False, [0] if sys.stdin.isatty() else []
    one.line.listener = show
    show(bytes(one.line.received))
    while True:
        ready, _, _ = select.select(keyboard, [], [], 0.5)
        if ready:
            typed = os.read(0, 4096)
            if not typed or ESCAPE in typed:
                return
            one.line.write(typed)
        if not announced and one.line.expect(guest.LOGIN, 0):
            announced = True
            show(("\r\n\n# %s\r\n" % hint(one, port)).encode())
            one.line.write(b"\r")
        if one.console_ended():
            if not one.machine.alive() or not reattach(one):
                show(b"\r\n# the guest is gone\r\n")
                return


def check(one, out):
    """Boots, logs in, looks around; returns the exit status."""
    start = time.monotonic()
    try:
        one.login()
        print("login prompt and login on 'xl console -t serial' after %.0f s"
              % (time.monotonic() - start))
        for command in ("uname -srv", "cat /proc/cmdline", "cat /proc/partitions"):
            print("guest$ %s\n%s" % (command, one.sh(command).strip()))
        picture = os.path.join(out, "screen.png")
        one.screenshot(picture)
        with open(picture, "rb") as source:
            size = png.decode(source.read())
        print("screen: %dx%d in %s" % (size.width, size.height, picture))
        one.type("q poweroff")
        gone = one.wait_gone(120)
        print("poweroff: the domain is " + ("gone" if gone else "still there"))
        return 0 if gone else 1
    except (machine.MachineError, OSError, ValueError) as error:
        print("the check fails: %s" % error)
        return 1


def run(options, out):
    port = free_port()
    box = machine.Machine(os.path.join(out, "box"), options.dm, forwards=[(port, 5900)])
    with box:
        box.start()
        one = make_guest(box)
        with step("xl create, with device_model_override='%s'" % box.dm):
            one.create("")
            one.attach()
        Helper(one.screenshot).start()
        if options.check:
            return check(one, out)
        say("the guest's serial line follows; BIOS and kernel take a while to speak")
        with raw_terminal():
            converse(one, port)
    return 0


def main():
    parser = argparse.ArgumentParser(
        prog="demo/run",
        description="A guest on real Xen in an emulated machine, served by slimdm.")
    parser.add_argument("action", nargs="?", choices=["start", "shot", "stop"], default="start",
                        help="start (default); shot: put the screen of the running guest "
                             "into FILE; stop: end the demo")
    parser.add_argument("file", nargs="?", default="screen.png", metavar="FILE",
                        help="for shot (default: screen.png)")
    parser.add_argument("--check", action="store_true",
                        help="boot, log in, take a picture, power off; exit status 0 or 1")
    parser.add_argument("--dm",
                        help="other device model: a path, or 'baseline': Debian's qemu-system-xen")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.action != "start":
        return ask({"do": options.action, "file": os.path.abspath(options.file)})
    options.dm = options.dm or os.path.join(options.build, "slimdm")
    if options.dm != "baseline" and not os.access(options.dm, os.X_OK):
        parser.error("--dm %s is not a program" % options.dm)
    out = os.path.join(options.build, "demo")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(private_folder(), "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("a demo is running already; end it with: demo/run stop", file=sys.stderr)
            return 1
        machine.interrupt_on_signals()
        try:
            return run(options, out)
        except KeyboardInterrupt:
            say("stopped")
            return 0 if not options.check else 1
        except machine.MachineError as error:
            say(str(error))
            return 1


if __name__ == "__main__":
    sys.exit(main())
