"""What we put in the place of SpiffWorkflow's own task and event classes, and the parser that builds them.

Every class here asks its *host* (the runtime of the command at work) to do what touches our database or our clock. The
host hangs on the workflow's script environment, which is all that SpiffWorkflow hands through to a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from lxml import etree
from SpiffWorkflow.bpmn.parser.util import full_tag
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.script_engine.python_environment import BasePythonScriptEngineEnvironment
from SpiffWorkflow.bpmn.specs.defaults import ParallelGateway
from SpiffWorkflow.bpmn.specs.event_definitions.multiple import MultipleEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.timer import (
    CycleTimerEventDefinition,
    DurationTimerEventDefinition,
    TimerEventDefinition,
)
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import MultiInstanceTask
from SpiffWorkflow.spiff.parser import SpiffBpmnParser
from SpiffWorkflow.spiff.parser.task_spec import BusinessRuleTaskParser, ServiceTaskParser
from SpiffWorkflow.spiff.specs.defaults import (
    ParallelMultiInstanceTask,
    SequentialMultiInstanceTask,
    ServiceTask,
)
from SpiffWorkflow.spiff.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.util.task import TaskState

from engine.codec import Specs
from engine.expressions import compile_expression, compile_script, parse_timer, quote_duration
from engine.standard import leave_what_runs, read_booleans

TimerKind = Literal["duration", "cycle", "date"]

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"


class Host(Protocol):
    """What the classes of this module need of the command that runs them."""

    variables: dict[str, Any]

    def now(self) -> datetime: ...

    def run_operation(self, task: Any) -> bool | None:
        """Runs or queues the operation of a service task. True: done; None: it waits."""
        ...

    def run_decision(self, decision_id: str) -> None:
        """Evaluates a decision table and writes its outputs under its id."""
        ...


class Environment(BasePythonScriptEngineEnvironment):
    """Evaluates diagram text in the safe language, on the instance's variables and the token's item."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def evaluate(
        self, expression: str, context: Mapping[str, Any], external_context: Mapping[str, Any] | None = None
    ) -> Any:
        scope = {**self.host.variables, **(external_context or {}), **context}
        return compile_expression(expression).evaluate(scope)

    def execute(
        self, script: str, context: dict[str, Any], external_context: Mapping[str, Any] | None = None
    ) -> bool:
        self.host.variables.update(compile_script(script).run({**self.host.variables, **context}))
        return True


def script_engine(host: Host) -> Any:
    """The script engine of one command."""
    return PythonScriptEngine(environment=Environment(host))


def host_of(task: Any) -> Host:
    host: Host = task.workflow.script_engine.environment.host
    return host


class OperationTask(ServiceTask):
    """A service task: its work is an operation of the registry."""

    def _execute(self, task: Any) -> bool | None:
        return host_of(task).run_operation(task)


class DecisionTask(ServiceTask):
    """A business rule task: evaluated by `engine.decisions`, written under the decision's id."""

    def _execute(self, task: Any) -> bool | None:
        host_of(task).run_decision(self.operation_name)
        return True


class JobTimer(TimerEventDefinition):
    """A timer that never looks at a clock: it states when it is due, and a job fires it.

    Due times are kept per element, because timers behind an event-based gateway share the gateway's task.
    """

    def __init__(self, element: str, expression: str, kind: TimerKind) -> None:
        super().__init__(element, expression)
        self.element = element
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobTimer) and other.element == self.element

    def __hash__(self) -> int:
        return hash(self.element)

    def due(self, task: Any) -> datetime | None:
        """When it fires next, or None when it has fired for the last time."""
        value = task.internal_data.get(f"due:{self.element}")
        return datetime.fromisoformat(value["at"]) if value else None

    def has_fired(self, task: Any) -> bool:
        key = f"due:{self.element}"
        if key not in task.internal_data:
            timer = self._timer(task)
            task.internal_data[key] = {"at": timer.first(host_of(task).now()).isoformat(), "left": timer.repetitions}
        return bool(task.internal_data.get(f"fired:{self.element}", False))

    def fire(self, task: Any) -> None:
        """Called by the job that fell due."""
        if self.kind == "cycle":
            self._fire_cycle(task)
        else:
            task.internal_data[f"fired:{self.element}"] = True
            task.task_spec._update(task)

    def _fire_cycle(self, task: Any) -> None:
        """A cycle starts one token beside the main one. Times missed meanwhile are skipped, not made up for."""
        value = task.internal_data[f"due:{self.element}"]
        timer, at, now = self._timer(task), datetime.fromisoformat(value["at"]), host_of(task).now()
        left = None if value["left"] is None else value["left"] - 1 - timer.skipped(at, now)
        following = timer.next(at, now)
        again = left is None or left > 0
        task.internal_data[f"due:{self.element}"] = {"at": following.isoformat(), "left": left} if again else None
        for output in task.task_spec.outputs:
            child = task._add_child(output, TaskState.FUTURE)
            child.task_spec._predict(child, mask=TaskState.NOT_FINISHED_MASK)
            child.task_spec._update(child)

    def update_task(self, task: Any) -> None:
        pass

    def reset(self, task: Any) -> None:
        task.internal_data.pop(f"fired:{self.element}", None)
        task.internal_data.pop(f"due:{self.element}", None)

    def _timer(self, task: Any) -> Any:
        text = task.workflow.script_engine.evaluate(task, self.expression)
        return parse_timer(str(text), self.kind)


class CycleJobTimer(JobTimer, CycleTimerEventDefinition):
    """A repeating timer. SpiffWorkflow recognises cycles by their class, so this one derives from it."""

    def update_task(self, task: Any) -> None:
        pass


class StoredMessage(MessageEventDefinition):
    """A message whose payload belongs to the instance; the stock one writes it into the token."""

    def update_task_data(self, task: Any) -> None:
        payload = task.internal_data.pop(self.name, None)
        if self.message_var and payload is not None:
            host_of(task).variables[self.message_var] = payload


class VariableInput:
    """The list that a multi-instance goes through: a variable of the instance, not of the token."""

    def __init__(self, name: str) -> None:
        self.bpmn_id = name

    def exists(self, task: Any) -> bool:
        return self.bpmn_id in host_of(task).variables

    def get(self, task: Any) -> Any:
        return host_of(task).variables[self.bpmn_id]


class ParallelItems(ParallelMultiInstanceTask):
    """All items at once. The token loses its item when it has been worked on."""

    def merge_child(self, workflow: Any, child: Any) -> None:
        child.data.clear()
        super().merge_child(workflow, child)


class SequentialItems(SequentialMultiInstanceTask):
    """One item after the other. The token loses its item when it has been worked on."""

    def merge_child(self, workflow: Any, child: Any) -> None:
        child.data.clear()
        super().merge_child(workflow, child)


class Join(ParallelGateway):
    """Waits for a token on each incoming flow since it went on last.

    The library's own counts what came before that too: in a loop it would go on as soon as one branch is done. It also
    counts what was done before the order was moved to a version that has the join.
    """

    def _check_threshold_unstructured(self, my_task: Any) -> bool:
        went_on = my_task.parent
        while went_on is not None and went_on.task_spec is not self:
            went_on = went_on.parent
        come = {
            task.parent.task_spec.name for task in my_task.workflow.get_tasks(spec_name=self.name)
            if (went_on is None or task.is_descendant_of(went_on)) and task.parent.state == TaskState.COMPLETED
        }
        return come >= {source.name for source in self.inputs}


class _DecisionParser(BusinessRuleTaskParser):
    """The stock parser of business rule tasks ignores the class it is given."""

    def create_task(self) -> Any:
        decision = self.parse_extensions().get("calledDecisionId")
        return DecisionTask(
            self.spec, self.bpmn_id, operation_name=decision, operation_params={}, result_variable=decision,
            **self.bpmn_attributes,
        )


class _Parser(SpiffBpmnParser):
    OVERRIDE_PARSER_CLASSES = {  # noqa: RUF012 - SpiffWorkflow's way of choosing classes
        **SpiffBpmnParser.OVERRIDE_PARSER_CLASSES,
        full_tag("serviceTask"): (ServiceTaskParser, OperationTask),
        full_tag("businessRuleTask"): (_DecisionParser, DecisionTask),
    }


def parse(roots: Mapping[str, etree._Element]) -> dict[str, Specs]:
    """SpiffWorkflow's specs of every process in the diagrams (file name → root element), by process id."""
    parser = _Parser()
    for file, root in roots.items():
        _normalise(root)
        parser.add_bpmn_xml(root, filename=file)
    specs: dict[str, Specs] = {}
    for process_id in list(parser.process_parsers):
        spec = parser.get_spec(process_id)
        subs = parser.get_subprocess_specs(process_id)
        for each in (spec, *subs.values()):
            _replace(each)
        specs[process_id] = (spec, subs)
    return specs


def _normalise(root: etree._Element) -> None:
    """Standard BPMN that SpiffWorkflow reads too narrowly: unquoted timers, `1` as a boolean, what is only drawn."""
    for kind in ("timeDuration", "timeCycle", "timeDate"):
        for node in root.iter(f"{{{BPMN}}}{kind}"):
            if node.text:
                node.text = quote_duration(node.text)
    read_booleans(root)
    leave_what_runs(root)


def _replace(spec: Any) -> None:
    for task_spec in spec.task_specs.values():
        if isinstance(task_spec, MultiInstanceTask):
            parallel = isinstance(task_spec, ParallelMultiInstanceTask)
            task_spec.__class__ = ParallelItems if parallel else SequentialItems
            if task_spec.data_input is not None:
                task_spec.data_input = VariableInput(task_spec.data_input.bpmn_id)
        if isinstance(task_spec, ParallelGateway):
            task_spec.__class__ = Join
        definition = getattr(task_spec, "event_definition", None)
        if isinstance(definition, MultipleEventDefinition) and hasattr(task_spec, "outputs"):
            elements = [output.bpmn_id for output in task_spec.outputs]
            definition.event_definitions = [
                _ours(each, element)
                for each, element in zip(definition.event_definitions, elements, strict=False)
            ]
        elif definition is not None:
            task_spec.event_definition = _ours(definition, task_spec.bpmn_id or task_spec.name)


def _ours(definition: Any, element: str) -> Any:
    if isinstance(definition, TimerEventDefinition) and not isinstance(definition, JobTimer):
        if isinstance(definition, CycleTimerEventDefinition):
            return CycleJobTimer(element, definition.expression, "cycle")
        kind: TimerKind = "duration" if isinstance(definition, DurationTimerEventDefinition) else "date"
        return JobTimer(element, definition.expression, kind)
    if type(definition) is MessageEventDefinition:
        definition.__class__ = StoredMessage
    return definition
