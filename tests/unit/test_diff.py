"""What changed between two versions, in words: nothing is missed, and nothing is said that is no change."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from engine.definitions import Bundle
from engine.diff import Difference, FileChange, compare
from engine.errors import CannotDeploy

ROOT = Path(__file__).parents[2]
SHIPPED = Bundle.from_folders(ROOT / "processes", ROOT / "forms")
MAIN = "processes/order_fulfillment.bpmn"
COURIERS = "processes/courier_choice.dmn"
PARCELS = "forms/package_products.json"
LOOK = "forms/package_products.ui.json"

GIFT_WRAP = """
<bpmn:exclusiveGateway id="gift" name="Gift?" default="gift__label"/>
<bpmn:userTask id="gift_wrap" name="Gift wrap">
  <bpmn:extensionElements><spiffworkflow:properties>
    <spiffworkflow:property name="team" value="warehouse"/>
    <spiffworkflow:property name="due" value="PT2H"/>
    <spiffworkflow:property name="formJsonSchemaFilename" value="gift_wrap.json"/>
  </spiffworkflow:properties></bpmn:extensionElements>
</bpmn:userTask>
<bpmn:sequenceFlow id="gift__wrap" name="gift" sourceRef="gift" targetRef="gift_wrap">
  <bpmn:conditionExpression>package_products.gift</bpmn:conditionExpression></bpmn:sequenceFlow>
<bpmn:sequenceFlow id="gift__label" name="no gift" sourceRef="gift" targetRef="create_label"/>
<bpmn:sequenceFlow id="wrap__label" sourceRef="gift_wrap" targetRef="create_label"/>
<bpmn:textAnnotation id="note_1">"""


def changed(**replaced: bytes | str | None) -> Bundle:
    """The shipped bundle with other files; None takes one away. Names are given with `__` for `/`."""
    files = dict(SHIPPED.files)
    for name, data in replaced.items():
        if data is None:
            del files[name]
        else:
            files[name] = data.encode() if isinstance(data, str) else data
    return Bundle(files)


def drawn(*edits: tuple[str, str]) -> Difference:
    """What differs when texts of the shipped diagram are replaced."""
    text = SHIPPED.files[MAIN].decode()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return compare(SHIPPED, changed(**{MAIN: text}))


def said(difference: Difference) -> list[str]:
    """Every change as one line, without the space before it."""
    return [line.strip() for line in difference.lines()]


def form(edit: Callable[[dict[str, Any]], object], file: str = PARCELS) -> FileChange:
    """What differs when a shipped form is edited."""
    schema = json.loads(SHIPPED.files[file])
    edit(schema)
    difference = compare(SHIPPED, changed(**{file: json.dumps(schema)}))
    assert len(difference.forms) == 1
    return difference.forms[0]


def words(change: FileChange) -> Mapping[str, tuple[str | None, str | None]]:
    return {detail.what: (detail.was, detail.now) for detail in change.details}


def test_a_new_task_is_told_with_its_gate_and_its_form() -> None:
    """Gift wrap between packing and label: what a second analyst has to know, and no line for what follows from it."""
    difference = drawn(
        ('sourceRef="package_products" targetRef="create_label"', 'sourceRef="package_products" targetRef="gift"'),
        ('<bpmn:textAnnotation id="note_1">', GIFT_WRAP),
    )

    diagram = difference.diagram("order_fulfillment")
    assert diagram is not None
    told = {change.name: change for change in diagram.told}
    assert [(d.what, d.now) for d in told["Gift wrap"].summary] == [
        ("team", "Warehouse"), ("due", "2 h"), ("form", "gift_wrap.json"),
    ]  # fmt: skip
    assert [(d.what, d.now) for d in told["Gift?"].summary] == [
        ("to Gift wrap if", "package_products.gift"), ("else to", "Create shipping label"),
    ]  # fmt: skip
    leads = told["Package ordered products → Gift?"]
    assert [(d.words, d.was, d.now) for d in leads.details] == [("leads to changed", "Create shipping label", "Gift?")]
    assert set(told) == {"Gift wrap", "Gift?", "Package ordered products → Gift?"}
    assert (difference.count("added"), difference.count("changed"), difference.count("removed")) == (5, 1, 0)
    assert difference.steps.words == "as before"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("P7D<", "P10D<", "timer: after 7 days -> after 10 days"),
        ("R3/P3D<", "R/P1D<", "timer: every 3 days, 3 times -> every day"),
        ('name="stock.arrived"', 'name="stock.came"', "message: stock.arrived -> stock.came"),
        ('errorCode="stock_short"', 'errorCode="too_few"', "error: stock_short -> too_few"),
        ('name="team" value="sales"', 'name="team" value="finance"', "team: Sales -> Finance"),
        ('name="due" value="PT8H"', 'name="due" value="P1D"', "due: 8 h -> 1 day"),
        ('id="inventory.reserve"', 'id="inventory.check"', "operation: inventory.reserve -> inventory.check"),
        ('value="order.stock_region"', 'value="order.region"', "parameter region: order.stock_region -> order.region"),
        ('<spiffworkflow:retry retries="5" backoff_base="2"/>', "", "tries again: backoff base 2, retries 5"),
        ('default="payment_way__payment_ways_meet"', 'default="payment_way__cancelled_no_payment"',
         "default flow: again or other method -> cancel"),
        ('resolve_shortage.choice == "wait"', 'resolve_shortage.choice == "w"',
         'condition: resolve_shortage.choice == "wait" -> resolve_shortage.choice == "w"'),
        (">Sends the open amount and", ">Sends", "documentation: Sends the open amount and the bank details again. "
         "-> Sends the bank details again."),
        (' cancelActivity="false"', "", "interrupts: no"),
        ("message.booking == booking.reference", "message.booking", "accepts: message.booking == booking.reference "
         "-> message.booking"),
        ("<bpmn:flowNodeRef>close_order</bpmn:flowNodeRef>", "", "lane: Sales"),
        ('name="teams" value="shipping"', 'name="teams" value="sales"', "teams: Shipping -> Sales"),
        ("calledDecisionId>approval_policy", "calledDecisionId>courier_choice",
         "decision table: approval_policy -> courier_choice"),
        ('name="cancellation" value="order_cancellation"', 'name="cancellation" value="other"',
         "cancellation: order_cancellation -> other"),
        ("<bpmn:text>From here on the order can no longer be cancelled.", "<bpmn:text>No way back.",
         "text: From here on the order can no longer be cancelled. -> No way back."),
    ],
)  # fmt: skip
def test_a_change_of_the_diagram_is_told_with_what_was_and_what_is(old: str, new: str, line: str) -> None:
    """Each property by the word that analysts use for it."""
    assert line in said(drawn((old, new)))


def test_an_element_that_only_stands_elsewhere_is_counted_and_not_told() -> None:
    """Its flows follow it and are not counted a second time."""
    difference = drawn(
        ('<dc:Bounds x="462" y="106" width="120"', '<dc:Bounds x="470" y="116" width="120"'),
        ('<di:waypoint x="422" y="146"/>', '<di:waypoint x="422" y="150"/>'),
    )

    assert difference.moved == 1
    assert [diagram.told for diagram in difference.diagrams] == [()]
    assert (difference.count("added"), difference.count("changed"), difference.count("removed")) == (0, 0, 0)


def test_another_writing_is_no_change() -> None:
    """White space, the order of attributes and keys, another prefix, quotes around a timer, defaults spelled out."""
    text = SHIPPED.files[MAIN].decode().replace("bpmn:", "x:").replace("xmlns:bpmn=", "xmlns:x=")
    text = text.replace(">P2D<", '>"P2D"<').replace(' isExecutable="true"', ' processType="None" isExecutable="1"')
    text = text.replace('name="Doubt" attachedToRef=', 'cancelActivity="true"   name="Doubt"\n  attachedToRef=')
    form = json.loads(SHIPPED.files[PARCELS])
    table = SHIPPED.files[COURIERS].decode().replace("<text>", "<text> ").replace("</text>", "\n</text>")

    rewritten = changed(**{
        MAIN: b"\xff\xfe" + text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16-le"),
        PARCELS: json.dumps(dict(reversed(form.items()))), COURIERS: table,
    })  # fmt: skip

    assert said(compare(SHIPPED, rewritten)) == []


def test_no_change_of_the_diagram_goes_unseen() -> None:
    """Whatever attribute or text of any element is altered, something is told."""
    root = etree.fromstring(SHIPPED.files[MAIN])
    process = root.find("{*}process")
    assert process is not None
    silent = ("incoming", "outgoing", "flowNodeRef", "laneSet")
    places = [
        (node, name) for node in process.iter() if etree.QName(node).localname not in silent
        for name in (*node.attrib, None)
        if not (name == "id" and str(node.tag).endswith(("Definition", "process")))
        and not str(name).endswith("}type") and (name is not None or (node.text or "").strip())
    ]  # fmt: skip
    assert len(places) > 700
    for node, name in random.Random(4).sample(places, 80):
        value = node.text if name is None else node.get(name)
        other = {"true": "false", "false": "true"}.get(str(value), f"{value}7")
        _put(node, name, other)
        difference = compare(Bundle({MAIN: SHIPPED.files[MAIN]}), Bundle({MAIN: etree.tostring(root)}))
        _put(node, name, str(value))

        assert any(diagram.told for diagram in difference.diagrams), (node.tag, name, value)


def _put(node: Any, name: Any, value: str) -> None:
    if name is None:
        node.text = value
    else:
        node.set(name, value)


def test_a_lost_step_and_a_lost_gate_are_named() -> None:
    """Twenty steps and two gates are what the company is held to."""
    difference = drawn(
        ('<spiffworkflow:property name="step" value="14"/>', ""),
        ('<spiffworkflow:property name="kind" value="approval"/>', ""),
    )

    steps = difference.steps
    assert (steps.was, steps.now, steps.gates_was, steps.gates_now) == (20, 19, 2, 1)
    assert "step 14, “Notify customer of shipment”, is lost" in steps.words
    assert "the gate of step 5, “Approval: Inventory Reservation”, is lost" in steps.words


def test_a_new_field_and_a_changed_one_are_told_in_words() -> None:
    """Title, kind, bounds, required, pick list."""
    def edit(schema: dict[str, Any]) -> None:
        schema["properties"]["gift"] = {"type": "boolean", "title": "Gift", "default": False}
        schema["properties"]["parcels"]["items"]["properties"]["weight_g"]["maximum"] = 30_000
        schema["properties"]["contents"]["items"]["properties"]["sku"] = {
            "type": "string", "title": "Article", "minLength": 1, "maxLength": 40, "enum": ["a", "b"],
        }  # fmt: skip
        schema["properties"]["note"]["type"] = "integer"
        schema["required"] = ["parcels", "contents", "note"]

    change = form(edit)

    assert [user.name for user in change.used_by] == ["Package ordered products"]
    assert words(change) == {
        "field Gift": (None, "yes or no"),
        "Parcels › Weight in g: at most": ("1,000,000", "30,000"),
        "Contents › Article: title": ("Product", "Article"),
        "Contents › Article: kind": ("text", "one of 2"),
        "Note: kind": ("text", "whole number"),
        "Note: required": ("no", "yes"),
    }


def test_pick_lists_and_the_look_of_a_form_are_told() -> None:
    """A choice that goes, a choice that comes, another name for one; order and widget of the UI schema."""
    def edit(schema: dict[str, Any]) -> None:
        choices = schema["properties"]["payment_method"]["oneOf"]
        choices[0]["title"] = "Card"
        choices[-1:] = [{"const": "cheque", "title": "Cheque"}]

    change = form(edit, "forms/receive_order.json")
    assert [(detail.what, detail.was, detail.now) for detail in change.details] == [
        ("Payment method: choice", "Credit Card", "Card"),
        ("Payment method: choice", None, "Cheque"),
        ("Payment method: choice", "Bank Transfer", None),
    ]

    def order(ui: dict[str, Any]) -> None:
        ui["ui:order"] = ["contents", "parcels", "note"]
        ui["note"]["ui:widget"] = "text"

    assert words(form(order, LOOK)) == {
        "order of fields": ("Parcels, Contents, Note", "Contents, Parcels, Note"),
        "Note: shown as": ("textarea", "text"),
    }


def test_a_form_only_change_marks_the_task_that_uses_it() -> None:
    """The diagram is the same; the picture still shows where the change is met."""
    schema = SHIPPED.files[PARCELS].replace(b'"Fragile"', b'"Handle with care"')

    difference = compare(SHIPPED, changed(**{PARCELS: schema}))

    diagram = difference.diagram("order_fulfillment")
    assert diagram is not None
    assert dict(diagram.marks) == {"package_products": "changed"}
    assert not diagram.told


def test_a_decision_table_is_compared_row_by_row() -> None:
    """Another courier, a row that is gone, a new one, another hit policy; a row is known by its id, else its inputs."""
    root = etree.fromstring(SHIPPED.files[COURIERS])
    rules = root.findall(".//{*}rule")
    rules[4].findall("{*}outputEntry/{*}text")[0].text = '"courier_e"'
    rules[4].set("id", "drawn_anew")
    rules[0].getparent().remove(rules[0])
    rules[7].addprevious(etree.fromstring(
        etree.tostring(rules[1]).replace(b"courier_choice_row2", b"new").replace(b'"express"', b'"pickup"')
    ))  # fmt: skip
    root.find(".//{*}decisionTable").set("hitPolicy", "COLLECT")

    change = compare(SHIPPED, changed(**{COURIERS: etree.tostring(root)})).decisions[0]

    assert (change.name, [user.name for user in change.used_by]) == ("Courier choice", ["Recommend courier"])
    light, by_table = "Weight in g <= 30000", "Decided by table"
    assert {(detail.was, detail.now) for detail in change.details} == {
        ("UNIQUE", "COLLECT"),
        (f"Ships from europe, {light}, Shipping express: Courier courier_d, {by_table}",
         f"Ships from europe, {light}, Shipping express: Courier courier_e, {by_table}"),
        (f"Ships from north_america, {light}, Shipping standard: Courier courier_a, {by_table}", None),
        (None, f"Ships from north_america, {light}, Shipping pickup: Courier courier_b, {by_table}"),
    }  # fmt: skip


def test_a_new_column_says_nothing_of_rows_that_do_not_use_it() -> None:
    """A dash is no change."""
    text = SHIPPED.files[COURIERS].decode()
    asks = '<inputExpression typeRef="boolean"><text>order.gift</text></inputExpression>'
    output = '<output id="courier_choice_out1"'
    text = text.replace(output, f'<input id="in4" label="Gift">{asks}</input>{output}')
    for row in range(1, 9):
        cell = f'<outputEntry id="courier_choice_row{row}_out1">'
        text = text.replace(cell, f"<inputEntry><text>{'true' if row == 2 else '-'}</text></inputEntry>{cell}")

    change = compare(SHIPPED, changed(**{COURIERS: text})).decisions[0]

    assert [detail.what for detail in change.details] == ["column Gift", "row 2"]
    assert change.details[0].now == "Gift, order.gift, boolean"


def test_a_draft_that_cannot_be_read_is_refused_in_words() -> None:
    """Every file that cannot be read is named; nothing is compared by halves."""
    with pytest.raises(CannotDeploy) as refused:
        compare(SHIPPED, changed(**{MAIN: "<definitions><process>", PARCELS: '{"title": ', LOOK: "[1]"}))

    files = [finding.file for finding in refused.value.findings]
    assert sorted(files) == [PARCELS, LOOK, MAIN]
    assert all(finding.message and finding.advice for finding in refused.value.findings)


def test_whole_files_that_come_and_go() -> None:
    """A process, a form and a table that only one side has."""
    less = changed(**{"processes/order_cancellation.bpmn": None, PARCELS: None, LOOK: None, COURIERS: None})

    gone, come = compare(SHIPPED, less), compare(less, SHIPPED)

    for difference, kind in ((gone, "removed"), (come, "added")):
        assert difference.diagrams[-1].kind == kind or difference.diagrams[0].kind == kind
        assert [change.kind for change in (*difference.forms, *difference.decisions)] == [kind, kind]
    assert come.forms[0].details[0].now == "3 fields: Parcels, rows, required; Contents, rows, required; Note, text"
    assert come.decisions[0].details[0].now == "8 rows over Ships from, Weight in g, Shipping"
