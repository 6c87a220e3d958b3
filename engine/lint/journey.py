"""The numbered steps as a journey: each leads to the next, none is jumped over unseen, every refusal has a way on."""

from __future__ import annotations

from engine.lint.model import Context, Diagram, Node, Scope
from engine.lint.writers import operation_of


def check_journey(context: Context, diagram: Diagram) -> None:
    """The order of the steps of every process, and the refusals of every operation."""
    for process in diagram.processes:
        steps = {node.step: node for node in process.nodes.values() if node.step is not None}
        for number in sorted(steps):
            _check_step(diagram, steps, number)
        _check_first(diagram, process, steps)
    for node in diagram.nodes():
        if node.kind == "boundaryEvent" and node.xml.get("cancelActivity") == "false":
            _check_side_path(diagram, node)
        _check_refusals(context, diagram, node)


def _check_step(diagram: Diagram, steps: dict[int, Node], number: int) -> None:
    """From one step some way leads straight to the next, and no way jumps ahead without a person who says so."""
    node, last = steps[number], max(steps)
    by_all, unseen = _next_steps(node, stops_at_people=False), _next_steps(node, stops_at_people=True)
    if number < last and number + 1 in steps and steps[number + 1] not in by_all:
        instead = ", ".join(str(each.step) for each in sorted(by_all, key=_number)) or "none"
        diagram.report.warning(
            node.xml, "step-lost",
            f"No way leads from step {number} to step {number + 1}, {steps[number + 1].name!r}, without another step "
            f"between them; next come {instead}.",
            "Lead a flow there, or number the steps in the order in which they are done.",
        )
    for other in sorted(unseen, key=_number):
        if other.step is not None and other.step > number + 1:
            left = [str(each) for each in range(number + 1, other.step) if each in steps]
            if left:
                diagram.report.warning(
                    node.xml, "step-skipped",
                    f"A way leads from here straight to step {other.step}, {other.name!r}: step {', '.join(left)} is "
                    "left out, and no person decides that.",
                    "Lead it through the steps between, or through a task in which a person decides.",
                )
    if number == last and not any(each.kind == "endEvent" for each in _reached(node, stops_at_people=True)):
        diagram.report.warning(
            node.xml, "step-lost",
            f"Step {number} is the last, and no way leads from it to an end without another step or person.",
            "Lead it to an end event.",
        )
    if number < last and _ends_unseen(node):
        diagram.report.warning(
            node.xml, "step-skipped",
            f"A way leads from here to a plain end: steps {number + 1} to {last} are left out, and no person decides "
            "that.",
            "Lead it to the next step, or give the end the property cancels.",
        )


def _check_first(diagram: Diagram, process: Scope, steps: dict[int, Node]) -> None:
    """An order begins with the first step: what it is started with is that step's form."""
    first = steps.get(min(steps, default=0))
    for start in process.nodes.values():
        come = _next_steps(start, stops_at_people=False) if start.kind == "startEvent" else set()
        if first is not None and come and first not in come:
            diagram.report.error(
                start.xml, "step-lost",
                f"It leads to step {min(map(_number, come))}, and not to step {first.step}, {first.name!r}.",
                f"Lead it to {first.name!r}, or number the steps in the order in which they are done.",
            )


def _number(node: Node) -> int:
    return node.step or 0


def _next_steps(node: Node, *, stops_at_people: bool) -> set[Node]:
    """The numbered elements that are reached from one without passing another numbered one."""
    return {each for each in _reached(node, stops_at_people=stops_at_people) if each.step is not None}


def _ends_unseen(node: Node) -> bool:
    return any(
        each.kind == "endEvent" and each.properties.get("cancels") != "true" and each.event in ("none", "terminate")
        for each in _reached(node, stops_at_people=True)
    )


def _reached(node: Node, *, stops_at_people: bool) -> set[Node]:
    """What is reached from an element up to the next numbered ones; side paths, which leave the main one, do not
    count."""
    seen: set[Node] = set()
    waiting = _following(node)
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if each.step is None and not (stops_at_people and each.kind == "userTask"):
            waiting.extend(_following(each))
    return seen


def _following(node: Node) -> list[Node]:
    return node.scope.targets(node) + [
        each for each in node.boundaries if each.xml.get("cancelActivity", "true") != "false"
    ]


def _check_side_path(diagram: Diagram, boundary: Node) -> None:
    """What begins beside a task comes to an end of its own: on the main path everything would be done twice."""
    host = boundary.scope.nodes.get(boundary.xml.get("attachedToRef", ""))
    if host is None:
        return
    beside, main = _all_from([boundary]), _all_from([host])
    both = sorted(each.id for each in beside & main if each.kind != "parallelGateway")
    if both and not any(each.kind == "parallelGateway" for each in beside & main):
        diagram.report.warning(
            boundary.xml, "side-path", f"It begins a way beside {host.name!r}, which stays open, and this way comes to "
            f"{boundary.scope.nodes[both[0]].name!r} on the main one: from there everything would be done twice.",
            "Lead it to an end of its own, or draw the event with a solid border.",
        )


def _all_from(nodes: list[Node]) -> set[Node]:
    seen: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting.extend(_following(each))
    return seen


def _check_refusals(context: Context, diagram: Diagram, node: Node) -> None:
    """What the operation of a service task may refuse with is caught on its border, and nothing else is."""
    operation = operation_of(context, node) if node.kind == "serviceTask" else None
    if operation is None or operation.refuses is None:
        return
    caught: dict[str, Node] = {}
    for boundary in node.boundaries:
        if boundary.event == "error":
            declared = diagram.declaration("error", boundary.definitions[0].get("errorRef"))
            if declared is not None:
                caught[declared.get("errorCode", "")] = boundary
    for code in sorted(operation.refuses - set(caught)):
        diagram.report.warning(
            node.xml, "refusal-uncaught",
            f"{operation.name} may refuse with {code!r}, and no event on its border catches that: the order would stop "
            "here until a person helps.",
            f"Attach an error event for {code} and lead it to what is to be done then.",
        )
    for code, boundary in caught.items():
        if code not in operation.refuses:
            may = ", ".join(sorted(operation.refuses)) or "nothing"
            diagram.report.error(
                boundary.xml, "error-never", f"{operation.name} never refuses with {code!r}; it refuses with {may}.",
                "Choose another error, or remove the event.",
            )
