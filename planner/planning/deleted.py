"""
Volumes that are gone and that their arrays can restore: deleted by an apply, which recorded it, or by somebody else.
One that a block asks for again comes back as it was, with its data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics
from planner.planning.current import current
from planner.planning.goal import Goal
from planner.planning.refresh import Actual
from planner.resources.volume import VOLUME
from planner.state.model import DELETED_UNTIL, DEPOSED, Attributes, RecordedObject
from planner.units import format_size, parse_size
from planner.values.marks import Unknown


@dataclass(frozen=True, slots=True)
class Restoration:
    """
    Attributes:
        recorded: the volume as it is recorded, maybe under another address.
        until: until when it can be restored, ISO 8601 in UTC.
        attributes: as it will be when it is restored.
    """

    recorded: RecordedObject
    until: str
    attributes: Attributes


def by_address(deleted: Iterable[RecordedObject]) -> Mapping[InstanceAddress, Sequence[RecordedObject]]:
    """By the address that each had; what was deleted last comes first."""
    found: dict[InstanceAddress, list[RecordedObject]] = defaultdict(list)
    for object in sorted(deleted, key=lambda object: str(object.attributes[DELETED_UNTIL]), reverse=True):
        name, _, _ = object.address.name.partition(DEPOSED)
        found[replace(object.address, name=name)].append(object)
    return found


def find_restorable(
    goal: Goal,
    gone: Iterable[RecordedObject],
    actual: Actual,
    names: Mapping[str, Collection[str]],
    now: str,
    diagnostics: Diagnostics,
) -> Restoration | None:
    """
    The first of the volumes that can be restored and can become what is asked for; None where there is none, with a
    warning where another could be restored.

    Args:
        gone: volumes that the goal's address had.
        actual: where deleted volumes were not listed, the record is believed.
        names: of the volumes that there are, by pool.
        now: ISO 8601 in UTC.
    """
    unfit: list[str] = []
    for object in gone:
        was = {name: value for name, value in object.attributes.items() if name != DELETED_UNTIL}
        until, reading = object.attributes.get(DELETED_UNTIL), actual.pools.get(was["pool"])
        if reading is not None and reading.deleted is not None:
            listed = reading.deleted.get(was["id"])
            until = None if listed is None else listed.until
            if listed is not None:
                there = Actual({was["pool"]: replace(reading, volumes={was["id"]: listed.volume})})
                was = {**was, **(current(replace(object, attributes=was), there).attributes or {})}
        if until is None or until <= now:
            continue
        was |= {"access": {}, "attachments": ()}
        if not (why := _why_unfit(goal, was, names.get(was["pool"], ()))):
            return Restoration(object, until, was)
        unfit.append(f"{was['id']}, which its array can restore until {until}, {why}")
    if unfit:
        diagnostics.warning(
            "Deleted volume that does not fit",
            f"{goal.instance.address} will be made anew, and empty: {'; '.join(unfit)}. To have that one back, ask for"
            " what it was.",
            goal.instance.resource.range,
            address=str(goal.instance.address),
        )
    return None


def purged(
    deleted: Iterable[RecordedObject], restored: Collection[InstanceAddress], actual: Actual, now: str
) -> Iterator[InstanceAddress]:
    """
    Addresses of recorded volumes that nobody can restore any more, or that somebody has restored.

    Args:
        restored: addresses under which those are recorded that the plan restores.
    """
    for object in deleted:
        reading = actual.pools.get(object.attributes["pool"])
        listed = None if reading is None else reading.deleted
        is_unlisted = listed is not None and object.attributes["id"] not in listed
        if object.address not in restored and (is_unlisted or object.attributes[DELETED_UNTIL] <= now):
            yield object.address


def _why_unfit(goal: Goal, had: Attributes, names: Collection[str]) -> str:
    """
    What of the volume cannot become what is asked for.

    Args:
        names: of the volumes that there are.
    """
    wanted = goal.instance.attributes
    pin = wanted["pool"]
    if pin is not None and not isinstance(pin, Unknown) and pin != had["pool"]:
        return f"is on {had['pool']}"
    if goal.name_of(had) != had["name"]:
        return f'is called "{had["name"]}"'
    if had["name"] in names:
        return f'is called "{had["name"]}", as another volume is now'
    # A volume whose block says nothing (any more) of what it began as is left as it began.
    is_left = wanted.get("source") is None and goal.instance.address.type == VOLUME.name
    if not is_left and wanted.get("source") != had.get("source"):
        return f"was made from {had.get('source') or 'nothing'}"
    if goal.size < parse_size(had["size"]):
        return f"has {format_size(parse_size(had['size']))}"
    return ""
