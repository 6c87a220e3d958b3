"""What stands on the papers and in the mails: read from the tables, in the words people read, as plain JSON values.

Amounts, dates and weights are formatted here, so that `documents/` holds layout and wording only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from handlers import barcodes
from handlers.balance import balance
from handlers.countries import country_name
from handlers.money import format_money, format_rate
from handlers.scancodes import scannable
from handlers.tables import Invoice, Order, Parcel, Product, Reservation, Stock
from handlers.words import PAYMENT_METHODS, REGIONS, SHIPPING_METHODS, word

_LOCALE = "en_GB"


def day(moment: datetime | date) -> str:
    """`23 November 2026`."""
    return format_date(moment, "d MMMM y", locale=_LOCALE)


def kilograms(grams: int) -> str:
    """`7.40 kg`: two decimals, so that parcels in a list compare at a glance; hardly anything is 0.01 kg."""
    return f"{format_decimal(max(grams / 1000, 0.01), '#,##0.00', locale=_LOCALE)} kg"


def address(order: Order) -> list[str]:
    """The lines of the order's shipping address, without the name; empty parts are left out."""
    town = " ".join(part for part in (order.postal_code, order.city) if part)
    lines = (order.street, town, order.region, country_name(order.country))
    return [one_line(line) for line in lines if line.strip()]


def one_line(text: str) -> str:
    """Text a person typed, without line breaks and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# --- invoice and credit note ----------------------------------------------------------------------------------------


def invoice(session: Session, number: str, due: int | None = None) -> dict[str, Any]:
    """The invoice or credit note with this number. `due`: what the whole order owes now, if the caller knows."""
    row = session.get_one(Invoice, number)
    order = session.get_one(Order, row.order_number)

    def money(amount: int) -> str:
        return format_money(amount, row.currency).replace("-", "\N{MINUS SIGN}")

    return {
        "kind": row.kind,
        "number": row.number,
        "credits": row.credits,
        "reason": row.reason,
        "issued_on": day(row.issued_at),
        "order": order.number,
        "ordered_on": day(order.placed_at),
        "customer": one_line(order.customer_name),
        "address": address(order),
        "email": one_line(order.email),
        "currency": row.currency,
        "lines": [
            {
                "position": str(line.position),
                "sku": line.sku,
                "name": one_line(line.name),
                "quantity": str(line.quantity),
                "unit_price": money(line.unit_price),
                "discount": money(-line.discount) if line.discount else "",
                "net": money(line.net),
            }
            for line in row.lines
        ],
        "discounted": row.discount > 0,
        "subtotal": money(sum(line.quantity * line.unit_price for line in row.lines)),
        "discount": money(-row.discount),
        "net": money(row.net),
        "tax_name": row.tax_name,
        "tax_rate": format_rate(row.tax_rate_bp),
        "tax": money(row.tax),
        "total": money(row.total),
        "payment": _payment(session, order, row, due),
        "code": scannable(order.number),
    }


def _payment(session: Session, order: Order, row: Invoice, due: int | None) -> dict[str, Any]:
    """How the invoice is paid and what is still due, on the balance of the whole order."""
    due = min(balance(session, order.number).due if due is None else due, row.total)
    return {
        "method": word(PAYMENT_METHODS, order.payment_method),
        "by_transfer": order.payment_method == "bank_transfer",
        "received": format_money(row.total - due, row.currency) if due < row.total else "",
        "due": format_money(due, row.currency),
        "settled": due == 0,
    }


# --- packing slip and label -----------------------------------------------------------------------------------------


def packing_slip(session: Session, order_number: str) -> dict[str, Any]:
    """What to take from which shelf for an order, and what lies in which parcel once it is packed."""
    order = session.get_one(Order, order_number)
    parcels = newest_parcels(session, order_number)
    names = {line.sku: one_line(line.name) for line in order.lines}
    return {
        "order": order.number,
        "ordered_on": day(order.placed_at),
        "customer": one_line(order.customer_name),
        "address": address(order),
        "phone": one_line(order.phone),
        "shipping_method": word(SHIPPING_METHODS, order.shipping_method),
        "picks": _picks(session, order, names),
        "parcels": [
            {
                **_parcel(parcel, len(parcels)),
                "lines": [
                    {"sku": line.sku, "name": names.get(line.sku, line.sku), "quantity": str(line.quantity)}
                    for line in sorted(parcel.lines, key=lambda line: line.sku)
                ],
            }
            for parcel in parcels
        ],
        "code": scannable(order.number),
    }


def _picks(session: Session, order: Order, names: Mapping[str, str]) -> list[dict[str, str]]:
    """One row per product and region of the newest reservation, in the order in which one walks past the shelves."""
    reservation = session.scalar(
        select(Reservation)
        .where(Reservation.order_number == order.number, Reservation.state != "released")
        .order_by(Reservation.made_at.desc(), Reservation.reference.desc())
        .limit(1)
    )
    if reservation is None:
        return [
            {"region": "", "location": "", "sku": line.sku, "name": names[line.sku], "quantity": str(line.quantity)}
            for line in order.lines
        ]
    rows = session.execute(
        select(Stock.sku, Stock.region, Stock.location, Product.name)
        .join(Product, Product.sku == Stock.sku)
        .where(Stock.sku.in_([line.sku for line in reservation.lines]))
    )
    shelves = {(sku, region): (location, name) for sku, region, location, name in rows}
    picks = []
    for line in reservation.lines:
        location, name = shelves.get((line.sku, line.region), ("", line.sku))
        picks.append(
            {
                "region": word(REGIONS, line.region),
                "location": location,
                "sku": line.sku,
                "name": names.get(line.sku) or one_line(name),
                "quantity": str(line.quantity),
            }
        )
    return sorted(picks, key=lambda pick: (pick["region"], pick["location"], pick["sku"]))


def label(session: Session, order_number: str, parcels: Sequence[Parcel] | None = None) -> dict[str, Any]:
    """One page per parcel of the newest round (or of `parcels`), each of which has its SSCC."""
    order = session.get_one(Order, order_number)
    chosen = newest_parcels(session, order_number) if parcels is None else list(parcels)
    if not chosen:
        raise ValueError(f"Order {order_number} has no parcels to label.")
    return {
        "order": order.number,
        "customer": one_line(order.customer_name),
        "address": address(order)[:-1],
        "country": country_name(order.country),
        "country_code": order.country,
        "phone": one_line(order.phone),
        "shipping_method": word(SHIPPING_METHODS, order.shipping_method),
        "code": scannable(order.number),
        "parcels": [{**_parcel(parcel, len(chosen)), "bars": barcodes.modules(parcel.sscc or "")} for parcel in chosen],
    }


def newest_parcels(session: Session, order_number: str) -> list[Parcel]:
    """The parcels of the order's newest round, in order."""
    newest = select(func.max(Parcel.round)).where(Parcel.order_number == order_number).scalar_subquery()
    rows = select(Parcel).where(Parcel.order_number == order_number, Parcel.round == newest).order_by(Parcel.position)
    return list(session.scalars(rows.options(joinedload(Parcel.lines))).unique())


def _parcel(parcel: Parcel, count: int) -> dict[str, Any]:
    return {
        "position": str(parcel.position),
        "of": str(count),
        "weight": kilograms(parcel.weight_g),
        "size": f"{parcel.length_cm} × {parcel.width_cm} × {parcel.height_cm} cm",
        "fragile": parcel.fragile,
        "sscc": barcodes.readable(parcel.sscc) if parcel.sscc else "",
    }


# --- mails ----------------------------------------------------------------------------------------------------------


def mail_facts(order: Order) -> dict[str, Any]:
    """What every mail about an order may name; `documents/README.md` lists it."""
    items = sum(line.quantity * line.unit_price for line in order.lines)
    return {
        "order": order.number,
        "customer": one_line(order.customer_name),
        "address": address(order),
        "ordered_on": day(order.placed_at),
        "payment_method": word(PAYMENT_METHODS, order.payment_method),
        "shipping_method": word(SHIPPING_METHODS, order.shipping_method),
        "by_transfer": order.payment_method == "bank_transfer",
        "nothing": format_money(0, order.currency),
        "items_total": format_money(items, order.currency),
        "lines": [
            {
                "name": one_line(line.name),
                "quantity": line.quantity,
                "amount": format_money(line.quantity * line.unit_price, order.currency),
            }
            for line in order.lines
        ],
    }
