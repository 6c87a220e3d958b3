"""One workflow in memory: loaded or started, changed at one task, advanced to its next wait states.

Knows SpiffWorkflow and the diagram; knows no database. What its service tasks do is the host's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from SpiffWorkflow.bpmn import BpmnEvent
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.exceptions import TaskNotFoundException
from SpiffWorkflow.spiff.specs.event_definitions import ErrorEventDefinition
from SpiffWorkflow.util.task import TaskState

from engine.codec import StateCodec, Workflow
from engine.definitions import Definition, Element
from engine.errors import ExpressionError
from engine.expressions import compile_expression
from engine.rerouting import reroute
from engine.specs import Host, JobTimer, OperationTask, StoredMessage, script_engine

Mark = Literal["done", "here", "failed"]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A user task that waits for a person."""

    id: str
    element: Element


@dataclass(frozen=True, slots=True)
class OpenTimer:
    """A timer that waits for its job."""

    task_id: str
    element: Element
    due: datetime

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What tells one firing of a timer from another."""
        return self.task_id, self.element.id, self.due


@dataclass(frozen=True, slots=True)
class Waiting:
    """A catch that waits for a message."""

    task_id: str
    element: Element
    name: str
    accepts: str | None


class Run:
    """One workflow of one instance during one command."""

    def __init__(self, definition: Definition, process: str, workflow: Workflow, host: Host) -> None:
        self.definition = definition
        self.diagram = definition.diagram(process)
        self._workflow = workflow
        self._host = host
        workflow.script_engine = script_engine(host)

    @classmethod
    def start(cls, definition: Definition, process: str, host: Host) -> Run:
        """A new workflow at its start event."""
        return cls(definition, process, Workflow(*definition.diagram(process).specs), host)

    @classmethod
    def load(cls, definition: Definition, process: str, state: bytes, codec: StateCodec, host: Host) -> Run:
        """A stored workflow."""
        return cls(definition, process, codec.decode(state, definition.diagram(process).specs), host)

    def encode(self, codec: StateCodec) -> bytes:
        self._workflow.bpmn_events.clear()  # nobody outside this workflow listens to its internal events
        return codec.encode(self._workflow)

    # --- changing ---------------------------------------------------------------------------------------------------

    def advance(self, completed: Callable[[Element, str], None]) -> None:
        """Runs everything that can run by itself; `completed` is told each element that ended, and its task id."""

        def did_complete(task: Any) -> None:
            element = self._element(task)
            task.internal_data.pop("seen_events", None)  # an event-based gateway has done with what it saw
            if element is not None and task.state == TaskState.COMPLETED:
                completed(element, str(task.id))

        self._workflow.do_engine_steps(did_complete_task=did_complete)

    def complete_user_task(self, task_id: str) -> bool:
        """Completes a READY user task. False when it is no longer open."""
        task = self._task(task_id)
        if task is None or task.state != TaskState.READY:
            return False
        task.run()
        return True

    def complete_operation(self, task_id: str) -> bool:
        """Completes a service task whose work was done elsewhere. False when its token is gone."""
        task = self._task(task_id)
        if task is None or task.state != TaskState.STARTED:
            return False
        task.complete()
        return True

    def repeat_operation(self, task_id: str) -> bool | None:
        """Calls a service task's operation once more, after an incident. False when its token is gone."""
        task = self._task(task_id)
        if task is None or task.state != TaskState.STARTED:
            return False
        done = self._host.run_operation(task)
        if done:
            task.complete()
        return done

    def refuse(self, task_id: str, code: str) -> Element | None:
        """Delivers a business refusal to the error boundary of its own task; None when no boundary catches it."""
        task = self._task(task_id)
        if task is None or task.parent is None:
            return None
        for boundary in task.parent.children:
            spec = boundary.task_spec
            definition = spec.event_definition if isinstance(spec, BoundaryEvent) else None
            if isinstance(definition, ErrorEventDefinition) and definition.code == code:
                spec.catch(boundary, BpmnEvent(definition))
                spec._update(boundary)
                return self._element(boundary)
        return None

    def forget_visit(self, task_id: str) -> None:
        """The next call of this service task counts as a new visit."""
        task = self._task(task_id)
        if task is not None:
            task.internal_data.pop("visit", None)

    def fire_timer(self, task_id: str, element: str) -> bool:
        """Fires a timer. False when it no longer waits."""
        task = self._task(task_id)
        if task is None or task.state != TaskState.WAITING:
            return False
        for timer in _definitions(task):
            if isinstance(timer, JobTimer) and timer.element == element and timer.due(task) is not None:
                timer.fire(task)
                if not isinstance(task.task_spec.event_definition, JobTimer):
                    task.task_spec._update(task)  # the gateway in front of the timer looks at its events again
                return True
        return False

    def deliver(self, waiting: Waiting, payload: Mapping[str, Any]) -> None:
        """Gives a message to the catch that waits for it."""
        task = self._task(waiting.task_id)
        assert task is not None
        for definition in _definitions(task):
            if isinstance(definition, StoredMessage) and definition.name == waiting.name:
                task.task_spec.catch(task, BpmnEvent(definition, payload=dict(payload)))
                task.task_spec._update(task)
                return

    def reroute(self) -> None:
        """Finds the ways ahead anew, after the workflow was moved to another version."""
        reroute(self._workflow)

    def cancel(self) -> None:
        """Ends every live token."""
        self._workflow.cancel()

    # --- looking ----------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return bool(self._workflow.completed)

    def open_tasks(self) -> list[OpenTask]:
        """User tasks that wait for a person, in the order they appeared."""
        found = []
        for task in self._workflow.get_tasks(state=TaskState.READY, manual=True):
            element = self._element(task)
            if element is not None:
                found.append(OpenTask(str(task.id), element))
        return found

    def live_ids(self) -> set[str]:
        """Ids of the engine's tasks that are not finished: whatever belongs to another one is void."""
        mask = TaskState.READY | TaskState.STARTED | TaskState.WAITING
        return {str(task.id) for task in self._workflow.get_tasks(state=mask)}

    def timers(self) -> list[OpenTimer]:
        found = []
        for task in self._workflow.event_manager.tasks.values():
            for definition in _definitions(task):
                due = definition.due(task) if isinstance(definition, JobTimer) else None
                if due is not None:
                    found.append(OpenTimer(str(task.id), self._by_id(task, definition.element), due))
        return found

    def waiting(self) -> list[Waiting]:
        """Catches that wait for a message, also those behind an event-based gateway."""
        found = []
        for task in self._workflow.event_manager.tasks.values():
            behind = _definitions(task)
            outputs = [o.bpmn_id for o in task.task_spec.outputs] if len(behind) > 1 else [task.task_spec.bpmn_id]
            for definition, element_id in zip(behind, outputs, strict=False):
                if isinstance(definition, StoredMessage):
                    element = self._by_id(task, element_id)
                    accepts = element.properties.get("accepts")
                    found.append(Waiting(str(task.id), element, definition.name, accepts))
        return found

    def accepts(self, waiting: Waiting, payload: Mapping[str, Any]) -> bool:
        """Whether a catch takes this message, by its `accepts` expression over variables and `message`."""
        if waiting.accepts is None:
            return True
        try:
            scope = {**self._host.variables, "message": payload}
            return bool(compile_expression(waiting.accepts).evaluate(scope))
        except ExpressionError:
            return False  # a message without what the expression reads is not the one that is waited for

    def marks(self) -> dict[str, Mark]:
        """Element id → done or here, from the tree of tasks."""
        marks: dict[str, Mark] = {}
        for task in self._workflow.get_tasks():
            element = self._element(task)
            if element is None:
                continue
            if task.state == TaskState.COMPLETED:
                marks.setdefault(element.id, "done")
            elif task.state in (TaskState.READY, TaskState.STARTED) or (
                task.state == TaskState.WAITING and element.kind != "boundaryEvent"
            ):
                marks[element.id] = "here"
        return marks

    def parameters(self, task: Any) -> dict[str, Any]:
        """What a service task gives its operation, evaluated now."""
        values = task.task_spec.evaluate_params(task)
        return {name: value["value"] for name, value in values.items()}

    def element_of(self, task: Any) -> Element:
        element = self._element(task)
        assert element is not None
        return element

    def result_variable(self, task_id: str) -> str | None:
        task = self._task(task_id)
        spec = task.task_spec if task is not None else None
        return spec.result_variable if isinstance(spec, OperationTask) else None

    def _task(self, task_id: str) -> Any:
        try:
            return self._workflow.get_task_from_id(UUID(task_id))
        except TaskNotFoundException:
            return None

    def _element(self, task: Any) -> Element | None:
        bpmn_id = getattr(task.task_spec, "bpmn_id", None)
        return self.definition.find(self._process_of(task), bpmn_id) if bpmn_id else None

    def _by_id(self, task: Any, element_id: str) -> Element:
        """An element of the process that a task belongs to."""
        return self.definition.element(self._process_of(task), element_id)

    def _process_of(self, task: Any) -> str:
        """The process that draws a task: the one that runs, or one that it calls; a subprocess belongs to its own."""
        workflow = task.workflow
        while workflow.spec.name not in self.definition.diagrams:
            workflow = workflow.parent_workflow
        name: str = workflow.spec.name
        return name


def _definitions(task: Any) -> list[Any]:
    definition = task.task_spec.event_definition
    return list(getattr(definition, "event_definitions", None) or [definition])
