"""A scan for people: object by object, what it is, who has it, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator

from planner.planning.orphans import Disposal, Found
from planner.planning.scan import Orphan, Scan
from planner.resources.vm import VM
from planner.views.style import Style

_MEANS = """\
`lunform scan -adopt` records what is declared; `lunform scan -reap` deletes orphans, after a question. An ID or address
after it chooses one. What is lost, `lunform plan` would make anew; `lunform refresh` forgets it."""


def render_scan(scan: Scan, style: Style) -> str:
    sections = [style.bold(_count(scan))]
    sections += ["\n".join(_found(found, style)) for found in scan.found]
    sections += [
        f"  {style.bold(f'# {lost.address} is lost')}\n      {style.destroy('-')} {lost.id} is not on {lost.place}"
        for lost in scan.lost
    ]
    for twin in scan.twins:
        lines = [f"  {style.bold(f'# there are {len(twin.ids)} that were made for {twin.mark}')}"]
        for id, address in twin.ids.items():
            lines.append(f"      {style.warning('!')} {id}, {f'recorded as {address}' if address else 'an orphan'}")
        sections.append("\n".join(lines))
    if others := _others(scan):
        sections.append(style.dim(others))
    if scan.in_doubt:
        sections.append(
            f"{_number(scan.in_doubt, 'step')} of a run that goes on, or was killed, may have made something besides: "
            "the next apply finds out."
        )
    if not scan.is_empty:
        sections.append(_MEANS)
    return "\n\n".join(sections) + "\n"


def render_disposal(disposal: Disposal, style: Style) -> str:
    """What `-adopt` or `-reap` is about to do, and what it leaves."""
    mark = style.create("+ record") if disposal.operation == "adopt" else style.destroy("- delete")
    lines = [f"  {mark} {_name(found)} of {found.address}" for found in disposal.items]
    lines += [f"  {style.warning('= leave')} {_name(found)} of {found.address}: {why}" for found, why in disposal.left]
    return "\n".join(lines or [f"Nothing to {disposal.operation}."]) + "\n"


def _found(found: Found, style: Style) -> Iterator[str]:
    yield f"  {style.bold(f'# {_name(found)} is {_article(found)}')}"
    sign = style.warning("?") if found.unadoptable else style.create("+")
    if not isinstance(found, Orphan):
        yield f"      {sign} of {found.address}, {found.unadoptable or 'whose block attaches it there'}"
        return
    yield f"      {sign} made for {found.address}: {found.unadoptable or 'declared, and not recorded'}"
    record = found.record
    if found.address.type == VM.name:
        yield f'      {sign} "{record["name"]}", {record["cpus"]} processors, {record["memory"]}'
    else:
        yield f'      {sign} "{record["name"]}", {record["size"]}'
    yield from (f"      {style.warning('!')} {use}" for use in found.uses)


def _name(found: Found) -> str:
    """`volume vol-7 on pool.ssd`, `disk vdb of db-01 on host.kvm`."""
    if isinstance(found, Orphan):
        return f"{'vm' if found.address.type == VM.name else 'volume'} {found.id} on {found.place}"
    return f"disk {found.record['device']} of {found.record['vm']} on {found.place}"


def _article(found: Found) -> str:
    return "an orphan" if isinstance(found, Orphan) else "a stray"


def _count(scan: Scan) -> str:
    if scan.is_empty and not scan.unread:
        return "Nothing found. What carries this state's mark is recorded, and what is recorded is there."
    if scan.is_empty:
        return "Nothing found where it could be read."
    parts = [
        _number(len(scan.orphans), "orphan"),
        f"{len(scan.lost)} lost",
        _number(len(scan.twins), "twin"),
        *([_number(len(scan.strays), "stray disk")] if scan.strays else []),
    ]
    return f"Found: {', '.join(parts)}."


def _others(scan: Scan) -> str:
    """What is left alone: `Left alone: on pool.ssd 3 of state 5f0c2b8e... and 2 without a mark.`"""
    places: dict[str, list[str]] = {}
    for others in scan.others:
        whose = f"of state {others.lineage}" if others.lineage else "without a mark"
        places.setdefault(others.place, []).append(f"{others.count} {whose}")
    if not places:
        return ""
    return "Left alone: " + "; ".join(f"on {place} {' and '.join(texts)}" for place, texts in places.items()) + "."


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
