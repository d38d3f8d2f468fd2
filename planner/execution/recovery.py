"""
Finds out what a killed run did: for each intent in doubt, whether its effect is there, by one bulk read of each pool
and host. What is there is recorded by the same fold as at a normal end; what is not there is closed, and the next plan
plans it again from what is recorded. So a half-made object is finished, and none is made twice.

Recovery only reads. A plan uses what it found; an apply commits it first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, assert_never

from planner.errors import Unsettled
from planner.events import StepRecovered
from planner.execution.calls import poll
from planner.execution.faults import fault_point
from planner.execution.lookup import Actual
from planner.execution.outcome import done, fold, frees
from planner.sdk.errors import ProviderError, Retryable, Unreachable
from planner.sdk.provider import Providers
from planner.sdk.storage import Done, Pending
from planner.state.model import Outcome, Snapshot
from planner.state.transfer import refuse_moved
from planner.steps.graph import Step, Verb


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    Attributes:
        snapshot: what was read, made up with what was found; nothing is in doubt in it.
        outcomes: what makes the state like that once committed.
        findings: a sentence for the user for each step that had happened.
    """

    snapshot: Snapshot
    outcomes: tuple[Outcome, ...]
    findings: tuple[StepRecovered, ...]


def recover(
    snapshot: Snapshot,
    providers: Providers,
    *,
    patience: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Recovery:
    """
    Settle the intents in doubt.

    Args:
        patience: seconds to wait, all in all, for jobs that the killed run had begun and that providers still work on.

    Raises:
        Unsettled: a system cannot be read, or still works on a job. What is in doubt stays so.
        StateMoved: the state is kept somewhere else by now.
    """
    refuse_moved(snapshot.in_doubt)
    objects = dict(snapshot.objects)
    actual, until = Actual(providers), clock() + patience
    outcomes: list[Outcome] = []
    findings: list[StepRecovered] = []
    for intent in snapshot.in_doubt:
        step = Step.from_json(intent.payload)
        before = objects.get(step.address)
        try:
            effect = actual.effect(step, before)
            job = effect.job if isinstance(effect, Pending) else intent.job
            if job and not isinstance(effect, Done):
                effect = _wait(step, job, providers, until, clock, sleep)
        except ProviderError as error:
            raise _unsettled(step, f"{error}. {error.detail}") from error
        fault_point("recovery:looked-up")
        if not isinstance(effect, Done):
            outcomes.append(
                Outcome(
                    intent.run,
                    step.id,
                    step.address,
                    "failed",
                    "had not been done when the run ended",
                    verb=step.verb.value,
                )
            )
            continue
        after = fold(before, step, effect.value)
        objects.pop(frees(step), None)
        if after is not None:
            objects[after.address] = after
        outcomes.append(done(intent.run, step, before, after))
        sentence = f"{step.address} had been {_participle(step)}; recorded."
        findings.append(StepRecovered(step.address, step.verb.value, sentence))
    return Recovery(replace(snapshot, objects=objects, in_doubt=()), tuple(outcomes), tuple(findings))


def _wait(
    step: Step,
    job: str,
    providers: Providers,
    until: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Done[Any] | None:
    """What the job of a killed run gives in the end; None when it failed, or nobody knows it any more."""
    while True:
        try:
            reply = poll(step, job, providers)
        except (Unreachable, Retryable):
            raise
        except ProviderError:
            return None
        if isinstance(reply, Done):
            return reply
        left = until - clock()
        if left <= 0:
            raise _unsettled(step, f"{step.provider} still works on its {step.verb.value}.")
        sleep(min(max(reply.poll_after, 0.1), left))


def _unsettled(step: Step, why: str) -> Unsettled:
    return Unsettled(
        "A killed run cannot be settled",
        f"It may have done {step.verb.value} of {step.address}, which must be known before anything is planned. "
        f"{why.strip()} Run the same command again when that has changed; nothing was changed now.",
    )


def _participle(step: Step) -> str:
    """What the step does to its object, after "had been"."""
    arguments = step.arguments
    match step.verb:
        case Verb.CREATE:
            return "created"
        case Verb.RESIZE:
            return "resized"
        case Verb.UPDATE_QOS | Verb.UPDATE_POLICY:
            return "given its new figures"
        case Verb.RECORD if "policy" in arguments:
            return "given its new figures by its policy"
        case Verb.GRANT:
            return f"opened to {arguments['host']}"
        case Verb.REVOKE:
            return f"closed to {arguments['host']}"
        case Verb.ATTACH:
            return f"attached to {arguments['vm']} on {arguments['host']}"
        case Verb.UPDATE_ATTACHMENT:
            return f"changed on {arguments['vm']}"
        case Verb.DETACH:
            return f"detached from {arguments['vm']} on {arguments['host']}"
        case Verb.DELETE | Verb.DELETE_VM:
            return "deleted"
        case Verb.RESTORE:
            return "restored"
        case Verb.CREATE_VM:
            return "created"
        case Verb.UPDATE_VM:
            return "given its new processors and memory"
        case Verb.SET_POWER:
            return "started" if arguments["on"] else "shut down"
        case Verb.RECORD | Verb.FORGET | Verb.JOIN:
            return "recorded"
        case _:
            assert_never(step.verb)
