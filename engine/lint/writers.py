"""Who writes which variable of an instance, and what can stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from engine.decisions import Decision
from engine.errors import ExpressionError
from engine.expressions import compile_script
from engine.findings import local
from engine.lint.model import SPIFF, Context, Node, Scope, is_bpmn, tag, text_of
from engine.lint.names import listed
from handlers.contract import Operation

DECISIONS = ("approve", "reject", "send_back")
FIELDS = ("decision", "comment", "send_back_to", "signed_by")
"""What the engine writes under a gate's id."""
Keys = dict[str, "set[Any] | str | None"]
"""The keys of a variable, each with its possible values or their kind; None where neither is known."""


class Writers:
    """Who writes which variable, over the processes that share an instance's variables."""

    def __init__(self, context: Context, processes: Iterable[Scope]) -> None:
        self._context = context
        self._known: dict[str, Keys | None] = {}
        self._by_name: dict[str, list[Node]] = {}
        for process in processes:
            for node in process.diagram.nodes(process):
                for name in writes(node):
                    self._by_name.setdefault(name, []).append(node)
            for name in given(process):
                self._by_name.setdefault(name, [])
                self._known[name] = None

    @property
    def written(self) -> set[str]:
        return set(self._by_name)

    def fields(self, owner: str) -> Keys | None:
        """What a variable can hold: the keys that one of its writers gives; None where one of them does not say."""
        if owner not in self._known:
            self._known[owner] = self._fields(owner)
        return self._known[owner]

    def _fields(self, owner: str) -> Keys | None:
        found: Keys = {}
        for node in self._by_name.get(owner, ()):
            each = self._given_by(node, owner)
            if each is None:
                return None
            for key, values in each.items():
                before = found.get(key, set())
                if isinstance(values, set) and isinstance(before, set):
                    found[key] = before | values
                else:
                    found[key] = values if before in (values, set()) else None
        return found if owner in self._by_name else None

    def lacking(self, owner: str, key: str) -> str | None:
        """Which of the writers of a variable may leave a key out, and why; None when all of them give it."""
        for node in self._by_name.get(owner, ()):
            given = self._given_by(node, owner)
            if given is not None and key not in given:
                return f"{node.name!r} writes it without"
            if node.kind == "userTask" and node.id == owner and not node.is_approval and given is not None:
                form = self._context.form_of(node)
                schema = (form.schema if form is not None else None) or {}
                required, fields = schema.get("required", []), schema.get("properties", {})
                if key not in required and fields[key].get("type") != "boolean":
                    return f"the form of {node.name!r} lets it be left out"
        return None

    def _given_by(self, node: Node, owner: str) -> Keys | None:
        if node.kind == "userTask" and node.id == owner != node.properties.get("resultVariable"):
            return self._form(node)
        if node.kind == "businessRuleTask":
            decision = self._context.decisions.get(owner)
            return _answers(decision) if decision is not None and decision.hit_policy == "UNIQUE" else None
        operation = operation_of(self._context, node)
        if operation is None or operation.gives is None or owner in items_of(node):
            return None
        return {
            key: set(values) if isinstance(values, frozenset) else values for key, values in operation.gives.items()
        }

    def _form(self, node: Node) -> Keys | None:
        if node.is_approval:
            back = {int(part) for part in listed(node.properties.get("sendBackTo", "")) if part.isdecimal()}
            known: Keys = dict.fromkeys(FIELDS)
            return known | {"decision": set(DECISIONS), "send_back_to": back | {None}}
        form = self._context.form_of(node)
        properties = form.schema.get("properties") if form and form.schema else None
        if not isinstance(properties, dict):
            return None
        return {key: _choices(field) for key, field in properties.items()}


def operation_of(context: Context, node: Node) -> Operation | None:
    """The operation whose result a task keeps: a service task's, or the one that takes its form."""
    if node.kind == "userTask":
        return context.operations.get(node.properties.get("onComplete", ""))
    operators = node.extensions("serviceTaskOperator") if node.kind == "serviceTask" else []
    return context.operations.get(operators[0].get("id", "")) if operators else None


def given(process: Scope) -> set[str]:
    """The variables that an instance of a process is started with, as its property `startsWith` lists them."""
    return set(listed(process.properties.get("startsWith", "")))


def writes(node: Node) -> set[str]:
    """The variables that a node writes."""
    names = {item.get("resultVariable", "") for item in node.extensions("serviceTaskOperator")}
    names |= {text_of(item) for item in node.xml.iter(f"{{{SPIFF}}}messageVariable")} if _catches(node) else set()
    if node.kind == "userTask":
        names |= {node.id, node.properties.get("resultVariable", "")}
    if node.kind == "businessRuleTask":
        names |= {text_of(item) for item in node.extensions("calledDecisionId")}
    if node.kind == "scriptTask":
        with suppress(ExpressionError):  # reported with the tasks
            names |= compile_script(text_of(node.child("script"))).assigned
    for loop in node.xml.iterfind(tag("multiInstanceLoopCharacteristics")):
        names |= {text_of(part) for part in loop if is_bpmn(part) and local(part) == "loopDataOutputRef"}
    return (names | items_of(node)) - {""}


def results_of(node: Node) -> set[str]:
    """The variables in which a task keeps the result of its operation."""
    names = {item.get("resultVariable", "") for item in node.extensions("serviceTaskOperator")}
    return (names | {node.properties.get("resultVariable", "")}) - {""}


def items_of(node: Node) -> set[str]:
    """The names under which a task for several items reads its item and writes its result."""
    return {
        part.get("name", "") or part.get("id", "")
        for loop in node.xml.iterfind(tag("multiInstanceLoopCharacteristics"))
        for part in loop if is_bpmn(part) and local(part) in ("inputDataItem", "outputDataItem")
    } - {""}


def _catches(node: Node) -> bool:
    return node.kind == "receiveTask" or node.event == "message"


def _answers(decision: Decision) -> Keys:
    found: Keys = {}
    for index, output in enumerate(decision.outputs):
        cells = [rule.outputs[index] for rule in decision.rules]
        values: set[Any] | None = set()
        for cell in cells:
            try:
                values = None if values is None or cell.names else values | {cell.evaluate({})}
            except (ExpressionError, TypeError):
                values = None
        found[output.name] = values
    return found


def _choices(field: Any) -> set[Any] | None:
    if not isinstance(field, dict):
        return None
    choices = field.get("enum")
    if choices is None and isinstance(field.get("oneOf"), list):
        choices = [item.get("const") for item in field["oneOf"] if isinstance(item, dict)]
    if not isinstance(choices, list) or not all(isinstance(item, str | int | float | bool) for item in choices):
        return None
    return set(choices)


def relatives(context: Context, process: Scope) -> list[Scope]:
    """The processes whose variables are there when this one runs: itself, those that call it or that it undoes, and
    all that these call."""
    calls: dict[str, set[str]] = {}
    undoes: dict[str, set[str]] = {}
    for diagram in context.diagrams:
        for each in diagram.processes:
            undoes.setdefault(each.properties.get("cancellation", ""), set()).add(each.id)
        for node in diagram.nodes():
            if node.kind == "callActivity":
                calls.setdefault(node.scope.process.id, set()).add(node.xml.get("calledElement", ""))
    callers: dict[str, set[str]] = {}
    for caller, targets in calls.items():
        for target in targets:
            callers.setdefault(target, set()).add(caller)
    before = _closure({process.id}, lambda name: callers.get(name, set()) | undoes.get(name, set()))
    names = _closure(before, lambda name: calls.get(name, set()))
    return [each for diagram in context.diagrams for each in diagram.processes if each.id in names]


def _closure(start: set[str], following: Callable[[str], set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(following(name))
    return seen
