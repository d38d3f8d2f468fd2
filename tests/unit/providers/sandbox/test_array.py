from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import (
    Conflict,
    Endpoint,
    Missing,
    PoolSpec,
    PoolStatus,
    Qos,
    Rejected,
    ResizeVolume,
    UpdateQos,
)

GIB = 1 << 30


ALL = frozenset({"floor", "ceiling", "burst", "bandwidth"})


def pool(**arguments: Any) -> PoolSpec:
    return PoolSpec("pool.fast", arguments)


def test_pool_that_nobody_used_is_empty(site: Any) -> None:
    assert site.array.pool_status(pool(size="10GiB", iops=1000)) == PoolStatus(10 * GIB, 0, 1000, 0, ALL, "pool.fast")
    assert site.array.pool_status(pool()) == PoolStatus(None, 0, None, 0, ALL, "pool.fast")
    assert site.names() == []


def test_pool_is_filled_to_the_last_byte_and_no_further(site: Any) -> None:
    full = pool(size="3GiB")
    site.create("a", 2 * GIB, pool=full)
    with pytest.raises(Rejected) as caught:
        site.create("b", GIB + 512, pool=full)
    assert "1GiB of 3GiB left" in caught.value.detail
    site.create("c", GIB, pool=full)
    assert site.array.pool_status(full).used == 3 * GIB


def test_floors_are_given_out_to_the_last_one_and_no_further(site: Any) -> None:
    budget = pool(iops=1000)
    volume = site.create("a", qos=Qos(700, 5000, 9000), pool=budget)
    with pytest.raises(Rejected):
        site.create("b", qos=Qos(301, 5000, 9000), pool=budget)
    site.create("c", qos=Qos(300, 5000, 9000), pool=budget)
    with pytest.raises(Rejected):
        site.array.update_qos(UpdateQos(budget, volume.id, Qos(701, 5000, 9000)))
    site.array.update_qos(UpdateQos(budget, volume.id, Qos(100, 5000, 9000)))
    assert site.array.pool_status(budget).floors == 400


def test_growth_must_fit_the_pool(site: Any) -> None:
    full = pool(size="3GiB")
    volume = site.create("a", 2 * GIB, pool=full)
    with pytest.raises(Rejected):
        site.array.resize_async(ResizeVolume(full, volume.id, 4 * GIB))
    site.array.resize_async(ResizeVolume(full, volume.id, 3 * GIB))
    assert site.array.pool_status(full).used == 3 * GIB


def test_pool_made_smaller_than_its_volumes_takes_less_and_nothing_more(site: Any) -> None:
    volume = site.create("a", 2 * GIB, Qos(500, 500, 500))
    small = pool(size="1GiB", iops=100)
    with pytest.raises(Rejected):
        site.create("b", 512, pool=small)
    site.array.update_qos(UpdateQos(small, volume.id, Qos(400, 400, 400)))
    site.delete(volume.id)
    site.create("b", 512, pool=small)


def test_foreign_volumes_count(site: Any) -> None:
    site.create("ours")
    site.write("INSERT INTO volume (pool, name, size, min_iops) VALUES ('pool.fast', 'theirs', ?, 90)", 2 * GIB)
    assert site.array.pool_status(pool()) == PoolStatus(None, 3 * GIB, None, 90, ALL, "pool.fast")
    with pytest.raises(Conflict):
        site.create("theirs")
    site.write("DELETE FROM volume WHERE name = 'theirs'")
    assert site.array.pool_status(pool()) == PoolStatus(None, GIB, None, 0, ALL, "pool.fast")


def test_pools_share_nothing_but_the_array(site: Any) -> None:
    other = pool(name="slow")
    first, second = site.create("same"), site.create("same", pool=other)
    assert first.id != second.id
    assert (site.names(), site.names(other)) == (["same"], ["same"])
    assert site.names(PoolSpec("pool.renamed", {"name": "slow"})) == ["same"]


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "grün", "a\n", "n" * 65])
def test_name_outside_the_rules_is_rejected(site: Any, name: str) -> None:
    with pytest.raises(Rejected):
        site.create(name)


@pytest.mark.parametrize("name", ["a", "7", "volume.db-1_wal", "n" * 64])
def test_name_within_the_rules_is_taken(site: Any, name: str) -> None:
    assert site.create(name).name == name


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1 << 20, True), ((1 << 20) + 512, False), (3 << 20, True)])
def test_size_is_a_multiple_of_the_granularity(open_site: Callable[..., Any], size: int, taken: bool) -> None:
    site = open_site(size_granularity="1MiB")
    assert site.array.inspect().limits.size_granularity == 1 << 20
    if taken:
        assert site.create(size=size).size == size
    else:
        with pytest.raises(Rejected):
            site.create(size=size)


@pytest.mark.parametrize(
    ("qos", "taken"),
    [
        (Qos(50, 1000, 2000), True),
        (Qos(50, 50, 50), True),
        (Qos(50, 1000, 2000, 1 << 20), True),
        (Qos(50, 1000, 0), True),
        (Qos(0, 0, 0, 1 << 20), True),
        (Qos(0, 0, 0, -1), False),
        (Qos(50, 0, 2001), False),
        (Qos(0, 1000, 2000), False),
        (Qos(49, 1000, 2000), False),
        (Qos(50, 1000, 2001), False),
        (Qos(200, 100, 300), False),
        (Qos(100, 300, 200), False),
    ],
)
def test_figures_are_ordered_and_in_range(open_site: Callable[..., Any], qos: Qos, taken: bool) -> None:
    site = open_site(iops_range=(50, 2000))
    assert site.array.inspect().limits.min_iops == (50, 2000)
    volume = site.create()
    if taken:
        assert site.array.update_qos(UpdateQos(site.pool, volume.id, qos)).value.qos == qos
    else:
        with pytest.raises(Rejected):
            site.array.update_qos(UpdateQos(site.pool, volume.id, qos))
        with pytest.raises(Rejected):
            site.create("other", qos=qos)


def test_qos_may_be_taken_off_again(site: Any) -> None:
    volume = site.create(qos=Qos(100, 200, 300))
    assert site.array.update_qos(UpdateQos(site.pool, volume.id, None)).value.qos is None
    assert site.array.pool_status(site.pool).floors == 0


def test_abilities_follow_the_settings(open_site: Callable[..., Any]) -> None:
    site = open_site(enforces=("ceiling",))
    assert site.array.pool_status(site.pool).enforces == {"ceiling"}
    assert open_site().array.inspect().supports == {"resize", "update_qos", "acl", "image", "clone", "snapshot"}
    assert open_site(chap_seed="seed", policies=True, images=False).array.inspect().supports == {
        *("resize", "update_qos", "acl", "chap", "qos_policy", "clone", "snapshot")
    }
    assert open_site(copies=False, undelete_for=1000).array.inspect().supports == {
        *("resize", "update_qos", "acl", "image", "undelete")
    }


def test_a_pool_may_hold_other_figures_than_the_rest_of_the_array(open_site: Callable[..., Any]) -> None:
    site = open_site(enforces=("floor",))
    assert site.array.pool_status(pool()).enforces == {"floor"}
    assert site.array.pool_status(pool(enforces=())).enforces == frozenset()
    assert site.array.pool_status(pool(enforces=("ceiling", "bandwidth"))).enforces == {"ceiling", "bandwidth"}
    with pytest.raises(Rejected, match="settings") as caught:
        site.array.pool_status(pool(enforces=("ceilings",)))
    assert '"enforces" of pool.fast' in caught.value.detail


def test_bandwidth_is_listed_and_may_be_the_only_limit(site: Any) -> None:
    volume = site.create(qos=Qos(0, 0, 0, 400 << 20))
    assert site.names() == ["v"]
    for qos in (Qos(100, 200, 300, 5 << 20), Qos(100, 200, 300), Qos(0, 0, 0, 7)):
        site.array.update_qos(UpdateQos(site.pool, volume.id, qos))
        (listed,) = site.array.list_volumes(site.pool)
        assert listed.qos == qos


# images


def image(directory: Path, size: int) -> str:
    path = directory / "debian.raw"
    with path.open("wb") as file:
        file.truncate(size)
    return str(path)


def test_a_volume_is_made_from_an_image_that_fits(site: Any, tmp_path: Path) -> None:
    source = image(tmp_path, GIB)
    assert site.create("root", GIB, source=source).size == GIB
    with pytest.raises(Rejected, match="does not fit"):
        site.create("small", GIB - 512, source=source)
    for missing in (str(tmp_path / "none.raw"), str(tmp_path)):
        with pytest.raises(Rejected, match="No such image"):
            site.create("none", source=missing)
    assert site.names() == ["root"]


def test_an_image_is_needed_only_to_make_the_volume(site: Any, tmp_path: Path) -> None:
    source = image(tmp_path, GIB)
    volume = site.create("root", source=source, intent="1" * 16)
    Path(source).unlink()
    assert site.create("root", source=source, intent="1" * 16) == volume


def test_an_array_without_images_makes_no_volume_from_one(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site(images=False)
    with pytest.raises(Rejected, match="images"):
        site.create("root", source=image(tmp_path, GIB))
    assert site.names() == []


def test_a_granted_volume_is_not_deleted(site: Any) -> None:
    volume = site.create()
    site.grant(volume.id)
    with pytest.raises(Rejected):
        site.delete(volume.id)
    site.revoke(volume.id)
    site.delete(volume.id)
    assert site.names() == []


def test_a_volume_in_use_is_neither_revoked_nor_deleted(site: Any) -> None:
    volume = site.create()
    path = site.grant(volume.id)
    site.grant(volume.id, site.kvm2)
    site.attach(path)
    with pytest.raises(Rejected):
        site.revoke(volume.id)
    with pytest.raises(Rejected):
        site.delete(volume.id)
    site.revoke(volume.id, site.kvm2)  # nobody there has it
    site.detach(path)
    site.revoke(volume.id)
    site.delete(volume.id)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (Endpoint("h", "10.0.0.9", "iqn.2000-01.test:h"), "iqn.2000-01.test:h"),
        (Endpoint("h", "10.0.0.9", None), "10.0.0.9"),
    ],
)
def test_endpoint_is_let_in_by_initiator_or_else_by_address(site: Any, endpoint: Endpoint, name: str) -> None:
    volume = site.create()
    site.grant(volume.id, endpoint)
    (listed,) = site.array.list_volumes(site.pool)
    assert listed.grants == (name,)


def test_endpoint_without_a_name_is_rejected(site: Any) -> None:
    with pytest.raises(Rejected):
        site.grant(site.create().id, Endpoint("h", None, None))


@pytest.mark.parametrize("volume", ["vol-2", "vol-", "vol--1", "1", "", "vol-1'", "vol-²"])
def test_an_id_that_was_never_given_is_missing(site: Any, volume: str) -> None:
    site.create()
    with pytest.raises(Missing):
        site.delete(volume)
