"""
Ten expressions, evaluated for 10,000 instances of a block: seconds of CPU in all, and microseconds for each expression.

    python tests/benchmarks/bench_evaluate.py
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from planner.diagnostics import Source
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.functions.registry import standard_functions
from planner.evaluation.scope import Names
from planner.syntax.parser import parse_expression

INSTANCES = 10_000
EXPRESSIONS = (
    "var.prefix",
    '"${var.prefix}-${each.key}"',
    "each.value.size * 2 + 1",
    "upper(each.key)",
    'each.value.tags["tier"]',
    'each.value.size > 100 ? "large" : "small"',
    "merge(local.tags, { name = each.key })",
    '[for zone in local.zones : "${zone}-${each.key}"]',
    'format("%s-%03d", var.prefix, each.value.number)',
    "lookup(local.limits, each.value.tags.tier, 100)",
)
SHARED = {
    ("var", "prefix"): "db",
    ("local", "tags"): {"env": "prod", "team": "storage"},
    ("local", "zones"): ("east", "west"),
    ("local", "limits"): {"gold": 1000, "silver": 500},
}


def compiled(text: str) -> Compiled:
    expression, _ = parse_expression(Source("bench", text))
    assert expression is not None
    return compile_expression(expression, standard_functions(Path(), plan_time=datetime.now(UTC)))


def scope(number: int) -> Names:
    value = {"number": number, "size": number % 200, "tags": {"tier": "gold"}}
    return Names(SHARED | {("each", "key"): f"v{number}", ("each", "value"): value})


def main() -> None:
    expressions = [compiled(text) for text in EXPRESSIONS]
    scopes = [scope(number) for number in range(INSTANCES)]
    start = time.process_time()
    for one in scopes:
        for expression in expressions:
            expression.evaluate(one)
    print(f"{time.process_time() - start:.2f} s of CPU for {INSTANCES} instances of {len(EXPRESSIONS)} expressions")
    for text, expression in zip(EXPRESSIONS, expressions, strict=True):
        start = time.process_time()
        for one in scopes:
            expression.evaluate(one)
        print(f"{(time.process_time() - start) / INSTANCES * 1e6:8.2f} us  {text}")


if __name__ == "__main__":
    main()
