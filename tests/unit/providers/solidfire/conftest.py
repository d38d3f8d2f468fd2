from __future__ import annotations

import pytest

from planner.sdk import StorageProvider
from tests.emulators.running import Element, open_array


@pytest.fixture
def array(element: Element) -> StorageProvider:
    return open_array(element)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the provider waits between two tries, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("providers.solidfire.wire.time.sleep", waited.append)
    return waited
