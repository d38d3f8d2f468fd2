from __future__ import annotations

import pytest

from planner.sdk import StorageProvider
from tests.emulators.running import Element, open_array


@pytest.fixture
def array(element: Element) -> StorageProvider:
    return open_array(element)
