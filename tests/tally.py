#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up TAP: files of TAP lines, and the test logs of meson (.json) with TAP in them.

Prints every failed and skipped test, then one line 'N passed, N failed, N skipped'.
Exit status 1 when a test failed or none ran.
"""
import json
import re
import sys

LINE = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*([^#\n]*)(#.*)?$")
PLAN = re.compile(r"^1\.\.(\d+)")


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def tap(self, where, text):
        """Counts the lines of one program; a plan that was not kept is one more failure."""
        seen, planned = 0, 0
        for line in text.splitlines():
            plan = PLAN.match(line)
            if plan:
                planned += int(plan.group(1))
            match = LINE.match(line)
            if not match:
                continue
            seen += 1
            name = "%s: %s" % (where, match.group(2).strip())
            directive = (match.group(3) or "").lstrip("# ")
            if directive.lower().startswith("skip"):
                self.skipped.append("%s (%s)" % (name, directive[4:].strip() or "no reason given"))
            elif match.group(1):
                self.failed.append(name)
            else:
                self.passed += 1
        if seen < planned:
            self.failed.append("%s: only %d of %d tests ended" % (where, seen, planned))
        return seen

    def meson(self, path):
        with open(path) as log:
            for line in log:
                entry = json.loads(line)
                name, result = entry["name"], entry["result"]
                failures = len(self.failed)
                seen = self.tap(name, entry.get("stdout", ""))
                if result not in ("OK", "SKIP", "EXPECTEDFAIL") and len(self.failed) == failures:
                    self.failed.append("%s: %s" % (name, result.lower()))
                elif result == "SKIP" and not seen:
                    self.skipped.append("%s (whole program)" % name)
                elif result == "OK" and not seen:
                    self.failed.append("%s: ran no test" % name)


def main():
    tally = Tally()
    for path in sys.argv[1:]:
        if path.endswith(".json"):
            tally.meson(path)
        else:
            name = path.rsplit("/", 1)[-1].removesuffix(".tap")
            with open(path, errors="replace") as tap:
                if not tally.tap(name, tap.read()):
                    tally.failed.append("%s: ran no test" % name)
    for name in tally.skipped:
        print("skipped  " + name)
    for name in tally.failed:
        print("FAILED   " + name)
    print("%d passed, %d failed, %d skipped" % (tally.passed, len(tally.failed), len(tally.skipped)))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
