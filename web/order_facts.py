"""What the shop knows of one order: its lines, papers, money, parcels and mails, asked for together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from engine.rows import awaited
from engine.store.tables import Instance, Job, Message, ProcessVersion, Task
from handlers import tables as shop
from web import incoming
from web.rows import (
    DocumentRow,
    IncidentRow,
    InvoiceRow,
    LineRow,
    MailRow,
    OpenTask,
    OrderDetail,
    OrderRow,
    ParcelRow,
    PaymentRow,
    ReportRow,
    ReservationRow,
    ShipmentRow,
)
from web.together import Together

_NUMBER: Any = bindparam("number")


def _of(table: Any, *columns: Any) -> Select[Any]:
    """The rows of a table that belong to the order: these columns, or all."""
    return select(*(columns or (table.__table__,))).where(table.order_number == _NUMBER)


def _head() -> Select[Any]:
    o = shop.Order
    return (
        select(
            Instance.business_key, Instance.status, Instance.step, Instance.step_name, Instance.awaits,
            Instance.started_at, ProcessVersion.version,
            o.customer_name, o.email, o.phone, o.street, o.city, o.region, o.postal_code, o.country, o.currency,
            o.details_confirmed, o.payment_method, o.shipping_method, o.stock_region, o.follow_up, o.source,
            o.order_ref, o.track_token, o.placed_at, o.placed_by, o.closed_at, o.cancelled_at,
        )
        .join(ProcessVersion, ProcessVersion.id == Instance.version_id)
        .outerjoin(o, o.number == Instance.business_key)
        .where(Instance.business_key == _NUMBER)
    )  # fmt: skip


def _of_instance(table: Any, *columns: Any) -> Select[Any]:
    """Rows of the engine's that belong to the order."""
    return select(*columns).join(Instance, Instance.id == table.instance_id).where(Instance.business_key == _NUMBER)


def _change() -> Select[Any]:
    """What is different as soon as anything about the order is."""
    m = Message
    of_it = m.correlation == Instance.business_key
    return select(
        Instance.id,
        Instance.revision,
        Instance.seq,
        select(func.max(Job.updated_at)).where(Job.instance_id == Instance.id).scalar_subquery().label("job"),
        select(func.max(m.id)).where(of_it).scalar_subquery().label("message"),
        select(func.max(func.coalesce(m.consumed_at, m.set_aside_at))).where(of_it).scalar_subquery().label("dealt"),
        select(func.count(m.set_aside_at)).where(of_it).scalar_subquery().label("aside"),
    ).where(Instance.business_key == _NUMBER)


_t, _j, _m = Task, Job, shop.Mail
_ORDER = Together(
    head=_head(),
    change=_change(),
    tasks=_of_instance(
        _t, _t.id, _t.name, _t.team, _t.assignee, _t.due_at, _t.has_due, _t.kind, _t.step, _t.priority, _t.created_at,
        _t.claimed_at, _t.reason,
    ).where(_t.state == "open"),
    incidents=_of_instance(_j, _j.id, _j.element, _j.name, _j.step, _j.error, _j.updated_at).where(_j.state == "dead"),
    lines=_of(shop.OrderLine),
    reservations=_of(shop.Reservation),
    reserved=select(shop.ReservationLine.__table__)
    .join(shop.Reservation, shop.Reservation.reference == shop.ReservationLine.reference)
    .where(shop.Reservation.order_number == _NUMBER),
    invoices=_of(shop.Invoice),
    payments=_of(shop.Payment),
    parcels=_of(shop.Parcel),
    packed=select(shop.ParcelLine.__table__)
    .join(shop.Parcel, shop.Parcel.id == shop.ParcelLine.parcel_id)
    .where(shop.Parcel.order_number == _NUMBER),
    shipments=_of(shop.Shipment),
    reports=_of(shop.TrackingReport),
    documents=_of(shop.Document),
    mails=_of(_m, _m.id, _m.order_number, _m.kind, _m.recipient, _m.subject, _m.state, _m.made_at, _m.sent_at),
)  # fmt: skip


def order_detail(session: Session, number: str) -> OrderDetail | None:
    """One order with everything the shop knows of it, or None. An order whose intake is not done has empty parts.
    Two statements."""
    found = _ORDER.ask(session, {"number": number})
    if not found["head"]:
        return None
    head = found["head"][0]
    reservations = _reservations(found["reservations"], found["reserved"])
    invoices = _invoices(found["invoices"])
    lines = _lines(found["lines"], reservations)
    return OrderDetail(
        row=_row(head, found, lines, invoices),
        email=head.email or "",
        phone=head.phone or "",
        street=head.street or "",
        city=head.city or "",
        region=head.region or "",
        postal_code=head.postal_code or "",
        country=head.country or "",
        follow_up=head.follow_up or "",
        placed_by=head.placed_by or "",
        details_confirmed=head.details_confirmed,
        lines=lines,
        invoices=invoices,
        payments=_payments(found["payments"]),
        reservations=reservations,
        parcels=_parcels(found["parcels"], found["packed"]),
        shipments=_shipments(found["shipments"]),
        reports=_reports(found["reports"]),
        documents=_documents(found["documents"]),
        mails=tuple(MailRow(*m) for m in sorted(found["mails"], key=lambda m: m.id)),
        incidents=tuple(IncidentRow(*j) for j in sorted(found["incidents"], key=lambda j: (j.updated_at, j.id))),
        unused=incoming.unused(session, number),
        change=_change_text(found["change"][0]),
    )


def document(session: Session, number: str, name: str) -> DocumentRow | None:
    """The newest document of that name, or None."""
    statement = (
        select(shop.Document.__table__)
        .where(shop.Document.order_number == number, shop.Document.name == name)
        .order_by(shop.Document.id.desc())
        .limit(1)
    )
    d = session.execute(statement).one_or_none()
    return None if d is None else DocumentRow(d.name, d.title, d.content_type, d.sha256, d.size, d.made_at)


def mails(session: Session, limit: int = 100) -> tuple[MailRow, ...]:
    """The newest mails of all orders, newest first."""
    m = shop.Mail
    statement = select(m.id, m.order_number, m.kind, m.recipient, m.subject, m.state, m.made_at, m.sent_at)
    return tuple(MailRow(*row) for row in session.execute(statement.order_by(m.id.desc()).limit(limit)).all())


def mail_body(session: Session, mail_id: int) -> tuple[MailRow, str, str] | None:
    """One mail with its text and HTML, or None."""
    m = session.get(shop.Mail, mail_id)
    if m is None:
        return None
    row = MailRow(m.id, m.order_number, m.kind, m.recipient, m.subject, m.state, m.made_at, m.sent_at)
    return row, m.text, m.html


def change(session: Session, number: str) -> str | None:
    """The same text as long as nothing about the order is other than before; None when there is no such order.

    Whatever the shop writes about an order it writes in a command on its instance or in one of its jobs; messages
    come by themselves. One statement.
    """
    row = session.execute(_change(), {"number": number}).one_or_none()
    return None if row is None else _change_text(row)


def _change_text(row: Any) -> str:
    return "|".join(str(value) for value in row)


# --- rows -----------------------------------------------------------------------------------------------------------


def order_row(row: Any, *, total: int, invoiced: bool) -> OrderRow:
    """An order from its columns: what it comes to, and whether an invoice says so, in the caller's words. Open tasks
    and incidents are not of it."""
    return OrderRow(
        number=row.business_key,
        state=row.status,
        version=row.version,
        step=row.step,
        step_name=row.step_name,
        customer_name=row.customer_name or "",
        city=row.city or "",
        country=row.country or "",
        total=total,
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
        invoiced=invoiced,
    )


def open_task(t: Any) -> OpenTask:
    """An open task from its columns."""
    return OpenTask(
        t.id, t.name, t.team, t.assignee, t.due_at if t.has_due else None, t.kind, t.step, t.priority, t.created_at,
        t.claimed_at, t.reason,
    )  # fmt: skip


def _row(head: Any, found: dict[str, list[Any]], lines: Sequence[LineRow], invoices: Sequence[InvoiceRow]) -> OrderRow:
    newest = max((i for i in invoices if i.kind == "invoice"), key=lambda i: (i.issued_at, i.number), default=None)
    total = newest.total if newest else sum(x.quantity * x.unit_price for x in lines)
    tasks = sorted(found["tasks"], key=lambda t: (t.due_at, t.id))
    return replace(
        order_row(head, total=total, invoiced=newest is not None),
        open_tasks=tuple(open_task(t) for t in tasks),
        incidents=len(found["incidents"]),
    )


def _lines(found: Sequence[Any], reservations: Sequence[ReservationRow]) -> tuple[LineRow, ...]:
    live = next((r for r in reversed(reservations) if r.state in ("held", "picked", "shipped")), None)
    reserved: dict[str, list[tuple[str, int]]] = {}
    for sku, region, quantity in live.lines if live else ():
        reserved.setdefault(sku, []).append((region, quantity))
    holds = live is not None and live.state != "shipped"

    def held(sku: str) -> int:
        return sum(quantity for _, quantity in reserved.get(sku, ())) if holds else 0

    return tuple(
        LineRow(x.position, x.sku, x.name, x.quantity, x.unit_price, tuple(reserved.get(x.sku, ())), held(x.sku))
        for x in sorted(found, key=lambda x: x.position)
    )


def _reservations(found: Sequence[Any], reserved: Sequence[Any]) -> tuple[ReservationRow, ...]:
    """Oldest first."""
    lines: dict[str, list[tuple[str, str, int]]] = {}
    for x in sorted(reserved, key=lambda x: (x.sku, x.region)):
        lines.setdefault(x.reference, []).append((x.sku, x.region, x.quantity))
    return tuple(
        ReservationRow(x.reference, x.state, x.made_at, x.ended_at, tuple(lines.get(x.reference, ())))
        for x in sorted(found, key=lambda x: (x.made_at, x.reference))
    )


def _invoices(found: Sequence[Any]) -> tuple[InvoiceRow, ...]:
    """Oldest first; of one moment the invoice before its credit note."""
    return tuple(
        InvoiceRow(
            x.number, x.kind, x.credits, x.currency, x.net, x.discount, x.tax, x.tax_rate_bp, x.tax_name, x.total,
            x.reason, x.issued_at,
        )
        for x in sorted(found, key=lambda x: (x.issued_at, x.kind != "invoice", x.number))
    )  # fmt: skip


def _payments(found: Sequence[Any]) -> tuple[PaymentRow, ...]:
    """Oldest first."""
    return tuple(
        PaymentRow(p.order_number, p.kind, p.method, p.amount, p.currency, p.state, p.reference, p.message, p.at)
        for p in sorted(found, key=lambda p: p.id)
    )


def _parcels(found: Sequence[Any], packed: Sequence[Any]) -> tuple[ParcelRow, ...]:
    contents: dict[int, list[tuple[str, int]]] = {}
    for x in sorted(packed, key=lambda x: x.sku):
        contents.setdefault(x.parcel_id, []).append((x.sku, x.quantity))
    return tuple(
        ParcelRow(
            x.round, x.position, x.weight_g, x.length_cm, x.width_cm, x.height_cm, x.fragile, x.sscc,
            tuple(contents.get(x.id, ())),
        )
        for x in sorted(found, key=lambda x: (x.round, x.position))
    )  # fmt: skip


def _shipments(found: Sequence[Any]) -> tuple[ShipmentRow, ...]:
    """Bookings with couriers, oldest first."""
    return tuple(
        ShipmentRow(
            s.reference, s.round, s.courier, s.tracking_number, s.state, s.expected_on,
            s.booked_at, s.picked_up_at, s.ended_at, s.proof,
        )
        for s in sorted(found, key=lambda s: (s.booked_at, s.reference))
    )  # fmt: skip


def _reports(found: Sequence[Any]) -> tuple[ReportRow, ...]:
    """What couriers reported, oldest first."""
    return tuple(
        ReportRow(r.reference, r.status, r.place, r.note, r.at) for r in sorted(found, key=lambda r: (r.at, r.id))
    )


def _documents(found: Sequence[Any]) -> tuple[DocumentRow, ...]:
    """The newest document of each name, newest first."""
    newest: dict[str, DocumentRow] = {}
    for d in sorted(found, key=lambda d: -d.id):
        newest.setdefault(d.name, DocumentRow(d.name, d.title, d.content_type, d.sha256, d.size, d.made_at))
    return tuple(newest.values())
