"""
A volume that vanishes under one name while an equal one appears under another is first taken for a rename: planned as
it stands, its data would go and an empty volume would take its place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from planner.addresses import InstanceAddress, ModulePath, module_text, names_of
from planner.diagnostics import Diagnostics
from planner.planning.goal import Goal
from planner.resources.vm import ROOT_DISK, block_address
from planner.resources.volume import LIMIT_NAMES, attach_blocks
from planner.state.model import Attributes

_LISTED = 20

_NEAREST: tuple[Callable[[InstanceAddress], Hashable], ...] = (
    lambda address: (address.name, address.key),
    lambda address: (address.module, address.name),
    lambda address: (address.module, address.key),
    lambda address: address.module,
    lambda address: None,
)
"""What a pair has in common, the nearest first: all but the module, but the key, but the name; the module; nothing."""


@dataclass(frozen=True, slots=True)
class Vanishing:
    """A volume that is recorded and not declared any more, as it is."""

    address: InstanceAddress
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Appearing:
    """A volume that is declared and not recorded: its goal, and its attributes as planned."""

    goal: Goal
    attributes: Attributes

    @property
    def address(self) -> InstanceAddress:
        return self.goal.instance.address


Pair = tuple[Vanishing, Appearing]
_Rule = tuple[InstanceAddress, InstanceAddress]
"""`from` and `to` of a moved block."""


def find_renames(
    vanishing: Iterable[Vanishing], appearing: Iterable[Appearing], vm_names: Callable[[InstanceAddress], str | None]
) -> list[Pair]:
    """
    Each appearing volume with the vanishing one that it seems to be, sorted by the old address. Equal input gives equal
    pairs; each volume is in one pair at most.

    Equal are those of the same size, figures, offering, zone, image, and VMs; and where the new one is pinned to a pool
    or named, those that are there and have that name. What is referred to within the same module counts as the same.

    Args:
        vm_names: the name of the vm, recorded or planned, that a root disk is of.
    """
    old = sorted(vanishing, key=lambda volume: volume.address.order)
    new = sorted(appearing, key=lambda volume: volume.address.order)
    pairs = _pair([v for v in old if _is_root(v)], [a for a in new if _is_root(a)], {})
    # A volume follows its VM, though that is called otherwise now.
    called = {now: was for v, a in pairs if (now := vm_names(a.address)) and (was := vm_names(v.address))}
    pairs += _pair([v for v in old if not _is_root(v)], [a for a in new if not _is_root(a)], called)
    return sorted(pairs, key=lambda pair: pair[0].address.order)


def refuse_renames(pairs: Sequence[Pair], declared: Collection[InstanceAddress], diagnostics: Diagnostics) -> None:
    """
    An error with the `moved` blocks that say that these are renames, and the `removed` blocks that say that they are
    not.

    Args:
        declared: all instances that are declared.
    """
    if not pairs:
        return
    rules = _rules([(block_address(v.address), block_address(a.address)) for v, a in pairs], declared)
    rows = [f"  {v.address} -> {a.address}, {v.attributes['size']} on {v.attributes['pool']}" for v, a in pairs]
    more = [f"  and {len(rows) - _LISTED} more, of the same blocks"] if len(rows) > _LISTED else []
    one = len(pairs) == 1
    first, *others = dict.fromkeys(a.goal.instance.resource.range for _, a in pairs)
    diagnostics.error(
        "Volume under another name",
        "\n".join(
            [
                "A volume is not in the configuration any more, and one that is just like it is new:"
                if one
                else f"{len(pairs)} volumes are not in the configuration any more, and as many just like them are new:",
                *rows[:_LISTED],
                *more,
                "",
                "If it is the same volume, keep its data with:"
                if one
                else "If they are the same, keep their data with:",
                *(line for source, target in rules for line in ("", *_moved(source, target))),
                "",
                "If it is another one, and the old one goes, say that with:"
                if one
                else "If they are others, and the old ones go, say that with:",
                *(line for source, _ in rules for line in ("", *_removed(source))),
            ]
        ),
        first,
        related=tuple(("and this one", range) for range in others),
    )


def _is_root(volume: Vanishing | Appearing) -> bool:
    return volume.address.type == ROOT_DISK.name


def _pair(vanishing: Sequence[Vanishing], appearing: Sequence[Appearing], called: Mapping[str, str]) -> list[Pair]:
    """Pairs of equal volumes, the nearest first; one look at each volume for each nearness."""
    pairs: list[Pair] = []
    taken: set[InstanceAddress] = set()
    for near in _NEAREST:
        free: dict[Hashable, list[Vanishing]] = defaultdict(list)
        for old in reversed(vanishing):
            if old.address not in taken:
                kind = (near(old.address), _kind(old.address, old.attributes, {}))
                pool, name = _within(old.attributes["pool"], old.address.module), old.attributes["name"]
                for asked in product((None, pool), (None, name)):
                    free[kind, asked].append(old)
        for new in appearing:
            if new.address in taken:
                continue
            kind = (near(new.address), _kind(new.address, new.attributes, called))
            pin = new.goal.instance.attributes["pool"]
            asked = (_within(pin, new.address.module) if isinstance(pin, str) else None, new.goal.name)
            fits = free.get((kind, asked), [])
            while fits and fits[-1].address in taken:
                fits.pop()
            if fits:
                pairs.append((fits[-1], new))
                taken |= {fits.pop().address, new.address}
    return pairs


def _kind(address: InstanceAddress, attributes: Attributes, called: Mapping[str, str]) -> Hashable:
    """
    What is the same for equal volumes.

    Args:
        called: earlier names of VMs by those that they have now.
    """
    module = address.module
    disks: Iterable[tuple[str, str | None]] = ()
    if address.type != ROOT_DISK.name:  # it goes where its vm goes
        disks = ((_within(b["host"], module), called.get(b["vm"] or "", b["vm"])) for b in attach_blocks(attributes))
    return (
        address.type,
        attributes["size"],
        *(attributes.get(name) for name in LIMIT_NAMES),
        _within(attributes["offering"], module),
        attributes["zone"],
        attributes.get("source"),
        frozenset(disks),
    )


def _within(id: str, module: ModulePath) -> str:
    """An address as a module of that path would write it, where it is within it."""
    return id.removeprefix(f"{module_text(module)}.") if module else id


# -- the blocks --


def _rules(moves: Sequence[_Rule], declared: Collection[InstanceAddress]) -> list[_Rule]:
    """The fewest moved blocks that say it, each for a module, a block or a copy. None moves what is declared."""
    still_there = {name for address in declared for name in names_of(block_address(address))}
    covered = Counter(name for source, _ in moves for name in names_of(source))
    proposed = Counter(rule for move in moves for rule in set(_proposals(*move)))
    chosen = (
        next(
            rule
            for rule in _proposals(*move)
            if rule == move or (proposed[rule] == covered[rule[0]] and rule[0] not in still_there)
        )
        for move in moves
    )
    return list(dict.fromkeys(chosen))


def _proposals(source: InstanceAddress, target: InstanceAddress) -> Iterator[_Rule]:
    """Blocks that would move `source` to `target`, the widest first, the one for it alone last."""
    same = 0
    while same < min(len(source.module), len(target.module)) and source.module[-1 - same] == target.module[-1 - same]:
        same += 1
    old, new = (address.module[: len(address.module) - same] for address in (source, target))
    if (source.type, source.name, source.key) == (target.type, target.name, target.key) and old and new:
        keyed = [InstanceAddress("module", path[-1].name, path[-1].key, path[:-1]) for path in (old, new)]
        if old[-1].key == new[-1].key:
            yield replace(keyed[0], key=None), replace(keyed[1], key=None)
        yield keyed[0], keyed[1]
    if source.key == target.key:
        yield replace(source, key=None), replace(target, key=None)
    yield source, target


def _moved(source: InstanceAddress, target: InstanceAddress) -> tuple[str, ...]:
    return ("  moved {", f"    from = {source}", f"    to   = {target}", "  }")


def _removed(source: InstanceAddress) -> tuple[str, ...]:
    return ("  removed {", f"    from = {source}", "  }")
