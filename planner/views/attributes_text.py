"""
What a resource instance is, as names and values for people, and what differs between two of them.

A volume's record is told in the words of storage: `floor`, `ceiling` and `burst` with who holds each, and a line for
every VM and host that gets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from planner.placement.model import Assignment
from planner.planning.plan import TakesEffect
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import VOLUME_TYPES
from planner.resources.volume import FIGURE_NAMES, INTERNAL, LIMIT_NAMES, attach_blocks
from planner.state.model import DELETED_UNTIL, Attributes
from planner.units import format_bandwidth, format_size
from planner.values.marks import Unknown
from planner.views.style import Style
from planner.views.values_text import KNOWN_AFTER_APPLY, Bare, difference, full, hidden, inline

FIGURES = dict(zip(LIMIT_NAMES, ("floor", "ceiling", "burst", "bandwidth"), strict=True))
"""The attributes that are shown under another name."""

_VOLUME_ORDER = ("pool", "size", *FIGURES.values(), "name", "offering", "zone", "on_destroy")
_HOLDERS = {
    "storage": "held by storage",
    "hypervisor": "held by the hypervisor",
    "reserved": "reserved in the pool's IOPS budget",
    "none": "held by nobody",
    "unknown": "who holds it is not known offline",
}
_INDENT = 6
_VALUES_INDENT = _INDENT + 2


@dataclass(frozen=True, slots=True)
class Row:
    """
    A line of a block, or several.

    Attributes:
        symbol: "+", "~", "-", or " "; "#" for a remark, which has no name.
        note: what is said after it.
    """

    symbol: str
    name: str
    text: str
    note: str = ""


_UNTOLD = INTERNAL | {DELETED_UNTIL}
"""What has no row of its own."""


def values(type: str, attributes: Attributes) -> dict[str, Any]:
    """The attributes that are not null, in the order in which they are read; a volume's without its disks."""
    schema = OBJECT_TYPES.get(type)
    is_volume = type in VOLUME_TYPES
    arguments = {argument.name: argument for argument in schema.arguments} if schema else {}
    named = {}
    for name in (*arguments, *(block.type for block in (schema.blocks if schema else ())), *sorted(attributes)):
        value = attributes.get(name)
        if value is None or name in _UNTOLD or (name == "id" and not (schema and schema.provisioned)):
            continue
        argument = arguments.get(name)
        if isinstance(value, Mapping):
            value = {key: item for key, item in value.items() if item is not None}
        if name in FIGURE_NAMES and is_volume and not isinstance(value, Unknown):
            value = Bare(f"{value} IOPS")
        elif argument is not None and (argument.reference or argument.unit) and isinstance(value, str):
            value = Bare(value)
        named[FIGURES.get(name, name) if is_volume else name] = value
    if not is_volume:
        return named
    return {name: named[name] for name in (*_VOLUME_ORDER, *named) if name in named}


def notes(assignment: Assignment) -> dict[str, str]:
    """What is said of a volume's pool and figures."""
    holders = asdict(assignment.enforcement)
    return {"pool": assignment.reason} | {name: _HOLDERS.get(holder, holder) for name, holder in holders.items()}


def pool_rows(assignment: Assignment) -> list[Row]:
    """A remark on a pool that is not chosen yet."""
    return [Row("#", "", f"pool is one of {', '.join(assignment.among)}")] if assignment.among else []


def rows_of(symbol: str, named: Mapping[str, Any], notes: Mapping[str, str]) -> list[Row]:
    """A row for each value; those that only apply will know share one."""
    rows = [
        Row(symbol, name, full(value, _VALUES_INDENT), notes.get(name, ""))
        for name, value in named.items()
        if not isinstance(value, Unknown)
    ]
    return [*rows, *_known_later(name for name, value in named.items() if isinstance(value, Unknown))]


def changed_rows(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    notes: Mapping[str, str],
    style: Style,
    *,
    forcing: Iterable[str] = (),
    shown: Iterable[str] = (),
    made_anew: bool = False,
) -> list[Row]:
    """
    A row for each value that differs.

    Args:
        forcing: names that cannot be changed in place.
        shown: names that are shown even where they stay as they are.
        made_anew: the object is replaced, so that what only apply will know needs no row of its own.
    """
    rows, later, same = [], [], 0
    for name in [*after, *(name for name in before if name not in after)]:
        had, gets = before.get(name), after.get(name)
        remark = notes.get(name, "")
        if name in forcing:
            remark = "forces replacement" + (f"; {remark}" if remark else "")
        if had == gets:
            if name in shown:
                rows.append(Row(" ", name, full(gets, _VALUES_INDENT), remark))
            else:
                same += 1
        elif made_anew and isinstance(gets, Unknown) and name not in forcing:
            later.append(name)
        elif had is None:
            rows.append(Row("+", name, full(gets, _VALUES_INDENT), remark))
        elif gets is None:
            rows.append(Row("-", name, full(had, _VALUES_INDENT), remark))
        else:
            rows.append(Row("~", name, difference(had, gets, style, _VALUES_INDENT), remark))
    rows.extend(_known_later(later))
    if same:
        rows.append(Row("#", "", hidden(same, "attribute").removeprefix("# ")))
    return rows


def disk_rows(symbol: str, attributes: Attributes) -> list[Row]:
    """A row for each VM that gets the volume, and for each host that may log in by itself."""
    return [_disk_row(symbol, block) for block in attach_blocks(attributes)]


def changed_disk_rows(before: Attributes, after: Attributes) -> list[Row]:
    """What becomes of disks and access. Those that stay are shown, too: somebody uses the volume there."""
    had = {(block["host"], block["vm"]): block for block in attach_blocks(before)}
    gets = {(block["host"], block["vm"]): block for block in attach_blocks(after)}
    with_disk = {host for host, vm in gets if vm is not None}
    rows = [
        _disk_row("-", had[key]) for key in had if key not in gets and (key[1] is not None or key[0] not in with_disk)
    ]
    for key, block in gets.items():
        if key not in had:
            rows.append(_disk_row("+", block))
        elif changed := [*_disk_changes(before, after, key), *_path_changes(before, after, key[0])]:
            where = f"{block['vm']} on {block['host']}" if block["vm"] else block["host"]
            rows.append(Row("~", _disk_name(block), f"{where}: {', '.join(changed)}"))
        else:
            rows.append(_disk_row(" ", block))
    return rows


def effect_rows(effects: Sequence[TakesEffect]) -> list[Row]:
    """Remarks on when the VMs have what changes in place."""
    rows = [Row("#", "", f"{item.vm} is off: at its next start") for item in effects if not item.at_once]
    if any(item.at_once for item in effects):
        whom = f" on {', '.join(item.vm for item in effects if item.at_once)}" if rows else ""
        rows.insert(0, Row("#", "", f"takes effect at once{whom}, without detaching"))
    return rows


def disk_text(block: Attributes) -> str:
    """`db-01 on host.kvm["kvm1"], device vda, bus virtio, read-only`; the host alone where no VM gets the volume."""
    if not block["vm"]:
        return str(block["host"])
    parts = [f"{block['vm']} on {block['host']}"]
    parts.extend(f"{name} {_word(block[name])}" for name in ("device", "bus") if block[name] is not None)
    return ", ".join([*parts, *(["read-only"] if block["read_only"] else [])])


def row_lines(rows: Sequence[Row], style: Style) -> list[str]:
    """The rows of a block, with names aligned, and notes aligned where they follow one another."""
    width = max((len(row.name) for row in rows), default=0)
    mark = {"+": style.create, "~": style.update, "-": style.destroy}
    lines, run = [], 0
    for at, row in enumerate(rows):
        if row.symbol == "#":
            lines.append(f"{' ' * _INDENT}{style.dim('# ' + row.text)}")
            continue
        if at >= run and row.note:
            run = next((n for n in range(at, len(rows)) if not rows[n].note), len(rows))
            note_column = max(len(other.text) for other in rows[at:run])
        symbol = mark[row.symbol](row.symbol) if row.symbol in mark else " "
        line = f"{' ' * _INDENT}{symbol} {row.name:{width}} = {row.text}"
        if row.note:
            said = style.warning if row.note == _HOLDERS["none"] or "replacement" in row.note else style.dim
            line += " " * (note_column - len(row.text) + 2) + said(f"# {row.note}")
        lines.append(line)
    return lines


def _known_later(names: Iterable[str]) -> list[Row]:
    joined = ", ".join(sorted(names))
    return [Row("#", "", f"{joined} {KNOWN_AFTER_APPLY}")] if joined else []


def _disk_row(symbol: str, block: Attributes) -> Row:
    return Row(symbol, _disk_name(block), disk_text(block))


def _disk_name(block: Attributes) -> str:
    return "attach" if block["vm"] else "access"


def _disk_changes(before: Attributes, after: Attributes, key: tuple[str, str | None]) -> list[str]:
    had, gets = _disk(before, key), _disk(after, key)
    if had is None or gets is None:
        return []
    changed = []
    for name in ("device", "bus", "read_only"):
        if not isinstance(gets[name], Unknown) and had.get(name) != gets[name]:
            changed.append(f"{name} {_word(had.get(name))} -> {_word(gets[name])}")
    if "size" in gets and "size" in had and had["size"] != gets["size"]:
        changed.append(f"size {format_size(had['size'])} -> {format_size(gets['size'])}")
    if not isinstance(gets.get("qos"), Unknown) and had.get("qos") != gets.get("qos"):
        changed.append(f"limits {_limits(had.get('qos'))} -> {_limits(gets.get('qos'))}")
    return changed


def _path_changes(before: Attributes, after: Attributes, host: str) -> list[str]:
    """A host that is seen under another address or name has to be let in anew."""
    had, gets = before.get("access", {}).get(host), after.get("access", {}).get(host)
    if had is None or gets is None:
        return []
    return [
        f"{name} {_word(had.get(name))} -> {_word(gets.get(name))}"
        for name in ("address", "initiator")
        if had.get(name) != gets.get(name)
    ]


def _disk(attributes: Attributes, key: tuple[str, str | None]) -> Attributes | None:
    return next((disk for disk in attributes.get("attachments", ()) if (disk["host"], disk["vm"]) == key), None)


def _limits(qos: Mapping[str, int] | None) -> str:
    if qos is None:
        return "none"
    iops = f"{qos['max_iops']}/{qos['burst_iops']} IOPS" if "max_iops" in qos else ""
    rate = format_bandwidth(qos["max_bandwidth"]) if "max_bandwidth" in qos else ""
    return " and ".join(filter(None, (iops, rate)))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else "none" if value is None else inline(value)
