"""
The suite that every provider passes: what the docstrings of `planner.sdk.storage` and `planner.sdk.hypervisor` promise.

    StorageConformance       what serves volumes
    PolicyConformance        what has figures besides that many volumes share
    CopyConformance          what can copy volumes besides
    DeletedConformance       what can restore a deleted volume besides
    HypervisorConformance    what attaches them
    VmConformance            what makes VMs besides

Subclass the class of your kind in a test module, and give it its one fixture:

    class TestAcme(StorageConformance):
        @pytest.fixture
        def array(self, acme):
            return ArrayUnderTest(open=lambda: AcmeArray(acme.url), pool=..., endpoints=(..., ...))

The suite makes volumes in the pool, attaches disks to the VM that it is given and makes VMs on the host, and expects
none of these to be used by anybody else meanwhile. It removes nothing at its end: tests give it a fresh pool and host,
or clear them themselves.

Ask pytest to rewrite the assertions here, so that a failure shows its values, before this module is first imported
(in a `conftest.py`):

    pytest.register_assert_rewrite("planner.sdk.conformance")
"""

from planner.sdk.conformance.copies import CopyConformance
from planner.sdk.conformance.deleted import DeletedConformance
from planner.sdk.conformance.hypervisor import HostUnderTest, HypervisorConformance, Target
from planner.sdk.conformance.policies import PolicyConformance
from planner.sdk.conformance.replies import finish, new_owner
from planner.sdk.conformance.storage import ArrayUnderTest, StorageConformance
from planner.sdk.conformance.vms import VmConformance, VmHostUnderTest

__all__ = [
    "ArrayUnderTest",
    "CopyConformance",
    "DeletedConformance",
    "HostUnderTest",
    "HypervisorConformance",
    "PolicyConformance",
    "StorageConformance",
    "Target",
    "VmConformance",
    "VmHostUnderTest",
    "finish",
    "new_owner",
]
