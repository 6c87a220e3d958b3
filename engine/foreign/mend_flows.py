"""Mendings of flows: where it begins and ends, what is put between, gateways behind tasks, and conditions."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

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
    rejoin,
    remove_node,
    title_of,
    word_of,
)
from engine.foreign.mend_tasks import readable
from engine.foreign.mending import Mending, Offer, Place
from engine.foreign.wording import is_foreign, translate
from engine.lint.model import DECIDING, FLOW_NODES, GATEWAYS, tag, text_of

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
    target = neighbour(others[0], "targetRef") if len(others) == 1 and not has_condition(others[0]) else None
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
    if any(has_condition(flow) for flow in flows) or place.xml.get("default"):
        yield Offer("Put an inclusive gateway behind it, which looks at the conditions")
    else:
        yield Offer("Put a parallel gateway behind it: all ways are gone", sure=False)


def _split(place: Place, _: str) -> None:
    """A task that several flows leave means a gateway: parallel without conditions, inclusive with them."""
    xml, flows = place.xml, flows_from(place.xml)
    default = drop_attribute(xml, "default")
    chooses = default is not None or any(has_condition(flow) for flow in flows)
    kind = "inclusiveGateway" if chooses else "parallelGateway"
    gateway = add_node(place.root, xml, kind, place.bench.free_id(f"after_{word_of(xml.get('id', ''))}"))
    if default is not None:
        gateway.set("default", default)
    for flow in flows:
        move_flow(place.root, flow, "sourceRef", gateway)
        if chooses and not has_condition(flow) and flow.get("id") != default:
            set_condition(flow, "true")  # a flow without a condition is always taken
    add_flow(place.root, place.bench, xml, gateway)
    rejoin(xml, gateway)


def _cut_offers(place: Place) -> Iterable[Offer]:
    """Where nothing says that both ways are meant, one of them may be left over."""
    flows = flows_from(place.xml)
    if any(has_condition(flow) for flow in flows) or place.xml.get("default"):
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


def has_condition(flow: etree._Element) -> bool:
    """Whether a flow has a condition with something in it."""
    return bool(text_of(flow.find(tag("conditionExpression"))))


def _drop_condition(flow: etree._Element) -> None:
    for condition in flow.findall(tag("conditionExpression")):
        flow.remove(condition)


def set_condition(flow: etree._Element, text: str) -> None:
    """Gives a flow this condition in place of any other."""
    _drop_condition(flow)
    condition = etree.SubElement(flow, tag("conditionExpression"))
    condition.text = text


# --- conditions -----------------------------------------------------------------------------------------------------


def _expressions(xml: etree._Element) -> list[etree._Element]:
    """The expressions that stand in an element itself, and those of its repetition."""
    loops = [child for child in xml if isinstance(child.tag, str) and local(child).endswith("LoopCharacteristics")]
    return [item for owner in (xml, *loops) for name in _EXPRESSIONS for item in owner.findall(tag(name))]


def wrong_expressions(xml: etree._Element) -> list[etree._Element]:
    """The expressions of an element that cannot be read here, or are written in another tool's language."""
    return [
        item for item in _expressions(xml)
        if text_of(item) and (not readable(text_of(item)) or is_foreign(text_of(item)))
    ]


def translated(place: Place, item: etree._Element) -> str | None:
    """An expression of another tool as it is written here; None when nobody can say."""
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
    wrong = wrong_expressions(place.xml)
    texts = [translated(place, item) for item in wrong]
    if wrong and all(texts):
        yield Offer(f"Write it as: {'; '.join(text or '' for text in texts)}")


def _reword(place: Place, _: str) -> None:
    for item in wrong_expressions(place.xml):
        text = translated(place, item)
        if text is not None:
            item.text = text
            for child in list(item):
                item.remove(child)
            drop_attribute(item, "language")


def _default_offers(place: Place) -> Iterable[Offer]:
    gateway = gateway_of(place)
    if gateway is None or gateway.get("default"):
        return
    flows = flows_from(gateway)
    bare = [flow for flow in flows if not has_condition(flow)]
    if bare and bare[-1] is place.xml and (len(bare) == 1 or len(bare) < len(flows)):
        yield Offer("Take it when no condition holds: make it the default flow")


def _set_default(place: Place, _: str) -> None:
    gateway = gateway_of(place)
    if gateway is not None:
        _drop_condition(place.xml)
        gateway.set("default", place.xml.get("id", ""))


def gateway_of(place: Place) -> etree._Element | None:
    """The deciding gateway that a flow leaves; None of another flow or element."""
    source = neighbour(place.xml, "sourceRef") if place.kind == "sequenceFlow" else None
    return source if source is not None and local(source) in DECIDING else None


FLOW_MENDINGS = (
    Mending("start", ("start-event",), _start_offers, _add_start),
    Mending("between", ("dead-end", "two-outgoing"), _between_offers, _put_between),
    Mending("end", ("dead-end",), _end_offers, _add_end),
    Mending("split", ("two-outgoing", "condition-ignored", "default-flow"), _split_offers, _split),
    Mending("cut", ("two-outgoing",), _cut_offers, _cut),
    Mending("plain-flows", ("default-flow", "condition-ignored"), _plain_flow_offers, _plain_flows),
    Mending("expression", ("expression",), _wording_offers, _reword),
    Mending("default", ("no-condition",), _default_offers, _set_default),
)  # fmt: skip
