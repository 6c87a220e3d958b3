"""The same diagram in SpiffWorkflow as it comes: its own parser, expressions, tasks and serializer, all in memory."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn import BpmnEvent, BpmnWorkflow
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine, TaskDataEnvironment
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.operators import DotDict
from SpiffWorkflow.spiff.parser import SpiffBpmnParser
from SpiffWorkflow.spiff.serializer import DEFAULT_CONFIG
from SpiffWorkflow.spiff.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.util.task import TaskState

from benchmarks.recording import Recording
from engine import Bundle
from engine.expressions import quote_duration
from engine.specs import BPMN

PROCESS = "order_fulfillment"


class _Services(TaskDataEnvironment):  # type: ignore[misc]
    """Every service answers at once with what it answered in the recorded order."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._answers = {name: _json(result) for name, result in recording.results.items()}

    def evaluate(
        self, expression: str, context: dict[str, Any], external_context: Mapping[str, Any] | None = None
    ) -> Any:
        dotted = {name: DotDict(value) if type(value) is dict else value for name, value in context.items()}
        return super().evaluate(expression, dotted, external_context)

    def call_service(self, _context: dict[str, Any], operation_name: str, **_rest: Any) -> str:
        return self._answers.get(operation_name, "null")


class StockOrders:
    """Orders in memory, with the recorded order's forms, answers and messages."""

    def __init__(self, bundle: Bundle, recording: Recording, forms: Mapping[str, Mapping[str, Any]]) -> None:
        """`forms`: element id → what completing that user task puts into the data."""
        logging.getLogger("spiff").setLevel(logging.CRITICAL)  # its log lines are no part of what is measured
        parser = SpiffBpmnParser()
        for name, data in bundle.files.items():
            if name.endswith(".dmn"):
                parser.add_dmn_io(io.BytesIO(data))
            elif name.endswith(".bpmn"):
                parser.add_bpmn_xml(_timers_quoted(data), filename=name)
        self._spec, self._subs = parser.get_spec(PROCESS), parser.get_subprocess_specs(PROCESS)
        self._engine = PythonScriptEngine(environment=_Services(recording))
        self._serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(DEFAULT_CONFIG))
        self._recording, self._forms = recording, forms

    def start(self) -> BpmnWorkflow:
        """A new order that waits for its first form."""
        workflow = BpmnWorkflow(self._spec, self._subs, script_engine=self._engine)
        decisions = {name: self._recording.variables[name] for name in ("approval_policy", "courier_choice")}
        workflow.task_tree.data.update(decisions)  # the stock tables write each output by itself, not under the table
        workflow.do_engine_steps()
        return workflow

    def advance(self, workflow: BpmnWorkflow) -> bool:
        """One command: a form is submitted or a message comes. False when there is nothing left to do."""
        task = workflow.get_next_task(state=TaskState.READY, manual=True)
        if task is not None:
            task.data.update(self._forms.get(task.task_spec.bpmn_id, {}))
            task.run()
        else:
            name = next((name for name in _awaited(workflow) if name in self._recording.messages), None)
            if name is None:
                return False
            payload = self._recording.messages[name]
            workflow.send_event(BpmnEvent(MessageEventDefinition(name), payload, correlations={}))
        workflow.do_engine_steps()
        return True

    def to(self, element: str) -> BpmnWorkflow:
        """An order that waits at a user task."""
        workflow = self.start()
        while (task := workflow.get_next_task(state=TaskState.READY, manual=True)) is None \
                or task.task_spec.bpmn_id != element:
            if not self.advance(workflow):
                raise AssertionError(f"The stock run never came to {element}.")
        return workflow

    def whole(self) -> int:
        """An order from start to end in memory; how many commands it took."""
        workflow, commands = self.start(), 1
        while self.advance(workflow):
            commands += 1
        if not workflow.completed:
            raise AssertionError("The stock run did not end.")
        return commands

    def dump(self, workflow: BpmnWorkflow) -> str:
        return str(self._serializer.serialize_json(workflow))

    def command(self, state: str) -> str:
        """Load, complete one user task, advance, save: the whole state with its diagram, as the serializer does it."""
        workflow = self._serializer.deserialize_json(state)
        workflow.script_engine = self._engine
        self.advance(workflow)
        return self.dump(workflow)


def _awaited(workflow: BpmnWorkflow) -> Iterator[str]:
    """Names of awaited messages, also those behind an event-based gateway, which `waiting_events` hides."""
    for task in workflow.event_manager.tasks.values():
        definition = task.task_spec.event_definition
        for each in getattr(definition, "event_definitions", None) or [definition]:
            if isinstance(each, MessageEventDefinition):
                yield each.name


def _timers_quoted(data: bytes) -> etree._Element:
    """The parsed diagram; standard durations as the Python strings that the stock engine wants."""
    root = etree.fromstring(data)
    for kind in ("timeDuration", "timeCycle", "timeDate"):
        for node in root.iter(f"{{{BPMN}}}{kind}"):
            if node.text:
                node.text = quote_duration(node.text)
    return root


def _json(result: Any) -> str:
    return json.dumps(result, default=lambda _value: None)
