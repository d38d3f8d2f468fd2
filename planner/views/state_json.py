"""The state as JSON, in the shape of `terraform show -json`; and the pieces of it that a plan shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from planner.addresses import InstanceAddress, ModulePath, ProviderAddress, module_text
from planner.resources.catalog import shown
from planner.state.model import Attributes, OutputValue, RecordedObject, Snapshot
from planner.values.marks import Sensitive, Unknown
from planner.version import VERSION

NO_PROVIDER = "lunform"
"""Who stands for resources that are only recorded."""


def state_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """What is recorded; of sensitive outputs only that they are there. `lineage`, `serial` and `protected` are ours."""
    objects = sorted(snapshot.objects.values(), key=lambda object: object.address)
    return {
        "format_version": "1.0",
        "lunform_version": VERSION,
        "lineage": snapshot.lineage,
        "serial": snapshot.serial,
        "values": {
            "outputs": outputs_json(snapshot.outputs),
            "root_module": module_tree((object.address, object_to_json(object)) for object in objects),
        },
    }


def object_to_json(object: RecordedObject) -> dict[str, Any]:
    """One recorded object, as it is in the state's JSON."""
    return {
        **resource_json(object.address, str(object.provider or NO_PROVIDER)),
        "schema_version": 0,
        "values": plain(shown(object.address.type, object.attributes)),
        "sensitive_values": {},
        "depends_on": [str(address) for address in object.dependencies],
        "protected": object.protected,
    }


def resource_json(address: InstanceAddress, provider: str) -> dict[str, Any]:
    """Which resource it is, in the names of Terraform's formats."""
    named: dict[str, Any] = {"address": str(address)}
    if address.module:
        named["module_address"] = module_text(address.module)
    named |= {"mode": "managed", "type": address.type, "name": address.name}
    if address.key is not None:
        named["index"] = address.key
    return named | {"provider_name": provider}


def provider_name(
    own: ProviderAddress | None, attributes: Attributes | None, pools: Mapping[str, ProviderAddress | None]
) -> str:
    """A volume without a provider of its own goes through its pool's."""
    pool = (attributes or {}).get("pool")
    return str(own or (pools.get(pool) if isinstance(pool, str) else None) or NO_PROVIDER)


def module_tree(resources: Iterable[tuple[InstanceAddress, Mapping[str, Any]]]) -> dict[str, Any]:
    """Resources under the modules that they are in: `{"resources": [...], "child_modules": [{"address", ...}]}`."""
    modules: dict[ModulePath, dict[str, Any]] = {(): {}}

    def module(path: ModulePath) -> dict[str, Any]:
        if path not in modules:
            modules[path] = {"address": module_text(path)}
            module(path[:-1]).setdefault("child_modules", []).append(modules[path])
        return modules[path]

    for address, resource in resources:
        own = {name: value for name, value in resource.items() if name != "module_address"}
        module(address.module).setdefault("resources", []).append(own)
    return modules[()]


def outputs_json(outputs: Mapping[str, OutputValue]) -> dict[str, Any]:
    """`{"name": {"sensitive", "value"}}`; no value where it is sensitive, or known only after apply."""
    return {
        name: {"sensitive": output.sensitive}
        | ({} if output.sensitive or isinstance(output.value, Unknown) else {"value": plain(output.value)})
        for name, output in sorted(outputs.items())
    }


def plain(value: Any) -> Any:
    """What JSON has a text for. Unknown attributes are left out, unknown elements and sensitive values are null."""
    match value:
        case Mapping():
            return {name: plain(item) for name, item in sorted(value.items()) if not isinstance(item, Unknown)}
        case tuple() | list():
            return [plain(item) for item in value]
        case Unknown() | Sensitive():
            return None
        case Fraction():
            return float(value)
        case _:
            return value
