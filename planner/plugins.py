"""
Providers and backends by name: found by the entry point groups `lunform.providers` and `lunform.backends`. Ours use the
same door as anybody's.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from planner.addresses import ProviderAddress
from planner.config.content import Shape, check_body
from planner.config.model import Settings
from planner.diagnostics import Diagnostics, did_you_mean
from planner.errors import ProviderNotFound
from planner.sdk.hypervisor import HypervisorProvider
from planner.sdk.provider import MAX_CALLS, ProviderDefinition
from planner.sdk.storage import StorageProvider
from planner.state.store import (
    DEFAULT_WORKSPACE,
    BackendDefinition,
    Cipher,
    NoCipher,
    StateBackend,
    StateStore,
)
from planner.syntax import ast
from planner.values.codec import from_plain, to_plain
from planner.values.convert import ConversionError, convert

PROVIDER_GROUP = "lunform.providers"
BACKEND_GROUP = "lunform.backends"


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
    """Providers with the settings of one configuration, each opened when first asked for."""

    def __init__(self, settings: Mapping[ProviderAddress, Mapping[str, Any]]) -> None:
        self._settings = settings
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
                self._storage[address] = definition.open_storage(self._for(address, definition))
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
                self._hypervisors[address] = definition.open_hypervisor(self._for(address, definition))
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
        return {argument.name: given.get(argument.name, argument.default) for argument in definition.settings}


@cache
def backend_definition(name: str) -> BackendDefinition | None:
    """What the backend declares of itself; None when none of that name is installed."""
    for entry in entry_points(group=BACKEND_GROUP, name=name):
        definition: BackendDefinition = entry.load()
        return definition
    return None


def open_backend(
    settings: Settings, directory: Path, cipher: Cipher | None = None
) -> tuple[StateBackend | None, Diagnostics]:
    """
    The place that the configuration names for its state; a SQLite file beside it where it names none. None where the
    diagnostics have errors.
    """
    diagnostics = Diagnostics()
    definition = backend_definition(settings.backend)
    if definition is None:
        known = sorted(entry.name for entry in entry_points(group=BACKEND_GROUP))
        suggestion = did_you_mean(settings.backend, known) or f" There are {', '.join(known)}."
        diagnostics.error("Unknown backend", f'There is no backend "{settings.backend}".{suggestion}', settings.range)
        return None, diagnostics
    arguments = _backend_arguments(definition, settings, diagnostics)
    if diagnostics.has_errors:
        return None, diagnostics
    return definition.open(arguments, directory, cipher or NoCipher()), diagnostics


def open_store(settings: Settings, directory: Path) -> tuple[StateStore | None, Diagnostics]:
    """The state of the workspace that is in use."""
    backend, diagnostics = open_backend(settings, directory)
    return None if backend is None else backend.open(DEFAULT_WORKSPACE), diagnostics


def _backend_arguments(definition: BackendDefinition, settings: Settings, diagnostics: Diagnostics) -> dict[str, Any]:
    """Plain values of all arguments; of mistakes in the block, diagnostics."""
    values = {argument.name: argument.default for argument in definition.arguments}
    body, range = settings.backend_body, settings.range
    if body is None or range is None:
        return values
    required = [argument.name for argument in definition.arguments if argument.required]
    check_body(body, Shape(tuple(values), required), f'backend "{definition.name}"', range, diagnostics)
    for argument in definition.arguments:
        given = body.argument(argument.name)
        if given is None:
            continue
        if not isinstance(given.value, ast.Literal):
            diagnostics.error(
                "Unsuitable value",
                f"The state is found before anything is evaluated, so {argument.name} must be a plain value.",
                given.value.range,
            )
            continue
        try:
            values[argument.name] = to_plain(convert(from_plain(given.value.value), argument.type))
        except ConversionError as error:
            diagnostics.error("Unsuitable value", f'"{argument.name}": {error}.', given.value.range)
    return values
