"""
Why a plan is refused for want of pools: every pool with the filter that refused it and its figures, told once for all
volumes that it is so for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planner.diagnostics import Diagnostics
from planner.placement.model import Demand, Rejection
from planner.units import approximate_size

Refused = tuple[Demand, Sequence[Rejection]]

_BUDGETS = ("iops", "space")
_TAKEN = ("free", "budget", "planned", "ours", "others")
_OWN_WORDS = ("scope", "qos", "limits")
"""Filters whose reasons name what is one volume's own: its hosts, its figures. The first volume's stand for all."""
_LISTED = 10


def refuse(refused: Iterable[Refused], diagnostics: Diagnostics) -> None:
    """
    Errors for the volumes that have no place: one for all that found the pools full, and otherwise one for all that
    are refused for the same reasons, at the place of the first.
    """
    stuck: dict[object, list[Refused]] = {}
    full: dict[object, list[Refused]] = {}
    unfit: dict[object, list[Refused]] = {}
    for demand, rejections in refused:
        told = tuple(rejections)
        if demand.prior is not None and [rejection.pool for rejection in told] == [demand.prior]:
            stuck.setdefault((demand.prior, told[0].filter), []).append((demand, told))
        else:
            kinds = full if any(rejection.filter in _BUDGETS for rejection in told) else unfit
            kinds.setdefault(tuple(map(_kind, told)), []).append((demand, told))
    for volumes in stuck.values():
        _refuse_stuck(volumes, diagnostics)
    for volumes in unfit.values():
        _refuse_groups([volumes], diagnostics)
    if full:
        _refuse_groups(list(full.values()), diagnostics)


def _kind(rejection: Rejection) -> tuple[str, str, str]:
    """What is the same for volumes that are told of together."""
    if rejection.filter in _BUDGETS:
        return (rejection.pool, "full", "")
    return (rejection.pool, rejection.filter, "" if rejection.filter in _OWN_WORDS else rejection.reason)


def _refuse_stuck(volumes: Sequence[Refused], diagnostics: Diagnostics) -> None:
    demand, (rejection,) = volumes[0]
    others = [other for other, _ in volumes[1:]]
    diagnostics.error(
        "The volume does not fit its pool any more",
        f"{demand.address} is on {demand.prior}: {rejection.reason}. It is not moved by itself: that would lose its"
        " data. Make room there; or pin it elsewhere with the argument pool, which replaces it."
        + (f"\n\nSo it is for {_counted(others)}:\n" + "\n".join(_volume_rows(others)) if others else ""),
        demand.range,
        address=str(demand.address),
    )


def _refuse_groups(groups: Sequence[Sequence[Refused]], diagnostics: Diagnostics) -> None:
    """One error, with a table for each group."""
    first = groups[0][0][0]
    elsewhere = dict.fromkeys(group[0][0].range for group in groups[1:])
    diagnostics.error(
        "No pool can take the volume",
        "\n\n".join(_told(group) for group in groups),
        first.range,
        address=str(first.address),
        related=tuple(("nor this one", range) for range in elsewhere if range not in (None, first.range)),
    )


def _told(group: Sequence[Refused]) -> str:
    demands = [demand for demand, _ in group]
    if not group[0][1]:
        return "The configuration declares no pool."
    table = _aligned(_pool_rows(group))
    if len(demands) == 1:
        return "\n".join([f"{_asks(demands)}. Every pool was refused:", *table])
    return "\n".join(
        [
            f"{_counted(demands)} find no place; together they ask for {_sum(demands)}. Every pool was refused:",
            *table,
            "",
            "Without a place are:",
            *_volume_rows(demands),
        ]
    )


def _pool_rows(group: Sequence[Refused]) -> list[tuple[str, ...]]:
    """A row for each pool and what it is short of; a reason in words runs on over the columns of figures."""
    figures: dict[tuple[str, str], Mapping[str, int]] = {}
    for _, rejections in group:
        for rejection in rejections:
            key = (rejection.pool, rejection.filter)
            least = figures.get(key)
            if rejection.filter in _BUDGETS and (least is None or rejection.figures["asked"] < least["asked"]):
                figures[key] = rejection.figures
    rows: list[tuple[str, ...]] = []
    for rejection in group[0][1]:
        if rejection.filter not in _BUDGETS:
            rows.append((rejection.pool, rejection.filter, rejection.reason))
            continue
        for name in _BUDGETS:
            if (found := figures.get((rejection.pool, name))) is not None:
                text = str if name == "iops" else _size
                rows.append((rejection.pool, name, *(text(found[column]) for column in ("asked", *_TAKEN))))
    asked = "asked" if len(group) == 1 else "least asked"
    heads = ("free", "budget", "this plan", "ours", "others") if figures else ()
    return [("pool", "filter", *((asked, *heads) if figures else ("why",))), *rows]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Words to the left, figures to the right."""
    figures = max(map(len, rows))
    widths = [max(len(row[column]) for row in rows if len(row) == figures or column < 2) for column in range(figures)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        is_words = len(row) < figures or figures == 3
        cells += row[2:] if is_words else [cell.rjust(widths[n]) for n, cell in enumerate(row[2:], 2)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _volume_rows(demands: Sequence[Demand]) -> list[str]:
    """The first of them with what they ask for, and how many more of which resources."""
    shown, more = demands[:_LISTED], demands[_LISTED:]
    rows = [(str(demand.address), f"{demand.floor} IOPS", _size(demand.size)) for demand in shown]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {name.ljust(widths[0])}  {iops.rjust(widths[1])}  {size.rjust(widths[2])}" for name, iops, size in rows
    ]
    if more:
        of = Counter(str(demand.address.resource) for demand in more)
        lines.append(f"  and {len(more)} more: {', '.join(f'{count} of {name}' for name, count in of.items())}")
    return lines


def _asks(demands: Sequence[Demand]) -> str:
    return f"{demands[0].address} asks for {_sum(demands)}"


def _sum(demands: Sequence[Demand]) -> str:
    return f"{sum(demand.floor for demand in demands)} IOPS of floor and {_size(sum(d.size for d in demands))}"


def _counted(items: Sequence[Any]) -> str:
    return "1 volume" if len(items) == 1 else f"{len(items)} volumes"


def _size(size: int) -> str:
    return approximate_size(size) if size >= 0 else f"-{approximate_size(-size)}"
