"""Read-only questions that join the engine's journey with the shop's facts, for pages and API.

Every function asks a fixed number of statements, however many rows it returns, and gives frozen values.
Money is in minor units of the row's currency, weight in grams, times are aware UTC.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from engine.definitions import Bundle
from engine.messages import count_unmatched
from engine.rows import awaited
from engine.store.tables import Instance, Job, ProcessVersion, Task
from handlers import tables as shop
from web import incoming
from web import order_facts as facts
from web.rows import (
    IncidentRow,
    OpenTask,
    OrderDetail,
    OrderRow,
    PaymentRow,
    Rows,
    StepOrder,
    StockRow,
)

PROCESS = "order_fulfillment"
"""The key of the process whose instances are orders."""

document = facts.document


# --- orders ---------------------------------------------------------------------------------------------------------


def order_rows(
    session: Session,
    *,
    state: str | Sequence[str] | None = None,
    q: str | None = None,
    step: int | None = None,
    limit: int = 50,
    cursor: str | None = None,
    process: str = PROCESS,
) -> Rows:
    """Orders, newest first. `state` is one or several of open, cancelling, closed, cancelled; `q` looks into number,
    customer, e-mail, city, the customer's own reference and the SKUs. Three statements. ValueError: a wrong cursor."""
    statement = _order_select().where(Instance.process_key == process)
    states = (state,) if isinstance(state, str) else tuple(state or ())
    if states:
        statement = statement.where(Instance.status.in_(states))
    if step is not None:
        statement = statement.where(Instance.step == step)
    if q and q.strip():
        statement = statement.where(_matches(q.strip()))
    if cursor:
        at, number = _read_cursor(cursor)
        statement = statement.where(
            or_(Instance.started_at < at, and_(Instance.started_at == at, Instance.business_key < number))
        )
    statement = statement.order_by(Instance.started_at.desc(), Instance.business_key.desc()).limit(limit + 1)
    found = session.execute(statement).all()
    rows = _with_work(session, [_order_row(row) for row in found[:limit]])
    after = _write_cursor(found[limit - 1].started_at, found[limit - 1].business_key) if len(found) > limit else None
    return Rows(tuple(rows), after)


def order_row(session: Session, number: str) -> OrderRow | None:
    """One order as a row, or None."""
    found = session.execute(_order_select().where(Instance.business_key == number)).one_or_none()
    return None if found is None else _with_work(session, [_order_row(found)])[0]


def order_detail(session: Session, number: str) -> OrderDetail | None:
    """One order with everything the shop knows of it, or None. An order whose intake is not done has empty parts."""
    row = order_row(session, number)
    if row is None:
        return None
    order = session.execute(select(shop.Order.__table__).where(shop.Order.number == number)).one_or_none()
    reserved = facts.reservations(session, number)
    return OrderDetail(
        row=row,
        email=order.email if order else "",
        phone=order.phone if order else "",
        street=order.street if order else "",
        city=order.city if order else "",
        region=order.region if order else "",
        postal_code=order.postal_code if order else "",
        country=order.country if order else "",
        follow_up=order.follow_up if order else "",
        placed_by=order.placed_by if order else "",
        details_confirmed=order.details_confirmed if order else None,
        lines=facts.lines(session, number, reserved),
        invoices=facts.invoices(session, number),
        payments=payments(session, number),
        reservations=reserved,
        parcels=facts.parcels(session, number),
        shipments=facts.shipments(session, number),
        reports=facts.reports(session, number),
        documents=facts.documents(session, number),
        mails=facts.mails(session, order=number),
        unused=incoming.unused(session, number),
    )


def incidents(session: Session, numbers: Iterable[str]) -> dict[str, tuple[IncidentRow, ...]]:
    """Order number → its jobs that gave up, oldest first. One statement, none for no orders."""
    wanted = set(numbers)
    result: dict[str, tuple[IncidentRow, ...]] = {}
    if not wanted:
        return result
    statement = (
        select(Instance.business_key, Job.id, Job.element, Job.name, Job.step, Job.error, Job.updated_at)
        .join(Job, Job.instance_id == Instance.id)
        .where(Instance.business_key.in_(wanted), Job.state == "dead")
        .order_by(Job.updated_at, Job.id)
    )
    for number, *rest in session.execute(statement).all():
        result[number] = (*result.get(number, ()), IncidentRow(*rest))
    return result


def payments(session: Session, number: str | None = None, *, limit: int = 500) -> tuple[PaymentRow, ...]:
    """Movements of money of one order (or the newest of all), oldest first."""
    statement = select(shop.Payment.__table__).order_by(shop.Payment.id.desc()).limit(limit)
    if number is not None:
        statement = statement.where(shop.Payment.order_number == number)
    return tuple(
        PaymentRow(p.order_number, p.kind, p.method, p.amount, p.currency, p.state, p.reference, p.message, p.at)
        for p in reversed(session.execute(statement).all())
    )


def payment_page(
    session: Session, *, order: str | None, limit: int, after: int | None
) -> tuple[tuple[PaymentRow, ...], int | None]:
    """Movements of money, oldest first, after the one with that id; and the id to go on from when there are more."""
    statement = select(shop.Payment.__table__).order_by(shop.Payment.id).limit(limit + 1)
    if order is not None:
        statement = statement.where(shop.Payment.order_number == order)
    if after is not None:
        statement = statement.where(shop.Payment.id > after)
    found = session.execute(statement).all()
    rows = tuple(
        PaymentRow(p.order_number, p.kind, p.method, p.amount, p.currency, p.state, p.reference, p.message, p.at)
        for p in found[:limit]
    )
    return rows, found[limit - 1].id if len(found) > limit else None


def customers(session: Session, numbers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Order number → the customer's name and city, for lists that know only the number."""
    wanted = set(numbers)
    if not wanted:
        return {}
    o = shop.Order
    found = session.execute(select(o.number, o.customer_name, o.city).where(o.number.in_(wanted))).all()
    return {number: (name, city) for number, name, city in found}


def number_by_token(session: Session, token: str) -> str | None:
    """The order a customer's tracking address belongs to, or None."""
    return session.scalar(select(shop.Order.number).where(shop.Order.track_token == token))


def find_order(session: Session, text: str) -> str | None:
    """The number of the order that is named exactly, by its number or the customer's own reference."""
    direct = session.scalar(select(Instance.business_key).where(func.lower(Instance.business_key) == text.lower()))
    return direct or session.scalar(select(shop.Order.number).where(shop.Order.order_ref == text))


def numbers_of(session: Session, q: str, *, limit: int = 200, process: str = PROCESS) -> list[str]:
    """Numbers of open orders that a search finds by customer, city, reference or SKU, newest first."""
    statement = (
        select(Instance.business_key)
        .outerjoin(shop.Order, shop.Order.number == Instance.business_key)
        .where(Instance.process_key == process, Instance.status.in_(("open", "cancelling")), _matches(q))
        .order_by(Instance.started_at.desc())
        .limit(limit)
    )
    return list(session.scalars(statement))


# --- the house ------------------------------------------------------------------------------------------------------


def stock(session: Session) -> tuple[StockRow, ...]:
    """What lies where, by SKU and region."""
    s, p = shop.Stock, shop.Product
    statement = (
        select(s.sku, p.name, s.region, s.location, s.on_hand, s.reserved)
        .join(p, p.sku == s.sku)
        .order_by(s.sku, s.region)
    )
    return tuple(StockRow(*row) for row in session.execute(statement).all())


def board(session: Session, *, per_step: int = 4, process: str = PROCESS) -> dict[int, tuple[int, list[StepOrder]]]:
    """Open orders by step: how many, and the most urgent few (incidents, then soonest due). Two statements."""
    dead = select(Job.id).where(Job.instance_id == Instance.id, Job.state == "dead").exists()
    due = (
        select(func.min(Task.due_at))
        .where(Task.instance_id == Instance.id, Task.state == "open", Task.has_due.is_(True))
        .scalar_subquery()
    )
    urgent = (
        select(
            Instance.step,
            Instance.business_key,
            due.label("due_at"),
            dead.label("incident"),
            func.row_number()
            .over(partition_by=Instance.step, order_by=(dead.desc(), due.is_(None), due, Instance.started_at))
            .label("place"),
            func.count().over(partition_by=Instance.step).label("total"),
        )
        .where(Instance.process_key == process, Instance.status.in_(("open", "cancelling")), Instance.step.is_not(None))
        .subquery()
    )
    result: dict[int, tuple[int, list[StepOrder]]] = {}
    for row in session.execute(
        select(urgent).where(urgent.c.place <= per_step).order_by(urgent.c.step, urgent.c.place)
    ):
        total, orders = result.setdefault(row.step, (row.total, []))
        orders.append(StepOrder(row.business_key, row.due_at, bool(row.incident)))
        result[row.step] = (total, orders)
    return result


def counts(session: Session, process: str = PROCESS) -> tuple[int, int, int]:
    """How many orders are open, how many jobs gave up, and how many messages nobody takes: the numbers beside the menu.
    One statement."""
    live = (
        select(func.count())
        .select_from(Instance)
        .where(Instance.process_key == process, Instance.status.in_(("open", "cancelling")))
        .scalar_subquery()
    )
    dead = select(func.count()).select_from(Job).where(Job.state == "dead").scalar_subquery()
    unmatched = count_unmatched(unless=incoming.everyday()).scalar_subquery()
    row = session.execute(select(live, dead, unmatched)).one()
    return int(row[0]), int(row[1]), int(row[2])


def state_counts(session: Session, process: str = PROCESS) -> dict[str, int]:
    """How many orders are in each state."""
    statement = select(Instance.status, func.count()).where(Instance.process_key == process).group_by(Instance.status)
    return {status: int(count) for status, count in session.execute(statement).all()}


def team_counts(session: Session, now: datetime) -> dict[str, tuple[int, int]]:
    """Team → its open tasks, and how many of them are late."""
    late = func.sum(case((and_(Task.has_due.is_(True), Task.due_at < now), 1), else_=0))
    statement = select(Task.team, func.count(), late).where(Task.state == "open").group_by(Task.team)
    return {team: (int(count), int(overdue or 0)) for team, count, overdue in session.execute(statement).all()}


def job_counts(session: Session) -> dict[str, int]:
    """How many jobs are in each state."""
    found = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    return {state: int(count) for state, count in found}


def bundle_files(session: Session, key: str, version: int) -> dict[str, bytes]:
    """The files of one deployed version, by name; empty when there is none."""
    packed = session.scalar(
        select(ProcessVersion.bundle).where(ProcessVersion.key == key, ProcessVersion.version == version)
    )
    return dict(Bundle.unpack(packed).files) if packed else {}


# --- parts ----------------------------------------------------------------------------------------------------------


def _order_select() -> Select[Any]:
    o, line, invoice = shop.Order, shop.OrderLine, shop.Invoice
    lines_total = (
        select(func.sum(line.quantity * line.unit_price))
        .where(line.order_number == Instance.business_key)
        .scalar_subquery()
    )
    invoice_total = (
        select(invoice.total)
        .where(invoice.order_number == Instance.business_key, invoice.kind == "invoice")
        .order_by(invoice.issued_at.desc(), invoice.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            Instance.business_key,
            Instance.status,
            ProcessVersion.version,
            Instance.step,
            Instance.step_name,
            Instance.started_at,
            o.customer_name,
            o.city,
            o.country,
            func.coalesce(invoice_total, lines_total, 0).label("total"),
            invoice_total.is_not(None).label("invoiced"),
            Instance.awaits,
            o.currency,
            o.payment_method,
            o.shipping_method,
            o.stock_region,
            o.source,
            o.order_ref,
            o.track_token,
            o.placed_at,
            o.closed_at,
            o.cancelled_at,
        )
        .join(ProcessVersion, ProcessVersion.id == Instance.version_id)
        .outerjoin(o, o.number == Instance.business_key)
    )


def _order_row(row: Any) -> OrderRow:
    return OrderRow(
        number=row.business_key,
        state=row.status,
        version=row.version,
        step=row.step,
        step_name=row.step_name,
        customer_name=row.customer_name or "",
        city=row.city or "",
        country=row.country or "",
        total=int(row.total),
        currency=row.currency or "USD",
        payment_method=row.payment_method or "",
        shipping_method=row.shipping_method or "",
        stock_region=row.stock_region or "",
        source=row.source or "",
        order_ref=row.order_ref,
        track_token=row.track_token,
        placed_at=row.placed_at or row.started_at,
        closed_at=row.closed_at,
        cancelled_at=row.cancelled_at,
        awaits=awaited(row.awaits),
        invoiced=bool(row.invoiced),
    )


def _with_work(session: Session, rows: list[OrderRow]) -> list[OrderRow]:
    """Adds open tasks and the number of incidents: two statements for the whole page."""
    if not rows:
        return rows
    numbers = [row.number for row in rows]
    tasks: dict[str, list[OpenTask]] = {}
    found = session.execute(
        select(
            Task.business_key, Task.id, Task.name, Task.team, Task.assignee, Task.due_at, Task.has_due, Task.kind,
            Task.step, Task.priority,
        )
        .where(
            Task.instance_id.in_(select(Instance.id).where(Instance.business_key.in_(numbers))), Task.state == "open"
        )
        .order_by(Task.due_at)
    )  # fmt: skip
    for t in found:
        due = t.due_at if t.has_due else None
        tasks.setdefault(t.business_key, []).append(
            OpenTask(t.id, t.name, t.team, t.assignee, due, t.kind, t.step, t.priority)
        )
    dead = {
        number: int(count)
        for number, count in session.execute(
            select(Instance.business_key, func.count())
            .join(Job, Job.instance_id == Instance.id)
            .where(Instance.business_key.in_(numbers), Job.state == "dead")
            .group_by(Instance.business_key)
        )
    }
    return [
        replace(row, open_tasks=tuple(tasks.get(row.number, ())), incidents=dead.get(row.number, 0)) for row in rows
    ]


def _matches(q: str) -> ColumnElement[bool]:
    pattern = "%" + q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    o, line = shop.Order, shop.OrderLine
    columns = (Instance.business_key, o.customer_name, o.email, o.city, o.order_ref)
    has_sku = select(line.sku).where(line.order_number == Instance.business_key, line.sku == q.lower()).exists()
    return or_(*(func.lower(column).like(pattern, escape="\\") for column in columns), has_sku)


def _write_cursor(at: datetime, number: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{number}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, number = text.partition("|")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("This cursor is not one of this list. Start again without a cursor.") from error
    if moment.tzinfo is None:
        raise ValueError("This cursor is not one of this list. Start again without a cursor.")
    return moment, number
