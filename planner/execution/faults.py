"""
Named points at which a test kills the process: `LUNFORM_CRASH="attach:before-call"`, or `before-commit 3` for the third
time that the point is passed. Costs nothing where nobody watches.

    begin          before-begin, after-begin                          the intents are stored
    each step      VERB:before-call, VERB:after-call                  in a worker, around the provider's call
                   VERB:before-poll, VERB:after-poll                  of a job that the provider works on
                   VERB:before-record                                 the answer is there, and not yet an outcome
    outcomes       before-commit, after-commit
    readback       readback:before-read, readback:after-read, readback:before-commit, readback:after-commit
    finish         before-finish, after-finish
    recovery       recovery:looked-up (of each step), recovery:before-commit, recovery:after-commit, recovery:closed
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

Watch = Callable[[str], None]


class Crash:
    """Dies, as by `kill -9`, at a point: `NAME`, or `NAME n` for the nth time that it is passed."""

    def __init__(self, point: str) -> None:
        self._name, _, count = point.partition(" ")
        self._count = int(count or 1)
        self._passed = itertools.count(1)  # its `next` is atomic

    def __call__(self, name: str) -> None:
        if name == self._name and next(self._passed) == self._count:
            os.kill(os.getpid(), signal.SIGKILL)


_watch: Watch | None = Crash(os.environ["LUNFORM_CRASH"]) if os.environ.get("LUNFORM_CRASH") else None


def watch_with(watch: Watch | None) -> None:
    """Have `watch` called with the name of each point that is passed from now on, in whatever thread passes it."""
    global _watch
    _watch = watch


def fault_point(name: str) -> None:
    if _watch is not None:
        _watch(name)
