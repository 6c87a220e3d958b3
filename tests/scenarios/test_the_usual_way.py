"""An order that meets no difficulty."""

from __future__ import annotations

from app import Parts
from tests.clock import MovableClock
from tests.scenarios.shop import Shop


def test_an_order_goes_through_all_twenty_steps_in_order(parts: Parts, clock: MovableClock) -> None:
    """From received to prepared for next: each step once, in the template's order, with its real papers."""
    shop = Shop(parts, clock)
    order = shop.places_order()

    order.goes_to_its_end()

    assert order.status == "closed"
    assert order.steps() == list(range(1, 21))
    money = order.money()
    assert money["invoiced"] == money["captured"] > 0
    assert not order.incidents()
    assert shop.engine.verify_audit() == []


def test_the_couriers_own_message_completes_the_pickup(shop: Shop) -> None:
    """Step 13 is done by its form or by the courier's report; the history shows it either way."""
    order = shop.places_order().goes_to("confirm_pickup")

    order.courier_reports("picked_up")

    assert order.steps()[-2:] == [13, 14]
    assert not order.instance.can_cancel


def test_a_payment_token_is_used_and_not_shown(shop: Shop) -> None:
    """What a form marks as write-only reaches its operation and nothing that people read."""
    order = shop.places_order(payment_token="tok_secret_42")

    assert order.row().payment_token == "tok_secret_42"
    assert "tok_secret_42" not in str(order.history()) + str(order.variables)
