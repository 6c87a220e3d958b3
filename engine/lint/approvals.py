"""Gates: what is submitted, who signs, where a gate may send back to, and that the flow heeds the decision."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from engine.errors import ExpressionError
from engine.expressions import compile_expression
from engine.lint.model import DECIDING, GATEWAYS, Context, Diagram, Flow, Node
from engine.lint.names import listed
from engine.lint.operations import check_operation
from engine.lint.writers import given, relatives, writes

MOST_SIGNATURES = 10
"""Distinct people who sign one gate."""


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
    _check_signers(context, diagram, node)
    _check_ways(diagram, node)
    _check_old_decisions(diagram, node)
    _check_borders(diagram, node)
    _check_writers(context, node)


def _check_signers(context: Context, diagram: Diagram, node: Node) -> None:
    """Somebody can sign: the number of signatures is one that people can reach, and not all of the team are barred."""
    for value in sorted(_numbers_of_signatures(context, node), key=str):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SIGNATURES:
            diagram.report.error(
                node.xml, "signatures", f"{str(value)[:40]} signatures are wanted, which nobody could ever give.",
                f"Write a whole number from 1 to {MOST_SIGNATURES}, here or in the decision table.",
            )
    team = node.properties.get("team")
    barred = set(listed(node.properties.get("separateFrom", "")))
    if node.id in barred:
        diagram.report.error(
            node.xml, "separate-from", "It bars everybody who signed it before, so a second round may find nobody.",
            "Take it off its own list; nobody signs the same round twice anyway.",
        )
    same = [other for other in diagram.nodes(node.scope.process) if other.kind == "userTask" and other is not node
            and other.properties.get("team") == team and not other.is_approval
            and (not barred or other.id in barred) and (other.step or 0) < (node.step or 10**6)]
    if team and same:
        diagram.report.warning(
            node.xml, "gate-own-work",
            f"{team} also does {same[0].name!r}, and whoever did that may not sign: in a team of one nobody could.",
            "Give the gate to another team, or make sure that the team has enough people.",
        )


def _numbers_of_signatures(context: Context, node: Node) -> set[Any]:
    """How many signatures may be wanted, as far as the bundle says."""
    try:
        expression = compile_expression(node.properties.get("signatures", "1"))
        if not expression.names:
            return {expression.evaluate({})}
    except (ExpressionError, TypeError):
        return set()  # reported with the expressions
    owner, _, key = expression.text.partition(".")
    decision = context.decisions.get(owner)
    if decision is None or not any(output.name == key for output in decision.outputs):
        return set()
    if decision.hit_policy == "COLLECT":
        return {"a list of"}
    index = [output.name for output in decision.outputs].index(key)
    found: set[Any] = set()
    for rule in decision.rules:
        with suppress(ExpressionError, TypeError):
            found.add(rule.outputs[index].evaluate({}))
    return found


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
    is_last = not any(other.step is not None and other.step > node.step for other in node.scope.nodes.values())
    if approved is not None and not is_last and not any(each > node.step for each in _steps_from(approved)):
        diagram.report.error(
            node.xml, "decision-unheeded", f"approve leads to {approved.name!r}, and from there to no later step.",
            "Lead the way of approve to what comes next, and the others elsewhere.",
        )
    for number in backs:
        landed = _lands(node, "send_back", number)
        come = _steps_from(landed) if landed is not None else {number}
        if landed is not None and number not in come:
            earlier = bool(come) and max(come) < number  # the step is done again all the same, after another
            says = diagram.report.warning if earlier else diagram.report.error
            says(
                node.xml, "decision-unheeded",
                f"send_back to step {number} leads to {landed.name!r}, and not to that step.",
                f"Lead it to step {number}, or take {number} off sendBackTo.",
            )
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


def _check_old_decisions(diagram: Diagram, gate: Node) -> None:
    """Where the decision is looked at, the order has just come from the gate: else an old signature would count."""
    scope = gate.scope
    for gateway in scope.nodes.values():
        if gateway.kind not in DECIDING or not any(_reads(flow, f"{gate.id}.decision") for flow in gateway.outgoing):
            continue
        seen: set[Node] = set()
        waiting = [gateway]
        while waiting:
            each = waiting.pop()
            for flow in each.incoming:
                source = scope.nodes.get(flow.source)
                if source is None or source is gate or source in seen:
                    continue
                seen.add(source)
                if source.kind in GATEWAYS:
                    waiting.append(source)
                else:
                    diagram.report.error(
                        gateway.xml, "old-decision",
                        f"A way from {source.name!r} comes here without passing {gate.name!r}, so that what was signed "
                        "before would count once more.",
                        "Lead it to the gate, or past this gateway.",
                    )


def _check_borders(diagram: Diagram, gate: Node) -> None:
    """No event on the border of a gate, such as the end of a time, leads to what the gate guards without a signature:
    only over a gate, this one or another, or to an end that cancels."""
    guarded = _guarded(gate)
    for border in gate.boundaries:
        ways = _reached_from(gate.scope.targets(border), over_gates=False)
        around = [each for each in ways if each in guarded and not _cancels(each)]
        if around:
            first = min(around, key=lambda each: (each.step is None, each.step or 0))
            diagram.report.error(
                border.xml, "gate-left",
                f"From {border.name!r} a way leads to {first.name!r} although nobody has signed {gate.name!r}.",
                "Lead it back to a step before the gate, to another gate, or to an end that cancels the order.",
            )


def _guarded(gate: Node) -> set[Node]:
    """What an order comes to only once the gate is approved."""
    approved = _lands(gate, "approve", None)
    refused = [_lands(gate, "reject", None), *(
        _lands(gate, "send_back", int(part)) for part in listed(gate.properties.get("sendBackTo", ""))[:50]
        if part.isdecimal()
    )]
    behind = _reached_from([approved] if approved is not None else gate.scope.targets(gate))
    if approved is None:  # the way depends on more than the decision; what comes later by number is guarded surely
        behind = {each for each in behind if (each.step or 0) > (gate.step or 10**6)}
    open_to_all = _reached_from([*_reached_without(gate), *filter(None, refused)], without=gate)
    return behind - open_to_all - {gate}


def _reached_from(nodes: list[Node], *, over_gates: bool = True, without: Node | None = None) -> set[Node]:
    """These nodes and all that follows them, by flows and borders; gates themselves are reached, and passed only
    `over_gates`."""
    seen: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in seen and node is not without:
            seen.add(node)
            if over_gates or not node.is_approval:
                waiting.extend(node.scope.targets(node) + node.boundaries)
    return seen if over_gates else {node for node in seen if not node.is_approval}


def _cancels(node: Node) -> bool:
    return node.kind == "endEvent" and node.properties.get("cancels") == "true"


def _check_writers(context: Context, gate: Node) -> None:
    """Nothing but the gate itself writes the variable that its decision stands in."""
    for process in relatives(context, gate.scope.process):
        if gate.id in given(process):
            process.diagram.report.error(
                process.xml, "gate-written",
                f"startsWith lists {gate.id!r}, the variable in which the decision of {gate.name!r} stands.",
                "Take it off the list.",
            )
        for node in process.diagram.nodes(process):
            if node is not gate and gate.id in writes(node):
                process.diagram.report.error(
                    node.xml, "gate-written",
                    f"It writes {gate.id!r}, the variable in which the decision of {gate.name!r} stands.",
                    "Give it another variable, or another id; only the gate writes its own.",
                )


def _reads(flow: Flow, path: str) -> bool:
    try:
        return flow.condition is not None and path in compile_expression(flow.condition).paths
    except ExpressionError:
        return False  # reported with the expressions


def _steps_from(node: Node) -> set[int]:
    """The steps that come first from here, this one included."""
    seen: set[Node] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            if each.step is None:
                waiting.extend(node.scope.targets(each))
    return {each.step for each in seen if each.step is not None}


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
