"""What `provider "sandbox"`, and the `pool` and `host` blocks that use it, may say; and the settings read from that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from planner.sdk import (
    BOOL,
    NUMBER,
    STRING,
    Argument,
    ListType,
    ObjectType,
    PoolSpec,
    Rejected,
    Settings,
    Unit,
    UnitError,
    parse_size,
)

FaultEffect = Literal["refuse", "retry", "lose", "unreachable"]

ARRAY_ENFORCES = ("floor", "ceiling", "burst", "bandwidth")
HOST_ENFORCES = ("ceiling", "burst", "bandwidth")

VERBS = (
    "inspect",
    "pool_status",
    "list_volumes",
    "create_async",
    "resize_async",
    "update_qos",
    "delete_async",
    "grant_access",
    "revoke_access",
    "credentials",
    "list_policies",
    "update_policy",
    "list_snapshots",
    "list_deleted",
    "restore_async",
    "list_attachments",
    "attach",
    "update_attachment",
    "detach",
    "list_vms",
    "create_vm",
    "update_vm",
    "set_power",
    "delete_vm",
    "poll",
)
"""The calls of all protocols, by which fault rules and the kill switch name them."""

FAULT_RULE = ObjectType(
    attributes=(("effect", STRING), ("match", STRING), ("times", NUMBER), ("verb", STRING)),
    optional=frozenset({"match", "times"}),
)

SETTINGS = (
    Argument("path", summary="File of the simulation, made on first use.", default="sandbox.db"),
    Argument("latency", NUMBER, "Milliseconds that every call takes.", default=0),
    Argument("async_after", NUMBER, "Milliseconds after which a change takes effect; 0: at once.", default=0),
    Argument(
        "enforces", ListType(STRING), f"Which of {', '.join(ARRAY_ENFORCES)} the array holds.", default=ARRAY_ENFORCES
    ),
    Argument(
        "host_enforces", ListType(STRING), f"Which of {', '.join(HOST_ENFORCES)} the hosts hold.", default=HOST_ENFORCES
    ),
    Argument("images", BOOL, "Volumes can be made from images.", default=True),
    Argument("copies", BOOL, "Volumes can be made as copies of others, and of their snapshots.", default=True),
    Argument("policies", BOOL, "The array has QoS policies, which many volumes share.", default=False),
    Argument(
        "undelete_for", NUMBER, "Milliseconds for which a deleted volume can be restored; 0: not at all.", default=0
    ),
    Argument("size_granularity", summary="Volume sizes are multiples of it.", unit=Unit.SIZE, default="512B"),
    Argument("iops_range", ListType(NUMBER), "Lowest and highest IOPS figure of a volume. Left out: no limits."),
    Argument("chap_seed", summary="CHAP secrets are derived from it. Left out: no CHAP.", sensitive=True),
    Argument("faults", ListType(FAULT_RULE), "Failures to simulate: verb, effect, match, times.", default=()),
)

POOL_ARGUMENTS = (
    Argument("name", summary="The pool's name on the array, made on first use. Left out: the block's address."),
    Argument("size", unit=Unit.SIZE, summary="Bytes that the array has in it. Left out: no limit."),
    Argument("iops", NUMBER, "IOPS that the array can guarantee in it. Left out: no limit."),
    Argument("enforces", ListType(STRING), "What the array holds in this pool. Left out: what the provider says."),
)

HOST_ARGUMENTS = (Argument("vms", ListType(STRING), "Virtual machines made elsewhere. Left out: any name is one."),)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """
    A failure to simulate.

    Attributes:
        verb: one of VERBS.
        match: volume name or resource address (of the pool or host, where the call is about one); `*` stands for
            any text.
        times: how many calls it hits; None for every one.
    """

    verb: str
    effect: FaultEffect
    match: str = "*"
    times: int | None = None


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """
    A `provider "sandbox"` block.

    Attributes:
        latency, async_after, undelete_for: seconds.
        size_granularity: bytes.
        iops_range: lowest and highest, or None for no limits.
    """

    path: Path
    latency: float
    async_after: float
    undelete_for: float
    enforces: frozenset[str]
    host_enforces: frozenset[str]
    images: bool
    copies: bool
    policies: bool
    size_granularity: int
    iops_range: tuple[int, int] | None
    chap_seed: str | None = field(repr=False)
    faults: tuple[FaultRule, ...]


def read_settings(settings: Settings) -> SandboxSettings:
    """
    Read the evaluated arguments of a `provider "sandbox"` block.

    Raises:
        Rejected: an argument has a value that the sandbox knows nothing of.
    """
    given = {argument.name: argument.default for argument in SETTINGS}
    given |= {name: value for name, value in settings.items() if value is not None}
    return SandboxSettings(
        path=Path(given["path"]),
        latency=_milliseconds("latency", given["latency"]),
        async_after=_milliseconds("async_after", given["async_after"]),
        undelete_for=_milliseconds("undelete_for", given["undelete_for"]),
        enforces=_some_of("enforces", given["enforces"], ARRAY_ENFORCES),
        host_enforces=_some_of("host_enforces", given["host_enforces"], HOST_ENFORCES),
        images=given["images"],
        copies=given["copies"],
        policies=given["policies"],
        size_granularity=_granularity(given["size_granularity"]),
        iops_range=_range(given["iops_range"]) if given["iops_range"] is not None else None,
        chap_seed=given["chap_seed"],
        faults=tuple(_fault(rule) for rule in given["faults"]),
    )


def pool_enforces(settings: SandboxSettings, pool: PoolSpec) -> frozenset[str]:
    """
    What the array holds for volumes of a pool: what its block says, or else the provider's.

    Raises:
        Rejected: the block says something that the sandbox knows nothing of.
    """
    given = pool.arguments.get("enforces")
    return settings.enforces if given is None else _some_of("enforces", given, ARRAY_ENFORCES, pool.address)


def _wrong(argument: str, sentence: str, block: str = 'provider "sandbox"') -> Rejected:
    return Rejected("Invalid sandbox settings", f'"{argument}" of {block}: {sentence}')


def _milliseconds(argument: str, value: Any) -> float:
    if value < 0:
        raise _wrong(argument, f"{value} is less than 0 milliseconds.")
    return float(value) / 1000


def _some_of(
    argument: str, values: Collection[str], allowed: tuple[str, ...], block: str = 'provider "sandbox"'
) -> frozenset[str]:
    for value in values:
        if value not in allowed:
            raise _wrong(argument, f'"{value}" is none of {", ".join(allowed)}.', block)
    return frozenset(values)


def _granularity(text: str) -> int:
    try:
        size = parse_size(text)
    except UnitError as error:
        raise _wrong("size_granularity", str(error)) from error
    if size < 1:
        raise _wrong("size_granularity", "it must be at least 1B.")
    return size


def _range(values: Collection[Any]) -> tuple[int, int]:
    try:
        lowest, highest = (int(value) for value in values)
    except ValueError:
        raise _wrong("iops_range", "it takes two numbers, such as [50, 200000].") from None
    if not 0 <= lowest <= highest:
        raise _wrong("iops_range", f"{lowest} to {highest} is no range. Write the lower number first.")
    return lowest, highest


def _fault(rule: Any) -> FaultRule:
    verb, effect, times = rule["verb"], rule["effect"], rule.get("times")
    if verb not in VERBS:
        raise _wrong("faults", f'"{verb}" is no call of a provider; those are {", ".join(VERBS)}.')
    if effect not in get_args(FaultEffect):
        raise _wrong("faults", f'"{effect}" is none of {", ".join(get_args(FaultEffect))}.')
    return FaultRule(verb, effect, rule.get("match") or "*", None if times is None else int(times))
