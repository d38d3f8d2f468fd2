"""What the objects are called that a cluster has for hosts: access groups and accounts."""

from __future__ import annotations

import re

from planner.sdk import Endpoint
from providers.solidfire.volumes import digest

_LONGEST = 64
"""Characters of a group's or an account's name on every version of the API."""


def own_name(prefix: str, endpoint: Endpoint) -> str:
    """
    `prefix-HOST-DIGITS`: letters, digits and dashes. The digits are of what the host is known by on the network, since
    hosts of one configuration, and of several, may be called the same or differ in what is left out here only.
    """
    digits = digest(f"{endpoint.initiator or endpoint.address}")
    return f"{_plain(f'{prefix}-{endpoint.name}')[: _LONGEST - 9]}-{digits}"


def shared_name(prefix: str, cluster: str) -> str:
    """`prefix-CLUSTER`: of what all hosts of a cluster share. Which cluster that is has to be told besides."""
    return f"{prefix}-{_plain(cluster)}"[:_LONGEST]


def _plain(text: str) -> str:
    """Letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
