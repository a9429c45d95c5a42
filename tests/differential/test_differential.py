# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm and QEMU side by side: every difference is listed, and none that is gone."""

import glob
import os

import player
from fakexen import QEMU
from tap import Skip, main, test


def script_test(path):
    name = os.path.splitext(os.path.basename(path))[0]

    def run():
        if not os.path.exists(QEMU):
            raise Skip("qemu-system-xen is not installed")
        unexplained, gone = player.sort_out(player.differences(path), player.expected(), name)
        text = [player.show(d) for d in unexplained] + ["no longer: %s" % place for place in gone]
        assert not text, "\n" + "\n".join(text[:40])

    run.__name__ = name
    run.__doc__ = "answers as listed"
    test(run)


for script in sorted(glob.glob(os.path.join(player.HERE, "scripts", "*.qts"))):
    script_test(script)


@test
def list_and_text_agree():
    """docs/differences.md says what the list says"""
    entries = player.expected()
    names = [e["id"] for e in entries]
    assert len(set(names)) == len(names), "an id twice"
    scripts = {os.path.basename(p)[:-4]
               for p in glob.glob(os.path.join(player.HERE, "scripts", "*.qts"))}
    for e in entries:
        assert e["title"] and e["reason"] and e["where"], e["id"]
        for place in e["where"]:
            assert place["script"] in scripts, place
    with open(player.DOCS) as f:
        assert f.read() == player.docs(), "write it anew with player.py --docs"


main()
