"""Gates: what is submitted, who signs, where a gate may send back to, and that the flow heeds the decision."""

from __future__ import annotations

from typing import Any

from engine.errors import ExpressionError
from engine.expressions import compile_expression
from engine.lint.model import Context, Diagram, Node
from engine.lint.names import listed
from engine.lint.operations import check_operation

DECISIONS = ("approve", "reject", "send_back")
FIELDS = ("decision", "comment", "send_back_to", "signed_by")
"""What the engine writes under a gate's id."""


def check_approval(context: Context, diagram: Diagram, node: Node) -> None:
    """One user task of the kind approval. Its `signatures` are checked with the other expressions."""
    report, properties = diagram.report, node.properties
    steps = {other.step for other in diagram.nodes(node.scope.process) if other.step is not None and other is not node}
    for name, what in (("submits", "the steps under review"), ("sendBackTo", "the steps it may send back to")):
        numbers = listed(properties.get(name, ""))
        if not numbers:
            report.error(node.xml, "approval", f"It does not say {name}.", f'Set the property "{name}" to {what}.')
        for number in numbers:
            if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) in steps):
                report.error(
                    node.xml, "approval", f"{name} names step {number[:20]!r}, which no other task bears.",
                    "Write numbers of steps, for example 3,4.",
                )
    if not properties.get("submission"):
        report.error(
            node.xml, "approval", "It does not say what is signed.",
            'Set the property "submission" to the operation that composes it.',
        )
    check_operation(context, diagram, node, "submission", ())
    for name in ("formJsonSchemaFilename", "onComplete"):
        if name in properties:
            report.error(
                node.xml, "approval", f"An approval has no {name}; its page shows the submission.", "Remove it."
            )
    known = {other.id for other in diagram.nodes(node.scope.process) if other.kind == "userTask"}
    for name in listed(properties.get("separateFrom", "")):
        if name not in known:
            report.error(
                node.xml, "separate-from", f"separateFrom names {name[:60]!r}, which is no user task.",
                "List the ids of user tasks whose people may not sign here.",
            )
    _check_ways(diagram, node)


def _check_ways(diagram: Diagram, node: Node) -> None:
    """Approve, reject and send back lead to different places, and only the gate leads to what comes after it."""
    approved = _lands(node, "approve", None)
    backs = [int(part) for part in listed(node.properties.get("sendBackTo", "")) if part.isdecimal()][:50]
    for decision, back in [("reject", None), *(("send_back", number) for number in backs)]:
        landed = _lands(node, decision, back)
        if approved is not None and landed is approved:
            diagram.report.error(
                node.xml, "decision-unheeded",
                f"{decision} leads to {approved.name!r}, just as approve does.",
                f'Put an exclusive gateway behind it with conditions such as {node.id}.decision == "approve".',
            )
            return
    if node.step is None:
        return
    around = [other for other in _reached_without(node) if other.step is not None and other.step > node.step]
    if around:
        first = min(around, key=lambda other: other.step or 0)
        diagram.report.warning(
            node.xml, "gate-bypassed", f"{first.name!r} can be reached without passing this gate.",
            "Lead every way through the gate, unless it is meant so.",
        )


def _lands(node: Node, decision: str, back: int | None) -> Node | None:
    """Where a decision leads, past the gateways that look at nothing else; None when that depends on the order."""
    variables: dict[str, Any] = {node.id: {"decision": decision, "send_back_to": back, "comment": "", "signed_by": []}}
    scope, current = node.scope, node
    for _ in range(20):
        if len(current.outgoing) == 1:
            flow = current.outgoing[0]
        elif current.kind == "exclusiveGateway":
            default, found = current.xml.get("default"), None
            for each in current.outgoing:
                try:
                    if each.condition and each.id != default and compile_expression(each.condition).evaluate(variables):
                        found = each
                        break
                except ExpressionError:
                    return None
            usual = next((each for each in current.outgoing if each.id == default), None)
            if found is None and usual is None:
                return None
            flow = found or usual  # type: ignore[assignment]
        else:
            return None
        following = scope.nodes.get(flow.target)
        if following is None or following.kind != "exclusiveGateway":
            return following
        current = following
    return None


def _reached_without(gate: Node) -> list[Node]:
    """The nodes that some way leads to from the start, if the gate and its boundary events were not there."""
    scope = gate.scope
    waiting = [node for node in scope.nodes.values() if node.kind == "startEvent"]
    seen: dict[str, Node] = {}
    while waiting:
        node = waiting.pop()
        if node is not gate and node.id not in seen:
            seen[node.id] = node
            waiting.extend(scope.targets(node) + node.boundaries)
    return list(seen.values())
