"""Changes of the record alone, in words and as JSON: what moved, what was forgotten, what was pushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from planner.planning.moves import Moves
from planner.resources.vm import VM, VOLUME_TYPES
from planner.state.model import RecordedObject
from planner.state.transfer import Push

if TYPE_CHECKING:
    from planner.bookkeeping import Forgotten


def render_moves(moves: Moves, dry_run: bool) -> str:
    done = "Would move" if dry_run else "Moved"
    lines = [f"{done} {old} to {new}" for new, old in sorted(moves.previous.items())]
    referring = sorted(moves.changed - moves.previous.keys())
    lines += [f"{'Would refer' if dry_run else 'Refers'} to it there: {address}" for address in referring]
    return "\n".join([*lines, "", _nothing(dry_run)])


def moves_to_json(moves: Moves, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "moved": [{"from": str(old), "to": str(new)} for new, old in sorted(moves.previous.items())],
        "referring": [str(address) for address in sorted(moves.changed - moves.previous.keys())],
    }


def render_forgotten(found: Forgotten, dry_run: bool) -> str:
    """Each object with what stays of it, and what needed it."""
    lines = []
    for object in found.objects:
        lines.append(f"{'Would forget' if dry_run else 'Forgot'} {object.address}")
        lines.extend(f"  {line}" for line in _stays(object))
        if object.protected:
            lines.append("  it is protected (prevent_destroy)" if dry_run else "  its protection is forgotten, too")
    if found.dependents:
        lines.append(f"Still recorded, and in need of that: {', '.join(map(str, found.dependents))}")
    return "\n".join([*lines, "", _nothing(dry_run)])


def forgotten_to_json(found: Forgotten, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "forgotten": [
            {"address": str(object.address), "protected": object.protected, "stays": list(_stays(object))}
            for object in found.objects
        ],
        "dependents": [str(address) for address in found.dependents],
    }


def render_push(pushed: Push) -> str:
    if not pushed.is_new:
        return f"Nothing to push: the same state is there, with serial {pushed.document.serial}."
    counts = f"{len(pushed.added)} added, {len(pushed.changed)} changed, {len(pushed.removed)} removed"
    return f"Pushed: {counts}. The state has serial {pushed.document.serial} now."


def push_to_json(pushed: Push) -> dict[str, Any]:
    return {
        "lineage": pushed.document.lineage,
        "serial": pushed.document.serial,
        **{name: [str(at) for at in getattr(pushed, name)] for name in ("added", "changed", "removed")},
        "forgotten_steps": [{"run": i.run, "step": i.step, "address": i.address} for i in pushed.forgotten],
    }


def _stays(object: RecordedObject) -> Sequence[str]:
    """What is on a system and goes on to be there."""
    has = object.attributes
    if object.address.type in VOLUME_TYPES:
        disks = [f"attached to {disk['vm']} on {disk['host']}" for disk in has["attachments"]]
        what = f"{has['size']} on {has['pool']} as {has['name']} (id {has['id']})"
        return [", ".join([f"stays: {what}", *disks])]
    if object.address.type == VM.name:
        return [f"stays: the VM {has['name']} on {has['host']}"]
    return []


def _nothing(dry_run: bool) -> str:
    return "Nothing was changed." if dry_run else "Only the record was changed, and no system."
