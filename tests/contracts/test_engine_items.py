"""A step that is done once for each item of a list (multi-instance)."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Bundle, Database, Engine
from engine.views import SYSTEM, Actor
from handlers.contract import Registry

PACKER = Actor("mei", frozenset(["warehouse"]))
FORM = b"""{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Look", "type": "object",
 "additionalProperties": false, "properties": {"fine": {"type": "boolean", "title": "Fine"}}}"""


def diagram(sequential: bool) -> bytes:
    order = "true" if sequential else "false"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core" id="d" targetNamespace="urn:test">
  <process id="parcels_check" name="Look at parcels" isExecutable="true">
    <extensionElements><spiffworkflow:properties>
      <spiffworkflow:property name="startsWith" value="parcels"/>
    </spiffworkflow:properties></extensionElements>
    <startEvent id="began"><outgoing>f1</outgoing></startEvent>
    <userTask id="look" name="Look at the parcel">
      <extensionElements><spiffworkflow:properties>
        <spiffworkflow:property name="team" value="warehouse"/>
        <spiffworkflow:property name="due" value="PT1H"/>
        <spiffworkflow:property name="formJsonSchemaFilename" value="look.json"/>
      </spiffworkflow:properties></extensionElements>
      <incoming>f1</incoming><outgoing>f2</outgoing>
      <multiInstanceLoopCharacteristics isSequential="{order}">
        <loopDataInputRef>parcels</loopDataInputRef><inputDataItem id="parcel" name="parcel"/>
      </multiInstanceLoopCharacteristics>
    </userTask>
    <endEvent id="seen"><incoming>f2</incoming></endEvent>
    <sequenceFlow id="f1" sourceRef="began" targetRef="look"/>
    <sequenceFlow id="f2" sourceRef="look" targetRef="seen"/>
  </process>
</definitions>""".encode()


@pytest.mark.parametrize(("sequential", "open_at_once"), [(False, 3), (True, 1)])
def test_each_item_of_a_variable_gets_its_own_task(
    database: Database, clock: Any, sequential: bool, open_at_once: int
) -> None:
    """The list is a variable of the instance; a restart in between changes nothing."""
    def engine() -> Engine:
        return Engine(database, Registry({}), clock)

    files = {"processes/look.bpmn": diagram(sequential), "forms/look.json": FORM}
    engine().deploy(Bundle(files), SYSTEM)
    engine().start("parcels_check", "P-1", SYSTEM, variables={"parcels": ["a", "b", "c"]})

    done = 0
    while waiting := [task for task in engine().order_tasks("P-1") if task.state == "open"]:
        assert len(waiting) == min(open_at_once, 3 - done)
        engine().complete(waiting[0].id, PACKER, {"fine": True})
        done += 1

    assert done == 3
    assert engine().instance("P-1").status == "closed"
