"""
The suite that every provider passes: what the docstrings of `planner.sdk.storage` and `planner.sdk.hypervisor` promise.

Subclass the class of your kind in a test module, and give it its one fixture:

    class TestAcme(StorageConformance):
        @pytest.fixture
        def array(self, acme):
            return ArrayUnderTest(open=lambda: AcmeArray(acme.url), pool=..., endpoints=(..., ...))

The suite makes volumes in the pool and attaches disks to the VM that it is given, and expects neither to be used by
anybody else meanwhile. It removes nothing at its end: tests give it a fresh pool, or clear it themselves.

Ask pytest to rewrite the assertions here, so that a failure shows its values, before this module is first imported
(in a `conftest.py`):

    pytest.register_assert_rewrite("planner.sdk.conformance")
"""

from planner.sdk.conformance.hypervisor import HostUnderTest, HypervisorConformance, Target
from planner.sdk.conformance.replies import finish, new_owner
from planner.sdk.conformance.storage import ArrayUnderTest, StorageConformance

__all__ = [
    "ArrayUnderTest",
    "HostUnderTest",
    "HypervisorConformance",
    "StorageConformance",
    "Target",
    "finish",
    "new_owner",
]
