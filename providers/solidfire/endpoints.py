"""What the objects are called that a cluster has for one host: its access group, its account."""

from __future__ import annotations

import hashlib
import re

from planner.sdk import Endpoint

_LONGEST = 64
"""Characters of a group's or an account's name on every version of the API."""


def own_name(prefix: str, endpoint: Endpoint) -> str:
    """
    `prefix-HOST-DIGITS`: letters, digits and dashes. The digits are of what the host is known by on the network, since
    hosts of one configuration, and of several, may be called the same or differ in what is left out here only.
    """
    digits = hashlib.sha256(f"{endpoint.initiator or endpoint.address}".encode()).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", f"{prefix}-{endpoint.name}").strip("-")
    return f"{stem[: _LONGEST - 9]}-{digits}"
