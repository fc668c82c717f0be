"""Waiting for an event that nobody announces."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    done: Callable[[], object], timeout_s: float, late: Exception, poll_s: float = 0.2
) -> None:
    """Ask ``done`` every ``poll_s`` seconds until the answer is true.

    :param late: raised when ``timeout_s`` seconds have passed.
    """
    until = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > until:
            raise late
        time.sleep(poll_s)
