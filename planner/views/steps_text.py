"""Steps in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from planner.steps.graph import LOCAL_VERBS, Step, StepGraph, Verb
from planner.units import format_size


def step_text(step: Step) -> str:
    """`grant_access kvm1`, `attach db-01`, `resize_async 15GiB`: the verb and whom or what it is about."""
    verb: str = step.verb.value
    arguments = step.arguments
    match step.verb:
        case Verb.ATTACH | Verb.DETACH | Verb.UPDATE_ATTACHMENT:
            return f"{verb} {arguments['vm']}"
        case Verb.GRANT | Verb.REVOKE:
            return f"{verb} {arguments['endpoint']['name']}"
        case Verb.RESIZE:
            return f"{verb} {format_size(arguments['size'])}"
        case Verb.RECORD if "policy" in arguments:
            return f"{verb}, by its QoS policy"
        case Verb.SET_POWER:
            return f"{verb} {'on' if arguments['on'] else 'off'}"
        case _:
            return verb


def order_text(graph: StepGraph, numbers: Sequence[int]) -> str:
    """
    Some steps in their order: `create_async -> grant_access kvm1, grant_access kvm2 -> attach db-01`. Those between
    two arrows wait for the same, and run at once. What changes the record alone is left out where there is more.
    """
    ranks: dict[int, int] = {}
    by_rank: dict[int, list[str]] = {}
    for number in sorted(numbers):
        step = graph.steps[number]
        rank = max((ranks[need] + 1 for need in step.requires if need in ranks), default=0)
        ranks[number] = rank
        if step.verb not in LOCAL_VERBS or (step.verb is Verb.RECORD and len(numbers) == 1):
            by_rank.setdefault(rank, []).append(step_text(step))
    return " -> ".join(", ".join(texts) for _, texts in sorted(by_rank.items()))
