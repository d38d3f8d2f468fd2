"""
What stops a run.

Mistakes that a person can mend in configuration or inputs are diagnostics (`planner.diagnostics`), collected and
returned. What is here ends the verb that meets it:

    LunformError                    exit code 1
    ├── InvalidConfiguration        carries the diagnostics that a stage cannot go on after
    ├── StateError                  the state cannot be read or written
    │   ├── StateLocked             somebody else holds it
    │   ├── StateMoved              it is kept somewhere else by now
    │   ├── ForeignState            the file is not a Lunform state, or is damaged
    │   └── NewerState              it was written by a newer Lunform
    ├── NoRoom                      others took what a plan counted on, since it was made
    ├── Unsettled                   what a killed run did cannot be found out now
    ├── PlanFileError               the saved plan cannot be read
    │   └── StalePlan               what it would touch has moved on since
    └── ProviderNotFound            no installed provider has this name

What a provider raises is in `planner.sdk.errors`: those say what is known of the effect of a call, and the executor
turns them into outcomes of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.diagnostics import Diagnostics

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_CHANGES = 2
"""With `-detailed-exitcode`: the plan is good and is not empty. Of `drift`: something was changed outside."""


class LunformError(Exception):
    """
    A run cannot go on. `str()` is the summary; `detail` says what, why and what to do.
    """

    def __init__(self, summary: str, detail: str = "") -> None:
        super().__init__(summary)
        self.detail = detail


class InvalidConfiguration(LunformError):
    """Configuration or inputs have mistakes; nothing was changed."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__("Invalid configuration")
        self.diagnostics = diagnostics


class StateError(LunformError):
    """The state cannot be read or written."""


class StateLocked(StateError):
    """Another process holds the state's lock; `holder` says who, as far as it is known."""

    def __init__(self, summary: str, detail: str = "", holder: str = "") -> None:
        super().__init__(summary, detail)
        self.holder = holder


class StateMoved(StateError):
    """The state was moved to another backend; what is here is the copy that stayed behind."""


class ForeignState(StateError):
    """The file is not a Lunform state, or is damaged. It was not touched."""


class NewerState(StateError):
    """The state was written by a newer Lunform. It was not touched."""


class Unsettled(LunformError):
    """What a killed run did cannot be found out now; planning on would make things twice or lose them."""


class NoRoom(LunformError):
    """A pool cannot hold any more what the plan adds; nothing was done. `pools` are the addresses of those."""

    def __init__(self, summary: str, detail: str, pools: tuple[str, ...]) -> None:
        super().__init__(summary, detail)
        self.pools = pools


class PlanFileError(LunformError):
    """The saved plan cannot be read."""


class StalePlan(PlanFileError):
    """An object that the saved plan touches has changed since; nothing was done."""


class ProviderNotFound(LunformError):
    """No installed provider has this name."""
