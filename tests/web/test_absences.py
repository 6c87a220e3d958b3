"""People who are away: wherever a colleague's name stands for work to be done, the page says so."""

from __future__ import annotations

from datetime import timedelta

from engine import SYSTEM
from engine.housekeeping import Housekeeping
from tests.web.api_world import World
from tests.web.visitor import open_task, visitor
from web.accounts.administration import Administration

HELENA, RAVI = "stock-approver", "stock-approver-2"


def goes_away(world: World, name: str, *, after: int = 0, days: int = 10, keep: bool = True) -> None:
    """In so many days, for so many."""
    since = world.clock.now() + timedelta(days=after)
    with world.engine.transaction() as session:
        Administration(world.engine, session, SYSTEM).away(
            name, since, since + timedelta(days=days), "sales", keep_tasks=keep
        )


def claimed_gate(world: World) -> tuple[str, str]:
    """An order at its first gate, which Helena has claimed."""
    order = world.place()
    world.work()
    task = open_task(world, order)
    assert world.of(HELENA).post(f"/tasks/{task}/claim").status_code == 200
    return order, task


def test_the_lists_and_the_order_say_that_a_colleague_is_away(world: World) -> None:
    """Behind the name of who has the task, with the last day of the absence; of somebody who is there, nothing."""
    order, _ = claimed_gate(world)
    ravi = visitor(world, RAVI)
    assert "Helena Brandt, away" not in ravi.goes("/inbox").text

    goes_away(world, HELENA)

    day = (world.clock.now() + timedelta(days=10)).day
    assert f"Helena Brandt, away until {day} " in ravi.goes("/inbox").text
    assert f"away until {day} " in ravi.goes(f"/orders/{order}").text


def test_the_gate_says_which_signers_are_away(world: World) -> None:
    """Beside the names of those who can sign."""
    _, task = claimed_gate(world)
    goes_away(world, RAVI)

    page = visitor(world, "owner").goes(f"/tasks/{task}")

    can = page.find("//h2[normalize-space()='Who can sign']/following-sibling::ul")[0]
    assert ["away until" in line.text_content() for line in can] == ["Ravi" in line.text_content() for line in can]


def test_a_task_may_be_given_to_who_is_away_and_the_answer_says_so(world: World) -> None:
    """The team may know better; nobody does it unawares."""
    _, task = claimed_gate(world)
    there = world.of(HELENA).post(f"/tasks/{task}/assign", {"to": RAVI}).json
    goes_away(world, HELENA)

    away = world.of(RAVI).post(f"/tasks/{task}/assign", {"to": HELENA}).json

    assert (there["assignee"], there["away"]) == (RAVI, None)
    assert (away["assignee"], away["away"]["stand_in"]) == (HELENA, "sales")
    assert away["away"]["until"].startswith((world.clock.now() + timedelta(days=10)).date().isoformat())


def test_tasks_go_back_when_a_planned_absence_begins(world: World) -> None:
    """Not before, once, and with the name in the order's history; by the worker's housekeeping."""
    order, task = claimed_gate(world)
    goes_away(world, HELENA, after=2, keep=False)
    Housekeeping(world.engine).look()
    assert world.task_of(order)["assignee"] == HELENA

    world.clock.advance(days=2)
    assert world.engine.release_absent() == 1
    assert world.engine.release_absent() == 0

    assert world.task_of(order)["assignee"] is None
    event = world.engine.history(order)[-1]
    assert (event.kind, event.actor, event.detail["was"]) == ("released", "waybill", HELENA)
    said = visitor(world, "owner").goes(f"/orders/{order}").text
    assert "taken back from Helena Brandt" in said
    assert "Helena Brandt is away." in said
    world.of(HELENA).post(f"/tasks/{task}/claim")
    assert world.engine.release_absent() == 0, "what is claimed during an absence stays"


def test_who_keeps_the_tasks_or_comes_back_before_keeps_them(world: World) -> None:
    """The choice is theirs, and may be taken back until the absence begins."""
    order, _ = claimed_gate(world)
    goes_away(world, HELENA, after=2, keep=False)
    goes_away(world, HELENA, after=2, keep=True)
    world.clock.advance(days=2)
    assert world.engine.release_absent() == 0

    goes_away(world, HELENA, after=2, keep=False)
    with world.engine.transaction() as session:
        Administration(world.engine, session, SYSTEM).away(HELENA, None, None, None, keep_tasks=False)
    world.clock.advance(days=3)

    assert world.engine.release_absent() == 0
    assert world.task_of(order)["assignee"] == HELENA


def test_everybody_finds_where_to_say_that_they_are_away(world: World) -> None:
    """From the own account; a planned absence stands on the page and in its form, to be changed."""
    helena = visitor(world, HELENA)
    page = helena.goes(helena.goes("/account").link("Say when you are away"))
    day = (world.clock.now() + timedelta(days=9)).date()
    form = {**page.form("/away"), "do": "away", "since": day.isoformat(), "until": day.isoformat()}

    planned = helena.sends(f"/people/{HELENA}/away", form)

    assert "will be away from" in planned.text
    assert (planned.value("since"), planned.value("until")) == (day.isoformat(), day.isoformat())
