"""Whatever happens to an order in whatever order: stock and money add up, and it ends exactly once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from engine.errors import Conflict, InvalidForm
from handlers.tables import StockMovement
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.shop import OrderHandle, Shop

Move = Callable[[], Any]


def moves(shop: Shop, order: OrderHandle, dice: int) -> list[Move]:
    """What may happen now, usual things several times."""
    found: list[Move] = [
        lambda: shop.time_passes(hours=1),
        lambda: shop.time_passes(days=1 + dice % 3),
        lambda: order.hears("courier.reported", f"dup{dice % 3}", booking="X-1", status="lost"),
        lambda: order.hears("stock.arrived", sku="product-a", region="europe"),
    ]
    if dice % 7 == 0:
        found.append(order.is_cancelled)
    if dice % 11 == 0:
        found.append(lambda: shop.time_passes(days=8))
    if "booking" in order.variables and "reference" in order.variables["booking"]:
        for status in ("delivered", "lost", "delayed", "picked_up", "returned"):
            found.append(lambda status=status: order.courier_reports(status))  # type: ignore[misc]
    if "invoice" in order.variables:
        part = order.variables["invoice"]["total"] // (1 + dice % 2)
        found.append(lambda: order.pays_by_transfer(part, f"BT-{dice % 4}"))
    for element in order.open_elements():
        found += 3 * answers(shop, order, element, dice)
    return found


def answers(shop: Shop, order: OrderHandle, element: str, dice: int) -> list[Move]:
    """What people may say to an open task."""
    match element:
        case "approve_reservation":
            return [lambda: order.is_approved(element)] * 3 + [
                lambda: order.is_decided(element, "send_back", comment="Again.", step=3),
                lambda: order.is_decided(element, "reject", comment="No."),
            ]
        case "approve_payment":
            return [lambda: order.is_approved(element)] * 3 + [
                lambda: order.is_decided(element, "send_back", comment="Again.", step=6 + dice % 2),
                lambda: order.is_decided(element, "reject", comment="No."),
            ]
        case "resolve_payment":
            return [
                lambda: order.answers(element, choice="again", payment_token="tok_good"),
                lambda: order.answers(element, choice="other_method", payment_method="paypal"),
                lambda: order.answers(element, choice="cancel"),
            ]
        case "resolve_shortage":
            return [
                lambda: order.answers(element, choice="wait"),
                lambda: order.answers(element, choice="other_region", stock_region="malaysia"),
                lambda: order.answers(element, choice="fewer", items=[{"sku": "product-c", "quantity": 1}]),
            ]
        case "handle_exception":
            choices = ("ship_again", "refund", "keep_tracking", "part")
            items = [{"sku": "product-c", "quantity": 1}]
            return [
                lambda choice=choice: order.answers(  # type: ignore[misc]
                    element, choice=choice, reason="So be it.", **({"items": items} if choice == "part" else {})
                )
                for choice in choices
            ]
        case _:
            return [lambda: order.does(element)]


def ends(shop: Shop, order: OrderHandle) -> None:
    """Everybody is sensible from now on."""
    for _ in range(80):
        if order.status in ("closed", "cancelled"):
            return
        assert not order.incidents(), order.where()
        open_now = order.open_elements()
        if "resolve_payment" in open_now:
            order.answers("resolve_payment", choice="cancel")
        elif "handle_exception" in open_now:
            order.answers("handle_exception", choice="refund", reason="Enough.")
        elif open_now or "bank.transfer_received" in order.instance.awaits:
            order.usual()
        else:
            shop.time_passes(days=5)
    raise AssertionError(f"{order.number} does not end: {order.where()}")


def stock_of_records(shop: Shop) -> dict[tuple[str, str], int]:
    with shop.engine.reading() as session:
        rows = session.execute(select(StockMovement.sku, StockMovement.region, func.sum(StockMovement.quantity))
                               .group_by(StockMovement.sku, StockMovement.region))
        return {(sku, region): int(units) for sku, region, units in rows}


@SQLITE_ONLY
@settings(max_examples=12, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(dice=st.lists(st.integers(0, 9_999), min_size=12, max_size=28),
       method=st.sampled_from(["credit_card", "bank_transfer", "paypal"]),
       token=st.sampled_from([None, "tok_declined_once", "tok_lost_reply_once_per_call"]))
def test_stock_and_money_add_up_whatever_happens(shop: Shop, dice: list[int], method: str, token: str | None) -> None:
    """Stock is conserved, what was captured less refunded is what was invoiced less credited, one end, one chain."""
    order = shop.places_order(payment_method=method, **({"payment_token": token} if token else {}))
    for number in dice:
        if order.status not in ("open", "cancelling"):
            break
        possible = moves(shop, order, number)
        with suppress(InvalidForm, Conflict):
            possible[number % len(possible)]()
        assert all(on_hand >= reserved >= 0 for on_hand, reserved in shop.shelves().values())
        assert not order.incidents(), order.where()
    ends(shop, order)
    shop.time_passes(days=30)

    money = order.money()
    assert money["captured"] - money["refunded"] == money["invoiced"] - money["credited"], (money, order.where())
    assert shop.parts.ports.payments.balances().get(order.number, 0) in (0, money["captured"] - money["refunded"])
    assert {place: on_hand for place, (on_hand, _) in shop.shelves().items()} == stock_of_records(shop)
    assert all(reserved == 0 for _, reserved in shop.shelves().values())
    assert [e.kind for e in order.history()].count("ended") == 1
    assert order.open_elements() == []
    assert not order.incidents(), order.where()
    assert shop.engine.verify_audit(order.number) == []
