"""Which variables are written by the time a token comes to an element: on every way that leads there, or on some.

All processes of a bundle are looked at together, since they share an instance's variables: a called process begins with
what its caller knows, a cancellation surely with nothing but what the instance was started with, since an order may be
given up at any time. A token that leaves by a boundary event has not got what its task would have written.
Sets of names are the bits of a number, so that large diagrams stay quick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from engine.lint.model import SUBPROCESSES, Context, Node, Scope
from engine.lint.writers import given, items_of, writes

How = Literal["always", "sometimes", "never"]


@dataclass
class Known:
    """What `known_before` found."""

    _bits: dict[str, int] = field(default_factory=dict)
    _every: dict[Node, tuple[int, int]] = field(default_factory=dict)
    _some: dict[Node, tuple[int, int]] = field(default_factory=dict)

    def how(self, node: Node, name: str, *, after: bool = False) -> How:
        """Whether a variable is there when this element is entered, or left."""
        bit = self._bits.get(name, 0)
        if self._every[node][after] & bit:
            return "always"
        return "sometimes" if self._some[node][after] & bit else "never"

    def surely(self, node: Node) -> frozenset[str]:
        """Every variable that is written on every way to an element."""
        every = self._every[node][False]
        return frozenset(name for name, bit in self._bits.items() if every & bit)


def known_before(context: Context) -> Known:
    """What is written before and after every element of a bundle."""
    if context.known is None:
        known = Known()
        nodes = [node for diagram in context.diagrams for node in diagram.nodes()]
        names = sorted({name for node in nodes for name in writes(node)}
                       | {name for diagram in context.diagrams for each in diagram.processes for name in given(each)})
        known._bits = {name: 1 << index for index, name in enumerate(names)}
        graph = _Graph(context, nodes, known._bits)
        known._every = graph.solve(every=True)
        known._some = graph.solve(every=False)
        context.known = known
    assert isinstance(context.known, Known)
    return context.known


class _Graph:
    """Elements with what each writes, and what comes before what."""

    def __init__(self, context: Context, nodes: list[Node], bits: dict[str, int]) -> None:
        self.nodes, self._all = nodes, (1 << len(bits)) - 1
        self._written = {node: _sum(bits[name] for name in writes(node)) for node in nodes}
        self._items = {node: _sum(bits[name] for name in items_of(node)) for node in nodes}
        self._inner = {(scope.parent, scope.id): scope for diagram in context.diagrams for scope in diagram.scopes
                       if scope.parent is not None}
        self._processes = context.processes
        self._start = {scope: _sum(bits[name] for name in given(scope))
                       for diagram in context.diagrams for scope in diagram.processes}
        self._callers: dict[str, list[Node]] = {}
        for node in nodes:
            if node.kind == "callActivity":
                self._callers.setdefault(node.xml.get("calledElement", ""), []).append(node)
        self._undone: dict[str, list[Scope]] = {}
        for scope in self._processes.values():
            self._undone.setdefault(scope.properties.get("cancellation", ""), []).append(scope)

    def solve(self, *, every: bool) -> dict[Node, tuple[int, int]]:
        """Before and after each element: what is written on every way, or on some."""
        top = self._all if every else 0
        before = dict.fromkeys(self.nodes, top)
        after = dict.fromkeys(self.nodes, top)
        meet: Callable[[int, int], int] = (lambda a, b: a & b) if every else (lambda a, b: a | b)
        followers = self._followers()
        waiting, queued = deque(self.nodes), set(self.nodes)
        while waiting:
            node = waiting.popleft()
            queued.discard(node)
            entered = self._entered(node, before, after, meet, top)
            left = self._left(node, entered, after, meet, top)
            if (entered, left) != (before[node], after[node]):
                before[node], after[node] = entered, left
                for each in followers.get(node, ()):
                    if each not in queued:
                        queued.add(each)
                        waiting.append(each)
        return {node: (before[node] | self._items[node], after[node]) for node in self.nodes}

    def _entered(
        self, node: Node, before: dict[Node, int], after: dict[Node, int], meet: Callable[[int, int], int], top: int
    ) -> int:
        if node.kind == "startEvent":
            return self._begun(node.scope, before, meet, top, every=top == self._all)
        if node.kind == "boundaryEvent":
            host = node.scope.nodes.get(node.xml.get("attachedToRef", ""))
            return before[host] if host is not None else top
        sources = [after[source] for flow in node.incoming if (source := node.scope.nodes.get(flow.source))]
        if node.kind == "parallelGateway":  # a token of every branch has come
            return _sum(sources) if sources else top
        return reduce(meet, sources, top) if sources else top

    def _begun(
        self, scope: Scope, before: dict[Node, int], meet: Callable[[int, int], int], top: int, *, every: bool
    ) -> int:
        if scope.parent is not None:
            host = scope.parent.nodes.get(scope.id)
            return before[host] | self._items[host] if host is not None else top
        ways = [before[caller] | self._items[caller] for caller in self._callers.get(scope.id, ())]
        for undone in self._undone.get(scope.id, ()):
            ways.append(self._start[undone] if every else self._all)
        if not ways:
            ways = [0]
        return reduce(meet, ways) | self._start[scope]

    def _left(
        self, node: Node, entered: int, after: dict[Node, int], meet: Callable[[int, int], int], top: int
    ) -> int:
        inside = self._inside(node)
        ends = [after[end] for end in _ends(inside)] if inside is not None else []
        return entered | self._written[node] | (reduce(meet, ends) if ends else 0)

    def _inside(self, node: Node) -> Scope | None:
        if node.kind in SUBPROCESSES:
            return self._inner.get((node.scope, node.id))
        return self._processes.get(node.xml.get("calledElement", "")) if node.kind == "callActivity" else None

    def _followers(self) -> dict[Node, list[Node]]:
        """The elements that are to be looked at again when one has changed."""
        found: dict[Node, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node, []).extend(node.scope.targets(node) + node.boundaries)
            inside = self._inside(node)
            if inside is not None:
                found[node] += [each for each in inside.nodes.values() if each.kind == "startEvent"]
                for end in _ends(inside):
                    found.setdefault(end, []).append(node)
        return found


def _ends(scope: Scope) -> list[Node]:
    """The ends after which the caller goes on."""
    return [node for node in scope.nodes.values() if node.kind == "endEvent" and node.event in ("none", "terminate")]


def _sum(bits: Iterable[int]) -> int:
    return reduce(lambda a, b: a | b, bits, 0)
