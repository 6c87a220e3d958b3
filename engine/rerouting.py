"""A moved workflow in memory: its ways ahead are found anew, and its open activities get their boundary events.

What a state holds beyond where the instance stands is only a prediction; the tokens themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from SpiffWorkflow.bpmn.specs.defaults import ParallelGateway
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.codec import Workflow

LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED


def reroute(workflow: Workflow) -> None:
    """Predicts from every open task what follows in the version whose specs the workflow has.

    A boundary event that the version added begins to wait now at activities that are open. A join that has all it
    needs in this version goes on.
    """
    for tree in (workflow, *workflow.subprocesses.values()):
        for task in _live(tree):
            _attach(tree, task)
        for task in _live(tree):
            _predict(task)
        tree.tasks = {task.id: task for task in _in_order(tree.task_tree)}  # parents first: that is how they are read
        for task in _live(tree):
            if isinstance(task.task_spec, ParallelGateway):
                task.task_spec._update(task)


def _live(tree: Any) -> list[Any]:
    return [task for task in tree.tasks.values() if task.has_state(LIVE)]


def _attach(tree: Any, task: Any) -> None:
    """Gives an open activity the boundary events that it has in this version and has not met."""
    spec = tree.spec.task_specs.get(f"{task.task_spec.name}.BoundaryEventSplit")
    if spec is None:
        return
    split = task.parent
    if split.task_spec is not spec:
        split = _insert(tree, spec, task)
    for event in spec.outputs:
        if isinstance(event, BoundaryEvent) and all(child.task_spec is not event for child in split.children):
            added = split._add_child(event, TaskState.WAITING)
            event._update(added)


def _insert(tree: Any, spec: Any, task: Any) -> Any:
    """The task from which boundary events hang, put above an activity that had none."""
    parent = task.parent
    split = Task(tree, spec, state=TaskState.COMPLETED)
    split._parent, split.data = parent.id, deepcopy(parent.data)
    parent._children = [split.id if child == task.id else child for child in parent._children]
    split._children, task._parent = [task.id], split.id
    return split


def _predict(task: Any) -> None:
    """What follows a task next; children that it has really set going (repetitions, timers that fired) are left alone.

    No further than that, and as possible only: the library predicts on when the task ends. What it finds predicted of
    an activity's next visit when this one ends, it would end as well.
    """
    begun, task._children = task._children, []
    state, task._state = task.state, TaskState.MAYBE
    task.task_spec._predict(task, looked_ahead=task.task_spec.lookahead)
    task._state, task._children = state, begun + task._children


def _in_order(task: Any) -> Iterator[Any]:
    todo = [task]
    while todo:
        found = todo.pop()
        yield found
        todo.extend(reversed(found.children))
