from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from planner.state.lease import Lease, is_dead, lease_from, new_lease, this_process

NAMES_ITSELF = "from planner.state.lease import this_process; print(this_process())"


def test_a_lease_is_written_and_read_again() -> None:
    lease = new_lease("apply", 1_800_000_000.25, 60)
    assert lease_from(lease.to_json()) == lease
    assert lease_from(replace(lease, until=None).to_json()) == replace(lease, until=None)
    assert lease.is_ours


@pytest.mark.parametrize(("now", "is_over"), [(99.0, False), (100.0, True), (None, False)])
def test_a_lease_is_over_when_the_server_says_so(now: float | None, is_over: bool) -> None:
    lease = Lease("lunform-1", "me", "apply", 40.0, 100.0)
    assert lease.is_over(now) is is_over
    assert not replace(lease, until=None).is_over(now)


def test_a_process_of_this_machine_is_known_to_be_dead() -> None:
    assert not is_dead(this_process())
    ended = subprocess.run([sys.executable, "-c", NAMES_ITSELF], capture_output=True, text=True, check=True).stdout
    assert is_dead(ended.strip())
    surroundings, _, started = this_process().rsplit(" ", 2)
    assert is_dead(f"{surroundings} {os.getpid()} {int(started) - 1}"), "its number was given to another one since"


def test_a_process_that_its_parent_does_not_look_after_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", NAMES_ITSELF], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    name = child.stdout.read().strip()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name)
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("process", ["", "elsewhere/pid:[1] 1 1", "what ever", "a b c d"])
def test_nothing_is_known_of_processes_elsewhere(process: str) -> None:
    assert not is_dead(process)
