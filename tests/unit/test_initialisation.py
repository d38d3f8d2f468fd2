"""Which backend a directory uses, and what is kept of its arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner import initialisation, plugins
from planner.config.model import Settings
from planner.diagnostics import Source, SourceRange
from planner.errors import LunformError
from planner.initialisation import configured, initialised, open_initialised, record_initialised
from planner.plugins import backend_definition
from planner.resources.schema import Argument
from planner.state.sqlite import BACKEND
from planner.state.store import BackendDefinition
from planner.syntax import ast

REMOTE = Settings(backend="remote")
GIVEN = {"bucket": "states", "token": "hunter2"}


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Arguments that a backend with a secret was opened with."""
    opened: list[Any] = []
    remote = BackendDefinition(
        "remote",
        "Somewhere else.",
        (Argument("bucket", required=True), Argument("token", sensitive=True, required=True)),
        lambda arguments, directory, cipher: opened.append(arguments) or BACKEND.open({"path": "x"}, directory, cipher),
    )
    known = {"remote": remote, "sqlite": backend_definition("sqlite")}
    for module in (plugins, initialisation):
        monkeypatch.setattr(module, "backend_definition", known.get)
    return opened


def test_a_secret_is_kept_in_no_file_and_taken_from_the_environment(tmp_path: Path, opened: list[Any]) -> None:
    now, _ = configured(REMOTE, GIVEN, {})
    assert now is not None
    record_initialised(tmp_path, now)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "hunter2" in path.read_text()]
    assert initialised(tmp_path) == now
    assert "hunter2" not in str(now)
    with_block = replace(REMOTE, backend_body=ast.Body((), (), SourceRange(Source("main.lun.hcl", ""), 0, 0)))
    backend, mistakes = open_initialised(with_block, tmp_path, {})
    assert backend is None
    assert ["LUNFORM_BACKEND_token" in item.detail for item in mistakes] == [True]
    backend, _ = open_initialised(with_block, tmp_path, {"LUNFORM_BACKEND_token": "hunter3"})
    assert backend is not None
    assert opened == [{"bucket": "states", "token": "hunter3"}]


def test_a_directory_that_was_never_initialised_uses_what_is_given_whole(tmp_path: Path, opened: list[Any]) -> None:
    environment = {f"LUNFORM_BACKEND_{name}": value for name, value in GIVEN.items()}
    open_initialised(REMOTE, tmp_path, environment)
    assert opened == [GIVEN]
    (tmp_path / "lunform.state").write_bytes(b"")
    backend, _ = open_initialised(REMOTE, tmp_path, environment)
    assert (backend, len(opened)) == (None, 1)


def test_a_damaged_record_is_no_record_of_nothing(tmp_path: Path) -> None:
    (tmp_path / ".lunform").mkdir()
    (tmp_path / ".lunform" / "backend.json").write_text("{")
    with pytest.raises(LunformError, match="which backend"):
        open_initialised(REMOTE, tmp_path, {})
