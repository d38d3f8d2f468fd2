from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planner.sdk import (
    OutcomeUnknown,
    ProviderError,
    Qos,
    Rejected,
    ResizeVolume,
    Retryable,
    Unreachable,
    UpdatePolicy,
)

GIB = 1 << 30


def rule(verb: str, effect: str, match: str | None = None, times: int | None = None) -> dict[str, Any]:
    return {"verb": verb, "effect": effect, "match": match, "times": times}


@pytest.mark.parametrize(
    ("effect", "error", "happened"),
    [
        ("refuse", Rejected, False),
        ("retry", Retryable, False),
        ("unreachable", Unreachable, False),
        ("lose", OutcomeUnknown, True),
    ],
)
def test_effect_says_what_became_of_the_call(
    open_site: Callable[..., Any], effect: str, error: type[ProviderError], happened: bool
) -> None:
    site = open_site(faults=(rule("create_async", effect),))
    with pytest.raises(error) as caught:
        site.create("v")
    assert type(caught.value) is error
    assert site.names() == (["v"] if happened else [])


def test_a_lost_answer_is_found_by_asking_again(open_site: Callable[..., Any]) -> None:
    site = open_site(faults=(rule("create_async", "lose", times=1),))
    with pytest.raises(OutcomeUnknown):
        site.create("v", intent="1" * 16)
    (found,) = site.array.list_volumes(site.pool)
    assert found.owner.intent == "1" * 16
    assert site.create("v", intent="1" * 16) == found


def test_a_lost_answer_of_a_pending_call_leaves_the_job(open_site: Callable[..., Any]) -> None:
    site = open_site(faults=(rule("create_async", "lose", times=1),), async_after=1)
    with pytest.raises(OutcomeUnknown):
        site.create("v", intent="1" * 16)
    assert site.create("v", intent="1" * 16).id == "vol-1"
    assert site.names() == ["v"]


def test_a_rule_hits_as_often_as_it_says_whoever_calls(open_site: Callable[..., Any]) -> None:
    faults = (rule("create_async", "retry", times=3),)
    for _ in range(3):
        with pytest.raises(Retryable):
            open_site(faults=faults).create("v")
    open_site(faults=faults).create("v")


def test_a_rule_without_times_hits_every_call(open_site: Callable[..., Any]) -> None:
    site = open_site(faults=(rule("pool_status", "unreachable"),))
    for _ in range(5):
        with pytest.raises(Unreachable, match=r"sandbox\.db"):
            site.array.pool_status(site.pool)


def test_rules_are_tried_in_their_order(open_site: Callable[..., Any]) -> None:
    site = open_site(faults=(rule("create_async", "retry", times=1), rule("create_async", "refuse", times=1)))
    with pytest.raises(Retryable):
        site.create("v")
    with pytest.raises(Rejected):
        site.create("v")
    site.create("v")


def test_a_changed_rule_counts_anew(open_site: Callable[..., Any]) -> None:
    for times in (1, 2, 2):
        with pytest.raises(Retryable):
            open_site(faults=(rule("create_async", "retry", times=times),)).create("v")
    open_site(faults=(rule("create_async", "retry", times=1),)).create("v")


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ("*", True),
        ("db-wal", True),
        ("db-*", True),
        ("*wal", True),
        ('volume.db["wal"]', True),
        ("volume.db[*]", True),
        ("db", False),
        ("*data", False),
        ("volume.db", False),
        ("db?wal", False),
        ("db.wal", False),
    ],
)
def test_match_is_the_volumes_name_or_address(open_site: Callable[..., Any], match: str, hit: bool) -> None:
    faults = tuple(rule(verb, "refuse", match) for verb in ("create_async", "resize_async"))
    volume = open_site().create("db-wal", address='volume.db["wal"]')
    site = open_site(faults=faults)
    calls = (
        lambda: site.array.resize_async(ResizeVolume(site.pool, volume.id, 2 * GIB)),
        lambda: site.create("db-wal", address='volume.db["wal"]', intent=volume.owner.intent),
    )
    for call in calls:
        if hit:
            with pytest.raises(Rejected, match="The sandbox refuses"):
                call()
        else:
            call()


def test_match_of_a_read_is_the_pools_or_hosts_address(open_site: Callable[..., Any]) -> None:
    site = open_site(
        faults=(rule("list_volumes", "unreachable", "pool.*"), rule("list_attachments", "retry", "host.kvm2"))
    )
    with pytest.raises(Unreachable):
        site.names()
    assert list(site.hypervisor.list_attachments(site.host())) == []
    with pytest.raises(Retryable):
        site.hypervisor.list_attachments(site.host(site.kvm2))


@pytest.mark.parametrize("verb", ["grant_access", "attach", "detach", "revoke_access", "delete_async"])
def test_each_step_can_fail_by_the_volumes_name(open_site: Callable[..., Any], verb: str) -> None:
    site = open_site(faults=(rule(verb, "retry", "v", times=1),))
    volume = site.create("v")

    def twice(expected: str, call: Callable[[], Any]) -> Any:
        if expected == verb:
            with pytest.raises(Retryable):
                call()
        return call()

    path = twice("grant_access", lambda: site.grant(volume.id))
    twice("attach", lambda: site.attach(path))
    twice("detach", lambda: site.detach(path))
    twice("revoke_access", lambda: site.revoke(volume.id))
    twice("delete_async", lambda: site.delete(volume.id))


def test_other_verbs_go_on(open_site: Callable[..., Any]) -> None:
    site = open_site(faults=(rule("attach", "refuse"),))
    site.grant(site.create().id)


@pytest.mark.parametrize("verb", ["create_vm", "update_vm", "set_power", "delete_vm"])
@pytest.mark.parametrize(("match", "hit"), [("web", True), ("vm.web", True), ("vm.*", True), ("db-01", False)])
def test_calls_about_a_vm_can_fail_by_its_name_or_address(
    open_site: Callable[..., Any], verb: str, match: str, hit: bool
) -> None:
    site = open_site(faults=(rule(verb, "lose", match, times=1),))
    owner = {"intent": "1" * 16}
    calls = {
        "create_vm": lambda: site.create_vm("web", **owner),
        "update_vm": lambda: site.update_vm(3, GIB),
        "set_power": lambda: site.set_power(False),
        "delete_vm": lambda: site.delete_vm(),
    }
    for name, call in calls.items():
        if hit and name == verb:
            with pytest.raises(OutcomeUnknown):
                call()
        call()


def test_a_policy_can_fail_by_its_name(open_site: Callable[..., Any]) -> None:
    site = open_site(policies=True, faults=(rule("update_policy", "retry", "gold"), rule("list_policies", "refuse")))
    for name in ("gold", "silver"):
        site.create(name, qos=Qos(1, 2, 3), policy=name)
    site.array.update_policy(UpdatePolicy("silver", Qos(1, 2, 4)))
    with pytest.raises(Retryable):
        site.array.update_policy(UpdatePolicy("gold", Qos(1, 2, 4)))
    with pytest.raises(Rejected):
        site.array.list_policies()
