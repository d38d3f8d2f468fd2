"""
The declared configuration: which blocks a directory holds. Expressions are still syntax; nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.addresses import InstanceAddress, ProviderAddress
from planner.diagnostics import Source, SourceRange
from planner.syntax import ast


@dataclass(frozen=True, slots=True)
class Condition:
    """A validation, pre- or postcondition, or assertion: where `condition` is false, `error_message` says why."""

    condition: ast.Expression
    error_message: ast.Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Variable:
    """`type` is None where none was given: any value will do."""

    name: str
    type: ast.Expression | None
    default: ast.Expression | None
    description: str
    sensitive: bool
    nullable: bool
    validations: tuple[Condition, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Local:
    name: str
    value: ast.Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    value: ast.Expression
    description: str
    sensitive: bool
    depends_on: tuple[ast.Expression, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ProviderBlock:
    """`for_each` makes a configuration for each key of one alias."""

    address: ProviderAddress
    body: ast.Body
    for_each: ast.Expression | None
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """
    Attributes:
        ignore_changes: arguments that are left as they are, or None for all of them.
        replace_triggered_by: references; a change of any replaces the instance.
    """

    prevent_destroy: bool = False
    create_before_destroy: bool = False
    ignore_changes: tuple[str, ...] | None = ()
    replace_triggered_by: tuple[ast.Expression, ...] = ()
    preconditions: tuple[Condition, ...] = ()
    postconditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """`check "name" { assert { ... } }`: what does not hold is a warning."""

    name: str
    assertions: tuple[Condition, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Moved:
    """What is recorded at `source` is from now on at `target`: addresses within the module that says so."""

    source: InstanceAddress
    target: InstanceAddress
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Removed:
    """What is recorded at `source` goes from the record; from its system, too, only where `destroy`."""

    source: InstanceAddress
    destroy: bool
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Import:
    """A volume that the array has already becomes `target`; `id` is the array's id of it, or its name."""

    target: InstanceAddress
    id: ast.Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Resource:
    """
    A resource block.

    Attributes:
        body: its own arguments and blocks, without those that every resource has.
        provider: the provider that it names; None where it names none.
        provider_key: which copy of it, where its block has for_each.
        range: its header, `volume "db"`.
    """

    type: str
    name: str
    body: ast.Body
    count: ast.Expression | None
    for_each: ast.Expression | None
    depends_on: tuple[ast.Expression, ...]
    provider: ProviderAddress | None
    provider_key: ast.Expression | None
    provider_range: SourceRange | None
    lifecycle: Lifecycle
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """
    A `module` block.

    Attributes:
        source: where the module is, as written.
        body: the values it gives to the module's variables.
        providers: what the module calls a provider, by what the caller calls it.
        module: the module itself; None where it could not be loaded, which was reported.
    """

    name: str
    source: str
    body: ast.Body
    count: ast.Expression | None
    for_each: ast.Expression | None
    depends_on: tuple[ast.Expression, ...]
    providers: Mapping[str, ProviderAddress]
    module: Module | None
    source_range: SourceRange
    range: SourceRange


PLACEMENTS = ("headroom", "pack", "first")
"""Which of the pools that fit a new volume goes to: see `planner.placement.weighers`."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """
    A `key` or `old_key` block: where a key is had from.

    Attributes:
        kind: "env", "file" or "command".
        value: the variable's name, the file's path seen from the root module, or the command's words.
    """

    kind: str
    value: tuple[str, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Encryption:
    """
    The `encryption` block.

    Attributes:
        key: state and plan files are sealed with it; None while encryption is being taken away.
        old_keys: what is sealed with one of them can still be read.
    """

    key: KeySource | None
    old_keys: tuple[KeySource, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The `lunform` block: where state is kept, how it is sealed, and which pools are preferred (of `PLACEMENTS`)."""

    backend: str = "sqlite"
    backend_body: ast.Body | None = None
    encryption: Encryption | None = None
    placement: str = PLACEMENTS[0]
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """One directory's configuration. `directory` is as seen from the root module's."""

    directory: str
    settings: Settings = field(default_factory=Settings)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    locals: Mapping[str, Local] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    providers: Mapping[ProviderAddress, ProviderBlock] = field(default_factory=dict)
    resources: Mapping[tuple[str, str], Resource] = field(default_factory=dict)
    data: Mapping[tuple[str, str], Resource] = field(default_factory=dict)
    calls: Mapping[str, ModuleCall] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    moved: tuple[Moved, ...] = ()
    removed: tuple[Removed, ...] = ()
    imports: tuple[Import, ...] = ()
    sources: tuple[Source, ...] = ()
