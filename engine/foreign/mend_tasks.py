"""Mendings of tasks: what does them, who does them, by when, with which form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lxml import etree

from engine.errors import ExpressionError
from engine.expressions import compile_expression, compile_script, parse_timer
from engine.findings import local
from engine.foreign import forms
from engine.foreign.bench import (
    child_block,
    drop_attribute,
    new_element,
    property_of,
    set_property,
    title_of,
    word_of,
)
from engine.foreign.drawing import resize
from engine.foreign.mend_process import lane_of
from engine.foreign.mending import Mending, Offer, Place
from engine.foreign.vendors import vendor_attribute, vendor_children
from engine.foreign.wording import timer_text, translate
from engine.lint.model import FLOW_NODES, SPIFF, properties_of, tag, text_of
from engine.lint.names import is_variable, listed
from handlers.contract import Operation

_TYPES = {str: "str", int: "int", float: "float", bool: "bool"}
_KEPT = frozenset({"id", "name", "default"})
_KEPT_INSIDE = frozenset(
    {"documentation", "extensionElements", "incoming", "outgoing", "multiInstanceLoopCharacteristics",
     "standardLoopCharacteristics"}
)  # fmt: skip


# --- what does it ---------------------------------------------------------------------------------------------------


def _person_offers(place: Place) -> Iterable[Offer]:
    labels = {
        "task": "Make it a user task: somebody does it and says so",
        "manualTask": "Make it a user task: somebody does it and says so",
        "sendTask": "Let a person send it, until an operation does",
        "serviceTask": "Let a person do it, until an operation does",
        "businessRuleTask": "Let a person decide, until a table does",
        "callActivity": "Let a person do it, until its process is drawn",
        "subProcess": "Make it a user task, as nothing is drawn inside",
    }
    label = labels.get(place.kind)
    if label is None or (place.kind == "subProcess" and _holds_nodes(place.xml)):
        return
    if place.kind in ("sendTask", "serviceTask") and (_operation_of(place) or place.xml.findall(
        f"{tag('extensionElements')}/{{{SPIFF}}}serviceTaskOperator"
    )):
        return
    yield Offer(label)


def _holds_nodes(xml: etree._Element) -> bool:
    return any(isinstance(child.tag, str) and local(child) in FLOW_NODES for child in xml)


def _to_person(place: Place, _: str) -> None:
    xml = place.xml
    if place.kind == "subProcess":
        resize(place.root, xml.get("id", ""), "task")
    xml.tag = tag("userTask")
    for attribute in [str(key) for key in xml.attrib]:
        if not attribute.startswith("{") and attribute not in _KEPT:
            drop_attribute(xml, attribute)
    for child in list(xml):
        if isinstance(child.tag, str) and local(child) not in _KEPT_INSIDE:
            xml.remove(child)


def _operation_of(place: Place) -> Operation | None:
    """The operation that a vendor's topic, bean or type, or the standard's operationRef names."""
    for name in _named_work(place):
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        for known in place.bench.operations:
            if name == known or (plain and plain == re.sub(r"[^a-z0-9]", "", known.lower())):
                return place.bench.operations[known]
    return None


def _named_work(place: Place) -> Iterator[str]:
    yield from (item.get("type", "") for item in vendor_children(place.xml, "taskDefinition"))
    for name in ("topic", "delegateExpression", "expression", "class", "type"):
        value = vendor_attribute(place.xml, name)
        yield re.sub(r"^[$#]\{(.*?)(\(.*\))?\}$", r"\1", value)
    reference = place.xml.get("operationRef", "").rpartition(":")[2]
    for operation in place.root.iter(tag("operation")):
        if reference and operation.get("id") == reference:
            yield operation.get("name", "")
    yield place.xml.get("implementation", "")


def _operation_offers(place: Place) -> Iterable[Offer]:
    operation = _operation_of(place)
    if place.kind in ("serviceTask", "sendTask") and operation is not None:
        yield Offer(f"Let the operation {operation.name} do it", operation.name)


def _set_operation(place: Place, name: str) -> None:
    xml, operation = place.xml, place.bench.operations[name]
    inputs = dict(_inputs(xml))
    xml.tag = tag("serviceTask")
    for attribute in ("operationRef", "implementation", "messageRef"):
        drop_attribute(xml, attribute)
    block = child_block(xml, "extensionElements")
    for old in block.findall(f"{{{SPIFF}}}serviceTaskOperator"):
        block.remove(old)
    result = vendor_attribute(xml, "resultVariable") or word_of(xml.get("id", ""))
    operator = etree.SubElement(
        block, f"{{{SPIFF}}}serviceTaskOperator",
        {"id": name, "resultVariable": result if is_variable(result) else word_of(title_of(xml))},
        nsmap={"spiffworkflow": SPIFF},
    )
    parameters = etree.SubElement(operator, f"{{{SPIFF}}}parameters")
    for parameter in operation.parameters:
        given = inputs.get(parameter.name)
        if given is not None:
            values = {"id": parameter.name, "type": _TYPES.get(parameter.type, "str"), "value": given}
            etree.SubElement(parameters, f"{{{SPIFF}}}parameter", values)


def _inputs(xml: etree._Element) -> Iterator[tuple[str, str]]:
    """What the vendor's mapping gives the work, in our wording; what cannot be translated is left out."""
    for item in vendor_children(xml, "input", "inputParameter"):
        name = item.get("target") or item.get("name") or ""
        text = item.get("source") or (item.text or "").strip()
        value = translate(text) if text.startswith(("=", "${", "#{")) else f'"{text}"' if '"' not in text else None
        if name and value:
            yield name, value


def _decision_offers(place: Place) -> Iterable[Offer]:
    names = [item.get("decisionId", "") for item in vendor_children(place.xml, "calledDecision")]
    names += [vendor_attribute(place.xml, "decisionRef", "decisionTableReferenceKey")]
    known = {
        decision.get("id", "") for file in place.bench.files if file.endswith(".dmn")
        for root in (place.bench.root(file),) if root is not None
        for decision in root.iter("{*}decision")
    }
    for name in names:
        if name and name in known:
            yield Offer(f"Ask the decision table {name}", name)


def _set_decision(place: Place, name: str) -> None:
    block = child_block(place.xml, "extensionElements")
    for old in block.findall(f"{{{SPIFF}}}calledDecisionId"):
        block.remove(old)
    etree.SubElement(block, f"{{{SPIFF}}}calledDecisionId", nsmap={"spiffworkflow": SPIFF}).text = name


def _called_offers(place: Place) -> Iterable[Offer]:
    names = [item.get("processId", "") for item in vendor_children(place.xml, "calledElement")]
    names.append(place.xml.get("calledElement", "").rpartition(":")[2])
    known = {process.get("id") for _, root in place.bench.roots() for process in root.iterfind(tag("process"))}
    for name in names:
        if name in known and name != place.xml.get("calledElement"):
            yield Offer(f"Call the process {name}", name)


def _set_called(place: Place, name: str) -> None:
    place.xml.set("calledElement", name)


def _script_of(place: Place) -> str | None:
    """A script in our wording, from an expression with a result variable; a program is not translated."""
    for item in vendor_children(place.xml, "script"):
        name, text = item.get("resultVariable", ""), translate(item.get("expression", ""))
        if is_variable(name) and text:
            try:
                return compile_script(f"{name} = {text}").text
            except ExpressionError:
                return None
    return None


def _script_offers(place: Place) -> Iterable[Offer]:
    script = _script_of(place)
    if script is not None:
        yield Offer(f"Write it as: {script}")


def _set_script(place: Place, _: str) -> None:
    script = _script_of(place)
    for old in place.xml.findall(tag("script")):
        place.xml.remove(old)
    etree.SubElement(place.xml, tag("script")).text = script


# --- who, by when, with which form ----------------------------------------------------------------------------------


def team_word(text: str) -> str:
    """A name as a team's: `Customer Service` → `customer-service`."""
    return re.sub(r"[\W_]+", "-", text.strip().lower()).strip("-")[:40]


def _team_offers(place: Place) -> Iterable[Offer]:
    teams = place.bench.teams
    found: dict[str, str] = {}
    for text, why in _hints(place):
        word = team_word(text)
        plain = re.sub(r"\W", "", word)
        match = next((team for team in teams if re.sub(r"\W", "", team) == plain), None) if teams else word
        if match and re.fullmatch(r"[^\W\d_][\w-]{0,39}", match):
            found.setdefault(match, why)
    for team, why in found.items():
        yield Offer(f"Give it to {team}, {why}", team)
    for team in teams:
        if team not in found:
            yield Offer(f"Give it to {team}", team, sure=False)


def _hints(place: Place) -> Iterator[tuple[str, str]]:
    lane = lane_of(place)
    if lane is not None:
        for team in listed(properties_of(lane).get("teams", "")):
            yield team, "whose lane it is in"
        yield lane.get("name", ""), "whose lane it is in"
    groups = vendor_attribute(place.xml, "candidateGroups").split(",")
    groups += [part for item in vendor_children(place.xml, "assignmentDefinition")
               for part in item.get("candidateGroups", "").lstrip("= \"").rstrip("\"").split(",")]
    for kind in ("potentialOwner", "humanPerformer", "performer", "resourceRole"):
        for owner in place.xml.findall(tag(kind)):
            groups += [owner.get("name", ""), re.sub(r"^\w+\((.*)\)$", r"\1", text_of(owner))]
    for group in groups:
        yield group, "as the diagram says"
    process = next(place.xml.iterancestors(tag("process")), place.root)
    for task in process.iter(tag("userTask")):
        if task is not place.xml and property_of(task, "team"):
            yield property_of(task, "team"), "as other tasks"


def _set_team(place: Place, team: str) -> None:
    set_property(place.xml, "team", team)


def _due_offers(place: Place) -> Iterable[Offer]:
    texts = [vendor_attribute(place.xml, "dueDate")]
    texts += [item.get("dueDate", "") for item in vendor_children(place.xml, "taskSchedule")]
    for text in texts:
        wish = timer_text(text) or text
        if _is_duration(wish):
            yield Offer(f"Due after {wish}, as the diagram says", wish)
            return
    yield Offer("Due after a day; change it when another time is right", "P1D")


def _is_duration(text: str) -> bool:
    try:
        parse_timer(text, "duration")
    except ExpressionError:
        return False
    return bool(text)


def _set_due(place: Place, due: str) -> None:
    set_property(place.xml, "due", due)


def _form_offers(place: Place) -> Iterable[Offer]:
    if place.kind != "userTask" or forms.read(place.bench, place.xml) is not None:
        return
    if forms.is_derived(place.root, place.xml):
        yield Offer("Create its form, with the fields that the diagram holds")
    else:
        yield Offer("Create a plain form: a note, and the button that says done")


def _make_form(place: Place, _: str) -> None:
    name = place.bench.free_file(place.xml.get("id", "form"))
    place.bench.files[f"forms/{name}"] = forms.written(forms.form_for(place.root, place.xml))
    set_property(place.xml, "formJsonSchemaFilename", name)


# --- for several items ----------------------------------------------------------------------------------------------


def _items_of(place: Place) -> tuple[str, str] | None:
    """The list and its item that a vendor's loop names: `${orders}` and `order`, `=orders` and `order`."""
    for loop in place.xml.findall(tag("multiInstanceLoopCharacteristics")):
        if loop.find(tag("loopCardinality")) is not None or loop.find(tag("loopDataInputRef")) is not None:
            continue
        given = [(vendor_attribute(loop, "collection"), vendor_attribute(loop, "elementVariable"))]
        given += [(item.get("inputCollection", ""), item.get("inputElement", ""))
                  for item in vendor_children(loop, "loopCharacteristics")]
        for listing, item in given:
            name = translate(listing) if listing.startswith(("=", "${", "#{")) else listing
            if name and is_variable(name) and is_variable(item):
                return name, item
    return None


def _items_offers(place: Place) -> Iterable[Offer]:
    if found := _items_of(place):
        yield Offer(f"Do it for every {found[1]} of {found[0]}")


def _set_items(place: Place, _: str) -> None:
    found = _items_of(place)
    for loop in place.xml.findall(tag("multiInstanceLoopCharacteristics")):
        if found and loop.find(tag("loopDataInputRef")) is None and loop.find(tag("loopCardinality")) is None:
            parts: list[tuple[str, dict[str, str], str | None]] = [
                ("loopDataInputRef", {}, found[0]), ("inputDataItem", {"id": found[1], "name": found[1]}, None),
            ]
            start = sum(1 for child in loop if local(child) in ("documentation", "extensionElements"))
            for offset, (kind, attributes, text) in enumerate(parts):
                child = new_element(kind, loop, attributes)
                child.text = text
                loop.insert(start + offset, child)


def readable(text: str) -> bool:
    """Whether a text is an expression of our language."""
    try:
        compile_expression(text)
    except ExpressionError:
        return False
    return True


TASK_MENDINGS = (
    Mending("operation", ("no-operator", "unsupported-sendTask"), _operation_offers, _set_operation),
    Mending("decision", ("no-decision",), _decision_offers, _set_decision),
    Mending("called-process", ("called-process",), _called_offers, _set_called),
    Mending("script", ("script",), _script_offers, _set_script),
    Mending(
        "user-task",
        ("unsupported-task", "unsupported-manualTask", "unsupported-sendTask", "no-operator", "no-decision",
         "called-process", "start-event"),
        _person_offers, _to_person,
    ),
    Mending("repetition", ("repetition",), _items_offers, _set_items),
    Mending("team", ("team", "unknown-team"), _team_offers, _set_team),
    Mending("due", ("due",), _due_offers, _set_due),
    Mending("form", ("form",), _form_offers, _make_form),
)  # fmt: skip
