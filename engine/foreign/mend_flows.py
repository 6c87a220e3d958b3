"""Mendings of flows: where it begins and ends, gateways that tasks need behind them, conditions, and who decides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import compile_expression
from engine.findings import local
from engine.foreign import forms
from engine.foreign.bench import (
    add_flow,
    add_node,
    drop_attribute,
    flows_from,
    flows_to,
    move_flow,
    neighbour,
    property_of,
    rejoin,
    remove_node,
    set_property,
    title_of,
    word_of,
)
from engine.foreign.mend_tasks import readable
from engine.foreign.mending import Mending, Offer, Place
from engine.foreign.wording import is_foreign, translate
from engine.lint.model import DECIDING, FLOW_NODES, GATEWAYS, tag, text_of
from engine.lint.names import listed

_EXPRESSIONS = ("conditionExpression", "loopCondition", "loopCardinality", "completionCondition")
MOST_CUTS = 5
"""Flows whose removal is offered of one element."""


# --- begin and end --------------------------------------------------------------------------------------------------


def _first_nodes(place: Place) -> list[etree._Element]:
    return [
        node for node in place.xml
        if isinstance(node.tag, str) and local(node) in FLOW_NODES - {"boundaryEvent"} and not flows_to(node)
        and node.get("triggeredByEvent") not in ("true", "1") and node.get("isForCompensation") not in ("true", "1")
    ]


def _start_offers(place: Place) -> Iterable[Offer]:
    if place.xml.find(tag("startEvent")) is not None:
        return
    first = _first_nodes(place)
    if len(first) == 1 and local(first[0]) != "endEvent":
        yield Offer(f"Put a start event before {title_of(first[0])}")


def _add_start(place: Place, _: str) -> None:
    first = _first_nodes(place)[0]
    start = add_node(place.root, first, "startEvent", place.bench.free_id("begin"), before=True)
    add_flow(place.root, place.bench, start, first)
    rejoin(start, first)


def _end_offers(place: Place) -> Iterable[Offer]:
    is_aside = place.xml.get("triggeredByEvent") in ("true", "1") or place.xml.get("isForCompensation") in ("true", "1")
    if not flows_from(place.xml) and place.kind != "endEvent" and not is_aside:
        yield Offer("Put an end event behind it", sure=_old_way(place.xml) is None)


def _add_end(place: Place, _: str) -> None:
    end = add_node(place.root, place.xml, "endEvent", place.bench.free_id("finish"))
    add_flow(place.root, place.bench, place.xml, end)
    rejoin(place.xml, end)


# --- an element put beside the way that was there -------------------------------------------------------------------


def _old_way(xml: etree._Element) -> etree._Element | None:
    """The only other flow of the one activity that leads to an element with which its way ends, if that goes on."""
    coming = flows_to(xml)
    source = neighbour(coming[0], "sourceRef") if len(coming) == 1 and not flows_from(xml) else None
    if source is None or local(source) in GATEWAYS or xml.tag == tag("endEvent"):
        return None
    others = [flow for flow in flows_from(source) if flow is not coming[0]]
    target = neighbour(others[0], "targetRef") if len(others) == 1 and not _has_condition(others[0]) else None
    return others[0] if target is not None and _goes_on(target) else None


def _goes_on(xml: etree._Element) -> bool:
    """Whether more follows than an end: two tasks side by side that both end are more likely meant so."""
    followers = [neighbour(flow, "targetRef") for flow in flows_from(xml)]
    return local(xml) == "endEvent" or any(one is not None and local(one) != "endEvent" for one in followers)


def _between_offers(place: Place) -> Iterable[Offer]:
    """Of the element itself, and of the activity before it, where both flows are in the way."""
    for node in _put_beside(place):
        flow = _old_way(node)
        source, target = (neighbour(flow, end) if flow is not None else None for end in ("sourceRef", "targetRef"))
        if source is not None and target is not None:
            what = title_of(node) if source is place.xml else "it"
            yield Offer(f"Put {what} between {title_of(source)} and {title_of(target)}", node.get("id", ""), sure=False)


def _put_beside(place: Place) -> list[etree._Element]:
    followers = [neighbour(flow, "targetRef") for flow in flows_from(place.xml)]
    return [node for node in (place.xml, *followers) if node is not None and _old_way(node) is not None]


def _put_between(place: Place, element: str) -> None:
    node = next(one for one in _put_beside(place) if one.get("id") == element)
    flow = _old_way(node)
    assert flow is not None
    source = neighbour(flow, "sourceRef")
    move_flow(place.root, flow, "sourceRef", node)
    rejoin(*(one for one in (source, node, neighbour(flow, "targetRef")) if one is not None))


# --- gateways behind tasks ------------------------------------------------------------------------------------------


def _split_offers(place: Place) -> Iterable[Offer]:
    flows = flows_from(place.xml)
    if place.kind in GATEWAYS or len(flows) < 2:
        return
    if any(_has_condition(flow) for flow in flows) or place.xml.get("default"):
        yield Offer("Put an inclusive gateway behind it, which looks at the conditions")
    else:
        yield Offer("Put a parallel gateway behind it: all ways are gone", sure=False)


def _split(place: Place, _: str) -> None:
    """A task that several flows leave means a gateway: parallel without conditions, inclusive with them."""
    xml, flows = place.xml, flows_from(place.xml)
    default = drop_attribute(xml, "default")
    chooses = default is not None or any(_has_condition(flow) for flow in flows)
    kind = "inclusiveGateway" if chooses else "parallelGateway"
    gateway = add_node(place.root, xml, kind, place.bench.free_id(f"after_{word_of(xml.get('id', ''))}"))
    if default is not None:
        gateway.set("default", default)
    for flow in flows:
        move_flow(place.root, flow, "sourceRef", gateway)
        if chooses and not _has_condition(flow) and flow.get("id") != default:
            _set_condition(flow, "true")  # a flow without a condition is always taken
    add_flow(place.root, place.bench, xml, gateway)
    rejoin(xml, gateway)


def _cut_offers(place: Place) -> Iterable[Offer]:
    """Where nothing says that both ways are meant, one of them may be left over."""
    flows = flows_from(place.xml)
    if any(_has_condition(flow) for flow in flows) or place.xml.get("default"):
        return
    for flow in flows[:MOST_CUTS]:
        target = neighbour(flow, "targetRef")
        if target is not None and flow.get("id"):
            yield Offer(f"Remove the flow to {title_of(target)}", flow.get("id", ""), sure=False)


def _cut(place: Place, flow_id: str) -> None:
    flow = next(flow for flow in flows_from(place.xml) if flow.get("id") == flow_id)
    target = neighbour(flow, "targetRef")
    remove_node(place.root, flow)
    rejoin(*(node for node in (place.xml, target) if node is not None))


def _plain_flow_offers(place: Place) -> Iterable[Offer]:
    """Conditions and defaults that nobody looks at, where there is nothing to choose from."""
    if place.kind == "sequenceFlow":
        yield Offer("Remove its condition: it is taken when no other condition holds")
    elif place.kind in DECIDING:
        yield Offer("Remove the default that does not leave it")
    elif place.kind in GATEWAYS:
        yield Offer("Remove the conditions, which are not looked at")
    elif len(flows_from(place.xml)) < 2:
        yield Offer("Remove the condition: the only way is always gone", sure=False)


def _plain_flows(place: Place, _: str) -> None:
    if place.kind == "sequenceFlow":
        _drop_condition(place.xml)
        return
    drop_attribute(place.xml, "default")
    if place.kind not in DECIDING:
        for flow in flows_from(place.xml):
            _drop_condition(flow)


def _has_condition(flow: etree._Element) -> bool:
    return bool(text_of(flow.find(tag("conditionExpression"))))


def _drop_condition(flow: etree._Element) -> None:
    for condition in flow.findall(tag("conditionExpression")):
        flow.remove(condition)


def _set_condition(flow: etree._Element, text: str) -> None:
    _drop_condition(flow)
    condition = etree.SubElement(flow, tag("conditionExpression"))
    condition.text = text


# --- conditions -----------------------------------------------------------------------------------------------------


def _expressions(xml: etree._Element) -> list[etree._Element]:
    """The expressions that stand in an element itself, and those of its repetition."""
    loops = [child for child in xml if isinstance(child.tag, str) and local(child).endswith("LoopCharacteristics")]
    return [item for owner in (xml, *loops) for name in _EXPRESSIONS for item in owner.findall(tag(name))]


def _wrong(xml: etree._Element) -> list[etree._Element]:
    return [
        item for item in _expressions(xml)
        if text_of(item) and (not readable(text_of(item)) or is_foreign(text_of(item)))
    ]


def _translated(place: Place, item: etree._Element) -> str | None:
    return translate(text_of(item), item.get("language", ""), lambda name: _here(place, name))


def _here(place: Place, name: str) -> str:
    """Where a variable of theirs stands here: a field of the one form that asks for it, or a variable of its name."""
    if any(node.get("id") == name for node in place.root.iter(tag("userTask"))):
        return name
    holders = [
        task.get("id", "") for task in place.root.iter(tag("userTask"))
        if (found := forms.read(place.bench, task)) and word_of(name, "field") in found[1].get("properties", {})
    ]
    return f"{holders[0]}.{word_of(name, 'field')}" if len(holders) == 1 else name


def _wording_offers(place: Place) -> Iterable[Offer]:
    wrong = _wrong(place.xml)
    texts = [_translated(place, item) for item in wrong]
    if wrong and all(texts):
        yield Offer(f"Write it as: {'; '.join(text or '' for text in texts)}")


def _reword(place: Place, _: str) -> None:
    for item in _wrong(place.xml):
        text = _translated(place, item)
        if text is not None:
            item.text = text
            for child in list(item):
                item.remove(child)
            drop_attribute(item, "language")


def _default_offers(place: Place) -> Iterable[Offer]:
    gateway = _gateway_of(place)
    if gateway is None or gateway.get("default"):
        return
    flows = flows_from(gateway)
    bare = [flow for flow in flows if not _has_condition(flow)]
    if bare and bare[-1] is place.xml and (len(bare) == 1 or len(bare) < len(flows)):
        yield Offer("Take it when no condition holds: make it the default flow")


def _set_default(place: Place, _: str) -> None:
    gateway = _gateway_of(place)
    if gateway is not None:
        _drop_condition(place.xml)
        gateway.set("default", place.xml.get("id", ""))


def _gateway_of(place: Place) -> etree._Element | None:
    source = neighbour(place.xml, "sourceRef") if place.kind == "sequenceFlow" else None
    return source if source is not None and local(source) in DECIDING else None


# --- a person decides -----------------------------------------------------------------------------------------------


def _ask_offers(place: Place) -> Iterable[Offer]:
    gateway = _gateway_of(place)
    if gateway is None or local(gateway) != "exclusiveGateway" or not flows_to(gateway):
        return
    flows = [flow for flow in flows_from(gateway) if flow.get("id") != gateway.get("default")]
    conditioned = [flow for flow in flows if _has_condition(flow)]
    task = _asked_task(gateway)
    who = f"in {title_of(task)}" if task is not None else "in a task of its own"
    label = f"Ask a person which way to go, {who}"
    if not conditioned:
        yield Offer(label)
    elif any(_wrong(flow) and not all(_translated(place, item) for item in _wrong(flow)) for flow in conditioned):
        yield Offer(f"{label}; the conditions are replaced", sure=False)


def _asked_task(gateway: etree._Element) -> etree._Element | None:
    """The user task that alone leads to the gateway and can ask in its own form."""
    coming = flows_to(gateway)
    source = neighbour(coming[0], "sourceRef") if len(coming) == 1 else None
    is_asked = source is not None and local(source) == "userTask" and property_of(source, "kind") != "approval"
    return source if is_asked and source is not None and len(flows_from(source)) == 1 else None


def _ask(place: Place, _: str) -> None:
    gateway = _gateway_of(place)
    if gateway is None:
        return
    title, choices = title_of(gateway), _choices(gateway)
    title = title if gateway.get("name") else "How to go on"
    pairs = [(value, text) for value, text, _ in choices]
    task = _asked_task(gateway)
    field = forms.CHOICE
    if task is None:
        task = _insert_task(place, gateway, title)
    held = forms.read(place.bench, task)
    if held is None:
        file = place.bench.free_file(task.get("id", "form"))
        set_property(task, "formJsonSchemaFilename", file)
        place.bench.files[f"forms/{file}"] = forms.written(forms.question(title, pairs))
    else:
        file, form = held
        field = next(name for name in _numbered(forms.CHOICE) if name not in form.get("properties", {}))
        place.bench.files[file] = forms.written(forms.with_choice(form, field, title, pairs))
    for value, _text, flow in choices:
        if flow.get("id") != gateway.get("default"):
            _set_condition(flow, f"{task.get('id')}.{field} == {json.dumps(value)}")


def _numbered(wish: str) -> Iterator[str]:
    yield wish
    for number in range(2, 1000):
        yield f"{wish}_{number}"


def _choices(gateway: etree._Element) -> list[tuple[str, str, etree._Element]]:
    """Value, words and flow of every way that leaves a gateway."""
    found: list[tuple[str, str, etree._Element]] = []
    for flow in flows_from(gateway):
        target = neighbour(flow, "targetRef")
        text = " ".join((flow.get("name") or "").split()) or (title_of(target) if target is not None else "")
        value = next(
            name for name in _numbered(word_of(text, "way")) if name not in {known for known, _, _ in found}
        )
        found.append((value, text or value, flow))
    return found


def _insert_task(place: Place, gateway: etree._Element, title: str) -> etree._Element:
    name = place.bench.free_id(word_of(title, "decide"))
    task = add_node(place.root, gateway, "userTask", name, title, before=True)
    for flow in flows_to(gateway):
        move_flow(place.root, flow, "targetRef", task)
    add_flow(place.root, place.bench, task, gateway)
    rejoin(task, gateway)
    return task


# --- a variable that nobody asks for --------------------------------------------------------------------------------


def _field_offers(place: Place) -> Iterable[Offer]:
    names = sorted(_unasked(place))
    task = _task_before(place)
    if names and task is not None:
        yield Offer(f"Ask for {', '.join(names)} in {title_of(task)}")


def _unasked(place: Place) -> set[str]:
    """What the condition of a flow reads and no task, script or operation of the file writes."""
    if place.kind != "sequenceFlow":
        return set()
    try:
        names = set(compile_expression(text_of(place.xml.find(tag("conditionExpression")))).names)
    except ExpressionError:
        return set()
    known = {task.get("id", "") for task in place.root.iter(tag("userTask"))}
    for node in place.root.iter():
        if isinstance(node.tag, str):
            known |= {node.get("resultVariable", "")} | ({text_of(node)} if local(node) == "messageVariable" else set())
            if local(node) == "script":
                known |= set(re.findall(r"^\s*(\w+)\s*=(?!=)", text_of(node), re.MULTILINE))
            if local(node) in ("inputDataItem", "outputDataItem"):
                known |= {node.get("name", ""), node.get("id", "")}
    process = _process_of(place)
    known |= set(listed(property_of(process, "startsWith"))) if process is not None else set()
    decisions = {text_of(node) for node in place.root.iter("{*}calledDecisionId")}
    return {name for name in names - known - decisions if name != "cancellation"}


def _given_offers(place: Place) -> Iterable[Offer]:
    names, process = sorted(_unasked(place)), _process_of(place)
    if names and process is not None:
        fields = {name for name, _, _ in forms.start_fields(process)}
        known = set(names) <= fields
        yield Offer(
            f"An instance is started with {', '.join(names)}", sure=known or _task_before(place) is None
        )


def _give(place: Place, _: str) -> None:
    process = _process_of(place)
    if process is None:
        return
    names = {*listed(property_of(process, "startsWith")), *_unasked(place)}
    set_property(process, "startsWith", ", ".join(sorted(names)))
    start, fields = process.find(tag("startEvent")), list(forms.start_fields(process))
    if start is not None and fields and not property_of(start, "formJsonSchemaFilename"):
        file = place.bench.free_file(start.get("id", "start"))
        place.bench.files[f"forms/{file}"] = forms.written(forms.start_form(process, names))
        set_property(start, "formJsonSchemaFilename", file)


def _process_of(place: Place) -> etree._Element | None:
    return next(place.xml.iterancestors(tag("process")), None)


def _task_before(place: Place) -> etree._Element | None:
    """The nearest user task before a flow whose form can take another field."""
    waiting, seen = [neighbour(place.xml, "sourceRef")], set[str]()
    while waiting:
        node = waiting.pop(0)
        if node is None or node.get("id", "") in seen:
            continue
        seen.add(node.get("id", ""))
        if local(node) == "userTask" and forms.read(place.bench, node) is not None:
            return node
        waiting += [neighbour(flow, "sourceRef") for flow in flows_to(node)]
    return None


def _ask_for_fields(place: Place, _: str) -> None:
    task, names = _task_before(place), _unasked(place)
    held = forms.read(place.bench, task) if task is not None else None
    if task is None or held is None:
        return
    file, form = held
    gateway = neighbour(place.xml, "sourceRef")
    flows = flows_from(gateway) if gateway is not None else [place.xml]
    for name in sorted(names):
        field = word_of(name, "field")
        if field not in form.get("properties", {}):
            texts = [text_of(flow.find(tag("conditionExpression"))) for flow in flows]
            form = forms.with_field(form, field, _field_like(name, texts))
        for flow in flows:
            condition = flow.find(tag("conditionExpression"))
            if condition is not None:
                condition.text = _with_path(text_of(condition), name, f"{task.get('id')}.{field}")
    place.bench.files[file] = forms.written(form)


def _with_path(text: str, name: str, path: str) -> str:
    """The expression with a variable replaced by a path; texts in quotes stay."""
    pattern = rf"(\"[^\"]*\"|'[^']*')|(?<![\w.]){re.escape(name)}(?!\w)"
    return re.sub(pattern, lambda match: match[1] or path, text)


def _field_like(name: str, texts: list[str]) -> dict[str, Any]:
    """A field of the kind that the conditions compare the variable with."""
    title = name.replace("_", " ").capitalize()
    around = rf"(?<![\w.]){re.escape(name)}\s*(?:==|!=)\s*\"([^\"]*)\""
    values = list(dict.fromkeys(value for text in texts for value in re.findall(around, text)))
    if values and sum(len(re.findall(around, text)) > 0 for text in texts) > 1:
        return {"type": "string", "title": title, "oneOf": [{"const": v, "title": v} for v in values if v]}
    if values:
        return {"type": "string", "title": title, "maxLength": 200}
    if any(re.search(rf"(?<![\w.]){re.escape(name)}\s*(?:[<>]=?|[-+*/%]|[=!]=\s*-?\d)", text) for text in texts):
        return {"type": "number", "title": title}
    return {"type": "boolean", "title": title}


FLOW_MENDINGS = (
    Mending("start", ("start-event",), _start_offers, _add_start),
    Mending("between", ("dead-end", "two-outgoing"), _between_offers, _put_between),
    Mending("end", ("dead-end",), _end_offers, _add_end),
    Mending("split", ("two-outgoing", "condition-ignored", "default-flow"), _split_offers, _split),
    Mending("cut", ("two-outgoing",), _cut_offers, _cut),
    Mending("plain-flows", ("default-flow", "condition-ignored"), _plain_flow_offers, _plain_flows),
    Mending("expression", ("expression",), _wording_offers, _reword),
    Mending("default", ("no-condition",), _default_offers, _set_default),
    Mending("ask", ("no-condition", "expression"), _ask_offers, _ask),
    Mending("given", ("unknown-variable",), _given_offers, _give),
    Mending("field", ("unknown-variable",), _field_offers, _ask_for_fields),
)  # fmt: skip
