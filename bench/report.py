# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of what was measured, and how it stands beside the targets.

A ratio is the median of the ratios within the single rounds: what disturbs the machine for a while
disturbs both sides of one round, and shows as spread, not as a win.
"""

import json
import os
import platform
import statistics
from datetime import datetime, timezone

DMS = ("slimdm", "qemu", "answerer")
SHOWN = {"slimdm": "slimdm", "qemu": "qemu-xen", "answerer": "floor"}


def number(value):
    if value == int(value) and abs(value) < 1e6:
        return "%d" % value
    return "%.4g" % value if abs(value) < 1000 else "%.0f" % value


def ratio(rows, row, other, its_row=None):
    """Median over the rounds of slimdm / other, None where there is no such number. The other's
    row is the same one unless it is named."""
    ours, theirs = rows.get(row, "slimdm"), rows.get(its_row or row, other)
    pairs = [a / b for a, b in zip(ours, theirs) if b]
    return statistics.median(pairs) if pairs and len(ours) == len(theirs) else None


def cell(values):
    if not values:
        return "-"
    middle = number(statistics.median(values))
    low, high = min(values), max(values)
    return middle if low == high else "%s (%s-%s)" % (middle, number(low), number(high))


def columns(lines):
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    out = []
    for line in lines:
        cells = [c.ljust(w) if i == 0 else c.rjust(w)
                 for i, (c, w) in enumerate(zip(line, width))]
        out.append("  ".join(cells).rstrip())
    out.insert(1, "-" * sum(width) + "--" * (len(width) - 1))
    return out


def main_table(rows):
    lines = [["row", "unit", "n"] + [SHOWN[dm] for dm in DMS] + ["/ qemu-xen", "/ floor"]]
    for row, unit in rows.unit.items():
        ratios = [ratio(rows, row, other) for other in ("qemu", "answerer")]
        lines.append([row, unit, str(max(len(rows.get(row, dm)) for dm in DMS))]
                     + [cell(rows.get(row, dm)) for dm in DMS]
                     + ["-" if r is None else "%.3f" % r for r in ratios])
    return columns(lines)


def middle(rows, row):
    found = rows.get(row, "slimdm")
    return statistics.median(found) if found else None


def targets(rows, options):
    """(what, found, bound, at most?) for every target; found is None when it was not measured."""

    def inverse(row, other, its_row=None):
        r = ratio(rows, row, other, its_row)
        return 1 / r if r else None

    idle = rows.get("wake-ups in %d idle seconds" % options.idle, "slimdm")
    return [
        ("start, wall: of QEMU's", ratio(rows, "start to running, wall", "qemu"), 0.1, True),
        ("start, CPU: of QEMU's", ratio(rows, "start to running, CPU", "qemu"), 0.1, True),
        ("private dirty after start: of QEMU's",
         ratio(rows, "private dirty after start", "qemu"), 0.125, True),
        ("private dirty after work: of QEMU's",
         ratio(rows, "private dirty after work", "qemu"), 0.125, True),
        ("DM CPU of a port read: of the floor's",
         ratio(rows, "port read, DM CPU", "answerer"), 1.3, True),
        ("DM CPU of a port write: of the floor's",
         ratio(rows, "port write, DM CPU", "answerer"), 1.3, True),
        ("rep insw of a sector, DM CPU: QEMU needs times",
         inverse("rep insw of a sector, DM CPU", "qemu"), 10, False),
        ("rep insw of a sector on two processors, DM CPU: QEMU needs times",
         inverse("rep insw of a sector on two processors, DM CPU", "qemu"), 10, False),
        ("READ SECTORS by rep insw on two processors, throughput: times QEMU's",
         ratio(rows, "READ SECTORS on two processors, throughput", "qemu"), 10, False),
        ("READ MULTIPLE by rep insw, DM CPU a MiB: QEMU needs times",
         inverse("READ MULTIPLE, DM CPU a MiB", "qemu"), 10, False),
        ("READ MULTIPLE by rep insw, throughput: times QEMU's",
         ratio(rows, "READ MULTIPLE, throughput", "qemu"), 10, False),
        ("DMA 128 KiB reads, with their 13 port requests: of the speed of a bare pread loop",
         inverse("DMA 128 KiB read, wall", "answerer", "pread of 128 KiB in a bare loop, wall"),
         0.85, False),
        ("DMA 128 KiB reads: of the speed of pread calls behind the same requests",
         inverse("DMA 128 KiB read, wall", "answerer"), 0.85, False),
        ("DMA 128 KiB reads, DM CPU: of pread calls behind the same requests",
         inverse("DMA 128 KiB read, DM CPU", "answerer"), 0.85, False),
        *[("%s: frames a DM CPU second, times QEMU's" % row, inverse(row + ", DM CPU", "qemu"), 3,
           False)
          for row in ("C mode, send 1500", "C mode, receive 1500", "C+ mode, send 1500",
                      "C+ mode, receive 1500")],
        ("C+ mode, large send: bytes a DM CPU second, times QEMU's",
         inverse("C+ mode, large send, DM CPU a MiB", "qemu"), 3, False),
        ("C+ mode, send 1500: of the writev loop's speed",
         inverse("C+ mode, send 1500, one more", "answerer"), 0.7, False),
        ("C+ mode, receive 1500: of the readv loop's speed",
         inverse("C+ mode, receive 1500, one more", "answerer"), 0.7, False),
        *[("port read during a film of %s, p99: times the quiet one" % size,
           middle(rows, "port read during a film of %s, p99: times the quiet one" % size), 1.5, True)
          for size in ("1024 x 768", "1920 x 1080")],
        ("private dirty with a viewer, no video memory, KiB",
         middle(rows, "private dirty with a viewer, no video memory"), 1024, True),
        ("wake-ups in %d idle seconds" % options.idle, idle[0] if idle else None, 0, True),
    ]


def is_met(found, bound, at_most):
    """None when it was not measured."""
    return None if found is None else found <= bound if at_most else found >= bound


def target_table(rows, options):
    lines = [["target", "bound", "this run", ""]]
    for what, found, bound, at_most in targets(rows, options):
        met = is_met(found, bound, at_most)
        lines.append([what, ("<= %s" if at_most else ">= %s") % number(bound),
                      "-" if found is None else "%.3g" % found,
                      "not measured" if met is None else "met" if met else "NOT MET"])
    return columns(lines)


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "processors": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg()[0],
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds")}


def text(rows, options):
    m = machine()
    head = ["slimdm beside Debian's qemu-system-xen and a device model that does nothing,",
            "all on simulated Xen. Median (lowest-highest) of n rounds; ratios are medians of the",
            "rounds' own ratios of slimdm to the other.",
            "%s, %d processors, Linux %s, load %.1f, %s"
            % (m["processor"], m["processors"], m["kernel"], m["load"], m["time"]), ""]
    notes = [""] + ["* " + n for n in rows.notes] if rows.notes else []
    return "\n".join(head + main_table(rows) + notes + [""] + target_table(rows, options)) + "\n"


def as_json(rows, options):
    content = {
        "machine": machine(),
        "quick": options.quick,
        "rows": [{"name": row, "unit": unit, "values": rows.values[row],
                  "median": {dm: statistics.median(v) for dm, v in rows.values[row].items()},
                  "ratio_to_qemu": ratio(rows, row, "qemu"),
                  "ratio_to_floor": ratio(rows, row, "answerer")}
                 for row, unit in rows.unit.items()],
        "targets": [{"name": what, "found": found, "bound": bound,
                     "kind": "at most" if at_most else "at least",
                     "met": is_met(found, bound, at_most)}
                    for what, found, bound, at_most in targets(rows, options)],
        "notes": rows.notes,
    }
    return json.dumps(content, indent=1) + "\n"
