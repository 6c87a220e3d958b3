"""What the shop knows of one order: its lines, papers, money, parcels and mails. A fixed number of statements each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import tables as shop
from web.rows import (
    DocumentRow,
    InvoiceLineRow,
    InvoiceRow,
    LineRow,
    MailRow,
    ParcelRow,
    ReportRow,
    ReservationRow,
    ShipmentRow,
)


def shipments(session: Session, number: str) -> tuple[ShipmentRow, ...]:
    """Bookings with couriers, oldest first."""
    statement = select(shop.Shipment.__table__).where(shop.Shipment.order_number == number)
    return tuple(
        ShipmentRow(
            s.reference, s.round, s.courier, s.tracking_number, s.state, s.expected_on,
            s.booked_at, s.picked_up_at, s.ended_at, s.proof,
        )
        for s in session.execute(statement.order_by(shop.Shipment.booked_at)).all()
    )  # fmt: skip


def reports(session: Session, number: str) -> tuple[ReportRow, ...]:
    """What couriers reported, oldest first."""
    statement = select(shop.TrackingReport.__table__).where(shop.TrackingReport.order_number == number)
    return tuple(
        ReportRow(r.reference, r.status, r.place, r.note, r.at)
        for r in session.execute(statement.order_by(shop.TrackingReport.at, shop.TrackingReport.id)).all()
    )


def documents(session: Session, number: str) -> tuple[DocumentRow, ...]:
    """The newest document of each name, newest first."""
    statement = select(shop.Document.__table__).where(shop.Document.order_number == number)
    newest: dict[str, DocumentRow] = {}
    for d in session.execute(statement.order_by(shop.Document.id.desc())).all():
        newest.setdefault(d.name, DocumentRow(d.name, d.title, d.content_type, d.sha256, d.size, d.made_at))
    return tuple(newest.values())


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


def mails(session: Session, *, order: str | None = None, limit: int = 100) -> tuple[MailRow, ...]:
    """Mails of one order, oldest first; without `order` the newest of all, newest first."""
    m = shop.Mail
    statement = select(m.id, m.order_number, m.kind, m.recipient, m.subject, m.state, m.made_at, m.sent_at).limit(limit)
    statement = statement.where(m.order_number == order).order_by(m.id) if order else statement.order_by(m.id.desc())
    return tuple(MailRow(*row) for row in session.execute(statement).all())


def mail_body(session: Session, mail_id: int) -> tuple[MailRow, str, str] | None:
    """One mail with its text and HTML, or None."""
    m = session.get(shop.Mail, mail_id)
    if m is None:
        return None
    row = MailRow(m.id, m.order_number, m.kind, m.recipient, m.subject, m.state, m.made_at, m.sent_at)
    return row, m.text, m.html


def lines(session: Session, number: str, reservations: Sequence[ReservationRow]) -> tuple[LineRow, ...]:
    line = shop.OrderLine
    statement = select(line.__table__).where(line.order_number == number).order_by(line.position)
    live = next((r for r in reversed(reservations) if r.state in ("held", "picked", "shipped")), None)
    reserved: dict[str, list[tuple[str, int]]] = {}
    for sku, region, quantity in live.lines if live else ():
        reserved.setdefault(sku, []).append((region, quantity))
    holds = live is not None and live.state != "shipped"

    def held(sku: str) -> int:
        return sum(quantity for _, quantity in reserved.get(sku, ())) if holds else 0

    return tuple(
        LineRow(x.position, x.sku, x.name, x.quantity, x.unit_price, tuple(reserved.get(x.sku, ())), held(x.sku))
        for x in session.execute(statement).all()
    )


def invoices(session: Session, number: str) -> tuple[InvoiceRow, ...]:
    i, line = shop.Invoice, shop.InvoiceLine
    lines: dict[str, list[InvoiceLineRow]] = {}
    found_lines = (
        select(line.__table__)
        .join(i, i.number == line.invoice_number)
        .where(i.order_number == number)
        .order_by(line.position)
    )
    for x in session.execute(found_lines):
        row = InvoiceLineRow(x.position, x.sku, x.name, x.quantity, x.unit_price, x.discount, x.net)
        lines.setdefault(x.invoice_number, []).append(row)
    found = session.execute(
        select(i.__table__).where(i.order_number == number).order_by(i.issued_at, i.kind.desc(), i.number)
    ).all()
    return tuple(
        InvoiceRow(
            x.number, x.kind, x.credits, x.currency, x.net, x.discount, x.tax, x.tax_rate_bp, x.tax_name, x.total,
            x.reason, x.issued_at, tuple(lines.get(x.number, ())),
        )
        for x in found
    )  # fmt: skip


def reservations(session: Session, number: str) -> tuple[ReservationRow, ...]:
    r, line = shop.Reservation, shop.ReservationLine
    lines: dict[str, list[tuple[str, str, int]]] = {}
    found_lines = (
        select(line.__table__)
        .join(r, r.reference == line.reference)
        .where(r.order_number == number)
        .order_by(line.sku, line.region)
    )
    for x in session.execute(found_lines):
        lines.setdefault(x.reference, []).append((x.sku, x.region, x.quantity))
    found = session.execute(select(r.__table__).where(r.order_number == number).order_by(r.made_at, r.reference)).all()
    return tuple(
        ReservationRow(x.reference, x.state, x.made_at, x.ended_at, tuple(lines.get(x.reference, ()))) for x in found
    )


def parcels(session: Session, number: str) -> tuple[ParcelRow, ...]:
    p, line = shop.Parcel, shop.ParcelLine
    contents: dict[int, list[tuple[str, int]]] = {}
    found_lines = (
        select(line.__table__).join(p, p.id == line.parcel_id).where(p.order_number == number).order_by(line.sku)
    )
    for x in session.execute(found_lines):
        contents.setdefault(x.parcel_id, []).append((x.sku, x.quantity))
    found = session.execute(select(p.__table__).where(p.order_number == number).order_by(p.round, p.position)).all()
    return tuple(
        ParcelRow(
            x.round, x.position, x.weight_g, x.length_cm, x.width_cm, x.height_cm, x.fragile, x.sscc,
            tuple(contents.get(x.id, ())),
        )
        for x in found
    )  # fmt: skip
