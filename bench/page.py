# SPDX-License-Identifier: GPL-2.0-or-later
"""The report as an HTML page: its tables, and plots that gnuplot draws.

    python3 bench/page.py bench.json > bench.html
"""

import html
import json
import statistics
import subprocess
import sys

import report

WIDTH = 860
LEFT = 330  # pixels for the rows' names
SECTIONS = (  # heading, words that a row's name begins with
    ("Start, memory and size", ("start", "private", "PSS", "RSS", "threads", "shared", "program", "reloc",
                                "wake-ups", "stop", "saved")),
    ("Requests", ("port", "MMIO", "PCI", "buffered")),
    ("Disk", ("READ", "WRITE", "rep", "DMA", "pread", "pwrite")),
    ("Network", ("C mode", "C+ mode", "bare")),
)
STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 2px 9px; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; white-space: normal; }
.met { color: #176b2c; } .missed { color: #a31515; font-weight: bold; }
"""
PLOT = """
set terminal svg size %(width)d,%(height)d font "sans-serif,12" noenhanced
set bmargin 3
set lmargin screen %(left)f
set rmargin screen 0.97
set logscale x
set xlabel "slimdm / other, logarithmic; 1 is equal"
set grid xtics lc rgb "#dddddd" lt 1
set yrange [%(rows)d - 0.5 : -0.5]
set offsets graph 0.03, graph 0.03, 0, 0
set key tmargin horizontal samplen 1
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#888888" lw 1 back
plot $qemu using 2:1:3:4:ytic(5) with xerrorbars lc rgb "#1f5fa8" pt 7 ps 0.6 title "to qemu-xen (spread of the rounds)", \\
     $floor using 2:1 with points lc rgb "#d07000" pt 2 ps 0.6 title "to the floor"
"""


def section_of(name):
    for heading, begins in SECTIONS:
        if name.startswith(begins):
            return heading
    return "Screens"


def spread(row, other):
    """Median, lowest and highest of the rounds' own ratios, or None."""
    ours, theirs = (row["values"].get(dm, []) for dm in ("slimdm", other))
    found = [a / b for a, b in zip(ours, theirs) if a and b]
    if not found or len(ours) != len(theirs):
        return None
    return statistics.median(found), min(found), max(found)


def label(row):
    return row["name"] + (" (more is better)" if "/s" in row["unit"] else "")


def plot(rows):
    """An SVG picture of the ratios, or "" where no row has one."""
    drawn = [(row, spread(row, "qemu")) for row in rows]
    drawn = [(row, found) for row, found in drawn if found]
    if not drawn:
        return ""
    lines = ["$qemu << END"]
    for i, (row, found) in enumerate(drawn):
        lines.append("%d %g %g %g \"%s\"" % (i, *found, label(row).replace('"', "")))
    lines += ["END", "$floor << END"]
    for i, (row, _) in enumerate(drawn):
        found = spread(row, "answerer")
        lines.append("%d %s" % (i, "%g" % found[0] if found else "NaN"))
    lines += ["END", PLOT % {"width": WIDTH, "height": 90 + 19 * len(drawn), "rows": len(drawn),
                             "left": LEFT / WIDTH}]
    svg = subprocess.run(["gnuplot"], input="\n".join(lines), capture_output=True, text=True,
                         check=True).stdout
    return svg[svg.index("<svg"):]


def table(rows):
    out = ["<table><tr><th>row<th>unit<th>rounds<th>slimdm<th>qemu-xen<th>floor<th>/ qemu-xen<th>/ floor"]
    for row in rows:
        ratios = ["-" if r is None else "%.3f" % r
                  for r in (row["ratio_to_qemu"], row["ratio_to_floor"])]
        out.append("<tr><td>" + "<td>".join(
            [html.escape(row["name"]), row["unit"], str(max(map(len, row["values"].values())))] +
            [report.cell(row["values"].get(dm)) for dm in report.DMS] + ratios))
    return "\n".join(out) + "</table>"


def targets(found):
    out = ["<table><tr><th>target<th>bound<th>this run<th>"]
    for t in found:
        verdict = "<td>-<td>not measured" if t["met"] is None else "<td>%.3g<td class=%s>%s" % (
            t["found"], *(("met", "met") if t["met"] else ("missed", "not met")))
        out.append("<tr><td>%s<td>%s %s%s" % (
            html.escape(t["name"]), "&le;" if t["kind"] == "at most" else "&ge;",
            report.number(t["bound"]), verdict))
    return "\n".join(out) + "</table>"


def make(data):
    """The page for what report.as_json() has; raises OSError without gnuplot."""
    m = data["machine"]
    out = ["<!doctype html><meta charset=utf-8><title>slimdm, measured</title><style>%s</style>" % STYLE,
           "<h1>slimdm beside qemu-system-xen and a floor</h1>",
           "<p>All on simulated Xen, in turns within one run. Median (lowest\u2013highest) of the rounds; ratios are"
           " medians of the rounds' own ratios. The floor answers every request and does nothing.</p>",
           "<p>%s, %d processors, Linux %s, load %.1f, %s</p>" % tuple(
               html.escape(v) if isinstance(v, str) else v
               for v in (m["processor"], m["processors"], m["kernel"], m["load"], m["time"])),
           "<h2>Targets</h2>", targets(data["targets"])]
    headings = [heading for heading, _ in SECTIONS] + ["Screens"]
    for heading in headings:
        rows = [row for row in data["rows"] if section_of(row["name"]) == heading]
        if rows:
            out += ["<h2>%s</h2>" % heading, plot(rows), table(rows)]
    if data["notes"]:
        out += ["<h2>Notes</h2><ul>"] + ["<li>" + html.escape(n) for n in data["notes"]] + ["</ul>"]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        print(make(json.load(source)), end="")
