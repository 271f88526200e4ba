"""Opening pages of a portal in Chromium."""

from __future__ import annotations

import re

from playwright.sync_api import Error, Page

TRIES = 5
PAUSE = 500.0  # milliseconds
_NETWORK_CHANGED = re.compile("ERR_NETWORK_CHANGED|chrome-error:")


def go(page: Page, path: str) -> None:
    """Open `path`. Chromium gives up a load whenever a network interface comes or goes, as those of containers do.

    Raises playwright's Error for every other reason, and when the network never rests.
    """
    for left in reversed(range(TRIES)):
        try:
            page.goto(path)
        except Error as problem:
            if not left or not _NETWORK_CHANGED.search(str(problem)):
                raise
            page.wait_for_timeout(PAUSE)
        else:
            return
