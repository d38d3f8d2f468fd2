from __future__ import annotations

import base64
import json
import os
import sqlite3
from pathlib import Path

import pytest

from planner import encryption
from planner.addresses import parse_instance
from planner.config.model import Encryption, KeySource
from planner.diagnostics import Source, SourceRange
from planner.encryption import Sealing, cipher_of, read_key
from planner.errors import PlanFileError, StateError
from planner.planfile import read, write
from planner.planning.plan import Plan
from planner.state import sqlite as sqlite_store
from planner.state.model import Intent, Outcome, Run
from planner.state.sqlite import open_sqlite
from planner.state.store import Cipher, NoCipher

HERE = SourceRange(Source("main.lun.hcl", "key {}"), 0, 3)
TEXT = '{"name":"däta","size":1}'


def source(kind: str, *value: str) -> KeySource:
    return KeySource(kind, value, HERE)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with three keys."""
    for name in ("old", "new", "other"):
        (tmp_path / name).write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    return tmp_path


def sealing(keys: Path, *names: str, purpose: encryption.Purpose = "state", takes_plain: bool = False) -> Cipher:
    """Seals with the first of the keys; an empty name for none."""
    first, *others = names
    settings = Encryption(source("file", first) if first else None, tuple(source("file", name) for name in others))
    return cipher_of(settings, keys, purpose, takes_plain=takes_plain)


def changed_at(sealed: str, place: int) -> str:
    """With one character of what is sealed changed."""
    envelope = json.loads(sealed)
    content = bytearray(base64.b64decode(envelope["text"]))
    content[place] ^= 1
    return json.dumps({**envelope, "text": base64.b64encode(content).decode()}, separators=(",", ":"))


def test_what_is_sealed_opens_again_and_is_json_that_says_nothing(keys: Path) -> None:
    cipher = sealing(keys, "new")
    sealed = cipher.seal(TEXT)
    assert json.loads(sealed).keys() == {"lunform_sealed", "key", "text"}
    assert "size" not in sealed
    assert cipher.open(sealed) == TEXT
    assert cipher.seal(TEXT) != sealed


def test_another_process_opens_it(keys: Path) -> None:
    assert sealing(keys, "new").open(sealing(keys, "new").seal(TEXT)) == TEXT


@pytest.mark.parametrize("place", [0, 20, -1], ids=["nonce", "text", "tag"])
def test_a_changed_text_does_not_open(keys: Path, place: int) -> None:
    cipher = sealing(keys, "new")
    with pytest.raises(StateError, match="damaged, or changed"):
        cipher.open(changed_at(cipher.seal(TEXT), place))


def test_a_text_that_is_cut_short_does_not_open(keys: Path) -> None:
    cipher = sealing(keys, "new")
    for length in (20, 60, -2, -1):
        with pytest.raises(StateError, match="damaged, or changed"):
            cipher.open(cipher.seal(TEXT)[:length])


def test_a_plan_is_no_state(keys: Path) -> None:
    with pytest.raises(StateError, match="damaged, or changed"):
        sealing(keys, "new").open(sealing(keys, "new", purpose="plan").seal(TEXT))


def test_another_key_is_told_by_its_id(keys: Path) -> None:
    sealed = sealing(keys, "old").seal(TEXT)
    with pytest.raises(StateError, match="a key that is not given") as raised:
        sealing(keys, "new").open(sealed)
    assert json.loads(sealed)["key"] in raised.value.detail


def test_an_old_key_is_read_and_not_written(keys: Path) -> None:
    both = sealing(keys, "new", "old", "other")
    assert both.open(sealing(keys, "old").seal(TEXT)) == TEXT
    assert sealing(keys, "new").open(both.seal(TEXT)) == TEXT


def test_with_old_keys_alone_everything_is_read_and_written_in_plain(keys: Path) -> None:
    leaving = sealing(keys, "", "old")
    assert leaving.open(sealing(keys, "old").seal(TEXT)) == TEXT
    assert leaving.open(TEXT) == TEXT
    assert leaving.seal(TEXT) == TEXT


def test_plain_text_is_refused_where_a_key_is_given(keys: Path) -> None:
    with pytest.raises(StateError, match="is not encrypted") as raised:
        sealing(keys, "new").open(TEXT)
    assert "state reseal" in raised.value.detail
    assert sealing(keys, "new", takes_plain=True).open(TEXT) == TEXT


def test_sealed_text_is_refused_where_no_key_is_given(keys: Path) -> None:
    with pytest.raises(StateError, match="no key is configured"):
        NoCipher().open(sealing(keys, "new").seal(TEXT))


def test_a_newer_format_is_told_as_that(keys: Path) -> None:
    sealed = sealing(keys, "new").seal(TEXT).replace('"lunform_sealed":1', '"lunform_sealed":2')
    with pytest.raises(StateError, match="newer Lunform"):
        sealing(keys, "new").open(sealed)


# -- keys --


def test_keys_are_had_from_environment_file_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = os.urandom(32)
    monkeypatch.setenv("THE_KEY", key.hex())
    (tmp_path / "key").write_text(base64.urlsafe_b64encode(key).decode() + "\n")
    sources = source("env", "THE_KEY"), source("file", "key"), source("command", "cat", "key")
    assert {read_key(item, tmp_path) for item in sources} == {key}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (source("env", "NOT_SET"), "environment variable NOT_SET is not set"),
        (source("file", "missing"), "file missing cannot be read: No such file"),
        (source("file", "bad"), "file bad is no key"),
        (source("command", "cat", "bad"), "output of cat is no key"),
        (source("command", "sh", "-c", "cat bad; echo it is sealed >&2; exit 3"), "exit code 3: it is sealed"),
        (source("command", "no-such-command"), "no-such-command cannot be run: No such file"),
    ],
    ids=lambda given: given if isinstance(given, str) else given.kind,
)
def test_a_key_that_cannot_be_had_says_why_and_shows_nothing_of_it(tmp_path: Path, given: KeySource, says: str) -> None:
    (tmp_path / "bad").write_text("hunter2hunter2\n")
    with pytest.raises(StateError) as raised:
        read_key(given, tmp_path)
    assert says in raised.value.detail
    assert "main.lun.hcl:1" in raised.value.detail
    assert "hunter2" not in str(raised.value) + raised.value.detail


def test_a_command_runs_once_and_no_key_is_read_before_it_is_needed(tmp_path: Path) -> None:
    command = source("command", "sh", "-c", "echo x >> runs; openssl rand -hex 32")
    ciphers = [Sealing(Encryption(command), tmp_path, purpose, takes_plain=False) for purpose in ("state", "plan")]
    assert not (tmp_path / "runs").exists()
    for cipher in ciphers:
        assert cipher.open(cipher.seal(TEXT)) == TEXT
    assert (tmp_path / "runs").read_text() == "x\n"


# -- where it is used --


def test_nothing_that_was_plain_is_left_in_a_file_that_is_sealed_anew(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(path: Path, mode: str) -> sqlite3.Connection:
        """As where SQLite leaves in free pages what was deleted; Debian's overwrites it."""
        connection = real_connect(path, mode)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    real_connect = sqlite_store._connect
    monkeypatch.setattr(sqlite_store, "_connect", connect)
    path = keys / "lunform.state"
    with (plain := open_sqlite(path)).lock("apply"):
        run = Run("run", "apply", "2026-01-01T00:00:00Z", "tests")
        plain.begin(run, [Intent(run.id, n, "volume.a", {"marker": "PLAIN" * 99}) for n in range(200)])
        plain.commit([Outcome(run.id, n, parse_instance("volume.a"), "done") for n in range(1, 200)])
    store = open_sqlite(path, sealing(keys, "new", takes_plain=True))
    with store.lock("reseal"):
        store.replace(store.document())
    assert b"PLAIN" not in path.read_bytes()
    assert len(open_sqlite(path, sealing(keys, "new")).read().in_doubt) == 1


PLAN = Plan(operation="apply", lineage="", serial=0, created="2026-01-01T00:00:00Z", changes=(), outputs={})


def test_a_sealed_plan_opens_with_its_key_alone(keys: Path) -> None:
    path, sources = keys / "p", (Source("main.lun.hcl", 'locals { team = "PLAIN" }'),)
    write(path, PLAN, sources, sealing(keys, "new", purpose="plan"))
    assert b"PK" not in path.read_bytes()[:100]
    assert path.stat().st_mode & 0o777 == 0o600
    saved = read(path, sealing(keys, "other", "new", purpose="plan"))
    assert (saved.plan, saved.sources[0].text) == (PLAN, sources[0].text)
    for cipher in (NoCipher(), sealing(keys, "other", purpose="plan")):
        with pytest.raises(StateError):
            read(path, cipher)


def test_a_plan_in_plain_is_refused_where_a_key_is_given(keys: Path) -> None:
    write(keys / "p", PLAN, ())
    with pytest.raises(StateError, match="plan is not encrypted"):
        read(keys / "p", sealing(keys, "new", purpose="plan"))
    (keys / "p").write_text("no plan at all")
    with pytest.raises(PlanFileError):
        read(keys / "p", NoCipher())
