from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from planner.sdk import (
    Attach,
    Conflict,
    CreateVolume,
    Done,
    GrantAccess,
    Missing,
    Owner,
    Pending,
    Qos,
    Rejected,
    ResizeVolume,
)

HOUR = 3600.0


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock forward by seconds."""

    def forward(seconds: float) -> None:
        now = time.time() + seconds
        monkeypatch.setattr(time, "time", lambda: now)

    return forward


def ask(site: Any, name: str, intent: str) -> Any:
    owner = Owner("lineage", "volume.v", intent)
    return site.array.create_async(CreateVolume(site.pool, name, 1 << 30, Qos(1, 2, 3), owner, metadata={"team": "db"}))


def grow(site: Any, volume: str) -> Any:
    return site.array.resize_async(ResizeVolume(site.pool, volume, 2 << 30))


def sizes(site: Any) -> list[int]:
    return [volume.size >> 30 for volume in site.array.list_volumes(site.pool)]


def test_a_change_takes_effect_at_its_time_without_being_polled(
    open_site: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    volume = open_site().create().id
    site = open_site(async_after=HOUR * 1000)
    reply = grow(site, volume)
    assert isinstance(reply, Pending)
    assert reply.poll_after == HOUR
    pass_time(HOUR - 1)
    assert sizes(site) == [1]
    waiting = site.array.poll(reply.job)
    assert isinstance(waiting, Pending)
    assert 0 < waiting.poll_after <= 1
    pass_time(2)
    assert sizes(open_site()) == [2]


def test_what_is_made_is_listed_at_once_and_answered_at_its_time(open_site: Callable[..., Any]) -> None:
    site = open_site(async_after=HOUR * 1000)
    reply = ask(site, "v", "1" * 16)
    assert isinstance(site.array.poll(reply.job), Pending)
    assert site.names() == ["v"]


def test_poll_answers_what_the_call_would_have(
    open_site: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    slow, quick = open_site(async_after=1), open_site()
    create = ask(slow, "v", "1" * 16)
    pass_time(1)
    volume = slow.array.poll(create.job).value
    assert Done(volume) == ask(quick, "v", "1" * 16)
    request = GrantAccess(slow.pool, volume.id, slow.kvm1)
    grant = slow.array.grant_access(request)
    pass_time(1)
    assert quick.array.poll(grant.job) == quick.array.grant_access(request)
    (listed,) = slow.array.list_volumes(slow.pool)
    assert isinstance(listed.grants, tuple)


def test_what_is_refused_now_is_refused_at_once(open_site: Callable[..., Any]) -> None:
    open_site().create("v")
    site = open_site(async_after=HOUR * 1000)
    with pytest.raises(Conflict):
        ask(site, "v", "1" * 16)
    with pytest.raises(Missing):
        site.delete("vol-9")


def test_what_has_come_in_between_is_told_by_poll(
    open_site: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    volume = open_site().create().id
    site = open_site(async_after=HOUR * 1000)
    reply = grow(site, volume)
    open_site().delete(volume)
    pass_time(HOUR + 1)
    for _ in range(2):
        with pytest.raises(Missing) as caught:
            site.array.poll(reply.job)
        assert caught.value.detail


def test_what_is_due_happens_before_the_next_change(
    open_site: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    ask(open_site(async_after=HOUR * 1000), "v", "1" * 16)
    pass_time(HOUR + 1)
    with pytest.raises(Conflict):
        ask(open_site(), "v", "2" * 16)
    assert open_site().names() == ["v"]


def test_rehearsal_leaves_nothing_behind(open_site: Callable[..., Any]) -> None:
    volume = open_site().create().id
    site = open_site(async_after=HOUR * 1000)
    grow(site, volume)
    assert site.array.pool_status(site.pool).used == 1 << 30


def test_a_hosts_jobs_are_done_by_the_array_too(
    open_site: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    quick = open_site()
    volume = quick.create().id
    path = quick.grant(volume)
    owner = Owner("lineage", "volume.v", "a" * 16)
    request = Attach(quick.host(), "db-01", volume, path, "s1", 1 << 30, None, None, False, Qos(0, 1, 2), owner)
    reply = open_site(async_after=HOUR * 1000).hypervisor.attach(request, None)
    pass_time(HOUR + 1)
    with pytest.raises(Rejected, match="in use"):
        quick.revoke(volume)
    assert quick.array.poll(reply.job) == quick.hypervisor.attach(request, None)


@pytest.mark.parametrize("job", ["", "job-", "job-9", "vol-1", "job-1; DROP TABLE job"])
def test_unknown_job_is_missing(site: Any, job: str) -> None:
    with pytest.raises(Missing):
        site.array.poll(job)
