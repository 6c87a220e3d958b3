"""The harness itself: its lists are complete, its trouble can be repeated, it notices a step out of order."""

from __future__ import annotations

import re

from app import Parts
from settings import ROOT
from tests.crash.instruments import METHODS
from tests.crash.points import CALLS, COMMANDS, expected
from tests.crash.schedule import schedule
from tests.crash.steporder import StepOrder


def test_the_same_seed_makes_the_same_trouble() -> None:
    """A run that found a fault can be run again; another seed makes other trouble."""
    first = schedule(3, kills=50, pauses=9, wipes=4)

    assert first == schedule(3, kills=50, pauses=9, wipes=4)
    assert first != schedule(4, kills=50, pauses=9, wipes=4)
    assert [trouble.kind for trouble in first].count("kill") == 50


def test_every_external_operation_has_its_points(parts: Parts) -> None:
    """A new operation that acts outside must be met by a run: each of its parts is a label."""
    external = {name for name, operation in parts.engine.registry.items() if operation.external is not None}

    assert external == set(CALLS)
    assert len(set(expected(parts.engine.registry))) == len(expected(parts.engine.registry))


def test_every_command_of_people_is_a_method_that_the_api_calls(parts: Parts) -> None:
    """A command that was renamed would go by without a point: the API calls it by the name given here."""
    calls = ("tasks", "orders", "jobs", "messages")
    text = "".join((ROOT / "web" / "api" / f"{name}.py").read_text() for name in calls)
    by_people = {"start", "complete", "decide", "cancel", "claim", "release", "assign", "draft", "retry", "resolve",
                 "set aside", "put back"}

    named = {command for method, command in METHODS.items() if f"engine.{method}(" in text}

    assert set(METHODS.values()) <= set(COMMANDS)
    assert by_people <= named


def test_every_way_to_sign_has_the_points_of_a_decision() -> None:
    """Several gates at once are decisions one after the other, and an emergency is one; other calls about gates move no
    order."""
    text = (ROOT / "web" / "api" / "gates.py").read_text() + (ROOT / "web" / "api" / "tasks.py").read_text()
    moves_none = {"acknowledge_alarm", "alarms", "delegate", "delegations", "revoke_delegation"}

    about_gates = set(re.findall(r"engine\.(\w*decide\w*|override\w*|\w*delegat\w*|\w*alarm\w*)\(", text))

    assert {method for method in about_gates - moves_none if METHODS.get(method) != "decide"} == set()
    assert {"decide", "decide_many", "override"} <= about_gates


def test_what_recovers_each_command_is_written_down() -> None:
    """The table of crash points names every command before and after its commit."""
    table = (ROOT / "docs" / "durability.md").read_text().partition("## Crash points")[2].partition("\n## ")[0]
    named = {
        (when, command.strip())
        for line in table.splitlines() for when in ("before commit", "after commit")
        if line.startswith(f"| {when}: ")
        for command in line.removeprefix(f"| {when}: ").partition(" |")[0].split(",")
    }  # fmt: skip

    assert named == {(when, command) for when in ("before commit", "after commit") for command in COMMANDS}


def test_a_step_before_its_turn_is_noticed() -> None:
    """A history may repeat steps that were sent back, and leave a step over its border; it may not skip one."""
    order = StepOrder(ROOT / "processes" / "order_fulfillment.bpmn")
    usual = ["receive_order", "verify_customer", "check_availability", "reserve_inventory", "policy_for_reservation",
             "approve_reservation"]

    assert list(order.faults(usual + usual[2:])) == []
    assert list(order.faults(["receive_order", "correct_details", "verify_customer"])) == []
    assert len(list(order.faults(["receive_order", "check_availability"]))) == 1
    assert len(list(order.faults(["verify_customer"]))) == 1
