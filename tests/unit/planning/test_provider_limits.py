"""No more is under way at a provider than it bears, and no more calls than the user wants."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner import operations, plugins
from planner.planning.builder import PlanRequest
from providers.sandbox import PROVIDER
from tests.project import Project, wrapped

CONFIGURATION = """
variable "max_calls" {
  type    = number
  default = null
}

provider "sandbox" {
  path      = PATH
  max_calls = var.max_calls
}

disk_offering "plain" {}

pool "a" {
  count    = 8
  provider = sandbox
}

volume "db" {
  count    = 8
  offering = disk_offering.plain
  size     = "1GiB"
  pool     = pool.a[count.index]
}
"""
PATIENCE = 30.0


class Meeting:
    """
    Lets nobody out of a call before `expected` are inside of it together, and counts how many there were at most. With
    too low a limit, those that wait for the others give up.
    """

    def __init__(self, expected: int, *verbs: str) -> None:
        self.most = 0
        self._verbs = verbs
        self._inside = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(expected)

    def wrap(self, provider: Any) -> Any:
        return _Met(provider, self)

    def meets(self, verb: str) -> bool:
        return verb in self._verbs

    def call(self, original: Callable[..., Any], *arguments: Any) -> Any:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._barrier.wait(PATIENCE)
        with self._lock:
            self._inside -= 1
        return original(*arguments)


class _Met:
    def __init__(self, provider: Any, meeting: Meeting) -> None:
        self._provider, self._meeting = provider, meeting

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._provider, name)
        if not self._meeting.meets(name):
            return method
        return lambda *arguments: self._meeting.call(method, *arguments)


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Meeting]:
    def meet(expected: int, *verbs: str) -> Meeting:
        meeting = Meeting(expected, *verbs)
        monkeypatch.setattr(operations, "OpenProviders", wrapped(meeting.wrap))
        return meeting

    return meet


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, CONFIGURATION)


@pytest.mark.parametrize(("declared", "given", "together"), [(None, "2", 2), (2, "null", 2), (2, "4", 4), (4, "2", 2)])
def test_changes_under_way_are_as_many_as_the_block_says_or_the_provider(
    project: Project,
    meet: Callable[..., Meeting],
    monkeypatch: pytest.MonkeyPatch,
    declared: int | None,
    given: str,
    together: int,
) -> None:
    definition = replace(PROVIDER, max_calls=declared)
    monkeypatch.setattr(plugins, "provider_definition", lambda name: definition)
    plan = project.plan()
    meeting = meet(together, "create_async")
    assert project.apply(plan, max_calls=given).complete
    assert meeting.most == together


def test_reads_at_once_are_limited_too(project: Project, meet: Callable[..., Meeting]) -> None:
    meeting = meet(2, "pool_status")
    project.plan(max_calls="2")
    assert meeting.most == 2


@pytest.mark.parametrize("parallelism", [2, 8])
def test_reads_at_once_are_as_many_as_the_user_wants(
    project: Project, meet: Callable[..., Meeting], parallelism: int
) -> None:
    meeting = meet(parallelism, "pool_status")
    project.plan(PlanRequest(parallelism=parallelism))
    assert meeting.most == parallelism
