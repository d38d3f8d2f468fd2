"""A scan as JSON. The keys are documented in docs/state.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from planner.diagnostics import Diagnostic
from planner.planning.orphans import Disposal, Found
from planner.planning.scan import Orphan, Scan
from planner.version import VERSION
from planner.views.diagnostics_json import diagnostic_to_json


def scan_to_json(scan: Scan, diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    return {
        "format_version": "1.0",
        "lunform_version": VERSION,
        "lineage": scan.lineage,
        "orphans": [_orphan(orphan) for orphan in scan.orphans],
        "stray_disks": [
            {
                "address": str(stray.address),
                "host": stray.place,
                "vm": stray.record["vm"],
                "device": stray.record["device"],
                "id": stray.id,
                "unadoptable": stray.unadoptable,
                "unreapable": stray.unreapable,
            }
            for stray in scan.strays
        ],
        "lost": [{"address": str(lost.address), "place": lost.place, "id": lost.id} for lost in scan.lost],
        "twins": [
            {"made_for": twin.mark, "ids": {id: str(address) if address else None for id, address in twin.ids.items()}}
            for twin in scan.twins
        ],
        "others": [{"place": o.place, "lineage": o.lineage, "count": o.count} for o in scan.others],
        "steps_in_doubt": scan.in_doubt,
        "unread": list(scan.unread),
        "diagnostics": [diagnostic_to_json(item) for item in diagnostics],
    }


def disposal_to_json(disposal: Disposal) -> dict[str, Any]:
    return {
        "type": "disposal",
        "operation": disposal.operation,
        "chosen": [_which(found) for found in disposal.items],
        "left": [{**_which(found), "because": why} for found, why in disposal.left],
    }


def _which(found: Found) -> dict[str, Any]:
    return {"id": found.id, "address": str(found.address), "place": found.place}


def _orphan(orphan: Orphan) -> dict[str, Any]:
    return {
        "id": orphan.id,
        "made_for": str(orphan.address),
        "place": orphan.place,
        "name": orphan.record["name"],
        "size": orphan.record.get("size"),
        "unadoptable": orphan.unadoptable,
        "unreapable": orphan.unreapable,
        "uses": list(orphan.uses),
    }
