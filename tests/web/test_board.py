"""The board: open orders by step, late ones first, by team, and what a search finds."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from engine.store.tables import Job, Task
from engine.views import Actor
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_orders import breaks, placed
from tests.web.visitor import Page, visitor
from web.board import board

GATE = 4
"""Place of step 5 in the list."""


def rows(page: Page) -> list[str]:
    return [" ".join(row.text_content().split()) for row in page.find("//ol[@class='board']/li")]


def due(world: World, order: str, **when: float) -> None:
    """Sets when the order's task is due, from now."""
    at = world.clock.now() + timedelta(**when)
    with world.database.write() as session:
        session.execute(update(Task).where(Task.business_key == order, Task.state == "open").values(due_at=at))


def test_the_board_counts_the_orders_of_each_step(world: World) -> None:
    """All twenty steps, also the empty ones; how long the oldest has waited."""
    orders = [placed(world) for _ in range(3)]
    world.clock.advance(hours=2)

    found = rows(visitor(world, "owner").goes("/board"))

    assert len(found) == 20
    assert found[GATE].startswith("5 Approval: Inventory Reservation 3 the longest has waited 2 h ")
    assert orders[0].removeprefix("WB-") in found[GATE]
    assert found[0] == "1 Receive new order from customer 0"


def test_late_orders_stand_first_then_stopped_ones_then_those_due_soonest(each_world: World) -> None:
    """The latest at the head; a count of both beside the step, and over all of them above."""
    world = each_world
    later, soon, stopped, late, very_late = (placed(world).removeprefix("WB-") for _ in range(5))
    due(world, f"WB-{later}", hours=9)
    due(world, f"WB-{soon}", hours=1)
    due(world, f"WB-{stopped}", hours=12)
    breaks(world, f"WB-{stopped}")
    due(world, f"WB-{late}", minutes=-5)
    due(world, f"WB-{very_late}", hours=-5)

    page = visitor(world, "owner").goes("/board")

    row = page.find("//ol[@class='board']/li")[GATE]
    shown = [link.text_content().split() for link in row.xpath("ul//a")]
    assert [words[0] for words in shown] == [very_late, late, stopped, soon, later]
    assert [" ".join(words[1:]) for words in shown[:3]] == ["5 h late", "5 min late", "incident"]
    assert "5 2 late 1 incident" in rows(page)[GATE]
    assert "5 open orders, 2 late, 1 stopped by an incident." in page.text


def test_a_step_names_a_few_orders_and_says_how_many_more(world: World) -> None:
    """The rest is a link away, in the list of orders with the same filters."""
    for _ in range(8):
        placed(world)
    who = visitor(world, "owner")

    page = who.goes("/board?team=stock-approvers")

    assert "and 3 more" in rows(page)[GATE]
    assert len(who.goes(page.link("and 3 more")).find("//main//tbody/tr")) == 8


def test_the_board_shows_the_orders_of_one_team_or_the_late_ones(world: World) -> None:
    """Each tab with its number; a filter that finds nothing says so."""
    late, other = placed(world), placed(world)
    due(world, late, hours=-1)
    due(world, other, hours=1)
    who = visitor(world, "owner")

    tabs = [" ".join(a.text_content().split()) for a in who.goes("/board").find("//nav[@aria-label='Filter']/a")]
    assert tabs == ["All teams 2", "Stock approvers 2", "Late 1"]
    only_late = " ".join(rows(who.goes("/board?late=1")))
    assert (late.removeprefix("WB-") in only_late, other.removeprefix("WB-") in only_late) == (True, False)
    assert "No open order of these" in who.goes("/board?team=finance").text


def test_the_board_is_searched_within(world: World) -> None:
    """By customer, number, SKU: what the list of orders finds."""
    mia = placed(world)
    other = placed(world, customer={"name": "Jo Li", "email": "jo@example.com", "phone": "+1 212 736 3100"})
    who = visitor(world, "owner")

    for q in ("jo li", other, "jo@example.com"):
        found = " ".join(rows(who.goes(f"/board?q={q}")))
        assert (other.removeprefix("WB-") in found, mia.removeprefix("WB-") in found) == (True, False), q


def test_an_ended_order_is_on_no_board(world: World) -> None:
    """A cancelled one either."""
    order = placed(world)
    world.engine.cancel(order, Actor("sales", frozenset({"sales"})), "Changed her mind")
    world.work()

    assert "0 open orders, none late" in visitor(world, "owner").goes("/board").text


def test_the_board_is_read_in_two_statements(each_world: World) -> None:
    """However many orders are open; with a filter as well."""
    for _ in range(7):
        placed(each_world)

    for filters in ({}, {"team": "stock-approvers", "late": True}):
        with each_world.database.read() as session, statements(each_world.database) as seen:
            board(session, each_world.clock.now(), **filters)
        assert len(seen) == 2, filters


def test_the_board_says_nothing_while_nothing_changes(world: World) -> None:
    """It is asked for every ten seconds, with its filters."""
    placed(world)
    who = visitor(world, "owner")
    address = str(who.goes("/board?team=stock-approvers").find("//*[@id='board']/@hx-get")[0])

    assert "team=stock-approvers" in address
    assert who.goes(address).status == 204
    with world.database.write() as session:
        session.execute(update(Job).values(state="dead"))
        session.execute(update(Task).values(due_at=world.clock.now() - timedelta(hours=1)))
    assert "late" in who.goes(address).text
