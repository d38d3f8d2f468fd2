"""
The declared configuration: which blocks a directory holds. Expressions are still syntax; nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.addresses import ProviderAddress
from planner.diagnostics import Source, SourceRange
from planner.syntax import ast


@dataclass(frozen=True, slots=True)
class Validation:
    """A rule on a variable: `condition` must be true, else `error_message` is the diagnostic."""

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
    validations: tuple[Validation, ...]
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
    address: ProviderAddress
    body: ast.Body
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Lifecycle:
    prevent_destroy: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """
    A resource block.

    Attributes:
        body: its own arguments and blocks, without those that every resource has.
        provider: the provider that it names; None where it names none.
        range: its header, `volume "db"`.
    """

    type: str
    name: str
    body: ast.Body
    count: ast.Expression | None
    for_each: ast.Expression | None
    depends_on: tuple[ast.Expression, ...]
    provider: ProviderAddress | None
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


@dataclass(frozen=True, slots=True)
class Settings:
    """The `lunform` block: where state is kept."""

    backend: str = "sqlite"
    backend_body: ast.Body | None = None
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
    calls: Mapping[str, ModuleCall] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
