"""What lies ahead of where an instance stands, in one version of a process.

What it has passed is left out, though it may be sent back there: it meets that once more, and that is no news. Passed
is an element through which every way here has led, unless it was left by its border, as a task is that was refused, or
every way on from here leads through it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.bpmn.specs.mixins.subworkflow_task import SubWorkflowTask

from engine.definitions import Definition

Node = tuple[str, str]
"""Spec of the (sub)process, "" for the main one, and name of the task spec."""
START: Node = ("", "Start")


class Ways:
    """The flows of one process of a version, subprocesses included."""

    def __init__(self, definition: Definition, process: str) -> None:
        main, subs = definition.diagram(process).specs
        self._specs: dict[str, Any] = {"": main, **subs}
        self._element: dict[Node, str] = {
            (sub, name): spec.bpmn_id
            for sub, process_spec in self._specs.items()
            for name, spec in process_spec.task_specs.items() if spec.bpmn_id
        }
        self._hosts: dict[Node, Node] = {}
        """Boundary event → the activity that it sits on."""
        self._next: dict[Node, list[Node]] = self._edges()
        self._ends = {node for node, targets in self._next.items() if node[0] == "" and not targets}
        self._through = self._always_through()
        self._forward = {
            node: [target for target in targets if target not in self._through.get(node, ())]
            for node, targets in self._next.items()
        }
        """Without the flows to an element through which every way has led."""
        self.ahead = lru_cache(maxsize=None)(self._ahead)
        """The elements that may still come, by where the tokens stand; those where they stand are no part of it."""
        self._nodes = {element: node for node, element in self._element.items()}

    def avoiding(self, standing: frozenset[Node], elements: frozenset[str]) -> frozenset[str]:
        """The elements that may come before any of these has come; those where the tokens stand are no part of it."""
        blocked = {node for node, element in self._element.items() if element in elements}
        return self._elements(self._on_from(standing, blocked) - blocked, standing)

    def next_step(self, element: str, steps: Mapping[str, int]) -> int | None:
        """The lowest number of a step that follows an element, among `steps` (element → number)."""
        node = self._nodes.get(element)
        following = _reached(self._forward, self._forward.get(node, ())) if node is not None else {}
        found = [steps[self._element[each]] for each in following if self._element.get(each) in steps]
        return min(found, default=None)

    def _edges(self) -> dict[Node, list[Node]]:
        edges: dict[Node, list[Node]] = {}
        for sub, process_spec in self._specs.items():
            for name, spec in process_spec.task_specs.items():
                targets = [(sub, o.name) for o in spec.outputs if not isinstance(o, BoundaryEventJoin)]
                split = process_spec.task_specs.get(f"{name}.BoundaryEventSplit")
                if split is not None:
                    targets += [(sub, o.name) for o in split.outputs if isinstance(o, BoundaryEvent)]
                if isinstance(spec, SubWorkflowTask) and spec.spec in self._specs:
                    targets.append((spec.spec, "Start"))
                edges[sub, name] = targets
                self._hosts.update({target: (sub, name) for target in targets if self._is_border(target)})
        return edges

    def _is_border(self, node: Node) -> bool:
        return isinstance(self._specs[node[0]].task_specs[node[1]], BoundaryEvent)

    def _always_through(self) -> dict[Node, frozenset[Node]]:
        """For each element that can be reached: what every way to it leads through, itself included."""
        order = list(_reached(self._next, [START]))
        before: dict[Node, list[Node]] = {node: [] for node in order}
        for node in order:
            for target in self._next[node]:
                before[target].append(node)
        every = frozenset(order)
        through = dict.fromkeys(order, every) | {START: frozenset([START])}
        changed = True
        while changed:
            changed = False
            for node in order:
                if node == START:
                    continue
                common = frozenset.intersection(*(through[source] for source in before[node])) | {node}
                if common != through[node]:
                    through[node], changed = common, True
        return through

    def _ahead(self, standing: frozenset[Node]) -> frozenset[str]:
        return self._elements(self._on_from(standing, set()), standing)

    def _elements(self, nodes: Collection[Node], standing: frozenset[Node]) -> frozenset[str]:
        passed = self._passed(standing)
        return frozenset(
            self._element[node] for node in nodes if node in self._element and node not in passed
        ) - {self._element.get(node) for node in standing}

    def _on_from(self, standing: frozenset[Node], blocked: Collection[Node]) -> set[Node]:
        """Every node that a token may come to, on ways that go through none of the blocked ones."""
        edges = {node: targets for node, targets in self._next.items() if node not in blocked}
        return set(_reached(edges, [target for node in standing for target in edges.get(node, ())]))

    def _passed(self, standing: frozenset[Node]) -> set[Node]:
        """What lies behind all tokens for good; see the head of this file."""
        through = frozenset().union(*(self._through.get(node, frozenset()) for node in standing))
        left_by_border = {self._hosts[node] for node in through if node in self._hosts}
        return {
            node for node in through - left_by_border
            if node not in standing and not self._ends.isdisjoint(self._on_from(standing, {node}))
        }


def _reached(edges: Mapping[Node, list[Node]], start: Iterable[Node]) -> dict[Node, None]:
    """Nodes that can be reached, the start included, in the order they are found."""
    found: dict[Node, None] = {}
    todo = list(start)
    while todo:
        node = todo.pop()
        if node not in found:
            found[node] = None
            todo.extend(edges.get(node, ()))
    return found
