"""Steps 15 to 20: tracking, what goes wrong on the road, proof, closing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import InvalidForm
from engine.views import Actor
from handlers.couriers.embedded import Fault
from handlers.couriers.journeys import Plan
from handlers.tables import Payment, Reservation, Shipment, Stock
from tests.scenarios.conftest import SQLITE_USUALLY, Outside
from tests.scenarios.shop import OrderHandle, Shop

pytestmark = SQLITE_USUALLY

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)


def on_its_way(shop: Shop, **more: Any) -> OrderHandle:
    order = shop.places_order(**more).goes_to("confirm_pickup")
    order.courier_reports("picked_up")
    return order


def last_shipment(order: OrderHandle) -> str:
    with order.engine.reading() as session:
        rows = session.query(Shipment).filter_by(order_number=order.number).order_by(Shipment.booked_at)
        return rows.all()[-1].state


def arrives(shop: Shop, order: OrderHandle) -> None:
    """The courier's days have passed, and it reports the delivery."""
    shop.time_passes(days=4)
    order.courier_reports("delivered")


# --- tracking


def test_reports_are_taken_in_until_the_parcels_arrive(shop: Shop) -> None:
    """The loop over the courier's reports ends with the delivery."""
    order = on_its_way(shop)

    for status in ("on_the_way", "out_for_delivery"):
        shop.time_passes(hours=5)
        order.courier_reports(status)
    assert order.open_elements() == []
    arrives(shop, order)

    assert order.open_elements() == ["prepare_next"]
    assert order.steps()[-5:] == [15, 16, 17, 18, 19]
    assert order.row().closed_at is not None


def test_the_customer_hears_of_a_delay(shop: Shop) -> None:
    """A delay is mailed; the order goes on being tracked."""
    order = on_its_way(shop)
    shop.time_passes(hours=1)

    order.courier_reports("delayed")

    assert order.mails()[-1] == "delay"
    assert order.instance.awaits == ("courier.reported",)


def test_five_days_without_a_report_are_an_exception(shop: Shop) -> None:
    """Silence is looked at; each report starts the five days anew."""
    order = on_its_way(shop)
    shop.time_passes(days=4)
    order.courier_reports("on_the_way")
    shop.time_passes(days=4)
    assert order.open_elements() == []

    shop.time_passes(days=1)

    assert order.open_elements() == ["handle_exception"]


def test_tracking_goes_on_when_a_person_says_so(shop: Shop) -> None:
    """“Keep tracking” waits for the next report, with five days of its own."""
    order = on_its_way(shop)
    shop.time_passes(days=5)

    order.answers("handle_exception", choice="keep_tracking", reason="It turns up.")
    assert order.open_elements() == []
    order.courier_reports("delivered")

    assert order.open_elements() == ["prepare_next"]


# --- when a parcel is lost, or comes back


@pytest.mark.parametrize("status", ["lost", "refused", "returned"])
def test_lost_goods_are_shipped_again(shop: Shop, status: str) -> None:
    """Ship again: the goods are reserved anew, packed, booked and delivered, for no more money."""
    order = on_its_way(shop)
    shop.time_passes(hours=1)
    order.courier_reports(status)
    assert order.open_elements() == ["handle_exception"]

    order.answers("handle_exception", choice="ship_again", reason="Agreed by phone.")

    assert order.open_elements() == ["prepare_shipment"]
    gone = 0 if status == "returned" else 2
    assert shop.stock("product-a") == (380 - gone, 2)
    order.goes_to("confirm_pickup")
    order.courier_reports("picked_up")
    arrives(shop, order)
    order.goes_to_its_end()
    assert order.status == "closed"
    assert shop.stock("product-a") == (380 - gone - 2, 0)
    assert order.money()["captured"] == order.money()["invoiced"]
    assert order.money()["refunded"] == 0


def test_an_order_that_is_shipped_again_can_be_lost_again(shop: Shop) -> None:
    """As often as it takes."""
    order = on_its_way(shop)
    for _ in range(2):
        shop.time_passes(hours=1)
        order.courier_reports("lost")
        order.answers("handle_exception", choice="ship_again", reason="Once more.")
        order.goes_to("confirm_pickup")
        order.courier_reports("picked_up")
    arrives(shop, order)

    assert order.open_elements() == ["prepare_next"]
    assert shop.stock("product-a") == (380 - 6, 0)


def test_a_late_report_of_the_lost_shipment_changes_nothing(shop: Shop) -> None:
    """What the first shipment's courier says later is not about the second."""
    order = on_its_way(shop)
    first = order.variables["booking"]["reference"]
    shop.time_passes(hours=1)
    order.courier_reports("lost")
    order.answers("handle_exception", choice="ship_again", reason="Once more.")
    order.goes_to("confirm_pickup")
    order.courier_reports("picked_up")

    order.hears("courier.reported", booking=first, status="delivered", at="2026-11-25T09:00:00Z")

    assert order.instance.awaits == ("courier.reported",)
    assert order.variables["tracking"]["status"] == "under_way"


def test_everything_is_refunded_and_the_order_closes(shop: Shop) -> None:
    """Refund all: credited, paid back, closed at 18 without 16 and 17."""
    order = on_its_way(shop)
    shop.time_passes(hours=1)
    order.courier_reports("lost")

    order.answers("handle_exception", choice="refund", reason="The customer wants the money.")

    assert order.open_elements() == ["prepare_next"]
    assert order.steps()[-3:] == [15, 18, 19]
    money = order.money()
    assert money["refunded"] == money["captured"] == money["credited"] == money["invoiced"] > 0
    assert last_shipment(order) == "given_up"


def test_a_part_is_credited_and_the_rest_is_confirmed(shop: Shop) -> None:
    """Part: credit for what is lost, then 16 for the rest."""
    order = on_its_way(shop)
    shop.time_passes(hours=1)
    order.courier_reports("lost")

    order.answers("handle_exception", choice="part", reason="One piece was broken.",
                  items=[{"sku": "product-a", "quantity": 1}])
    money = order.money()
    assert 0 < money["credited"] == money["refunded"] < money["invoiced"]
    assert order.open_elements() == ["ask_for_proof"], "the courier has no proof of a lost parcel"
    order.does("ask_for_proof")
    order.goes_to_its_end()

    assert order.status == "closed"
    assert 16 in order.steps()
    assert 17 in order.steps()
    assert order.money() == money


def test_a_refund_that_the_provider_refuses_is_paid_by_hand(shop: Shop) -> None:
    """Finance pays another way and records it; the balance is looked at again."""
    order = on_its_way(shop, payment_token="tok_refund_refused")
    shop.time_passes(hours=1)
    order.courier_reports("lost")
    order.answers("handle_exception", choice="refund", reason="Lost for good.")
    assert order.open_elements() == ["refund_by_hand"]

    order.does("refund_by_hand")
    order.goes_to_its_end()

    assert order.status == "closed"
    assert order.money()["refunded"] == order.money()["captured"]


def test_shipping_again_needs_stock(shop: Shop) -> None:
    """With nothing on the shelf the form comes back and nothing has changed."""
    order = on_its_way(shop)
    shop.time_passes(hours=1)
    order.courier_reports("lost")
    shop.has("product-a", 1)

    with pytest.raises(InvalidForm) as refused:
        order.answers("handle_exception", choice="ship_again", reason="Again.")

    assert [error.field for error in refused.value.errors] == ["/choice"]
    with shop.engine.reading() as session:
        assert session.query(Reservation).filter_by(order_number=order.number, state="held").count() == 0
    assert last_shipment(order) == "picked_up"


# --- proof


def test_missing_proof_is_asked_for_and_recorded(shop: Shop, outside: Outside) -> None:
    """No proof: the operator asks the courier; what it says counts."""
    outside.courier_plan = lambda order, courier: Plan(proof=False)
    order = on_its_way(shop)
    arrives(shop, order)
    assert order.open_elements() == ["ask_for_proof"]
    order.does("ask_for_proof")

    assert order.open_elements() == ["prepare_next"]
    with shop.engine.reading() as session:
        assert session.query(Shipment).filter_by(order_number=order.number).one().proof


def test_parcels_without_proof_that_were_not_delivered_are_an_exception(shop: Shop, outside: Outside) -> None:
    """“Not delivered” leads to the delivery exception."""
    outside.courier_fault = lambda method, key: Fault("refuse") if method == "proof" else None
    order = on_its_way(shop)
    arrives(shop, order)
    assert order.open_elements() == ["ask_for_proof"]

    order.answers("ask_for_proof", courier=order.variables["booking"]["courier"], answer="not_delivered")

    assert order.open_elements() == ["handle_exception"]


# --- closing


def test_closing_refuses_while_something_is_open(shop: Shop) -> None:
    """An order with open money is an incident at step 18, and closes when that is settled and it is tried again."""
    order = on_its_way(shop)
    with shop.engine.transaction() as session:
        session.query(Payment).filter_by(order_number=order.number, kind="capture").one().amount -= 1
    arrives(shop, order)

    incident = order.incidents()[0]
    assert (incident.element, incident.step) == ("close_order", 18)
    assert "are invoiced" in incident.error
    assert order.row().closed_at is None

    with shop.engine.transaction() as session:
        session.query(Payment).filter_by(order_number=order.number, kind="capture").one().amount += 1
    shop.engine.retry(incident.id, OWNER)
    shop.works()
    assert order.open_elements() == ["prepare_next"]
    assert order.incidents() == []


def test_preparing_for_the_next_order_proposes_what_was_taken(shop: Shop) -> None:
    """Step 20 proposes to restock exactly what left."""
    order = on_its_way(shop)
    arrives(shop, order)
    order.goes_to("prepare_next")

    proposal = order.detail("prepare_next", OWNER).data["restock"]

    assert {(line["sku"], line["quantity"]) for line in proposal} == {("product-a", 2), ("product-c", 1)}
    order.goes_to_its_end()
    with shop.engine.reading() as session:
        assert sum(row.on_hand for row in session.query(Stock).filter_by(sku="product-a", region="europe")) == 378
