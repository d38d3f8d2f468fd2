"""Where an expression finds what its references name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from planner.diagnostics import did_you_mean
from planner.evaluation.errors import UnknownName
from planner.values.types import Value


class Scope(Protocol):
    """The names that an expression may use."""

    def resolve(self, root: str, name: str) -> Value:
        """
        The value of a reference's first two words.

            var.size            ("var", "size")
            local.x             ("local", "x")
            each.key            ("each", "key")
            count.index         ("count", "index")
            path.module         ("path", "module")
            self                ("self", "")
            module.east         ("module", "east"), an object of its outputs
            volume.db           ("volume", "db"): an object; a tuple of objects with `count`; by key with `for_each`
            data.volume.x       ("data.volume", "x")
            lunform.workspace   ("lunform", "workspace")

        A word that stands alone comes with an empty name.

        Raises:
            UnknownName: there is no such name here.
            EvaluationError: the value that it names cannot be had; it has its own place in the text.
        """
        ...


class Names:
    """A scope of given values: for the console, for tests, and for what is the same in every block."""

    def __init__(self, values: Mapping[tuple[str, str], Value]) -> None:
        self._values = values

    def resolve(self, root: str, name: str) -> Value:
        try:
            return self._values[root, name]
        except KeyError:
            raise unknown_name(root, name, self._values) from None


def unknown_name(root: str, name: str, available: Iterable[tuple[str, str]]) -> UnknownName:
    """The fault for a reference to what is not there, with the nearest of the (root, name) pairs that are."""
    names_by_root: dict[str, list[str]] = {}
    for one_root, one_name in available:
        names_by_root.setdefault(one_root, []).append(one_name)
    names = names_by_root.get(root)
    if names is None:
        suggestion = did_you_mean(root, names_by_root)
        return UnknownName("Reference to unknown name", f'There is nothing named "{_join(root, name)}".{suggestion}')
    if not name:
        return UnknownName("Invalid reference", f'"{root}" must be followed by a name, as in "{root}.{min(names)}".')
    return UnknownName("Reference to unknown name", f'There is no "{_join(root, name)}".{did_you_mean(name, names)}')


def _join(root: str, name: str) -> str:
    return f"{root}.{name}" if name else root
