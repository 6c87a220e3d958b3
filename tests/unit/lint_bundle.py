"""A small bundle without a fault, and how tests spoil it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import Finding
from engine.lint import check
from handlers.contract import Call, External, FormContext, Registry, build_registry

DIAGRAM = "processes/parcel.bpmn"
UNDO = "processes/parcel_undo.bpmn"
TABLE = "processes/signers.dmn"
FORM = "forms/take_order.json"
UI = "forms/take_order.ui.json"

_NAMESPACES = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
    'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core"'
)


def properties(**values: str) -> str:
    """Extension elements with these properties."""
    items = "".join(f'<spiffworkflow:property name="{name}" value="{value}"/>' for name, value in values.items())
    return (
        f"<bpmn:extensionElements><spiffworkflow:properties>{items}</spiffworkflow:properties></bpmn:extensionElements>"
    )


def service(identifier: str, operation: str, result: str, parameters: str = "", more: str = "") -> str:
    """A service task."""
    return (
        f'<bpmn:serviceTask id="{identifier}" name="{identifier}"><bpmn:extensionElements>{more}'
        f'<spiffworkflow:serviceTaskOperator id="{operation}" resultVariable="{result}"><spiffworkflow:parameters>'
        f"{parameters}</spiffworkflow:parameters></spiffworkflow:serviceTaskOperator></bpmn:extensionElements>"
        "</bpmn:serviceTask>"
    )


def flow(source: str, target: str, condition: str | None = None) -> str:
    """A sequence flow, its id made of both ends."""
    inner = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition is not None else ""
    return (
        f'<bpmn:sequenceFlow id="{source}__{target}" sourceRef="{source}" targetRef="{target}">{inner}'
        "</bpmn:sequenceFlow>"
    )


def definitions(inner: str) -> str:
    """A whole file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<bpmn:definitions {_NAMESPACES} id="d">{inner}</bpmn:definitions>'


_TAKE = properties(
    step="1", team="sales", due="PT4H", escalateTo="owner", formJsonSchemaFilename="take_order.json",
    onComplete="order.take", resultVariable="order", formContext="order.form",
)
_GATE = properties(
    step="3", team="signers", due="P1D", kind="approval", submits="1,2", sendBackTo="2",
    submission="order.submission", signatures="signers.count", separateFrom="take_order",
)
GOOD_DIAGRAM = definitions(
    f"""
<bpmn:message id="message_paid" name="bank.paid"/>
<bpmn:error id="error_short" name="short" errorCode="short"/>
<bpmn:collaboration id="pool_set"><bpmn:participant id="pool" processRef="parcel"/></bpmn:collaboration>
<bpmn:process id="parcel" name="Parcel" isExecutable="true">
{properties(cancellation="parcel_undo")}
<bpmn:laneSet id="lanes">
  <bpmn:lane id="lane_sales" name="Sales">{properties(teams="sales, signers")}
    <bpmn:flowNodeRef>take_order</bpmn:flowNodeRef><bpmn:flowNodeRef>sign</bpmn:flowNodeRef>
  </bpmn:lane>
</bpmn:laneSet>
<bpmn:startEvent id="started"/>
<bpmn:userTask id="take_order" name="Take order">{_TAKE}</bpmn:userTask>
{service("reserve", "stock.reserve", "reservation",
         '<spiffworkflow:parameter id="sku" type="str" value="order.sku"/>',
         '<spiffworkflow:properties><spiffworkflow:property name="step" value="2"/></spiffworkflow:properties>')}
<bpmn:boundaryEvent id="short" attachedToRef="reserve"><bpmn:errorEventDefinition errorRef="error_short"/>
</bpmn:boundaryEvent>
<bpmn:businessRuleTask id="look_up"><bpmn:extensionElements>
  <spiffworkflow:calledDecisionId>signers</spiffworkflow:calledDecisionId>
</bpmn:extensionElements></bpmn:businessRuleTask>
<bpmn:userTask id="sign" name="Sign">{_GATE}</bpmn:userTask>
<bpmn:exclusiveGateway id="signed" default="signed__reserve"/>
<bpmn:endEvent id="rejected">{properties(cancels="true")}</bpmn:endEvent>
<bpmn:receiveTask id="wait" messageRef="message_paid"><bpmn:extensionElements>
  <spiffworkflow:properties>
    <spiffworkflow:property name="accepts" value="message.reference == reservation.reference"/>
  </spiffworkflow:properties>
  <spiffworkflow:messageVariable>payment</spiffworkflow:messageVariable>
</bpmn:extensionElements></bpmn:receiveTask>
<bpmn:boundaryEvent id="remind" attachedToRef="wait" cancelActivity="false">
  <bpmn:timerEventDefinition id="remind_timer"><bpmn:timeCycle>R3/P3D</bpmn:timeCycle></bpmn:timerEventDefinition>
</bpmn:boundaryEvent>
<bpmn:scriptTask id="count"><bpmn:script>reminders = 1</bpmn:script></bpmn:scriptTask>
<bpmn:endEvent id="reminded"/>
<bpmn:eventBasedGateway id="next"/>
<bpmn:intermediateCatchEvent id="paid_again"><bpmn:messageEventDefinition messageRef="message_paid"/>
</bpmn:intermediateCatchEvent>
<bpmn:intermediateCatchEvent id="later">
  <bpmn:timerEventDefinition id="later_timer"><bpmn:timeDuration>"P5D"</bpmn:timeDuration></bpmn:timerEventDefinition>
</bpmn:intermediateCatchEvent>
<bpmn:subProcess id="sending"><bpmn:startEvent id="sending_started"/>
  {service("send", "mail.send_out", "mail")}<bpmn:endEvent id="sent"/>
  {flow("sending_started", "send")}{flow("send", "sent")}
</bpmn:subProcess>
<bpmn:endEvent id="done"/>
<bpmn:textAnnotation id="note"><bpmn:text>Good.</bpmn:text></bpmn:textAnnotation>
{flow("started", "take_order")}{flow("take_order", "reserve")}{flow("short", "take_order")}
{flow("reserve", "look_up")}{flow("look_up", "sign")}{flow("sign", "signed")}
{flow("signed", "rejected", 'sign.decision == "reject"')}{flow("signed", "reserve")}
{flow("signed", "wait", 'sign.decision == "approve"')}{flow("wait", "next")}
{flow("remind", "count")}{flow("count", "reminded")}
{flow("next", "paid_again")}{flow("next", "later")}{flow("paid_again", "sending")}{flow("later", "sending")}
{flow("sending", "done")}
</bpmn:process>
<bpmndi:BPMNDiagram id="picture"><bpmndi:BPMNPlane id="plane" bpmnElement="parcel">
  <bpmndi:BPMNShape id="take_order_shape" bpmnElement="take_order">
    <dc:Bounds x="100" y="80.5" width="100" height="80"/></bpmndi:BPMNShape>
  <bpmndi:BPMNEdge id="edge" bpmnElement="started__take_order"><di:waypoint x="1" y="2"/></bpmndi:BPMNEdge>
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>"""
)
GOOD_UNDO = definitions(
    f"""<bpmn:process id="parcel_undo" isExecutable="true"><bpmn:startEvent id="undo_started"/>
{service("release", "stock.release", "reservation",
         '<spiffworkflow:parameter id="reason" type="str" value="cancellation.reason"/>')}
<bpmn:endEvent id="undone"/>{flow("undo_started", "release")}{flow("release", "undone")}</bpmn:process>"""
)
GOOD_TABLE = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="defs" name="x" namespace="x">
<decision id="signers" name="Signers"><decisionTable id="table" hitPolicy="UNIQUE">
<input id="in1" label="Total">
<inputExpression id="ine1" typeRef="number"><text>order.total</text></inputExpression></input>
<output id="out1" name="count" typeRef="number"/>
<rule id="row1"><description>Small</description><inputEntry id="c1"><text>&lt;= 500</text></inputEntry>
<outputEntry id="a1"><text>1</text></outputEntry></rule>
<rule id="row2"><inputEntry id="c2"><text>-</text></inputEntry><outputEntry id="a2"><text>2</text></outputEntry></rule>
</decisionTable></decision></definitions>"""
GOOD_FORM: dict[str, Any] = {
    "type": "object",
    "title": "Order",
    "additionalProperties": False,
    "required": ["sku"],
    "properties": {
        "sku": {"type": "string", "title": "Product", "maxLength": 40},
        "kind": {"type": "string", "title": "Kind", "oneOf": [{"const": "gift", "title": "Gift"}]},
        "day": {"type": "string", "format": "date", "title": "Day", "maxLength": 10},
        "express": {"type": "boolean", "title": "Express"},
        "checks": {
            "type": "array", "title": "Checks", "maxItems": 2, "uniqueItems": True,
            "items": {"type": "string", "enum": ["a", "b"]},
        },
        "items": {
            "type": "array",
            "title": "Items",
            "maxItems": 10,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"quantity": {"type": "integer", "title": "Quantity", "minimum": 1}},
            },
        },
    },
    "examples": [{"sku": "product-a", "items": [{"quantity": 2}]}],
}
GOOD_UI: dict[str, Any] = {
    "ui:order": ["sku", "*"],
    "kind": {"ui:widget": "radio", "ui:help": "Why?"},
    "items": {"items": {"quantity": {"ui:widget": "updown"}}},
}


def good_bundle() -> dict[str, bytes]:
    """The bundle that has no findings."""
    return {
        DIAGRAM: GOOD_DIAGRAM.encode(),
        UNDO: GOOD_UNDO.encode(),
        TABLE: GOOD_TABLE.encode(),
        FORM: json.dumps(GOOD_FORM).encode(),
        UI: json.dumps(GOOD_UI).encode(),
    }


class _Mail(External):
    def __init__(self, ports: Any) -> None: ...

    def prepare(self, call: Call) -> str:
        return ""

    def perform(self, arguments: str, key: str) -> str:
        return ""

    def record(self, call: Call, arguments: str, result: str) -> None: ...


def _take(call: Call, form: Mapping[str, Any]) -> dict[str, Any]: ...  # type: ignore[empty-body]
def _form(call: Call) -> FormContext: ...  # type: ignore[empty-body]
def _submission(call: Call) -> dict[str, Any]: ...  # type: ignore[empty-body]
def _reserve(call: Call, sku: str, quantity: int = 1) -> dict[str, Any]: ...  # type: ignore[empty-body]
def _release(call: Call, reason: str) -> dict[str, Any]: ...  # type: ignore[empty-body]


def registry() -> Registry:
    """The operations that the good bundle names."""
    return build_registry(
        None,
        {
            "order.take": _take, "order.form": _form, "order.submission": _submission,
            "stock.reserve": _reserve, "stock.release": _release, "mail.send_out": _Mail,
        },
    )


def findings_of(files: Mapping[str, bytes]) -> list[Finding]:
    return check(files, registry())


def spoiled(old: str, new: str, file: str = DIAGRAM) -> dict[str, bytes]:
    """The good bundle with one piece of text replaced; fails when the text is not there."""
    files = good_bundle()
    text = files[file].decode()
    assert old in text, old
    return files | {file: text.replace(old, new, 1).encode()}


def spoiled_form(change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    """The good bundle with its form changed."""
    form = json.loads(json.dumps(GOOD_FORM))
    change(form)
    return good_bundle() | {FORM: json.dumps(form).encode()}


def process(inner: str, *, before: str = "") -> dict[str, bytes]:
    """A bundle of one process that holds this between the start `begin` and the end `finish`."""
    text = definitions(
        f'{before}<bpmn:process id="small" isExecutable="true"><bpmn:startEvent id="begin"/>{inner}'
        '<bpmn:endEvent id="finish"/></bpmn:process>'
    )
    return {"small.bpmn": text.encode()}


def rules(findings: list[Finding], element: str | None) -> set[str]:
    """The rules that an element breaks."""
    return {finding.rule for finding in findings if finding.element == element}
