"""
A capacity as JSON. Sizes are bytes; null stands for "no limit", and for what nobody has said.

The keys are documented in docs/capacity.md, which a test holds against this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from planner.diagnostics import Diagnostic
from planner.planning.capacity import Budget, Capacity, Fit, OfferingRoom, PoolCapacity
from planner.version import VERSION
from planner.views.diagnostics_json import diagnostic_to_json


def capacity_to_json(capacity: Capacity, diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    return {
        "format_version": "1.0",
        "lunform_version": VERSION,
        "size": capacity.size,
        "pools": {pool.candidate.id: _pool(pool) for pool in capacity.pools},
        "unread": list(capacity.unread),
        "offerings": {room.offering: _offering(room) for room in capacity.offerings},
        "diagnostics": [diagnostic_to_json(item) for item in diagnostics],
    }


def _pool(pool: PoolCapacity) -> dict[str, Any]:
    candidate = pool.candidate
    return {
        "array": candidate.array.product,
        "zone": candidate.zone,
        "tags": sorted(candidate.tags),
        "exclusive": candidate.exclusive,
        "state": "enabled" if candidate.enabled else "maintenance",
        "overprovision": candidate.overprovision,
        "volumes": {"ours": pool.ours, "others": pool.others},
        "bytes": _budget(pool.bytes, candidate.capacity, candidate.status.capacity),
        "iops": _budget(pool.iops, candidate.capacity_iops, candidate.status.capacity_iops),
    }


def _budget(budget: Budget, declared: int | None, reported: int | None) -> dict[str, Any]:
    return {
        "total": budget.total,
        "ours": budget.ours,
        "others": budget.others,
        "free": budget.free,
        "declared": declared,
        "reported": reported,
    }


def _offering(room: OfferingRoom) -> dict[str, Any]:
    return {
        "size": room.size,
        "size_is_fixed": room.is_fixed,
        "min_iops": room.qos.min_iops if room.qos else 0,
        "count": room.count,
        "pools": {pool: _fit(fit) for pool, fit in room.fits.items()},
    }


def _fit(fit: Fit) -> dict[str, Any]:
    return {
        "count": fit.count,
        "refused_by": fit.refusal.filter if fit.refusal else None,
        "reason": fit.refusal.reason if fit.refusal else None,
    }
