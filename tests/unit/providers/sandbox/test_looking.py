"""Looking at a sandbox that was never written leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from planner.sdk import HostSpec, PoolSpec, QosPolicies, VmHosts
from providers.sandbox import PROVIDER


def test_reads_make_no_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    assert PROVIDER.open_storage is not None and PROVIDER.open_hypervisor is not None
    array = PROVIDER.open_storage({"path": str(path)})
    hosts = PROVIDER.open_hypervisor({"path": str(path)})
    pool, host = PoolSpec("pool.a"), HostSpec("host.a", "a", None, "iqn.1993-08.org.debian:01:a")
    assert list(array.list_volumes(pool)) == list(hosts.list_attachments(host)) == []
    assert isinstance(array, QosPolicies) and isinstance(hosts, VmHosts)
    assert list(array.list_policies()) == list(hosts.list_vms(host)) == []
    assert array.pool_status(pool).used == 0
    assert array.inspect().product
    assert hosts.inspect(host).product
    array.close()
    hosts.close()
    assert list(tmp_path.iterdir()) == []
