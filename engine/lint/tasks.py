"""What each task needs: a user task its team, due time and form, a service task its operation and parameters."""

from __future__ import annotations

import re
from contextlib import suppress

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import compile_expression, compile_script, parse_timer
from engine.findings import local
from engine.lint.approvals import check_approval
from engine.lint.model import ACTIVITIES, Context, Diagram, Node, Scope, is_bpmn, spiff, tag, text_of
from engine.lint.names import check_variable, is_variable, listed
from engine.lint.operations import check_operation, nearest
from engine.lint.writers import given, operation_of
from handlers.contract import Operation, Parameter

_PROPERTIES = {
    "userTask": {
        "step", "team", "due", "escalateTo", "formJsonSchemaFilename", "formUiSchemaFilename", "onComplete",
        "resultVariable", "formContext", "kind", "submits", "sendBackTo", "submission", "signatures", "commits",
        "separateFrom",
    },
    "serviceTask": {"step", "commits", "requires"},
    "startEvent": {"formJsonSchemaFilename"},
    "endEvent": {"cancels", "commits"},
    "receiveTask": {"step", "accepts", "commits"},
    "boundaryEvent": {"accepts", "commits"},
    "intermediateCatchEvent": {"accepts", "commits"},
}
_ANY = {"step", "commits"}
_PROCESS = {"cancellation", "startsWith"}
_TEAM = re.compile(r"[^\W\d_][\w-]{0,39}")
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


def check_tasks(context: Context, diagram: Diagram) -> None:
    """Every task of a diagram, and the properties of every element."""
    for process in diagram.processes:
        _check_process(diagram, process)
        _check_steps(diagram, process)
    for node in diagram.nodes():
        _check_properties(diagram, node)
        if node.kind == "userTask":
            _check_user_task(context, diagram, node)
        elif node.kind == "serviceTask":
            _check_service_task(context, diagram, node)
        elif node.kind == "businessRuleTask":
            _check_decision_task(context, diagram, node)
        elif node.kind == "scriptTask":
            _check_script(diagram, node)
        if node.kind in ACTIVITIES:
            _check_repetition(diagram, node)


def _check_process(diagram: Diagram, process: Scope) -> None:
    for name in sorted(set(process.properties) - _PROCESS):
        diagram.report.warning(
            process.xml, "unknown-property", f"The property {name[:60]!r} is not read here.",
            f"Remove it, or check its spelling; known are {', '.join(sorted(_PROCESS))}.",
        )
    for name in sorted(given(process)):
        if not is_variable(name):
            diagram.report.error(
                process.xml, "variable-name",
                f"startsWith lists {name[:60]!r}, which cannot be the name of a variable.",
                "Write names divided by commas: letters, digits and _ only, a letter first.",
            )


def _check_steps(diagram: Diagram, process: Scope) -> None:
    numbered: dict[int, Node] = {}
    for node in diagram.nodes(process):
        text = node.properties.get("step")
        if text is None:
            continue
        if node.step is None or node.step == 0 or node.kind not in ACTIVITIES:
            diagram.report.error(
                node.xml, "step", f"{text[:20]!r} cannot be its step.", "Number the steps 1, 2, 3 …, on tasks only."
            )
        elif node.step in numbered:
            diagram.report.error(
                node.xml, "step", f"It is step {node.step}, and so is {numbered[node.step].name!r}.",
                "Give each step its own number.",
            )
        else:
            numbered[node.step] = node
    missing = sorted(set(range(1, max(numbered, default=0) + 1)) - set(numbered))[:10]
    if missing:
        numbers = ", ".join(str(number) for number in missing)
        diagram.report.error(
            process.xml, "step", f"No task is step {numbers}.", "Number the steps from 1 on without a gap."
        )


def _check_properties(diagram: Diagram, node: Node) -> None:
    known = _PROPERTIES.get(node.kind, set()) | _ANY
    for name in sorted(set(node.properties) - known):
        diagram.report.warning(
            node.xml, "unknown-property", f"The property {name[:60]!r} is not read here.",
            f"Remove it, or check its spelling; known are {', '.join(sorted(known))}.",
        )
    gates = {other.id for other in diagram.nodes(node.scope.process) if other.is_approval}
    for name in listed(node.properties.get("requires", "")):
        if name not in gates:
            diagram.report.error(
                node.xml, "requires", f"requires names {name[:60]!r}, which is no approval of this process.",
                "List the ids of the approvals that must still hold when the order comes here.",
            )
    for name in ("cancels", "commits"):
        if node.properties.get(name, "true") not in ("true", "false"):
            diagram.report.error(node.xml, "boolean", f"The property {name} is neither true nor false.", "Write true.")
    if node.properties.get("cancels") == "true" and "cancellation" not in node.scope.process.properties:
        diagram.report.error(
            node.xml, "cancels", "It cancels the order, and the process names no cancellation.",
            'Set the property "cancellation" of the process to the id of the process that undoes it.',
        )


def _check_user_task(context: Context, diagram: Diagram, node: Node) -> None:
    report, properties = diagram.report, node.properties
    check_variable(diagram, node, node.id, "The form is stored under the task's id;")
    if node.name == node.id:
        report.warning(node.xml, "no-name", "It has no name, so the inbox shows its id.", "Say in words what is done.")
    team = properties.get("team", "")
    if not _TEAM.fullmatch(team):
        message = f"{team[:40]!r} cannot be a team." if team else "No team does it."
        report.error(node.xml, "team", message, 'Set the property "team", for example sales.')
    elif context.teams is not None and not context.teams.get(team, False):
        workers = ", ".join(sorted(name for name, works in context.teams.items() if works))
        why = "does no tasks" if team in context.teams else "does not exist"
        verb = "sign" if node.is_approval else "do"
        report.error(
            node.xml, "team", f"Nobody could ever {verb} it: the team {team!r} {why}.", f"The teams are {workers}."
        )
    escalation = properties.get("escalateTo")
    if escalation is not None and not _TEAM.fullmatch(escalation):
        report.error(
            node.xml, "escalate-to", f"{escalation[:40]!r} cannot be a team.", "Name a team, or remove it."
        )
    elif escalation is not None and context.teams is not None and escalation not in context.teams:
        report.error(
            node.xml, "escalate-to", f"Nobody would hear of it: the team {escalation!r} does not exist.",
            f"The teams are {', '.join(sorted(context.teams))}.",
        )
    try:
        parse_timer(properties.get("due", ""), "duration")
    except ExpressionError as error:
        message = str(error) if properties.get("due") else "It has no due time."
        report.error(node.xml, "due", message, 'Set the property "due", for example PT4H for four hours.')
    kind = properties.get("kind")
    if kind == "approval":
        check_approval(context, diagram, node)
    elif kind is not None:
        report.error(node.xml, "kind", f"There is no kind {kind[:40]!r} of task.", 'Write "approval" or remove it.')
    else:
        _check_form(context, diagram, node)
    check_operation(context, diagram, node, "onComplete", ("form",))
    check_operation(context, diagram, node, "formContext", ())
    operation = operation_of(context, node)
    if operation is not None and operation.gives and not properties.get("resultVariable"):
        report.warning(
            node.xml, "no-result",
            f"The result of {operation.name} ({', '.join(operation.gives)}) is kept under no name that is read.",
            'Set the property "resultVariable" to the variable that it renews.',
        )
    if "resultVariable" in properties:
        check_variable(diagram, node, properties["resultVariable"], "The result variable")
        if "onComplete" not in properties:
            report.error(
                node.xml, "result-variable", "It names a result variable and no operation that would write it.",
                'Set the property "onComplete", or remove the result variable.',
            )


def _check_form(context: Context, diagram: Diagram, node: Node) -> None:
    report, name = diagram.report, node.properties.get("formJsonSchemaFilename")
    for other in ("submits", "sendBackTo", "submission", "signatures", "separateFrom"):
        if other in node.properties:
            report.error(
                node.xml, "approval-property", f"The property {other} belongs to an approval.",
                'Set the property "kind" to approval, or remove it.',
            )
    if not name:
        report.error(node.xml, "form", "It has no form.", 'Set the property "formJsonSchemaFilename".')
    elif name not in context.forms:
        report.error(
            node.xml, "form", f"Its form {name[:80]!r} is not in the bundle.",
            f"Add forms/{name[:80]}, or name another.",
        )
    else:
        _check_fields(context, diagram, node, name)


def _check_fields(context: Context, diagram: Diagram, node: Node, form: str) -> None:
    """The form has the fields that the operation which takes it reads."""
    operation, schema = operation_of(context, node), context.forms[form].schema or {}
    fields, required = schema.get("properties"), schema.get("required")
    if operation is None or not isinstance(fields, dict):
        return
    for each in operation.takes:
        name, needed = each.rstrip("?"), not each.endswith("?")
        if name not in fields:
            says = diagram.report.error if needed else diagram.report.warning
            says(
                node.xml, "form-lacks",
                f"{operation.name} reads the field {name!r}, which the form {form} does not have.",
                "Add the field, correct its name, or let another operation take the form.",
            )
        elif needed and name not in (required if isinstance(required, list) else ()):
            diagram.report.error(
                node.xml, "form-lacks",
                f"{operation.name} cannot do without the field {name!r}, and the form {form} lets it be left out.",
                f"List {name} under required.",
            )


def _check_service_task(context: Context, diagram: Diagram, node: Node) -> None:
    report, operators = diagram.report, node.extensions("serviceTaskOperator")
    if len(operators) != 1 or not operators[0].get("id"):
        report.error(node.xml, "no-operator", "It names no operation.", "Choose the operation that it calls.")
        return
    operator = operators[0]
    variable = operator.get("resultVariable")
    if variable:
        check_variable(diagram, node, variable, "The result variable")
    for retry in operator.iter(spiff("retry")):
        for name in ("retries", "backoff_base"):
            value = retry.get(name, "0")
            if not re.fullmatch(r"\d{1,4}", value):
                report.error(node.xml, "retry", f"{name} is {value[:20]!r}.", "Write a whole number.")
    operation = context.operations.get(operator.get("id", ""))
    if operation is None:
        report.error(
            node.xml, "unknown-operation", f"It calls {operator.get('id', '')[:80]!r}, which is no operation.",
            nearest(context, operator.get("id", "")),
        )
    elif operation.gives and not variable:
        report.warning(
            node.xml, "no-result",
            f"The result of {operation.name} ({', '.join(operation.gives)}) is kept under no name that is read.",
            "Name its result variable, unless nobody needs it.",
        )
    _check_parameters(diagram, node, operator, operation)


def _check_parameters(
    diagram: Diagram, node: Node, operator: etree._Element, operation: Operation | None
) -> None:
    report, given = diagram.report, set()
    known = {parameter.name: parameter for parameter in operation.parameters} if operation else {}
    for item in operator.iter(spiff("parameter")):
        name, value = item.get("id", ""), item.get("value")
        if not name or value is None or item.get("type") is None:
            report.error(
                node.xml, "parameter", f"The parameter {name[:60]!r} is not complete.", "It needs id, type and value."
            )
            continue
        if name in given:
            report.error(node.xml, "parameter", f"The parameter {name[:60]!r} is given twice.", "Keep one of them.")
        given.add(name)
        if operation is not None and name not in known:
            report.error(
                node.xml, "parameter", f"{operation.name} takes no parameter {name[:60]!r}.",
                f"It takes {', '.join(known) or 'none'}.",
            )
        elif operation is not None:
            _check_type(diagram, node, name, item.get("type", ""), known[name].type)
            _check_choice(diagram, node, known[name], value)
    if operation is not None:
        for name, parameter in known.items():
            if parameter.required and name not in given:
                report.error(
                    node.xml, "parameter", f"{operation.name} needs the parameter {name!r}.",
                    "Give it an expression, for example order.stock_region.",
                )


def _check_type(diagram: Diagram, node: Node, name: str, given: str, wanted: object) -> None:
    if given in _TYPES and wanted in _TYPES.values() and _TYPES[given] is not wanted:
        expected = next(word for word, kind in _TYPES.items() if kind is wanted)
        diagram.report.error(
            node.xml, "parameter", f"The parameter {name!r} is given as {given} and taken as {expected}.",
            f"Set its type to {expected} and check the value.",
        )


def _check_choice(diagram: Diagram, node: Node, parameter: Parameter, text: str) -> None:
    """A value that is written down is one of those that the parameter may have."""
    if parameter.choices is None:
        return
    with suppress(ExpressionError):  # reported with the expressions
        expression = compile_expression(text)
        if not expression.names and expression.evaluate({}) not in parameter.choices:
            diagram.report.error(
                node.xml, "parameter", f"The parameter {parameter.name!r} is {text[:60]}, which it cannot be.",
                f"It is one of {', '.join(repr(each) for each in parameter.choices)}.",
            )


def _check_decision_task(context: Context, diagram: Diagram, node: Node) -> None:
    names = [text_of(item) for item in node.extensions("calledDecisionId")]
    if len(names) != 1 or not names[0]:
        diagram.report.error(node.xml, "no-decision", "It calls no decision table.", "Choose the table.")
    elif names[0] not in context.decisions:
        known = ", ".join(sorted(context.decisions)) or "none"
        diagram.report.error(
            node.xml, "unknown-decision", f"The decision table {names[0][:80]!r} is not in the bundle.",
            f"Add its .dmn file, or choose another; there are: {known}.",
        )


def _check_script(diagram: Diagram, node: Node) -> None:
    try:
        script = compile_script(text_of(node.child("script")))
    except ExpressionError as error:
        diagram.report.error(node.xml, "script", str(error), "Write lines such as: attempts = attempts + 1")
        return
    for name in sorted(script.assigned):
        if not is_variable(name):
            check_variable(diagram, node, name, "The variable")


def _check_repetition(diagram: Diagram, node: Node) -> None:
    report = diagram.report
    several = node.xml.findall(tag("multiInstanceLoopCharacteristics"))
    again = node.xml.findall(tag("standardLoopCharacteristics"))
    if len(several) + len(again) > 1:
        report.error(node.xml, "repetition", "It is repeated in two ways.", "Keep one of them.")
    for loop in again:
        maximum, condition = loop.get("loopMaximum"), loop.find(tag("loopCondition"))
        if maximum is None and condition is None:
            report.error(node.xml, "repetition", "Its loop never ends.", "Write a condition or a maximum.")
        if maximum is not None and not re.fullmatch(r"[1-9]\d{0,2}", maximum):
            report.error(node.xml, "repetition", f"Its maximum is {maximum[:20]!r}.", "Write a number from 1 to 999.")
        _check_expression(diagram, node, condition)
        if loop.get("testBefore", "false") not in ("true", "false"):
            report.error(node.xml, "boolean", "testBefore is neither true nor false.", "Write true or false.")
    for body in several:
        _check_several(diagram, node, body)


def _check_several(diagram: Diagram, node: Node, body: etree._Element) -> None:
    report = diagram.report
    parts = {local(child): child for child in body if is_bpmn(child)}
    if node.kind == "businessRuleTask":
        report.error(node.xml, "repetition", "A decision cannot be repeated for several items.", "Use a subprocess.")
    if ("loopCardinality" in parts) == ("loopDataInputRef" in parts):
        report.error(
            node.xml, "repetition", "It says not exactly one of how many times and for which list.",
            "Write either a number or the variable that holds the list.",
        )
    if ("loopDataInputRef" in parts) != ("inputDataItem" in parts):
        report.error(
            node.xml, "repetition", "The list and the name of its item belong together.", "Write both, or neither."
        )
    if ("loopDataOutputRef" in parts) != ("outputDataItem" in parts):
        report.error(
            node.xml, "repetition", "The list of results and the name of a result belong together.", "Write both."
        )
    for name in ("loopDataInputRef", "loopDataOutputRef"):
        if name in parts:
            check_variable(diagram, node, text_of(parts[name]), "The list")
    for name in ("inputDataItem", "outputDataItem"):
        if name in parts:
            item = parts[name].get("name", "") or parts[name].get("id", "")
            check_variable(diagram, node, item, "The item")
    _check_expression(diagram, node, parts.get("loopCardinality"))
    _check_expression(diagram, node, parts.get("completionCondition"))
    if body.get("isSequential", "false") not in ("true", "false"):
        report.error(node.xml, "boolean", "isSequential is neither true nor false.", "Write true or false.")


def _check_expression(diagram: Diagram, node: Node, item: etree._Element | None) -> None:
    if item is None:
        return
    try:
        compile_expression(text_of(item))
    except ExpressionError as error:
        diagram.report.error(node.xml, "expression", str(error), "Correct the expression.")
