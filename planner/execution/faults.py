"""
Named points at which a test kills the process: `LUNFORM_CRASH="attach:before-call"`, or `...:before-commit 3` for the
third time that the point is passed. Costs nothing where the variable is not set when the process starts.
"""

from __future__ import annotations

import itertools
import os
import signal

_POINT, _, _COUNT = os.environ.get("LUNFORM_CRASH", "").partition(" ")
_passed = itertools.count(1)  # its `next` is atomic


def fault_point(name: str) -> None:
    """Die here, as by `kill -9`, if the environment says so."""
    if _POINT and name == _POINT and next(_passed) == int(_COUNT or 1):
        os.kill(os.getpid(), signal.SIGKILL)
