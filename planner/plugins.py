"""
Providers and backends by name: found by the entry point groups `lunform.providers` and `lunform.backends`. Ours use the
same door as anybody's.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from planner.addresses import ProviderAddress
from planner.config.content import Shape, check_body
from planner.config.model import Settings
from planner.diagnostics import Diagnostics, did_you_mean
from planner.encryption import cipher_of
from planner.errors import ProviderNotFound
from planner.guard import Secrets, guarded
from planner.sdk.hypervisor import HypervisorProvider
from planner.sdk.provider import MAX_CALLS, ProviderDefinition
from planner.sdk.storage import StorageProvider
from planner.state.store import BackendDefinition, Cipher, StateBackend
from planner.syntax import ast
from planner.values.codec import from_plain, to_plain
from planner.values.convert import ConversionError, convert

PROVIDER_GROUP = "lunform.providers"
BACKEND_GROUP = "lunform.backends"
BACKEND_PREFIX = "LUNFORM_BACKEND_"
_NOTHING: Mapping[str, str] = {}


def installed_providers() -> Mapping[str, str]:
    """Names of all installed providers, with the distribution and version that each comes from."""
    found = {}
    for entry in sorted(entry_points(group=PROVIDER_GROUP), key=lambda entry: entry.name):
        found[entry.name] = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return found


@cache
def provider_definition(name: str) -> ProviderDefinition | None:
    """What the provider declares of itself; None when none of that name is installed."""
    for entry in entry_points(group=PROVIDER_GROUP, name=name):
        definition: ProviderDefinition = entry.load()
        return definition
    return None


class OpenProviders:
    """
    Providers with the settings of one configuration, each opened when first asked for, and guarded.

    Args:
        secrets: texts in settings that are secret though the provider does not declare them so.
    """

    def __init__(
        self, settings: Mapping[ProviderAddress, Mapping[str, Any]], secrets: Collection[str] = frozenset()
    ) -> None:
        self._settings = settings
        self._secrets = Secrets(secrets)
        self._lock = threading.Lock()
        self._storage: dict[ProviderAddress, StorageProvider] = {}
        self._hypervisors: dict[ProviderAddress, HypervisorProvider] = {}

    def storage(self, address: ProviderAddress) -> StorageProvider:
        """
        Raises:
            ProviderNotFound: none of this name is installed, or it is no storage provider.
        """
        with self._lock:
            if address not in self._storage:
                definition = self._definition(address)
                if definition.open_storage is None:
                    raise ProviderNotFound(f'The provider "{address.name}" does not do storage.')
                storage = definition.open_storage(self._for(address, definition))
                self._storage[address] = guarded(storage, address, self._secrets)
            return self._storage[address]

    def hypervisor(self, address: ProviderAddress) -> HypervisorProvider:
        """
        Raises:
            ProviderNotFound: none of this name is installed, or it is no hypervisor provider.
        """
        with self._lock:
            if address not in self._hypervisors:
                definition = self._definition(address)
                if definition.open_hypervisor is None:
                    raise ProviderNotFound(f'The provider "{address.name}" does not do hypervisors.')
                hypervisor = definition.open_hypervisor(self._for(address, definition))
                self._hypervisors[address] = guarded(hypervisor, address, self._secrets)
            return self._hypervisors[address]

    def limit(self, address: ProviderAddress) -> int | None:
        given, definition = self._settings.get(address, {}).get(MAX_CALLS.name), provider_definition(address.name)
        # One that is not installed is told of by whoever calls it.
        return given if isinstance(given, int) else definition.max_calls if definition is not None else None

    def close(self) -> None:
        for storage in self._storage.values():
            storage.close()
        for hypervisor in self._hypervisors.values():
            hypervisor.close()

    def _definition(self, address: ProviderAddress) -> ProviderDefinition:
        definition = provider_definition(address.name)
        if definition is None:
            raise ProviderNotFound(
                f'No installed provider has the name "{address.name}".',
                "Something that is recorded was made with it. Install it again:"
                f" installed are {', '.join(installed_providers()) or 'none'}.",
            )
        return definition

    def _for(self, address: ProviderAddress, definition: ProviderDefinition) -> Mapping[str, Any]:
        """A provider without a block has all its arguments left out."""
        given = self._settings.get(address, {})
        self._secrets.add([given.get(argument.name) for argument in definition.settings if argument.sensitive])
        return {argument.name: given.get(argument.name, argument.default) for argument in definition.settings}


@cache
def backend_definition(name: str) -> BackendDefinition | None:
    """What the backend declares of itself; None when none of that name is installed."""
    for entry in entry_points(group=BACKEND_GROUP, name=name):
        definition: BackendDefinition = entry.load()
        return definition
    return None


def open_backend(
    settings: Settings,
    directory: Path,
    cipher: Cipher | None = None,
    given: Mapping[str, Any] = _NOTHING,
    environment: Mapping[str, str] = _NOTHING,
) -> tuple[StateBackend | None, Diagnostics]:
    """
    The place that the configuration names for its state; a SQLite file beside it where it names none. None where the
    diagnostics have errors.

    Args:
        cipher: seals the state, where it is not to be what the configuration asks for.
        given, environment: as in `backend_arguments`.
    """
    arguments, diagnostics = backend_arguments(settings, given, environment)
    definition = backend_definition(settings.backend)
    if arguments is None or definition is None:
        return None, diagnostics
    cipher = cipher or cipher_of(settings.encryption, directory, "state")
    return definition.open(arguments, directory, cipher), diagnostics


def backend_arguments(
    settings: Settings, given: Mapping[str, Any] = _NOTHING, environment: Mapping[str, str] = _NOTHING
) -> tuple[dict[str, Any] | None, Diagnostics]:
    """
    Plain values of all arguments of the backend that the configuration names; None where the diagnostics have errors.

    Args:
        given: by `init -backend-config`, texts or plain values. They win over the block.
        environment: where LUNFORM_BACKEND_name is looked for, for what neither gives.
    """
    diagnostics = check_backend(settings)
    definition = backend_definition(settings.backend)
    if definition is None or diagnostics.has_errors:
        return None, diagnostics
    known = {argument.name: argument for argument in definition.arguments}
    for name in given.keys() - known.keys():
        diagnostics.error(
            "Unsupported argument",
            f'-backend-config gives a value to "{name}", but the backend "{definition.name}" has no such argument.'
            f"{did_you_mean(name, known)}",
        )
    values: dict[str, Any] = {}
    for name, argument in known.items():
        literal = settings.backend_body.argument(name) if settings.backend_body else None
        if name in given:
            value, origin, range = given[name], f"-backend-config={name}", None
        elif literal is not None and isinstance(literal.value, ast.Literal):
            value, origin, range = literal.value.value, name, literal.value.range
        elif (variable := BACKEND_PREFIX + name) in environment:
            value, origin, range = environment[variable], variable, None
        else:
            values[name] = argument.default
            if argument.required:
                diagnostics.error(
                    "Missing required argument",
                    f'The backend "{definition.name}" needs the argument "{name}": in its block, with'
                    f" lunform init -backend-config={name}=..., or as {variable} in the environment.",
                    settings.range,
                )
            continue
        try:
            values[name] = to_plain(convert(from_plain(value), argument.type))
        except ConversionError as error:
            diagnostics.error("Unsuitable value", f'"{origin}": {error}.', range)
    return None if diagnostics.has_errors else values, diagnostics


def check_backend(settings: Settings) -> Diagnostics:
    """What is wrong with the backend block by itself. What is missing from it may be given elsewhere."""
    diagnostics = Diagnostics()
    definition = backend_definition(settings.backend)
    if definition is None:
        known = sorted(entry.name for entry in entry_points(group=BACKEND_GROUP))
        suggestion = did_you_mean(settings.backend, known) or f" There are {', '.join(known)}."
        diagnostics.error("Unknown backend", f'There is no backend "{settings.backend}".{suggestion}', settings.range)
        return diagnostics
    body, range = settings.backend_body, settings.range
    if body is None or range is None:
        return diagnostics
    names = tuple(argument.name for argument in definition.arguments)
    check_body(body, Shape(names), f'backend "{definition.name}"', range, diagnostics)
    for given in body.arguments:
        if given.name in names and not isinstance(given.value, ast.Literal):
            diagnostics.error(
                "Unsuitable value",
                f"The state is found before anything is evaluated, so {given.name} must be a plain value.",
                given.value.range,
            )
    return diagnostics
