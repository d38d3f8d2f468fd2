from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.addresses import parse_instance
from planner.errors import LunformError
from planner.events import StepFinished, StepStarted
from planner.log import configure, log, logged, where
from planner.state.memory import MemoryStore
from planner.state.model import Intent, Outcome, Run
from planner.state.store import LeasedStore
from planner.state.traced import traced

ADDRESS = parse_instance("volume.db")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    level = log.level
    yield
    end()
    log.setLevel(level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lunform.log"


def end() -> None:
    """Close the log's file; pytest has handlers of its own."""
    for handler in list(log.handlers):
        if type(handler) is logging.StreamHandler:
            handler.stream.close()
            log.removeHandler(handler)


def start(path: Path, level: str) -> None:
    configure({"LUNFORM_LOG": level, "LUNFORM_LOG_PATH": str(path)})


def test_a_level_holds_what_is_above_it(path: Path) -> None:
    start(path, "WARN")
    observe = logged(lambda event: None)
    observe(StepStarted(1, "attach", ADDRESS))
    observe(StepFinished(1, "attach", ADDRESS, 0.5, "no such VM"))
    (line,) = path.read_text().splitlines()
    assert "Z warn  MainThread: StepFinished: step 1, verb attach, address volume.db, elapsed 0.500" in line
    assert line.endswith("error no such VM")


def test_a_file_is_its_owners_alone_and_is_appended_to(path: Path) -> None:
    for _ in range(2):
        start(path, "info")
        log.info("here")
        end()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().splitlines()) == 2


def test_what_is_off_costs_nothing_and_makes_no_file(path: Path) -> None:
    def observe(event: object) -> None: ...

    start(path, "off")
    store = MemoryStore()
    assert not path.exists()
    assert logged(observe) is observe
    assert traced(store) is store


def test_an_unknown_level_and_a_bad_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LunformError, match='not "verbose"'):
        configure({"LUNFORM_LOG": "verbose"})
    with pytest.raises(LunformError, match="No such file"):
        start(tmp_path / "no" / "log", "info")


def test_no_other_log_is_switched_on(path: Path) -> None:
    start(path, "trace")
    for name in ("urllib3", "requests", "botocore"):
        logging.getLogger(name).debug("GET /?password=hunter2")
    assert not logging.getLogger("urllib3").isEnabledFor(logging.DEBUG)
    assert path.read_text() == ""


def test_the_state_is_traced_by_amounts(path: Path) -> None:
    start(path, "trace")
    store = traced(MemoryStore())
    assert not isinstance(store, LeasedStore)
    run = Run("run", "apply", "2026-01-01T00:00:00Z", "tests")
    with store.lock("apply", 1.5):
        store.begin(run, [Intent("run", 0, "volume.db", {"marker": "CONTENT"})])
        store.commit([Outcome("run", 0, ADDRESS, "failed", "no such VM")])
        store.read()
    said = path.read_text()
    for part in (
        "lock for apply is asked for, within 1.5 s",
        "lock for apply is held",
        "begin run run (1 intents) in 0.0",
        "commit (1 outcomes: step 0 of run failed) in 0.0",
        "read (serial 2, 0 objects) in 0.0",
        "lock for apply was let go",
    ):
        assert part in said
    assert "CONTENT" not in said


def test_an_exception_is_told_by_kind_and_place() -> None:
    try:
        try:
            int("hunter2")
        except ValueError as error:
            raise KeyError("hunter2") from error
    except KeyError as error:
        said = where(error)
    assert said.startswith("KeyError\n  ")
    assert "\nValueError\n  " in said
    assert 'raise KeyError("hunter2") from error' in said  # the text of the program, which is no secret
