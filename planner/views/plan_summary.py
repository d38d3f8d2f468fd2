"""How much a plan changes, in one line or a few: objects by what becomes of them, and what each pool gains or loses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from planner.planning.plan import Action, Change, Plan
from planner.resources.vm import VOLUME_TYPES
from planner.state.model import Attributes
from planner.state.store import DEFAULT_WORKSPACE
from planner.units import approximate_size, parse_size
from planner.values.marks import Unknown
from planner.views.style import Style

_NOT_CHOSEN = "a pool that only the arrays can choose"
"""Sorted before all addresses."""


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Objects; a replaced one is added and destroyed, as Terraform counts."""

    add: int
    change: int
    destroy: int
    forget: int
    restore: int


def count_changes(changes: Iterable[Change]) -> ChangeCounts:
    counts = Counter("restore" if change.restoring is not None else change.action for change in changes)
    return ChangeCounts(
        add=counts[Action.CREATE] + counts[Action.REPLACE],
        change=counts[Action.UPDATE],
        destroy=counts[Action.DELETE] + counts[Action.REPLACE],
        forget=counts[Action.FORGET],
        restore=counts["restore"],
    )


@dataclass(slots=True)
class _Totals:
    """Volumes, bytes, and the sum of floors."""

    volumes: int = 0
    size: int = 0
    floors: int = 0

    def add(self, attributes: Attributes, times: int) -> None:
        self.volumes += times
        self.size += times * parse_size(attributes["size"])
        self.floors += times * (attributes.get("min_iops") or 0)

    def texts(self) -> tuple[str, str, str]:
        """Each with its sign; empty for one that stays as it is."""
        volumes = f"{self.volumes:+d} volume{'s' if abs(self.volumes) > 1 else ''}"
        size = f"{'-' if self.size < 0 else '+'}{approximate_size(abs(self.size))}"
        floors = f"{self.floors:+d} IOPS of floors"
        return volumes if self.volumes else "", size if self.size else "", floors if self.floors else ""


def render_summary(plan: Plan, style: Style) -> str:
    """`Plan: 5 to add, ...`, and under it what that means for storage, pool by pool where there are several."""
    counts = count_changes(plan.changes)
    text = f"Plan{in_workspace(plan)}: " + (f"{counts.restore} to restore, " if counts.restore else "")
    text += f"{counts.add} to add, {counts.change} to change, {counts.destroy} to destroy"
    lines = [style.bold(text + (f", {counts.forget} to forget." if counts.forget else "."))]
    totals = _by_pool(plan)
    if totals:
        whole = _Totals(*(sum(getattr(one, name) for one in totals.values()) for name in _Totals.__slots__))
        where = next(iter(totals)) if len(totals) == 1 else f"{len(totals)} pools"
        lines.append(f"Storage: {', '.join(filter(None, whole.texts())) or 'as much as before'} on {where}.")
    if len(totals) > 1:
        lines.extend(table((f"  {pool}", *one.texts()) for pool, one in totals.items()))
    return "\n".join(lines)


def in_workspace(plan: Plan) -> str:
    """` in workspace east`; nothing where there is no question which."""
    return "" if plan.workspace == DEFAULT_WORKSPACE else f" in workspace {plan.workspace}"


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of columns that are two spaces apart."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _by_pool(plan: Plan) -> dict[str, _Totals]:
    """Only pools on which something changes. What is forgotten stays on its pool; what is restored comes back to it."""
    totals: dict[str, _Totals] = defaultdict(_Totals)
    for change in plan.changes:
        if change.address.type in VOLUME_TYPES and change.action not in (Action.NO_OP, Action.FORGET):
            before = None if change.restoring is not None else change.before
            for attributes, times in ((before, -1), (change.after, 1)):
                if attributes is not None:
                    pool = attributes["pool"]
                    totals[_NOT_CHOSEN if isinstance(pool, Unknown) else pool].add(attributes, times)
    return {pool: total for pool, total in sorted(totals.items()) if total != _Totals()}
