"""What lies ahead of where an instance stands, in one version of a process.

Ways back are left out: an order that is sent back meets everything once more, and that is no news. A way back is a flow
to an element through which every way here has led.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        self._next: dict[Node, list[Node]] = self._edges()
        self._forward = self._without_ways_back()
        self.ahead = lru_cache(maxsize=None)(self._ahead)
        """The elements that may still come, by where the tokens stand; those where they stand are no part of it."""
        self._nodes = {element: node for node, element in self._element.items()}

    def avoiding(self, standing: frozenset[Node], elements: frozenset[str]) -> frozenset[str]:
        """The elements that may come before any of these has come; those where the tokens stand are no part of it."""
        edges = {node: targets for node, targets in self._forward.items() if self._element.get(node) not in elements}
        first = [target for node in standing for target in edges.get(node, ())]
        return frozenset(
            self._element[node] for node in _reached(edges, first) if node in self._element
        ) - elements - {self._element[node] for node in standing if node in self._element}

    def next_step(self, element: str, steps: Mapping[str, int]) -> int | None:
        """The lowest number of a step that follows an element, among `steps` (element → number)."""
        node = self._nodes.get(element)
        found = [steps[e] for e in self.ahead(frozenset([node])) if e in steps] if node is not None else []
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
        return edges

    def _without_ways_back(self) -> dict[Node, list[Node]]:
        through = self._always_through()
        return {
            node: [target for target in targets if node not in through or target not in through[node]]
            for node, targets in self._next.items()
        }

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
        first = [target for node in standing for target in self._forward.get(node, ())]
        return frozenset(
            self._element[node] for node in _reached(self._forward, first) if node in self._element
        ) - {self._element.get(node) for node in standing}


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
