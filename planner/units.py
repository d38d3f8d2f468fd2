"""
Sizes and rates: what users write ("200GiB", "400MiB/s") and what is inside (bytes, bytes per second).

Binary and decimal units both exist and differ; a bare number is refused, since nobody can tell which was meant.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_BINARY = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
_DECIMAL = {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_UNITS = {"B": 1} | _BINARY | _DECIMAL

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)(/s)?\s*")


class UnitError(ValueError):
    """A size or rate that cannot be read. `str()` says why; `fix` is what to write instead, where it can be told."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


def parse_size(text: str) -> int:
    """
    Bytes of a size such as "200GiB", "1.5TB" or "512B".

    Raises:
        UnitError: no unit, an unknown unit, no whole number of bytes, or not a size at all.
    """
    return _parse(text, rate=False)


def parse_bandwidth(text: str) -> int:
    """
    Bytes per second of a rate such as "400MiB/s".

    Raises:
        UnitError: as for `parse_size`; also when the "/s" is missing.
    """
    return _parse(text, rate=True)


@lru_cache(maxsize=4096)  # thousands of volumes have few sizes
def format_size(size: int) -> str:
    """The shortest exact text of `size` bytes; of equally short ones, that in binary units."""
    units = {"B": 1} | _BINARY | {unit: factor for unit, factor in _DECIMAL.items() if unit != "KB"}
    exact = [
        (len(str(size // factor)), -factor, f"{size // factor}{unit}")
        for unit, factor in units.items()
        if size and size % factor == 0
    ]
    return min(exact)[2] if exact else f"{size}B"


def format_bandwidth(rate: int) -> str:
    """The shortest exact text of `rate` bytes per second."""
    return format_size(rate) + "/s"


def approximate_size(size: int) -> str:
    """A size for people, with three figures or so: "1.82 TiB". Never parsed again."""
    for unit, factor in reversed(_BINARY.items()):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} B"


@lru_cache(maxsize=4096)
def _parse(text: str, *, rate: bool) -> int:
    kind, suffix, example = ("bandwidth", "/s", "400MiB/s") if rate else ("size", "", "200GiB")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UnitError(f'"{text}" is not a {kind}. Write a number and a unit, such as "{example}".', example)
    number, unit, per_second = match.groups()
    if not unit:
        fix = f"{number}GiB{suffix}"
        raise UnitError(
            f'"{text}" has no unit. Write "{fix}" for binary gigabytes, or another of {", ".join(_UNITS)}.', fix
        )
    factor = _UNITS.get(unit)
    if factor is None:
        by_lower = {name.lower(): name for name in _UNITS} | {"g": "GiB", "m": "MiB", "t": "TiB", "k": "KiB"}
        near = by_lower.get(unit.lower())
        hint = f' Did you mean "{number}{near}{suffix}"?' if near else ""
        raise UnitError(
            f'"{unit}" is not a unit of {kind}. The units are {", ".join(_UNITS)}.{hint}',
            f"{number}{near}{suffix}" if near else "",
        )
    if rate and not per_second:
        raise UnitError(f'"{text}" is a size, not a rate. Write "{number}{unit}/s".', f"{number}{unit}/s")
    if per_second and not rate:
        raise UnitError(f'"{text}" is a rate, not a size. Write "{number}{unit}".', f"{number}{unit}")
    size = Decimal(number) * factor
    if size != size.to_integral_value():
        raise UnitError(f'"{text}" is not a whole number of bytes.')
    return int(size)
