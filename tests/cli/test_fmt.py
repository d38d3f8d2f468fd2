"""fmt as a user meets it; the layout itself is tested with the syntax."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import ROOT, lunform

UNTIDY = 'pool "a" {\nprovider=sandbox # where\n  zone   =  "east"\n}\n'
TIDY = 'pool "a" {\n  provider = sandbox # where\n  zone     = "east"\n}\n'


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(UNTIDY)
    (tmp_path / "tidy.lun.hcl").write_text(TIDY.replace('"a"', '"b"'))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "x.lunvars.hcl").write_text("a=1\n")
    return tmp_path


def test_files_are_written_and_named(untidy: Path) -> None:
    assert lunform("fmt", directory=untidy).output == "main.lun.hcl\n"
    assert (untidy / "main.lun.hcl").read_text() == TIDY
    assert lunform("fmt", directory=untidy).output == ""
    assert lunform("fmt", "-recursive", directory=untidy).output == "inner/x.lunvars.hcl\n"
    assert (untidy / "inner" / "x.lunvars.hcl").read_text() == "a = 1\n"


def test_check_changes_nothing_and_says_so_by_its_exit_code(untidy: Path) -> None:
    shown = lunform("fmt", "-check", "-diff", directory=untidy, code=3).output
    assert "+  provider = sandbox # where" in shown
    assert (untidy / "main.lun.hcl").read_text() == UNTIDY
    assert json.loads(lunform("fmt", "-check", "-json", directory=untidy, code=3).output) == {
        "changed": ["main.lun.hcl"]
    }


def test_standard_input(tmp_path: Path) -> None:
    assert lunform("fmt", "-", directory=tmp_path, input=UNTIDY).output == TIDY


def test_a_broken_file_stays_and_the_others_are_done(untidy: Path) -> None:
    (untidy / "broken.lun.hcl").write_text('pool "a {\n')
    failed = lunform("fmt", directory=untidy, code=2)
    assert "broken.lun.hcl:1:6" in failed.errors
    assert (untidy / "broken.lun.hcl").read_text() == 'pool "a {\n'
    assert (untidy / "main.lun.hcl").read_text() == TIDY


def test_our_own_examples_are_tidy() -> None:
    lunform("fmt", "-check", "-recursive", str(ROOT / "examples"), directory=ROOT)
