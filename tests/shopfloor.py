"""Words for tests of the shop's operations: a call, an order form, an order that was taken, stocked shelves."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers import orders
from handlers.catalogue import CatalogueRow, take_catalogue
from handlers.contract import Call, Clock
from handlers.tables import Order, Stock, StockMovement
from tests.postroom import renderer

FIRST = "WB-10001"


def call(
    session: Session,
    clock: Clock,
    order: str = FIRST,
    *,
    actor: str = "sales",
    variables: Mapping[str, Any] | None = None,
    later: Any = lambda operation, **arguments: None,
) -> Call:
    """A call as the engine would make it."""
    ports = SimpleNamespace(renderer=renderer(), public_url="https://shop.example")
    return Call(order, actor, clock, session, "an_element", f"{order}:an_element:1", variables or {}, later, ports)


def order_form(**changes: Any) -> dict[str, Any]:
    """A complete form of step 1 with details that step 2 finds right."""
    return {
        "name": "Mia Tanaka",
        "email": "mia.tanaka@example.com",
        "phone": "+1 212 736 3100",
        "street": "350 Fifth Avenue",
        "city": "New York",
        "region": "NY",
        "postal_code": "10118",
        "country": "US",
        "items": [{"sku": "product-a", "quantity": 2}],
        "payment_method": "credit_card",
        "shipping_method": "standard",
        **changes,
    }


def product(sku: str = "product-a", **changes: Any) -> CatalogueRow:
    """A product with 10 units in every region."""
    row = {
        "sku": sku,
        "name": sku.replace("-", " ").title(),
        "unit_price": 2_490,
        "currency": "USD",
        "weight_g": 450,
        "stock": {"north_america": 10, "europe": 10, "malaysia": 10},
    }
    return CatalogueRow(**{**row, **changes})


def stock_up(session: Session, clock: Clock, *rows: CatalogueRow) -> None:
    """Fills the shelves; without rows with products a and b."""
    taken = take_catalogue(
        session, rows or (product("product-a"), product("product-b", unit_price=12_900)), clock.now()
    )
    assert not taken.errors


def take_order(session: Session, clock: Clock, number: str = FIRST, **changes: Any) -> Order:
    """Takes an order, e.g. `take_order(session, clock, items=[…])`, with all shelves stocked before."""
    orders.receive(call(session, clock, number), order_form(**changes))
    return orders.load_order(session, number)


def level(session: Session, sku: str = "product-a", region: str = "north_america") -> tuple[int, int]:
    """On hand and reserved."""
    row = session.execute(select(Stock.on_hand, Stock.reserved).where(Stock.sku == sku, Stock.region == region)).one()
    return row.on_hand, row.reserved


def books_agree(session: Session) -> bool:
    """Whether the movements of every product and region add up to what is on hand."""
    session.flush()
    moved = {
        (row.sku, row.region): int(row.units)
        for row in session.execute(
            select(StockMovement.sku, StockMovement.region, func.sum(StockMovement.quantity).label("units")).group_by(
                StockMovement.sku, StockMovement.region
            )
        )
    }
    there = {
        (row.sku, row.region): row.on_hand for row in session.execute(select(Stock.sku, Stock.region, Stock.on_hand))
    }
    return {place: units for place, units in moved.items() if units} == {p: u for p, u in there.items() if u}
