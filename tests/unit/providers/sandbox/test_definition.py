from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import DeletedVolumes, HypervisorProvider, QosPolicies, Rejected, Snapshots, StorageProvider, VmHosts
from providers.sandbox import PROVIDER
from providers.sandbox.definition import SETTINGS, FaultRule, read_settings


def test_nothing_given_means_the_declared_defaults() -> None:
    settings = read_settings(dict.fromkeys(argument.name for argument in SETTINGS))
    assert settings == read_settings({})
    assert settings.path == Path("sandbox.db")
    assert settings.enforces == {"floor", "ceiling", "burst", "bandwidth"}
    assert settings.host_enforces == {"ceiling", "burst", "bandwidth"}
    assert (settings.images, settings.policies) == (True, False)
    assert (settings.latency, settings.async_after, settings.iops_range, settings.chap_seed) == (0, 0, None, None)


def test_arguments_are_read_in_the_units_of_the_code() -> None:
    settings = read_settings(
        {
            "latency": 20,
            "async_after": 1500,
            "enforces": ("floor",),
            "host_enforces": (),
            "size_granularity": "1MiB",
            "iops_range": (50, 200000),
            "faults": ({"verb": "attach", "effect": "retry", "match": None, "times": 2},),
        }
    )
    assert (settings.latency, settings.async_after) == (0.02, 1.5)
    assert (settings.enforces, settings.host_enforces) == ({"floor"}, frozenset())
    assert (settings.size_granularity, settings.iops_range) == (1 << 20, (50, 200000))
    assert settings.faults == (FaultRule("attach", "retry", "*", 2),)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("latency", -1),
        ("async_after", -1),
        ("enforces", ("floors",)),
        ("host_enforces", ("floor",)),
        ("size_granularity", "4096"),
        ("size_granularity", "0B"),
        ("iops_range", (50,)),
        ("iops_range", (200, 100)),
        ("faults", ({"verb": "create", "effect": "refuse"},)),
        ("faults", ({"verb": "create_async", "effect": "explode"},)),
    ],
)
def test_a_value_that_means_nothing_is_rejected_by_its_argument(argument: str, value: Any) -> None:
    with pytest.raises(Rejected) as caught:
        read_settings({argument: value})
    assert f'"{argument}"' in caught.value.detail


def test_the_seed_of_the_secrets_is_not_shown() -> None:
    assert "hush" not in repr(read_settings({"chap_seed": "hush"}))
    assert next(argument for argument in SETTINGS if argument.name == "chap_seed").sensitive


def test_every_protocol_call_can_be_named_by_a_fault() -> None:
    kinds = (StorageProvider, QosPolicies, Snapshots, DeletedVolumes, HypervisorProvider, VmHosts)
    calls = {name for kind in kinds for name in vars(kind) if name[0] != "_"}
    for call in calls - {"close"}:
        read_settings({"faults": ({"verb": call, "effect": "refuse"},)})


def test_opening_needs_no_file(tmp_path: Path) -> None:
    assert PROVIDER.open_storage and PROVIDER.open_hypervisor
    PROVIDER.open_storage({"path": str(tmp_path / "sandbox.db")})
    PROVIDER.open_hypervisor({"path": str(tmp_path / "sandbox.db")})
    assert list(tmp_path.iterdir()) == []


def test_the_definition_loads_without_what_only_calls_need() -> None:
    program = "import sys, providers.sandbox; print({'sqlite3', 'hmac', 'pytest'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
