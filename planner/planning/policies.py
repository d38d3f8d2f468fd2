"""The arrays' QoS policies, which the volumes of an offering share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from planner.addresses import InstanceAddress, ProviderAddress, parse_instance
from planner.planning.figures import are_shared, figure_attributes
from planner.planning.goal import Goal, default_name
from planner.planning.refresh import Actual
from planner.resources.vm import VOLUME_TYPES
from planner.state.model import Attributes, RecordedObject

_Key = tuple[ProviderAddress | None, str]
"""An array, and an offering's address."""


class Policies:
    """
    Which policy a volume's figures come from.

    One that volumes are under goes on, unless it would get other figures while one of its volumes is left out of the
    plan: that one's figures would change with it. Otherwise a policy has a name that no earlier one had.

    Args:
        objects: as recorded, and as restored.
        providers: of pools, by address.
        leaves: whether the plan leaves an object out.
    """

    def __init__(
        self,
        objects: Mapping[InstanceAddress, RecordedObject],
        providers: Mapping[str, ProviderAddress],
        leaves: Callable[[InstanceAddress], bool],
    ) -> None:
        self._providers = providers
        self._names: dict[_Key, str] = {}
        self._fixed: dict[_Key, Attributes] = {}
        for address, object in objects.items():
            if address.type in VOLUME_TYPES and (policy := object.attributes.get("policy")):
                key = (providers.get(object.attributes["pool"]), object.attributes["offering"])
                if policy == self._names.setdefault(key, policy) and leaves(address):
                    self._fixed[key] = object.attributes

    def of(self, goal: Goal, pool: str, actual: Actual, now: Attributes | None) -> str | None:
        """
        The policy's name; None where the array has no policies, or the volume's figures are its own.

        Args:
            now: the volume as it is. Where no array was asked, nothing else tells of policies.
        """
        if not are_shared(goal.instance, goal.offering):
            return None
        if not actual.pools[pool].asked:
            return now.get("policy") if now is not None else None
        if "qos_policy" not in actual.pools[pool].array.supports:
            return None
        offering = goal.instance.attributes["offering"]
        key = (self._providers[pool], offering)
        fixed = self._fixed.pop(key, None)
        if fixed is not None and any(fixed.get(name) != value for name, value in figure_attributes(goal.qos).items()):
            del self._names[key]
        if key not in self._names:
            self._names[key] = f"{default_name(parse_instance(offering))[:51]}-{secrets.token_hex(4)}"
        return self._names[key]
