"""Every expression of a diagram: it can be read, reads what something writes, and compares with what can occur."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lxml import etree

from engine.decision_cells import kind_of
from engine.errors import ExpressionError
from engine.expressions import Expression, compile_expression, compile_script
from engine.findings import local
from engine.lint.dataflow import Known, known_before
from engine.lint.events import timer_expressions
from engine.lint.model import DECIDING, Context, Diagram, Flow, Node, Scope, is_bpmn, spiff, tag, text_of
from engine.lint.writers import Writers, items_of, operation_of, relatives, results_of

GIVEN = {"cancellation": {"reason"}}
"""What the engine itself writes: variables with their keys."""
_NONE: frozenset[str] = frozenset()


@dataclass
class _Use:
    """One expression where it stands."""

    xml: etree._Element
    what: str
    expression: Expression
    extra: frozenset[str] = frozenset()
    """Names that are there beside the instance's variables."""
    after: bool = False
    """True if it is read when its element is left, not when it is entered."""


def check_variables(context: Context, diagram: Diagram) -> None:
    """All expressions of one diagram."""
    known = known_before(context)
    for process in diagram.processes:
        _check_process(context, diagram, process, known)


def _check_process(context: Context, diagram: Diagram, process: Scope, known: Known) -> None:
    writers = Writers(context, relatives(context, process))
    undoing = {each.properties.get("cancellation", "") for each in context.processes.values()}
    heeded: set[str] = set()
    read: set[str] = set()
    for node in diagram.nodes(process):
        for use in _uses(context, diagram, node):
            _check_constant(diagram, use)
            _check_names(writers, diagram, use)
            _check_keys(writers, diagram, use)
            _check_values(writers, diagram, use)
            _check_order(writers, diagram, node, use, known, undoing)
            read |= use.expression.names
            if use.what.startswith("The condition"):
                heeded |= use.expression.paths
        operation = operation_of(context, node)
        read |= operation.reads if operation is not None else frozenset()
        _check_lookups(context, writers, diagram, node)
        _check_cells(context, writers, diagram, node)
        _check_labels(writers, diagram, node)
    _check_results(context, writers, diagram, process, read)
    for node in diagram.nodes(process):
        if node.is_approval and f"{node.id}.decision" not in heeded:
            diagram.report.error(
                node.xml, "decision-unheeded", "No condition behind it looks at its decision, so a rejection goes on.",
                f'Put an exclusive gateway behind it with conditions such as {node.id}.decision == "approve".',
            )


def reads(context: Context, diagram: Diagram, node: Node) -> frozenset[str]:
    """The variables that the expressions of an element and of its ways out read."""
    names: set[str] = set()
    for use in _uses(context, diagram, node):
        names |= use.expression.names - use.extra
    return frozenset(names)


def _uses(context: Context, diagram: Diagram, node: Node) -> Iterator[_Use]:
    texts: list[tuple[etree._Element, str, str, frozenset[str]]] = []
    items = frozenset(items_of(node))
    if node.kind in DECIDING:
        texts += [(flow.xml, "The condition", flow.condition, _NONE) for flow in node.outgoing if flow.condition]
    for item in node.xml.iterfind(f"{tag('extensionElements')}//{spiff('parameter')}"):
        texts.append((node.xml, f"The parameter {item.get('id', '')[:60]!r}", item.get("value", ""), items))
    if "signatures" in node.properties:
        texts.append((node.xml, "The number of signatures", node.properties["signatures"], _NONE))
    if "accepts" in node.properties:
        texts.append((node.xml, "What it accepts", node.properties["accepts"], frozenset({"message"})))
        _check_accepts(diagram, node)
    texts += [(node.xml, "The timer", text, _NONE) for text in timer_expressions(node)]
    for xml, what, text, extra in texts:
        try:
            yield _Use(xml, what, compile_expression(text), extra, after=node.kind in DECIDING)
        except ExpressionError as error:
            if what != "The timer":  # reported with the timers
                advice = 'Write for example order.total > 500 or resolve_payment.choice == "cancel".'
                diagram.report.error(xml, "expression", f"{what} cannot be read. {error}", advice)
    yield from _repetition_uses(node, items)
    if node.kind == "scriptTask":
        yield from _script_uses(node)
    elif node.kind == "businessRuleTask":
        yield from _decision_uses(context, node)


def _script_uses(node: Node) -> Iterator[_Use]:
    try:
        script = compile_script(text_of(node.child("script")))
    except ExpressionError:
        return  # reported with the tasks
    assigned: set[str] = set()
    for name, expression in script.assignments:
        yield _Use(node.xml, "The script", expression, frozenset(assigned))
        assigned.add(name)


def _decision_uses(context: Context, node: Node) -> Iterator[_Use]:
    for name in {text_of(item) for item in node.extensions("calledDecisionId")}:
        decision = context.decisions.get(name)
        if decision is None:
            continue
        for column in decision.inputs:
            yield _Use(node.xml, f"The input {column.label[:60]!r} of its table", column.expression)
        for number, rule in enumerate(decision.rules, 1):
            for expression in rule.outputs:
                yield _Use(node.xml, f"Row {number} of its table", expression)


def _repetition_uses(node: Node, items: frozenset[str]) -> Iterator[_Use]:
    """How often a task is repeated, for which list, and until when."""
    wanted = {"loopDataInputRef": "The list", "loopCardinality": "The number of times",
              "completionCondition": "The end of the repetition", "loopCondition": "The end of the loop"}
    for loop in node.xml:
        if not is_bpmn(loop) or local(loop) not in (
            "multiInstanceLoopCharacteristics", "standardLoopCharacteristics"
        ):
            continue
        for part in loop:
            if is_bpmn(part) and local(part) in wanted:
                try:
                    expression = compile_expression(text_of(part))
                except ExpressionError:
                    continue  # reported with the tasks
                within = local(part) in ("completionCondition", "loopCondition")
                yield _Use(node.xml, wanted[local(part)], expression, items if within else _NONE, after=within)


def _check_accepts(diagram: Diagram, node: Node) -> None:
    if node.kind != "receiveTask" and node.event != "message":
        diagram.report.error(
            node.xml, "accepts", "It waits for no message that it could accept.", "Remove the property accepts."
        )


def _check_constant(diagram: Diagram, use: _Use) -> None:
    """What reads nothing has its value already, or has none ever."""
    if not use.expression.names:
        try:
            use.expression.evaluate({})
        except ExpressionError as error:
            diagram.report.error(use.xml, "expression", f"{use.what} has no value. {error}", "Correct the expression.")


def _check_names(writers: Writers, diagram: Diagram, use: _Use) -> None:
    written = writers.written
    for name in sorted(use.expression.names - written - use.extra - GIVEN.keys()):
        near = f"Known are {', '.join(sorted(written))}."[:400] if written else "Nothing writes a variable here."
        advice = f"{near} If an instance is started with it, list it in the process's property startsWith."
        if name == "message":
            advice = "A message is read in the property accepts only; later under its message variable."
        diagram.report.error(
            use.xml, "unknown-variable", f"{use.what} reads {name!r}, which nothing on the diagram writes.", advice
        )


def _check_order(
    writers: Writers, diagram: Diagram, node: Node, use: _Use, known: Known, undoing: set[str]
) -> None:
    """What is read was written before, on every way that leads here."""
    for name in sorted((use.expression.names & writers.written) - use.extra - GIVEN.keys()):
        how = known.how(node, name, after=use.after)
        if how == "always":
            continue
        when = "on no way that leads here has anything written it" if how == "never" else (
            "on some way that leads here nothing has written it yet"
        )
        if node.scope.process.id in undoing and how == "sometimes":
            diagram.report.warning(
                use.xml, "read-too-early",
                f"{use.what} reads {name!r}, and an order may be given up before it is there.",
                "Let an operation look it up, or make sure that an order is never given up so early.",
            )
            continue
        diagram.report.error(
            use.xml, "read-too-early", f"{use.what} reads {name!r}, and {when}.",
            "Lead every way here through what writes it, or give it a first value in a script task near the start.",
        )


def _check_keys(writers: Writers, diagram: Diagram, use: _Use) -> None:
    for path in sorted(use.expression.paths):
        owner, _, rest = path.partition(".")
        key = rest.partition(".")[0]
        known = writers.fields(owner) if key and owner not in use.extra else None
        if owner in GIVEN and key and owner not in writers.written:
            known = dict.fromkeys(GIVEN[owner])
        if known is None:
            continue
        if key not in known:
            diagram.report.error(
                use.xml, "unknown-key", f"{use.what} reads {path!r}, and {owner!r} holds no {key!r}.",
                f"It holds {', '.join(sorted(known)) or 'nothing'}.",
            )
        elif (why := writers.lacking(owner, key)) is not None:
            says = diagram.report.warning if why.startswith("the form") else diagram.report.error
            says(
                use.xml, "missing-key", f"{use.what} reads {path!r}, which is not always there: {why}.",
                f'Make sure that it is always given, or write get({owner}, "{key}").',
            )


def _check_values(writers: Writers, diagram: Diagram, use: _Use) -> None:
    for path, value in _comparisons(use.expression.text):
        owner, _, key = path.partition(".")
        allowed = (writers.fields(owner) or {}).get(key) if owner not in use.extra else None
        fits = value is None or value in allowed if isinstance(allowed, set) else (
            allowed is None or value is None or kind_of(value) == allowed
        )
        if not fits:
            diagram.report.error(
                use.xml, "impossible-value", f"{use.what} compares {path} with {value!r}, which it never is.",
                _is(allowed),
            )


def _is(allowed: set[Any] | str | None) -> str:
    """What a key can hold, in words."""
    if isinstance(allowed, set):
        return f"It is one of {', '.join(str(item) for item in sorted(allowed, key=str))}."
    return f"It is a {allowed}."


def _check_lookups(context: Context, writers: Writers, diagram: Diagram, node: Node) -> None:
    """An operation may look a variable up by a fixed name; somebody has to write it under that name."""
    operation = operation_of(context, node)
    for name in sorted(operation.reads - writers.written) if operation is not None else ():
        assert operation is not None
        diagram.report.warning(
            node.xml, "lookup",
            f"{operation.name} looks up the variable {name!r}, which nothing on the diagram writes.",
            f"Name {name} as the result or message variable where it comes from.",
        )


def _check_results(
    context: Context, writers: Writers, diagram: Diagram, process: Scope, read: set[str]
) -> None:
    """A result that nobody reads, of a kind that is read under another name, is a slip of the pen."""
    for node in diagram.nodes(process):
        operation = operation_of(context, node)
        if operation is None or not operation.gives:
            continue
        for name in sorted(results_of(node) - read):
            same = sorted(other for other in read & writers.written
                          if other != name and set(writers.fields(other) or ()) == set(operation.gives))
            if same:
                diagram.report.warning(
                    node.xml, "result-unread",
                    f"It keeps its result as {name!r}, which nothing reads; elsewhere the same is kept as {same[0]!r}.",
                    f"Write {same[0]}, unless the other name is meant.",
                )


def _check_cells(context: Context, writers: Writers, diagram: Diagram, node: Node) -> None:
    """A table asks for values of the kind that the variable has, and for such as it can have."""
    for name in {text_of(item) for item in node.extensions("calledDecisionId")}:
        decision = context.decisions.get(name)
        for index, column in enumerate(decision.inputs if decision is not None else ()):
            assert decision is not None
            text = column.expression.text
            owner, _, key = text.partition(".")
            fields = writers.fields(owner)
            allowed = (fields or {}).get(key)
            if fields is not None and not key and text.isidentifier():
                diagram.report.error(
                    node.xml, "impossible-row", f"The input {column.label[:60]!r} of its table is {text}, which holds "
                    "several values.", f"Write one of {', '.join(f'{text}.{each}' for each in sorted(fields))}.",
                )
            kinds = {allowed} if isinstance(allowed, str) else {kind_of(value) for value in allowed or ()}
            if kinds and column.type is not None and column.type not in kinds:
                diagram.report.error(
                    node.xml, "impossible-row",
                    f"The input {column.label[:60]!r} of its table is a {column.type}, and {text} never is.",
                    _is(allowed),
                )
            for number, rule in enumerate(decision.rules, 1):
                cell = rule.cells[index]
                if cell.test == "==" and isinstance(allowed, set) and not any(
                    kind_of(value) == kind_of(cell.value) and value == cell.value for value in allowed
                ):
                    diagram.report.error(
                        node.xml, "impossible-row",
                        f"Row {number} of its table asks whether {text} is {cell.value!r}, which it never is.",
                        _is(allowed),
                    )


def _check_labels(writers: Writers, diagram: Diagram, node: Node) -> None:
    """A flow that is called by a value is the one that is taken on this value."""
    if node.kind != "exclusiveGateway":
        return
    paths: dict[str, set[Any]] = {}
    for flow in node.outgoing:
        with suppress(ExpressionError, SyntaxError):
            for path, _ in _comparisons(compile_expression(flow.condition or "true").text):
                owner, _, key = path.partition(".")
                allowed = (writers.fields(owner) or {}).get(key)
                if isinstance(allowed, set):
                    paths[path] = allowed
    for flow in node.outgoing:
        called = "_".join(flow.xml.get("name", "").lower().split())
        for path, allowed in paths.items():
            owner, _, key = path.partition(".")
            if called in allowed and (taken := _taken(node, {owner: {key: called}})) not in (None, flow):
                assert taken is not None
                diagram.report.warning(
                    flow.xml, "label-differs",
                    f"The flow is called {flow.xml.get('name', '')!r}, and when {path} is {called!r} another one is "
                    f"taken, to {node.scope.nodes[taken.target].name!r}.",
                    "Correct its condition, or its name.",
                )


def _taken(node: Node, variables: dict[str, Any]) -> Flow | None:
    """The flow that a gateway takes on these variables; None when that depends on others."""
    default = node.xml.get("default")
    try:
        for flow in node.outgoing:
            if flow.condition and flow.id != default and compile_expression(flow.condition).evaluate(variables):
                return flow if flow.target in node.scope.nodes else None
    except ExpressionError:
        return None
    return next((flow for flow in node.outgoing if flow.id == default and flow.target in node.scope.nodes), None)


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
