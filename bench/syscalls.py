# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls of a process while something happens, counted by strace."""

import re
import shutil
import signal
import subprocess
import tempfile


def count(pid, action):
    """{system call: number} over all threads, None without strace."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile("r") as summary:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", summary.name,
                                   "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        try:
            # It says so once it holds the process; without the right to do that it ends.
            if "attached" not in tracer.stderr.readline():
                return None
            action()
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
        found = re.findall(r"^\s*(\d+)\s+(\w+)\s*$", summary.read(), re.MULTILINE)
    return {name: int(calls) for calls, name in found if name != "total"}
