# SPDX-License-Identifier: GPL-2.0-or-later
"""slimdm-ctl audit of a sealed device model. Not for sanitized builds: a sanitizer's run time lives
with no system call filter."""

from sealed import DRIVE, GID, SERIAL, UID, audit, free, restricted
from tap import main, test


@test
def audited():
    """slimdm-ctl audit finds all that was asked for"""
    for start in (free, restricted):
        with start(more=DRIVE + SERIAL) as g:
            said = audit(g)
            assert "FAIL" not in said, said
            for word in ("filtered, 1 filter", "none to be had", "none that is not expected"):
                assert word in said, said
            if start is restricted:
                assert "uid %d, gid %d (-runas" % (UID, GID) in said, said
                assert "thread %d: none\n" % g.pid in said, said
                assert "ok    core, ptrace" in said, said


main()
