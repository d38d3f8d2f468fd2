"""QoS policies: figures under a name, which change for all their volumes by one call. From API version 10 on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Missing, Qos, Rejected
from providers.solidfire.volumes import figures, qos_of
from providers.solidfire.wire import Wire

SINCE = 10
"""Major version of the API that first has them."""


@dataclass(frozen=True, slots=True)
class Policy:
    number: int
    name: str
    qos: Qos


class Policies:
    """
    Names are not unique on a cluster: of several policies with one name the oldest counts, for everybody.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._making = threading.Lock()
        self._known: dict[str, Policy] = {}
        self._firsts: dict[str, threading.Lock] = {}
        self._seen: Mapping[int, Policy] = {}

    def all(self) -> Sequence[Policy]:
        """By their numbers."""
        rows = self._wire.read("ListQoSPolicies")["qosPolicies"]
        found = sorted(map(_policy, rows), key=lambda policy: policy.number)
        self._seen = {policy.number: policy for policy in found}
        return found

    def of(self, number: int) -> Policy | None:
        """By its number, with the name that it had when it was read last; read where it was not yet."""
        if number not in self._seen:
            self.all()
        return self._seen.get(number)

    @contextmanager
    def first(self, name: str | None) -> Iterator[None]:
        """Wait while another volume is the first of that policy: once it is made, the rest need it only named."""
        with ExitStack() as held:
            if name is not None and name not in self._known:
                held.enter_context(self._firsts.setdefault(name, threading.Lock()))
                if name in self._known:
                    held.close()
            yield

    def find(self, name: str, qos: Qos | None) -> int | None:
        """
        The number of the policy of that name, which has these figures; None when there is none.

        Raises:
            Conflict: it has others, which are those of other volumes.
        """
        with self._making:
            return self._number(name, qos)

    def hold(self, name: str, qos: Qos | None) -> int:
        """
        As `find`; it is made when there is none.

        A policy carries no mark, and a plan after a killed run names it anew unless a volume's record has the name. So
        it is to be made for a volume that is there, and has these figures.
        """
        with self._making:
            number = self._number(name, qos)
            if number is None:
                made = _policy(self._wire.change("CreateQoSPolicy", name=name, qos=figures(qos))["qosPolicy"])
                self._known[name] = made
                self._seen = {**self._seen, made.number: made}
                number = made.number
            return number

    def update(self, name: str, qos: Qos) -> Policy:
        """
        Raises:
            Missing: there is none of the name.
        """
        with self._making:
            policy = self._find(name)
            if policy is None:
                raise Missing("The policy is gone", f'The cluster has no QoS policy "{name}".')
            changed = self._wire.change("ModifyQoSPolicy", qosPolicyID=policy.number, qos=figures(qos))
            self._known[name] = _policy(changed["qosPolicy"])
            return self._known[name]

    def _number(self, name: str, qos: Qos | None) -> int | None:
        if qos is None:
            raise Rejected("A policy has figures", f'A volume under QoS policy "{name}" cannot be without any.')
        known = self._known.get(name)
        if known is None or known.qos != qos:
            known = self._find(name)
        if known is None:
            return None
        self._known[name] = known
        if known.qos != qos:
            raise Conflict("The policy has other figures", f'QoS policy "{name}" has {known.qos}, not {qos}.')
        return known.number

    def _find(self, name: str) -> Policy | None:
        return next((policy for policy in self.all() if policy.name == name), None)


def _policy(row: Mapping[str, Any]) -> Policy:
    return Policy(row["qosPolicyID"], row["name"], qos_of(row["qos"]))
