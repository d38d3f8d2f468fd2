"""
What becomes of recorded objects, whatever the configuration asks for: a refresh-only plan makes the record what was
found, and a partial plan leaves things as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from planner.addresses import InstanceAddress
from planner.planning.current import Current
from planner.planning.plan import LEFT_OUT, Action, Change
from planner.planning.selection import Selection
from planner.resources.catalog import OBJECT_TYPES
from planner.state.model import Snapshot


def recordings(snapshot: Snapshot, currents: Mapping[InstanceAddress, Current]) -> Iterator[Change]:
    """
    A change for every recorded object: what differs is recorded anew, what is gone is forgotten, and the rest is a
    no-op.
    """
    for object in snapshot.objects.values():
        found = currents[object.address]
        gone = found.attributes is None
        yield Change(
            address=object.address,
            action=Action.FORGET if gone else Action.NO_OP,
            before=object.attributes if gone else found.attributes,
            after=found.attributes,
            provider=object.provider,
            reason="gone_outside" if gone else "",
            drift=found.drift,
            revision=object.revision,
            holds_data=OBJECT_TYPES[object.address.type].holds_data,
            recorded_anew=bool(found.drift) and not gone,
        )


def left_out(
    snapshot: Snapshot, selection: Selection, previous: Mapping[InstanceAddress, InstanceAddress]
) -> Iterator[Change]:
    """
    A no-op for all that is recorded and that the plan leaves as it is.

    Args:
        previous: the addresses under which objects are really recorded, by those in the snapshot.
    """
    for address, object in snapshot.objects.items():
        if selection.leaves(address):
            yield Change(
                address=previous.get(address, address),
                action=Action.NO_OP,
                before=object.attributes,
                after=object.attributes,
                provider=object.provider,
                reason=LEFT_OUT,
                revision=object.revision,
                holds_data=OBJECT_TYPES[address.type].holds_data,
            )
