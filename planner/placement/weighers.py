"""
Which of the pools that fit a volume goes to. A weigher gives a pool a weight by what is left of it, and the lowest
weight is preferred; of equal weights the lower name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.placement.filters import Remainder

Weigher = Callable[[Remainder], tuple[float, ...]]


def headroom(left: Remainder) -> tuple[float, ...]:
    """Most IOPS left, then most bytes: load is spread, and every pool keeps room for growth."""
    return (-left.iops, -left.bytes)


def pack(left: Remainder) -> tuple[float, ...]:
    """The fullest that still fits: whole pools stay free for what is large."""
    return (left.iops, left.bytes)


def first(left: Remainder) -> tuple[float, ...]:
    """Whatever has the lowest name: pools are filled one after the other."""
    return ()


WEIGHERS: Mapping[str, Weigher] = {"headroom": headroom, "pack": pack, "first": first}
