"""The author's guide shows the sandbox as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command import lunform

ROOT = Path(__file__).parents[3]
README = (ROOT / "providers/README.md").read_text()
EXCERPTS = re.findall(r"^```python (\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_are_excerpts_of_every_part_that_is_explained() -> None:
    assert len(EXCERPTS) == 7


@pytest.mark.parametrize(("file", "excerpt"), EXCERPTS)
def test_excerpt_stands_in_the_file(file: str, excerpt: str) -> None:
    code = (ROOT / file).read_text()
    at = 0
    for piece in excerpt.split("...\n"):
        assert piece in code[at:]
        at = code.index(piece, at) + len(piece)


def test_linked_files_are_there() -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", README):
        assert (ROOT / "providers" / target).exists(), target


def test_configuration_is_valid(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```hcl\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "main.lun.hcl").write_text(f'variable "chap_seed" {{\n  sensitive = true\n}}\n{block}')
    lunform("validate", directory=tmp_path, environment={"LUNFORM_VAR_chap_seed": "seed"})
