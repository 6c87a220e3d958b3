"""One random change of one shipped file, as an analyst's hand might slip; the same seed makes the same mutant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lxml import etree

ROOT = Path(__file__).parents[2]
B = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
S = "{http://spiffworkflow.org/bpmn/schema/1.0/core}"
MAIN = "processes/order_fulfillment.bpmn"
UNDO = "processes/order_cancellation.bpmn"
TABLES = ("processes/approval_policy.dmn", "processes/courier_choice.dmn")
Node = etree._Element


@dataclass(frozen=True)
class Mutant:
    """A changed bundle and what was done to it."""

    seed: int
    what: str
    files: dict[str, bytes]


class Nothing(Exception):
    """This change cannot be made here; another is drawn."""


def shipped() -> dict[str, bytes]:
    files = [*(ROOT / "processes").glob("*.*mn"), *(ROOT / "forms").glob("*.json")]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(files)}


def mutant(seed: int) -> Mutant:
    """The mutant of this number."""
    chance, files = Random(seed), shipped()
    while True:
        change = chance.choices(list(_CHANGES), weights=list(_CHANGES.values()))[0]
        file = chance.choice(TABLES) if change in _OF_TABLES else (
            chance.choice(sorted(name for name in files if name.endswith(".json") and ".ui." not in name))
            if change in _OF_FORMS else (UNDO if chance.random() < 0.15 else MAIN)
        )
        try:
            if change in _OF_FORMS:
                form = json.loads(files[file])
                before = json.dumps(form).encode()
                what = change(chance, form)
                changed = json.dumps(form).encode()
            else:
                root = etree.fromstring(files[file])
                before = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
                what = change(chance, root)
                changed = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        except (Nothing, IndexError, ValueError):  # there is nothing of the kind, or too little
            continue
        if changed != before:
            return Mutant(seed, f"{file.rpartition('/')[2]}: {what}", files | {file: changed})


# --- parts ------------------------------------------------------------------------------------------------------------


def _process(root: Node) -> Node:
    found = root.find(f"{B}process")
    assert found is not None
    return found


def _nodes(root: Node) -> list[Node]:
    """Tasks, gateways and events."""
    kinds = ("Task", "Gateway", "Event")
    return [node for node in _process(root) if etree.QName(node).localname.endswith(kinds)]


def _flows(root: Node) -> list[Node]:
    return _process(root).findall(f"{B}sequenceFlow")


def _of(root: Node, *kinds: str) -> list[Node]:
    return [node for kind in kinds for node in _process(root).iter(f"{B}{kind}")]


def _expressions(root: Node) -> list[tuple[Node, str | None]]:
    """Every place of an expression: an element and its attribute, or None for its text."""
    found: list[tuple[Node, str | None]] = [(node, None) for node in _of(root, "conditionExpression")]
    found += [(node, "value") for node in _process(root).iter(f"{S}parameter")]
    found += [(node, "value") for node in _process(root).iter(f"{S}property")
              if node.get("name") in ("signatures", "accepts")]
    return found


def _text(node: Node, attribute: str | None) -> str:
    return (node.get(attribute) if attribute else node.text) or ""


def _write(node: Node, attribute: str | None, text: str) -> None:
    if attribute:
        node.set(attribute, text)
    else:
        node.text = text


def _drop_flow(root: Node, flow: Node) -> None:
    for part in [*_process(root).iter(f"{B}incoming", f"{B}outgoing")]:
        if part.text == flow.get("id"):
            part.getparent().remove(part)
    flow.getparent().remove(flow)


def _misspelt(chance: Random, text: str) -> str:
    """The word with a letter lost, doubled or swapped with its neighbour."""
    at = chance.randrange(max(1, len(text) - 1))
    return chance.choice([
        text[:at] + text[at + 1:], text[:at] + text[at:at + 1] + text[at:], text[:at] + text[at + 1:at + 2]
        + text[at:at + 1] + text[at + 2:],
    ])


def _owner(node: Node) -> str:
    while node.get("id") is None or node.tag.startswith(S):
        node = node.getparent()
    return str(node.get("id"))


# --- changes of diagrams ----------------------------------------------------------------------------------------------


def drop_a_flow(chance: Random, root: Node) -> str:
    flow = chance.choice(_flows(root))
    _drop_flow(root, flow)
    return f"flow {flow.get('id')} is dropped"


def lead_a_flow_elsewhere(chance: Random, root: Node) -> str:
    flow, target = chance.choice(_flows(root)), chance.choice(_nodes(root))
    flow.set("targetRef", target.get("id"))
    return f"flow {flow.get('id')} leads to {target.get('id')}"


def take_a_flow_from_elsewhere(chance: Random, root: Node) -> str:
    flow, source = chance.choice(_flows(root)), chance.choice(_nodes(root))
    flow.set("sourceRef", source.get("id"))
    return f"flow {flow.get('id')} comes from {source.get('id')}"


def swap_two_targets(chance: Random, root: Node) -> str:
    one, other = chance.sample(_flows(root), 2)
    first, second = one.get("targetRef"), other.get("targetRef")
    one.set("targetRef", second)
    other.set("targetRef", first)
    return f"flows {one.get('id')} and {other.get('id')} swap their ends"


def turn_a_flow_around(chance: Random, root: Node) -> str:
    flow = chance.choice(_flows(root))
    source, target = flow.get("sourceRef"), flow.get("targetRef")
    flow.set("sourceRef", target)
    flow.set("targetRef", source)
    return f"flow {flow.get('id')} is turned around"


def bridge_an_element(chance: Random, root: Node) -> str:
    """Removed as editors do it: the ways before and behind it are joined."""
    node = chance.choice(_nodes(root))
    name = node.get("id")
    before = [flow for flow in _flows(root) if flow.get("targetRef") == name]
    behind = [flow for flow in _flows(root) if flow.get("sourceRef") == name]
    if len(behind) != 1 or not before:
        raise Nothing
    for flow in before:
        flow.set("targetRef", behind[0].get("targetRef"))
    _drop_flow(root, behind[0])
    _remove(root, node)
    return f"{name} is taken out"


def drop_an_element(chance: Random, root: Node) -> str:
    node = chance.choice(_nodes(root))
    _remove(root, node)
    return f"{node.get('id')} is dropped with its flows"


def _remove(root: Node, node: Node) -> None:
    name = node.get("id")
    for other in [*_of(root, "boundaryEvent")]:
        if other.get("attachedToRef") == name:
            _remove(root, other)
    for flow in _flows(root):
        if name in (flow.get("sourceRef"), flow.get("targetRef")):
            _drop_flow(root, flow)
    for reference in [*_of(root, "flowNodeRef")]:
        if reference.text == name:
            reference.getparent().remove(reference)
    node.getparent().remove(node)
    for shape in [*root.iter("{http://www.omg.org/spec/BPMN/20100524/DI}BPMNShape")]:
        if shape.get("bpmnElement") == name:
            shape.getparent().remove(shape)


def drop_a_boundary_event(chance: Random, root: Node) -> str:
    event = chance.choice(_of(root, "boundaryEvent"))
    _remove(root, event)
    return f"boundary event {event.get('id')} is dropped"


def move_a_boundary_event(chance: Random, root: Node) -> str:
    event, host = chance.choice(_of(root, "boundaryEvent")), chance.choice(_nodes(root))
    event.set("attachedToRef", host.get("id"))
    return f"boundary event {event.get('id')} sits on {host.get('id')}"


def let_a_boundary_event_pass(chance: Random, root: Node) -> str:
    event = chance.choice(_of(root, "boundaryEvent"))
    event.set("cancelActivity", "true" if event.get("cancelActivity") == "false" else "false")
    return f"boundary event {event.get('id')} is cancelActivity={event.get('cancelActivity')}"


def misspell_an_operation(chance: Random, root: Node) -> str:
    operator = chance.choice([*_process(root).iter(f"{S}serviceTaskOperator")])
    operator.set("id", _misspelt(chance, operator.get("id")))
    return f"{_owner(operator)} calls {operator.get('id')}"


def swap_two_operations(chance: Random, root: Node) -> str:
    one, other = chance.sample([*_process(root).iter(f"{S}serviceTaskOperator")], 2)
    first, second = one.get("id"), other.get("id")
    one.set("id", second)
    other.set("id", first)
    return f"{_owner(one)} calls {second}, {_owner(other)} calls {first}"


def change_a_result(chance: Random, root: Node) -> str:
    operator = chance.choice([*_process(root).iter(f"{S}serviceTaskOperator")])
    operator.set("resultVariable", _misspelt(chance, operator.get("resultVariable")))
    return f"{_owner(operator)} writes {operator.get('resultVariable')}"


def drop_a_parameter(chance: Random, root: Node) -> str:
    parameter = chance.choice([*_process(root).iter(f"{S}parameter")])
    what = f"{_owner(parameter)} loses the parameter {parameter.get('id')}"
    parameter.getparent().remove(parameter)
    return what


def misspell_a_parameter(chance: Random, root: Node) -> str:
    parameter = chance.choice([*_process(root).iter(f"{S}parameter")])
    parameter.set("id", _misspelt(chance, parameter.get("id")))
    return f"{_owner(parameter)} gives the parameter {parameter.get('id')}"


def break_an_expression(chance: Random, root: Node) -> str:
    node, attribute = chance.choice(_expressions(root))
    text = _text(node, attribute)
    broken = chance.choice([
        text.replace("==", "="), text + " and", text.replace('"', ""), text.replace(".", ".."), f"({text}", "",
        text.replace("==", "==="), f"${{{text}}}", text + " && true",
    ])
    _write(node, attribute, broken)
    return f"{_owner(node)} reads {broken!r}"


def misspell_a_variable(chance: Random, root: Node) -> str:
    node, attribute = chance.choice(_expressions(root))
    text = _text(node, attribute)
    names = [each for each in re.finditer(r"[a-z_]+(?![a-z_\"])", re.sub(r'"[^"]*"', lambda m: "#" * len(m[0]), text))
             if each[0] not in ("and", "or", "in", "not")]
    found = chance.choice(names)
    changed = text[:found.start()] + _misspelt(chance, found[0]) + text[found.end():]
    _write(node, attribute, changed)
    return f"{_owner(node)} reads {changed!r}"


def misspell_a_value(chance: Random, root: Node) -> str:
    node, attribute = chance.choice(_expressions(root))
    text = _text(node, attribute)
    found = chance.choice([*re.finditer(r'"(\w+)"', text)])
    changed = text[:found.start(1)] + _misspelt(chance, found[1]) + text[found.end(1):]
    _write(node, attribute, changed)
    return f"{_owner(node)} compares {changed!r}"


def turn_a_condition_around(chance: Random, root: Node) -> str:
    node = chance.choice(_of(root, "conditionExpression"))
    signs = {"==": "!=", " > ": " <= ", " and ": " or ", " in ": " not in "}
    sign = chance.choice([sign for sign in signs if sign in (node.text or "")])
    node.text = (node.text or "").replace(sign, signs[sign], 1)
    return f"{_owner(node)} asks {node.text!r}"


def drop_a_condition(chance: Random, root: Node) -> str:
    node = chance.choice(_of(root, "conditionExpression"))
    what = f"{_owner(node)} loses its condition"
    node.getparent().remove(node)
    return what


def swap_two_conditions(chance: Random, root: Node) -> str:
    one, other = chance.sample(_of(root, "conditionExpression"), 2)
    one.text, other.text = other.text, one.text
    return f"{_owner(one)} and {_owner(other)} swap their conditions"


def remove_a_default(chance: Random, root: Node) -> str:
    gateway = chance.choice([node for node in _nodes(root) if node.get("default")])
    del gateway.attrib["default"]
    return f"{gateway.get('id')} has no default"


def change_a_default(chance: Random, root: Node) -> str:
    gateway = chance.choice([node for node in _nodes(root) if node.get("default")])
    flows = [flow.get("id") for flow in _flows(root) if flow.get("sourceRef") == gateway.get("id")]
    gateway.set("default", chance.choice(flows))
    return f"{gateway.get('id')} has the default {gateway.get('default')}"


def change_a_gateway(chance: Random, root: Node) -> str:
    gateway = chance.choice([node for node in _nodes(root) if node.tag.endswith("Gateway")])
    gateway.tag = B + chance.choice(["parallelGateway", "inclusiveGateway", "exclusiveGateway", "eventBasedGateway"])
    return f"{gateway.get('id')} is of the kind {etree.QName(gateway).localname}"


def change_a_task(chance: Random, root: Node) -> str:
    task = chance.choice([node for node in _nodes(root) if node.tag.endswith("Task")])
    task.tag = B + chance.choice(["userTask", "serviceTask", "businessRuleTask", "scriptTask", "receiveTask", "task"])
    return f"{task.get('id')} is of the kind {etree.QName(task).localname}"


def swap_two_ids(chance: Random, root: Node) -> str:
    one, other = chance.sample(_nodes(root), 2)
    first, second = one.get("id"), other.get("id")
    one.set("id", second)
    other.set("id", first)
    return f"{first} and {second} swap their ids"


def change_an_id(chance: Random, root: Node) -> str:
    node = chance.choice(_nodes(root))
    before = node.get("id")
    node.set("id", chance.choice(["Start", "End", _misspelt(chance, before), chance.choice(_nodes(root)).get("id")]))
    return f"{before} has the id {node.get('id')}"


def change_a_timer(chance: Random, root: Node) -> str:
    timer = chance.choice(_of(root, "timeDuration", "timeCycle"))
    timer.text = chance.choice(["PT1H", "P1D", "P30D", "1 day", "PT", "P1H", "R2/P1D", "", "PT1S", "tomorrow", "P-1D"])
    return f"{_owner(timer)} waits {timer.text!r}"


def change_a_team(chance: Random, root: Node) -> str:
    team = chance.choice([item for item in _process(root).iter(f"{S}property") if item.get("name") == "team"])
    team.set("value", chance.choice(["sales", "warehouse", "finance", "shipping", "stock-approvers", "owner",
                                     "payment-approvers", _misspelt(chance, team.get("value"))]))
    return f"{_owner(team)} is done by {team.get('value')}"


def change_team_and_lane(chance: Random, root: Node) -> str:
    """The team of a task, and the lane that lies about it is told so too."""
    node = chance.choice([node for node in _nodes(root) if node.tag == f"{B}userTask"])
    [team] = [item for item in node.iter(f"{S}property") if item.get("name") == "team"]
    team.set("value", chance.choice(["sales", "warehouse", "finance", "shipping", "payment-approvers"]))
    for lane in _of(root, "lane"):
        if any(reference.text == node.get("id") for reference in lane.iter(f"{B}flowNodeRef")):
            for teams in lane.iter(f"{S}property"):
                teams.set("value", f"{teams.get('value')}, {team.get('value')}")
    return f"{node.get('id')} is done by {team.get('value')}, also in its lane"


def drop_a_property(chance: Random, root: Node) -> str:
    item = chance.choice([*_process(root).iter(f"{S}property")])
    what = f"{_owner(item)} loses {item.get('name')}={item.get('value')}"
    item.getparent().remove(item)
    return what


def misspell_a_property(chance: Random, root: Node) -> str:
    item = chance.choice([*_process(root).iter(f"{S}property")])
    which = chance.choice(["name", "value"])
    item.set(which, _misspelt(chance, item.get(which)))
    return f"{_owner(item)} has {item.get('name')}={item.get('value')}"


def swap_two_properties(chance: Random, root: Node) -> str:
    items = [*_process(root).iter(f"{S}property")]
    one = chance.choice(items)
    other = chance.choice([item for item in items if item.get("name") == one.get("name") and item is not one])
    first, second = one.get("value"), other.get("value")
    one.set("value", second)
    other.set("value", first)
    return f"{_owner(one)} and {_owner(other)} swap {one.get('name')}"


def change_a_number(chance: Random, root: Node) -> str:
    items = [item for item in _process(root).iter(f"{S}property")
             if item.get("name") in ("step", "submits", "sendBackTo")]
    item = chance.choice(items)
    item.set("value", chance.choice(["", "3", "4,5", "21", "0", "six", "6", "7,8"]))
    return f"{_owner(item)} has {item.get('name')}={item.get('value')}"


def change_a_message(chance: Random, root: Node) -> str:
    users = [node for node in _process(root).iter() if node.get("messageRef")]
    node = chance.choice(users)
    others = [message.get("id") for message in root.iter(f"{B}message")]
    node.set("messageRef", chance.choice([*others, "gone"]))
    return f"{_owner(node)} waits for {node.get('messageRef')}"


def change_an_error(chance: Random, root: Node) -> str:
    definition = chance.choice(_of(root, "errorEventDefinition"))
    definition.set("errorRef", chance.choice([*(error.get("id") for error in root.iter(f"{B}error")), "gone"]))
    return f"{_owner(definition)} catches {definition.get('errorRef')}"


def misspell_a_declaration(chance: Random, root: Node) -> str:
    node = chance.choice([*root.iter(f"{B}error", f"{B}message")])
    attribute = "errorCode" if node.tag == f"{B}error" else "name"
    node.set(attribute, _misspelt(chance, node.get(attribute)))
    return f"{node.get('id')} means {node.get(attribute)}"


def drop_a_declaration(chance: Random, root: Node) -> str:
    node = chance.choice([*root.iter(f"{B}error", f"{B}message")])
    root.remove(node)
    return f"{node.get('id')} is not declared"


def change_a_message_variable(chance: Random, root: Node) -> str:
    node = chance.choice([*_process(root).iter(f"{S}messageVariable")])
    node.text = _misspelt(chance, node.text or "")
    return f"{_owner(node)} writes {node.text}"


def make_it_not_executable(chance: Random, root: Node) -> str:
    _process(root).set("isExecutable", chance.choice(["false", "0", "", "yes"]))
    return f"it has isExecutable={_process(root).get('isExecutable')}"


def change_a_decision(chance: Random, root: Node) -> str:
    node = chance.choice([*_process(root).iter(f"{S}calledDecisionId")])
    node.text = chance.choice(["approval_policy", "courier_choice", _misspelt(chance, node.text or "")])
    return f"{_owner(node)} asks {node.text}"


# --- changes of tables and forms --------------------------------------------------------------------------------------


def _local(root: Node, name: str) -> list[Node]:
    return [node for node in root.iter() if isinstance(node.tag, str) and etree.QName(node).localname == name]


def drop_a_row(chance: Random, root: Node) -> str:
    row = chance.choice(_local(root, "rule"))
    row.getparent().remove(row)
    return f"row {row.get('id')} is dropped"


def change_a_cell(chance: Random, root: Node) -> str:
    cell = chance.choice(_local(root, "inputEntry"))
    [text] = _local(cell, "text")
    text.text = chance.choice(["-", '"europe"', "<= 1000", "[1..5]", '"a","b"', "europe", '"eurpe"', "> 30000"])
    return f"cell {cell.get('id')} is {text.text!r}"


def change_an_answer(chance: Random, root: Node) -> str:
    cell = chance.choice(_local(root, "outputEntry"))
    [text] = _local(cell, "text")
    text.text = chance.choice(["0", "1", "2", "-1", '"courier_z"', '"courier_b"', "", '"preson"', "order.totl", "1.5"])
    return f"answer {cell.get('id')} is {text.text!r}"


def change_an_input(chance: Random, root: Node) -> str:
    expression = chance.choice(_local(root, "inputExpression"))
    [text] = _local(expression, "text")
    text.text = chance.choice([_misspelt(chance, text.text or ""), "order.weight_g", "order.number", "order"])
    return f"input {expression.get('id')} is {text.text!r}"


def change_the_policy(chance: Random, root: Node) -> str:
    [table] = _local(root, "decisionTable")
    table.set("hitPolicy", chance.choice(["FIRST", "COLLECT", "ANY", "RULE ORDER"]))
    return f"the hit policy is {table.get('hitPolicy')}"


def misspell_an_output(chance: Random, root: Node) -> str:
    output = chance.choice(_local(root, "output"))
    output.set("name", _misspelt(chance, output.get("name")))
    return f"an output is {output.get('name')}"


def drop_a_field(chance: Random, form: dict[str, object]) -> str:
    fields = form["properties"]
    assert isinstance(fields, dict)
    name = chance.choice(sorted(fields))
    del fields[name]
    required = form.get("required", [])
    assert isinstance(required, list)
    if name in required:
        required.remove(name)
    return f"field {name} is dropped"


def rename_a_field(chance: Random, form: dict[str, object]) -> str:
    fields = form["properties"]
    assert isinstance(fields, dict)
    name = chance.choice(sorted(fields))
    new = _misspelt(chance, name)
    form["properties"] = {(new if key == name else key): value for key, value in fields.items()}
    form["required"] = [new if key == name else key for key in form.get("required", [])]  # type: ignore[attr-defined]
    return f"field {name} is called {new}"


def drop_an_entry(chance: Random, form: dict[str, object]) -> str:
    fields = form["properties"]
    assert isinstance(fields, dict)
    name = chance.choice([name for name, field in sorted(fields.items()) if len(field.get("oneOf", [])) > 1])
    entry = fields[name]["oneOf"].pop(chance.randrange(len(fields[name]["oneOf"])))
    return f"{name} offers no {entry['const']}"


def want_a_field(chance: Random, form: dict[str, object]) -> str:
    required = form.setdefault("required", [])
    assert isinstance(required, list)
    if not required:
        raise Nothing
    dropped = required.pop(chance.randrange(len(required)))
    return f"field {dropped} may be left empty"


Change = Callable[[Random, "Node"], str]
_CHANGES: dict[Callable[..., str], float] = {
    drop_a_flow: 5, lead_a_flow_elsewhere: 5, take_a_flow_from_elsewhere: 2, swap_two_targets: 3,
    turn_a_flow_around: 1, bridge_an_element: 4, drop_an_element: 3, drop_a_boundary_event: 3,
    move_a_boundary_event: 2, let_a_boundary_event_pass: 2, misspell_an_operation: 3, swap_two_operations: 3,
    change_a_result: 2, drop_a_parameter: 1, misspell_a_parameter: 1, break_an_expression: 4, misspell_a_variable: 5,
    misspell_a_value: 3, turn_a_condition_around: 3, drop_a_condition: 2, swap_two_conditions: 2, remove_a_default: 2,
    change_a_default: 2, change_a_gateway: 3, change_a_task: 2, swap_two_ids: 4, change_an_id: 3, change_a_timer: 4,
    change_a_team: 3, change_team_and_lane: 3, drop_a_property: 4, misspell_a_property: 4, swap_two_properties: 4,
    change_a_number: 2, change_a_message: 2, change_an_error: 2, misspell_a_declaration: 2, drop_a_declaration: 1,
    change_a_message_variable: 2, make_it_not_executable: 0.5, change_a_decision: 1, drop_a_row: 2, change_a_cell: 2,
    change_an_answer: 2, change_an_input: 2, change_the_policy: 1, misspell_an_output: 1, drop_a_field: 2,
    rename_a_field: 2, drop_an_entry: 2, want_a_field: 2,
}
"""Every change with how often it is made."""
_OF_TABLES = {drop_a_row, change_a_cell, change_an_answer, change_an_input, change_the_policy, misspell_an_output}
_OF_FORMS = {drop_a_field, rename_a_field, drop_an_entry, want_a_field}
