"""Recorded or evaluated attributes of pools and hosts as what a provider is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.addresses import parse_instance
from planner.resources.host import HOST
from planner.resources.pool import POOL
from planner.resources.schema import ResourceType

Attributes = Mapping[str, Any]


def provider_arguments(type: ResourceType, attributes: Attributes) -> dict[str, Any]:
    """The arguments that are the provider's own: those that the type itself does not know."""
    own = {argument.name for argument in type.arguments}
    return {name: value for name, value in attributes.items() if name not in own}


def pool_arguments(attributes: Attributes) -> dict[str, Any]:
    return provider_arguments(POOL, attributes)


def host_arguments(attributes: Attributes) -> dict[str, Any]:
    return provider_arguments(HOST, attributes)


def host_name(host: str) -> str:
    """A host's name for people and for groups on arrays: its key, or its block's name."""
    address = parse_instance(host)
    match address.key:
        case str(key):
            return key
        case int(key):
            return f"{address.name}-{key}"
    return address.name
