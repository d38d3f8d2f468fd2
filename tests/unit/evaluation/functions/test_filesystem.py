from __future__ import annotations

import gzip
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planner.evaluation.errors import Fault
from planner.evaluation.functions.registry import standard_functions
from planner.values.types import STRING, MapValue, SetValue, Value


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, data in {
        "a.txt": b"text\n",
        "binary": b"\xff\xfe",
        "greeting.tpl": b"Hi ${name}!\n%{ for x in xs ~}\n- ${x}\n%{ endfor ~}\n",
        "value.tpl": b"${xs}",
        "broken.tpl": b"one\n${nope}\n",
        "syntax.tpl": b"%{ if true }",
        "again.tpl": b'${templatefile("a.txt", {})}',
        "deep/b.txt": b"",
        "deep/.hidden": b"",
        "deep/er/c.json": b"",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def call(directory: Path, name: str, *arguments: Value) -> Value:
    return standard_functions(directory, plan_time=datetime(2026, 1, 31, tzinfo=UTC))[name].call(arguments)


def failure(directory: Path, name: str, *arguments: Value) -> Fault:
    with pytest.raises(Fault) as caught:
        call(directory, name, *arguments)
    return caught.value


def test_paths_are_relative_to_the_directory(directory: Path) -> None:
    assert call(directory, "file", "a.txt") == "text\n"
    assert call(directory, "file", str(directory / "a.txt")) == "text\n"
    assert call(directory, "abspath", "deep/../a.txt") == str(directory / "a.txt")


@pytest.mark.parametrize("path", ["nope", "deep", "binary"])
def test_what_cannot_be_read_as_text(directory: Path, path: str) -> None:
    assert failure(directory, "file", path).operand == 0


def test_a_binary_file_has_a_digest_and_base64(directory: Path) -> None:
    assert call(directory, "filebase64", "binary") == "//4="
    assert call(directory, "filemd5", "binary") == "f3b25701fe362ec84616a93a45ce9998"


def test_a_file_exists_or_not_but_a_directory_is_none(directory: Path) -> None:
    assert call(directory, "fileexists", "a.txt") is True
    assert call(directory, "fileexists", "nope") is False
    assert failure(directory, "fileexists", "deep").operand == 0


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        (".", "*.txt", ("a.txt",)),
        (".", "**/*.txt", ("a.txt", "deep/b.txt")),
        ("deep", "*", (".hidden", "b.txt")),
        ("deep", "**", (".hidden", "b.txt", "er/c.json")),
        (".", "{a,deep/b}.txt", ("a.txt", "deep/b.txt")),
        (".", "[^a-c]*.tpl", ("greeting.tpl", "syntax.tpl", "value.tpl")),
        ("deep", "?.txt", ("b.txt",)),
        ("deep", "./er/*", ("er/c.json",)),
        ("deep/er", "../*.txt", ("../b.txt",)),
        ("nope", "*", ()),
    ],
)
def test_files_by_pattern(directory: Path, path: str, pattern: str, expected: tuple[str, ...]) -> None:
    assert call(directory, "fileset", path, pattern) == SetValue(STRING, expected)


def test_a_template_sees_its_variables_and_nothing_else(directory: Path) -> None:
    variables: Value = {"name": "Ada", "xs": ("x", "y")}
    assert call(directory, "templatefile", "greeting.tpl", variables) == "Hi Ada!\n- x\n- y\n"
    assert call(directory, "templatefile", "value.tpl", {"xs": (1, 2)}) == (1, 2)
    assert call(directory, "templatefile", "a.txt", MapValue(STRING, {"unused": "x"})) == "text\n"


@pytest.mark.parametrize(
    ("path", "place"),
    [("broken.tpl", "broken.tpl:2,3-7"), ("syntax.tpl", "syntax.tpl:1"), ("again.tpl", "again.tpl:1")],
)
def test_a_mistake_in_a_template_names_its_place(directory: Path, path: str, place: str) -> None:
    assert place in failure(directory, "templatefile", path, {}).detail


def test_variables_of_templates_have_names(directory: Path) -> None:
    assert failure(directory, "templatefile", "a.txt", {"not a name": 1}).operand == 1
    assert failure(directory, "templatefile", "a.txt", ("x",)).operand == 1


def test_compressed_text_is_the_same_each_time(directory: Path) -> None:
    packed = call(directory, "base64gzip", "text")
    assert isinstance(packed, str)
    assert gzip.decompress(b64decode(packed)) == b"text"
    assert packed == call(directory, "base64gzip", "text")
