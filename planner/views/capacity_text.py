"""
A capacity for people: what each pool holds, with bars where there is colour, and how many volumes still fit.

Shades tell the parts of a bar apart, colours only help.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from planner.planning.capacity import Budget, Capacity, OfferingRoom, PoolCapacity
from planner.units import approximate_size, format_size
from planner.views.style import Style

Shades = tuple[str, str, str]
"""One character each for what is ours, others', and free."""

BLOCKS: Shades = ("█", "▒", "░")
ASCII: Shades = ("#", "=", ".")
_OVER = "!"
_SHORTEST_BAR = 10
_NUMBERS = ("total", "ours", "others", "free")

_Row = tuple[PoolCapacity, str, Budget, tuple[str, ...]]
"""A pool, "bytes" or "IOPS", how much of it, and that in words."""


def render_capacity(capacity: Capacity, style: Style, width: int, shades: Shades = BLOCKS) -> str:
    """
    The whole, ending in a new line.

    Args:
        width: columns of the terminal. Without colour there is none, and lines are as long as they have to be.
        shades: of bars; `ASCII` where the terminal has no blocks.
    """
    sections = [*_pools(capacity, style, width, shades), *_offerings(capacity, style, width)]
    return "\n\n".join(sections) + "\n"


# -- what pools hold --


def _pools(capacity: Capacity, style: Style, width: int, shades: Shades) -> Iterator[str]:
    if not capacity.pools:
        yield "No pool could be read." if capacity.unread else "The configuration declares no pool."
        return
    rows = [
        (pool, name, budget, _cells(budget, approximate_size if name == "bytes" else str))
        for pool in capacity.pools
        for name, budget in (("bytes", pool.bytes), ("IOPS", pool.iops))
    ]
    widths = [max(map(len, column)) for column in zip(_NUMBERS, *(row[-1] for row in rows), strict=True)]
    unread = [f"{style.bold(address)}  {style.error('could not be read')}" for address in capacity.unread]
    lines = _drawn(rows, widths, style, width, shades) if style.color else _plain(rows, widths)
    yield "\n".join([*lines, *unread])


def _drawn(rows: Sequence[_Row], widths: Sequence[int], style: Style, width: int, shades: Shades) -> Iterator[str]:
    """A line with each pool's name and notes, and under it its bytes and IOPS with their bars."""
    head = " " * 9 + _aligned(_NUMBERS, widths)
    bar = max(width - len(head) - 2, _SHORTEST_BAR)
    ours, others, free = shades
    yield f"{head}  {style.create(ours)} ours {style.update(others)} others {style.dim(free)} free"
    for pool, name, budget, cells in rows:
        if name == "bytes":
            indent = " " * (len(pool.candidate.id) + 2)
            notes = textwrap.wrap(", ".join(_notes(pool)), width, initial_indent=indent, subsequent_indent="  ")
            yield f"{style.bold(pool.candidate.id)}  {style.dim(notes[0].lstrip())}"
            yield from map(style.dim, notes[1:])
        line = f"  {name:<5}  {_aligned(cells, widths)}"
        if budget.free is not None and budget.free < 0:
            line = line.removesuffix(cells[-1]) + style.error(cells[-1])
        yield f"{line}  {_bar(budget, bar, style, shades)}".rstrip()


def _plain(rows: Sequence[_Row], widths: Sequence[int]) -> Iterator[str]:
    """One table, whose lines say all by themselves."""
    names = max(len(pool.candidate.id) for pool, *_ in rows)
    yield f"{'pool':<{names}}         {_aligned(_NUMBERS, widths)}"
    for pool, name, _, cells in rows:
        notes = ", ".join(_notes(pool)) if name == "bytes" else ""
        yield f"{pool.candidate.id:<{names}}  {name:<5}  {_aligned(cells, widths)}  {notes}".rstrip()


def _cells(budget: Budget, text: Callable[[int], str]) -> tuple[str, ...]:
    """Total, ours, others, free."""
    if budget.total is None or budget.free is None:
        return ("no limit", text(budget.ours), text(budget.others), "no limit")
    free = text(budget.free) if budget.free >= 0 else f"over by {text(-budget.free)}"
    return (text(budget.total), text(budget.ours), text(budget.others), free)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _notes(pool: PoolCapacity) -> Iterator[str]:
    """What the figures do not say by themselves."""
    candidate, status = pool.candidate, pool.candidate.status
    yield f"{_volumes(pool.ours)} of ours, {pool.others} of others" if pool.others else f"{_volumes(pool.ours)} of ours"
    if not candidate.enabled:
        yield "in maintenance"
    if candidate.capacity is not None and status.capacity is not None:
        yield f"{approximate_size(candidate.capacity)} declared, {approximate_size(status.capacity)} reported"
    if candidate.overprovision != 1:
        yield f"bytes overprovisioned {candidate.overprovision:g} times"
    if candidate.capacity_iops is not None and status.capacity_iops is not None:
        yield f"{candidate.capacity_iops} IOPS declared, {status.capacity_iops} reported"


def _bar(budget: Budget, width: int, style: Style, shades: Shades) -> str:
    """Nothing where there is no limit. What is there at all has at least one cell."""
    used = budget.ours + budget.others
    if budget.total is None or budget.free is None or not (budget.total or used):
        return ""
    whole = max(budget.total, used)
    taken = min(round(width * used / whole), width - (budget.free > 0))
    taken = max(taken, (budget.ours > 0) + (budget.others > 0))
    ours = min(max(round(width * budget.ours / whole), budget.ours > 0), taken - (budget.others > 0))
    over = max(round(width * -budget.free / whole), 1) if budget.free < 0 else 0
    within = min(ours, width - over)
    return (
        style.create(shades[0] * within)
        + style.update(shades[1] * (min(taken, width - over) - within))
        + style.dim(shades[2] * (width - taken))
        + style.error(_OVER * over)
    )


# -- what still fits --


def _offerings(capacity: Capacity, style: Style, width: int) -> Iterator[str]:
    if not capacity.pools:
        return
    if not capacity.offerings:
        yield "There is no offering whose volumes could be counted."
        return
    title = style.bold("How many volumes still fit")
    if any(not room.is_fixed for room in capacity.offerings):
        title += f", of {format_size(capacity.size)} where the offering leaves that open (-size):"
    yield title
    for room in capacity.offerings:
        yield "\n".join(_offering(room, style, width))


def _offering(room: OfferingRoom, style: Style, width: int) -> Iterator[str]:
    floor = f"a floor of {room.qos.min_iops} IOPS" if room.qos and room.qos.min_iops else "no floor"
    count = _count(room.count)
    total = style.error(count) if room.count == 0 else style.bold(count)
    yield f"{style.bold(room.offering)}, {format_size(room.size)} with {floor}: {total}"
    names = max(map(len, room.fits))
    counts = max(len(_count(fit.count)) for fit in room.fits.values())
    for pool, fit in room.fits.items():
        begin = f"  {pool:<{names}}  {_count(fit.count):>{counts}}"
        if fit.refusal is None:
            yield begin
            continue
        if fit.count:
            yield f"{begin}  then refused by {fit.refusal.filter}"
            continue
        begin += "  "
        text = f"{fit.refusal.filter}: {fit.refusal.reason}"
        if not style.color:
            yield begin + text
            continue
        first, *more = textwrap.wrap(text, max(width - len(begin), 30), break_long_words=False)
        yield begin + style.dim(first)
        yield from (" " * len(begin) + style.dim(line) for line in more)


def _count(count: int | None) -> str:
    return "any number" if count is None else str(count)


def _volumes(count: int) -> str:
    return f"{count} volume{'' if count == 1 else 's'}"
