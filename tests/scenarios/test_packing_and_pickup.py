"""Steps 9 to 14: picking, packing, label, courier and pickup."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.errors import InvalidForm
from handlers.couriers.embedded import Fault
from handlers.couriers.journeys import Plan
from handlers.couriers.operations import BookCourier, Booked, BookingRequest
from handlers.tables import Mail, Shipment
from tests.scenarios.conftest import SQLITE_USUALLY, Outside
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

pytestmark = SQLITE_USUALLY


def shipments(order: OrderHandle) -> list[tuple[str, str]]:
    """Courier and state of every booking, oldest first."""
    with order.engine.reading() as session:
        rows = session.query(Shipment).filter_by(order_number=order.number).order_by(Shipment.booked_at)
        return [(row.courier, row.state) for row in rows]


def test_what_is_picked_matches_the_order(shop: Shop) -> None:
    """A wrong quantity comes back to its line, and nothing is picked."""
    order = shop.places_order().goes_to("prepare_shipment")
    lines = [{"sku": "product-a", "location": "aisle 1", "quantity": 3},
             {"sku": "product-c", "location": "aisle 3", "quantity": 1}]

    with pytest.raises(InvalidForm) as refused:
        order.does("prepare_shipment", lines=lines)

    assert [error.field for error in refused.value.errors] == ["/lines/0/quantity"]
    assert order.open_elements() == ["prepare_shipment"]


def test_parcels_hold_exactly_what_was_ordered(shop: Shop) -> None:
    """A product that lies in no parcel is named."""
    order = shop.places_order().goes_to("package_products")

    with pytest.raises(InvalidForm) as refused:
        order.does("package_products", contents=[{"sku": "product-a", "parcel": 1, "quantity": 2}])

    assert "/contents" in [error.field for error in refused.value.errors]


def test_an_address_that_no_label_can_carry_goes_back_to_step_nine(shop: Shop) -> None:
    """A refused label opens step 9 again, where the address can be corrected."""
    order = shop.places_order().goes_to("package_products")
    with shop.engine.transaction() as session:
        session.get_one(type(order.row()), order.number).city = "Berlin \N{GRINNING FACE}"

    order.does("package_products")
    assert order.open_elements() == ["prepare_shipment"]
    order.does("prepare_shipment", city="Berlin")
    order.does("package_products")

    assert order.open_elements() == ["confirm_pickup"]


def test_another_address_at_step_nine_is_told_to_the_customer_and_stands_in_the_history(shop: Shop) -> None:
    """No signature covers it, so whoever sends goods elsewhere cannot do it unseen: one mail for each change."""
    order = shop.places_order().goes_to("prepare_shipment")

    order.does("prepare_shipment", street="Oranienstraße 5", postal_code="10999")

    assert order.mails().count("address_changed") == 1
    with shop.engine.reading() as session:
        mail = session.scalars(select(Mail).where(Mail.kind == "address_changed")).one()
    assert (mail.recipient, mail.state) == ("greta@meier.example", "sent")
    assert "Greta Meier, Oranienstraße 5, 10999 Berlin, Germany" in mail.text
    assert "Unter den Linden 77, 10117 Berlin, Germany" in mail.text
    [line] = [e for e in order.history() if e.element == "prepare_shipment" and e.kind == "completed"]
    assert line.detail["comment"] == ("The goods go to Oranienstraße 5, 10999 Berlin, Germany; before it was "
                                      "Unter den Linden 77, 10117 Berlin, Germany.")


def test_the_same_address_at_step_nine_is_no_news(shop: Shop) -> None:
    order = shop.places_order().goes_to("prepare_shipment")

    order.does("prepare_shipment")

    assert "address_changed" not in order.mails()
    [line] = [e for e in order.history() if e.element == "prepare_shipment" and e.kind == "completed"]
    assert "comment" not in line.detail


def test_another_address_at_step_nine_is_doubted_like_in_step_two(shop: Shop) -> None:
    """A postal code of elsewhere is refused at its field, and nothing has changed."""
    order = shop.places_order().goes_to("prepare_shipment")

    with pytest.raises(InvalidForm) as refused:
        order.does("prepare_shipment", street="Oranienstraße 5", postal_code="1099")

    assert [error.field for error in refused.value.errors] == ["/postal_code"]
    assert "does not fit the rest of the address" in refused.value.errors[0].message
    assert order.row().street == "Unter den Linden 77"
    assert "address_changed" not in order.mails()


def test_a_doubt_that_was_confirmed_in_step_two_hinders_no_other_correction(shop: Shop) -> None:
    """Somebody has vouched for the postal code; step nine has no field to do so again."""
    order = shop.places_order(postal_code="99999x")
    order.does("correct_details", confirm_as_is=True, reason="The customer lives on a ship.")
    order.goes_to("prepare_shipment")

    order.does("prepare_shipment", street="Pier 4")

    assert order.row().street == "Pier 4"


def test_whoever_finds_too_few_pieces_reads_what_to_do(shop: Shop) -> None:
    order = shop.places_order().goes_to("prepare_shipment")
    lines = [{"sku": "product-a", "quantity": 1}, {"sku": "product-c", "quantity": 1}]

    with pytest.raises(InvalidForm) as refused:
        order.does("prepare_shipment", lines=lines)

    assert "The order has 2 × " in refused.value.errors[0].message
    assert "ask Sales on the order's page" in refused.value.errors[0].message


@pytest.mark.parametrize("slip", [False, None], ids=["not ticked", "left out"])
def test_goods_without_their_packing_slip_are_not_prepared(shop: Shop, slip: bool | None) -> None:
    order = shop.places_order().goes_to("prepare_shipment")

    with pytest.raises(InvalidForm) as refused:
        order.does("prepare_shipment", packing_slip_enclosed=slip)

    assert [error.field for error in refused.value.errors] == ["/packing_slip_enclosed"]
    assert order.open_elements() == ["prepare_shipment"]


@pytest.mark.parametrize(("method", "courier"), [("standard", "courier_c"), ("express", "courier_d")])
def test_the_table_chooses_the_courier(shop: Shop, method: str, courier: str) -> None:
    """By region, weight and speed, without a person."""
    order = shop.places_order(shipping_method=method).goes_to("confirm_pickup")

    assert order.variables["booking"]["courier"] == courier
    assert shipments(order) == [(courier, "booked")]


def test_a_heavy_order_is_given_to_a_courier_by_hand(shop: Shop) -> None:
    """What the table does not know, a person decides."""
    order = shop.places_order(items=[{"sku": "product-d", "quantity": 6}]).goes_to("choose_courier")

    order.does("choose_courier")

    assert order.open_elements() == ["confirm_pickup"]
    assert order.variables["courier_choice"]["decided_by"] == "person"


def test_a_booking_that_fails_is_made_with_another_courier(shop: Shop, outside: Outside) -> None:
    """No van free: a person picks another, and only the good booking stands."""
    outside.courier_fault = lambda method, key: Fault("refuse") if method == "book" else None
    order = shop.places_order().goes_to("package_products")
    order.does("package_products")
    assert order.open_elements() == ["choose_courier"]

    outside.courier_fault = None
    with pytest.raises(InvalidForm, match="/courier"):  # this courier does not offer Standard Shipping
        order.answers("choose_courier", courier="courier_d", reason="They have a van.")
    assert order.open_elements() == ["choose_courier"]
    order.answers("choose_courier", courier="courier_c", reason="They have one now.")
    assert shipments(order) == [("courier_c", "booked")]


def never(order: str, courier: str) -> Plan:
    """Nobody comes."""
    return Plan(pickup="never")


def test_a_courier_that_does_not_come_is_replaced(shop: Shop, outside: Outside) -> None:
    """Not picked up in a day: the booking is called off and another courier is chosen."""
    outside.courier_plan = never
    order = shop.places_order().goes_to("confirm_pickup")
    first = order.variables["booking"]["reference"]

    shop.time_passes(days=1)
    assert order.open_elements() == ["choose_courier"]
    order.answers("choose_courier", courier="courier_b", reason="They come at once.")

    assert order.open_elements() == ["confirm_pickup"]
    assert shipments(order) == [("courier_c", "cancelled"), ("courier_b", "booked")]
    assert order.variables["booking"]["reference"] != first


def _given_up(shop: Shop, outside: Outside) -> tuple[OrderHandle, str, str]:
    """An order whose first booking was given up for a second one, with both references."""
    outside.courier_plan = never
    order = shop.places_order().goes_to("confirm_pickup")
    first = order.variables["booking"]["reference"]
    shop.time_passes(days=1)
    order.answers("choose_courier", courier="courier_c", reason="Once more.")
    second = order.variables["booking"]["reference"]
    assert first != second
    return order, first, second


def test_a_late_report_of_a_given_up_booking_confirms_nothing(shop: Shop, outside: Outside) -> None:
    """The pickup of another booking is not the pickup of this one."""
    order, first, second = _given_up(shop, outside)

    order.hears("courier.picked_up", booking=first, at="2026-11-24T09:00:00Z", driver="Jo")
    assert order.open_elements() == ["confirm_pickup"]
    order.hears("courier.picked_up", booking=second, at="2026-11-24T10:00:00Z", driver="Jo")

    assert 14 in order.steps()


def test_the_couriers_message_confirms_the_pickup(shop: Shop) -> None:
    """The task closes by itself, goods leave the books, the customer gets the tracking address."""
    order = shop.places_order().goes_to("confirm_pickup")
    task = order.task("confirm_pickup")

    order.courier_reports("picked_up")

    assert order.engine.task(task.id, PEOPLE["shipping"]).task.state == "withdrawn"
    assert order.steps()[-2:] == [13, 14]
    assert order.mails()[-1] == "shipped"
    assert shop.stock("product-a") == (378, 0)
    assert shipments(order) == [("courier_c", "picked_up")]


def test_a_person_confirms_the_pickup(shop: Shop) -> None:
    """Who saw the parcels leave may say so."""
    order = shop.places_order().goes_to("confirm_pickup")

    order.does("confirm_pickup")

    assert 13 in order.steps()
    assert shop.stock("product-a") == (378, 0)


def test_the_couriers_message_after_the_form_is_kept_and_harms_nothing(shop: Shop) -> None:
    """Both ways at once: the goods leave the books once."""
    order = shop.places_order().goes_to("confirm_pickup")
    order.does("confirm_pickup")

    order.courier_reports("picked_up")

    assert shop.stock("product-a") == (378, 0)
    order.goes_to_its_end()
    assert order.status == "closed"


def test_a_pickup_that_is_reported_before_the_booking_is_recorded_is_kept(shop: Shop) -> None:
    """The courier may be quicker than our own reply: the report waits for its booking."""
    order = shop.places_order().goes_to("package_products")
    seen: list[str] = []

    class Quick(BookCourier):
        """Books, and the van is there before the answer."""

        def perform(self, request: BookingRequest, key: str) -> Booked:
            booked = super().perform(request, key)
            seen.append(booked.reference)
            shop.engine.deliver("courier.picked_up", order.number, {"booking": booked.reference, "driver": "Jo"},
                                source="courier", message_id="quick")
            return booked

    shop.replaces("courier.book", Quick(shop.engine.registry.ports))

    order.does("package_products")

    assert seen
    assert 14 in order.steps()
    assert order.open_elements() == []
