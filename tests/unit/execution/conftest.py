from __future__ import annotations

import pytest

from planner.execution import scheduler


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated calls come at once."""
    monkeypatch.setattr(scheduler, "_FIRST_DELAY", 0.001)
