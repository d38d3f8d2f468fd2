from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planner.sdk import Conflict, Missing, PoolSpec, Qos, QosPolicy, Rejected, UpdatePolicy, UpdateQos

GOLD, SILVER = Qos(100, 1000, 2000, 400 << 20), Qos(50, 500, 500)


@pytest.fixture
def site(open_site: Callable[..., Any]) -> Any:
    return open_site(policies=True)


def pool(name: str, iops: int | None) -> PoolSpec:
    return PoolSpec(f"pool.{name}", {"iops": iops})


def listed(site: Any, *pools: PoolSpec) -> dict[str, tuple[str | None, Qos | None]]:
    """(policy, figures) of all volumes, by name."""
    volumes = (volume for each in pools or (site.pool,) for volume in site.array.list_volumes(each))
    return {volume.name: (volume.policy, volume.qos) for volume in volumes}


def test_policy_is_made_with_the_figures_of_its_first_volume(site: Any) -> None:
    assert site.array.list_policies() == []
    assert site.create("a", qos=GOLD, policy="gold").policy == "gold"
    site.create("b", qos=SILVER)
    assert site.array.list_policies() == [QosPolicy("gold", GOLD)]
    assert listed(site) == {"a": ("gold", GOLD), "b": (None, SILVER)}


def test_policy_with_other_figures_is_a_conflict_and_leaves_the_volume_as_it_was(site: Any) -> None:
    site.create("a", qos=GOLD, policy="gold")
    with pytest.raises(Conflict):
        site.create("b", qos=SILVER, policy="gold")
    own = site.create("c", qos=SILVER)
    with pytest.raises(Conflict):
        site.array.update_qos(UpdateQos(site.pool, own.id, SILVER, "gold"))
    assert listed(site) == {"a": ("gold", GOLD), "c": (None, SILVER)}


def test_policy_without_figures_is_rejected(site: Any) -> None:
    with pytest.raises(Rejected):
        site.create("a", qos=None, policy="gold")
    assert (site.names(), site.array.list_policies()) == ([], [])


def test_array_without_policies_refuses_one_by_name(open_site: Callable[..., Any]) -> None:
    site = open_site()
    volume = site.create("a", qos=GOLD)
    with pytest.raises(Rejected):
        site.create("b", qos=GOLD, policy="gold")
    with pytest.raises(Rejected):
        site.array.update_qos(UpdateQos(site.pool, volume.id, GOLD, "gold"))
    assert listed(site) == {"a": (None, GOLD)}


def test_update_changes_all_volumes_of_the_policy_and_their_pools_floors(site: Any) -> None:
    fast, slow = pool("fast", 1000), pool("slow", None)
    for name, where in (("a", fast), ("b", fast), ("c", slow)):
        site.create(name, qos=GOLD, pool=where, policy="gold")
    site.create("own", qos=GOLD, pool=fast)
    site.create("silver", qos=SILVER, pool=slow, policy="silver")
    reply = site.array.update_policy(UpdatePolicy("gold", Qos(300, 3000, 3000)))
    assert reply.value == QosPolicy("gold", Qos(300, 3000, 3000))
    new = ("gold", Qos(300, 3000, 3000))
    assert listed(site, fast, slow) == {
        "a": new,
        "b": new,
        "c": new,
        "own": (None, GOLD),
        "silver": ("silver", SILVER),
    }
    assert site.array.pool_status(fast).floors == 2 * 300 + 100
    assert site.array.pool_status(slow).floors == 300 + 50


def test_update_that_one_pool_has_no_room_for_changes_nothing(site: Any) -> None:
    fast, slow = pool("fast", 10_000), pool("slow", 500)
    site.create("a", qos=GOLD, pool=fast, policy="gold")
    for name in ("b", "c"):
        site.create(name, qos=GOLD, pool=slow, policy="gold")
    site.create("other", qos=Qos(100, 100, 100), pool=slow)
    before = listed(site, fast, slow)
    with pytest.raises(Rejected) as caught:
        site.array.update_policy(UpdatePolicy("gold", Qos(201, 1000, 1000)))
    assert 'Pool "pool.slow" can guarantee 200 of 500 IOPS more; 202 more' in caught.value.detail
    assert listed(site, fast, slow) == before
    assert site.array.list_policies() == [QosPolicy("gold", GOLD)]
    site.array.update_policy(UpdatePolicy("gold", Qos(200, 1000, 1000)))
    assert site.array.pool_status(slow).floors == 500


def test_update_knows_what_a_pool_can_guarantee_as_it_was_last_said(site: Any) -> None:
    site.create("a", qos=GOLD, pool=pool("fast", 100), policy="gold")
    site.create("b", qos=GOLD, pool=pool("fast", 1000), policy="gold")
    site.array.update_policy(UpdatePolicy("gold", Qos(500, 500, 500)))
    assert site.array.pool_status(pool("fast", 1000)).floors == 1000


def test_update_goes_down_in_a_pool_that_is_too_full(site: Any) -> None:
    volume = site.create("a", qos=GOLD, pool=pool("fast", 100), policy="gold")
    site.write("INSERT INTO volume (pool, name, size, min_iops) VALUES ('pool.fast', 'theirs', 512, 90)")
    with pytest.raises(Rejected):
        site.array.update_policy(UpdatePolicy("gold", Qos(101, 1000, 1000)))
    site.array.update_policy(UpdatePolicy("gold", Qos(99, 1000, 1000)))
    assert listed(site, pool("fast", 100))[volume.name] == ("gold", Qos(99, 1000, 1000))


@pytest.mark.parametrize("qos", [Qos(200, 100, 300), Qos(10, 100, 300), Qos(50, 100, 3000)])
def test_update_takes_only_what_a_volume_might_have(open_site: Callable[..., Any], qos: Qos) -> None:
    site = open_site(policies=True, iops_range=(50, 2000))
    site.create("a", qos=GOLD, policy="gold")
    with pytest.raises(Rejected):
        site.array.update_policy(UpdatePolicy("gold", qos))
    assert listed(site) == {"a": ("gold", GOLD)}


def test_update_of_a_policy_that_never_was_is_missing(site: Any) -> None:
    with pytest.raises(Missing):
        site.array.update_policy(UpdatePolicy("gold", GOLD))


def test_volume_out_of_its_policy_keeps_the_figures_it_was_given(site: Any) -> None:
    volume = site.create("a", qos=GOLD, policy="gold")
    site.array.update_qos(UpdateQos(site.pool, volume.id, SILVER))
    site.array.update_policy(UpdatePolicy("gold", Qos(1, 2, 3)))
    assert listed(site) == {"a": (None, SILVER)}
    site.array.update_qos(UpdateQos(site.pool, volume.id, Qos(1, 2, 3), "gold"))
    assert listed(site) == {"a": ("gold", Qos(1, 2, 3))}


def test_deleted_volumes_leave_their_policy_behind(site: Any) -> None:
    site.delete(site.create("a", qos=GOLD, policy="gold").id)
    assert site.array.list_policies() == [QosPolicy("gold", GOLD)]
    site.array.update_policy(UpdatePolicy("gold", SILVER))
    assert site.array.list_policies() == [QosPolicy("gold", SILVER)]
