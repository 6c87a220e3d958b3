"""Reads the diagrams of a bundle into facts that can be compared one by one: what is run and said, where it stands.

Everything that stands in a file becomes a fact of some element, known or not, so that no change of meaning is missed.
White space, the order of attributes and defaults that a tool spells out are no facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from engine.diff.words import cycle_words, duration_words, kind_words, spaced, team_words
from engine.findings import local
from engine.lint.model import BPMN, BPMNDI, DC, DI, FLOW_NODES, SPIFF, is_bpmn, spiff, tag
from engine.timer_texts import plain_timer

_DRAWN = FLOW_NODES | {
    "sequenceFlow", "lane", "textAnnotation", "association", "group", "dataObjectReference", "dataStoreReference",
}  # fmt: skip
_HOLDERS = frozenset({"subProcess", "transaction", "adHocSubProcess"})
_NAMES = {
    "formJsonSchemaFilename": "form", "escalateTo": "escalates to", "formContext": "form filled by",
    "onComplete": "taken by", "resultVariable": "result", "sendBackTo": "sends back to", "submits": "submits steps",
    "separateFrom": "separate from", "requires": "requires", "submission": "submission by", "calledElement": "calls",
    "messageVariable": "message variable", "messagePayload": "message content", "calledDecisionId": "decision table",
    "instructionsForEndUser": "instructions", "preScript": "script before", "postScript": "script after",
    "cancelActivity": "interrupts", "isExecutable": "can be started", "attachedToRef": "sits on",
    "errorRef": "error", "messageRef": "message", "signalRef": "signal", "escalationRef": "escalation",
}  # fmt: skip
_WORDS = frozenset({"team", "teams", "escalateTo", "due", "step", "submits", "sendBackTo", "kind", "commits", "cancels",
                    "instructionsForEndUser", "isExecutable", "cancelActivity"})  # fmt: skip
"""Properties whose values are words; others are names or expressions."""
_LONG = frozenset({"instructionsForEndUser", "formContext", "onComplete", "resultVariable", "submission"})
"""Properties that a line about a new element leaves out."""
_DEFAULTS = {
    "cancelActivity": "true", "isInterrupting": "true", "isForCompensation": "false", "startQuantity": "1",
    "completionQuantity": "1", "parallelMultiple": "false", "triggeredByEvent": "false", "isCollection": "false",
    "instantiate": "false", "isClosed": "false", "isExecutable": "false", "processType": "None",
    "eventGatewayType": "Exclusive", "associationDirection": "None",
}  # fmt: skip
_ENDS = {"sourceRef": "comes from", "targetRef": "leads to"}
_SILENT = frozenset({"id", "name", "default", "gatewayDirection", "itemSubjectRef"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that an element says."""

    what: str
    raw: str
    """What is compared."""
    shown: str
    """What people read."""
    code: bool = False
    brief: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One element with everything it says."""

    id: str
    name: str
    type: str
    step: int | None
    is_gate: bool
    facts: tuple[Fact, ...]
    ends: tuple[str, str] | None
    """Of a flow: source and target."""
    place: tuple[float, ...]
    """Where it is drawn; empty when it is not."""
    form: str | None
    decision: str | None
    default: str | None = None
    """Of a gateway: the flow that is taken when no condition holds."""


@dataclass(frozen=True, slots=True)
class ReadProcess:
    """One process of a bundle."""

    id: str
    name: str
    file: str
    items: Mapping[str, Item]


@dataclass
class _File:
    """What the elements of one file refer to."""

    file: str
    places: dict[str, tuple[float, ...]]
    names: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, str] = field(default_factory=dict)
    """Element → the innermost lane that lists it."""
    pools: dict[str, str] = field(default_factory=dict)
    """Process → the name of the pool that is drawn around it."""

    def called(self, reference: str | None) -> str:
        """What people call the element behind a reference, which may bear a prefix."""
        plain = (reference or "").rpartition(":")[2]
        return self.names.get(plain) or plain


def read_diagrams(roots: Mapping[str, etree._Element]) -> dict[str, ReadProcess]:
    """The processes of the parsed files, by id. A process id that stands in two files is the first one's."""
    found: dict[str, ReadProcess] = {}
    for file, root in roots.items():
        context = _File(file, dict(_places(root)))
        context.names.update(_names(root))
        for lane in root.iter(tag("lane")):
            for reference in lane.iter(tag("flowNodeRef")):
                context.lanes[(reference.text or "").strip()] = lane.get("id", "")
        for participant in root.iter(tag("participant")):
            context.pools[participant.get("processRef", "").rpartition(":")[2]] = _plain(participant.get("name"))
        for process in root.iter(tag("process")):
            if process.get("id", "") not in found:
                read = _process(process, context)
                found[read.id] = read
    return found


def _process(process: etree._Element, context: _File) -> ReadProcess:
    process_id = process.get("id", "")
    name = _plain(process.get("name")) or process_id
    facts = [Fact("file", context.file, context.file.rpartition("/")[2], code=True), *_facts(process, context)]
    if pool := context.pools.get(process_id):
        facts.append(Fact("pool", pool, pool))
    itself = Item(process_id, name, "process", None, False, tuple(facts), None, (), None, None)
    items = {item.id: item for item in (_item(node, context) for node in _drawn(process)) if item.id}
    return ReadProcess(process_id, name, context.file, {process_id: itself, **items})


def _drawn(holder: etree._Element) -> Iterator[etree._Element]:
    """The elements of a process or a subprocess, and of what lies inside them, in the order of the file."""
    for node in holder:
        kind = local(node) if is_bpmn(node) else ""
        if kind == "laneSet":
            yield from node.iter(tag("lane"))
        elif kind in _DRAWN:
            yield node
            if kind in _HOLDERS:
                yield from _drawn(node)


def _item(node: etree._Element, context: _File) -> Item:
    element = node.get("id", "")
    kind = local(node)
    definitions = [local(child) for child in node if local(child).endswith("EventDefinition")]
    events = tuple(definition.removesuffix("EventDefinition") for definition in definitions)
    properties = _properties(node)
    is_gate = kind == "userTask" and properties.get("kind") == "approval"
    type_ = "gate" if is_gate else kind_words(kind, events)
    step = properties.get("step", "").strip()
    decision = node.findtext(f"{tag('extensionElements')}/{spiff('calledDecisionId')}")
    ends = (node.get("sourceRef", ""), node.get("targetRef", "")) if node.get("sourceRef") else None
    return Item(
        id=element, name=context.called(element), type=type_,
        step=int(step) if step.isascii() and step.isdigit() and len(step) < 6 else None, is_gate=is_gate,
        facts=(Fact("kind", f"{kind} {events} {is_gate}", type_, brief=False), *_facts(node, context)),
        ends=ends, place=context.places.get(element, ()),
        form=properties.get("formJsonSchemaFilename"), decision=decision.strip() if decision else None,
        default=node.get("default"),
    )  # fmt: skip


def _facts(node: etree._Element, context: _File) -> Iterator[Fact]:
    name = _plain(node.get("name"))
    if name:
        yield Fact("name", name, name, brief=False)
    yield from _attributes(node, context)
    lane = context.lanes.get(node.get("id", ""))
    if lane:
        yield Fact("lane", lane, context.called(lane), brief=False)
    for child in node:
        if not isinstance(child.tag, str):
            continue
        kind = local(child)
        if not is_bpmn(child):
            yield _other(child)
        elif kind == "extensionElements":
            yield from _extensions(child)
        elif kind.endswith("EventDefinition"):
            yield from _event(child, context)
        elif kind in ("documentation", "conditionExpression", "script", "text"):
            yield from _text(child, kind)
        elif kind not in _DRAWN and kind not in ("incoming", "outgoing", "laneSet", "flowNodeRef", "childLaneSet"):
            yield _other(child)


def _attributes(node: etree._Element, context: _File) -> Iterator[Fact]:
    default = node.get("default")
    if default:
        yield Fact("default flow", default, context.called(default), brief=False)
    for attribute, value in _attributes_of(node):
        text, plain = value.strip(), etree.QName(attribute).localname
        if plain in ("isExecutable", "isSequential") and text in ("0", "1"):
            text = "true" if text == "1" else "false"
        if attribute in _SILENT or _DEFAULTS.get(attribute) == text:
            continue
        what = _ENDS.get(plain) or _NAMES.get(plain) or spaced(plain)
        if plain in ("sourceRef", "targetRef", "attachedToRef"):
            yield Fact(what, text, context.called(text))
        elif plain.endswith("Ref"):  # a message or an error is what it is called, not its id
            yield Fact(what, context.called(text), context.called(text))
        elif text in ("true", "false"):
            yield Fact(what, text, "yes" if text == "true" else "no")
        else:
            yield Fact(what, text, text, code=True)


def _extensions(extensions: etree._Element) -> Iterator[Fact]:
    for child in extensions:
        if not isinstance(child.tag, str):
            continue
        kind = local(child)
        if child.tag == spiff("properties"):
            for item in child:
                if local(item) == "property":
                    yield property_fact(item.get("name", ""), item.get("value", ""))
        elif child.tag == spiff("serviceTaskOperator"):
            yield from _operator(child)
        elif etree.QName(child).namespace == SPIFF and not len(child) and not child.attrib:
            text = "\n".join(line.strip() for line in (child.text or "").strip().splitlines())
            if text:
                yield property_fact(kind, text)
        else:
            yield _other(child)


def property_fact(name: str, value: str) -> Fact:
    """One of our own properties of an element."""
    shown, code = value, name not in _WORDS
    if name == "due":
        shown = duration_words(value)
    elif name in ("team", "teams", "escalateTo"):
        shown = team_words(value)
    elif value in ("true", "false"):
        shown, code = ("yes" if value == "true" else "no"), False
    return Fact(_NAMES.get(name) or spaced(name), value.strip(), shown, code, name not in _LONG)


def _operator(operator: etree._Element) -> Iterator[Fact]:
    yield Fact("operation", operator.get("id", ""), operator.get("id", ""), code=True)
    result = operator.get("resultVariable")
    if result:
        yield Fact("result", result, result, code=True, brief=False)
    for node in operator.iter(spiff("parameter")):
        value = node.get("value", "")
        kind = node.get("type", "str")
        yield Fact(f"parameter {node.get('id', '')}", f"{kind} {value}", value, code=True)
    for node in operator.iter(spiff("retry")):
        said = ", ".join(f"{spaced(name.replace('_', ' '))} {value}" for name, value in _attributes_of(node))
        yield Fact("tries again", said, said)
    for child in operator:
        if isinstance(child.tag, str) and local(child) not in ("parameters", "retry"):
            yield _other(child)


def _event(definition: etree._Element, context: _File) -> Iterator[Fact]:
    for attribute, value in _attributes_of(definition):
        if attribute != "id":
            called = context.called(value)
            yield Fact(_NAMES.get(attribute) or spaced(attribute), called, called)
    for child in definition:
        if not isinstance(child.tag, str):
            continue
        kind, text = local(child), "".join(str(part) for part in child.itertext()).strip()
        if kind == "timeCycle":
            yield Fact("timer", f"cycle {plain_timer(text)}", cycle_words(text))
        elif kind in ("timeDuration", "timeDate"):
            said = f"after {duration_words(text)}" if kind == "timeDuration" else f"at {plain_timer(text)}"
            yield Fact("timer", f"{kind} {plain_timer(text)}", said)
        elif kind == "extensionElements":
            yield from _extensions(child)
        elif kind == "condition":
            yield Fact("condition", text, text, code=True)
        else:
            yield _other(child)


def _text(node: etree._Element, kind: str) -> Iterator[Fact]:
    text = "".join(str(part) for part in node.itertext()).strip()
    if kind in ("documentation", "text"):
        text = _plain(text)
    if text:
        what = "condition" if kind == "conditionExpression" else kind
        yield Fact(what, text, text, code=kind in ("conditionExpression", "script"), brief=kind != "documentation")


def _other(node: etree._Element) -> Fact:
    """What we know nothing of: named by its tag, compared and shown as a whole."""
    text = _spelled(node)
    shown = text.partition(" ")[2] or "set"
    return Fact(spaced(local(node)), text, shown if len(shown) <= 400 else shown[:399] + "…", code=True, brief=False)


def _spelled(node: etree._Element) -> str:
    """A node as text that does not depend on white space, prefixes and the order of attributes."""
    attributes = [f"{etree.QName(name).localname}={value}" for name, value in _attributes_of(node) if name != "id"]
    inner = [_spelled(child) for child in node if isinstance(child.tag, str)]
    return " ".join(filter(None, (local(node), *attributes, _plain(node.text), *inner)))


def _attributes_of(node: etree._Element) -> list[tuple[str, str]]:
    return sorted((str(name), str(value)) for name, value in node.attrib.items())


def _properties(node: etree._Element) -> dict[str, str]:
    path = f"{tag('extensionElements')}/{spiff('properties')}/{spiff('property')}"
    return {item.get("name", ""): item.get("value", "") for item in node.iterfind(path)}


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _names(root: etree._Element) -> Iterator[tuple[str, str]]:
    """What each element is called: by its name; a flow by its ends; an error or a message by what it stands for."""
    plain = {
        node.get("id", ""): _plain(node.get("errorCode") or node.get("name")) for node in root.iter(f"{{{BPMN}}}*")
        if node.get("id")
    }
    for node in root.iter(f"{{{BPMN}}}*"):
        element = node.get("id")
        if not element:
            continue
        if local(node) in ("sequenceFlow", "association") and not plain[element]:
            source, target = node.get("sourceRef", ""), node.get("targetRef", "")
            yield element, f"{plain.get(source) or source} → {plain.get(target) or target}"
        elif local(node) == "textAnnotation":
            yield element, "Note"
        else:
            yield element, plain[element] or element


def _places(root: etree._Element) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Where each element is drawn: its bounds or waypoints, and its label's; to half a pixel."""
    for shape in (*root.iter(f"{{{BPMNDI}}}BPMNShape"), *root.iter(f"{{{BPMNDI}}}BPMNEdge")):
        numbers = [
            round(2 * float(part.get(name, "0"))) / 2
            for part in shape.iter(f"{{{DC}}}Bounds", f"{{{DI}}}waypoint")
            for name in ("x", "y", "width", "height") if _is_number(part.get(name))
        ]
        yield shape.get("bpmnElement", "").rpartition(":")[2], tuple(numbers)


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and abs(float(text)) < 1e9
    except ValueError:
        return False
