"""
All that a provider author imports.

    storage, hypervisor   what a provider does: the two protocols, their requests and their answers
    errors                what a provider says of a call that failed
    provider              what a provider package declares of itself
    conformance           the suite that every provider passes; imports pytest, so it is not re-exported here

From the rest of planner come only the words for declaring arguments, and sizes with units.
"""

from planner.resources.schema import Argument, Unit
from planner.sdk.errors import (
    Conflict,
    Missing,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Retryable,
    Unreachable,
)
from planner.sdk.hypervisor import (
    ActualAttachment,
    Attach,
    Attachment,
    Detach,
    HostInfo,
    HostSpec,
    HypervisorProvider,
    UpdateAttachment,
)
from planner.sdk.provider import ProviderDefinition, Settings
from planner.sdk.storage import (
    AccessPath,
    ActualVolume,
    ArrayInfo,
    ArrayLimits,
    CreateVolume,
    Credentials,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    Owner,
    Pending,
    PoolSpec,
    PoolStatus,
    Qos,
    Reply,
    ResizeVolume,
    RevokeAccess,
    StorageProvider,
    UpdateQos,
)
from planner.units import UnitError, format_size, parse_size
from planner.values.types import BOOL, NUMBER, STRING, ListType, MapType, ObjectType, SetType, Type

__all__ = [
    "BOOL",
    "NUMBER",
    "STRING",
    "AccessPath",
    "ActualAttachment",
    "ActualVolume",
    "Argument",
    "ArrayInfo",
    "ArrayLimits",
    "Attach",
    "Attachment",
    "Conflict",
    "CreateVolume",
    "Credentials",
    "DeleteVolume",
    "Detach",
    "Done",
    "Endpoint",
    "GrantAccess",
    "HostInfo",
    "HostSpec",
    "HypervisorProvider",
    "ListType",
    "MapType",
    "Missing",
    "ObjectType",
    "OutcomeUnknown",
    "Owner",
    "Pending",
    "PoolSpec",
    "PoolStatus",
    "ProviderDefinition",
    "ProviderError",
    "Qos",
    "Rejected",
    "Reply",
    "ResizeVolume",
    "Retryable",
    "RevokeAccess",
    "SetType",
    "Settings",
    "StorageProvider",
    "Type",
    "Unit",
    "UnitError",
    "Unreachable",
    "UpdateAttachment",
    "UpdateQos",
    "format_size",
    "parse_size",
]
