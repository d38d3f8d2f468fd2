from __future__ import annotations

import pytest

from planner.execution import scheduler


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated calls come at once, except where a test asks for the real delays."""
    monkeypatch.setattr(scheduler, "_FIRST_DELAY", 0.001)
