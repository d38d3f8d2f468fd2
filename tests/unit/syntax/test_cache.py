"""The tree cache: what is a hit, and that everything else is a miss and never an error."""

from __future__ import annotations

import os
import pickle
import stat
from fractions import Fraction
from pathlib import Path

import pytest

from planner.diagnostics import Source
from planner.syntax import ast, cache
from planner.syntax.cache import TreeCache, parse_file_cached, user_key
from planner.syntax.json_syntax import Outline
from planner.syntax.parser import parse_file

KEY = b"k" * 32
TEXT = """
volume "db" {
  size  = "${1.5 + var.size[0]}GiB"
  tags  = { for k, v in var.tags : k => v... if v != null }
  attach {
    host = host.kvm["a"].*.name
  }
}
"""


@pytest.fixture
def trees(tmp_path: Path) -> TreeCache:
    return TreeCache(tmp_path / "trees", KEY)


def stored(trees: TreeCache, tmp_path: Path, text: str = TEXT) -> Path:
    """Store the tree of `text`, and give the path of its entry."""
    before = set((tmp_path / "trees").glob("*"))
    source = Source("a", text)
    trees.store(source, parse_file(source)[0])
    [entry] = set((tmp_path / "trees").glob("*")) - before
    return entry


def test_a_stored_tree_comes_back_equal_with_ranges_in_the_new_source(trees: TreeCache, tmp_path: Path) -> None:
    stored(trees, tmp_path)
    source = Source("b", TEXT)

    tree = trees.load(source)

    assert tree == parse_file(source)[0]
    assert tree is not None
    assert tree.blocks[0].range.filename == "b"


def test_every_kind_of_node_and_number_survives(trees: TreeCache, tmp_path: Path) -> None:
    text = """
a = [1, 1.5, 1e30, true, null, "s", x, x.y, x[0], x[*].y, x.*.y, f(1...), c ? -1 : !b, (1 + 2), { k = 1, (k) = 2 }]
b = { for k, v in x : k => v }
c = [for v in x : v if v]
d = "%{ if a }x%{ else }y%{ endif }%{ for i, v in x }${v}%{ endfor }"
e "x" y { f = <<E
t
E
}
""".replace("{ f", "{\n f")
    stored(trees, tmp_path, text)
    source = Source("", text)

    tree = trees.load(source)

    assert tree == parse_file(source)[0]
    assert isinstance(tree, ast.Body)
    first = tree.arguments[0].value
    assert isinstance(first, ast.Tuple)
    assert [item.value for item in first.items if isinstance(item, ast.Literal)][:3] == [1, Fraction(3, 2), 10**30]


def test_a_changed_text_is_a_miss(trees: TreeCache, tmp_path: Path) -> None:
    stored(trees, tmp_path)

    assert trees.load(Source("a", TEXT + "\n")) is None


def test_entries_are_private(trees: TreeCache, tmp_path: Path) -> None:
    entry = stored(trees, tmp_path)

    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 100])
def test_a_truncated_entry_is_a_miss(trees: TreeCache, tmp_path: Path, length: int) -> None:
    entry = stored(trees, tmp_path)
    entry.write_bytes(entry.read_bytes()[:length])

    assert trees.load(Source("a", TEXT)) is None


def test_an_entry_with_any_byte_changed_is_a_miss(trees: TreeCache, tmp_path: Path) -> None:
    entry = stored(trees, tmp_path)
    content = entry.read_bytes()
    for at in range(0, len(content), 97):
        entry.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])

        assert trees.load(Source("a", TEXT)) is None


def test_an_entry_sealed_by_somebody_else_is_a_miss(trees: TreeCache, tmp_path: Path) -> None:
    stored(trees, tmp_path)

    assert TreeCache(tmp_path / "trees", b"x" * 32).load(Source("a", TEXT)) is None


def test_an_entry_under_the_name_of_another_is_a_miss(trees: TreeCache, tmp_path: Path) -> None:
    entry = stored(trees, tmp_path)
    stored(trees, tmp_path, "a = 1\n").replace(entry)

    assert trees.load(Source("a", TEXT)) is None


class _Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_sealed_entry_cannot_run_anything(trees: TreeCache, tmp_path: Path) -> None:
    entry = stored(trees, tmp_path)
    payload = pickle.dumps(_Hostile(tmp_path / "made"))
    entry.write_bytes(trees._seal(entry.name, payload) + payload)

    assert trees.load(Source("a", TEXT)) is None
    assert not (tmp_path / "made").exists()


def test_a_sealed_entry_that_is_no_body_is_a_miss(trees: TreeCache, tmp_path: Path) -> None:
    entry = stored(trees, tmp_path)
    payload = pickle.dumps([1, 2])
    entry.write_bytes(trees._seal(entry.name, payload) + payload)

    assert trees.load(Source("a", TEXT)) is None


def test_only_trees_without_diagnostics_are_stored(trees: TreeCache, tmp_path: Path) -> None:
    for _ in range(2):
        _, diagnostics = parse_file_cached(Source("a", "a = \n"), trees)
        assert diagnostics.has_errors
    assert not (tmp_path / "trees").exists()

    first, _ = parse_file_cached(Source("a", TEXT), trees)
    assert [path.suffix for path in (tmp_path / "trees").iterdir()] == [".tree"]
    assert len(parse_file_cached(Source("a", TEXT), trees)[0].blocks) == len(first.blocks)


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trees = TreeCache(tmp_path / "file" / "trees", KEY)

    body, diagnostics = parse_file_cached(Source("a", TEXT), trees)

    assert len(body.blocks) == 1
    assert not list(diagnostics)


def test_the_entries_unused_for_longest_are_removed(
    trees: TreeCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MOST_ENTRIES", 2)
    entries = [stored(trees, tmp_path, f"a = {number}\n") for number in range(2)]
    for age, entry in enumerate(entries):
        os.utime(entry, (1000 - age, 1000 - age))
    assert trees.load(Source("", "a = 1\n")) is not None

    stored(trees, tmp_path, "a = 2\n")

    assert [entry.exists() for entry in entries] == [False, True]


def test_the_deepest_tree_that_is_parsed_can_be_stored(trees: TreeCache, tmp_path: Path) -> None:
    text = "a = " + "[" * 99 + "1" + "]" * 99 + "\n"

    stored(trees, tmp_path, text)

    assert trees.load(Source("", text)) is not None


def test_a_user_keeps_one_private_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    key = user_key()

    assert key is not None
    assert len(key) == 32
    assert user_key() == key
    path = tmp_path / "lunform" / "tree-cache.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert user_key() is None


def test_without_a_place_for_the_key_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    assert user_key() is None


def test_a_json_file_is_kept_for_the_outline_that_it_was_read_with(trees: TreeCache) -> None:
    source, native = Source("a.json", '{"x": {"y": 1}}'), Source("a.hcl", '{"x": {"y": 1}}')
    as_block, as_argument = Outline(blocks={"x": Outline()}), Outline()
    tree, _ = parse_file_cached(source, trees, as_block)

    assert trees.load(source, as_block) == tree
    assert trees.load(source, as_argument) is None
    assert trees.load(native, as_block) is None
    assert len(parse_file_cached(source, trees, as_argument)[0].arguments) == 1
