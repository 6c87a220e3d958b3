"""What the page of a gate shows beside the submission: the order, its stock and its money as they stand now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from engine.store.tables import Instance, Job
from handlers import tables as shop
from web.queries import order_select
from web.rows import Money


@dataclass(frozen=True, slots=True)
class Shelf:
    """One product of an order where it is taken from, in pieces, as it stands now."""

    sku: str
    name: str
    region: str
    held: int
    """Set aside for this order."""
    on_hand: int
    others: int
    """Set aside for other orders."""

    @property
    def left(self) -> int:
        """What is free once this order has its pieces."""
        return self.on_hand - self.held - self.others


@dataclass(frozen=True, slots=True)
class GateFacts:
    """One order as an approver reads it."""

    number: str
    customer_name: str
    city: str
    version: int
    total: int
    """The newest invoice's; before there is one, the goods without tax and discount."""
    invoiced: bool
    currency: str
    money: Money
    waits_until: datetime | None
    """When a timer takes the order elsewhere unless somebody decides."""
    waits_for: str
    """What the diagram calls that timer."""
    shelves: tuple[Shelf, ...] = ()
    """Empty once nothing is set aside any more."""

    @property
    def short(self) -> tuple[Shelf, ...]:
        """Products of which this order takes the last pieces."""
        return tuple(shelf for shelf in self.shelves if shelf.left <= 0)


def gate_facts(session: Session, numbers: Iterable[str]) -> dict[str, GateFacts]:
    """Order number → its facts. One statement, none for no orders."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    line, held, stock = shop.ReservationLine, shop.Reservation, shop.Stock
    timer = aliased(Job)
    statement = (
        order_select()
        .add_columns(
            _papers("invoice").label("owed"), _papers("credit_note").label("credited"),
            _moves("capture").label("captured"), _moves("refund").label("refunded"),
            timer.run_at.label("timer_at"), timer.name.label("timer_name"),
            line.sku, shop.Product.name.label("product"), line.region.label("place"), line.quantity,
            stock.on_hand, stock.reserved,
        )
        .outerjoin(timer, timer.id == _first_timer())
        .outerjoin(held, and_(held.order_number == Instance.business_key, held.state.in_(("held", "picked"))))
        .outerjoin(line, line.reference == held.reference)
        .outerjoin(shop.Product, shop.Product.sku == line.sku)
        .outerjoin(stock, and_(stock.sku == line.sku, stock.region == line.region))
        .where(Instance.business_key.in_(wanted))
        .order_by(Instance.business_key, line.sku, line.region)
    )  # fmt: skip
    rows: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        rows.setdefault(row.business_key, []).append(row)
    return {number: _facts(found) for number, found in rows.items()}


def _facts(rows: Sequence[Any]) -> GateFacts:
    """The facts of one order, of its rows: one for each product that is set aside."""
    row = rows[0]
    currency = row.currency or "USD"
    return GateFacts(
        number=row.business_key, customer_name=row.customer_name or "", city=row.city or "", version=row.version,
        total=int(row.total), invoiced=bool(row.invoiced), currency=currency,
        money=Money(currency, int(row.owed - row.credited), int(row.captured), int(row.refunded)),
        waits_until=row.timer_at, waits_for=row.timer_name or "",
        shelves=tuple(
            Shelf(each.sku, each.product, each.place, each.quantity, each.on_hand, each.reserved - each.quantity)
            for each in rows if each.sku is not None and each.on_hand is not None
        ),
    )  # fmt: skip


def _first_timer() -> ColumnElement[str]:
    """The order's timer that runs out next."""
    mine = (Job.instance_id == Instance.id, Job.kind == "timer", Job.state == "ready")
    return select(Job.id).where(*mine).order_by(Job.run_at, Job.id).limit(1).scalar_subquery()


def _papers(kind: str) -> ColumnElement[int]:
    """What the order's papers of a kind add up to."""
    i = shop.Invoice
    total = func.coalesce(func.sum(i.total), 0)
    return select(total).where(i.order_number == Instance.business_key, i.kind == kind).scalar_subquery()


def _moves(kind: str) -> ColumnElement[int]:
    """What was moved of the order's money, by the kind of movement."""
    p = shop.Payment
    total = func.coalesce(func.sum(p.amount), 0)
    mine = (p.order_number == Instance.business_key, p.kind == kind, p.state == "done")
    return select(total).where(*mine).scalar_subquery()
