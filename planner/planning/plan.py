"""
The plan: what would change, why, and the steps that do it. It is what is shown, what is saved, and what is applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress
from planner.diagnostics import Diagnostic
from planner.placement.model import Assignment
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes, OutputValue
from planner.state.store import DEFAULT_WORKSPACE
from planner.steps.graph import StepGraph


class Action(Enum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    FORGET = "forget"
    NO_OP = "no-op"


LEFT_OUT = "left_out"
"""The reason of a no-op: the object is recorded, and the plan is not about it."""


@dataclass(frozen=True, slots=True)
class Drift:
    """An attribute that was changed outside: what was recorded and what the provider reads back."""

    path: str
    recorded: Any
    actual: Any


@dataclass(frozen=True, slots=True)
class TakesEffect:
    """When a VM has what changes in place on its disk: at once, without detaching; or at its next start."""

    host: str
    vm: str
    at_once: bool


@dataclass(frozen=True, slots=True)
class Change:
    """
    What becomes of one resource instance.

    Attributes:
        before: attributes as they are now (recorded, then refreshed); None when it does not exist.
        after: attributes as they will be, Unknown where only apply can know; None when it will not exist.
        reason: why, where the action alone does not say: `delete_because_no_resource_config`, ...
        replace_paths: attributes that cannot be changed in place.
        drift: what was changed outside since the last apply.
        steps: numbers of its steps in the plan's step graph.
        assignment: the pool of a volume, who enforces its QoS, and why there.
        revision: the recorded object's revision that the plan was made for; None when there was none.
        previous: the address that it was recorded under, where it moved.
        importing: the array's id of a volume that is taken over.
        restoring: until when its array can restore a volume that was deleted, and now is; None for any other. It is
            recorded under `previous`, where that is another address, and `before` is what it was.
        restorable: its array can restore for a while what the plan deletes.
        clone_of: what a new volume begins as a copy of: {"address"} of a volume, and the array's id of a {"snapshot"}
            of it, or None; None where it begins otherwise.
        holds_data: deleting or replacing it loses a user's data.
        create_first: a replacement is made before the old one is destroyed.
        recorded_anew: `before` is not what is recorded, though nothing may change: it moved, is imported, refers to
            what moved, or is recorded as it was found.
        takes_effect: of an update in place, when each VM that keeps its disk has the new size and figures.
    """

    address: InstanceAddress
    action: Action
    before: Attributes | None
    after: Attributes | None
    provider: ProviderAddress | None = None
    reason: str = ""
    replace_paths: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    steps: tuple[int, ...] = ()
    assignment: Assignment | None = None
    revision: int | None = None
    holds_data: bool = False
    previous: InstanceAddress | None = None
    importing: str = ""
    restoring: str | None = None
    restorable: bool = False
    clone_of: Mapping[str, str | None] | None = None
    recorded_anew: bool = False
    create_first: bool = False
    takes_effect: tuple[TakesEffect, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing is to be done for it."""
        return self.action is Action.NO_OP and not self.recorded_anew

    @property
    def loses_data(self) -> bool:
        """A user's data is gone when it is done."""
        return self.holds_data and self.action in (Action.DELETE, Action.REPLACE)


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What the step builder is given.

    Attributes:
        changes: in dependency order.
        known: attributes of pools and hosts by address, desired before recorded.
        providers: the provider of each of them.
        dependencies: what each instance needs, desired or, for what goes, recorded.
        protected: instances that `prevent_destroy` holds from now on.
        purged: volumes that are recorded as deleted, and that can be restored no more.
    """

    changes: tuple[Change, ...]
    known: Mapping[str, Attributes]
    providers: Mapping[str, ProviderAddress]
    dependencies: Mapping[InstanceAddress, tuple[InstanceAddress, ...]]
    protected: frozenset[InstanceAddress] = frozenset()
    purged: tuple[InstanceAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputChange:
    """A root output before and after; `after` may be Unknown; None stands for "there is none" on either side."""

    before: OutputValue | None
    after: OutputValue | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """
    What a plan adds to a pool, and what it counts on: apply holds both against the pool before it begins.

    Attributes:
        bytes, floors: added, less what the plan's volumes give back there; not above 0 where nothing is added.
        byte_budget, iops_budget: what may be given out of the pool, all volumes of all owners together; None for no
            limit.
    """

    provider: ProviderAddress
    pool: PoolSpec
    bytes: int
    floors: int
    byte_budget: int | None
    iops_budget: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Attributes:
        operation: "apply" or "destroy"; "refresh" and "import" for such that change the record alone.
        lineage, serial: of the state that it was made for; an empty lineage for a state never written.
        created: ISO 8601 in UTC.
        variables: values given from outside, plain data; sensitive ones are left out and read again at apply.
        changes: sorted by address; no-ops too.
        outputs: those of a partial plan are only those that depend on nothing that is left out.
        reservations: for each pool that gets more than it has.
        offline: no system was asked. It has no steps and no reservations, and is neither saved nor applied.
        targets, excludes: addresses as given; where there are any, the plan is about a part only.
        workspace: whose state that is.
    """

    operation: str
    lineage: str
    serial: int
    created: str
    changes: tuple[Change, ...]
    outputs: Mapping[str, OutputChange] = field(default_factory=dict)
    steps: StepGraph = field(default_factory=StepGraph)
    variables: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        return bool(self.targets or self.excludes)

    workspace: str = DEFAULT_WORKSPACE
    offline: bool = False

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)

    @property
    def is_empty(self) -> bool:
        """Nothing would change: no object and no output."""
        return all(change.is_empty for change in self.changes) and all(
            output.before == output.after for output in self.outputs.values()
        )
