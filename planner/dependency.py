"""
The graph of what needs what, over networkx: a deterministic order, and the path of a cycle when there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import networkx

N = TypeVar("N", bound=Hashable)


class CycleError(ValueError):
    """The graph has a cycle; `path` is its nodes in order, each needing the next, the last needing the first."""

    def __init__(self, path: list[object]) -> None:
        super().__init__(" -> ".join(str(node) for node in [*path, path[0]]))
        self.path = path


class DependencyGraph(Generic[N]):
    """
    Nodes and what they need.

    Edges join blocks, not expanded instances, so that two blocks of N instances cost one edge and not N x N.
    """

    def __init__(self) -> None:
        self._graph: networkx.DiGraph[N] = networkx.DiGraph()
        self._place: dict[N, int] = {}

    def add(self, node: N, needs: Iterable[N] = ()) -> None:
        """Add a node and what it needs; needed nodes are added as well. Adding again adds edges."""
        self._place.setdefault(node, len(self._place))
        self._graph.add_node(node)
        for need in needs:
            self._place.setdefault(need, len(self._place))
            self._graph.add_edge(need, node)

    def order(self) -> list[N]:
        """
        All nodes, each after what it needs; otherwise in the order in which they were added.

        Raises:
            CycleError: there is none.
        """
        try:
            return list(networkx.lexicographical_topological_sort(self._graph, key=self._place.__getitem__))
        except networkx.NetworkXUnfeasible:
            edges = networkx.find_cycle(self._graph, orientation="reverse")
            raise CycleError([edge[1] for edge in edges]) from None

    def downstream(self, nodes: Iterable[N]) -> set[N]:
        """The nodes that need any of `nodes`, directly or not; one of `nodes` itself only where it needs another."""
        return _reached(nodes, self._graph.successors)

    def upstream(self, nodes: Iterable[N]) -> set[N]:
        """What any of `nodes` needs, directly or not; one of `nodes` itself only where another needs it."""
        return _reached(nodes, self._graph.predecessors)


def _reached(nodes: Iterable[N], next_of: Callable[[N], Iterable[N]]) -> set[N]:
    found: set[N] = set()
    waiting = list(nodes)
    while waiting:
        for node in next_of(waiting.pop()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found
