"""A migration that is killed between any two of its writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import migration
from planner.errors import InvalidConfiguration, StateMoved
from planner.execution.recovery import recover
from planner.operations import Inputs, backend_of, load
from planner.state.document import StateDocument
from planner.state.memory import MemoryStore
from planner.state.model import Run
from planner.state.sqlite import SqliteStore

BACKEND = 'lunform {\n  backend "sqlite" {\n    path = "new.state"\n  }\n}\n'
RUN = Run("run-1", "apply", "2026-01-01T00:00:00Z", "somebody@somewhere:1")
WORKSPACES = ("default", "east")


class Killed(BaseException):
    pass


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A project with two workspaces, whose configuration now names another place."""
    (tmp_path / "main.lun.hcl").write_text('output "a" {\n  value = 1\n}\n')
    backend = backend_of(load(tmp_path, Inputs(environment={})))
    for workspace in WORKSPACES:
        store = backend.open(workspace)
        with store.lock("apply"):
            store.begin(RUN, ())
            store.finish(RUN, {})
    (tmp_path / "backend.lun.hcl").write_text(BACKEND)
    return tmp_path


def migrate(directory: Path) -> None:
    found = migration.prepare(load(directory, Inputs(environment={})), {})
    if found.moves:
        migration.migrate(found, migration.survey(found))
    else:
        found.record()


def documents(directory: Path) -> dict[str, StateDocument]:
    backend = backend_of(load(directory, Inputs(environment={})))
    return {workspace: backend.open(workspace).document() for workspace in backend.workspaces()}


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("write", range(1, 6))
def test_the_same_command_goes_on(directory: Path, monkeypatch: pytest.MonkeyPatch, write: int, after: bool) -> None:
    (directory / "backend.lun.hcl").unlink()
    before = documents(directory)
    (directory / "backend.lun.hcl").write_text(BACKEND)
    writes = 0

    def dying(original: Any) -> Any:
        def call(*arguments: Any) -> None:
            nonlocal writes
            writes += 1
            if writes == write and not after:
                raise Killed
            original(*arguments)
            if writes == write:
                raise Killed

        return call

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "replace", dying(SqliteStore.replace))
        patched.setattr(migration, "record_initialised", dying(migration.record_initialised))
        with pytest.raises(Killed):
            migrate(directory)
    if write < 5 or not after:
        with pytest.raises(InvalidConfiguration):
            documents(directory)
    migrate(directory)
    assert documents(directory) == before
    (directory / "backend.lun.hcl").unlink()
    (directory / ".lunform" / "backend.json").unlink()
    for workspace in WORKSPACES:
        left = backend_of(load(directory, Inputs(environment={}))).open(workspace).read()
        with pytest.raises(StateMoved):
            recover(left, None)  # type: ignore[arg-type]


def test_what_does_not_read_back_as_it_was_stored_leaves_the_old_place_in_use(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "replace", lambda *_: None)
        with pytest.raises(migration.StateError):
            migrate(directory)
    (directory / "backend.lun.hcl").unlink()
    assert not any(document.intents for document in documents(directory).values())


def test_a_leased_lock_is_broken_by_its_id_and_no_other(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from planner import operations
    from planner.cli.main import main

    class Leased(MemoryStore):
        broken = ""

        def break_lock(self, id: str) -> None:
            self.broken = id

    store = Leased()
    monkeypatch.setattr(operations, "store_of", lambda _: store)
    monkeypatch.chdir(directory)
    with pytest.raises(SystemExit) as refused:
        main(["force-unlock", "6f0c", "-input=false"])
    assert (refused.value.code, store.broken) == (1, "")
    with pytest.raises(SystemExit) as broken:
        main(["force-unlock", "-force", "6f0c"])
    assert (broken.value.code, store.broken) == (0, "6f0c")
    assert "6f0c is broken" in capsys.readouterr().out
