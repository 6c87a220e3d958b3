"""A small process of one task, in as many contents as a test needs, and the analysts who change it."""

from __future__ import annotations

from engine import Bundle
from engine.views import Actor

FORM = b"""{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Look", "type": "object",
 "additionalProperties": false, "properties": {"fine": {"type": "boolean", "title": "Fine"}}}"""
ANALYST = Actor("analyst", frozenset(["analysts"]))
ANOTHER = Actor("analyst-2", frozenset(["analysts"]))
ADMIN = Actor("admin", frozenset(["admin"]), sees_all=True)
DIAGRAM = "processes/look.bpmn"


def bundle(name: str = "Look", *, key: str = "looking", team: str = "warehouse", broken: bool = False) -> Bundle:
    """The process `key` of one task, called `name`; broken: nothing follows the task."""
    flow = "" if broken else '<sequenceFlow id="f2" sourceRef="look" targetRef="seen"/>'
    diagram = f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core" id="d" targetNamespace="urn:test">
  <process id="{key}" name="{name}" isExecutable="true">
    <startEvent id="began"/>
    <userTask id="look" name="{name}"><extensionElements><spiffworkflow:properties>
      <spiffworkflow:property name="team" value="{team}"/>
      <spiffworkflow:property name="due" value="PT1H"/>
      <spiffworkflow:property name="formJsonSchemaFilename" value="look.json"/>
    </spiffworkflow:properties></extensionElements></userTask>
    <endEvent id="seen"/>
    <sequenceFlow id="f1" sourceRef="began" targetRef="look"/>{flow}
  </process>
</definitions>""".encode()
    return Bundle({DIAGRAM: diagram, "forms/look.json": FORM})
