"""Timers, messages, errors, escalations and signals: what an event refers to is there and can be read."""

from __future__ import annotations

from typing import cast

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import compile_expression, is_timer, parse_timer
from engine.findings import local
from engine.lint.model import SUBPROCESSES, Context, Diagram, Node, Scope, is_bpmn, tag, text_of
from engine.lint.names import check_variable
from engine.timer_texts import Kind

_TIMERS = {"timeDuration": "duration", "timeCycle": "cycle", "timeDate": "date"}


def check_events(context: Context, diagram: Diagram) -> None:
    """Every event and every receive task of a diagram."""
    called = {
        node.xml.get("calledElement") for each in context.diagrams for node in each.nodes()
        if node.kind == "callActivity"
    }
    for kind, attribute in (("message", "name"), ("error", "errorCode"), ("escalation", "escalationCode")):
        for xml in diagram.declared[kind].values():
            if not xml.get("id"):
                diagram.report.error(xml, f"{kind}-id", f"The {kind} has no id.", "Give it one.")
            if not (xml.get(attribute) or "").strip():
                diagram.report.error(
                    xml, f"{kind}-{attribute.removeprefix(kind).lower()}", f"The {kind} has no {attribute}.",
                    f"Write the {attribute} that operations and callers use.",
                )
    _check_unused(diagram)
    _check_sent(context, diagram)
    _check_thrown(context, diagram)
    for node in diagram.nodes():
        _check_node(diagram, node, called)
        _check_caught(context, diagram, node)
        codes: dict[str, Node] = {}
        for boundary in node.boundaries:
            _check_distinct(diagram, boundary, codes)


def _check_unused(diagram: Diagram) -> None:
    """A message or an error that nothing refers to: what comes from outside or from an operation goes nowhere."""
    referred = {xml.get(f"{kind}Ref") for xml in diagram.root.iter() if is_bpmn(xml) for kind in ("message", "error")}
    for kind, words in (("message", "waits for"), ("error", "catches")):
        for name, xml in diagram.declared[kind].items():
            if name and name not in referred:
                diagram.report.warning(
                    xml, "unused-declaration", f"Nothing on the diagram {words} it.",
                    "Choose it at the event that it is meant for, or remove it.",
                )


def _check_sent(context: Context, diagram: Diagram) -> None:
    """Somebody sends what is waited for."""
    for xml in diagram.declared["message"].values() if context.messages else ():
        name = (xml.get("name") or "").strip()
        if name and name not in context.messages:
            diagram.report.warning(
                xml, "unknown-message", f"No part of Waybill sends {name[:60]!r}: it would have to come by the API.",
                f"Sent are {', '.join(sorted(context.messages))}.",
            )


def _check_thrown(context: Context, diagram: Diagram) -> None:
    """A signal that is waited for is thrown somewhere in the bundle; nothing else gives one."""
    thrown = {_code(each, node) for each in context.diagrams for node in each.nodes()
              if node.kind == "intermediateThrowEvent" and node.event == "signal"}
    for node in diagram.nodes():
        if node.event == "signal" and node.kind in ("intermediateCatchEvent", "boundaryEvent"):
            name = _code(diagram, node)
            if name is not None and name not in thrown:
                says = diagram.report.error if node.kind == "intermediateCatchEvent" else diagram.report.warning
                says(
                    node.xml, "signal-never", f"Nothing throws the signal {name[:60]!r}, so it never happens.",
                    "Throw it on a way beside this one, or wait for a message or a timer.",
                )


def _check_caught(context: Context, diagram: Diagram, node: Node) -> None:
    """An error that ends a subprocess is caught around it; else the order would go on as if nothing had happened."""
    if node.kind != "endEvent" or node.event != "error" or node.scope.parent is None:
        return
    code = _code(diagram, node)
    if code is not None and not _is_caught(context, node.scope, code, set()):
        diagram.report.error(
            node.xml, "error-end", f"Nobody catches the error {code[:60]!r}: the order would go on as if nothing had "
            "happened.", "Attach an error event to the subprocess and lead it to what is to be done then.",
        )


def _is_caught(context: Context, scope: Scope, code: str, seen: set[Scope]) -> bool:
    seen.add(scope)
    if scope.parent is not None:
        hosts = [scope.parent.nodes[scope.id]]
    else:
        hosts = [each for diagram in context.diagrams for each in diagram.nodes()
                 if each.kind == "callActivity" and each.xml.get("calledElement") == scope.id]
    for host in hosts:
        if any(each.event == "error" and _code(host.scope.diagram, each) == code for each in host.boundaries):
            return True
        if host.scope not in seen and _is_caught(context, host.scope, code, seen):
            return True
    return False


def _code(diagram: Diagram, node: Node) -> str | None:
    """The signal's name or the error's code that an event refers to; None when it refers to none."""
    declared = diagram.declaration(node.event, node.definitions[0].get(f"{node.event}Ref"))
    return declared.get("name" if node.event == "signal" else "errorCode") if declared is not None else None


def _check_node(diagram: Diagram, node: Node, called: set[str | None]) -> None:
    if node.kind == "receiveTask":
        _check_message(diagram, node, node.xml.get("messageRef"))
        for name in node.extensions("messageVariable"):
            check_variable(diagram, node, text_of(name), "The message variable")
    for definition in node.definitions:
        kind = local(definition).removesuffix("EventDefinition")
        if kind == "timer":
            _check_timer(diagram, node, definition)
        elif kind == "message" and node.kind != "receiveTask":
            _check_message(diagram, node, definition.get("messageRef"))
            for name in definition.iter("{http://spiffworkflow.org/bpmn/schema/1.0/core}messageVariable"):
                check_variable(diagram, node, text_of(name), "The message variable")
        elif kind in ("error", "escalation", "signal"):
            _check_reference(diagram, node, kind, definition)
    if node.kind == "endEvent" and node.event == "error" and node.scope.parent is None and node.scope.id not in called:
        diagram.report.error(
            node.xml, "error-end", "Nobody catches this error, because the process is called by no other.",
            "Use a plain end event, with the property cancels if it gives the order up.",
        )


def _check_message(diagram: Diagram, node: Node, reference: str | None) -> None:
    message = diagram.declaration("message", reference)
    if message is None:
        what = f"a message {reference[:60]!r} that the file does not declare" if reference else "no message"
        diagram.report.error(node.xml, "message", f"It waits for {what}.", "Choose the message it waits for.")


def _check_reference(diagram: Diagram, node: Node, kind: str, definition: etree._Element) -> None:
    reference = definition.get(f"{kind}Ref")
    declared = diagram.declaration(kind, reference)
    if declared is None:
        what = f"an {kind} {reference[:60]!r} that the file does not declare" if reference else f"no {kind}"
        advice = "Operations refuse with a code; choose the error that bears it." if kind == "error" else "Choose one."
        diagram.report.error(node.xml, kind, f"It refers to {what}.", advice)


def _check_distinct(diagram: Diagram, boundary: Node, codes: dict[str, Node]) -> None:
    if boundary.event not in ("error", "escalation", "message"):
        return
    host = boundary.scope.nodes.get(boundary.xml.get("attachedToRef", ""))
    if boundary.event == "error" and host is not None and not _may_refuse(host):
        diagram.report.error(
            boundary.xml, "error-never", f"{host.name!r} never refuses, so the event never happens.",
            "Attach it to the service task whose operation refuses.",
        )
    reference = boundary.definitions[0].get(f"{boundary.event}Ref")
    declared = diagram.declaration(boundary.event, reference)
    if declared is None:
        return
    attribute = "name" if boundary.event == "message" else f"{boundary.event}Code"
    code = f"{boundary.event} {declared.get(attribute, '')}"
    if code in codes:
        diagram.report.error(
            boundary.xml, "error-twice", f"It catches the same {code[:80]} as {codes[code].name!r} on the same task.",
            "Give each its own code, or keep one of them.",
        )
    codes.setdefault(code, boundary)


def _may_refuse(host: Node) -> bool:
    """Operations refuse: those of service tasks, of forms, and of what runs inside a subprocess or a called process."""
    return host.kind in ("serviceTask", "callActivity", *SUBPROCESSES) or "onComplete" in host.properties


def _check_timer(diagram: Diagram, node: Node, definition: etree._Element) -> None:
    report = diagram.report
    times = [child for child in definition if is_bpmn(child) and local(child) in _TIMERS]
    if len(times) != 1:
        report.error(
            node.xml, "timer", f"The timer has {len(times) or 'no'} times.", "Write one duration, cycle or date."
        )
        return
    kind = cast("Kind", _TIMERS[local(times[0])])
    if kind == "cycle" and not (node.kind == "boundaryEvent" and node.xml.get("cancelActivity") == "false"):
        report.error(
            node.xml, "timer", "A cycle repeats, and this event passes once.",
            "Write a duration, or draw a boundary event with a dashed border.",
        )
    try:
        check_timer_text(text_of(times[0]), kind)
    except ExpressionError as error:
        report.error(node.xml, "timer", str(error), "Write for example PT4H, P3D, R3/P3D or 2026-01-31T09:00:00Z.")


def check_timer_text(text: str, kind: Kind) -> None:
    """Raises ExpressionError if the text is neither a timer of this kind nor an expression that may give one."""
    if is_timer(text):
        parse_timer(text, kind)
        return
    try:
        expression = compile_expression(text)
    except ExpressionError:
        parse_timer(text, kind)  # says what a timer looks like
        raise
    if not expression.names:
        parse_timer(str(expression.evaluate({})), kind)


def timer_expressions(node: Node) -> list[str]:
    """The timer texts of a node that are expressions."""
    found = []
    for definition in node.definitions:
        for child in definition:
            if is_bpmn(child) and child.tag in {tag(name) for name in _TIMERS} and not is_timer(text_of(child)):
                found.append(text_of(child))
    return found
