"""A timer that an order waits for and for nothing else, when firing it fails."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from engine import Bundle, Database, Engine
from engine.errors import Conflict
from engine.store.tables import Job
from engine.views import SYSTEM, Actor
from handlers.contract import Registry

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)
WAIT = b"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d" targetNamespace="urn:test">
  <process id="wait_a_day" name="Wait a day" isExecutable="true">
    <startEvent id="began"><outgoing>f1</outgoing></startEvent>
    <intermediateCatchEvent id="later" name="A day later"><incoming>f1</incoming><outgoing>f2</outgoing>
      <timerEventDefinition id="t"><timeDuration>"P1D"</timeDuration></timerEventDefinition></intermediateCatchEvent>
    <endEvent id="over" name="Over"><incoming>f2</incoming></endEvent>
    <sequenceFlow id="f1" sourceRef="began" targetRef="later"/>
    <sequenceFlow id="f2" sourceRef="later" targetRef="over"/>
  </process>
</definitions>"""


def test_a_timer_that_is_all_an_order_waits_for_is_not_resolved_by_hand(database: Database, clock: Any) -> None:
    """The order would wait for ever; tried again it goes on."""
    engine = Engine(database, Registry({}), clock)
    engine.deploy(Bundle({"processes/wait.bpmn": WAIT}), SYSTEM)
    engine.start("wait_a_day", "W-1", SYSTEM)
    clock.advance(days=1)
    with engine.transaction() as session:
        session.execute(update(Job).values(state="dead", error="It failed."))
    [incident] = engine.incidents()
    job_id = incident.jobs[0].id

    with pytest.raises(Conflict, match="waits only for this timer"):
        engine.resolve(job_id, OWNER, "Never mind.")
    engine.retry(job_id, OWNER)
    engine.work()

    assert engine.instance("W-1").status == "closed"
