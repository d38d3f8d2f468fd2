"""
A volume that vanishes under one name while an equal one appears under another is first taken for a rename: planned as
it stands, its data would go and an empty volume would take its place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from planner.addresses import InstanceAddress, ModulePath, module_text, names_of
from planner.diagnostics import Diagnostics
from planner.planning.figures import figure_attributes
from planner.planning.goal import Goal
from planner.resources.vm import ROOT_DISK, block_address
from planner.resources.volume import LIMIT_NAMES, attach_blocks
from planner.state.model import Attributes, RecordedObject
from planner.units import format_size

_LISTED = 20

_NEAREST: tuple[Callable[[InstanceAddress], Hashable], ...] = (
    lambda address: (address.name, address.key),
    lambda address: (address.module, address.name),
    lambda address: (address.module, address.key),
    lambda address: address.module,
    lambda address: None,
)
"""What a pair has in common, the nearest first: all but the module, but the key, but the name; the module; nothing."""


Pair = tuple[RecordedObject, Goal]
"""A volume that vanishes, as recorded: what changed outside says nothing of what is wanted; and one that appears."""
_Rule = tuple[InstanceAddress, InstanceAddress]
"""`from` and `to` of a moved block."""


def find_renames(vanishing: Iterable[RecordedObject], appearing: Iterable[Goal]) -> list[Pair]:
    """
    Each volume that is declared and not recorded with the vanishing one that it seems to be, sorted by the old address.
    Equal input gives equal pairs; each volume is in one pair at most.

    Equal are those of the same size, figures, offering, zone, image, hosts and VMs; and where the new one is pinned to
    a pool or named, those that are there and have that name. What is referred to within the same module counts as the
    same.
    """
    old = sorted(vanishing, key=lambda volume: volume.address.order)
    new = sorted(appearing, key=lambda goal: goal.instance.address.order)
    roots = [volume for volume in old if volume.address.type == ROOT_DISK.name]
    new_roots = [goal for goal in new if goal.instance.address.type == ROOT_DISK.name]
    pairs = _pair(roots, new_roots, {})
    # A volume follows its VM, though that is called otherwise now.
    called = {
        now["vm"]: was["vm"]
        for disk, goal in pairs
        for was, now in zip(disk.attributes["attachments"], goal.blocks, strict=False)
    }
    others = [volume for volume in old if volume.address.type != ROOT_DISK.name]
    new_others = [goal for goal in new if goal.instance.address.type != ROOT_DISK.name]
    return sorted(pairs + _pair(others, new_others, called), key=lambda pair: pair[0].address.order)


def refuse_renames(pairs: Sequence[Pair], declared: Collection[InstanceAddress], diagnostics: Diagnostics) -> None:
    """
    An error with the `moved` blocks that say that these are renames, and the `removed` blocks that say that they are
    not.

    Args:
        declared: all instances that are declared.
    """
    if not pairs:
        return
    rules = _rules([(block_address(old.address), block_address(new.instance.address)) for old, new in pairs], declared)
    rows = [
        f"  {old.address} -> {new.instance.address}, {old.attributes['size']} on {old.attributes['pool']}"
        for old, new in pairs
    ]
    more = [f"  and {len(rows) - _LISTED} more, of the same blocks"] if len(rows) > _LISTED else []
    one = len(pairs) == 1
    first, *others = dict.fromkeys(new.instance.resource.range for _, new in pairs)
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


def _pair(vanishing: Sequence[RecordedObject], appearing: Sequence[Goal], called: Mapping[str, str]) -> list[Pair]:
    """
    Pairs of equal volumes, the nearest first; one look at each volume for each nearness.

    Args:
        called: earlier names of VMs by those that they have now.
    """
    pairs: list[Pair] = []
    taken: set[InstanceAddress] = set()
    for near in _NEAREST:
        free: dict[Hashable, list[RecordedObject]] = defaultdict(list)
        for old in reversed(vanishing):
            if old.address not in taken:
                kind = (near(old.address), _kind_of_vanishing(old))
                pool, name = _within(old.attributes["pool"], old.address.module), old.attributes["name"]
                for asked in product((None, pool), (None, name)):
                    free[kind, asked].append(old)
        for new in appearing:
            address, pin = new.instance.address, new.instance.attributes["pool"]
            if address in taken:
                continue
            kind = (near(address), _kind_of_goal(new, called))
            asked = (_within(pin, address.module) if isinstance(pin, str) else None, new.name)
            fits = free.get((kind, asked), [])
            while fits and fits[-1].address in taken:
                fits.pop()
            if fits:
                pairs.append((fits[-1], new))
                taken |= {fits.pop().address, address}
    return pairs


def _kind_of_vanishing(volume: RecordedObject) -> Hashable:
    """What is the same for equal volumes."""
    attributes = volume.attributes
    disks = [(block["host"], block["vm"]) for block in attach_blocks(attributes)]
    return _kind(volume.address, attributes, attributes, disks)


def _kind_of_goal(goal: Goal, called: Mapping[str, str]) -> Hashable:
    figures = {"size": format_size(goal.size), **figure_attributes(goal.qos)}
    disks = [(block["host"], called.get(block["vm"], block["vm"])) for block in goal.blocks]
    return _kind(goal.instance.address, goal.instance.attributes, figures, disks)


def _kind(
    address: InstanceAddress, settled: Attributes, figures: Attributes, disks: Iterable[tuple[str, str | None]]
) -> Hashable:
    module = address.module
    if address.type == ROOT_DISK.name:
        disks = ()  # it goes where its vm goes
    return (
        address.type,
        figures["size"],
        *(figures.get(name) for name in LIMIT_NAMES),
        _within(settled["offering"] or "", module),
        settled["zone"],
        settled.get("source"),
        frozenset((_within(host, module), vm) for host, vm in disks),
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
