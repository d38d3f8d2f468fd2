"""
A volume's size and figures: from itself and its offering, and as they are recorded.

IOPS figures are three or none: nothing is filled in silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.diagnostics import Diagnostics
from planner.evaluation.resource_graph import ResourceInstance
from planner.resources.volume import FIGURE_NAMES
from planner.sdk.storage import Qos
from planner.units import format_bandwidth, parse_bandwidth, parse_size
from planner.values.marks import Unknown

GIB = 1 << 30


def size_of(instance: ResourceInstance, offering: Mapping[str, Any], diagnostics: Diagnostics) -> int | None:
    """Bytes; None, with a diagnostic, where it cannot be told."""
    own, fixed = _own(instance, "size"), offering.get("size")
    detail = ""
    if isinstance(own, Unknown) or isinstance(fixed, Unknown):
        detail = "The size decides which pool has room, so it must be known when planning."
    elif own is None and fixed is None:
        detail = 'Neither the volume nor its offering gives a size. Add size = "200GiB" to the volume.'
    elif own is not None and fixed is not None and own != fixed:
        detail = f"The offering fixes the size at {fixed}, and the volume asks for {own}. Take the volume's away."
    if detail:
        _report("Invalid size", detail, instance, "size", diagnostics)
        return None
    size = parse_size(str(own or fixed))
    if size == 0:
        _report("Invalid size", "A volume of no size is none.", instance, "size", diagnostics)
        return None
    return size


def figures_of(
    instance: ResourceInstance, offering: Mapping[str, Any], size: int, diagnostics: Diagnostics
) -> tuple[Qos | None, bool]:
    """(figures or None for none, whether they could be told). What is wrong with them is a diagnostic."""
    own = {name: _own(instance, name) for name in FIGURE_NAMES}
    fixed = {name: offering.get(name) for name in FIGURE_NAMES}
    per_gib = offering.get("iops_per_gib")
    given = {name for name, value in own.items() if value is not None}
    detail = ""
    figures: Mapping[str, Any] = fixed
    if given:
        figures = own
        if not offering.get("custom_iops"):
            name = min(given, key=FIGURE_NAMES.index)
            detail = (
                f"The offering {offering.get('id')} does not let a volume give its own {name}. Add custom_iops = true"
                " to the offering, or take the volume's figures away."
            )
    elif per_gib is not None:
        if any(value is not None for value in fixed.values()):
            detail = f"The offering {offering.get('id')} has fixed figures and iops_per_gib. Take one of them away."
        else:
            figures = {f"{name}_iops": _scaled(value, size) for name, value in per_gib.items()}
    detail = detail or _wrong(figures)
    bandwidth = offering.get("max_bandwidth")
    if not detail and isinstance(bandwidth, Unknown):
        detail = "max_bandwidth decides which pool can hold it, so it must be known when planning."
    if detail:
        where = min(given, key=FIGURE_NAMES.index) if given else "offering"
        _report("Invalid QoS figures", detail, instance, where, diagnostics)
        return None, False
    return qos_of({**figures, "max_bandwidth": bandwidth}), True


def are_shared(instance: ResourceInstance, offering: Mapping[str, Any]) -> bool:
    """Whether its IOPS figures are those of all volumes of its offering, so that an array's policy can hold them."""
    own = any(_own(instance, name) is not None for name in FIGURE_NAMES)
    return not own and offering.get("max_iops") is not None


def qos_of(attributes: Mapping[str, Any]) -> Qos | None:
    """The figures in a volume's attributes, all of them known; None when it has none."""
    low, high, burst = (attributes.get(name) or 0 for name in FIGURE_NAMES)
    rate = attributes.get("max_bandwidth")
    qos = Qos(low, high, burst, parse_bandwidth(rate) if rate else 0)
    return None if qos == Qos(0, 0, 0) else qos


def figure_attributes(qos: Qos | None) -> dict[str, Any]:
    """Figures as a volume's attributes: None for each that there is not."""
    with_iops = qos is not None and qos.max_iops > 0
    return {name: getattr(qos, name) if with_iops else None for name in FIGURE_NAMES} | {
        "max_bandwidth": format_bandwidth(qos.max_bandwidth) if qos and qos.max_bandwidth else None
    }


def limits_of(qos: Qos | None) -> dict[str, int] | None:
    """What a hypervisor holds, as it is recorded: only those limits that there are; None for none."""
    if qos is None:
        return None
    figures = {"max_iops": qos.max_iops, "burst_iops": qos.burst_iops, "max_bandwidth": qos.max_bandwidth}
    return {name: value for name, value in figures.items() if value} or None


def limits_qos(limits: Mapping[str, int] | None) -> Qos | None:
    """Recorded limits as a hypervisor is told of them: it never holds a floor."""
    return None if limits is None else Qos(min_iops=0, **{"max_iops": 0, "burst_iops": 0, **limits})


def _wrong(figures: Mapping[str, Any]) -> str:
    """What is wrong with three figures, or an empty text."""
    missing = [name for name in FIGURE_NAMES if figures[name] is None]
    if len(missing) == len(FIGURE_NAMES):
        return ""
    if missing:
        are = "is" if len(missing) == 1 else "are"
        return (
            f"The three figures go together, and {' and '.join(missing)} {are} not given. Write min_iops = 0 for no"
            " floor, and burst_iops like max_iops for no burst."
        )
    for name in FIGURE_NAMES:
        if isinstance(figures[name], Unknown):
            return f"{name} decides which pool can hold it, so it must be known when planning."
        if not isinstance(figures[name], int) or figures[name] < 0:
            return f"{name} is a whole number of I/O operations per second, not {figures[name]}."
    low, high, burst = (figures[name] for name in FIGURE_NAMES)
    if not low <= high <= burst:
        return f"min_iops <= max_iops <= burst_iops must hold; these are {low}, {high} and {burst}."
    return "max_iops is 0, so nothing could be read or written." if high == 0 else ""


def _scaled(per_gib: Any, size: int) -> Any:
    """A figure that grows with the size, rounded down to a whole number."""
    return per_gib if isinstance(per_gib, Unknown) else int(per_gib * size / GIB)


def _own(instance: ResourceInstance, name: str) -> Any:
    """What the volume itself gives; None where it leaves that to its offering."""
    value = instance.attributes[name]
    return None if isinstance(value, Unknown) and instance.resource.body.argument(name) is None else value


def _report(summary: str, detail: str, instance: ResourceInstance, argument: str, diagnostics: Diagnostics) -> None:
    """At the argument where the volume gives it, else at the volume."""
    given = instance.resource.body.argument(argument)
    diagnostics.error(
        summary, detail, given.value.range if given else instance.resource.range, address=str(instance.address)
    )
