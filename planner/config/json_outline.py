"""What our files hold, as far as JSON does not say it; see `planner.syntax.json_syntax`."""

from __future__ import annotations

from planner.resources.catalog import PROVIDED, RESOURCE_TYPES
from planner.resources.schema import ResourceType
from planner.syntax.json_syntax import Outline, Reading

_SETTING, _EXPRESSION = Reading.SETTING, Reading.EXPRESSION


_LIFECYCLE = Outline(
    blocks=dict.fromkeys(("precondition", "postcondition"), Outline()),
    readings={
        "prevent_destroy": _SETTING,
        "create_before_destroy": _SETTING,
        "ignore_changes": _EXPRESSION,
        "replace_triggered_by": _EXPRESSION,
    },
)
_DYNAMIC = Outline(labels=1, blocks={"content": Outline()}, readings={"iterator": _EXPRESSION})
_ADDRESSES = {"from": _EXPRESSION, "to": _EXPRESSION}


def _resource(type: ResourceType) -> Outline:
    return Outline(
        labels=1,
        blocks=dict.fromkeys((block.type for block in type.blocks), Outline())
        | {"lifecycle": _LIFECYCLE, "dynamic": _DYNAMIC},
        readings=dict.fromkeys(("depends_on", "provider") if type.name in PROVIDED else ("depends_on",), _EXPRESSION),
    )


CONFIGURATION = Outline(
    blocks={
        "lunform": Outline(
            blocks={
                "backend": Outline(labels=1, others=_SETTING),
                "encryption": Outline(blocks=dict.fromkeys(("key", "old_key"), Outline(others=_SETTING)), others=None),
            },
            others=_SETTING,
        ),
        "variable": Outline(
            labels=1,
            blocks={"validation": Outline()},
            readings={"type": _EXPRESSION, "default": Reading.CONSTANT},
            others=_SETTING,
        ),
        "locals": Outline(),
        "output": Outline(
            labels=1, readings={"description": _SETTING, "sensitive": _SETTING, "depends_on": _EXPRESSION}
        ),
        "provider": Outline(labels=1, readings={"alias": _SETTING}),
        "module": Outline(
            labels=1,
            readings={
                "source": _SETTING,
                "version": _SETTING,
                "providers": _EXPRESSION,
                "depends_on": _EXPRESSION,
            },
        ),
        "data": Outline(labels=2, readings={"depends_on": _EXPRESSION}),
        "check": Outline(labels=1, blocks={"assert": Outline()}),
        "moved": Outline(readings=_ADDRESSES),
        "removed": Outline(blocks={"lifecycle": Outline(others=_SETTING)}, readings=_ADDRESSES),
        "import": Outline(readings=_ADDRESSES),
    }
    | {type.name: _resource(type) for type in RESOURCE_TYPES.values()},
    others=None,
)
"""A file of configuration."""

VALUES = Outline(others=Reading.CONSTANT)
"""A file of variables' values."""
