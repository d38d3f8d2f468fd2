from planner.sdk import AccessPath, DeleteVolume, Detach, Endpoint, HostSpec, PoolSpec, RevokeAccess
from providers.sandbox import PROVIDER

settings = {"path": "sandbox.db", "undelete_for": 28800000}
array, hypervisor, pool = PROVIDER.open_storage(settings), PROVIDER.open_hypervisor(settings), PoolSpec("pool.ssd")
(volume,) = array.list_volumes(pool)
host = HostSpec('host.kvm["a"]', "a", "10.0.0.1", "iqn.1993-08.org.debian:01:a")
(disk,) = hypervisor.list_attachments(host)
path = AccessPath(volume.portal, volume.iqn, volume.lun)
hypervisor.detach(Detach(host, "db-01", disk.device, disk.serial, path))
array.revoke_access(RevokeAccess(pool, volume.id, Endpoint("a", host.network_address, host.initiator)))
array.delete_async(DeleteVolume(pool, volume.id))
