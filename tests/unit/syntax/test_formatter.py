"""The canonical layout: tables of text before and after, and what holds for every text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.diagnostics import Source
from planner.syntax.formatter import format_source, lay_out
from planner.syntax.parser import parse_file
from planner.syntax.printer import print_body

ORACLE = Path(__file__).parents[2] / "language" / "oracle" / "hcl-oracle.jsonl"
CASES = Path(__file__).parents[2] / "language" / "syntax"

LAYOUTS = {
    "equals signs stand under each other": (
        'a=1\nlonger   = "x"\n\nb =2\n# a comment ends the run\nlong_too=3\nc=[\n1]\nd=4\n',
        'a      = 1\nlonger = "x"\n\nb = 2\n# a comment ends the run\nlong_too = 3\nc = [\n1]\nd = 4\n',
    ),
    "a heredoc does not end the run": (
        "a=1\nbb=<<EOT\n   kept\n EOT\nccc=2\n",
        "a   = 1\nbb  = <<EOT\n   kept\n EOT\nccc = 2\n",
    ),
    "comments at the ends of lines stand under each other": (
        "a = 1 # one\nbbb = 22   // two\nc = 3\nd = 4 # alone\n",
        "a   = 1  # one\nbbb = 22 // two\nc   = 3\nd   = 4 # alone\n",
    ),
    "indentation": (
        'b "x" {\na = 1\n    # inside\n      c {\nd = [\n1,\n[\n2,\n]\n]\n}\n}\n',
        'b "x" {\n  a = 1\n  # inside\n  c {\n    d = [\n      1,\n      [\n        2,\n      ]\n    ]\n  }\n}\n',
    ),
    "several brackets on a line indent once": (
        "a = f([{\nb = 1\n}, {\nc = 2\n}])\n",
        "a = f([{\n  b = 1\n  }, {\n  c = 2\n}])\n",
    ),
    "spaces around operators": (
        "a=1+2*3 -4\nb = ! c&&- d\ne = f ?g :h\ni = - 1- -2\n",
        "a = 1 + 2 * 3 - 4\nb = !c && -d\ne = f ? g : h\ni = -1 - -2\n",
    ),
    "brackets": (
        "a=[ 1,2 , 3 ]\nb={c=1,d=2}\ne={ }\nf=[ ]\ng = h( 1,2 ... )\ni = j [0] . k [ * ] . l\nm{n=1}\no { }\n",
        "a = [1, 2, 3]\nb = { c = 1, d = 2 }\ne = {}\nf = []\ng = h(1, 2...)\ni = j[0].k[*].l\nm { n = 1 }\no {}\n",
    ),
    "for expressions": (
        "a=[for x in(y):x if[1]==x]\nb={for k,v in x:k=>-v...}\n",
        "a = [for x in (y) : x if [1] == x]\nb = { for k, v in x : k => -v... }\n",
    ),
    "templates": (
        'a = "x ${ y+1 } ${{b=1}} %{ if c }d%{ endif ~}"\ne = "${  f  }  "\n',
        'a = "x ${y + 1} ${ { b = 1 } } %{if c}d%{endif~}"\ne = "${f}  "\n',
    ),
    "the inside of a heredoc but for its sequences is kept": (
        "a = <<-EOT\n      x=1 ${ y }\n\ttab\n  EOT\n",
        "a = <<-EOT\n      x=1 ${y}\n\ttab\n  EOT\n",
    ),
    "blank lines are kept, and nothing stands on them": (
        "\n\n  \na = 1\n\n\n\t\nb = 2\n\n",
        "\n\n\na = 1\n\n\n\nb = 2\n\n",
    ),
    "a file ends with the end of a line": ("a = 1 # c", "a = 1 # c\n"),
    "nothing stays nothing": ("", ""),
    "comments of several lines are kept": (
        "/* a\n    b */\nc {\n/* d\n*/\n}\n",
        "/* a\n    b */\nc {\n  /* d\n*/\n}\n",
    ),
    "ends of lines are kept": ("a=1\r\nb {\r\nc=2 # d\r\n}\r\n", "a = 1\r\nb {\r\n  c = 2 # d\r\n}\r\n"),
}

REWRITES = {
    "labels get quotes": ('variable x {\n}\nresource a-b  "c" {}\n', 'variable "x" {\n}\nresource "a-b" "c" {}\n'),
    "a string of one interpolation becomes its expression": (
        'a = "${ var.x }"\nb = "${"${c}"}"\nd = "${~ e ~}"\nf = ["${x}"]\ng = "${x} "\n',
        'a = var.x\nb = c\nd = e\nf = ["${x}"]\ng = "${x} "\n',
    ),
    "over several lines it needs parentheses": ('a = "${\n  b +\n  c\n}"\n', "a = (b +\nc)\n"),
    "a comment in it cannot hide the parenthesis": ('a = "${b +\n  c # d\n}"\n', "a = (b +\n  c # d\n)\n"),
    "types in quotes and without elements": (
        'variable "x" {\n  type = "string"\n}\nvariable "y" {\n  type = list\n}\nz {\n  type = "string"\n}\n',
        'variable "x" {\n  type = string\n}\nvariable "y" {\n  type = list(any)\n}\nz {\n  type = "string"\n}\n',
    ),
}


@pytest.mark.parametrize("name", LAYOUTS | REWRITES)
def test_format(name: str) -> None:
    before, after = (LAYOUTS | REWRITES)[name]

    text, diagnostics = format_source(Source("", before))

    assert not list(diagnostics)
    assert text == after
    assert format_source(Source("", after))[0] == after


def test_a_broken_file_is_left_as_it_is() -> None:
    text, diagnostics = format_source(Source("f", "a=1\nb = [\n"))

    assert text == "a=1\nb = [\n"
    assert [str(diagnostic.subject) for diagnostic in diagnostics] == ["f:2,5-6"]


def every_text() -> list[str]:
    expressions = [json.loads(line)["expr"] for line in ORACLE.read_text().splitlines()]
    texts = [f"b {{\na={expression}\n\n  c= 1 # d\n}}\n" for expression in expressions]
    texts += [path.read_bytes().decode() for path in CASES.glob("*/input.lun.hcl")]
    return [text for text in texts if not parse_file(Source("", text))[1].has_errors]


def test_layout_keeps_the_tree_and_is_stable() -> None:
    texts = every_text()
    assert len(texts) > 700
    for text in texts:
        laid_out = lay_out(Source("", text))

        body, _ = parse_file(Source("", text))
        again, diagnostics = parse_file(Source("", laid_out))
        assert not list(diagnostics)
        assert print_body(again) == print_body(body)
        assert lay_out(Source("", laid_out)) == laid_out


def test_layout_changes_nothing_but_space() -> None:
    for text in every_text():
        assert "".join(lay_out(Source("", text)).split()) == "".join(text.split())
