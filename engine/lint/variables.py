"""Every expression of a diagram: it can be read, reads what something writes, and compares with what can occur."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import Expression, compile_expression, compile_script
from engine.lint.approvals import DECISIONS, FIELDS
from engine.lint.events import timer_expressions
from engine.lint.model import DECIDING, SPIFF, Context, Diagram, Node, Scope, is_bpmn, spiff, tag, text_of
from engine.lint.names import listed

_GIVEN = frozenset({"cancellation"})
"""What the engine itself writes."""


@dataclass
class _Use:
    """One expression where it stands."""

    xml: etree._Element
    what: str
    expression: Expression
    extra: frozenset[str] = frozenset()


def check_variables(context: Context, diagram: Diagram) -> None:
    """All expressions of one diagram."""
    for process in diagram.processes:
        _check_process(context, diagram, process)


def _check_process(context: Context, diagram: Diagram, process: Scope) -> None:
    index = _Index(context, _relatives(context, process))
    written = index.written
    heeded: set[str] = set()
    for node in diagram.nodes(process):
        for use in _uses(diagram, node):
            _check_names(index, diagram, use, written)
            _check_values(index, diagram, use)
            if use.what.startswith("The condition"):
                heeded |= use.expression.paths
    for node in diagram.nodes(process):
        if node.is_approval and f"{node.id}.decision" not in heeded:
            diagram.report.error(
                node.xml, "decision-unheeded", "No condition behind it looks at its decision, so a rejection goes on.",
                f'Put an exclusive gateway behind it with conditions such as {node.id}.decision == "approve".',
            )


def _uses(diagram: Diagram, node: Node) -> Iterator[_Use]:
    texts: list[tuple[etree._Element, str, str, frozenset[str]]] = []
    if node.kind in DECIDING:
        texts += [(flow.xml, "The condition", flow.condition, _NONE) for flow in node.outgoing if flow.condition]
    for item in node.xml.iterfind(f"{tag('extensionElements')}//{spiff('parameter')}"):
        texts.append((node.xml, f"The parameter {item.get('id', '')[:60]!r}", item.get("value", ""), _NONE))
    if "signatures" in node.properties:
        texts.append((node.xml, "The number of signatures", node.properties["signatures"], _NONE))
    if "accepts" in node.properties:
        texts.append((node.xml, "What it accepts", node.properties["accepts"], frozenset({"message"})))
        _check_accepts(diagram, node)
    texts += [(node.xml, "The timer", text, _NONE) for text in timer_expressions(node)]
    for xml, what, text, extra in texts:
        try:
            yield _Use(xml, what, compile_expression(text), extra)
        except ExpressionError as error:
            if what != "The timer":  # reported with the timers
                advice = 'Write for example order.total > 500 or resolve_payment.choice == "cancel".'
                diagram.report.error(xml, "expression", f"{what} cannot be read. {error}", advice)
    if node.kind == "scriptTask":
        yield from _script_uses(node)


_NONE: frozenset[str] = frozenset()


def _script_uses(node: Node) -> Iterator[_Use]:
    try:
        script = compile_script(text_of(node.child("script")))
    except ExpressionError:
        return  # reported with the tasks
    for _, expression in script.assignments:
        yield _Use(node.xml, "The script", expression, script.assigned)


def _check_accepts(diagram: Diagram, node: Node) -> None:
    if node.kind != "receiveTask" and node.event != "message":
        diagram.report.error(
            node.xml, "accepts", "It waits for no message that it could accept.", "Remove the property accepts."
        )


def _check_names(index: _Index, diagram: Diagram, use: _Use, written: set[str]) -> None:
    for name in sorted(use.expression.names - written - use.extra - _GIVEN):
        advice = f"Known are {', '.join(sorted(written))}."
        if name == "message":
            advice = "A message is read in the property accepts only; later under its message variable."
        diagram.report.warning(
            use.xml, "unknown-variable", f"{use.what} reads {name!r}, which nothing on the diagram writes.",
            advice[:400] + " It works if the instance is started with it.",
        )
    for path in sorted(use.expression.paths):
        owner, _, key = path.partition(".")
        known = index.fields(owner) if key else None
        if known is not None and key.partition(".")[0] not in known:
            diagram.report.error(
                use.xml, "unknown-key", f"{use.what} reads {path!r}, and {owner!r} holds no {key!r}.",
                f"It holds {', '.join(sorted(known)) or 'nothing'}.",
            )


def _check_values(index: _Index, diagram: Diagram, use: _Use) -> None:
    for path, value in _comparisons(use.expression.text):
        owner, _, key = path.partition(".")
        allowed = (index.fields(owner) or {}).get(key)
        if allowed is not None and value not in allowed:
            shown = ", ".join(str(item) for item in sorted(allowed, key=str))
            diagram.report.error(
                use.xml, "impossible-value", f"{use.what} compares {path} with {value!r}, which it never is.",
                f"It is one of {shown}.",
            )


def _comparisons(text: str) -> Iterator[tuple[str, Any]]:
    """What an expression compares `owner.key` with: `a.b == "x"`, `"x" != a.b`, `a.b in ["x", "y"]`."""
    for node in ast.walk(ast.parse(" ".join(text.split()), mode="eval")):
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            continue
        sides = (node.left, node.comparators[0])
        if isinstance(node.ops[0], ast.Eq | ast.NotEq):
            for one, other in (sides, sides[::-1]):
                if isinstance(one, ast.Attribute) and isinstance(other, ast.Constant):
                    yield ast.unparse(one), other.value
        elif isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(sides[1], ast.List | ast.Tuple):
            for item in sides[1].elts:
                if isinstance(sides[0], ast.Attribute) and isinstance(item, ast.Constant):
                    yield ast.unparse(sides[0]), item.value


def _relatives(context: Context, process: Scope) -> list[Scope]:
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


class _Index:
    """Who writes which variable, over the processes that share an instance's variables."""

    def __init__(self, context: Context, processes: list[Scope]) -> None:
        self.context = context
        self.tasks: dict[str, list[Node]] = {}
        """User tasks by id: each stores its form or decision under it."""
        self.others: set[str] = set()
        for process in processes:
            for node in process.diagram.nodes(process):
                if node.kind == "userTask":
                    self.tasks.setdefault(node.id, []).append(node)
                self.others |= _writes(node)

    @property
    def written(self) -> set[str]:
        return (set(self.tasks) | self.others | set(self.context.decisions)) - {""}

    def fields(self, owner: str) -> dict[str, set[Any] | None] | None:
        """What a variable can hold: its keys, each with its possible values; None where that is not known."""
        decision = self.context.decisions.get(owner)
        if owner in self.others or (owner in self.tasks and owner in self.context.decisions):
            return None
        if decision is not None:
            return {output.name: None for output in decision.outputs}
        found: dict[str, set[Any] | None] = {}
        for node in self.tasks.get(owner, ()):
            fields = self._fields_of(node)
            if fields is None:
                return None
            for key, values in fields.items():
                before = found.get(key, set())
                found[key] = None if values is None or before is None else before | values
        return found if owner in self.tasks else None

    def _fields_of(self, node: Node) -> dict[str, set[Any] | None] | None:
        if node.is_approval:
            back = {int(part) for part in listed(node.properties.get("sendBackTo", "")) if part.isdecimal()}
            known: dict[str, set[Any] | None] = dict.fromkeys(FIELDS)
            return known | {"decision": set(DECISIONS), "send_back_to": back | {None}}
        form = self.context.form_of(node)
        properties = form.schema.get("properties") if form and form.schema else None
        if not isinstance(properties, dict):
            return None
        return {key: _choices(field) for key, field in properties.items()}


def _writes(node: Node) -> set[str]:
    """What a node writes beside the form under its own id."""
    names = {item.get("resultVariable", "") for item in node.extensions("serviceTaskOperator")}
    names |= {text_of(item) for item in node.xml.iter(f"{{{SPIFF}}}messageVariable")}
    if node.kind == "userTask":
        names.add(node.properties.get("resultVariable", ""))
    if node.kind == "scriptTask":
        with suppress(ExpressionError):  # reported with the tasks
            names |= compile_script(text_of(node.child("script"))).assigned
    for loop in node.xml.iterfind(tag("multiInstanceLoopCharacteristics")):
        for part in loop:
            if is_bpmn(part):
                names |= {part.get("name", ""), part.get("id", ""), text_of(part)}
    return names


def _choices(field: Any) -> set[Any] | None:
    if not isinstance(field, dict):
        return None
    choices = field.get("enum")
    if choices is None and isinstance(field.get("oneOf"), list):
        choices = [item.get("const") for item in field["oneOf"] if isinstance(item, dict)]
    if not isinstance(choices, list) or not all(isinstance(item, str | int | float | bool) for item in choices):
        return None
    return set(choices)
