from __future__ import annotations

import pytest

from planner.steps.builder import host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("host.kvm", "kvm"),
        ("host.kvm[2]", "kvm-2"),
        ('host.kvm["kvm1"]', "kvm1"),
        ('host.kvm["kvm1.example.com"]', "kvm1.example.com"),
        ('module.east["a.b"].host.kvm["x"]', "x"),
    ],
)
def test_a_host_is_named_by_its_key_or_its_block(host: str, name: str) -> None:
    assert host_name(host) == name
