"""What it takes to bring a stored state from one version of a process to another.

Works on the state as it is stored (ENGINE-NOTES, "State"): names and states of the tasks, subprocesses too; nothing is
rebuilt. What an instance has finished may be gone from the new version; what it stands at may not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.bpmn.specs.mixins.subworkflow_task import SubWorkflowTask
from SpiffWorkflow.util.task import TaskState

from engine.definitions import Definition, Element
from engine.joins import Joins
from engine.ways import Ways

State = dict[str, Any]
"""A stored state, or one subprocess of it, as JSON."""
LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED
PREDICTED = TaskState.FUTURE | TaskState.LIKELY | TaskState.MAYBE
GONE = "Start"
"""The name that a finished task gets when its element is gone: a spec that every process has and nobody asks for."""
WAS = "was"
"""Where such a task keeps its own name and class, so that going back restores it."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an instance cannot move: the element that stops it, and a sentence."""

    element: str | None
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class OpenCall:
    """An operation that a worker has to do or has begun, of one instance."""

    process: str
    element: str
    operation: str
    waited_for: bool
    """A token waits for it; else it is work beside the token."""


class Transfer:
    """From one version to another. Made once, asked for many instances."""

    def __init__(self, old: Definition, new: Definition) -> None:
        self.old, self.new = old, new
        self._lost = lru_cache(maxsize=None)(self._find_lost)
        self._joins = lru_cache(maxsize=None)(self._find_joins)
        self._ways = lru_cache(maxsize=None)(Ways)
        self.removed = frozenset(_elements(old)) - frozenset(_elements(new))

    # --- may it? ----------------------------------------------------------------------------------------------------

    def obstacle(
        self, state: State, process: str, calls: Sequence[OpenCall] = (), signed: Collection[str] = (), *,
        cancelling: bool = False,
    ) -> Obstacle | None:
        """What stops an instance, or None. `signed`: open gates under which somebody has signed. `cancelling`: it is
        being cancelled, and is to be undone when what was begun outside has ended."""
        if cancelling and self.old.cancellation is not None and self.new.cancellation is None:
            why = "The order is being cancelled, and the new version has no process that undoes it."
            return Obstacle(process, self.old.diagrams[process].name, why)
        if process not in self.new.diagrams:
            name = self.old.diagrams[process].name
            return Obstacle(process, name, f"The order runs the process “{name}”, which the new version does not have.")
        for sub, tree in trees(state):
            found = self._tree_obstacle(process, sub, tree, state)
            if found is not None:
                return found
        return (self._call_obstacle(calls) or self._gate_obstacle(process, signed)
                or self._skipped_obstacle(process, live_names(state)))

    def _tree_obstacle(self, process: str, sub: str, tree: State, state: State) -> Obstacle | None:
        lost, tasks = self._lost(process, sub), tree["tasks"]
        for task_id, task in tasks.items():
            name = task["task_spec"]
            if task["state"] & PREDICTED:
                continue
            if name in lost and not self._can_lose(process, sub, tasks, task):
                return self._missing(process, sub, name)
            if task["state"] & LIVE and name not in lost:
                found = self._live_obstacle(process, sub, name, state["subprocesses"].get(task_id))
                if found is not None:
                    return found
        joins = self._joins(process, sub)
        stuck = joins.stuck(tasks) if joins is not None else None
        if stuck is None:
            return None
        element = self._element(self.new, process, stuck, sub)
        return Obstacle(element.id, element.name, f"At “{element.name}” the order would wait for ever for a branch "
                                                  "that began before it moved.")

    def _can_lose(self, process: str, sub: str, tasks: Mapping[str, Any], task: State) -> bool:
        """Whether the order does not need a task whose element is gone.

        A boundary event leaves the activity that it sits on; what it has set going must have ended.
        """
        boundary = self._is_boundary(process, sub, task["task_spec"])
        if boundary and self._guards(process, sub, tasks, task):
            return not any(
                below["state"] & LIVE and not below["task_spec"].endswith(".BoundaryEventJoin")
                for below in _below(tasks, task) if below is not task
            )
        if task["task_spec"].endswith(".BoundaryEventJoin"):
            return True  # goes with the event that it belongs to
        return not task["state"] & LIVE

    def _guards(self, process: str, sub: str, tasks: Mapping[str, Any], boundary: State) -> bool:
        """Whether the activity of a boundary event is still under way."""
        return any(
            tasks[child]["state"] & LIVE and not self._is_boundary(process, sub, tasks[child]["task_spec"])
            for child in tasks[boundary["parent"]]["children"]
        )

    def _live_obstacle(self, process: str, sub: str, name: str, inside: State | None) -> Obstacle | None:
        old, new = self._spec(self.old, process, sub, name), self._spec(self.new, process, sub, name)
        if old is None or old.bpmn_id is None:
            return None
        was, now = (self._element(version, process, old.bpmn_id, sub) for version in (self.old, self.new))
        why = None
        if was.is_approval != now.is_approval:
            why = (f"“{was.name}” is open as {_kind(was)} and would be {_kind(now)}.")
        elif isinstance(old, LoopTask) and old.task_spec != new.task_spec:
            why = f"“{was.name}” is under way and repeats something else in the new version."
        elif isinstance(old, SubWorkflowTask) and inside is not None and new.spec != inside["spec"]:
            why = f"“{was.name}” is under way and calls another process in the new version."
        return Obstacle(was.id, was.name, why) if why else None

    def _call_obstacle(self, calls: Sequence[OpenCall]) -> Obstacle | None:
        for call in calls:
            was = self._element(self.old, call.process, call.element)
            if self.new.find(call.process, call.element) is None:
                return Obstacle(was.id, was.name, f"Work of “{was.name}” is under way, and the new version does not "
                                                  "have it. Move the order when that work has ended.")
            spec = next((s for _, s in _specs(self.new, call.process) if s.bpmn_id == call.element), None)
            named = getattr(spec, "operation_name", call.operation)
            if call.waited_for and named != call.operation:
                return Obstacle(was.id, was.name, f"“{was.name}” is under way with {call.operation} and would call "
                                                  f"{named}. Move the order when it has ended.")
        return None

    def _gate_obstacle(self, process: str, signed: Collection[str]) -> Obstacle | None:
        for gate in signed:
            was, now = (self._element(version, process, gate) for version in (self.old, self.new))
            if dict(was.properties) != dict(now.properties):
                return Obstacle(gate, was.name, f"Somebody has signed “{was.name}” as it is, and the gate changes. "
                                                "Move the order when the gate is decided.")
        return None

    def _skipped_obstacle(self, process: str, standing: frozenset[tuple[str, str]]) -> Obstacle | None:
        """A gate that lies ahead of the order and would not, in the new version: a move is no way past a signature."""
        gates = self.old.gates(process)
        before = self._ways(self.old, process).ahead(standing) if gates else frozenset()
        now = self._ways(self.new, process).ahead(standing) if gates else frozenset()
        kept = {gate.id for gate in self.new.gates(process)} & (now | self._here(process, standing))
        for gate in gates:
            if gate.id in before and gate.id not in kept:
                return Obstacle(gate.id, gate.name, f"“{gate.name}” is still ahead of the order and would be left out. "
                                                    "Move the order when the gate is decided.")
        return None

    def _here(self, process: str, standing: frozenset[tuple[str, str]]) -> frozenset[str]:
        """The elements where an order stands."""
        specs = (self._spec(self.new, process, sub, name) for sub, name in standing)
        return frozenset(spec.bpmn_id for spec in specs if spec is not None and spec.bpmn_id)

    def _missing(self, process: str, sub: str, name: str) -> Obstacle:
        spec = self._spec(self.old, process, sub, name)
        id_ = (spec.bpmn_id if spec is not None else None) or name.partition(".")[0]
        element, now = self._element(self.old, process, id_, sub), _elements(self.new).get(id_)
        what = ("which the new version does not have" if now is None
                else "which is something else in the new version")
        return Obstacle(element.id, element.name, f"The order is at “{element.name}”, {what}.")

    # --- rewriting --------------------------------------------------------------------------------------------------

    def rewrite(self, state: State, process: str) -> None:
        """Makes a state that no obstacle stops one of the new version; the ways ahead are left out, to be found anew.

        Finished tasks of elements that are gone keep their place in the tree under a name that means nothing.
        """
        for sub, tree in trees(state):
            tasks = tree["tasks"]
            _prune(tasks, [id_ for id_, task in tasks.items() if task["state"] & PREDICTED])
            lost = self._lost(process, sub)
            for task_id in [id_ for id_, task in tasks.items() if task["task_spec"] in lost]:
                task = tasks.get(task_id)
                if task is None:
                    continue
                if self._is_boundary(process, sub, task["task_spec"]) and self._guards(process, sub, tasks, task):
                    _prune(tasks, [task_id])
            for task in tasks.values():
                if task["task_spec"] in lost:
                    spec = self._spec(self.old, process, sub, task["task_spec"])
                    task["internal_data"][WAS] = [task["task_spec"], type(spec).__name__]
                    task["task_spec"] = GONE
                elif WAS in task["internal_data"]:
                    self._restore(process, sub, task)
        known = {id_ for _, tree in trees(state) for id_, task in tree["tasks"].items() if task["task_spec"] != GONE}
        state["subprocesses"] = {parent: tree for parent, tree in state["subprocesses"].items() if parent in known}

    def _restore(self, process: str, sub: str, task: State) -> None:
        """Gives a finished task its own name back when the new version has its element again."""
        name, kind = task["internal_data"][WAS]
        spec = self._spec(self.new, process, sub, name)
        if spec is not None and type(spec).__name__ == kind:
            task["task_spec"] = name
            del task["internal_data"][WAS]

    # --- the two versions -------------------------------------------------------------------------------------------

    def _find_lost(self, process: str, sub: str) -> frozenset[str]:
        """Names of the old version that mean nothing, or something else, in the new one."""
        old = names_of(self.old, process, sub)
        new = names_of(self.new, process, sub)
        return frozenset(name for name, spec in old.items() if name not in new or _differs(spec, new[name]))

    def _find_joins(self, process: str, sub: str) -> Joins | None:
        names = names_of(self.new, process, sub)
        cancelling = {e.id for e in _elements(self.new).values() if e.properties.get("cancels", "false") != "false"}
        joins = Joins(names, cancelling)
        return joins if joins.exist else None

    def _is_boundary(self, process: str, sub: str, name: str) -> bool:
        return isinstance(self._spec(self.old, process, sub, name), BoundaryEvent)

    @staticmethod
    def _spec(definition: Definition, process: str, sub: str, name: str) -> Any:
        return names_of(definition, process, sub).get(name)

    @staticmethod
    def _element(definition: Definition, process: str, element_id: str, sub: str = "") -> Element:
        """An element of the (sub)process where the instance stands; other diagrams may have one of the same id."""
        found = (definition.find(sub, element_id) or definition.find(process, element_id)
                 or _elements(definition).get(element_id))
        return found or Element(element_id, element_id, "", "")


def trees(state: State) -> Iterator[tuple[str, State]]:
    """The main tree of a state (named "") and those of its subprocesses, with the names of their specs."""
    yield "", state
    for tree in state["subprocesses"].values():
        yield tree["spec"], tree


def live_ids(state: State) -> set[str]:
    """Ids of the tasks that are not finished."""
    return {id_ for _, tree in trees(state) for id_, task in tree["tasks"].items() if task["state"] & LIVE}


def live_names(state: State) -> frozenset[tuple[str, str]]:
    """Where an instance stands: spec of the (sub)process and name of the task."""
    return frozenset(
        (sub, task["task_spec"]) for sub, tree in trees(state)
        for task in tree["tasks"].values() if task["state"] & LIVE
    )


def _specs(definition: Definition, process: str) -> Iterator[tuple[str, Any]]:
    main, subs = definition.diagram(process).specs
    for spec in (main, *subs.values()):
        yield from spec.task_specs.items()


def names_of(definition: Definition, process: str, sub: str) -> Mapping[str, Any]:
    """The task specs of a process, or of one of its subprocesses, by name; empty when there is none."""
    if process not in definition.diagrams:
        return {}
    main, subs = definition.diagram(process).specs
    spec = subs.get(sub) if sub else main
    names: Mapping[str, Any] = spec.task_specs if spec is not None else {}
    return names


def _elements(definition: Definition) -> dict[str, Element]:
    return {id_: element for diagram in definition.diagrams.values() for id_, element in diagram.elements.items()}


def _differs(old: Any, new: Any) -> bool:
    if type(old) is not type(new):
        return True
    return isinstance(old, CatchingEvent) and type(old.event_definition) is not type(new.event_definition)


def _below(tasks: Mapping[str, State], task: State) -> Iterator[State]:
    yield task
    for child in task["children"]:
        yield from _below(tasks, tasks[child])


def _prune(tasks: dict[str, State], ids: Sequence[str]) -> None:
    """Takes tasks out of a tree, with all that is below them."""
    for id_ in ids:
        if id_ not in tasks:
            continue
        parent = tasks.get(tasks[id_]["parent"] or "")
        if parent is not None:
            parent["children"].remove(id_)
        for task in list(_below(tasks, tasks[id_])):
            del tasks[task["id"]]


def _kind(element: Element) -> str:
    return "a gate" if element.is_approval else "a form"
