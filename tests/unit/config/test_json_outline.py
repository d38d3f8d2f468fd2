"""The outline of JSON files agrees with what the decoder takes."""

from __future__ import annotations

from planner.config import decoder
from planner.config.json_outline import CONFIGURATION
from planner.resources.catalog import RESOURCE_TYPES


def test_every_block_has_the_labels_that_the_decoder_wants() -> None:
    assert {name: outline.labels for name, outline in CONFIGURATION.blocks.items()} == decoder._TOP_LEVEL


def test_every_nested_block_is_a_block_in_json() -> None:
    expected = {
        "lunform": set(decoder._SETTINGS.blocks),
        "variable": set(decoder._VARIABLE.blocks),
        **{name: {"lifecycle", *(block.type for block in type.blocks)} for name, type in RESOURCE_TYPES.items()},
    }

    assert {name: set(outline.blocks) for name, outline in CONFIGURATION.blocks.items() if outline.blocks} == expected
