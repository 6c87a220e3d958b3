"""Which BPMN elements are run. What is merely drawn is let through; what would silently do nothing is refused."""

from __future__ import annotations

import re
from collections import Counter

from lxml import etree

from engine.findings import local
from engine.lint.model import BPMNDI, DC, DI, EVENTS, FLOW_NODES, SPIFF, Context, Diagram, Node, Scope, is_bpmn, tag
from engine.standard import DRAWN_ONLY, iter_run

RESERVED = frozenset({"Start", "End", "Root", "StartEventSplit", "StartEventJoin"})
_ID = re.compile(r"[^\W\d][\w.-]*")
LONGEST_ID, LONGEST_KEY = 100, 80
"""Characters of an element's id, and of a process's: columns and keys of jobs hold no more."""
_RESERVED_ENDING = (".BoundaryEventSplit", ".BoundaryEventJoin", ".EndJoin")

_DRAWN = frozenset(
    {
        "documentation", "extensionElements", "laneSet", "sequenceFlow", "textAnnotation", "association", "group",
        "dataObject", "dataObjectReference", "incoming", "outgoing", "auditing", "monitoring",
        "multiInstanceLoopCharacteristics", "standardLoopCharacteristics", "script",
    }
)
_REFUSED = {
    "complexGateway": ("A complex gateway is not supported.", "Use exclusive or parallel gateways."),
    "adHocSubProcess": ("An ad hoc subprocess is not supported.", "Draw the order of its tasks in a subprocess."),
    "task": ("The task has no type.", "Make it a user task or a service task."),
    "manualTask": ("A manual task is not supported.", "Make it a user task, so that somebody confirms it."),
    "sendTask": ("A send task is not supported.", "Make it a service task whose operation sends."),
    "dataStore": ("A data store is drawn and not run.", "Keep the data in an operation's tables."),
    "dataStoreReference": ("A data store is drawn and not run.", "Keep the data in an operation's tables."),
    "dataInputAssociation": ("A data association is drawn and not run.", "Variables belong to the instance."),
    "dataOutputAssociation": ("A data association is drawn and not run.", "Variables belong to the instance."),
    "ioSpecification": (
        "Inputs and outputs of an element are not run.",
        "Variables belong to the instance: every task reads and writes the same ones.",
    ),
    "correlationProperty": ("Correlation is not supported.", "Remove it; a message is matched by the order it names."),
    "correlationKey": ("Correlation is not supported.", "Remove it; a message is matched by the order it names."),
    "callChoreography": ("Choreographies are not supported.", "Draw a process."),
    "choreography": ("Choreographies are not supported.", "Draw a process."),
    "import": ("An import is not read.", "Deploy the files together in one bundle."),
    "property": ("A BPMN property is not read.", "Variables belong to the instance."),
    "resourceRole": ("A resource is not read.", "The property team says who does it."),
    "performer": ("A performer is not read.", "The property team says who does it."),
    "humanPerformer": ("A performer is not read.", "The property team says who does it."),
    "potentialOwner": ("A potential owner is not read.", "The property team says who does it."),
}
_PASSED_OVER = DRAWN_ONLY | {"import"}
"""What is drawn or declared beside the flow and changes nothing: named, and no reason to refuse the diagram."""
_EXTENSIONS = frozenset(
    {
        "properties", "serviceTaskOperator", "calledDecisionId", "messageVariable", "instructionsForEndUser",
        "category",
    }
)
_EVENTS: dict[str, frozenset[str]] = {
    "startEvent": frozenset({"none"}),
    "endEvent": frozenset({"none", "terminate", "error", "escalation", "cancel"}),
    "intermediateCatchEvent": frozenset({"message", "timer", "signal"}),
    "intermediateThrowEvent": frozenset({"none", "escalation", "signal"}),
    "boundaryEvent": frozenset({"message", "timer", "signal", "error", "escalation", "cancel"}),
}
_EVENT_WORDS = {
    "startEvent": "start event", "endEvent": "end event", "intermediateCatchEvent": "intermediate catch event",
    "intermediateThrowEvent": "intermediate throw event", "boundaryEvent": "boundary event",
}
_EVENT_ADVICE = {
    "compensate": "Draw the steps that undo, or let the cancellation process do it.",
    "link": "Draw the flow, or use a call activity for a part of the diagram.",
    "conditional": "Wait for a message or a timer and look at the condition in a gateway.",
    "message": "Send with a service task.",
    "signal": "Use a message, or an error end event inside a subprocess.",
    "none": "Choose what it waits for: a message or a timer.",
}


def check_elements(context: Context, diagram: Diagram) -> None:
    """Ids, kinds of elements, kinds of events, extensions and the shapes of the picture."""
    _check_root(diagram)
    _check_ids(diagram)
    for scope in diagram.scopes:
        _check_scope(diagram, scope)
    for xml in iter_run(diagram.root):
        if local(xml) in _REFUSED:
            message, advice = _REFUSED[local(xml)]
            says = diagram.report.warning if local(xml) in _PASSED_OVER else diagram.report.error
            says(xml, f"unsupported-{local(xml)}", message, advice)
    for xml in diagram.root.iter():
        if isinstance(xml.tag, str) and xml.tag.startswith(f"{{{SPIFF}}}"):
            _check_extension(diagram, xml)
    for node in diagram.nodes():
        if node.kind in EVENTS:
            _check_event(diagram, node)
    _check_operator_names(diagram)
    _check_shapes(diagram)
    _check_same_declarations(context, diagram)


def _check_root(diagram: Diagram) -> None:
    report = diagram.report
    if diagram.root.tag != tag("definitions"):
        report.error(diagram.root, "not-bpmn", "This is not a BPMN 2.0 file.", "Upload the file that the editor saved.")
        return
    if not diagram.processes:
        report.error(diagram.root, "no-process", "The file holds no process.", "Draw one and save the file again.")
    for process in diagram.processes:
        if process.xml.get("isExecutable", "").strip() not in ("true", "1"):
            report.error(
                process.xml, "not-executable", "The process is not marked as executable.",
                'Set "Executable" in its properties.',
            )
    ids = {process.get("id") for process in diagram.root.iterfind(tag("process"))}
    for participant in diagram.root.iter(tag("participant")):
        reference = participant.get("processRef")
        if reference and reference not in ids:
            report.error(
                participant, "participant", f"The pool shows a process {reference[:60]!r} that the file does not hold.",
                "Draw the pool again around the process.",
            )


def _check_ids(diagram: Diagram) -> None:
    seen: dict[str, etree._Element] = {}
    for node in diagram.root.iter():
        if not isinstance(node.tag, str) or node.tag.startswith(f"{{{SPIFF}}}"):
            continue
        name = node.get("id")
        if name is None:
            continue
        if name in seen:
            diagram.report.error(
                node, "duplicate-id", f"The id {name[:80]!r} is used twice, first in line {seen[name].sourceline}.",
                "Give one of them another id.",
            )
        seen.setdefault(name, node)
    for scope in diagram.scopes:
        _check_scope_ids(diagram, scope)


def _check_scope_ids(diagram: Diagram, scope: Scope) -> None:
    for node in (scope.xml, *(child for child in scope.xml if is_bpmn(child) and local(child) in FLOW_NODES)):
        name = node.get("id", "")
        if not _ID.fullmatch(name):
            diagram.report.error(
                node, "id", f"{name[:80]!r} cannot be the id of an element." if name else "The element has no id.",
                "Use letters, digits and _, a letter first.",
            )
        elif len(name) > (most := LONGEST_KEY if node is scope.xml and scope.parent is None else LONGEST_ID):
            diagram.report.error(
                node, "id", f"The id {name[:80]!r} has {len(name)} characters.", f"Use at most {most}."
            )
        elif name in RESERVED or name.endswith(_RESERVED_ENDING):
            diagram.report.error(
                node, "reserved-id", f"The id {name!r} is used by the engine itself.",
                "Give the element another id, for example order_started.",
            )


def _check_scope(diagram: Diagram, scope: Scope) -> None:
    for child in scope.xml:
        if not is_bpmn(child):
            continue
        kind = local(child)
        if kind not in FLOW_NODES and kind not in _DRAWN and kind not in _REFUSED and scope.parent is None:
            diagram.report.error(
                child, "unsupported-element", f"{kind} is not supported.", "Remove it from the diagram."
            )
    if scope.xml.get("triggeredByEvent", "").strip() in ("true", "1"):
        diagram.report.error(
            scope.xml, "event-subprocess", "An event subprocess does not stop the main flow.",
            "Use a boundary event on a subprocess, or the cancellation process.",
        )
    declared = {node.get("id") for node in diagram.root.iter(tag("dataObject"))}
    for reference in scope.xml.findall(tag("dataObjectReference")):
        if reference.get("dataObjectRef") not in declared:
            diagram.report.error(
                reference, "data-object", "The data object that it shows does not exist.",
                "Remove it and draw the data object again.",
            )
    for node in scope.nodes.values():
        if node.xml.get("isForCompensation", "").strip() in ("true", "1"):
            diagram.report.error(
                node.xml, "compensation", "A compensation activity is never run.", _EVENT_ADVICE["compensate"]
            )
        if len(node.xml.findall(tag("extensionElements"))) > 1:
            diagram.report.error(
                node.xml, "extension", "It has two blocks of extensions, and one of them is not read.", "Join them."
            )
        for flag in ("cancelActivity", "isInterrupting", "parallelMultiple"):
            _check_flag(diagram, node.xml, flag)


def _check_flag(diagram: Diagram, node: etree._Element, flag: str) -> None:
    value = node.get(flag)
    if value is not None and value not in ("true", "false"):
        diagram.report.error(node, "boolean", f"{flag} is {value[:20]!r}.", "Write true or false.")


def _check_extension(diagram: Diagram, node: etree._Element) -> None:
    kind, parent = local(node), node.getparent()
    if parent is None or parent.tag != tag("extensionElements"):
        return
    if parent.find(node.tag) is not node:
        diagram.report.error(node, "extension", f"{kind[:60]} stands twice in one element.", "Keep one of them.")
    if kind in ("preScript", "postScript"):
        diagram.report.error(
            node,
            "prescript",
            "Scripts before and after a task are not run.",
            "Draw a script task, or use an operation.",
        )
    elif kind not in _EXTENSIONS:
        diagram.report.warning(node, "extension", f"The extension {kind[:60]} is not read.", "Remove it.")
    if kind == "properties":
        names: Counter[str] = Counter()
        for item in node.iterfind(f"{{{SPIFF}}}property"):
            if item.get("name") is None or item.get("value") is None:
                diagram.report.error(item, "property", "A property lacks its name or value.", "Complete or remove it.")
            names[item.get("name", "")] += 1
        for name in sorted(name for name, count in names.items() if count > 1):
            diagram.report.error(node, "property", f"The property {name[:60]!r} is set twice.", "Keep one of them.")


def _check_event(diagram: Diagram, node: Node) -> None:
    definitions, report = node.definitions, diagram.report
    if len(definitions) > 1:
        report.error(node.xml, "event-kinds", "The event waits for several things.", "Draw one event for each.")
        return
    if any(local(child) == "eventDefinitionRef" for child in node.xml):
        report.error(node.xml, "event-kinds", "The event refers to a shared definition.", "Define it in the event.")
    what = _EVENT_WORDS[node.kind]
    if node.event not in _EVENTS[node.kind]:
        article = "A" if node.event[:1] not in "aeiou" else "An"
        kind = "compensation" if node.event == "compensate" else node.event
        report.error(
            node.xml, f"{'compensation' if node.event == 'compensate' else node.event}-event",
            f"{article} {kind} {what} is not run; it would silently do nothing.",
            _start_advice(node) or _EVENT_ADVICE.get(node.event, "Use another kind of event."),
        )
    if node.event == "cancel" and not _in_transaction(node):
        report.error(
            node.xml, "cancel-event", f"A cancel {what} belongs to a transaction.",
            'To cancel the order, use an end event with the property "cancels".',
        )


def _start_advice(node: Node) -> str | None:
    if node.kind != "startEvent":
        return None
    return "Use a plain start event; instances are started by a person, the API or a file."


def _in_transaction(node: Node) -> bool:
    if node.kind == "boundaryEvent":
        host = node.scope.nodes.get(node.xml.get("attachedToRef", ""))
        return host is not None and host.kind == "transaction"
    return local(node.scope.xml) == "transaction"


def _check_operator_names(diagram: Diagram) -> None:
    ids = {node.id: node for node in diagram.nodes()}
    for node in diagram.nodes():
        for operator in node.extensions("serviceTaskOperator"):
            if operator.get("id", "") in ids:
                diagram.report.error(
                    node.xml, "operator-id", f"The operation {operator.get('id')!r} has the id of an element.",
                    "Rename the element; the engine would take one for the other.",
                )


def _check_shapes(diagram: Diagram) -> None:
    known = {node.get("id") for node in diagram.root.iter() if is_bpmn(node)}
    for shape in diagram.root.iter(f"{{{BPMNDI}}}BPMNShape"):
        bounds = shape.find(f"{{{DC}}}Bounds")
        values = [bounds.get(name) for name in ("x", "y", "width", "height")] if bounds is not None else [None]
        if not all(_is_number(value) for value in values):
            diagram.report.error(
                shape, "bounds", f"The shape of {shape.get('bpmnElement', '')[:60]!r} has no proper place or size.",
                "Move the element in the editor and save again.",
            )
    for point in diagram.root.iter(f"{{{DI}}}waypoint"):
        if not (_is_number(point.get("x")) and _is_number(point.get("y"))):
            diagram.report.error(
                point,
                "bounds",
                "A corner of a flow has no proper place.",
                "Move the flow in the editor and save again.",
            )
    for shape in diagram.root.iter(f"{{{BPMNDI}}}BPMNShape", f"{{{BPMNDI}}}BPMNEdge"):
        if shape.get("bpmnElement") not in known:
            diagram.report.warning(
                shape, "shape", f"The picture shows {shape.get('bpmnElement', '')[:60]!r}, which does not exist.",
                "Open the diagram in the editor and save it again.",
            )


def _is_number(value: str | None) -> bool:
    return value is not None and re.fullmatch(r"-?\d{1,7}(\.\d{1,20})?", value.strip()) is not None


def _check_same_declarations(context: Context, diagram: Diagram) -> None:
    """The engine reads all diagrams of a bundle together, so an id means one message or error in all of them."""
    for other in context.diagrams:
        if other is diagram:
            break
        for kind, attribute in (
            ("message", "name"),
            ("error", "errorCode"),
            ("escalation", "escalationCode"),
            ("signal", "name"),
        ):
            for name, node in diagram.declared[kind].items():
                twin = other.declared[kind].get(name)
                if twin is not None and twin.get(attribute) != node.get(attribute):
                    diagram.report.error(
                        node, "declaration", f"The {kind} {name!r} means something else in {other.file}.",
                        "Give it the same content there, or another id here.",
                    )
        own = {scope.id for scope in diagram.scopes}
        for scope in other.scopes:
            if scope.id in own:
                twin_scope = next(mine for mine in diagram.scopes if mine.id == scope.id)
                diagram.report.error(
                    twin_scope.xml, "duplicate-id", f"The id {scope.id!r} is used by {other.file} too.",
                    "Ids of processes and subprocesses are unique in a bundle; rename one.",
                )
