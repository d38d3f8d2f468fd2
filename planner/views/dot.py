"""Graphs as DOT. Arrows go from what needs to what is needed, as Terraform's do."""

from __future__ import annotations

from collections.abc import Iterable

from planner.steps.graph import StepGraph, Verb
from planner.views.steps_text import step_text


def steps_to_dot(graph: StepGraph) -> str:
    """The step graph of a plan: a box for each provider call, a dot where many steps wait for many others."""
    lines = []
    for step in graph.steps:
        if step.verb is Verb.JOIN:
            lines.append(f'  {step.id} [shape = point, tooltip = "{_escaped(str(step.address))}"]')
        else:
            lines.append(f'  {step.id} [label = "{_escaped(str(step.address))}\\n{_escaped(step_text(step))}"]')
    lines.extend(f"  {step.id} -> {need}" for step in graph.steps for need in step.requires)
    return _digraph(lines)


def resources_to_dot(edges: Iterable[tuple[str, str]]) -> str:
    """
    Args:
        edges: (what needs, what is needed).
    """
    pairs = sorted(set(edges))
    names = sorted({name for pair in pairs for name in pair})
    lines = [f'  "{_escaped(name)}"' for name in names]
    lines.extend(f'  "{_escaped(needing)}" -> "{_escaped(needed)}"' for needing, needed in pairs)
    return _digraph(lines)


def _digraph(lines: Iterable[str]) -> str:
    return "\n".join(["digraph {", '  rankdir = "RL"', '  node [shape = "box"]', *lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
