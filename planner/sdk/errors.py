"""
What a provider says of a call that failed: what is known of its *effect*. The executor branches on nothing else.

    ProviderError
    ├── Rejected          nothing happened, and the same call would fail again
    ├── Retryable         nothing happened; the same call may succeed later
    ├── OutcomeUnknown    it may or may not have happened: look by intent id, then decide
    ├── Missing           the object is not there; for a delete that is success
    ├── Conflict          an object that is not ours is in the way
    └── Unreachable       the endpoint could not be reached before anything was asked of it

Messages are sentences for the user. They never hold a secret.
"""

from __future__ import annotations


class ProviderError(Exception):
    """`str()` is the summary; `detail` says what was tried and what to do."""

    detail: str = ""  # for a subclass whose __init__ sets none

    def __init__(self, summary: str, detail: str = "") -> None:
        super().__init__(summary)
        self.detail = detail


class Rejected(ProviderError):
    """Nothing happened, and the same call would be refused again."""


class Retryable(ProviderError):
    """
    Nothing happened; the same call may succeed later.

    Attributes:
        retry_after: seconds that the system itself asks to wait, or None.
    """

    retry_after: float | None = None

    def __init__(self, summary: str, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(summary, detail)
        self.retry_after = retry_after


class OutcomeUnknown(ProviderError):
    """The answer was lost: the effect may or may not be there."""


class Missing(ProviderError):
    """The object that the call is about is not there."""


class Conflict(ProviderError):
    """Somebody else's object has the name, the place or the number."""


class Unreachable(ProviderError):
    """The endpoint did not answer at all; nothing was asked of it. The summary names it, the detail what was tried."""
