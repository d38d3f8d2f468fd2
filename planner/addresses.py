"""
Names of things, as users read and type them: `module.east.volume.db["a"]`, `solidfire.east`.

Addresses are values: they compare, hash and sort, and `str()` of one parses back to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering

InstanceKey = str | int | None
"""The key of one copy: a `for_each` key, a `count` index, or None for a resource without copies."""


class AddressError(ValueError):
    """A text that is no address; `str()` says why."""


def _key_text(key: InstanceKey) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f"[{json.dumps(key, ensure_ascii=False)}]"


def _key_order(key: InstanceKey) -> tuple[int, int, str]:
    """Sorts no key first, then indexes by number, then names."""
    if key is None:
        return (0, 0, "")
    return (1, key, "") if isinstance(key, int) else (2, 0, key)


@dataclass(frozen=True, slots=True)
class ModuleStep:
    """One call on the way to a module: its name and, for copies, its key."""

    name: str
    key: InstanceKey = None

    def __str__(self) -> str:
        return f"module.{self.name}{_key_text(self.key)}"


ModulePath = tuple[ModuleStep, ...]
"""The way from the root module, which is `()`."""


def module_text(path: ModulePath) -> str:
    """`module.a.module.b[0]`; an empty string for the root."""
    return ".".join(str(step) for step in path)


def _path_order(path: ModulePath) -> tuple[tuple[str, tuple[int, int, str]], ...]:
    return tuple((step.name, _key_order(step.key)) for step in path)


@total_ordering
@dataclass(frozen=True, slots=True)
class ResourceAddress:
    """A declared resource, all its copies together: `volume.db`."""

    type: str
    name: str
    module: ModulePath = ()

    def instance(self, key: InstanceKey = None) -> InstanceAddress:
        return InstanceAddress(self.type, self.name, key, self.module)

    def __str__(self) -> str:
        own = f"{self.type}.{self.name}"
        return f"{module_text(self.module)}.{own}" if self.module else own

    def __lt__(self, other: ResourceAddress) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[object, ...]:
        return (_path_order(self.module), self.type, self.name)


@total_ordering
@dataclass(frozen=True, slots=True)
class InstanceAddress:
    """One copy of a resource: `volume.db["a"]`."""

    type: str
    name: str
    key: InstanceKey = None
    module: ModulePath = ()

    @property
    def resource(self) -> ResourceAddress:
        return ResourceAddress(self.type, self.name, self.module)

    def __str__(self) -> str:
        own = f"{self.type}.{self.name}{_key_text(self.key)}"
        return f"{module_text(self.module)}.{own}" if self.module else own

    def __lt__(self, other: InstanceAddress) -> bool:
        return self.order < other.order

    @property
    def order(self) -> tuple[object, ...]:
        """What it is sorted by: as a key, this is made once for each address and not for each comparison."""
        return (_path_order(self.module), self.type, self.name, _key_order(self.key))


def names_of(address: InstanceAddress) -> Iterator[InstanceAddress]:
    """
    All that names an instance: itself, its block, and the modules that it is in (as type "module"). A name without a
    key stands for all copies, also of a module on the way.
    """
    paths: list[ModulePath] = [()]
    for step in address.module:
        paths = [(*path, own) for path in paths for own in dict.fromkeys((step, ModuleStep(step.name)))]
        for path in paths:
            yield InstanceAddress("module", path[-1].name, path[-1].key, path[:-1])
    for path in paths:
        for key in dict.fromkeys((address.key, None)):
            yield InstanceAddress(address.type, address.name, key, path)


@total_ordering
@dataclass(frozen=True, slots=True)
class ProviderAddress:
    """
    A provider configuration: `solidfire`; `solidfire.east` for one with an alias; `solidfire.site["east"]` for one of
    the copies of a block with for_each.
    """

    name: str
    alias: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        return self.name if self.alias is None else f"{self.name}.{self.alias}{_key_text(self.key)}"

    def __lt__(self, other: ProviderAddress) -> bool:
        return (self.name, self.alias or "", self.key or "") < (other.name, other.alias or "", other.key or "")


_NAME = r"[^\W\d][\w-]*"
_KEY = r"""\[(?:(\d+)|("(?:[^"\\]|\\.)*"))\]"""
_PART = re.compile(rf"({_NAME})(?:{_KEY})?")


def parse_instance(text: str) -> InstanceAddress:
    """
    Read an instance's address.

    Raises:
        AddressError: the text is no address of an instance.
    """
    parts: list[tuple[str, InstanceKey]] = []
    at = 0
    while at < len(text):
        if parts:
            if text[at] != ".":
                raise AddressError(f'"{text}" is not an address: expected "." at character {at + 1}.')
            at += 1
        match = _PART.match(text, at)
        if match is None:
            raise AddressError(f'"{text}" is not an address: expected a name at character {at + 1}.')
        name, index, quoted = match.groups()
        parts.append((name, int(index) if index is not None else json.loads(quoted) if quoted else None))
        at = match.end()
    module: list[ModuleStep] = []
    while len(parts) > 2 and parts[0] == ("module", None):
        module.append(ModuleStep(*parts[1]))
        del parts[:2]
    if len(parts) != 2 or parts[0][1] is not None:
        raise AddressError(f'"{text}" is not an address such as volume.db or module.east.volume.db["a"].')
    return InstanceAddress(parts[0][0], parts[1][0], parts[1][1], tuple(module))


def parse_provider(text: str) -> ProviderAddress:
    """
    Read a provider's address: `tgt`, `tgt.east` or `tgt.site["east"]`.

    Raises:
        AddressError: the text is no such address.
    """
    match = re.fullmatch(rf'({_NAME})(?:\.({_NAME})(?:\[("(?:[^"\\]|\\.)*")\])?)?', text)
    if match is None:
        raise AddressError(f'"{text}" is not a provider such as tgt, tgt.east or tgt.site["east"].')
    name, alias, key = match.groups()
    return ProviderAddress(name, alias, json.loads(key) if key else None)
