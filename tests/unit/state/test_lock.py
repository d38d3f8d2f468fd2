"""The file lock: whom it names, and whom it outlives."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from planner.errors import StateError, StateLocked
from planner.state.lock import hold, who


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lunform.state.lock"


def test_the_message_says_what_who_and_since_when(path: Path) -> None:
    with hold(path, "destroy", 0), pytest.raises(StateLocked) as caught, hold(path, "apply", 0):
        pass
    holder = rf"destroy by {re.escape(who())} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(holder, caught.value.holder)
    assert str(path) in caught.value.detail


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"operation": "apply"}', "\x00\xff"])
def test_a_holder_that_does_not_say_who_it_is_still_holds(path: Path, text: str) -> None:
    with hold(path, "apply", 0):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(StateLocked) as caught, hold(path, "apply", 0):
            pass
    assert caught.value.holder


def test_what_a_killed_holder_left_written_holds_nobody_up(path: Path) -> None:
    path.write_text('{"operation": "apply", "who": "root@gone:1", "since": "2020-01-01"}')
    with hold(path, "apply", 0):
        assert "root@gone" not in path.read_text()


def test_a_forked_child_keeps_no_lock(path: Path) -> None:
    """A provider's child process must not hold the state after the run that started it."""
    reading, writing = os.pipe()
    with hold(path, "apply", 0):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # lives until its parent lets it go
            os._exit(0)
        with pytest.raises(StateLocked), hold(path, "apply", 0):
            pass  # the child has not let it go for its parent either
    with hold(path, "apply", 30):  # as soon as the child has come so far as to close its copy
        pass
    os.close(writing)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0


def test_a_child_that_leaves_the_block_lets_nothing_go(path: Path) -> None:
    lock = hold(path, "apply", 0)
    with lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(StateLocked) as caught, hold(path, "apply", 0):
            pass
        assert who() in caught.value.holder


def test_a_lock_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError), hold(tmp_path / "file" / "lunform.state.lock", "apply", 0):
        pass
