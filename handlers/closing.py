"""Step 18 and the end of the undo path: nothing of an order may be left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.balance import balance
from handlers.contract import Call, Refused, operation
from handlers.money import format_money
from handlers.orders import find_order, load_order
from handlers.stock import live_reservation, units
from handlers.tables import Order, Shipment

_ENDED = ("delivered", "given_up", "cancelled")
"""States of a shipment with which nothing happens any more."""


@operation("order.close", gives=("closed",), refuses=())  # still open: no business answer, a person has to look
def close(call: Call) -> Mapping[str, Any]:
    """Closes the order; refuses with `still_open` and says what is open: stock, money or parcels."""
    order = load_order(call.session, call.order)
    _refuse_what_is_open(call.session, order)
    order.closed_at = order.closed_at or call.now
    call.session.flush()
    return {"closed": True}


@operation("order.cancel", gives=("cancelled", "reason"), refuses=())
def cancel(call: Call, reason: str) -> Mapping[str, Any]:
    """Marks the order as cancelled after everything was undone; refuses with `still_open` like closing.

    An order that was cancelled before step 1 was done has no row, and nothing to mark.
    """
    order = find_order(call.session, call.order)
    if order is not None:
        _refuse_what_is_open(call.session, order)
        order.cancelled_at = order.cancelled_at or call.now
        call.session.flush()
    return {"cancelled": True, "reason": reason}


def still_open(session: Session, order: Order) -> list[str]:
    """A sentence for everything of the order that is not settled."""
    found = []
    if reservation := live_reservation(session, order.number):
        found.append(f"{units(reservation):,} units are still reserved ({reservation.reference}).")
    money = balance(session, order.number)
    if not money.settled:
        owed, held = (format_money(amount, order.currency) for amount in (money.owed, money.held))
        under_way = " A refund is under way." if money.refunding else ""
        found.append(f"{owed} are invoiced and {held} are paid.{under_way}")
    moving = session.scalars(
        select(Shipment.reference)
        .where(Shipment.order_number == order.number, Shipment.state.not_in(_ENDED))
        .order_by(Shipment.reference)
    ).all()
    if moving:
        found.append(f"The shipment {', '.join(moving)} has not ended.")
    return found


def _refuse_what_is_open(session: Session, order: Order) -> None:
    if found := still_open(session, order):
        raise Refused("still_open", " ".join(found))
