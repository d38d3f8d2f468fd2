"""Leases on real servers: who was paused cannot write any more, and who is dead is not waited for after its lease."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from planner.errors import ForeignState, StateError, StateLocked
from planner.state import lease as leases
from planner.state.conformance import PATIENCE, counter, done, new_intents, new_run
from planner.state.leased import LeasedWholeStore
from planner.state.place import Found, Stored, read_stored
from planner.state.store import LeasedStore
from tests.emulators.faults import Fault, proxy_to
from tests.rigs.opened import new_address, new_object, open_leased
from tests.rigs.servers import Bucket, client_of, running_http_state

pytestmark = pytest.mark.rig

Place = tuple[str, dict[str, Any]]
"""A backend's name and its arguments."""

LEASE_TIME = 3


@pytest.fixture(params=["s3", "http"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "s3":
        return "s3", {**new_object(request.getfixturevalue("bucket")), "lease_time": LEASE_TIME}
    return "http", {**new_address(request.getfixturevalue("http_state")), "lease_time": LEASE_TIME}


@pytest.fixture
def store(place: Place) -> LeasedWholeStore:
    return open_leased(*place)


def text_at(place: Place) -> str:
    """What lies there."""
    backend, given = place
    if backend == "http":
        return requests.get(given["address"], timeout=10).text
    content: bytes = client_of(given).get_object(Bucket=given["bucket"], Key=given["key"])["Body"].read()
    return content.decode()


def overwrite(place: Place, text: str) -> None:
    backend, given = place
    if backend == "http":
        requests.post(given["address"], data=text, timeout=10).raise_for_status()
    else:
        client_of(given).put_object(Bucket=given["bucket"], Key=given["key"], Body=text.encode())


def hold_until_told(pipe: Connection, backend: str, given: dict[str, Any]) -> None:
    """Take the lock, say so, and commit when told to; answer with the error."""
    store = open_leased(backend, given)
    with store.lock("apply"):
        store.begin(new_run("run-1"), new_intents(1))
        pipe.send("held")
        pipe.recv()
        try:
            store.commit([done(0, counter(1))])
        except StateError as error:
            pipe.send(f"{error}: {error.detail}")
        else:
            pipe.send("committed")


def test_a_paused_holder_cannot_write_once_another_has_its_lock(place: Place) -> None:
    here, there = multiprocessing.Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=hold_until_told, args=(there, *place), daemon=True)
    holder.start()
    assert here.recv() == "held"
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGSTOP)
    here.send("commit")
    store = open_leased(*place)
    with pytest.raises(StateLocked) as caught, store.lock("apply"):
        pass
    assert str(holder.pid) in caught.value.holder
    begun = time.monotonic()
    with store.lock("apply", timeout=PATIENCE):
        assert time.monotonic() - begun < LEASE_TIME + 3
        os.kill(holder.pid, signal.SIGCONT)
        assert here.recv().startswith("The state's lock is lost")
        store.begin(new_run("run-2"), ())
        store.commit([done(0, counter(2), run="run-2")])
        holder.join()
        assert holder.exitcode == 0
    assert [object.attributes["value"] for object in store.read().objects.values()] == [2]
    with store.lock("apply"):
        pass


def test_a_lease_is_renewed_while_its_holder_lives(bucket: Bucket) -> None:
    given = {**new_object(bucket), "lease_time": LEASE_TIME}
    store = open_leased("s3", given)
    with store.lock("apply"):
        with pytest.raises(StateLocked), open_leased("s3", given).lock("apply", timeout=LEASE_TIME + 1.5):
            pass
        store.begin(new_run(), ())
    assert store.read().serial == 1


def test_a_lease_that_has_run_out_is_free_for_other_machines(store: LeasedWholeStore, place: Place) -> None:
    """Its holder died a while ago; that is told by the time alone, as elsewhere nobody knows its process."""
    with store.lock("apply"):
        store.begin(new_run(), ())
    text = json.loads(text_at(place))
    dead = {"id": "lunform-0", "who": "me@elsewhere:1", "operation": "apply", "process": ""}
    for until, held in (("2999-01-01T00:00:00Z", True), ("2026-01-01T00:00:00Z", False)):
        lease = {**dead, "since": "2025-12-31T23:59:00Z", "until": until}
        if place[0] == "http":
            requests.request("UNLOCK", place[1]["address"], timeout=10).raise_for_status()
        overwrite(place, json.dumps({**text, "lease": lease}))
        if place[0] == "http":
            requests.request("LOCK", place[1]["address"], json={"ID": lease["id"]}, timeout=10).raise_for_status()
        if held:
            with pytest.raises(StateLocked) as caught, open_leased(*place).lock("apply"):
                pass
            assert caught.value.holder == "me@elsewhere:1"
        else:
            with open_leased(*place).lock("apply"):
                pass


def test_a_broken_lock_is_lost_to_its_holder(store: LeasedWholeStore, place: Place) -> None:
    other = open_leased(*place)
    assert isinstance(other, LeasedStore)
    with pytest.raises(StateError, match="no such lock"):
        other.break_lock("lunform-0")
    with store.lock("apply"):
        store.begin(new_run(), ())
        with pytest.raises(StateLocked) as caught, other.lock("destroy"):
            pass
        id = caught.value.detail.rpartition(" ")[2]
        with pytest.raises(StateError, match="no such lock"):
            other.break_lock("lunform-0")
        other.break_lock(id)
        with other.lock("destroy"):
            with pytest.raises(StateError):
                store.commit([done(0, counter(1))])
            other.begin(new_run("run-2"), ())
    assert [run.id for run in other.runs()] == ["run-1", "run-2"]


@pytest.mark.parametrize("fault", ["unavailable", "lost"])
def test_a_lost_answer_is_looked_up(place: Place, fault: Fault) -> None:
    backend, given = place
    address, write = ("address", "POST") if backend == "http" else ("endpoint", "PUT")
    port = urlsplit(given[address]).port
    assert port is not None
    with proxy_to(port) as proxy:
        here = f"http://127.0.0.1:{port}"
        through = {name: v.replace(here, proxy.url) if isinstance(v, str) else v for name, v in given.items()}
        store = open_leased(backend, through)
        calls = ("GET", "LOCK", write, "UNLOCK") if backend == "http" else ("GET", write)
        for method in calls:
            proxy.faults[method].append(fault)
        with store.lock("apply"):
            proxy.faults[write].append(fault)
            store.begin(new_run(), new_intents(1))
            proxy.faults[write].append(fault)
            store.commit([done(0, counter(1))])
            assert store.read().serial == 2
        assert not any(proxy.faults.values())
    direct = open_leased(*place)
    assert direct.document() == store.document()
    with direct.lock("apply"):
        pass


def test_a_holder_that_was_cut_off_for_a_while_goes_on(bucket: Bucket) -> None:
    """Nobody has taken its lock meanwhile. A commit that failed may have arrived: that is looked at before the next."""
    with proxy_to(bucket.port) as proxy:
        store = open_leased("s3", {**new_object(bucket, proxy.url), "max_retries": 0})
        with store.lock("apply"):
            store.begin(new_run(), new_intents(2))
            proxy.faults["PUT"].append("lost")
            with pytest.raises(StateError):
                store.commit([done(0, counter(1))])
            store.commit([done(1, counter(2, "other"))])
            assert len(store.read().objects) == 2
        assert store.read().serial == 3


# Servers that are not as they should be


@pytest.mark.parametrize("header", ["if-match", "if-none-match"])
def test_a_server_that_ignores_conditions_is_refused(bucket: Bucket, header: str) -> None:
    with proxy_to(bucket.port) as proxy:
        proxy.headers[header] = lambda value: None
        store = open_leased("s3", new_object(bucket, proxy.url))
        with pytest.raises(StateError, match="not safe"), store.lock("apply"):
            pass
        assert store.read().lineage == ""


def test_a_server_that_does_not_know_its_own_etags_is_refused(bucket: Bucket) -> None:
    """As Ceph's RGW 16, which compares them with the quotes that others leave away."""
    with proxy_to(bucket.port) as proxy:
        proxy.headers["if-match"] = lambda value: f'"\\{value}"'
        store = open_leased("s3", new_object(bucket, proxy.url))
        with pytest.raises(StateError, match="cannot be written"), store.lock("apply"):
            store.begin(new_run(), ())


def test_a_lock_on_a_server_that_fences_nobody_does_not_run_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_http_state(tmp_path_factory.mktemp("unchecked"), "--unchecked") as port:
        given = {**new_address(port), "lease_time": LEASE_TIME}
        store = open_leased("http", given)
        with store.lock("apply"):
            store.begin(new_run(), ())
            with pytest.raises(StateLocked) as caught, open_leased("http", given).lock("apply"):
                pass
            assert "does not run out by itself" in caught.value.detail
        with store.lock("apply"):
            pass


@pytest.mark.parametrize("text", ["", "{", '{"version": 4, "serial": 1, "lineage": "x"}', '{"serial": 1, "state": {'])
def test_what_is_not_ours_is_an_error_and_stays(place: Place, text: str) -> None:
    overwrite(place, text)
    store = open_leased(*place)
    with pytest.raises(ForeignState):
        store.read()
    with pytest.raises(ForeignState), store.lock("apply"):
        pass
    assert text_at(place) == text


def test_a_lock_without_a_lease_runs_out_when_it_is_ours(http_state: int) -> None:
    """Its holder died after it had locked and before it could write when that runs out."""
    given = {**new_address(http_state), "lease_time": LEASE_TIME}
    ours = {"ID": "lunform-1", "Who": "me", "Operation": "apply", "Created": "2026-01-01T00:00:00.000Z"}
    requests.request("LOCK", given["lock_address"], json=ours, timeout=10).raise_for_status()
    with open_leased("http", given).lock("apply"):
        pass
    theirs = {**ours, "ID": "0b5c2bd2-5f7b-4a7f-b8b3-0d4a2e3f8d11", "Who": "terraform"}
    requests.request("LOCK", given["lock_address"], json=theirs, timeout=10).raise_for_status()
    with pytest.raises(StateLocked) as caught, open_leased("http", given).lock("apply"):
        pass
    assert caught.value.holder == "terraform"


def test_a_server_may_write_the_json_anew(http_state: int) -> None:
    """As one with JSON in its database does."""
    given = new_address(http_state)
    store = open_leased("http", given)
    with store.lock("apply"):
        store.begin(new_run(), ())
        store.commit([done(0, counter(1))])
    text = requests.get(given["address"], timeout=10).json()
    requests.post(given["address"], json.dumps(dict(reversed(text.items())), indent=2), timeout=10).raise_for_status()
    assert open_leased("http", given).document() == store.document()


def test_nothing_stays_of_a_lock_without_a_write(bucket: Bucket) -> None:
    given = new_object(bucket)
    with open_leased("s3", given).lock("apply"):
        pass
    assert client_of(given).list_objects_v2(Bucket=given["bucket"], Prefix=given["key"])["KeyCount"] == 0


def test_a_lost_race_for_the_first_lock_names_the_winner(bucket: Bucket) -> None:
    given, ready, outcomes = new_object(bucket), threading.Barrier(4), []

    def race() -> None:
        store = open_leased("s3", given)
        ready.wait(PATIENCE)
        try:
            with store.lock("apply"):
                ready.wait(PATIENCE)
                outcomes.append("held")
        except StateLocked as error:
            outcomes.append(error.holder)
            ready.wait(PATIENCE)

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert outcomes.count("held") == 1
    assert all(outcomes)


def test_a_text_is_taken_apart_as_it_was_put_together() -> None:
    tricky = '","state":{"'
    lease = leases.Lease("lunform-1", tricky, tricky, 1.5, None, tricky)
    for state in ('{"intents":[]}', '{"lunform_sealed":1,"text":"x"}', "sealed"):
        stored = Stored(serial=7, lineage=tricky, lease=lease, state=state)
        assert read_stored(Found(stored.text(), "", None), "here") == stored
        assert read_stored(Found(json.dumps(json.loads(stored.text())), "", None), "here") == stored


def test_the_emulator_keeps_terraform_s_states_too(http_state: int, tmp_path: Path) -> None:
    """So it speaks the protocol as Terraform does, and not as we think that it does."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    given = new_address(http_state)
    (tmp_path / "main.tf").write_text(
        f"""
        terraform {{
          backend "http" {{
            address        = "{given["address"]}"
            lock_address   = "{given["lock_address"]}"
            unlock_address = "{given["lock_address"]}"
          }}
        }}
        resource "terraform_data" "one" {{}}
        """
    )

    def terraform(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["terraform", *arguments], cwd=tmp_path, capture_output=True, text=True)

    assert terraform("init", "-input=false").returncode == 0
    assert terraform("apply", "-auto-approve", "-input=false").returncode == 0
    assert json.loads(text_at(("http", given)))["resources"][0]["name"] == "one"
    with pytest.raises(ForeignState):
        open_leased("http", given).read()
    foreign = {"ID": "lunform-1", "Who": "me", "Operation": "apply", "Created": "2026-01-01T00:00:00Z"}
    requests.request("LOCK", given["lock_address"], json=foreign, timeout=10).raise_for_status()
    refused = terraform("apply", "-auto-approve", "-input=false")
    assert refused.returncode == 1
    assert "lunform-1" in refused.stderr
