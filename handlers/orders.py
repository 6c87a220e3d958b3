"""Taking an order: its number, where it came from, what only the shop can say about its form, its small variable."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from handlers.contract import Call, Choice, FieldError, FormContext, Problem, WaybillError, operation
from handlers.countries import find_country, serving_region
from handlers.messages import queue_mail
from handlers.picklists import FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS, countries
from handlers.tables import IntakeKey, Order, OrderLine, Product

NUMBER_PREFIX = "WB-"
FIRST_NUMBER = 10001
LARGEST_QUANTITY = 10_000
"""Units of one product in one order."""
HEAVIEST_ORDER_G = 1_400_000
"""What the goods of one order may weigh: its parcels and what lies in them still fit the form of step 10."""
DEFAULT_FOLLOW_UP = "request_feedback"


class KeyReused(WaybillError):
    """An Idempotency-Key that came before with another body (409)."""


class NoSuchOrder(WaybillError):
    """There is no order of this number."""


# --- numbers and intake ----------------------------------------------------------------------------------------------

# One statement in both databases: the row is made or counted up, and stays locked until the transaction ends, so a
# number that is rolled back is given out again and two transactions never see the same one.
_NEXT = text(
    "INSERT INTO counter (name, value) VALUES (:series, :first) "
    "ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value"
)


def next_number(session: Session, series: str, first: int = 1) -> int:
    """The next number of a series. The series is locked until the transaction ends: ask for it last."""
    return int(session.execute(_NEXT, {"series": series, "first": first}).scalar_one())


def next_order_number(session: Session) -> str:
    """The next order number, e.g. `WB-10001`. It is the order's business key everywhere."""
    return f"{NUMBER_PREFIX}{next_number(session, 'order', FIRST_NUMBER)}"


def intake(session: Session, user: str, key: str, body: Any) -> str | None:
    """The number of the order that this user placed with this Idempotency-Key, or None.

    Raises `KeyReused` when the key came with another body.
    """
    known = session.get(IntakeKey, (user, key))
    if known is None:
        return None
    if known.body_hash != _body_hash(body):
        raise KeyReused(
            f"The key {key!r} was used before for order {known.order_number} with other content. "
            "Use a new key for a new order."
        )
    return known.order_number


def place(session: Session, user: str, key: str | None, body: Any, now: datetime) -> tuple[str, bool]:
    """The order number for a request to place an order, and whether it is new.

    New: start the process with it in the same transaction. Not new: the key was used, show that order. Two requests
    with one key at once wait for each other at the number series, so that the second finds the first's order.
    """
    if key is not None and (known := intake(session, user, key, body)) is not None:
        return known, False
    number = next_order_number(session)
    if key is None:
        return number, True
    if (known := intake(session, user, key, body)) is not None:
        return known, False
    session.add(IntakeKey(user=user, key=key, body_hash=_body_hash(body), order_number=number, at=now))
    session.flush()
    return number, True


def order_of_reference(session: Session, order_ref: str) -> str | None:
    """The number of the order that was taken with the customer's or the file's own reference."""
    return session.scalar(select(Order.number).where(Order.order_ref == order_ref))


def _body_hash(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


# --- reading ---------------------------------------------------------------------------------------------------------


def find_order(session: Session, number: str) -> Order | None:
    """The order with its lines and their products in one statement, or None."""
    return session.get(Order, number, options=[joinedload(Order.lines)])


def load_order(session: Session, number: str) -> Order:
    """Like `find_order`; raises `NoSuchOrder`."""
    order = find_order(session, number)
    if order is None:
        raise NoSuchOrder(f"There is no order {number}.")
    return order


ORDER_VARIABLE: Mapping[str, Collection[str] | str] = {
    "number": "string", "total": "number", "currency": "string", "weight_g": "number", "stock_region": REGIONS,
    "payment_method": PAYMENT_METHODS, "shipping_method": SHIPPING_METHODS, "follow_up": FOLLOW_UPS,
    "customer_name": "string",
}
"""The keys of the variable `order` with their possible values."""


def order_variable(order: Order) -> dict[str, Any]:
    """The variable `order` that the diagram reads.

    `total` is the net value of the goods (before discount and tax) in minor units of `currency`; `weight_g` is the
    products' weight without packaging.
    """
    return {
        "number": order.number,
        "total": sum(line.quantity * line.unit_price for line in order.lines),
        "currency": order.currency,
        "weight_g": sum(line.quantity * line.product.weight_g for line in order.lines),
        "stock_region": order.stock_region,
        "payment_method": order.payment_method,
        "shipping_method": order.shipping_method,
        "follow_up": order.follow_up,
        "customer_name": order.customer_name,
    }


# --- step 1 ----------------------------------------------------------------------------------------------------------


@operation(
    "order.receive", gives=ORDER_VARIABLE,
    takes=(
        "name", "email", "phone", "street", "city", "country", "items", "payment_method",
        "shipping_method", "region?", "postal_code?", "payment_token?", "stock_region?", "follow_up?",
    ),
)
def receive(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Creates the order from the form of step 1. Whether address and phone are right is asked in step 2.

    Lines of the same product become one. Where an order came from stands in the instance variable `intake`
    (`{"source": page|api|file, "order_ref"}`), which whoever starts the process sets.
    """
    came = call.variables.get("intake") or {}
    order_ref = came.get("order_ref")
    problems: list[FieldError] = []
    country = find_country(form["country"])
    if country is None:
        problems.append(
            FieldError("/country", f"There is no country “{_short(form['country'])}”. Give its ISO code, e.g. DE.")
        )
    if order_ref and (taken := order_of_reference(call.session, order_ref)):
        problems.append(FieldError("/order_ref", f"The order “{_short(order_ref)}” was taken before, as {taken}."))
    products, quantities = _goods(call.session, form["items"], problems)
    if country is None or problems:
        raise Problem(*problems)
    order = Order(
        number=call.order,
        customer_name=form["name"].strip(),
        payment_method=form["payment_method"],
        payment_token=form.get("payment_token") or None,
        shipping_method=form["shipping_method"],
        stock_region=form.get("stock_region") or serving_region(country),
        follow_up=form.get("follow_up") or DEFAULT_FOLLOW_UP,
        currency=products[next(iter(quantities))].currency,
        source=came.get("source", "page"),
        order_ref=order_ref or None,
        track_token=secrets.token_urlsafe(24),
        placed_at=call.now,
        placed_by=call.actor,
        country=country,
        **{name: str(form.get(name) or "").strip() for name in CONTACT_FIELDS},
    )
    order.lines = [
        OrderLine(
            position=position, sku=sku, name=products[sku].name, quantity=quantity, unit_price=products[sku].unit_price
        )
        for position, (sku, quantity) in enumerate(quantities.items(), start=1)
    ]
    call.session.add(order)
    call.session.flush()
    queue_mail(call, "received")
    return order_variable(order)


CONTACT_FIELDS = ("email", "phone", "street", "city", "region", "postal_code")
"""Fields that form and table call alike and that may be empty when a file has none; step 2 looks at them."""


def _goods(
    session: Session, items: Sequence[Mapping[str, Any]], problems: list[FieldError]
) -> tuple[dict[str, Product], dict[str, int]]:
    """The products of the items and the quantity of each, in the order they were named; what is wrong to `problems`."""
    wanted = {item["sku"] for item in items}
    products = {p.sku: p for p in session.scalars(select(Product).where(Product.sku.in_(wanted)))}
    quantities: dict[str, int] = {}
    currency: str | None = None
    if not items:
        problems.append(FieldError("/items", "Name at least one product."))
    for position, item in enumerate(items):
        sku, quantity = item["sku"], item["quantity"]
        product = products.get(sku)
        if product is None:
            problems.append(
                FieldError(f"/items/{position}/sku", f"There is no product “{_short(sku)}” in the catalogue.")
            )
            continue
        currency = currency or product.currency
        if product.currency != currency:
            message = f"{product.name} is priced in {product.currency}, the others in {currency}. An order has one."
            problems.append(FieldError(f"/items/{position}/sku", message))
        quantities[sku] = quantities.get(sku, 0) + quantity
        if quantity < 1 or quantities[sku] > LARGEST_QUANTITY:
            problems.append(
                FieldError(f"/items/{position}/quantity", f"Order 1 to {LARGEST_QUANTITY:,} units of a product.")
            )
    weight_g = sum(products[sku].weight_g * quantity for sku, quantity in quantities.items())
    if weight_g > HEAVIEST_ORDER_G and not problems:  # a quantity that is too large anyway is told at its line
        message = (
            f"These goods weigh {weight_g / 1000:,.0f} kg. One order takes {HEAVIEST_ORDER_G / 1000:,.0f} kg at most: "
            "make several."
        )
        problems.append(FieldError("/items", message))
    return products, quantities


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:59] + "…"


@operation("order.receive_form")
def receive_form(call: Call) -> FormContext:
    """Countries and the catalogue's products as pick lists, and one order that can be taken as it stands."""
    products = call.session.execute(select(Product.sku, Product.name, Product.currency).order_by(Product.name)).all()
    first = products[0] if products else None
    example = {
        "name": "Mia Tanaka",
        "email": "mia.tanaka@example.com",
        "phone": "+1 212 736 3100",
        "street": "350 Fifth Avenue",
        "city": "New York",
        "region": "NY",
        "postal_code": "10118",
        "country": "US",
        "items": [{"sku": first.sku, "quantity": 2}] if first else [],
        "payment_method": "credit_card",
        "shipping_method": "standard",
        "stock_region": "north_america",
        "follow_up": DEFAULT_FOLLOW_UP,
    }
    lists = {"country": countries()}
    if products:
        lists["items.sku"] = tuple(Choice(p.sku, p.name) for p in products)
    return FormContext(example=example, choices=lists)
