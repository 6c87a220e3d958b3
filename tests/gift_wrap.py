"""The change that tests of versions make: gift wrap as a task of its own after step 10, with a form.

It also changes what a second analyst must not overlook: a form, a due time, a decision table; and it takes away the
timer of a late pickup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

DIAGRAM = "processes/order_fulfillment.bpmn"
REASON = "Gift wrap as its own task, so that it is not forgotten before the label."

_DRAWN = """
<bpmn:exclusiveGateway id="gift" name="Gift?" default="gift__label">
  <bpmn:incoming>package_products__create_label</bpmn:incoming>
  <bpmn:outgoing>gift__wrap</bpmn:outgoing><bpmn:outgoing>gift__label</bpmn:outgoing>
</bpmn:exclusiveGateway>
<bpmn:userTask id="gift_wrap" name="Gift wrap">
  <bpmn:documentation>So that it is not forgotten before the label.</bpmn:documentation>
  <bpmn:extensionElements>
    <spiffworkflow:properties>
      <spiffworkflow:property name="team" value="warehouse"/>
      <spiffworkflow:property name="due" value="PT2H"/>
      <spiffworkflow:property name="escalateTo" value="owner"/>
      <spiffworkflow:property name="formJsonSchemaFilename" value="gift_wrap.json"/>
    </spiffworkflow:properties>
    <spiffworkflow:instructionsForEndUser>Wrap it in the paper of the season.</spiffworkflow:instructionsForEndUser>
  </bpmn:extensionElements>
  <bpmn:incoming>gift__wrap</bpmn:incoming><bpmn:outgoing>wrap__label</bpmn:outgoing>
</bpmn:userTask>
<bpmn:sequenceFlow id="gift__wrap" name="gift" sourceRef="gift" targetRef="gift_wrap">
  <bpmn:conditionExpression>package_products.gift</bpmn:conditionExpression>
</bpmn:sequenceFlow>
<bpmn:sequenceFlow id="gift__label" name="no gift" sourceRef="gift" targetRef="create_label"/>
<bpmn:sequenceFlow id="wrap__label" sourceRef="gift_wrap" targetRef="create_label"/>
<bpmn:textAnnotation id="note_1">"""
_PLACED = """
<bpmndi:BPMNShape id="gift_di" bpmnElement="gift" isMarkerVisible="true">
  <dc:Bounds x="1862" y="281" width="50" height="50"/>
  <bpmndi:BPMNLabel><dc:Bounds x="1872" y="263" width="30" height="14"/></bpmndi:BPMNLabel>
</bpmndi:BPMNShape>
<bpmndi:BPMNShape id="gift_wrap_di" bpmnElement="gift_wrap">
  <dc:Bounds x="1972" y="266" width="120" height="80"/>
</bpmndi:BPMNShape>
<bpmndi:BPMNEdge id="gift__wrap_di" bpmnElement="gift__wrap">
  <di:waypoint x="1912" y="306"/><di:waypoint x="1972" y="306"/>
</bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="gift__label_di" bpmnElement="gift__label">
  <di:waypoint x="1887" y="331"/><di:waypoint x="1887" y="860"/><di:waypoint x="1762" y="860"/>
  <di:waypoint x="1762" y="879"/>
</bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="wrap__label_di" bpmnElement="wrap__label">
  <di:waypoint x="2032" y="346"/><di:waypoint x="2032" y="868"/><di:waypoint x="1772" y="868"/>
  <di:waypoint x="1772" y="879"/>
</bpmndi:BPMNEdge>
</bpmndi:BPMNPlane>"""
_FORM = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Gift wrap", "type": "object",
    "additionalProperties": False,
    "properties": {
        "paper": {"type": "string", "title": "Paper", "maxLength": 20,
                  "oneOf": [{"const": "red", "title": "Red"}, {"const": "blue", "title": "Blue"}]},
        "card": {"type": "string", "title": "Card", "maxLength": 200},
    },
    "required": ["paper"],
}  # fmt: skip


def with_gift_wrap(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a bundle with the change."""
    packing = json.loads(files["forms/package_products.json"])
    packing["properties"]["gift"] = {"type": "boolean", "title": "Gift", "default": False}
    look = json.loads(files["forms/package_products.ui.json"])
    look["ui:order"].append("gift")
    return {
        **files,
        DIAGRAM: _diagram(files[DIAGRAM].decode()).encode(),
        "forms/package_products.json": json.dumps(packing).encode(),
        "forms/package_products.ui.json": json.dumps(look).encode(),
        "forms/gift_wrap.json": json.dumps(_FORM).encode(),
        "forms/gift_wrap.ui.json": b'{"ui:order": ["paper", "card"]}',
        "processes/courier_choice.dmn": files["processes/courier_choice.dmn"].replace(b'"courier_c"', b'"courier_d"'),
    }


def without_late_pickup(text: str) -> str:
    """A diagram without the timer of step 13 and its flow."""
    for pattern in (
        r'<bpmn:boundaryEvent id="pickup_late".*?</bpmn:boundaryEvent>',
        r'<bpmn:sequenceFlow id="pickup_late__choose_courier"[^>]*/>',
        r"<bpmn:incoming>pickup_late__choose_courier</bpmn:incoming>",
        r"<bpmn:flowNodeRef>pickup_late</bpmn:flowNodeRef>",
        r'<bpmndi:BPMNShape id="pickup_late_di".*?</bpmndi:BPMNShape>',
        r'<bpmndi:BPMNEdge id="pickup_late__choose_courier_di".*?</bpmndi:BPMNEdge>',
    ):
        text, found = re.subn(pattern, "", text, flags=re.DOTALL)
        assert found == 1, pattern
    return text


def _diagram(text: str) -> str:
    for old, new in (
        ("<bpmn:incoming>package_products__create_label</bpmn:incoming>",
         "<bpmn:incoming>gift__label</bpmn:incoming><bpmn:incoming>wrap__label</bpmn:incoming>"),
        ('sourceRef="package_products" targetRef="create_label"', 'sourceRef="package_products" targetRef="gift"'),
        ("<bpmn:flowNodeRef>package_products</bpmn:flowNodeRef>",
         "<bpmn:flowNodeRef>package_products</bpmn:flowNodeRef><bpmn:flowNodeRef>gift</bpmn:flowNodeRef>"
         "<bpmn:flowNodeRef>gift_wrap</bpmn:flowNodeRef>"),
        ('name="due" value="PT8H"', 'name="due" value="PT6H"'),
        ('<di:waypoint x="1790" y="346"/>', '<di:waypoint x="1822" y="306"/>'),
        ('<di:waypoint x="1790" y="879"/>', '<di:waypoint x="1862" y="306"/>'),
        ('<bpmn:textAnnotation id="note_1">', _DRAWN),
        ("</bpmndi:BPMNPlane>", _PLACED),
    ):  # fmt: skip
        assert old in text, old
        text = text.replace(old, new, 1)
    return without_late_pickup(text)
