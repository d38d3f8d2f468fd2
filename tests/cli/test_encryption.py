"""Encryption turned on, rotated and turned off again, as a user does it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from planner.cli import main
from tests.command import Finished

MAIN = """
lunform {
  ENCRYPTION
}

provider "sandbox" {}

pool "ssd" {
  provider = sandbox
}

disk_offering "fast" {
  size = "10GiB"
}

volume "db" {
  count    = 2
  offering = disk_offering.fast
  metadata = { team = "PLAINTEAM" }
}
"""
KEY = 'key { env = "KEY_A" }'
ROTATED = 'key { env = "KEY_B" }\n old_key { env = "KEY_A" }'


class Site:
    """A directory of the test's, in which the command runs within this process: it runs often here."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys
        monkeypatch.chdir(directory)
        monkeypatch.setattr(main.gc, "disable", lambda: None)
        self.configure()

    def configure(self, *keys: str) -> None:
        block = "encryption {\n" + "\n".join(keys) + "\n}" if keys else ""
        (self.directory / "main.lun.hcl").write_text(MAIN.replace("ENCRYPTION", block))

    def run(self, *words: str, code: int = 0) -> Finished:
        with pytest.raises(SystemExit) as ended:
            main.main(words)
        said = Finished(*self._capsys.readouterr())
        assert ended.value.code == code, said
        return said

    def is_plain(self, name: str = "lunform.state") -> bool:
        return b"PLAINTEAM" in (self.directory / name).read_bytes()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    for name in ("KEY_A", "KEY_B"):
        monkeypatch.setenv(name, os.urandom(32).hex())
    return Site(tmp_path, monkeypatch, capsys)


def test_encryption_is_turned_on_rotated_and_turned_off(site: Site) -> None:
    site.run("apply", "-auto-approve")
    assert site.is_plain()

    site.configure(KEY)
    assert "state reseal" in site.run("plan", code=1).errors
    site.run("state", "reseal")
    assert not site.is_plain()
    assert "No changes" in site.run("plan").output

    site.configure(ROTATED)
    assert "No changes" in site.run("plan").output
    assert json.loads(site.run("state", "reseal", "-json").output) == {"workspaces": ["default"], "encrypted": True}
    site.configure('key { env = "KEY_B" }')
    assert "No changes" in site.run("plan").output

    site.configure('old_key { env = "KEY_B" }')
    assert "in plain" in site.run("state", "reseal").output
    site.configure()
    assert site.is_plain()
    assert "No changes" in site.run("plan").output


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('key { env = "KEY_B" }', "a key that is not given"),
        ('key { env = "KEY_C" }', "KEY_C is not set"),
        ("", "no key is configured"),
    ],
)
def test_a_key_that_is_missing_or_wrong_changes_nothing(site: Site, keys: str, says: str) -> None:
    site.configure(KEY)
    site.run("apply", "-auto-approve")
    before = (site.directory / "lunform.state").read_bytes()
    site.configure(*([keys] if keys else []))
    for verb in (("destroy", "-auto-approve", "-allow-data-loss"), ("state", "list"), ("plan",)):
        assert says in site.run(*verb, code=1).errors
    if keys:
        assert says in site.run("state", "reseal", code=1).errors
    assert (site.directory / "lunform.state").read_bytes() == before


def test_resealing_needs_a_key_in_the_configuration(site: Site) -> None:
    assert "says nothing of encryption" in site.run("state", "reseal", code=1).errors


def test_a_saved_plan_is_sealed_and_applied(site: Site) -> None:
    site.configure(KEY)
    site.run("plan", "-out=night.plan")
    assert not site.is_plain("night.plan")
    assert "volume.db[1]" in site.run("show", "night.plan").output
    site.configure()
    for verb in (("show", "night.plan"), ("apply", "night.plan"), ("graph", "-plan=night.plan")):
        assert "no key is configured" in site.run(*verb, code=1).errors
    site.configure(KEY)
    site.run("apply", "night.plan")
    assert "No changes" in site.run("plan").output


def test_a_plan_that_somebody_made_without_the_key_is_refused(site: Site) -> None:
    site.run("plan", "-out=night.plan")
    site.configure(KEY)
    assert "The plan is not encrypted" in site.run("apply", "night.plan", code=1).errors
    assert not (site.directory / "lunform.state").exists()


def test_a_configuration_is_checked_without_any_key(site: Site) -> None:
    site.configure('key { env = "KEY_C" }')
    site.run("validate")
