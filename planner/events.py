"""
What long work announces while it goes on. The core prints nothing: it tells an Observer, and the CLI decides how that
looks (`planner.views.progress`, `planner.views.json_lines`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from planner.addresses import InstanceAddress


@dataclass(frozen=True, slots=True)
class RefreshStarted:
    """The providers are being read."""

    pools: int
    hosts: int


@dataclass(frozen=True, slots=True)
class RefreshFinished:
    volumes: int
    attachments: int


@dataclass(frozen=True, slots=True)
class ApplyStarted:
    run: str
    steps: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """`verb` as in `planner.steps.graph.Verb`; `detail` names the pool, host or VM."""

    step: int
    verb: str
    address: InstanceAddress
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepRetrying:
    """The same call will be made again in `after` seconds."""

    step: int
    verb: str
    address: InstanceAddress
    error: str
    after: float


@dataclass(frozen=True, slots=True)
class StepFinished:
    """`error` is empty for a success; `elapsed` in seconds."""

    step: int
    verb: str
    address: InstanceAddress
    elapsed: float
    error: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepRefuted:
    """The step had been told as done, and its effect was not found when it was read back."""

    step: int
    verb: str
    address: InstanceAddress
    error: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """It was not started, since `because` failed or the run was stopped."""

    step: int
    verb: str
    address: InstanceAddress
    because: str


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    """A run was begun and never ended: it was killed. `who` as in `planner.state.model.Run`; `started` too."""

    run: str
    operation: str
    who: str
    started: str


@dataclass(frozen=True, slots=True)
class StepRecovered:
    """A killed run left the step in doubt; it was looked up. `sentence` says what was found and done."""

    address: InstanceAddress
    verb: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The user asked to stop: nothing new is started, `running` steps are let end."""

    running: int


@dataclass(frozen=True, slots=True)
class WaitingForLock:
    holder: str
    timeout: float


Event = (
    RefreshStarted
    | RefreshFinished
    | ApplyStarted
    | StepStarted
    | StepRetrying
    | StepFinished
    | StepRefuted
    | StepSkipped
    | RunInterrupted
    | StepRecovered
    | Stopping
    | WaitingForLock
)


class Observer(Protocol):
    """May be called from any thread; must not raise."""

    def __call__(self, event: Event) -> None: ...


def ignore(event: Event) -> None:
    """The observer that looks away."""
