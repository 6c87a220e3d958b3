"""The customer's page: where the order is. Whoever has its address sees it, so name and street are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g

from handlers.countries import country_name
from web import queries
from web.local import zone_of_country
from web.pages.orders import file_answer
from web.pages.shell import page_of, times
from web.permissions import PUBLIC, permission
from web.rows import OrderDetail, ShipmentRow
from web.services import current_services
from web.text import label, money, report_word
from web.texts import _, ngettext

LASTS = timedelta(days=30)
"""How long after its end an order can still be looked at."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One point of the way."""

    text: str
    small: str
    state: str
    """done, now or empty: to come."""
    at: datetime | None = None
    expected: date | None = None


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/track/<token>", "track", show)
    pages.add_url_rule("/track/<token>/invoice.pdf", "track_invoice", invoice)


@permission(PUBLIC)
def show(token: str) -> Any:
    """Where the order is and when it comes."""
    detail = _order(token)
    _as_seen_in(detail.country)
    shipment = detail.shipments[-1] if detail.shipments else None
    last_round = max((p.round for p in detail.parcels), default=0)
    return page_of(
        "track.html",
        detail=detail,
        row=detail.row,
        shipment=shipment,
        headline=_headline(detail, shipment),
        stages=_stages(detail, shipment),
        parcels=[p for p in detail.parcels if p.round == last_round],
        names={line.sku: line.name for line in detail.lines},
        country=country_name(detail.country),
        invoice=next((d for d in detail.documents if d.name == "invoice.pdf"), None),
        token=token,
        company=current_services().ports.renderer.company.get("name", "Waybill"),
    )


def _as_seen_in(country: str) -> None:
    """Times are those of the country the order goes to, where its clocks all show the same; else the company's."""
    here = times()
    g.times = replace(here, zone=ZoneInfo(zone_of_country(country, here.now) or current_services().settings.time_zone))


@permission(PUBLIC)
def invoice(token: str) -> Response:
    """The invoice, for whoever has the address of the tracking page."""
    detail = _order(token)
    found = next((d for d in detail.documents if d.name == "invoice.pdf"), None)
    if found is None:
        abort(404)
    return file_answer(detail.row.number, found)


def _order(token: str) -> OrderDetail:
    with current_services().database.read() as session:
        number = queries.number_by_token(session, token)
        detail = queries.order_detail(session, number) if number else None
    if detail is None:
        abort(404)
    ended = detail.row.cancelled_at or detail.row.closed_at
    if ended is not None and ended + LASTS < times().now:
        abort(404)
    return detail


def _headline(detail: OrderDetail, shipment: ShipmentRow | None) -> tuple[str, str]:
    """A small line and the big one below it."""
    row = detail.row
    if row.state in ("cancelled", "cancelling"):
        return "", _("This order was cancelled")
    if shipment is None:
        return "", _("We are preparing your order")
    courier = label(shipment.courier)
    if shipment.state == "delivered":
        day = times().long_day(shipment.ended_at or times().now)
        return _("Delivered by %(courier)s", courier=courier), _("Delivered on %(day)s", day=day)
    if shipment.state in ("given_up", "cancelled"):
        return "", _("We are looking after your delivery")
    expected = _("On its way")
    if shipment.expected_on:
        expected = _("Expected %(day)s", day=times().long_day(shipment.expected_on))
    if shipment.picked_up_at:
        return _("On its way with %(courier)s", courier=courier), expected
    return _("Waits for %(courier)s", courier=courier), expected


def _stages(detail: OrderDetail, shipment: ShipmentRow | None) -> list[Stage]:
    """The way of the order, done first. An order that was cancelled ends where it was."""
    paid = [p for p in detail.payments if p.kind == "capture" and p.state == "done"]
    cancelled = detail.row.state in ("cancelled", "cancelling")
    booked = shipment if shipment and shipment.state not in ("given_up", "cancelled") else None
    way: list[tuple[str, str, bool, datetime | None]] = [
        (_("Order received"), "", True, detail.row.placed_at),
        (_("Payment received"), _paid(detail), bool(paid), paid[-1].at if paid else None),
        (_packed(detail), "", bool(detail.parcels), None),
        (
            _("Picked up by %(label)s", label=label(booked.courier)) if booked else _("Picked up"),
            "",
            bool(booked and booked.picked_up_at),
            booked.picked_up_at if booked else None,
        ),
    ]
    delivered = booked is not None and booked.state == "delivered"
    reports = [r for r in detail.reports if booked and r.reference == booked.reference and r.status != "picked_up"]
    last = next((r for r in reversed(reports) if r.status != "delivered"), None)
    if last is not None or delivered:
        small = ", ".join(part for part in (last.place, last.note) if part) if last else ""
        way.append((report_word(last.status) if last else _("On its way"), small, True, last.at if last else None))
    else:
        way.append((_("On its way"), "", False, None))
    way.append((_("Delivered"), "", delivered, booked.ended_at if booked and delivered else None))
    if cancelled:
        way = [stage for stage in way if stage[2]] + [(_("Cancelled"), "", True, detail.row.cancelled_at)]
    return _marked(way, booked.expected_on if booked else None)


def _marked(way: list[tuple[str, str, bool, datetime | None]], expected: date | None) -> list[Stage]:
    last_done = max(i for i, stage in enumerate(way) if stage[2])
    ended = last_done == len(way) - 1
    found = []
    for i, (text, small, _done, at) in enumerate(way):
        state = "done" if i < last_done or ended else "now" if i == last_done else ""
        found.append(Stage(text, small, state, at, expected if not state and i == len(way) - 1 else None))
    return found


def _paid(detail: OrderDetail) -> str:
    balance = detail.money
    if not balance.captured:
        return ""
    method = next((p.method for p in reversed(detail.payments) if p.kind == "capture" and p.state == "done"), "")
    return _("%(amount)s by %(method)s", amount=money(balance.captured, balance.currency), method=label(method))


def _packed(detail: OrderDetail) -> str:
    last = max((p.round for p in detail.parcels), default=0)
    count = sum(1 for p in detail.parcels if p.round == last)
    return ngettext("Packed in %(num)s parcel", "Packed in %(num)s parcels", count) if count else _("Packed")
