"""
The step graph: every provider call of an apply, settled at plan time. Pure data that travels in the plan file and is
stored as the run's intents; apply decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress, parse_instance, parse_provider
from planner.state.model import Attributes


class Verb(Enum):
    """What a step does; all but the last three call a provider."""

    CREATE = "create_async"
    UPDATE_QOS = "update_qos"
    RESIZE = "resize_async"
    GRANT = "grant_access"
    ATTACH = "attach"
    UPDATE_ATTACHMENT = "update_attachment"
    DETACH = "detach"
    REVOKE = "revoke_access"
    DELETE = "delete_async"
    RESTORE = "restore_async"
    UPDATE_POLICY = "update_qos_policy"
    CREATE_VM = "create_vm"
    UPDATE_VM = "update_vm"
    SET_POWER = "set_power"
    DELETE_VM = "delete_vm"
    RECORD = "record"
    FORGET = "forget"
    JOIN = "join"


LOCAL_VERBS = frozenset({Verb.RECORD, Verb.FORGET, Verb.JOIN})
"""They change the record alone. A join changes nothing: it stands between N steps and M that need them all."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    One provider call, or one change of the record alone.

    Attributes:
        id: its number in the graph, from 0.
        provider: whose call it is: the pool's provider, or the host's for attach and its kin.
        intent: 16 hexadecimal digits, by which an effect with a lost answer is found again.
        arguments: what the request says, settled; see `planner.steps.builder` for each verb's keys. What an earlier
            step of the same object gives (its id, its access path) is read from the object's record instead.
        records: attributes to record when the step is done, besides what the call itself gives.
        requires: steps that must be done before, sorted.
    """

    id: int
    verb: Verb
    address: InstanceAddress
    provider: ProviderAddress | None
    intent: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    records: Attributes = field(default_factory=dict)
    requires: tuple[int, ...] = ()
    dependencies: tuple[InstanceAddress, ...] = ()
    protected: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal and the plan file; `from_json` reads it back."""
        return {
            "id": self.id,
            "verb": self.verb.value,
            "address": str(self.address),
            "provider": str(self.provider) if self.provider else None,
            "intent": self.intent,
            "arguments": dict(self.arguments),
            "records": dict(self.records),
            "requires": list(self.requires),
            "dependencies": [str(address) for address in self.dependencies],
            "protected": self.protected,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        return cls(
            id=data["id"],
            verb=Verb(data["verb"]),
            address=parse_instance(data["address"]),
            provider=parse_provider(data["provider"]) if data["provider"] else None,
            intent=data["intent"],
            arguments=data["arguments"],
            records=data["records"],
            requires=tuple(data["requires"]),
            dependencies=tuple(parse_instance(address) for address in data["dependencies"]),
            protected=data["protected"],
        )


@dataclass(frozen=True, slots=True)
class StepGraph:
    """Steps by number: `steps[n].id == n`, and every step requires only lower numbers."""

    steps: tuple[Step, ...] = ()
