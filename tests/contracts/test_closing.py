"""An order ends only when its stock, money and parcels have ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from handlers import closing, inventory
from handlers.contract import Clock, Refused
from handlers.orders import load_order
from handlers.tables import Invoice, Payment, Shipment
from tests.clock import MovableClock
from tests.shopfloor import FIRST, call, stock_up, take_order


@pytest.fixture
def shop(session: Session, clock: Clock) -> Session:
    stock_up(session, clock)
    take_order(session, clock)
    return session


def paper(session: Session, clock: Clock, number: str, total: int, kind: str = "invoice") -> None:
    session.add(
        Invoice(
            number=number, kind=kind, credits=None, order_number=FIRST, currency="USD", net=total, discount=0, tax=0,
            tax_rate_bp=0, tax_name="", total=total, issued_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()


def money(session: Session, clock: Clock, key: str, amount: int, kind: str = "capture", state: str = "done") -> None:
    session.add(
        Payment(
            key=key, order_number=FIRST, kind=kind, method="credit_card", amount=amount, currency="USD", state=state,
            reference=None, at=clock.now(),
        )
    )  # fmt: skip
    session.flush()


def parcel(session: Session, clock: Clock, state: str) -> None:
    session.add(
        Shipment(
            reference=f"B-{state}", order_number=FIRST, round=1, courier="courier_a", tracking_number="T", state=state,
            expected_on=None, booked_at=clock.now(), picked_up_at=None, ended_at=None, proof=None,
        )
    )  # fmt: skip
    session.flush()


def test_a_settled_order_closes(shop: Session, clock: MovableClock) -> None:
    """Paid what was invoiced, delivered, nothing reserved: closed, at the time it first was."""
    paper(shop, clock, "I-1", 5_000)
    paper(shop, clock, "C-1", 2_000, "credit_note")
    money(shop, clock, "1", 5_000)
    money(shop, clock, "2", 2_000, "refund")
    money(shop, clock, "3", 900, state="refused")
    parcel(shop, clock, "given_up")
    parcel(shop, clock, "delivered")

    assert closing.close(call(shop, clock)) == {"closed": True}
    closed_at = clock.now()
    clock.advance(hours=1)
    closing.close(call(shop, clock))

    assert load_order(shop, FIRST).closed_at == closed_at == clock.now() - timedelta(hours=1)


def still_open(session: Session, clock: Clock) -> str:
    with pytest.raises(Refused) as refused:
        closing.close(call(session, clock))
    assert refused.value.code == "still_open"
    assert load_order(session, FIRST).closed_at is None
    return refused.value.message


def test_stock_keeps_it_open(shop: Session, clock: Clock) -> None:
    """Goods that are still set aside are named by their reservation."""
    inventory.reserve(call(shop, clock), "europe")
    assert "2 units are still reserved (R-WB-10001-1)" in still_open(shop, clock)
    inventory.pick(call(shop, clock))
    assert "still reserved" in still_open(shop, clock)


def test_money_keeps_it_open(shop: Session, clock: Clock) -> None:
    """Money that is owed either way is told in the order's currency."""
    paper(shop, clock, "I-1", 5_000)
    assert "$50.00 are invoiced and $0.00 are paid" in still_open(shop, clock)
    money(shop, clock, "1", 5_000, state="pending")
    still_open(shop, clock)
    money(shop, clock, "2", 6_000)
    assert "$60.00 are paid" in still_open(shop, clock)


@pytest.mark.parametrize("state", ["booked", "picked_up"])
def test_parcels_keep_it_open(shop: Session, clock: Clock, state: str) -> None:
    """A booking that is neither delivered nor given up keeps the order open."""
    parcel(shop, clock, state)
    assert f"B-{state}" in still_open(shop, clock)


def test_cancelling_marks_what_was_undone(shop: Session, clock: Clock) -> None:
    """A cancelled order is marked once everything is undone, and refuses as closing does until then."""
    inventory.reserve(call(shop, clock), "europe")
    with pytest.raises(Refused, match="still reserved"):
        closing.cancel(call(shop, clock), "changed mind")
    inventory.release(call(shop, clock))

    assert closing.cancel(call(shop, clock), "changed mind")["cancelled"] is True
    order = load_order(shop, FIRST)
    assert (order.cancelled_at, order.closed_at) == (clock.now(), None)


def test_an_order_without_a_row_can_be_cancelled(shop: Session, clock: Clock) -> None:
    """Cancelled before step 1 was done: nothing to mark, nothing to refuse."""
    assert closing.cancel(call(shop, clock, "WB-99999"), "test")["cancelled"] is True
