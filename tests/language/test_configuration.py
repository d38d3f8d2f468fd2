"""
What is wrong with a configuration is told with its exact place, all of it in one run. A case is a folder:

    main.lun.hcl    the configuration; further *.lun.hcl and *.lunvars.hcl as the case needs
    expected.txt    a line for each diagnostic: severity, range, summary

Nothing is planned here, and nothing may be written.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planner import operations
from planner.diagnostics import Diagnostic
from tests.conftest import Expected

CASES = sorted(path.parent for path in (Path(__file__).parent / "config").glob("*/main.lun.hcl"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_diagnostics(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Expected) -> None:
    for path in case.glob("*.hcl"):
        shutil.copy(path, tmp_path)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    diagnostics = operations.validate(operations.load(Path(), operations.Inputs(environment={})))
    expected("".join(sorted(line(item) for item in diagnostics)), case / "expected.txt")
    assert sorted(tmp_path.iterdir()) == before


def line(item: Diagnostic) -> str:
    return f"{item.severity.value} {item.subject or 'nowhere'}: {item.summary}\n"
