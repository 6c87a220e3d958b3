"""The page of one order: few statements, everything about it in one place, a history that stays readable."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.views import Actor
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_api_journey import do_next
from tests.web.test_pages_orders import breaks, placed
from tests.web.visitor import Visitor, open_task, visitor

MOST = 12
"""Statements of a page or call, whatever happened to the order."""
UNCHANGED = 3
"""Statements of a question whether anything is new."""
SALES = Actor("sales", frozenset({"sales"}))
FIVE = [{"sku": f"product-{letter}", "quantity": 1} for letter in "abcde"]


def early(world: World) -> str:
    return placed(world)


def in_the_middle(world: World) -> str:
    order = placed(world, items=FIVE)
    while "courier.reported" not in world.engine.instance(order).awaits:
        do_next(world, order, [])
        world.work()
    return order


def with_exceptions(world: World) -> str:
    order = sent_back(placed(world), world, times=3)
    breaks(world, order)
    for name in ("first", "second"):
        payload = {"amount": 100, "currency": "USD", "reference": name}
        world.send("bank.transfer_received", {"id": name, "order": order, "payload": payload})
    return order


def closed(world: World) -> str:
    order = placed(world)
    for _ in range(40):
        if world.engine.instance(order).status == "closed":
            return order
        do_next(world, order, [])
        world.work()
    raise AssertionError(world.engine.instance(order))


def cancelled(world: World) -> str:
    order = placed(world, items=FIVE)
    world.engine.cancel(order, SALES, "Changed her mind")
    world.work()
    return order


def sent_back(order: str, world: World, *, times: int) -> str:
    """The first gate sends the order back to step 3 as often."""
    for _ in range(times):
        task = open_task(world, order)
        approver = world.of("stock-approver")
        snapshot = approver.get(f"/tasks/{task}").json["snapshot"]
        body = {"decision": "send_back", "comment": "Look again.", "send_back_to": 3, "snapshot": snapshot}
        answer = approver.post(f"/tasks/{task}/decide", {**body, "password": "demo"})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        world.work()
    return order


@pytest.mark.parametrize("made", [early, in_the_middle, with_exceptions, closed, cancelled])
def test_an_order_is_read_in_few_statements(world: World, made: Callable[[World], str]) -> None:
    """Its page, the page's live part, the call for it and for its history, the lists; however it went."""
    order = made(world)
    who, caller = visitor(world, "finance"), world.of("owner")
    asked = {
        address: (lambda address=address: who.goes(address).status)
        for address in (f"/orders/{order}", f"/orders/{order}/live", f"/orders/{order}?lines=900", "/orders")
    }
    asked |= {
        f"api {path}": (lambda path=path: caller.get(path).status_code)
        for path in (f"/orders/{order}", f"/orders/{order}/history", "/orders")
    }

    for address, ask in asked.items():
        with statements(world.database) as seen:
            assert ask() == 200, address
        assert len(seen) <= MOST, (address, len(seen), seen)


def live_address(page: object) -> str:
    found = page.find("//*[@id='order-live']/@hx-get")  # type: ignore[attr-defined]
    return str(found[0])


def test_nothing_new_is_answered_without_reading_the_order(world: World) -> None:
    """The page asks every few seconds; a command, a message or another minute make it new."""
    order = placed(world)
    who = visitor(world, "finance")
    address = live_address(who.goes(f"/orders/{order}"))

    with statements(world.database) as seen:
        assert who.goes(address).status == 204
    assert len(seen) <= UNCHANGED, seen

    world.engine.note(order, SALES, "Call her first.")
    noted = who.goes(address)
    assert "Call her first." in noted.text
    assert who.goes(live_address(noted)).status == 204

    world.send("bank.transfer_received", {"id": "a", "order": order, "payload": {"amount": 1, "currency": "USD"}})
    heard = who.goes(live_address(noted))
    assert "that nothing waits for" in heard.text

    world.clock.advance(minutes=1)
    assert who.goes(live_address(heard)).status == 200


def test_the_page_says_whose_turn_it_is_since_when_and_how_late(world: World) -> None:
    """With the name of who has the task, and a warning once it is late."""
    order = placed(world)
    task = open_task(world, order)

    def waits() -> str:
        found = visitor(world, "owner").goes(f"/orders/{order}").find("//dt[.='Waits for']/following-sibling::dd")
        return " ".join(found[0].text_content().split())

    world.clock.advance(minutes=12)
    assert waits().startswith("Approval: Inventory Reservation Stock approvers, for 12 min, due ")

    world.of("stock-approver").post(f"/tasks/{task}/claim")
    world.clock.advance(days=3)
    said = waits()
    assert "of Stock approvers has it, for 3 days" in said
    assert said.endswith("late") or "late, escalated" in said


def test_a_step_counts_against_its_own_process(world: World) -> None:
    """The strip and the number of steps are those of the version the order runs on."""
    page = visitor(world, "owner").goes(f"/orders/{placed(world)}")

    assert "Step 5 of 20" in page.text
    assert "until step 13, Confirm pickup with shipment courier" in page.text


def test_signatures_stand_on_the_order(world: World) -> None:
    """Who decided what at which gate, with the comment and what was signed."""
    order = sent_back(placed(world), world, times=1)

    row = visitor(world, "owner").goes(f"/orders/{order}").find("//section[@id='signatures']//tbody/tr")[0]
    text = " ".join(row.text_content().split())

    assert "sent it back to step 3" in text
    assert "Look again." in text
    assert "5 Approval: Inventory Reservation" in text


def test_notes_stand_together(world: World) -> None:
    """Apart from the history, where they stand as well."""
    order = placed(world)
    world.engine.note(order, SALES, "Ring twice.")

    page = visitor(world, "owner").goes(f"/orders/{order}")

    assert "Ring twice." in page.find("//section[@id='notes']")[0].text_content()
    assert "Ring twice." in page.find("//section[@id='history']")[0].text_content()


def lines(page: object) -> list[str]:
    found = page.find("//section[@id='history']//ol/li[not(@class)]")  # type: ignore[attr-defined]
    return [" ".join(line.text_content().split()) for line in found]


def test_the_history_is_read_by_who_wrote_it(world: World) -> None:
    """All of it, what people did, what the system did."""
    order = sent_back(placed(world), world, times=1)
    who = visitor(world, "owner")

    everything, people, system = (
        lines(who.goes(f"/orders/{order}{part}")) for part in ("", "?show=people", "?show=system")
    )

    assert len(everything) == len(people) + len(system) == len(world.engine.history(order))
    assert any("sent it back to step 3" in line for line in people)
    assert all("by Waybill" not in line for line in people)


def test_a_long_history_shows_its_newest_lines_first(world: World) -> None:
    """Earlier ones are a link away; nothing is left out at the end, and the live part keeps what is shown."""
    order = sent_back(placed(world), world, times=15)
    who, all_of_it = visitor(world, "owner"), len(world.engine.history(order))
    assert all_of_it > 60

    first = who.goes(f"/orders/{order}")
    assert len(lines(first)) == 40
    assert "The order was started" not in " ".join(lines(first))

    whole = who.goes(first.link("earlier"))
    assert len(lines(whole)) == all_of_it
    assert "lines=240" in live_address(whole)


def test_a_change_of_data_is_shown_as_before_and_after(world: World) -> None:
    """In words, only what differs; an amount of money with its currency."""
    order = placed(world)
    while world.engine.instance(order).step != 10:
        do_next(world, order, [])
        world.work()
    do_next(world, order, [])

    found = visitor(world, "owner").goes(f"/orders/{order}").find("//details[@class='changed']//div")
    told = [(row.findtext("dt"), " ".join(row.find("dd").text_content().split())) for row in found]

    assert ("Order, weight", "900 g → is now 1.15 kg") in told
    assert ("Invoice, total", "$49.80") in told
    assert [name for name, value in told if "is now" in value] == ["Order, weight"]


def test_an_order_whose_intake_is_not_done_has_a_page(world: World) -> None:
    """With what there is, and where it waits."""
    who = visitor(world, "sales")
    form = who.goes("/orders").form("/orders")
    who.sends("/orders", form)

    page = who.goes("/orders/WB-10001")

    assert page.status == 200
    assert "being taken" in page.text


def test_an_order_that_is_not_there_is_not_there(world: World) -> None:
    """Neither its page nor its live part."""
    who: Visitor = visitor(world, "owner")

    assert (who.goes("/orders/WB-9").status, who.goes("/orders/WB-9/live").status) == (404, 404)


def test_within_a_minute_nothing_is_drawn_anew(world: World) -> None:
    """The times on the page are right for a minute."""
    order = placed(world)
    who = visitor(world, "owner")
    address = live_address(who.goes(f"/orders/{order}"))

    world.clock.advance(seconds=10)

    assert who.goes(address).status == 204
