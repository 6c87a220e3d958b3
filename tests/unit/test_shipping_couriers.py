"""Steps 12, 13 and 16 and the undo path: booking, pickup, proof, calling off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import inventory, shipping, tracking
from handlers.contract import FormContext, Problem, Refused, TryAgain
from handlers.couriers import desk
from handlers.couriers.embedded import Fault
from handlers.couriers.journeys import Plan
from handlers.couriers.operations import BookCourier
from handlers.tables import Counter, Reservation, Shipment
from tests.shippingfloor import FIRST, Floor
from tests.shopfloor import books_agree, level


@pytest.fixture
def floor(session: Session, clock: Any, tmp_path: Path) -> Floor:
    return Floor(session, clock, tmp_path)


def fields(problem: pytest.ExceptionInfo[Problem]) -> list[str]:
    return [error.field for error in problem.value.errors]


def facts(context: FormContext) -> dict[str, str]:
    return {fact.label: fact.value for fact in context.facts}


def assert_fits(context: FormContext, form: str) -> None:
    """The example is one that the form's schema takes."""
    schema = json.loads((Path(__file__).resolve().parents[2] / "forms" / f"{form}.json").read_text())
    Draft202012Validator(schema).validate(dict(context.example))


def live(floor: Floor) -> list[str]:
    """References that stand, by the couriers' own books."""
    return [
        entry.reference
        for courier in floor.ports.couriers.values()
        for entry in courier.bookings(FIRST)
        if entry.cancelled_at is None
    ]


# --- step 12 ---------------------------------------------------------------------------------------------------------


def test_a_booking_is_kept_as_a_shipment(floor: Floor) -> None:
    """What the courier accepted, for the parcels of this round."""
    floor.is_packed()

    variable = floor.books("courier_a")

    shipment = floor.shipment
    assert variable == {
        "courier": "courier_a",
        "reference": shipment.reference,
        "tracking_number": shipment.tracking_number,
        "expected_on": "2026-11-27",
    }
    assert (shipment.state, shipment.round, shipment.courier) == ("booked", 1, "courier_a")
    (entry,) = floor.ports.couriers["courier_a"].bookings(FIRST)
    assert [package.sscc for package in entry.packages] == floor.variables["label"]["sscc"]
    assert floor.session.get_one(Counter, "booking").value == 1


def test_a_booking_that_is_performed_twice_is_booked_once(floor: Floor) -> None:
    """A crash after the courier's answer costs no second van."""
    floor.is_packed()

    floor.books(attempts=3)

    assert live(floor) == [floor.shipment.reference]


def test_a_lost_reply_is_found_again(floor: Floor) -> None:
    """The courier booked, we did not hear it: the same key finds the booking."""
    floor.is_packed()
    floor.faults["book"] = [Fault("lost_reply")]
    external = BookCourier(floor.ports)
    call = floor.call("booking")
    request = external.prepare(call, "courier_a", "standard")
    with pytest.raises(TryAgain):
        external.perform(request, call.key)

    booked = external.perform(request, call.key)

    assert live(floor) == [booked.reference]


@pytest.mark.parametrize("courier", ["", "courier_z"])
def test_without_a_known_courier_nothing_is_booked(floor: Floor, courier: str) -> None:
    """The decision table left the choice to a person, or names somebody we do not know."""
    floor.is_packed()

    with pytest.raises(Refused) as refusal:
        floor.books(courier)
    assert refusal.value.code == "booking_failed"
    assert floor.states() == []


def test_a_courier_that_does_not_serve_the_address_refuses(floor: Floor) -> None:
    """Courier C drives in Europe only."""
    floor.is_packed()

    with pytest.raises(Refused, match="Courier C does not deliver to US") as refusal:
        floor.books("courier_c")
    assert refusal.value.code == "booking_failed"


def test_an_order_without_parcels_is_not_booked(floor: Floor) -> None:
    """There is nothing to carry."""
    floor.takes()

    with pytest.raises(Refused, match="Pack the order first"):
        floor.books()


def test_a_late_courier_is_called_off_before_the_next_is_booked(floor: Floor) -> None:
    """One booking per parcel, also after a change."""
    floor.is_booked("courier_a")
    first = floor.variables["booking"]["reference"]

    second = floor.books("courier_b", attempts=2)

    assert live(floor) == [second["reference"]]
    assert floor.states() == ["cancelled", "booked"]
    assert floor.session.get_one(Shipment, first).ended_at == floor.clock.now()


def test_the_same_courier_can_be_booked_for_another_pickup(floor: Floor) -> None:
    """It did not come; it is called off and asked again."""
    floor.is_booked("courier_a")
    first = floor.variables["booking"]["reference"]

    second = floor.books("courier_a")

    assert second["reference"] != first
    assert live(floor) == [second["reference"]]


def test_a_call_off_is_refused_by_a_courier_that_never_came(floor: Floor) -> None:
    """Its refusal does not hold the order up; the booking is given up."""
    floor.is_booked("courier_a")
    floor.faults["cancel"] = [Fault("refuse")]

    floor.books("courier_b")

    assert floor.states() == ["given_up", "booked"]


def test_goods_that_were_picked_up_meanwhile_are_not_booked_with_another(floor: Floor) -> None:
    """The refusal says whom to choose."""
    floor.is_booked("courier_a")
    floor.clock.advance(hours=4)

    with pytest.raises(Refused, match="Choose Courier A") as refusal:
        floor.books("courier_b")
    assert refusal.value.code == "booking_failed"
    assert floor.states() == ["booked"]
    assert len(live(floor)) == 1


def test_choosing_the_courier_that_came_after_all_keeps_its_booking(floor: Floor) -> None:
    """So its pickup, reported or confirmed, is the one that the order waits for."""
    floor.is_booked("courier_a")
    first = dict(floor.variables["booking"])
    floor.clock.advance(hours=4)

    assert floor.books("courier_a") == first
    assert floor.states() == ["booked"]
    assert floor.session.get_one(Counter, "booking").value == 1


def test_what_was_booked_while_the_order_was_cancelled_is_written_down(floor: Floor) -> None:
    """The token is gone, the van is not: the cancellation finds and calls it off."""
    floor.is_packed()
    external = BookCourier(floor.ports)
    call = floor.call("assign_courier")
    request = external.prepare(call, "courier_a", "standard")
    booked = external.perform(request, call.key)
    floor.variables.clear()

    external.record(floor.call("assign_courier"), request, booked)

    assert floor.calls_off() == {"called_off": [booked.reference]}
    assert live(floor) == []


# --- choosing by hand ------------------------------------------------------------------------------------------------


def test_a_person_chooses_a_courier(floor: Floor) -> None:
    """The choice looks like the decision table's."""
    floor.is_packed()

    assert desk.choose(floor.call(), {"courier": "courier_b"}) == {"courier": "courier_b", "decided_by": "person"}


@pytest.mark.parametrize(
    ("courier", "why"),
    [
        ("courier_z", "There is no courier “courier_z”. Choose one of the list."),
        ("courier_e", "Courier E does not deliver to US. Choose another courier."),
        ("courier_d", "Courier D does not offer Standard Shipping. Choose another courier."),
    ],
)
def test_a_courier_that_would_not_come_is_not_chosen(floor: Floor, courier: str, why: str) -> None:
    """The person who chooses reads why, before a booking fails."""
    floor.is_packed()

    with pytest.raises(Problem) as problem:
        desk.choose(floor.call(), {"courier": courier})

    assert [(error.field, error.message) for error in problem.value.errors] == [("/courier", why)]


def test_the_form_shows_what_each_courier_would_ask(floor: Floor) -> None:
    """Prices from the profiles, or why one would not come; nobody is called."""
    floor.is_packed()
    for courier in floor.ports.couriers.values():
        courier.faults = lambda _method, _key: pytest.fail("a courier was asked inside the transaction")

    context = desk.choose_form(floor.call())

    assert facts(context)["Courier A"] == "$8.50, 4 days (North America, ground)"
    assert facts(context)["Courier C"] == "Courier C does not deliver to US."
    assert facts(context)["Courier D"] == "Courier D does not offer Standard Shipping."
    assert [choice.label for choice in context.choices["courier"]] == ["Courier A", "Courier B"]
    assert context.example["courier"] == "courier_a"
    assert_fits(context, "choose_courier")


def test_another_courier_is_proposed_after_a_failure(floor: Floor) -> None:
    """And the form says what went wrong."""
    floor.is_booked("courier_a")
    floor.variables["courier_choice"] = {"courier": "courier_a", "decided_by": "table"}
    detail = {"code": "booking_failed", "message": "Courier A has no van."}
    floor.history = [{"kind": "refused", "body": json.dumps({"detail": detail, "before": {}, "after": {}})}]

    context = desk.choose_form(floor.call())

    assert context.example["courier"] == "courier_b"
    assert facts(context)["Not booked"] == "Courier A has no van."
    assert facts(context)["Not picked up"].startswith("Courier A, ")


def test_there_is_a_proposal_even_when_nobody_would_come(floor: Floor) -> None:
    """A person may know better than the profiles."""
    floor.is_packed()
    floor.order.shipping_method = "by_pigeon"

    assert_fits(desk.choose_form(floor.call()), "choose_courier")


# --- step 13 ---------------------------------------------------------------------------------------------------------


def test_a_confirmed_pickup_takes_the_goods_off_the_books(floor: Floor) -> None:
    """They leave the stock when they leave the house."""
    floor.is_booked()

    pickup = floor.confirms_pickup(driver="A. Rahman", collected_at="2026-11-23 07:30")

    assert pickup["booking"] == floor.variables["booking"]["reference"]
    assert pickup["at"] == "2026-11-23T07:30:00+00:00"
    assert floor.states() == ["picked_up"]
    assert level(floor.session) == (8, 0)
    assert books_agree(floor.session)
    assert floor.session.scalar(select(Reservation.state)) == "shipped"
    (report,) = tracking.reports(floor.session, pickup["booking"])
    assert (report.status, report.note) == ("picked_up", "Driver: A. Rahman")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-11-23T07:30:00Z", "2026-11-23T07:30:00+00:00"),
        ("2026-11-23T15:30:00+08:00", "2026-11-23T07:30:00+00:00"),
        ("7:30", "2026-11-23T07:30:00+00:00"),
        ("07:30", "2026-11-23T07:30:00+00:00"),
        (" ", "2026-11-23T08:00:00+00:00"),
    ],
)
def test_the_time_of_a_pickup_is_written_as_people_write_it(floor: Floor, typed: str, meant: str) -> None:
    """Today's time is enough; machines may write RFC 3339."""
    floor.is_booked()

    assert floor.confirms_pickup(collected_at=typed)["at"] == meant


def test_the_form_of_the_pickup_has_the_time_now_filled_in(floor: Floor) -> None:
    """What it starts with can be sent as it is."""
    floor.is_booked()

    context = desk.pickup_form(floor.call())

    assert context.data["collected_at"] == context.example["collected_at"] == "2026-11-23 08:00"
    assert floor.confirms_pickup(**context.data)["at"] == "2026-11-23T08:00:00+00:00"
    assert facts(context)["Parcel 1"].endswith(", 1.20 kg")


def test_the_couriers_message_alone_is_enough(floor: Floor) -> None:
    """No operation runs at the boundary event: the next one makes up for it, once."""
    floor.is_booked()
    floor.clock.advance(hours=5)
    (hook,) = floor.ports.couriers["courier_a"].due_webhooks(floor.clock.now())
    floor.variables["pickup"] = dict(hook.payload)

    for _ in range(3):
        shipping.ensure_picked_up(floor.call())

    assert floor.states() == ["picked_up"]
    assert floor.shipment.picked_up_at is not None
    assert floor.shipment.picked_up_at.isoformat() == "2026-11-23T11:00:00+00:00"
    assert level(floor.session) == (8, 0)
    assert len(tracking.reports(floor.session, floor.shipment.reference)) == 1


def test_a_pickup_message_without_a_time_counts_as_now(floor: Floor) -> None:
    """Whatever a courier writes, the goods are gone."""
    floor.is_booked()
    floor.variables["pickup"] = {"booking": floor.variables["booking"]["reference"], "at": "soon"}

    shipping.ensure_picked_up(floor.call())

    assert floor.shipment.picked_up_at == floor.clock.now()


def test_without_a_shipment_there_is_nothing_to_pick_up(floor: Floor) -> None:
    """No booking, no goods that leave."""
    floor.takes()

    assert shipping.ensure_picked_up(floor.call()) is None
    assert level(floor.session) == (10, 2)
    with pytest.raises(Problem):
        desk.confirm_pickup(floor.call(), {"courier": "courier_a"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"courier": "courier_b"}, "/courier"),
        ({"collected_at": "yesterday"}, "/collected_at"),
        ({"collected_at": "25:00"}, "/collected_at"),
        ({"collected_at": "2026-12-01"}, "/collected_at"),
    ],
)
def test_a_pickup_that_cannot_be_goes_back_to_the_form(floor: Floor, change: dict[str, str], field: str) -> None:
    """Another courier's van, a time that is none, a time to come."""
    floor.is_booked()

    with pytest.raises(Problem) as problem:
        floor.confirms_pickup(**change)

    assert fields(problem) == [field]
    assert floor.states() == ["booked"]
    assert level(floor.session) == (10, 2)


def test_the_pickup_form_can_be_sent_as_it_is(floor: Floor) -> None:
    """It names the booking and every parcel's number."""
    floor.is_booked()

    context = desk.pickup_form(floor.call())

    assert context.data == {"courier": "courier_a", "collected_at": "2026-11-23 08:00"}
    assert facts(context)["Booking"] == floor.shipment.reference
    assert floor.variables["label"]["sscc"][0] in facts(context)["Parcel 1"]
    assert_fits(context, "confirm_pickup")
    desk.confirm_pickup(floor.call(), context.example)


# --- step 16 ---------------------------------------------------------------------------------------------------------


def test_the_couriers_proof_ends_the_shipment(floor: Floor) -> None:
    """Who signed, where and when."""
    floor.is_on_its_way()
    floor.clock.advance(days=10)

    proof = floor.proves()

    assert proof["text"].startswith("Signed by Mia Tanaka in New York")
    assert (floor.shipment.state, floor.shipment.proof) == ("delivered", proof["text"])
    assert floor.shipment.ended_at == floor.clock.now()


def test_an_operators_proof_is_as_good(floor: Floor) -> None:
    """The courier has none; a person asked, and it is not asked again."""
    floor.plan = Plan(proof=False)
    floor.is_on_its_way()
    floor.clock.advance(days=10)
    with pytest.raises(Refused) as refusal:
        floor.proves()
    assert refusal.value.code == "proof_missing"
    context = desk.proof_form(floor.call())
    assert_fits(context, "ask_for_proof")

    answer = desk.record_proof(floor.call(actor="shipping"), context.example)
    floor.faults["proof"] = [Fault("unavailable")]
    proof = floor.proves()

    assert answer["status"] == "delivered"
    assert proof["text"] == "Received by Mia Tanaka on 2026-12-03, as Courier A told shipping."
    assert floor.states() == ["delivered"]


def test_not_delivered_is_no_proof(floor: Floor) -> None:
    """The shipment stays open and the order goes to the exception."""
    floor.is_on_its_way()

    answer = desk.record_proof(floor.call(), {"courier": "courier_a", "answer": "not_delivered"})

    assert answer["status"] == "not_delivered"
    assert floor.shipment.proof is None
    assert floor.states() == ["picked_up"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, ["/received_by", "/delivered_on"]),
        ({"received_by": "  ", "delivered_on": "2026-11-23"}, ["/received_by"]),
        ({"received_by": "Mia", "delivered_on": "tomorrow"}, ["/delivered_on"]),
        ({"received_by": "Mia", "delivered_on": "2027-01-01"}, ["/delivered_on"]),
        ({"courier": "courier_b", "received_by": "Mia", "delivered_on": "2026-11-23"}, ["/courier"]),
    ],
)
def test_proof_needs_who_and_when(floor: Floor, form: dict[str, str], expected: list[str]) -> None:
    """Half a proof is none."""
    floor.is_on_its_way()

    with pytest.raises(Problem) as problem:
        desk.record_proof(floor.call(), {"courier": "courier_a", "answer": "delivered", **form})

    assert fields(problem) == expected
    assert floor.shipment.proof is None


def test_without_a_shipment_there_is_no_proof(floor: Floor) -> None:
    """It is refused, so that a person sees it."""
    floor.takes()
    floor.variables["booking"] = {"courier": "courier_a", "reference": ""}

    with pytest.raises(Refused) as refusal:
        floor.proves()
    assert refusal.value.code == "proof_missing"


# --- the undo path ---------------------------------------------------------------------------------------------------


def test_cancelling_calls_the_courier_off(floor: Floor) -> None:
    """Once, and again is nothing."""
    floor.is_booked()

    assert floor.calls_off(attempts=2) == {"called_off": [floor.shipment.reference]}

    assert live(floor) == []
    assert floor.states() == ["cancelled"]
    assert floor.calls_off() == {"called_off": []}


def test_cancelling_without_a_booking_does_nothing(floor: Floor) -> None:
    """Every undo step looks at what is really there."""
    floor.takes()

    assert floor.calls_off() == {"called_off": []}


@pytest.mark.parametrize(
    ("outcome", "state"), [("cancelled", "cancelled"), ("not_collected", "given_up"), ("comes_back", "given_up")]
)
def test_a_booking_that_stands_is_settled_by_a_person(floor: Floor, outcome: str, state: str) -> None:
    """After that the undo passes."""
    floor.is_booked()
    floor.faults["cancel"] = [Fault("refuse")]
    with pytest.raises(Refused) as refusal:
        floor.calls_off()
    assert refusal.value.code == "booking_stands"
    context = desk.settle_form(floor.call())
    assert facts(context)["Booking"] == floor.shipment.reference
    assert_fits(context, "settle_booking")

    desk.record_cancellation(floor.call(), {"outcome": outcome, "note": "by phone"})

    assert floor.states() == [state]
    assert floor.calls_off() == {"called_off": []}
    assert inventory.release(floor.call())["picked"] == 2


def test_an_unknown_settlement_goes_back_to_the_form(floor: Floor) -> None:
    """Nothing is settled by a word that means nothing."""
    floor.is_booked()

    with pytest.raises(Problem):
        desk.record_cancellation(floor.call(), {"outcome": "whatever"})
    assert floor.states() == ["booked"]


def test_a_cancelled_booking_sends_nothing_more(floor: Floor) -> None:
    """No late pickup confirms what is over."""
    floor.is_booked()
    floor.calls_off()
    floor.clock.advance(days=30)

    assert all(not courier.due_webhooks(floor.clock.now()) for courier in floor.ports.couriers.values())
