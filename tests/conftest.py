"""What all tests share: expected files, a plain environment, and real daemons that start when first asked for."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.emulators.fixtures", "tests.rigs.fixtures"]

# The suites that are shipped are no test files, but their assertions shall say as much when they fail.
pytest.register_assert_rewrite("planner.sdk.conformance", "planner.state.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write expected files anew; read the diff before commit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """In CI nothing is left out, but for what the shipped suites say that a provider cannot do."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        if "planner/sdk/conformance" not in path:
            report.outcome, report.longrepr = "failed", f"{path}:{line}: skipped in CI: {reason}"
    return report


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
    """Nothing of the caller's reaches a test: no variables, no flags, no colours, no width of a terminal."""
    for name in list(os.environ):
        if name.startswith("LUNFORM_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)
