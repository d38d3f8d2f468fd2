"""What is known about a value besides itself: that it is not known yet, or that it must not be shown."""

from __future__ import annotations

from dataclasses import dataclass

from planner.values.types import DYNAMIC, Type, Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """
    A value that only apply will know.

    What is known of it all the same narrows what depends on it:

    Attributes:
        type: its type; DYNAMIC when not even that is known.
        not_null: it will not be null, so that `== null` is false.
        prefix: the text that a string will begin with.
        min_length, max_length: bounds of a collection's length; no upper bound when None.
    """

    type: Type = DYNAMIC
    not_null: bool = False
    prefix: str = ""
    min_length: int = 0
    max_length: int | None = None


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A value that is not shown and not stored. `value` is never itself Sensitive, though its parts may be."""

    value: Value

    def __repr__(self) -> str:
        return "Sensitive(...)"
