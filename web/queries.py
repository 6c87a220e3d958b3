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
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, or_, select
from sqlalchemy.orm import Session

from engine.definitions import Bundle
from engine.messages import count_unmatched
from engine.store.tables import Alarm, Event, Instance, Job, ProcessVersion, Task
from engine.tasklists import MOST_COUNTED
from engine.views import Actor
from handlers import tables as shop
from web import incoming
from web import order_facts as facts
from web.order_search import Search
from web.rows import (
    IncidentRow,
    OpenTask,
    OrderRow,
    PaymentRow,
    Rows,
    StockRow,
)

PROCESS = "order_fulfillment"
"""The key of the process whose instances are orders."""

document = facts.document
order_detail = facts.order_detail


# --- orders ---------------------------------------------------------------------------------------------------------


def order_rows(
    session: Session,
    *,
    state: str | Sequence[str] | None = None,
    search: Search | None = None,
    step: int | None = None,
    team: str | None = None,
    late_at: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
    process: str = PROCESS,
) -> Rows:
    """Orders, newest first. `state` is one or several of open, cancelling, closed, cancelled; `team` is one that the
    order waits for; `late_at`: those with a task that was due before then. Three statements. ValueError: a wrong
    cursor."""
    statement = order_select().where(Instance.process_key == process)
    states = (state,) if isinstance(state, str) else tuple(state or ())
    if states:
        statement = statement.where(Instance.status.in_(states))
    if step is not None:
        statement = statement.where(Instance.step == step)
    wanted = search.condition() if search is not None else None
    if wanted is not None:
        statement = statement.where(wanted)
    waits = select(Task.id).where(Task.instance_id == Instance.id, Task.state == "open")
    if team is not None:
        statement = statement.where(waits.where(Task.team == team).exists())
    if late_at is not None:
        statement = statement.where(waits.where(Task.has_due.is_(True), Task.due_at < late_at).exists())
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
    found = session.execute(order_select().where(Instance.business_key == number)).one_or_none()
    return None if found is None else _with_work(session, [_order_row(found)])[0]


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


class Customer(NamedTuple):
    """Whose order it is, for lists that know only its number."""

    name: str
    city: str
    goods: int
    """What was ordered, before discount and tax, in minor units."""
    currency: str


def customers(session: Session, numbers: Iterable[str]) -> dict[str, Customer]:
    """Order number → whose order it is and what it is worth."""
    wanted = set(numbers)
    if not wanted:
        return {}
    o, line = shop.Order, shop.OrderLine
    goods = select(func.sum(line.quantity * line.unit_price)).where(line.order_number == o.number).scalar_subquery()
    found = session.execute(
        select(o.number, o.customer_name, o.city, func.coalesce(goods, 0), o.currency).where(o.number.in_(wanted))
    )
    return {number: Customer(*of) for number, *of in found}


def number_by_token(session: Session, token: str) -> str | None:
    """The order a customer's tracking address belongs to, or None."""
    return session.scalar(select(shop.Order.number).where(shop.Order.track_token == token))


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


def counts(
    session: Session, actor: Actor, *more: ColumnElement[Any], process: str = PROCESS
) -> tuple[tuple[int, int, int, int], tuple[Any, ...]]:
    """How many orders are open (at most `MOST_COUNTED`), how many jobs gave up, how many messages nobody takes, and how
    many alarms of the actor's wait to be acknowledged: the numbers beside the menu. And the values of further columns
    that the page asks for with them. One statement."""
    some = (
        select(literal_column("1"))
        .select_from(Instance)
        .where(Instance.process_key == process, Instance.status.in_(("open", "cancelling")))
        .limit(MOST_COUNTED)
        .subquery()
    )
    live = select(func.count()).select_from(some).scalar_subquery()
    dead = select(func.count()).select_from(Job).where(Job.state == "dead").scalar_subquery()
    unmatched = count_unmatched(unless=incoming.everyday()).scalar_subquery()
    waits = select(func.count()).select_from(Alarm).where(Alarm.acknowledged_at.is_(None))
    if not actor.sees_all:
        waits = waits.where(Alarm.team.in_(sorted(actor.teams) or [""]))
    row = session.execute(select(live, dead, unmatched, waits.scalar_subquery(), *more)).one()
    return (int(row[0]), int(row[1]), int(row[2]), int(row[3])), tuple(row[4:])


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


def order_select() -> Select[Any]:
    """Orders, each with what lists and pages say of it."""
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
    return facts.order_row(row, total=int(row.total), invoiced=bool(row.invoiced))


def _with_work(session: Session, rows: list[OrderRow]) -> list[OrderRow]:
    """Adds open tasks and the number of incidents: two statements for the whole page."""
    if not rows:
        return rows
    numbers = [row.number for row in rows]
    tasks: dict[str, list[OpenTask]] = {}
    found = session.execute(
        select(
            Task.business_key, Task.id, Task.name, Task.team, Task.assignee, Task.due_at, Task.has_due, Task.kind,
            Task.step, Task.priority, Task.created_at, Task.claimed_at, Task.reason,
        )
        .where(
            Task.instance_id.in_(select(Instance.id).where(Instance.business_key.in_(numbers))), Task.state == "open"
        )
        .order_by(Task.due_at)
    )  # fmt: skip
    for t in found:
        tasks.setdefault(t.business_key, []).append(facts.open_task(t))
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


def _pattern(q: str) -> str:
    return "%" + q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


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


def taken_over(session: Session, task_id: str, lost_by: str) -> tuple[str, str] | None:
    """Who has an open task that they took from `lost_by`, and the note they left. The last take-over counts."""
    line = session.execute(
        select(Event.actor, Event.body).join(Task, Task.instance_id == Event.instance_id)
        .where(Task.id == task_id, Task.state == "open", Task.assignee != lost_by, Event.kind == "taken_over",
               Event.element == Task.element, Event.actor == Task.assignee)
        .order_by(Event.seq.desc()).limit(1)
    ).first()  # fmt: skip
    if line is None:
        return None
    detail = orjson.loads(line.body)["detail"]
    return (line.actor, detail["comment"]) if detail["was"] == lost_by else None
