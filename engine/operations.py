"""How a command calls the registry's operations: in savepoints, with refusals sent to their own boundary.

Mixed into the unit of work. A failure that nobody foresaw rolls its savepoint back and becomes an incident on its
task; what the command did before stays.
"""

from __future__ import annotations

import dataclasses
import functools
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from engine.codec import unpack
from engine.errors import DatabaseTrouble, EngineError, InvalidForm
from handlers.contract import Call, Operation, Problem, Refused

if TYPE_CHECKING:
    from engine.base import EngineBase
    from engine.definitions import Definition, Element
    from engine.runtime import Run
    from engine.store.tables import Instance
    from engine.views import Actor

T = TypeVar("T")


MAY_START_OVER = "may_start_over"
"""Set in the `info` of a session whose command is run again, with savepoints, when an operation does not pass."""


class StartOver(Exception):
    """An operation did not pass and the command runs without savepoints."""


class OperationFailed(EngineError):
    """An operation failed in a way that nobody foresaw."""


def plain(value: Any) -> Any:
    """A result as plain JSON values; dataclasses become mappings. TypeError when it holds anything else."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME))


def freeze(arguments: Any) -> Any:
    """The frozen arguments or the result of an external operation, as plain values."""
    if dataclasses.is_dataclass(arguments) and not isinstance(arguments, type):
        return _adapter(type(arguments)).dump_python(arguments, mode="json")
    return plain(arguments)


def thaw(kind: Any, value: Any) -> Any:
    """What `freeze` froze, as the type that the operation names."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _adapter(kind).validate_python(value)
    return value


@functools.cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # making one takes longer than everything else in a small operation


def describe(error: BaseException) -> str:
    """An unforeseen error as an incident shows it."""
    text = " ".join(str(error).replace("\0", " ").encode(errors="replace").decode().split())
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__


class OperationCalls(ABC):
    """The host's side of service tasks (`engine.specs.Host`)."""

    engine: EngineBase
    session: Session
    row: Instance
    definition: Definition
    actor: Actor
    variables: dict[str, Any]
    visits: dict[str, int]
    jobs: list[dict[str, Any]]
    told: set[str]
    reason: str | None
    committed: bool
    said: list[str]

    @property
    @abstractmethod
    def run(self) -> Run: ...
    @abstractmethod
    def now(self) -> datetime: ...
    @abstractmethod
    def event(
        self, kind: str, element: Element | None = None, *, actor: str | None = None, **detail: Any
    ) -> None: ...
    @abstractmethod
    def reach(self, element: Element) -> None: ...
    @abstractmethod
    def history(self) -> dict[str, Any]: ...
    @abstractmethod
    def add_job(
        self, kind: str, *, key: str, arguments: Mapping[str, Any], task_id: str | None = None,
        element: Element | None = None, run_at: datetime | None = None, operation: str | None = None,
        error: str | None = None,
    ) -> str: ...

    # --- called by service tasks --------------------------------------------------------------------------------------

    def run_operation(self, task: Any) -> bool | None:
        """Runs a transactional operation now, or queues an external one. True: done; None: the task waits."""
        element, task_id = self.run.element_of(task), str(task.id)
        self.reach(element)
        key = self._key(task, element)
        name = task.task_spec.operation_name
        try:
            if lacking := self._lacking_approval(element):
                self.event("approval_void", element, actor="waybill", why=lacking)
                self.incident("gate", element, key=f"{task_id}:gate", task_id=task_id, operation=name, error=lacking)
                return None
            operation = self._operation(name)
            arguments = self.run.parameters(task)
            if operation.kind == "external":
                call = self.call(element, key)
                queued = self.savepoint(lambda: self._queue(operation, call, arguments, element, task_id))
                return None if queued else True
            function, call = operation.function, self.call(element, key)
            assert function is not None
            result = self.savepoint(lambda: plain(function(call, **arguments)))
        except Refused as refusal:
            self.refuse(task_id, element, refusal, operation=name)
            return None
        except (DatabaseTrouble, StartOver):
            raise  # the database, not the operation: the whole command is tried again
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stop this step only
            self.incident("step", element, key=f"{task_id}:step", task_id=task_id, operation=name,
                          error=describe(error))
            return None
        if task.task_spec.result_variable:
            self.variables[task.task_spec.result_variable] = result
        return True

    def _lacking_approval(self, element: Element) -> str | None:
        """Why the operation may not be called: an approval that its task `requires` does not hold. Once the order has
        gone out, what was approved has happened."""
        if "requires" not in element.properties or self.committed:
            return None
        return self.engine.lacking_approval(self, element)  # type: ignore[arg-type] # the unit of work is its one host

    def run_decision(self, decision_id: str) -> None:
        """Evaluates a decision table on the variables and writes its outputs under its id."""
        decision = self.definition.decisions.get(decision_id)
        if decision is None:
            raise EngineError(f"The bundle holds no decision table {decision_id!r}.")
        self.variables[decision_id] = decision.evaluate(self.variables)

    def refuse(self, task_id: str, element: Element, refusal: Refused, *, operation: str | None) -> None:
        """Sends a business refusal to its own boundary; one that nobody catches becomes an incident."""
        boundary = self.run.refuse(task_id, refusal.code)
        self.reason = refusal.message
        self.event("refused", element, actor="waybill", code=refusal.code, message=refusal.message)
        if boundary is not None:
            self.told.add(boundary.id)
        else:
            self.run.forget_visit(task_id)  # the answer was definite: to ask again is to ask anew, with a new key
            self.incident("step", element, key=f"{task_id}:step", task_id=task_id, operation=operation,
                          error=f"{refusal.message} (refused with {refusal.code!r}, which no event on the diagram "
                                "catches)")

    # --- called by commands -------------------------------------------------------------------------------------------

    def call(self, element: Element, key: str, *, actor: str | None = None) -> Call:
        """The call that an operation is given."""
        queued = 0

        def later(operation: str, **arguments: Any) -> None:
            nonlocal queued
            queued += 1
            # no savepoint of its own: it is taken back with the operation that asked for it
            self._queue(self._operation(operation), self.call(element, f"{key}:{queued}"), arguments, element, None)

        return Call(
            order=self.row.business_key, actor=actor or self.actor.name, clock=self.engine.clock,
            session=self.session, element=element.id, key=key, variables=self.variables, later=later,
            ports=self.engine.registry.ports, history=self.history, note=self.said.append,
        )

    def tell(
        self, element: Element, key: str, kind: str, *, teams: Sequence[str] = (), people: Sequence[str] = (),
        task: str | None = None, title: str = "", text: str = "",
    ) -> None:
        """Has colleagues told of a task or of the order, by the operation that the engine was given for it, if any."""
        if self.engine.tells is not None:
            self.call(element, key).later(
                self.engine.tells, kind=kind, teams=list(teams), people=list(people), order=self.row.business_key,
                task=task, title=title, text=text,
            )

    def submit(self, element: Element, form: Mapping[str, Any], kept: Mapping[str, Any], actor: str) -> None:
        """Gives a submitted form to the task's `onComplete` operation; writes its result and what is `kept` of the form
        into the variables.

        InvalidForm when the operation refuses the form; OperationFailed when it fails unforeseen.
        """
        result: Any = None
        name = element.properties.get("onComplete")
        if name:
            function = self._operation(name).function
            assert function is not None, name
            call = self.call(element, f"{self.row.business_key}:{element.id}:{self._visit(element)}", actor=actor)
            try:
                result = plain(function(call, dict(form)))
            except Problem as problem:
                raise InvalidForm(problem.errors) from problem
            except (DatabaseTrouble, Refused):
                raise
            except Exception as error:
                raise OperationFailed(describe(error)) from error
        self.variables[element.id] = dict(kept)
        if name and result is not None:
            self.variables[element.properties.get("resultVariable") or f"{element.id}_result"] = result

    def record(self, job_operation: str, element: Element, key: str, arguments: bytes, result: Any) -> Any:
        """Runs an external operation's `record` with what `perform` returned. Returns the result variable's value."""
        operation = self._operation(job_operation)
        assert operation.external is not None
        given = thaw(operation.arguments_type, unpack(arguments))
        outcome = thaw(operation.result_type, result)
        external, call = operation.external, self.call(element, key)
        return plain(external.record(call, given, outcome) or {})

    def record_refusal(
        self, job_operation: str, element: Element, key: str, arguments: bytes, refusal: Refused
    ) -> None:
        """Runs an external operation's `refused`."""
        operation = self._operation(job_operation)
        assert operation.external is not None
        given = thaw(operation.arguments_type, unpack(arguments))
        external, call = operation.external, self.call(element, key)
        external.refused(call, given, refusal)

    def done_by_hand(
        self, job_operation: str, element: Element, key: str, arguments: bytes, reason: str, given: dict[str, Any]
    ) -> dict[str, Any]:
        """Runs an external operation's `by_hand`; returns the result variable's value. InvalidForm: it lacks something.

        An operation that is no longer there has nothing to write.
        """
        operation = self.engine.registry.get(job_operation)
        if operation is None or operation.external is None:
            return given
        frozen = thaw(operation.arguments_type, unpack(arguments))
        try:
            result = operation.external.by_hand(self.call(element, key), frozen, reason, given)
        except Problem as problem:
            raise InvalidForm(problem.errors) from problem
        return given if result is None else dict(plain(result))

    def incident(
        self, kind: str, element: Element | None, *, key: str, error: str, task_id: str | None = None,
        operation: str | None = None, arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Makes a failure visible: a dead job that a person can retry, and a line in the history."""
        self.event("incident", element, actor="waybill", error=error, operation=operation)
        return self.add_job(kind, key=f"{key}:{uuid.uuid4()}", task_id=task_id, element=element,
                            operation=operation, arguments=arguments or {}, error=error)

    def savepoint(self, work: Callable[[], T]) -> T:
        """Runs `work` so that its failure takes back what it wrote and queued, and nothing else."""
        if self.session.info.get(MAY_START_OVER):
            try:
                return work()
            except DatabaseTrouble:
                raise
            except Exception as error:
                raise StartOver from error
        queued = len(self.jobs)
        try:
            with self.session.begin_nested():
                return work()
        except BaseException:
            del self.jobs[queued:]
            raise

    # --- parts --------------------------------------------------------------------------------------------------------

    def _operation(self, name: str) -> Operation:
        operation = self.engine.registry.get(name)
        if operation is None:
            raise EngineError(f"There is no operation {name!r}.")
        return operation

    def _queue(
        self, operation: Operation, call: Call, arguments: Mapping[str, Any], element: Element, task_id: str | None
    ) -> bool:
        """Makes the job of an external operation; False when there is nothing to do."""
        external = operation.external
        assert external is not None, operation.name
        prepared = external.prepare(call, **arguments)
        if prepared is None:
            return False
        self.add_job("operation", key=call.key, task_id=task_id, element=element, operation=operation.name,
                     arguments=freeze(prepared))
        return True

    def _visit(self, element: Element) -> int:
        self.visits[element.id] = self.visits.get(element.id, 0) + 1
        return self.visits[element.id]

    def _key(self, task: Any, element: Element) -> str:
        """`order:element:visit[:item]`; a repeated call of the same task keeps its visit."""
        visit = task.internal_data.get("visit")
        if visit is None:
            visit = task.internal_data["visit"] = self._visit(element)
        item = task.internal_data.get("key_or_index")
        return f"{self.row.business_key}:{element.id}:{visit}" + (f":{item}" if item is not None else "")
