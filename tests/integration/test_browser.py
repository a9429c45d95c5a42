# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC in a browser: the page shows the guest's screen, and its keys are the guest's."""

import functools
import http.server
import os
import threading

from devtools import Chromium
from helpers import until
from screen import BLUE, GREEN, RED, Screen
from tap import Skip, equal, main, test

NOVNC = "/usr/share/novnc"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Files:
    """noVNC's files by HTTP: a browser takes no modules from file:."""

    def __enter__(self):
        if not os.path.exists(NOVNC + "/vnc_lite.html"):
            raise Skip("needs %s (package novnc)" % NOVNC)
        handler = functools.partial(Quiet, directory=NOVNC)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_address[1]

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def pixel(rows, x, y):
    if y >= len(rows):
        return None  # the page is being laid out anew
    return int.from_bytes(rows[y][3 * x:3 * x + 3], "big")


def place(page):
    """Where the guest's screen is in the page."""
    return page.evaluate("(() => { const r = document.querySelector('canvas')"
                         ".getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()")


@test
def novnc():
    """connects by WebSocket, shows the guest's screen, types, follows the mode"""
    with Files() as port, Screen(vnc="127.0.0.1:20,to=99,websocket=on") as g:
        g.keyboard()
        g.fill(BLUE, 0, 0, 640, 480)
        g.fill(RED, 100, 50, 200, 300)
        server = next(s for s in g.qmp("query-vnc-servers")[0]["server"] if s["websocket"])
        url = ("http://127.0.0.1:%d/vnc_lite.html?host=127.0.0.1&port=%s&path=websockify"
               % (port, server["service"]))
        with Chromium(url) as page:
            def connected():
                text = page.evaluate("document.querySelector('#status')?.textContent") or ""
                return text.startswith("Connected")
            until(connected, "noVNC does not connect", 90)
            seen = {}

            def shows(want):
                left, top = [round(v) for v in place(page)[:2]]
                rows = page.screenshot()[2]
                seen.update({at: pixel(rows, left + at[0], top + at[1]) for at in want})
                return all(seen[at] == colour for at, colour in want.items())
            until(lambda: shows({(0, 0): BLUE, (99, 50): BLUE, (100, 49): BLUE, (100, 50): RED,
                                 (299, 349): RED, (300, 349): BLUE, (639, 479): BLUE}),
                  "the page shows %r" % seen, 60)
            equal([round(v) for v in place(page)[2:]], [640, 480])
            page.evaluate("document.querySelector('canvas').focus()")
            page.key("a", "KeyA", 65)
            equal(g.scancodes(2), [0x1E, 0x9E])
            page.key("ArrowUp", "ArrowUp", 38)
            equal(g.scancodes(4), [0xE0, 0x48, 0xE0, 0xC8])
            g.mode(800, 600)
            g.fill(GREEN, 0, 0, 800, 600)
            until(lambda: shows({(0, 0): GREEN, (799, 599): GREEN}), "the page shows %r" % seen, 30)
            equal([round(v) for v in place(page)[2:]], [800, 600])


main()
