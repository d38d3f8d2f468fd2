"""What a refresh costs: calls by pool and host, never by volume."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planner import operations
from planner.planning.builder import PlanRequest
from tests.project import Project, wrapped

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 1
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

pool "b" {
  provider = sandbox
}

host "kvm" {
  count    = 3
  provider = sandbox
  address  = "10.0.0.${count.index}"
}

variable "volumes" {
  type = number
}

volume "db" {
  count    = var.volumes
  offering = disk_offering.fast
  size     = "1GiB"
  pool     = count.index % 2 == 0 ? pool.a : pool.b

  attach {
    host = host.kvm[count.index % 3]
    vm   = "vm-${count.index}"
  }
}
"""


class Calls:
    """Counts the calls of all providers that are opened through it."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self._lock = threading.Lock()

    def wrap(self, provider: Any) -> Any:
        return _Counted(provider, self)

    def count(self, name: str) -> None:
        with self._lock:
            self.made[name] += 1


class _Counted:
    def __init__(self, provider: Any, calls: Calls) -> None:
        self._provider, self._calls = provider, calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._provider, name)

        def call(*arguments: Any) -> Any:
            self._calls.count(f"{type(self._provider).__name__}.{name}")
            return method(*arguments)

        return call


@pytest.mark.parametrize(
    ("request_", "inspected"), [(PlanRequest(refresh_only=True), 0), (PlanRequest(), 3)], ids=["refresh-only", "plan"]
)
@pytest.mark.parametrize("volumes", [6, 1000])
def test_calls_do_not_grow_with_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, volumes: int, request_: PlanRequest, inspected: int
) -> None:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply(volumes=str(volumes)).complete
    calls = Calls()
    monkeypatch.setattr(operations, "OpenProviders", wrapped(calls.wrap, calls.wrap))

    plan = project.plan(request_, volumes=str(volumes))

    assert plan.is_empty
    assert len([change for change in plan.changes if change.address.type == "volume"]) == volumes
    assert calls.made == {
        "SandboxArray.inspect": 1,
        "SandboxArray.pool_status": 2,
        "SandboxArray.list_volumes": 2,
        "SandboxHypervisor.list_attachments": 3,
        **({"SandboxHypervisor.inspect": inspected} if inspected else {}),
    }
