"""
What of a plan's access the cluster would refuse, told before anything is changed: an initiator is in one group only,
and groups, their initiators, their volumes and the groups of a volume are counted.

Limits that a cluster does not tell are not held. What many volumes meet is told of the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from planner.sdk import AccessRefusal, Endpoint, WantedAccess
from providers.solidfire.cluster import Cluster
from providers.solidfire.groups import Groups, foreign_group, no_initiator

Place = int | tuple[str, str]
"""A group: its number; of one that is yet to be made, its name and whom it is for."""

NumberOf = Callable[[str], int]
"""A volume's number by its id."""


def refused_by_chap(wanted: Sequence[WantedAccess]) -> Iterator[AccessRefusal]:
    """A volume belongs to one account, and each host has its own."""
    for item in wanted:
        if item.opened and len(item.endpoints) > 1:
            names = " and ".join(endpoint.name for endpoint in item.endpoints)
            yield AccessRefusal(
                item.address,
                item.opened[-1],
                f'By CHAP one host at a time reaches a volume, and {names} would. Use access = "groups" in provider'
                ' "solidfire" for volumes that hosts share.',
            )


def refused_by_groups(
    wanted: Sequence[WantedAccess], number_of: NumberOf, groups: Groups, cluster: Cluster
) -> Iterator[AccessRefusal]:
    """One call, for the groups that there are."""
    tally = _Tally(wanted, number_of, groups, cluster)
    told: set[str] = set()
    for item in wanted:
        for refusal in tally.add(item):
            if refusal.detail not in told:
                told.add(refusal.detail)
                yield refusal


class _Tally:
    """The groups as they are to be, volume by volume."""

    def __init__(self, wanted: Sequence[WantedAccess], number_of: NumberOf, groups: Groups, cluster: Cluster) -> None:
        self._groups = groups
        self._cluster = cluster
        self._number_of = number_of
        self._there = groups.all()
        planned = {number_of(item.volume) for item in wanted if item.volume is not None}
        self._names: dict[Place, str] = {number: group.name for number, group in self._there.items()}
        self._initiators: Counter[Place] = Counter({n: len(group.initiators) for n, group in self._there.items()})
        self._volumes: Counter[Place] = Counter({n: len(group.volumes - planned) for n, group in self._there.items()})
        self._of_initiator: dict[str, Place] = {
            name: number for number, group in self._there.items() for name in group.initiators
        }

    def add(self, item: WantedAccess) -> Iterator[AccessRefusal]:
        places = self._of_others(item)
        self._volumes.update(places)
        for endpoint in item.endpoints:
            if endpoint.initiator is None:
                if endpoint in item.opened:
                    yield AccessRefusal(item.address, endpoint, no_initiator(endpoint))
                continue
            place = self._join(endpoint.initiator, endpoint)
            if place not in places:
                places.add(place)
                self._volumes[place] += 1
            if endpoint in item.opened:
                yield from (AccessRefusal(item.address, endpoint, why) for why in self._against(endpoint, place))
        most = self._cluster.told("volumeAccessGroupsPerVolumeCountMax")
        if item.opened and most is not None and len(places) > most:
            yield AccessRefusal(
                item.address,
                None,
                f"The volume would be in {len(places)} access groups, and a cluster lets it be in {most}. Open it to"
                ' fewer hosts, or use access = "cluster" in provider "solidfire".',
            )

    def _of_others(self, item: WantedAccess) -> set[Place]:
        """Groups that a volume is in and that are not ours: it stays there."""
        number = None if item.volume is None else self._number_of(item.volume)
        return {n for n, group in self._there.items() if number in group.volumes and not group.is_ours}

    def _join(self, initiator: str, endpoint: Endpoint) -> Place:
        """The group that an initiator is in, or comes into."""
        if initiator not in self._of_initiator:
            name, cluster = self._groups.place_of(endpoint)
            shared = next((n for n, g in self._there.items() if g.is_ours and cluster and g.cluster == cluster), None)
            place = (name, cluster or initiator) if shared is None else shared
            self._names.setdefault(place, name)
            self._initiators[place] += 1
            self._of_initiator[initiator] = place
        return self._of_initiator[initiator]

    def _against(self, endpoint: Endpoint, place: Place) -> Iterator[str]:
        """What speaks against letting in a host by this group."""
        group = self._there.get(place) if isinstance(place, int) else None
        if group is not None and not self._groups.may_use(group):
            yield foreign_group(endpoint, group)
        for many, of, limit in (
            (self._initiators[place], "initiators", "initiatorsPerVolumeAccessGroupCountMax"),
            (self._volumes[place], "volumes", "volumesPerVolumeAccessGroupCountMax"),
        ):
            most = self._cluster.told(limit)
            if most is not None and many > most:
                yield (
                    f'The access group "{self._names[place]}" would have more than {most} {of}, and a cluster lets no'
                    ' more be in one. Divide the hosts into more clusters, or use access = "groups" in provider'
                    ' "solidfire" and more hosts.'
                )
        most = self._cluster.told("volumeAccessGroupCountMax")
        if most is not None and len(self._names) > most:
            yield (
                f'There would be more than {most} access groups, and a cluster has no more. Use access = "cluster" in'
                ' provider "solidfire", or take away groups that are not needed.'
            )
