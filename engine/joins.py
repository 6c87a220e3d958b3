"""Whether an instance that stands here would wait for ever where branches come together.

A small walk over markings (where tokens stand, which branches have come to which join), without conditions: every way
that a gateway may choose is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin, BoundaryEventSplit, _EndJoin
from SpiffWorkflow.bpmn.specs.defaults import ParallelGateway
from SpiffWorkflow.bpmn.specs.event_definitions.simple import TerminateEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.util.task import TaskState

MOST_MARKINGS = 5_000
"""More than this nobody draws; then nothing is known, and the instance does not move."""
LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED

Marking = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Names where tokens stand, and (join, where its token came from), both sorted."""


class Joins:
    """The parallel joins of one (sub)process of a version."""

    def __init__(self, specs: Mapping[str, Any], cancelling: Collection[str]) -> None:
        """`cancelling`: end events that end everything."""
        self._specs, self._cancelling = specs, cancelling
        self._needs = {
            name: frozenset(source.name for source in spec.inputs)
            for name, spec in specs.items() if isinstance(spec, ParallelGateway) and len(spec.inputs) > 1
        }
        self._repeated = {spec.task_spec for spec in specs.values() if isinstance(spec, LoopTask)}
        self._known: dict[Marking, str | None] = {}
        self._usual: frozenset[str] | None = None
        self._knows = True

    @property
    def exist(self) -> bool:
        return bool(self._needs)

    def stuck(self, tasks: Mapping[str, Any]) -> str | None:
        """Name of a join at which an instance with these tasks would be stuck, and a new one would not."""
        marking = self._marking(tasks)
        if marking not in self._known:
            if self._usual is None:
                self._usual = self._unserved((("Start",), ()))
            found = sorted(self._unserved(marking) - self._usual)
            self._known[marking] = found[0] if found else None
        return self._known[marking]

    def starving(self) -> frozenset[str]:
        """Names of the joins at which an instance may wait for ever, from its start on; empty also where there are too
        many ways to know."""
        found = self._unserved((("Start",), ()))
        return found if self._knows else frozenset()

    def _marking(self, tasks: Mapping[str, Any]) -> Marking:
        tokens, arrived = [], set()
        for task in tasks.values():
            name = task["task_spec"]
            spec = self._specs.get(name)
            if not task["state"] & LIVE or spec is None:
                continue
            if name in self._needs:
                arrived |= {(name, source) for source in self._arrived(tasks, task)}
            elif not isinstance(spec, BoundaryEvent | BoundaryEventJoin | _EndJoin) and name not in self._repeated:
                tokens.append(name)
        return self._settled(tokens, arrived)

    def _settled(self, standing: list[str], came: set[tuple[str, str]]) -> Marking:
        """A marking in which every join that has all it needs has gone on."""
        for join, needs in self._needs.items():
            if needs <= {source for name, source in came if name == join}:
                came = {(name, source) for name, source in came if name != join}
                standing = [*standing, join]
        return tuple(sorted(standing)), tuple(sorted(came))

    def _arrived(self, tasks: Mapping[str, Any], join: Mapping[str, Any]) -> Iterator[str]:
        """Which branches the engine counts as come to a waiting join (`engine.specs.Join`); one that it does not know
        counts as none, but keeps the join waiting."""
        name = join["task_spec"]
        round_ = _ancestor(tasks, join, name)
        yield ""
        for task in tasks.values():
            if task["task_spec"] == name and _ancestor(tasks, task, name) == round_:
                parent = tasks[task["parent"]]
                if parent["state"] == TaskState.COMPLETED and parent["task_spec"] in self._needs[name]:
                    yield parent["task_spec"]

    def _unserved(self, start: Marking) -> frozenset[str]:
        """Joins at which a token may wait while nothing else moves any more."""
        seen, todo = {start}, [start]
        found: set[str] = set()
        while todo:
            marking = todo.pop()
            tokens, arrived = marking
            if not tokens:
                found |= {join for join, _ in arrived}
                continue
            for following in self._after(tokens, arrived):
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
            if len(seen) > MOST_MARKINGS:
                self._knows = False
                return frozenset(self._needs)
        return frozenset(found)

    def _after(self, tokens: tuple[str, ...], arrived: tuple[tuple[str, str], ...]) -> Iterator[Marking]:
        """What may be next when one token moves; in which order tokens move makes no difference."""
        moving, rest = tokens[0], tokens[1:]
        for targets in self._ways(moving):
            if targets is None:
                yield (), ()
                continue
            standing, came = list(rest), set(arrived)
            for target in targets:
                if target in self._needs:
                    came.add((target, moving))
                else:
                    standing.append(target)
            yield self._settled(standing, came)

    def _ways(self, name: str) -> Iterator[tuple[str, ...] | None]:
        """Where a token goes from here: one choice after the other, each with all its targets; None ends everything."""
        spec = self._specs[name]
        ends_all = isinstance(getattr(spec, "event_definition", None), TerminateEventDefinition)
        if ends_all or spec.bpmn_id in self._cancelling:
            yield None
            return
        outputs = [o for o in spec.outputs if not isinstance(o, BoundaryEventJoin | _EndJoin)]
        if isinstance(spec, BoundaryEventSplit):
            yield from ((o.name,) for o in outputs if not isinstance(o, BoundaryEvent) or o.cancel_activity)
            return
        split = self._specs.get(f"{name}.BoundaryEventSplit")
        for event in split.outputs if split is not None else ():
            if isinstance(event, BoundaryEvent) and event.cancel_activity:
                yield (event.name,)
        if not outputs or isinstance(spec, ParallelGateway):
            yield tuple(o.name for o in outputs)
        else:
            yield from ((o.name,) for o in outputs)


def _ancestor(tasks: Mapping[str, Any], task: Mapping[str, Any], name: str) -> str | None:
    """Id of the nearest task above this one with this name: where the join went on last."""
    parent = tasks.get(task["parent"] or "")
    while parent is not None and parent["task_spec"] != name:
        parent = tasks.get(parent["parent"] or "")
    return parent["id"] if parent is not None else None
