"""What a scanned code stands for: an order, one of its parcels, a shipment, or a product; and whose tasks it means."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.store.tables import Instance, Task
from handlers import tables as shop
from handlers.scanned import Scanned
from web.texts import N_, _

MOST_TASKS = 50
"""Tasks that are listed for one product."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a code stands for. `order` is its order's number; of a product it is empty."""

    kind: Literal["order", "parcel", "shipment", "product"]
    order: str = ""
    sku: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class TaskWith:
    """An open task whose order holds a product."""

    id: str
    name: str
    step: int | None
    order: str
    customer: str
    quantity: int
    due_at: datetime | None
    assignee: str | None


def find(session: Session, code: Scanned) -> Found | None:
    """What a code stands for, or None. At most five statements, each by an index."""
    spelt = {code.text, code.text.upper(), code.text.lower()} - {""}
    if code.sscc is not None and not code.misread:
        order = session.scalar(select(shop.Parcel.order_number).where(shop.Parcel.sscc == code.sscc))
        if order is not None:
            return Found("parcel", order)
    order = session.scalar(select(Instance.business_key).where(Instance.business_key.in_(spelt)).limit(1))
    if order is not None:
        return Found("order", order)
    product = session.execute(
        select(shop.Product.sku, shop.Product.name).where(shop.Product.sku.in_(spelt)).limit(1)
    ).one_or_none()
    if product is not None:
        return Found("product", sku=product.sku, name=product.name)
    shipment = shop.Shipment
    order = session.scalar(
        select(shipment.order_number)
        .where(or_(shipment.tracking_number.in_(spelt), shipment.reference.in_(spelt)))
        .order_by(shipment.booked_at.desc())
        .limit(1)
    )
    if order is not None:
        return Found("shipment", order)
    order = session.scalar(select(shop.Order.number).where(shop.Order.order_ref == code.text))
    return Found("order", order) if order is not None else None


def tasks_with(session: Session, sku: str, teams: Collection[str]) -> list[TaskWith]:
    """The open tasks of these teams whose order holds the product, soonest due first. One statement."""
    line, order = shop.OrderLine, shop.Order
    statement = (
        select(
            Task.id, Task.name, Task.step, Task.business_key, order.customer_name, line.quantity, Task.due_at,
            Task.has_due, Task.assignee,
        )
        .join(line, line.order_number == Task.business_key)
        .join(order, order.number == Task.business_key)
        .where(Task.state == "open", Task.team.in_(sorted(teams)), line.sku == sku)
        .order_by(Task.due_at, Task.id)
        .limit(MOST_TASKS)
    )  # fmt: skip
    found: dict[str, TaskWith] = {}
    for row in session.execute(statement):
        due = row.due_at if row.has_due else None
        before = found[row.id].quantity if row.id in found else 0  # a product may stand in two lines of an order
        found[row.id] = TaskWith(
            row.id, row.name, row.step, row.business_key, row.customer_name, before + row.quantity, due, row.assignee
        )
    return list(found.values())


def why_not(code: Scanned, say: Callable[..., str] = _) -> str:
    """Why a code that stands for nothing cannot be read as one of ours, in a sentence, as `say` says it."""
    if code.misread:
        text = N_("It has the form of an SSCC, and its check digit does not fit: %(sscc)s was misread. Scan the label "
                  "again, or type its number.")
        return say(text, sscc=code.sscc)
    if code.sscc is not None:
        return say(N_("It is a right SSCC, %(sscc)s, and no parcel of ours has it."), sscc=code.sscc)
    if code.digits > 12:
        text = N_("It is a number of %(digits)s digits. An SSCC has 18. No order, shipment or product has it.")
        return say(text, digits=code.digits)
    return say(N_("No order, parcel, shipment or product has it."))
