# SPDX-License-Identifier: GPL-2.0-or-later
"""The offset of the guest's clock: kept in xenstore for the next boot, whatever comes between."""

import os
import tempfile
import time

from fakexen import Guest
from helpers import restored, save, video_frames
from tap import equal, main, test

KEY = "/vm/6b8b4567-327b-23c6-643c-986966334873/rtc/timeoffset"


def configured(value):
    """What libxl writes before it starts the device model."""
    return lambda g: g.cmd("x-xs-write %s %s" % (KEY, value))


def move(g, seconds):
    g.x("timeoffset", seconds=seconds)
    g.inb(0x64)


@test
def adds_to_what_is_configured():
    """the toolstack's offset is where the guest's changes start from"""
    with Guest(before=configured(3600)) as g:
        equal(g.xs(KEY), "3600")
        move(g, -7200)
        equal(g.xs(KEY), "-3600")
        move(g, 3600)
        equal(g.xs(KEY), "0")


@test
def next_boot():
    """a reboot: what one life has kept is what the next one starts from"""
    with Guest(before=configured(-60)) as g:
        move(g, 86400 * 365)
        kept = g.xs(KEY)
        g.outb(0xCF9, 6)
    equal(kept, str(86400 * 365 - 60))
    with Guest(before=configured(kept)) as g:
        move(g, 1)
        equal(g.xs(KEY), str(86400 * 365 - 59))


@test
def strange_values():
    """a key that is no number counts as 0"""
    for value in ("abc", "12x", "99999999999999999999999"):
        with Guest(before=configured(value)) as g:
            move(g, 5)
            equal(g.xs(KEY), "5", "after %r" % value)


@test
def no_key():
    """without /vm the guest lives as well"""
    with Guest(before=lambda g: g.cmd("x-xs-rm /local/domain/1/vm")) as g:
        move(g, 5)
        equal(g.xs(KEY), "")
        equal(g.cfg(0, 0, 0), 0x12378086)


@test
def saved():
    """the sum goes along with save and restore, and is in the new domain's xenstore at once"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        with Guest(before=configured(100)) as g:
            move(g, -40)
            save(g, path)
            frames = video_frames(g)
        with restored(path, frames) as g:
            equal(g.xs(KEY), "60")
            move(g, 1)
            equal(g.xs(KEY), "61")


@test
def event():
    """RTC_CHANGE tells clients the sum"""
    with Guest() as g:
        m = g.monitor()
        move(g, -3)
        m.call("query-status")
        equal([(e["event"], e["data"]) for e in m.events], [("RTC_CHANGE", {"offset": -3})])
        m.close()


@test
def flood():
    """a guest that keeps setting its clock does not keep xenstore busy; the last value is kept"""
    with Guest() as g:
        m = g.monitor()
        for _ in range(100):
            g.loop(200, ["x-timeoffset seconds=1"])
            g.inb(0x64)
        end = time.monotonic() + 10
        while g.xs(KEY) != "20000":
            assert time.monotonic() < end, g.xs(KEY)
            time.sleep(0.05)
        m.call("query-status")
        assert len(m.events) < 1000, "%d events" % len(m.events)
        m.close()


@test
def flood_and_end():
    """what was not written yet is written at the end"""
    with Guest() as g:
        for _ in range(100):
            g.x("timeoffset", seconds=1)
        g.inb(0x64)
        equal(g.kill(1), ("exited", 0))
        equal(g.xs(KEY), "100")


main()
