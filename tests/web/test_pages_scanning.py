"""Scanning without scripts: what a code opens, and what is refused at a form that counts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from handlers import barcodes
from handlers.tables import Parcel, Shipment
from tests.postroom import scan as scanner
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_api_journey import do_next
from tests.web.visitor import Visitor, open_task, visitor


def placed_at(world: World, step: int, **changes: Any) -> str:
    """An order whose task of that step is open."""
    number = world.place(**changes)
    for _ in range(20):
        world.work()
        tasks = world.of("owner").get(f"/orders/{number}").json["open_tasks"]
        if tasks and tasks[0]["step"] == step:
            return number
        do_next(world, number, [])
    raise AssertionError(f"{number} never came to step {step}")


def scans(who: Visitor, code: str, **more: Any) -> Any:
    """Where the code leads: the first answer."""
    return who.client.get("/scan", query_string={"code": code}, **more)


def test_an_order_number_opens_its_task(world: World) -> None:
    """For the team whose task it is, in small letters too."""
    order = placed_at(world, 10)
    task = f"/tasks/{open_task(world, order)}"

    assert scans(visitor(world, "warehouse"), order).location == task
    assert scans(visitor(world, "warehouse"), f" {order.lower()}\r").location == task


def test_an_order_that_waits_for_others_opens_with_a_word_why(world: World) -> None:
    """Whose task it is; and of an order that has ended, that it has."""
    order = placed_at(world, 10)
    cancelled = world.place()
    world.of("sales").post(f"/orders/{cancelled}/cancel", {"reason": "She changed her mind."})
    world.work()
    who = visitor(world, "finance")

    page = who.goes(f"/scan?code={order}")
    assert page.heading.startswith(order)
    assert f"No task of {order} waits for your teams. “Package ordered products” waits for Warehouse." in page.text
    assert "It has ended." in who.goes(f"/scan?code={cancelled}").text


def test_every_printed_code_opens_its_order(world: World) -> None:
    """Read back from the papers as a scanner reads them: packing slip, invoice, and each parcel's label."""
    order = placed_at(world, 13)
    task, who, read = f"/tasks/{open_task(world, order)}", visitor(world, "shipping"), 0
    for name in ("packing-slip.pdf", "invoice.pdf", "label.pdf"):
        pdf = world.of("owner").get(f"/orders/{order}/documents/{name}").data
        for code in (found for page in scanner(pdf) for found in page):
            assert scans(who, code.text).location == task, (name, code.text)
            assert scans(who, code.symbology_identifier + code.text.replace("(00)", "00")).location == task
            read += 1
    assert read >= 3


def test_a_parcel_and_a_shipment_open_their_order(world: World) -> None:
    """By the SSCC with and without its identifier, by tracking number and booking reference."""
    order = placed_at(world, 13)
    with world.database.read() as session:
        sscc = session.scalars(select(Parcel.sscc).where(Parcel.order_number == order)).one()
        shipment = session.scalars(select(Shipment).where(Shipment.order_number == order)).one()
    task, who = f"/tasks/{open_task(world, order)}", visitor(world, "shipping")

    for code in (sscc, f"]C100{sscc}", shipment.tracking_number, shipment.reference):
        assert scans(who, str(code)).location == task


def test_a_product_opens_the_one_task_or_lists_several(world: World) -> None:
    """Of my teams alone, soonest due first, with how many pieces."""
    first = placed_at(world, 10)
    who = visitor(world, "warehouse")
    assert scans(who, "product-a").location == f"/tasks/{open_task(world, first)}"

    world.clock.advance(hours=1)
    second = placed_at(world, 10, items=[{"sku": "product-a", "quantity": 4}, {"sku": "product-b", "quantity": 1}])
    page = who.goes("/scan?code=product-a")

    rows = [" ".join(row.text_content().split()) for row in page.find("//main//tbody/tr")]
    assert page.heading == "Tasks with Product A"
    assert [order in row for order, row in zip((first, second), rows, strict=True)] == [True, True]
    assert page.find("//td[@data-l='Pieces']/text()") == ["2", "4"]
    assert scans(who, "product-b").location == f"/tasks/{open_task(world, second)}"
    assert "No open task of your teams is for an order that holds Product A" in visitor(
        world, "finance").goes("/scan?code=product-a").text  # fmt: skip


def test_a_product_asks_a_fixed_number_of_statements(world: World) -> None:
    """However many tasks it is in, and the list has room for fifty."""
    who = visitor(world, "warehouse")
    counts = []
    for _ in range(3):
        for _ in range(2):
            placed_at(world, 9)
        with statements(world.database) as seen:
            assert "Tasks with" in who.goes("/scan?code=product-a").heading
        counts.append(len(seen))
    assert len(set(counts)) == 1
    assert counts[0] <= 10


@pytest.mark.parametrize(("code", "said"), [
    (barcodes.sscc(7)[:-1] + "0", "its check digit does not fit"),
    (barcodes.sscc(7), "no parcel of ours has it"),
    ("4006381333931", "It is a number of 13 digits. An SSCC has 18."),
    ("product-z", "No order, parcel, shipment or product has it."),
    ("x" * 300, "What was read is no code of ours."),
    ("]C1", "What was read is no code of ours."),
    ("<b>x</b>", "No order, parcel, shipment or product has it."),
])  # fmt: skip
def test_a_code_that_opens_nothing_says_what_it_could_not_be(world: World, code: str, said: str) -> None:
    """With what was read, in words, and the field to try again."""
    page = visitor(world, "warehouse").goes("/scan", follow=True)
    assert page.status == 200

    answer = scans(visitor(world, "warehouse"), code)

    assert answer.status_code == 404
    text = answer.get_data(as_text=True)
    assert said in text
    assert "<b>x" not in text


def test_a_task_of_another_team_is_not_opened(world: World) -> None:
    """A scan shows nobody more than they may see; strangers are asked to sign in."""
    order = placed_at(world, 10)

    answer = scans(visitor(world, "sales"), order)
    assert answer.location == f"/orders/{order}"
    assert "/sign-in" in scans(Visitor(world.app), order).location


def at_task(who: Visitor, task: str, code: str) -> Any:
    """What the counter of a task's form asks of a code."""
    token = who.goes("/inbox").value("csrf_token")
    return who.client.post(f"/tasks/{task}/scan", data={"csrf_token": token, "code": code})


def test_a_wrong_piece_is_refused_and_kept_in_the_history(world: World) -> None:
    """One that is not in the order, one too many, and one that nobody knows; a misread label is no piece."""
    order = placed_at(world, 10)
    task, who = open_task(world, order), visitor(world, "warehouse")
    before = len(world.engine.history(order))

    assert at_task(who, task, "product-e").json == {
        "wrong": f"Product E (product-e) is not in {order}. Put it back."}  # fmt: skip
    assert at_task(who, task, "PRODUCT-A").json == {"wrong": "All 2 of Product A are counted. Put this one back."}
    assert "is nothing that is counted" in at_task(who, task, "4006381333931").json["wrong"]
    assert "was misread" in at_task(who, task, barcodes.sscc(7)[:-1] + "0").json["wrong"]

    events = world.engine.history(order)[before:]
    assert [(e.kind, e.actor, e.element, e.detail["code"]) for e in events] == [
        ("wrong_scan", "warehouse", "package_products", code) for code in ("product-e", "PRODUCT-A", "4006381333931")
    ]
    assert world.engine.verify_audit(order) == []
    assert "scanned “product-e” and was refused" in who.goes(f"/orders/{order}").text


def test_another_code_at_a_counting_task_leads_on(world: World) -> None:
    """To the other order; the order's own number says that this is it. Neither is a wrong piece."""
    order, other = placed_at(world, 10), placed_at(world, 10)
    task, who = open_task(world, order), visitor(world, "warehouse")
    before = len(world.engine.history(order))

    assert at_task(who, task, other).json == {"go": f"/scan?code={other}"}
    assert at_task(who, task, order).json == {"says": f"This is {order}, which you are working on."}
    assert len(world.engine.history(order)) == before


def test_a_wrong_scan_is_kept_only_of_who_may_do_the_task(world: World) -> None:
    """Not of another team, not under a colleague's claim, not when it is done."""
    order = placed_at(world, 10)
    task = open_task(world, order)
    assert at_task(visitor(world, "sales"), task, "product-e").status_code == 404
    assert at_task(visitor(world, "owner"), task, "product-e").status_code == 403
    do_next(world, order, [])
    assert at_task(visitor(world, "warehouse"), task, "product-e").status_code == 409

    assert "wrong_scan" not in [event.kind for event in world.engine.history(order)]


def test_the_form_without_scripts_is_what_it_was(world: World) -> None:
    """The counter is hidden until a script shows it, sends nothing of its own, and knows what is wanted."""
    order = placed_at(world, 10)
    page = visitor(world, "warehouse").goes(f"/tasks/{open_task(world, order)}")

    (counter,) = page.find("//div[@data-counter]")
    assert "hidden" in counter.attrib
    assert counter.xpath(".//*[@name]") == []
    assert [(li.get("data-piece"), li.get("data-wanted")) for li in counter.iter("li")] == [("product-a", "2")]
    assert page.value("/contents/0/quantity") == "2"


def test_wrong_contents_are_refused_by_the_step_as_well(world: World) -> None:
    """Whatever a page has counted: the operation compares with the order."""
    order = placed_at(world, 10)
    detail = world.task_of(order)
    data = detail["form"]["examples"][0]
    data["contents"].append({"sku": "product-e", "parcel": 1, "quantity": 1})

    answer = world.of("warehouse").post(f"/tasks/{detail['id']}/complete", {"data": data})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "/data/contents/1/sku"
