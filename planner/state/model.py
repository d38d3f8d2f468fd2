"""
What is recorded: objects, and the runs that made them.

An object is recorded as it is, not as it was wished: a volume whose attach failed is there, without the attachment.
Attributes are plain data (str, int, bool, None, tuple, dict with str keys) and hold nothing sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedObject:
    """
    One resource instance as last known.

    Attributes:
        provider: through which it was made; None for what is only recorded (offerings).
        dependencies: instances that must outlive it, sorted.
        revision: grows with each change of this object; a saved plan names the one it was made for.
        protected: `prevent_destroy` as last applied; it outlives the block.
    """

    address: InstanceAddress
    provider: ProviderAddress | None
    attributes: Attributes
    dependencies: tuple[InstanceAddress, ...] = ()
    revision: int = 0
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """
    A step that is about to run, stored before its effect.

    Attributes:
        run: the apply it belongs to.
        step: its number in the run's step graph.
        payload: the step itself as plain data; the store does not look inside.
    """

    run: str
    step: int
    address: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a step, stored with the object that it left.

    Attributes:
        status: "done", or "failed" when it is known that nothing happened.
        error: the failure's summary; empty for a success.
        object: the object afterwards; None when the step leaves it as it was, or `removed`.
        removed: the object is gone.
    """

    run: str
    step: int
    address: InstanceAddress
    status: str
    error: str = ""
    object: RecordedObject | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """
    One apply or destroy.

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
        in_doubt: intents without an outcome: what a killed run may or may not have done.
    """

    lineage: str
    serial: int
    objects: Mapping[InstanceAddress, RecordedObject] = field(default_factory=dict)
    outputs: Mapping[str, OutputValue] = field(default_factory=dict)
    in_doubt: tuple[Intent, ...] = ()
