"""Mendings of choices: a person is asked which way to go, and for what a condition reads and nobody writes."""

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
    flows_from,
    flows_to,
    move_flow,
    neighbour,
    property_of,
    rejoin,
    set_property,
    title_of,
    word_of,
)
from engine.foreign.mend_flows import gateway_of, has_condition, set_condition, translated, wrong_expressions
from engine.foreign.mending import Mending, Offer, Place
from engine.lint.model import tag, text_of
from engine.lint.names import listed

# --- a person decides -----------------------------------------------------------------------------------------------


def _ask_offers(place: Place) -> Iterable[Offer]:
    gateway = gateway_of(place)
    if gateway is None or local(gateway) != "exclusiveGateway" or not flows_to(gateway):
        return
    flows = [flow for flow in flows_from(gateway) if flow.get("id") != gateway.get("default")]
    conditioned = [flow for flow in flows if has_condition(flow)]
    task = _asked_task(gateway)
    who = f"in {title_of(task)}" if task is not None else "in a task of its own"
    label = f"Ask a person which way to go, {who}"
    if not conditioned:
        yield Offer(label)
    elif any(translated(place, item) is None for flow in conditioned for item in wrong_expressions(flow)):
        yield Offer(f"{label}; the conditions are replaced", sure=False)


def _asked_task(gateway: etree._Element) -> etree._Element | None:
    """The user task that alone leads to the gateway and can ask in its own form."""
    coming = flows_to(gateway)
    source = neighbour(coming[0], "sourceRef") if len(coming) == 1 else None
    is_asked = source is not None and local(source) == "userTask" and property_of(source, "kind") != "approval"
    return source if is_asked and source is not None and len(flows_from(source)) == 1 else None


def _ask(place: Place, _: str) -> None:
    gateway = gateway_of(place)
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
            set_condition(flow, f"{task.get('id')}.{field} == {json.dumps(value)}")


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


CHOICE_MENDINGS = (
    Mending("ask", ("no-condition", "expression"), _ask_offers, _ask),
    Mending("given", ("unknown-variable",), _given_offers, _give),
    Mending("field", ("unknown-variable",), _field_offers, _ask_for_fields),
)
