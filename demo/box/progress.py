# SPDX-License-Identifier: GPL-2.0-or-later
"""Says on standard error what is being done and for how long."""
import contextlib
import sys
import threading
import time

_lock = threading.Lock()


def say(text):
    with _lock:
        sys.stderr.write("# " + text + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def step(text):
    """Around a longer piece of work: on a terminal a line that counts seconds, else a line at both
    ends."""
    start = time.monotonic()
    done = threading.Event()
    live = sys.stderr.isatty()

    def tick():
        while not done.wait(1):
            with _lock:
                sys.stderr.write("\r# %s ... %d s " % (text, time.monotonic() - start))
                sys.stderr.flush()

    if live:
        threading.Thread(target=tick, daemon=True).start()
    else:
        say(text + " ...")
    verdict = "failed"
    try:
        yield
        verdict = "done"
    finally:
        done.set()
        clear = "\r\x1b[K" if live else ""
        with _lock:
            sys.stderr.write("%s# %s: %s, %.1f s\n"
                             % (clear, text, verdict, time.monotonic() - start))
            sys.stderr.flush()
