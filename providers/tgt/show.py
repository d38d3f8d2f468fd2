"""
What `tgtadm --mode target --op show` prints, as data. Runs on the storage box too: standard library only.

A target's section starts with `Target 3: iqn...` at the left margin; its parts are headed at four spaces, what they
list at eight, and the properties of what they list at twelve. Sizes are printed rounded to megabytes, so the true size
of a LUN is asked of its backing file instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"^Target (\d+): (.+)$", re.MULTILINE)
_PART = re.compile(r"^ {4}(\S.*):\n((?: {8}.*\n?)*)", re.MULTILINE)
_ITEM = re.compile(r"^ {8}(\S.*?): (\d+)\n((?: {12}.*\n?)*)", re.MULTILINE)
_PROPERTY = re.compile(r"^ {12,}(\S.*?): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Session:
    """An initiator that is logged in. iSCSI lets a session have several connections; initiators mostly use one."""

    id: int
    initiator: str
    address: str
    connections: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lun:
    number: int
    path: str
    serial: str


@dataclass(frozen=True, slots=True)
class Target:
    """
    Attributes:
        ready: False while logins are put off ("State: offline").
        luns: without LUN 0, the controller that every target has.
        acl: addresses and initiator names that are let in, in one list: any one of them is enough.
    """

    tid: int
    iqn: str
    ready: bool
    sessions: tuple[Session, ...]
    luns: tuple[Lun, ...]
    accounts: tuple[str, ...]
    acl: tuple[str, ...]

    def lun(self, number: int) -> Lun | None:
        return next((lun for lun in self.luns if lun.number == number), None)


def parse_targets(text: str) -> Iterator[Target]:
    """All targets, in the order of the text."""
    headings = list(_HEADING.finditer(text))
    for index, heading in enumerate(headings):
        end = headings[index + 1].start() if index + 1 < len(headings) else len(text)
        yield _parse_section(int(heading[1]), heading[2], text[heading.end() + 1 : end])


def find_target(text: str, iqn: str) -> Target | None:
    """The one target of this name. Parses no other section, so that making one more stays cheap among thousands."""
    at = -1
    while (at := text.find(f": {iqn}\n", at + 1)) >= 0:
        heading = _HEADING.match(text, text.rfind("\n", 0, at) + 1)
        if heading is not None:  # and not an initiator of that name
            following = _HEADING.search(text, at)
            return next(parse_targets(text[heading.start() : following.start() if following else len(text)]))
    return None


def target_ids(text: str) -> frozenset[int]:
    """The target ids that are taken."""
    return frozenset(int(heading[1]) for heading in _HEADING.finditer(text))


def _parse_section(tid: int, iqn: str, text: str) -> Target:
    parts = dict(_PART.findall(text))
    sessions, luns = [], []
    for _, number, properties in _ITEM.findall(parts.get("I_T nexus information", "")):
        found = _PROPERTY.findall(properties)
        values = dict(found)
        sessions.append(
            Session(
                int(number),
                values.get("Initiator", "").split(" alias: ")[0],
                values.get("IP Address", ""),
                tuple(int(value) for key, value in found if key == "Connection"),
            )
        )
    for _, number, properties in _ITEM.findall(parts.get("LUN information", "")):
        values = dict(_PROPERTY.findall(properties))
        if number != "0":
            luns.append(Lun(int(number), values.get("Backing store path", ""), values.get("SCSI SN", "")))
    return Target(
        tid,
        iqn,
        "State: ready\n" in parts.get("System information", ""),
        tuple(sessions),
        tuple(luns),
        tuple(parts.get("Account information", "").split()),
        tuple(parts.get("ACL information", "").split()),
    )
