"""
Providers and backends by name. Providers are found by the entry point group `lunform.providers`; ours use the same door
as anybody's.
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
from planner.sdk.provider import ProviderDefinition
from planner.sdk.storage import StorageProvider
from planner.state.store import StateStore
from planner.syntax import ast

PROVIDER_GROUP = "lunform.providers"
DEFAULT_STATE = "lunform.state"


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


def open_store(settings: Settings, directory: Path) -> tuple[StateStore | None, Diagnostics]:
    """The state that the configuration names; a SQLite file beside it where it names none."""
    diagnostics = Diagnostics()
    if settings.backend != "sqlite":
        diagnostics.error(
            "Unknown backend",
            f'There is no backend "{settings.backend}".{did_you_mean(settings.backend, ["sqlite"])}',
            settings.range,
        )
        return None, diagnostics
    path = DEFAULT_STATE
    if settings.backend_body is not None and settings.range is not None:
        check_body(settings.backend_body, Shape(("path",)), 'backend "sqlite"', settings.range, diagnostics)
        given = settings.backend_body.argument("path")
        if given is not None:
            if isinstance(given.value, ast.Literal) and isinstance(given.value.value, str):
                path = given.value.value
            else:
                diagnostics.error(
                    "Unsuitable value",
                    "The state is found before anything is evaluated, so path must be a plain string.",
                    given.value.range,
                )
    from planner.state.sqlite import open_sqlite

    return open_sqlite(directory / path), diagnostics
