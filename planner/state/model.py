"""
What is recorded: objects, and the runs that made them.

An object is recorded as it is, not as it was wished: a volume whose attach failed is there, without the attachment.
Attributes are plain data (str, int, bool, None, tuple, dict with str keys) and hold nothing sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress

Attributes = Mapping[str, Any]

DEPOSED = "--deposed-"
"""
In the name under which a volume is recorded once it has had to leave its address: from when its successor is made until
it is destroyed, and from then on while its array can restore it.
"""

DELETED_UNTIL = "deleted_until"
"""Attribute of a volume that its array has deleted and can restore: until when, ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class RecordedObject:
    """
    One resource instance as last known.

    Attributes:
        provider: through which it was made; None for what is only recorded (offerings).
        dependencies: instances that must outlive it, sorted.
        revision: the state's serial when this object last changed; a saved plan names the one it was made for. The
            store sets it. A number never comes again for an address, also not when it is deleted and made anew.
        protected: `prevent_destroy` as last applied; it outlives the block.
    """

    address: InstanceAddress
    provider: ProviderAddress | None
    attributes: Attributes
    dependencies: tuple[InstanceAddress, ...] = ()
    revision: int = 0
    protected: bool = False

    @property
    def is_deleted(self) -> bool:
        """It is gone, but for its array's being able to restore it."""
        return DELETED_UNTIL in self.attributes


@dataclass(frozen=True, slots=True)
class Intent:
    """
    A step that is about to run, stored before its effect.

    Attributes:
        run: the apply it belongs to.
        step: its number in the run's step graph.
        payload: the step itself as plain data; the store does not look inside.
        job: what the provider is to be asked by, when it had answered that it works on it; else empty.
    """

    run: str
    step: int
    address: str
    payload: Mapping[str, Any]
    job: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a step, stored with the object that it left.

    Attributes:
        status: "done"; "failed" when it is known that nothing happened; "pending" when the provider works on it;
            "unknown" when nobody could tell. The last two keep the step's intent in doubt.
        error: the failure's summary; empty for a success.
        object: the object afterwards; None when the step leaves it as it was, or it is gone. It may be recorded under
            another address from now on.
        removed: nothing is recorded under `address` any more.
        job: of a pending step.
        verb: what the step does, for the history.
    """

    run: str
    step: int
    address: InstanceAddress
    status: str
    error: str = ""
    object: RecordedObject | None = None
    removed: bool = False
    job: str = ""
    verb: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """
    One apply, or whatever else changed the record: `operation` says what.

    Attributes:
        started, finished: ISO 8601 in UTC; `finished` is None while it runs, or after it was killed.
        who: user@host:pid.
    """

    id: str
    operation: str
    started: str
    who: str
    finished: str | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """
    What a run's plan was made from, so that it can be planned again.

    Attributes:
        sources: texts of the configuration's files, by name.
        variables: plain values of those that are not sensitive.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputValue:
    """A root output as last applied. A sensitive one is recorded without its value."""

    value: Any
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    All that is recorded, read in one transaction.

    Attributes:
        lineage: names this state for ever; made when it is first written, empty before that.
        serial: grows with each committed transaction.
        in_doubt: intents whose outcome nobody knows: what a killed run, or one that lost an answer for good, may or
            may not have done. In the order of runs and steps.
    """

    lineage: str
    serial: int
    objects: Mapping[InstanceAddress, RecordedObject] = field(default_factory=dict)
    outputs: Mapping[str, OutputValue] = field(default_factory=dict)
    in_doubt: tuple[Intent, ...] = ()

    @property
    def deleted(self) -> tuple[RecordedObject, ...]:
        """Volumes that are gone, and that their arrays could restore when they went."""
        return tuple(object for object in self.objects.values() if object.is_deleted)

    @property
    def without_deleted(self) -> Snapshot:
        """What is recorded as being there."""
        return replace(self, objects={a: object for a, object in self.objects.items() if not object.is_deleted})
