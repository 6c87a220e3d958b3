"""A reply is lost and the worker comes back days later: the key is forgotten, the work is done once all the same."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.couriers.embedded import Fault as CourierFault
from handlers.payments.embedded import Fault as PaymentFault
from tests.scenarios.conftest import Outside
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop


def loses(method: str, lost: Any) -> Any:
    """The first reply to this method is lost; everything else is answered."""
    calls: list[str] = []

    def fault(called: str, key: str) -> Any:
        if called == method:
            calls.append(key)
            if len(calls) == 1:
                return lost
        return None

    return fault


def is_charged_once(shop: Shop, order: OrderHandle) -> None:
    assert order.money()["captured"] == order.money()["invoiced"]
    assert shop.parts.ports.payments.balances() == {order.number: order.money()["invoiced"]}


@pytest.mark.parametrize("method", ["authorise", "capture"])
def test_a_payment_whose_reply_was_lost_three_days_ago_is_charged_once(
    shop: Shop, outside: Outside, method: str
) -> None:
    """The provider has forgotten the key, so it is asked what was done before anything is charged."""
    outside.payment_fault = loses(method, PaymentFault.LOST_REPLY)
    order = shop.places_order()
    order.is_approved("approve_reservation")

    shop.time_passes(days=3)

    assert order.open_elements() == ["approve_payment"]
    is_charged_once(shop, order)
    kinds = [movement.kind for movement in shop.parts.ports.payments.statement()]
    assert kinds == ["authorise", "capture"]


def test_a_refund_whose_reply_was_lost_three_days_ago_is_paid_once(shop: Shop, outside: Outside) -> None:
    """Also money that was sent past the provider's own books, which it would send again."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    due = order.variables["invoice"]["due"]
    outside.payment_fault = loses("refund", PaymentFault.LOST_REPLY)
    order.pays_by_transfer(due + 500)

    shop.time_passes(days=3)

    refunds = [m.amount for m in shop.parts.ports.payments.statement() if m.kind == "refund"]
    assert refunds == [500]
    assert order.money()["refunded"] == 500


def test_a_courier_whose_reply_was_lost_three_days_ago_is_booked_once(shop: Shop, outside: Outside) -> None:
    """One order, one van."""
    outside.courier_fault = loses("book", CourierFault("lost_reply"))
    order = shop.places_order().goes_to("package_products")
    order.does("package_products")

    shop.time_passes(days=3)

    [booking] = shop.parts.ports.couriers["courier_c"].bookings(order.number)
    assert order.variables["booking"]["reference"] == booking.reference
    assert order.open_elements() == ["confirm_pickup"]


def test_a_booking_whose_calling_off_got_lost_three_days_ago_is_called_off(shop: Shop, outside: Outside) -> None:
    """Cancelling goes on where it stood."""
    order = shop.places_order().goes_to("confirm_pickup")
    outside.courier_plan = None
    outside.courier_fault = loses("cancel", CourierFault("lost_reply"))

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.works()
    shop.time_passes(days=3)

    [booking] = shop.parts.ports.couriers["courier_c"].bookings(order.number)
    assert booking.cancelled_at is not None
    assert "put_goods_back" in order.open_elements() or order.status == "cancelled"


def test_nothing_was_done_three_days_ago_so_it_is_done_now(shop: Shop, outside: Outside) -> None:
    """Nothing is found under the key: the work is done, once."""
    outside.payment_fault = loses("authorise", PaymentFault.UNAVAILABLE)
    order = shop.places_order()
    order.is_approved("approve_reservation")

    shop.time_passes(days=3)

    is_charged_once(shop, order)
