"""What a customer has ordered together: several orders that might be one, so that splitting one evades no threshold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from handlers.contract import Call
from handlers.orders import order_variable
from handlers.tables import Order, OrderLine

WINDOW = timedelta(days=7)
"""Orders of the same customer that were placed within this of each other count as one."""
MOST_NAMED = 50
"""Order numbers that the variable lists; the amount counts all."""


def ordered_together(session: Session, order: Order) -> Mapping[str, Any]:
    """`ordered_together`: the value of this order and of the same customer's others, in minor units of its currency;
    `together_with`: the numbers of these others. One statement.

    The same customer is who has the same e-mail or the same delivery address, however either is written. Cancelled
    orders do not count.
    """
    local, _, domain = email_key(order.email).partition("@")
    pattern = f"{_escaped(local)}%@{_escaped(domain)}"
    postal = func.lower(func.replace(func.replace(Order.postal_code, " ", ""), "-", ""))
    found = session.execute(
        select(Order.number, Order.email, Order.street, Order.postal_code, Order.country,
               func.sum(OrderLine.quantity * OrderLine.unit_price))
        .join(OrderLine, OrderLine.order_number == Order.number)
        .where(
            Order.placed_at.between(order.placed_at - WINDOW, order.placed_at + WINDOW),
            Order.cancelled_at.is_(None), Order.currency == order.currency, Order.number != order.number,
            or_(func.lower(Order.email).like(pattern, escape="\\"),
                and_(Order.country == order.country, postal == _postal_key(order.postal_code))),
        )
        .group_by(Order.number, Order.email, Order.street, Order.postal_code, Order.country)
        .order_by(Order.number)
    ).all()
    mine = address_key(order.street, order.postal_code, order.country)
    others = [
        (number, int(value)) for number, email, street, postal_code, country, value in found
        if email_key(email) == email_key(order.email) or address_key(street, postal_code, country) == mine
    ]
    return {
        "ordered_together": order_variable(order)["total"] + sum(value for _, value in others),
        "together_with": [number for number, _ in others[:MOST_NAMED]],
    }


def known_together(call: Call) -> Mapping[str, Any]:
    """What was ordered together, as it was counted last: in step 4, then before the approval of the payment."""
    known = call.variables.get("reservation") or {}
    return {
        "ordered_together": known.get("ordered_together", (call.variables.get("order") or {}).get("total", 0)),
        "together_with": known.get("together_with", []),
    }


def together_at_reservation(call: Call) -> Mapping[str, Any]:
    """What was ordered together as step 4 counted it, whatever was counted later.

    An order that began before orders were counted has none: its own value, with nobody.
    """
    known: Mapping[str, Any] | None = (call.variables.get("reservation") or {}).get("at_reservation")
    return known or known_together(call)


def together_signed(known: Mapping[str, Any], order: Order) -> Mapping[str, Any]:
    """The part of a submission that names the orders with which this one was ordered together; empty for none."""
    if not known["together_with"]:
        return {}
    return {
        "together_with": known["together_with"],
        "value_together": {"amount": known["ordered_together"], "currency": order.currency},
    }


def email_key(email: str) -> str:
    """An e-mail address without what makes no difference: case, blanks, and the part after a plus sign."""
    local, at, domain = email.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def address_key(street: str, postal_code: str, country: str) -> tuple[str, str, str]:
    """A delivery address without what makes no difference: case, blanks, punctuation."""
    return "".join(sign for sign in street.casefold() if sign.isalnum()), _postal_key(postal_code), country


def _postal_key(postal_code: str) -> str:
    return postal_code.lower().replace(" ", "").replace("-", "")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
