# SPDX-License-Identifier: GPL-2.0-or-later
"""A very small test runner that prints TAP.

    @test
    def says_what_it_checks(): ...

    main()

Arguments select tests by name. Each test stands alone; its first docstring line is its description.
"""

import os
import sys
import traceback

_tests = []


class Skip(Exception):
    """The test cannot run here, for the reason given."""


def test(function):
    _tests.append(function)
    return function


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError("%s is %s, not %s" % (what, _show(got), _show(want)))


def _show(value):
    if isinstance(value, int) and not isinstance(value, bool):
        return "%#x" % value
    text = repr(value)
    return text if len(text) < 400 else "%s ... (%d bytes)" % (text[:200], len(value))


def same_bytes(got, want, what="data"):
    """Like equal() for long data: names the first byte that differs."""
    equal(len(got), len(want), "length of " + what)
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            raise AssertionError("%s differs at byte %d: %s, not %s"
                                 % (what, i, got[i:i + 16].hex(), want[i:i + 16].hex()))


def main():
    chosen = [t for t in _tests if len(sys.argv) < 2 or t.__name__ in sys.argv[1:]]
    print("1..%d" % len(chosen), flush=True)
    failures = 0
    for number, function in enumerate(chosen, 1):
        name = (function.__doc__ or function.__name__).strip().splitlines()[0].replace("#", "")
        try:
            function()
            line = "ok %d - %s: %s" % (number, function.__name__, name)
        except Skip as reason:
            line = "ok %d - %s # SKIP %s" % (number, function.__name__, reason)
        except Exception:
            failures += 1
            line = "not ok %d - %s: %s" % (number, function.__name__, name)
            for text in traceback.format_exc().rstrip().splitlines():
                line += "\n# " + text
        print(line, flush=True)
    # Skip the interpreter's slow farewell: nothing is left to flush.
    os._exit(1 if failures else 0)
