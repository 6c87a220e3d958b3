"""Step 15: reports of couriers, and what people decide when a shipment does not arrive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import shipping, tracking
from handlers.contract import Problem
from handlers.couriers.journeys import Plan
from handlers.tables import Mail, Reservation, TrackingReport
from tests.shippingfloor import FIRST, Floor
from tests.shopfloor import books_agree, level, product


@pytest.fixture
def floor(session: Session, clock: Any, tmp_path: Path) -> Floor:
    return Floor(session, clock, tmp_path)


def fields(problem: pytest.ExceptionInfo[Problem]) -> list[str]:
    return [error.field for error in problem.value.errors]


def reports(floor: Floor, status: str, **more: Any) -> str:
    """The courier reports; what the diagram sees of it."""
    booking = floor.variables["booking"]["reference"]
    report = {"booking": booking, "status": status, "place": "Sorting centre", **more}
    floor.variables["tracking"] = dict(tracking.track(floor.call("track_shipment"), report))
    return str(floor.variables["tracking"]["status"])


def decides(floor: Floor, choice: str, **more: Any) -> dict[str, Any]:
    form = {"choice": choice, "reason": "agreed with the customer", **more}
    return dict(tracking.resolve_exception(floor.call("handle_exception", actor="shipping"), form))


def mails(floor: Floor) -> list[str]:
    """What the customer was written since the order came in."""
    return list(floor.session.scalars(select(Mail.kind).where(Mail.kind != "received")))


# --- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("on_the_way", "under_way"),
        ("out_for_delivery", "under_way"),
        ("delayed", "under_way"),
        ("delivered", "delivered"),
        ("lost", "problem"),
        ("refused", "problem"),
        ("returned", "problem"),
        ("held at customs", "under_way"),
    ],
)
def test_each_report_is_kept_and_leads_on(floor: Floor, status: str, result: str) -> None:
    """The diagram knows three ways; what no courier of ours says yet is under way."""
    floor.is_on_its_way()
    floor.clock.advance(hours=1)

    assert reports(floor, status) == result
    newest = tracking.reports(floor.session, floor.shipment.reference)[-1]
    assert (newest.status, newest.place, newest.at) == (status, "Sorting centre", floor.clock.now())


def test_a_delay_is_mailed_to_the_customer_once(floor: Floor) -> None:
    """The same report again is no second delay, another one is."""
    floor.is_on_its_way()
    for at in ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"):
        floor.clock.advance(days=1)
        assert reports(floor, "delayed", at=at, note="Snow") == "under_way"

    assert mails(floor) == ["delay", "delay"]
    assert "Snow" in floor.session.scalars(select(Mail.text).where(Mail.kind == "delay")).first()
    assert [operation for operation, _ in floor.queued].count("mail.send") == 2


def test_only_a_delay_is_mailed(floor: Floor) -> None:
    """The tracking page shows the rest."""
    floor.is_on_its_way()
    for status in ("on_the_way", "out_for_delivery", "delivered"):
        floor.clock.advance(hours=1)
        reports(floor, status)

    assert mails(floor) == []


def test_a_late_delay_after_delivery_changes_nothing_newer(floor: Floor) -> None:
    """It is kept for the record; nobody is told of a delay of what has arrived."""
    floor.is_on_its_way()
    floor.clock.advance(days=10)
    assert reports(floor, "delivered", at="2026-11-27T10:00:00Z") == "delivered"
    proof = floor.proves()

    assert reports(floor, "delayed", at="2026-11-25T10:00:00Z") == "under_way"

    assert mails(floor) == []
    assert (floor.shipment.state, floor.shipment.proof) == ("delivered", proof["text"])


def test_a_report_that_was_overtaken_changes_nothing(floor: Floor) -> None:
    """Out for delivery came first, the loss of before does not count any more."""
    floor.is_on_its_way()
    floor.clock.advance(days=10)
    reports(floor, "out_for_delivery", at="2026-11-27T06:00:00Z")

    assert reports(floor, "lost", at="2026-11-26T06:00:00Z") == "under_way"
    assert reports(floor, "delivered", at="2026-11-27T10:00:00Z") == "delivered"


def test_a_pickup_written_down_late_does_not_hide_the_delivery(floor: Floor) -> None:
    """The operator confirms days after the van came; the courier's older reports still count."""
    floor.is_booked()
    floor.clock.advance(days=6)
    floor.confirms_pickup()

    assert reports(floor, "delivered", at="2026-11-27T10:00:00Z") == "delivered"


def test_a_report_before_any_confirmation_proves_the_pickup(floor: Floor) -> None:
    """What is on its way has left our stock."""
    floor.is_booked()

    reports(floor, "on_the_way")

    assert floor.states() == ["picked_up"]
    assert level(floor.session) == (8, 0)


def test_a_report_about_a_given_up_shipment_is_ignored(floor: Floor) -> None:
    """The first parcel turns up after it was sent again: the second shipment goes on."""
    floor.is_on_its_way()
    first = floor.variables["booking"]["reference"]
    floor.clock.advance(hours=1)
    reports(floor, "lost")
    decides(floor, "ship_again")
    floor.prepares()
    floor.packs()
    floor.labels()
    floor.books("courier_b", "standard")
    floor.confirms_pickup()

    assert reports(floor, "delivered", booking=first) == "under_way"

    assert floor.states() == ["given_up", "picked_up"]
    assert floor.shipment.round == 2


def test_a_report_may_be_bare(floor: Floor) -> None:
    """No booking, no time, no place: it is about the shipment under way, and now."""
    floor.is_on_its_way()

    assert tracking.track(floor.call(), {"status": "delivered"}) == {"status": "delivered"}


@pytest.mark.parametrize("at", ["", "soon", 7, None, "9999-12-31T23:59:59-14:00", "2026-11-24T10:00:00"])
def test_a_strange_time_is_no_trouble(floor: Floor, at: Any) -> None:
    """What a courier writes never stops an order."""
    floor.is_on_its_way()

    assert reports(floor, "on_the_way", at=at) == "under_way"
    assert all(row.at <= floor.clock.now() for row in floor.session.scalars(select(TrackingReport)))


def test_long_texts_are_cut(floor: Floor) -> None:
    """A courier's novel does not break the record."""
    floor.is_on_its_way()

    reports(floor, "x" * 500, place="y" * 500, note="z" * 5000)

    row = tracking.reports(floor.session, floor.shipment.reference)[-1]
    assert (len(row.status), len(row.place), len(row.note)) == (20, 120, 300)


def test_a_whole_journey_told_twice_and_out_of_order_ends_delivered(floor: Floor) -> None:
    """As an embedded courier can send it."""
    floor.plan = Plan(delayed=True, twice=True, out_of_order=True)
    floor.is_booked()
    floor.clock.advance(days=30)
    courier = floor.ports.couriers["courier_a"]
    told = []
    for _ in range(3):
        for hook in courier.due_webhooks(floor.clock.now()):
            courier.acknowledge(hook.id)
            if hook.name == "courier.reported":
                told.append(tracking.track(floor.call(), hook.payload)["status"])

    assert told.count("delivered") == 1
    assert mails(floor) == ["delay"]
    assert level(floor.session) == (8, 0)


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_shipping_again_reserves_anew(floor: Floor) -> None:
    """The lost goods are lost; others are set aside for the same order."""
    floor.is_on_its_way()
    reports(floor, "lost")

    result = decides(floor, "ship_again")

    assert (result["choice"], result["booking"]) == ("ship_again", floor.shipment.reference)
    assert floor.states() == ["given_up"]
    assert level(floor.session) == (8, 2)
    assert sorted(floor.session.scalars(select(Reservation.state))) == ["held", "shipped"]
    assert books_agree(floor.session)


def test_shipping_again_without_stock_goes_back_to_the_form(floor: Floor) -> None:
    """And nothing is given up."""
    scarce = product("product-a", stock={"north_america": 2})
    floor.is_packed(scarce)
    floor.books()
    floor.confirms_pickup()

    with pytest.raises(Problem) as problem, floor.session.begin_nested():
        decides(floor, "ship_again")

    assert fields(problem) == ["/choice"]
    assert floor.states() == ["picked_up"]
    assert level(floor.session) == (0, 0)


def test_what_came_back_is_counted_in_and_can_be_shipped_again(floor: Floor) -> None:
    """The last two pieces were refused at the door: they are there for the next try."""
    scarce = product("product-a", stock={"north_america": 2})
    floor.is_packed(scarce)
    floor.books()
    floor.confirms_pickup()
    floor.clock.advance(days=9)
    reports(floor, "returned")

    decides(floor, "ship_again")

    assert level(floor.session) == (2, 2)
    assert books_agree(floor.session)


def test_a_refund_gives_the_shipment_up(floor: Floor) -> None:
    """Nothing is reserved; the money is the next step's business."""
    floor.is_on_its_way()
    reports(floor, "lost")

    assert decides(floor, "refund")["choice"] == "refund"
    assert floor.states() == ["given_up"]
    assert level(floor.session) == (8, 0)


def test_goods_that_came_back_are_counted_in_on_refund(floor: Floor) -> None:
    """Once, however often it is decided."""
    floor.is_on_its_way()
    floor.clock.advance(days=9)
    reports(floor, "returned")

    decides(floor, "refund")
    decides(floor, "refund")

    assert level(floor.session) == (10, 0)
    assert books_agree(floor.session)


def test_keeping_on_tracking_changes_nothing(floor: Floor) -> None:
    """The courier is still looking."""
    floor.is_on_its_way()
    reports(floor, "lost")

    decides(floor, "keep_tracking")

    assert floor.states() == ["picked_up"]
    floor.clock.advance(days=1)
    assert reports(floor, "delivered") == "delivered"


def test_a_part_names_what_is_missing(floor: Floor) -> None:
    """The rest goes on to its proof."""
    floor.is_on_its_way(items=[{"sku": "product-a", "quantity": 2}, {"sku": "product-b", "quantity": 1}])

    result = decides(floor, "part", items=[{"sku": "product-a", "quantity": 1}])

    assert result["items"] == [{"sku": "product-a", "quantity": 1}]
    assert floor.states() == ["picked_up"]
    floor.clock.advance(days=10)
    assert floor.proves()["status"] == "proved"


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], ["/items"]),
        ([{"sku": "product-a", "quantity": 3}], ["/items/0/quantity"]),
        ([{"sku": "product-a", "quantity": 0}], ["/items/0/quantity"]),
        ([{"sku": "product-b", "quantity": 1}], ["/items/0/sku"]),
        ([{"sku": "product-a", "quantity": 1}, {"sku": "product-a", "quantity": 1}], ["/items/1/sku"]),
        ([{"sku": "product-a", "quantity": 2}], ["/items"]),
    ],
)
def test_a_part_must_lie_within_the_order(floor: Floor, items: list[dict[str, Any]], expected: list[str]) -> None:
    """Not more than was ordered, nothing foreign, nothing twice, not everything."""
    floor.is_on_its_way()

    with pytest.raises(Problem) as problem:
        decides(floor, "part", items=items)
    assert fields(problem) == expected


def test_the_exception_form_proposes_what_can_be_done(floor: Floor) -> None:
    """Ship again while there is stock, else refund; what the courier said stands above."""
    scarce = product("product-a", stock={"north_america": 4})
    floor.is_packed(scarce)
    floor.books()
    floor.confirms_pickup()
    floor.clock.advance(days=1)
    reports(floor, "lost", note="Not found")
    schema = json.loads((Path(__file__).resolve().parents[2] / "forms" / "handle_exception.json").read_text())

    context = tracking.exception_form(floor.call())

    assert context.example["choice"] == "ship_again"
    assert any(fact.label == "Lost" and "Not found" in fact.value for fact in context.facts)
    Draft202012Validator(schema).validate(dict(context.example))
    decides(floor, "ship_again")
    floor.prepares()
    shipping.ensure_picked_up(floor.call())
    floor.packs()
    floor.labels()
    floor.books()
    floor.confirms_pickup()
    assert tracking.exception_form(floor.call()).example["choice"] == "refund"


def test_an_exception_without_a_shipment_can_still_be_refunded(floor: Floor) -> None:
    """Whatever led here, a person can end it."""
    floor.takes()

    assert decides(floor, "refund")["booking"] is None
    assert tracking.exception_form(floor.call()).facts[0].value == "none is booked"
    assert tracking.track(floor.call(), {"status": "delivered"}) == {"status": "under_way"}
    assert floor.order.number == FIRST
