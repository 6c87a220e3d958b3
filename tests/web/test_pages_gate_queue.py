"""Signing several gates in a row: the next one opens by itself, and the page says how things stand."""

from __future__ import annotations

from tests.web.api_world import World
from tests.web.test_api_tasks import DOUBTFUL
from tests.web.test_pages_gates import decides, order_at_gate
from tests.web.visitor import Visitor, visitor


def gate_of(page_address: str) -> str:
    """The task in the address of a gate's page."""
    return page_address.rpartition("/")[2]


def test_after_signing_the_next_gate_opens(world: World) -> None:
    """With a line that says what was just done, and how many are left; the inbox when none is."""
    first, task = order_at_gate(world)
    second, other = order_at_gate(world)
    who = visitor(world, "stock-approver")

    page = decides(who, task, decision="approve")
    assert f"{first} is approved and goes on. One more waits" in page.text
    assert page.form("/decide")
    assert second in page.find("//p[@class='crumb']")[0].text_content()

    page = decides(who, other, decision="reject", comment="Too many.")
    assert page.heading == "Inbox"
    assert f"{second} is rejected" in page.text
    assert "No other approval waits for you." in page.text


def test_the_list_of_gates_says_what_each_order_is_worth(world: World) -> None:
    """An approver picks by the amount; the row of a form has none."""
    order, task = order_at_gate(world)
    doubtful = world.place(customer=DOUBTFUL)
    world.work()

    gate = visitor(world, "stock-approver").goes("/inbox").find(f"//li[@id='row-{task}']")[0].text_content()
    form = visitor(world, "sales").goes("/inbox").find(f"//li[contains(., '{doubtful}')]")[0].text_content()

    assert f"{order} · $49.80 · " in gate
    assert "$" not in form


def test_a_gate_that_one_may_not_sign_does_not_come_next(world: World) -> None:
    """Whoever has signed as the first of two is not led back to it."""
    order_at_gate(world, items=[{"sku": "product-d", "quantity": 20}])
    who = visitor(world, "stock-approver")
    large = who.goes("/inbox").find("//li[starts-with(@id, 'row-')]")[0].get("id")[4:]
    decides(who, large, decision="approve")
    _, task = order_at_gate(world)

    page = decides(who, task, decision="approve")

    assert page.heading == "Inbox"
    assert "No other approval waits for you." in page.text


def test_previous_and_next_lead_through_the_gates_in_order_of_their_due_times(world: World) -> None:
    """Forth and back again, without the list."""
    tasks = []
    for _ in range(3):
        tasks.append(order_at_gate(world)[1])
        world.clock.advance(minutes=5)
    who = visitor(world, "stock-approver")

    seen = [tasks[0]]
    for _ in range(2):
        seen.append(gate_of(who.goes(f"/tasks/{seen[-1]}").link("Next")))
    assert seen == tasks
    assert gate_of(who.goes(f"/tasks/{tasks[1]}").link("Previous")) == tasks[0]
    assert "3 wait for you" in who.goes(f"/tasks/{tasks[2]}").text


def test_stock_and_money_stand_beside_what_is_signed(world: World) -> None:
    """Whoever takes the last pieces is told so, and it is said that this is no part of the signature."""
    _, task = order_at_gate(world, items=[{"sku": "product-d", "quantity": 20}])
    page = visitor(world, "stock-approver").goes(f"/tasks/{task}")

    cells = stock_row(page.find("//table[@aria-label='Stock now']//td"))
    assert int(cells["On hand"]) - 20 - int(cells["For others"]) == int(cells["Left"])
    assert cells["For this order"] == "20"
    assert "no part of the signature" in page.text


def stock_row(cells: list) -> dict[str, str]:  # type: ignore[type-arg]
    return {cell.get("data-l"): cell.text_content().replace(",", "").replace("last pieces", "").strip()
            for cell in cells}  # fmt: skip


def test_a_choice_in_the_address_is_made_in_the_form(world: World) -> None:
    """The bar at the bottom of a phone works without a script: it leads to the form with its choice made."""
    _, task = order_at_gate(world)
    who = visitor(world, "stock-approver")

    page = who.goes(who.goes(f"/tasks/{task}").find("//nav[@aria-label='Decide']/a[@data-decide='reject']")[0]
                    .get("href").partition("#")[0])  # fmt: skip

    assert page.find("//input[@value='reject' and @checked]")
    assert not page.find("//input[@value='approve' and @checked]")


def test_what_was_done_since_the_send_back_is_told(world: World) -> None:
    """Who sent it back and to where, and what Waybill did again."""
    order, task = order_at_gate(world)
    world.clock.advance(minutes=3)
    who: Visitor = visitor(world, "stock-approver")
    decides(who, task, decision="send_back", send_back_to="3", comment="Look again.")
    world.work()

    page = who.goes(who.goes("/inbox").link(order))
    done = page.find("//h3[normalize-space()='Done since']/following-sibling::ol[1]")[0].text_content()
    assert "sent it back to step 3" in page.text
    assert "Check product availability, Reserve inventory for order" in done
    assert "Receive new order" not in done
    assert "No person has worked on the order since" in page.text
