"""What all tests share: expected files, a plain environment, and real daemons that start when first asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.rigs.fixtures"]

# The suites that are shipped are no test files, but their assertions shall say as much when they fail.
pytest.register_assert_rewrite("planner.sdk.conformance", "planner.state.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write expected files anew; read the diff before commit")


class Expected:
    """Compares text with a file beside the input, or writes the file anew."""

    def __init__(self, regenerate: bool) -> None:
        self._regenerate = regenerate

    def __call__(self, text: str, path: Path) -> None:
        if self._regenerate:
            path.write_text(text)
        assert path.exists(), f"{path} is missing; --regenerate writes it"
        assert text == path.read_text()


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> Expected:
    return Expected(request.config.getoption("--regenerate"))


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's reaches a test: no variables, no flags, no colours."""
    for name in list(os.environ):
        if name.startswith("LUNFORM_") or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
