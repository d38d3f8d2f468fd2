"""What a provider package declares of itself: the object behind an entry point of the group `lunform.providers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from planner.addresses import ProviderAddress
from planner.resources.schema import Argument
from planner.sdk.hypervisor import HypervisorProvider
from planner.sdk.storage import StorageProvider
from planner.values.types import NUMBER

Settings = Mapping[str, Any]
"""The evaluated arguments of a `provider` block: plain data by argument name, None for what was left out."""

MAX_CALLS = Argument(
    "max_calls",
    NUMBER,
    "How much may be under way at it at once: reads, or changes with those that it works on by itself. Left out: what"
    " the provider says that it bears.",
)
"""What every `provider` block takes besides its provider's own settings. It is Lunform's, and no provider is told."""


@dataclass(frozen=True, slots=True)
class ProviderDefinition:
    """
    Attributes:
        name: as written in `provider "name"`; also the entry point's name.
        settings: arguments of the `provider` block.
        pool_arguments, host_arguments: further arguments that `pool` and `host` blocks of this provider take. They are
            recorded, and none can be sensitive.
        open_storage, open_hypervisor: connect lazily; None for a kind that the provider is not.
            They raise nothing that the network causes: the first call does.
        max_calls: how much it bears at once where the `provider` block does not say, as in `MAX_CALLS`; None for any
            number.
    """

    name: str
    summary: str
    settings: tuple[Argument, ...] = ()
    pool_arguments: tuple[Argument, ...] = ()
    host_arguments: tuple[Argument, ...] = ()
    open_storage: Callable[[Settings], StorageProvider] | None = None
    open_hypervisor: Callable[[Settings], HypervisorProvider] | None = None
    max_calls: int | None = None

    def __post_init__(self) -> None:
        for argument in (*self.pool_arguments, *self.host_arguments):
            if argument.sensitive:
                raise ValueError(f"{argument.name}: pools and hosts are recorded, so only settings can be sensitive")


class Providers(Protocol):
    """The providers of a configuration, opened when first asked for and kept until the end of the run."""

    def storage(self, address: ProviderAddress) -> StorageProvider: ...

    def hypervisor(self, address: ProviderAddress) -> HypervisorProvider: ...

    def limit(self, address: ProviderAddress) -> int | None:
        """How much may be under way there at once, as in `MAX_CALLS`; None for any number."""
        ...
