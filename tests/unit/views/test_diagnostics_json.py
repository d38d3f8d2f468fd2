from __future__ import annotations

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.views.diagnostics_json import diagnostics_to_json

TEXT = '# größer\nvolume "db" {\n  ünit = 数 + 1\n}\n'
SOURCE = Source("main.lun.hcl", TEXT)


def at(text: str) -> SourceRange:
    return SourceRange(SOURCE, TEXT.index(text), TEXT.index(text) + len(text))


def test_positions_count_characters_and_bytes() -> None:
    found = Diagnostics()
    found.error("Unsuitable value", "Why.", at("数 + 1"), address="volume.db")

    [item] = diagnostics_to_json(found)["diagnostics"]

    start = TEXT.index("数 + 1")
    assert item["range"] == {
        "filename": "main.lun.hcl",
        "start": {"line": 3, "column": 10, "byte": len(TEXT[:start].encode())},
        "end": {"line": 3, "column": 15, "byte": len(TEXT[: start + 5].encode())},
    }
    code = item["snippet"]["code"].encode()
    highlighted = code[item["snippet"]["highlight_start_offset"] : item["snippet"]["highlight_end_offset"]]
    assert (item["snippet"]["code"], highlighted.decode()) == ("  ünit = 数 + 1", "数 + 1")
    assert (item["snippet"]["start_line"], item["snippet"]["context"]) == (3, 'volume "db"')
    assert (item["severity"], item["summary"], item["address"]) == ("error", "Unsuitable value", "volume.db")


def test_a_range_over_several_lines_shows_all_of_them() -> None:
    found = Diagnostics()
    found.error("Wrong", subject=at('volume "db" {\n  ünit'))

    [item] = diagnostics_to_json(found)["diagnostics"]

    assert item["snippet"]["code"] == 'volume "db" {\n  ünit = 数 + 1'
    assert item["range"]["end"]["line"] == 3


def test_values_are_split_into_name_and_statement() -> None:
    found = Diagnostics()
    values = (
        'var.size is "200"',
        'local.m["is it"] is 3',
        "var.key has a sensitive value",
        "x will be known only after apply",
    )
    found.error("Wrong", subject=at("ünit"), values=values)

    [item] = diagnostics_to_json(found)["diagnostics"]

    assert [(value["traversal"], value["statement"]) for value in item["snippet"]["values"]] == [
        ("var.size", 'is "200"'),
        ('local.m["is it"]', "is 3"),
        ("var.key", "has a sensitive value"),
        ("x", "will be known only after apply"),
    ]


def test_warnings_alone_are_valid() -> None:
    found = Diagnostics()
    found.warning("Old", related=(("declared here", at("volume")),))

    report = diagnostics_to_json(found)

    assert (report["valid"], report["error_count"], report["warning_count"]) == (True, 0, 1)
    [item] = report["diagnostics"]
    assert "range" not in item
    assert item["related"][0]["message"] == "declared here"
