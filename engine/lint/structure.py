"""How the nodes hang together: flows, gateways, reachability, ends, loops, length and width."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lxml import etree

from engine.findings import Report
from engine.lint.model import ACTIVITIES, DECIDING, FLOW_NODES, GATEWAYS, Context, Diagram, Flow, Node, Scope, tag

MAX_NODES = 1_000
MAX_FLOWS = 3_000
MAX_SCOPES = 100
MAX_IN_FILE = 2_000
"""Elements of all processes of a file together."""
MAX_EXTENSIONS = 500
"""Elements inside the extensions of one element; the library looks through them again for each."""
MAX_LANES = 200
MAX_IN_A_ROW = 300
"""The parser follows flows by recursion; far below Python's limit, with room for the caller's own frames."""
MAX_PREDICTED = 5_000
"""Tasks that the engine would foresee: every parallel block that follows another doubles them."""
_WAITING = frozenset(
    {
        "userTask", "receiveTask", "intermediateCatchEvent", "eventBasedGateway", "subProcess", "transaction",
        "callActivity",
    }
)


def fits(root: etree._Element, report: Report) -> bool:
    """Whether a file is small enough to be looked at element by element; else the report says what is too much."""
    count = sum(1 for _ in root.iter(*(tag(kind) for kind in sorted(FLOW_NODES))))
    if count > MAX_IN_FILE:
        report.error(
            root, "too-large", f"The file draws {count:,} elements; at most {MAX_IN_FILE:,} are run.",
            "Split it into several files.",
        )
    lanes = sum(1 for _ in root.iter(tag("lane")))
    if lanes > MAX_LANES:
        report.error(root, "too-large", f"The file draws {lanes:,} lanes; at most {MAX_LANES} are read.", "Join some.")
    for extensions in root.iter(tag("extensionElements")):
        inside = sum(1 for _ in extensions.iterdescendants())
        if inside > MAX_EXTENSIONS:
            report.error(
                extensions, "too-large", f"It carries {inside:,} extensions; at most {MAX_EXTENSIONS} are read.",
                "Remove what no tool needs.",
            )
    return not report.has_errors


def check_extent(context: Context, diagram: Diagram) -> None:  # noqa: ARG001 - every rule takes the same
    """Refuses what is too large to be looked at any further."""
    if len(diagram.scopes) > MAX_SCOPES:
        diagram.report.error(
            diagram.root, "too-large",
            f"The file has {len(diagram.scopes)} processes and subprocesses; at most {MAX_SCOPES} are run.",
            "Split it into several files, or use call activities.",
        )
    for scope in diagram.scopes:
        if len(scope.nodes) > MAX_NODES or len(scope.flows) > MAX_FLOWS:
            diagram.report.error(
                scope.xml, "too-large",
                f"The process has {len(scope.nodes)} elements and {len(scope.flows)} flows; "
                f"at most {MAX_NODES} and {MAX_FLOWS} are run.",
                "Move parts of it into call activities.",
            )


def check_structure(context: Context, diagram: Diagram) -> None:
    """Everything about nodes and flows that needs no meaning of the nodes."""
    for scope in diagram.scopes:
        if scope.xml.get("triggeredByEvent", "").strip() in ("true", "1"):
            continue  # refused as such
        _check_flows(scope)
        _check_starts(scope)
        for node in scope.nodes.values():
            _check_outgoing(node)
            if node.kind in GATEWAYS:
                _check_gateway(node)
            if node.kind == "boundaryEvent":
                _check_boundary(node)
            if node.kind == "parallelGateway" and len(node.incoming) > 1:
                _check_join(node)
        _check_reachable(scope)
        _check_can_end(scope)
        _check_automatic_loops(context, scope)
        _check_size(scope)


def _check_flows(scope: Scope) -> None:
    report = scope.diagram.report
    for flow in scope.flows:
        source, target = scope.nodes.get(flow.source), scope.nodes.get(flow.target)
        if source is None or target is None:
            missing = flow.source if source is None else flow.target
            report.error(
                flow.xml, "flow-end", f"The flow joins {missing[:60]!r}, which is not in this process.",
                "Draw the flow again; flows do not cross the border of a subprocess.",
            )
            continue
        if source is target:
            report.error(
                source.xml, "self-loop", "The element flows to itself.",
                "Put a gateway behind it that decides whether to repeat.",
            )
        if len(flow.xml.findall(tag("conditionExpression"))) > 1:
            report.error(flow.xml, "condition-twice", "The flow has two conditions.", "Join them with and or or.")
        if target.kind in ("startEvent", "boundaryEvent"):
            report.error(flow.xml, "flow-end", "A flow leads into an event that begins.", "Lead it to the next task.")
        if source.kind == "endEvent":
            report.error(
                flow.xml, "flow-end", "A flow leaves an end event.", "Use an intermediate event, or remove it."
            )
        if flow.condition is not None and source.kind not in DECIDING:
            report.error(
                source.xml, "condition-ignored",
                f"The condition on its flow {flow.id!r} is not looked at, because it is no exclusive gateway.",
                "Put an exclusive gateway between them.",
            )


def _check_starts(scope: Scope) -> None:
    starts = [node for node in scope.nodes.values() if node.kind == "startEvent"]
    if len(starts) != 1:
        scope.diagram.report.error(
            scope.xml, "start-event", f"It has {len(starts)} start events." if starts else "It has no start event.",
            "Draw one start event.",
        )


def _check_outgoing(node: Node) -> None:
    report, count = node.scope.diagram.report, len(node.outgoing)
    if count == 0 and node.kind != "endEvent":
        report.error(
            node.xml, "dead-end", "Nothing follows it.", "Lead a flow from it to the next element or to an end."
        )
    if count > 1 and node.kind not in GATEWAYS:
        report.error(
            node.xml, "two-outgoing", f"{count} flows leave it.",
            "Put a gateway behind it: exclusive to choose one way, parallel to go all of them.",
        )
    default = node.xml.get("default")
    if default is not None and node.kind not in DECIDING:
        report.error(
            node.xml, "default-flow", "Its default flow is not looked at.", "Put an exclusive gateway behind it."
        )


def _check_gateway(node: Node) -> None:
    report = node.scope.diagram.report
    if node.kind in DECIDING:
        _check_decision(node)
    if node.kind == "inclusiveGateway" and len(node.incoming) > 1 and node.id in _walk(
            node.scope, _successors(node.scope, node)):
        report.error(
            node.xml, "inclusive-loop", "Ways come together here in a loop: the second time it would not wait for all "
            "of them, and what follows would be done twice.",
            "Use a parallel gateway for ways that are all gone, or put the loop's inside into a subprocess.",
        )
    if node.kind == "eventBasedGateway":
        if len(node.outgoing) < 2:
            report.error(
                node.xml, "event-gateway", "It has nothing to choose from.", "Lead two or more flows to events."
            )
        for target in node.scope.targets(node):
            if target.kind not in ("intermediateCatchEvent", "receiveTask"):
                report.error(
                    node.xml, "event-gateway", f"It leads to {target.name!r}, which waits for no event.",
                    "Lead its flows to events that catch a message or a timer.",
                )
            elif target.boundaries:
                report.error(
                    target.xml, "event-gateway", "It stands behind an event-based gateway and has a boundary event.",
                    "Draw the other event beside it, behind the gateway.",
                )


def _check_decision(node: Node) -> None:
    report, default = node.scope.diagram.report, node.xml.get("default")
    by_id: dict[str, Flow] = {flow.id: flow for flow in node.outgoing}
    if default is not None and default not in by_id:
        report.error(
            node.xml,
            "default-flow",
            f"Its default flow {default[:60]!r} does not leave it.",
            "Choose the default again.",
        )
    elif default is not None and by_id[default].condition is not None:
        report.error(
            by_id[default].xml, "default-flow", "The default flow has a condition, which is not looked at.",
            "Remove the condition, or choose another default.",
        )
    if len(node.outgoing) < 2:
        return
    for flow in node.outgoing:
        if flow.id != default and not flow.condition:
            report.error(
                flow.xml, "no-condition",
                f"The flow leaves the gateway {node.name!r} without a condition and is not its default.",
                "Write a condition, or make it the default flow.",
            )
    if default is None:
        report.warning(
            node.xml, "no-default", "No flow is its default: when no condition holds, the order stops as an incident.",
            "Make the harmless way the default flow.",
        )


def _check_join(node: Node) -> None:
    """A join waits for a token on each of its flows: some fork must send one along all of them."""
    scope, wanted = node.scope, len(node.incoming)
    for fork in scope.nodes.values():
        splits = fork.kind in ("parallelGateway", "inclusiveGateway") and len(fork.outgoing) > 1
        beside = [each for each in fork.boundaries if each.xml.get("cancelActivity", "true") == "false"]
        if fork is node or not (splits or beside):
            continue
        branches = [({fork.id} if flow.target == node.id else _walk(scope, [scope.nodes[flow.target]], stop=node))
                    for flow in fork.outgoing if flow.target in scope.nodes]
        branches += [_walk(scope, [each], stop=node) for each in beside]
        arriving = [seen for seen in branches if any(flow.source in seen for flow in node.incoming)]
        if len(arriving) >= wanted and all(any(flow.source in seen for seen in arriving) for flow in node.incoming):
            return
    scope.diagram.report.error(
        node.xml, "join-starves",
        f"It waits for a token on each of its {wanted} flows, and nothing sends one along all of them: the order would "
        "stop here for ever.",
        "Make it an exclusive gateway, or fork with a parallel gateway before.",
    )


def _check_boundary(node: Node) -> None:
    report = node.scope.diagram.report
    host = node.scope.nodes.get(node.xml.get("attachedToRef", ""))
    if host is None or host.kind not in ACTIVITIES:
        report.error(node.xml, "boundary", "It is attached to no task.", "Drag it onto the border of a task.")
        return
    if node.event == "error" and node.xml.get("cancelActivity", "true") == "false":
        report.error(
            node.xml, "boundary", "An error always ends its task; the event is drawn as if it did not.",
            "Draw it with a solid border.",
        )


def _check_reachable(scope: Scope) -> None:
    seen = _walk(scope, [node for node in scope.nodes.values() if node.kind == "startEvent"])
    for node in scope.nodes.values():
        if node.id not in seen:
            scope.diagram.report.error(
                node.xml, "unreachable", "No flow leads to it from the start, so it is never run and never checked.",
                "Lead a flow to it, or remove it.",
            )


def _successors(scope: Scope, node: Node) -> list[Node]:
    return scope.targets(node) + node.boundaries


def _walk(scope: Scope, waiting: list[Node], *, stop: Node | None = None) -> set[str]:
    """The ids of what is reached, `stop` itself and what lies only behind it left out."""
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.id not in seen and node is not stop:
            seen.add(node.id)
            waiting.extend(_successors(scope, node))
    return seen


def _check_can_end(scope: Scope) -> None:
    """From every node some way leads to an end; otherwise an order that gets there never ends."""
    before: dict[str, list[Node]] = {}
    for node in scope.nodes.values():
        for following in _successors(scope, node):
            before.setdefault(following.id, []).append(node)
    waiting = [node for node in scope.nodes.values() if node.kind == "endEvent" or not node.outgoing]
    good: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.id not in good:
            good.add(node.id)
            waiting.extend(before.get(node.id, ()))
    for node in scope.nodes.values():
        if node.id not in good:
            scope.diagram.report.error(
                node.xml, "no-end", "No way leads from here to an end event.", "Draw the way out of the loop."
            )


def _check_automatic_loops(context: Context, scope: Scope) -> None:
    """A loop in which nothing waits runs inside one command; of gateways or refusals alone it never comes out of it.
    One in which only outside companies are called goes on for as long as they answer the same."""
    at_once = _circles(scope, lambda node: _runs_through(context, node))
    for nodes in at_once:
        working = [node for node in nodes if node.kind in ("scriptTask", "serviceTask", "businessRuleTask")]
        refusals = [node for node in nodes if node.kind == "boundaryEvent" and node.event == "error"]
        if not working or refusals:
            scope.diagram.report.error(
                (refusals or nodes)[0].xml, "endless-loop",
                "What was refused is asked again at once, and so on for ever." if refusals
                else "The flow turns in a circle in which nothing happens.",
                "Put a task into the loop in which a person decides, or an event that waits.",
            )
        else:
            _warn_of_loop(scope, working[0])
    known = {node for nodes in at_once for node in nodes}
    for nodes in _circles(scope, lambda node: node.kind == "serviceTask" or _runs_through(context, node)):
        if not known & set(nodes):
            _warn_of_loop(scope, next(node for node in nodes if node.kind == "serviceTask"))


def _warn_of_loop(scope: Scope, node: Node) -> None:
    scope.diagram.report.warning(
        node.xml, "automatic-loop", "It stands in a loop in which nothing waits for anybody.",
        "Make sure that the loop comes to an end by itself, or let a person decide in it.",
    )


def _circles(scope: Scope, runs: Callable[[Node], bool]) -> list[list[Node]]:
    """The loops among the elements that run by themselves."""
    inline = {node.id for node in scope.nodes.values() if runs(node)}
    edges = {
        name: [target.id for target in _successors(scope, scope.nodes[name]) if target.id in inline] for name in inline
    }
    return [[scope.nodes[name] for name in loop] for loop in _loops(edges)]


def _runs_through(context: Context, node: Node) -> bool:
    if node.kind == "serviceTask":
        operators = node.extensions("serviceTaskOperator")
        operation = context.operations.get(operators[0].get("id", "")) if operators else None
        return operation is not None and operation.kind == "transactional"
    return node.kind not in _WAITING and not (node.kind == "boundaryEvent" and node.event in ("timer", "message"))


def _loops(edges: dict[str, list[str]]) -> Iterable[list[str]]:
    """The strongly connected parts with more than one node (Kosaraju, without recursion), in the order of the file."""
    order: list[str] = []
    seen: set[str] = set()
    for root in sorted(edges):
        stack = [(root, iter(edges[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            name, following = stack[-1]
            new = next((target for target in following if target not in seen), None)
            if new is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(new)
                stack.append((new, iter(edges[new])))
    back: dict[str, list[str]] = {}
    for name, targets in edges.items():
        for target in targets:
            back.setdefault(target, []).append(name)
    taken: set[str] = set()
    for root in reversed(order):
        part, waiting = [], [root]
        while waiting:
            name = waiting.pop()
            if name not in taken:
                taken.add(name)
                part.append(name)
                waiting.extend(back.get(name, ()))
        if len(part) > 1:
            yield sorted(part)


def _check_size(scope: Scope) -> None:
    report = scope.diagram.report
    depth, deepest = _depth(scope)
    if depth > MAX_IN_A_ROW:
        report.error(
            deepest.xml if deepest else scope.xml, "too-long",
            f"Up to here {MAX_IN_A_ROW} elements follow one another, {depth} in all; no more are run.",
            "Move a part of them into a call activity.",
        )
    name, predicted = _predicted(scope)
    if predicted > MAX_PREDICTED:
        report.error(
            scope.nodes[name].xml, "too-wide", "From here on, parallel ways double again and again.",
            "Put a decision or fewer parallel blocks behind it, or move them into a call activity.",
        )


def _depth(scope: Scope) -> tuple[int, Node | None]:
    """How deep the parser's recursion gets (it walks the flows depth first and remembers where it was), and the first
    element that lies too deep."""
    starts = [node for node in scope.nodes.values() if node.kind == "startEvent"]
    seen: set[str] = {node.id for node in starts}
    stack = [(node, iter(_successors(scope, node))) for node in starts[:1]]
    depth, deepest = 0, None
    while stack:
        if len(stack) > depth:
            depth = len(stack)
            deepest = stack[-1][0] if depth == MAX_IN_A_ROW + 1 else deepest
        following = next((node for node in stack[-1][1] if node.id not in seen), None)
        if following is None:
            stack.pop()
        else:
            seen.add(following.id)
            stack.append((following, iter(_successors(scope, following))))
    return depth, deepest


def _predicted(scope: Scope) -> tuple[str, int]:
    """The node from which the engine foresees most, and how many tasks: all that follow up to the next decision."""
    weight: dict[str, int] = {}
    for root in scope.nodes.values():
        stack = [root] if root.id not in weight else []
        entered: set[str] = set()
        while stack:
            node = stack[-1]
            stops = node.kind in DECIDING or node.kind in ("eventBasedGateway", "endEvent")
            following = [] if stops else scope.targets(node)
            new = [target for target in following if target.id not in weight and target.id not in entered]
            entered.add(node.id)
            if new:
                stack.append(new[0])
            else:
                stack.pop()
                weight[node.id] = min(1 + sum(weight.get(target.id, 1) for target in following), 10**9)
    return max(weight.items(), key=lambda item: item[1], default=("", 0))
