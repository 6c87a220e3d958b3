"""Step 19: the evidence pack of an order, as JSON (everything) and PDF (its summary).

`documents/README.md` holds the archive convention: how the pack is named and what stands in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import inspect, select

from handlers import papers
from handlers.contract import Call, External, operation
from handlers.documents import Stored, record_document
from handlers.money import format_money
from handlers.tables import (
    Base,
    Document,
    Invoice,
    Mail,
    Order,
    Parcel,
    Payment,
    Reservation,
    Shipment,
    TrackingReport,
)
from handlers.words import COURIERS, PAYMENT_METHODS, word

if TYPE_CHECKING:
    from handlers.ports import Ports

FORMAT = "waybill-evidence/1"

_WITHHELD = frozenset({"payment_token", "track_token", "text", "html"})
"""Columns that would let a reader act for the customer; of a mail's text the pack holds the hash."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The pack as it was when the order was archived."""

    name: str
    pack: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Archived:
    """Where the pack lies."""

    pack: Stored
    summary: Stored


@operation("order.archive", gives=("name", "sha256", "head"), refuses=())
class ArchiveOrder(External):
    """Step 19: stores the evidence pack, with the head of the history's hash chain as it was."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call) -> Evidence:
        order = call.session.get_one(Order, call.order)
        return Evidence(archive_name(order, call.now), evidence(call, order))

    def perform(self, evidence: Evidence, key: str) -> Archived:
        data = _json(evidence)
        pack = Stored(self.ports.files.put(data), len(data))
        pdf = self.ports.renderer.pdf("evidence", summary(evidence, pack))
        return Archived(pack, Stored(self.ports.files.put(pdf), len(pdf)))

    def record(self, call: Call, evidence: Evidence, archived: Archived) -> Mapping[str, Any]:
        for name, kind, stored in (
            ("evidence.json", "application/json", archived.pack),
            ("evidence.pdf", "application/pdf", archived.summary),
        ):
            title = f"{evidence.name}.{name.rpartition('.')[2]}"
            record_document(call, name, stored, title=title, content_type=kind, key=f"{call.key}/{name}")
        return {
            "name": f"{evidence.name}.json",
            "sha256": archived.pack.sha256,
            "head": evidence.pack["history"]["head"],
        }


def so_far(call: Call, ports: Ports, name: str) -> bytes:
    """The evidence of an order that is not archived yet, made now and kept nowhere: `evidence.json` or `evidence.pdf`.
    """
    order = call.session.get_one(Order, call.order)
    found = Evidence(f"{archive_name(order, call.now)}-so-far", {**evidence(call, order), "so_far": True})
    data = _json(found)
    if name == "evidence.json":
        return data
    return ports.renderer.pdf("evidence", summary(found, Stored(hashlib.sha256(data).hexdigest(), len(data))))


def _json(found: Evidence) -> bytes:
    return orjson.dumps(found.pack, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def archive_name(order: Order, now: datetime) -> str:
    """`WB-10001_2026-11-23_evidence`: the archive convention, without the ending."""
    closed = order.closed_at or order.cancelled_at or now
    number = re.sub(r"[^A-Za-z0-9.-]", "-", order.number)
    return f"{number}_{closed.astimezone(UTC):%Y-%m-%d}_evidence"


def evidence(call: Call, order: Order) -> dict[str, Any]:
    """Everything that the shop and the engine know of the order, as plain JSON values."""

    def rows(table: Any, *sort: Any) -> list[Any]:
        return list(call.session.scalars(select(table).where(table.order_number == order.number).order_by(*sort)))

    history = {"head": None, "seq": 0, "events": [], **call.history()}
    return {
        "format": FORMAT,
        "archived_at": _plain(call.now),
        "order": {**_row(order), "lines": [_row(line) for line in order.lines]},
        "invoices": [
            {**_row(invoice), "lines": [_row(line) for line in invoice.lines]}
            for invoice in rows(Invoice, Invoice.issued_at, Invoice.number)
        ],
        "payments": [_row(payment) for payment in rows(Payment, Payment.id)],
        "reservations": [
            {**_row(reservation), "lines": _rows(reservation.lines)}
            for reservation in rows(Reservation, Reservation.made_at, Reservation.reference)
        ],
        "parcels": [
            {**_row(parcel), "lines": _rows(parcel.lines)} for parcel in rows(Parcel, Parcel.round, Parcel.position)
        ],
        "shipments": [_row(shipment) for shipment in rows(Shipment, Shipment.booked_at, Shipment.reference)],
        "reports": [_row(report) for report in rows(TrackingReport, TrackingReport.at, TrackingReport.id)],
        "mails": [
            {**_row(mail), "text_sha256": hashlib.sha256(mail.text.encode()).hexdigest()}
            for mail in rows(Mail, Mail.id)
        ],
        "documents": [_row(document) for document in rows(Document, Document.id)],
        "history": json.loads(json.dumps(history, default=_plain)),
    }


def _rows(rows: Iterable[Base]) -> list[dict[str, Any]]:
    return sorted((_row(row) for row in rows), key=lambda row: [str(value) for value in row.values()])


def _row(row: Base) -> dict[str, Any]:
    columns = inspect(type(row)).columns.keys()
    return {name: _plain(getattr(row, name)) for name in columns if name not in _WITHHELD}


def _plain(value: Any) -> Any:
    """A value as JSON carries it; times in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


# --- the summary -----------------------------------------------------------------------------------------------------


def summary(evidence: Evidence, stored: Stored) -> dict[str, Any]:
    """What stands on the PDF: the pack in the words people read."""
    pack = evidence.pack
    order, history = pack["order"], pack["history"]
    return {
        "name": evidence.name,
        "sha256": stored.sha256,
        "archived_at": _moment(pack["archived_at"]),
        "order": order["number"],
        "facts": [
            ["Customer", papers.one_line(order["customer_name"])],
            *([["State", "So far: the order is not archived yet"]] if pack.get("so_far") else []),
            ["Ship to", _address(order)],
            ["Placed", f"{_moment(order['placed_at'])} by {order['placed_by']}"],
            ["Closed", _moment(order["closed_at"]) if order["closed_at"] else "–"],
            ["Payment", word(PAYMENT_METHODS, order["payment_method"])],
        ],
        "sections": [section for section in _sections(pack) if section["rows"]],
        "history": [
            [_text(event.get("seq")), _moment(event.get("at")), _text(event.get("step")), _event(event), _by(event)]
            for event in history["events"]
        ],
        "head": history["head"] or "",
        "seq": str(history["seq"]),
    }


def _sections(pack: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    currency = pack["order"]["currency"]

    def section(title: str, head: list[str], rows: Iterable[list[Any]]) -> dict[str, Any]:
        return {"title": title, "head": head, "rows": [[_text(cell) for cell in row] for row in rows]}

    return (
        section(
            "Ordered",
            ["Product", "SKU", "Quantity", "Unit price"],
            (
                [line["name"], line["sku"], line["quantity"], format_money(line["unit_price"], currency)]
                for line in pack["order"]["lines"]
            ),
        ),
        section(
            "Invoices and credit notes",
            ["Number", "Kind", "Issued", "Total"],
            (
                [
                    row["number"],
                    row["kind"].replace("_", " "),
                    _moment(row["issued_at"]),
                    format_money(row["total"], row["currency"]),
                ]
                for row in pack["invoices"]
            ),
        ),
        section(
            "Payments",
            ["Kind", "State", "Reference", "Amount"],
            (
                [row["kind"], row["state"], row["reference"] or "–", format_money(row["amount"], row["currency"])]
                for row in pack["payments"]
            ),
        ),
        section(
            "Parcels",
            ["Shipment", "SSCC", "Contents", "Weight"],
            (
                [
                    row["round"],
                    row["sscc"] or "–",
                    ", ".join(f"{line['quantity']} × {line['sku']}" for line in row["lines"]),
                    papers.kilograms(row["weight_g"]),
                ]
                for row in pack["parcels"]
            ),
        ),
        section(
            "Shipments",
            ["Courier", "Reference", "Proof of delivery", "State"],
            (
                [word(COURIERS, row["courier"]), row["reference"], row["proof"] or "–", row["state"].replace("_", " ")]
                for row in pack["shipments"]
            ),
        ),
        section(
            "Approvals",
            ["Gate", "What", "Who", "When"],
            (
                [f"{event['name']}: {_signed(event)}", _meaning(event), _signer(event), _moment(event["at"])]
                for event in pack["history"]["events"]
                if event["kind"] in _AT_GATES or _detail(event).get("decision")
            ),
        ),
        section(
            "Mails",
            ["Subject", "To", "Sent", "State"],
            ([row["subject"], row["recipient"], _moment(row["sent_at"]), row["state"]] for row in pack["mails"]),
        ),
        section(
            "Documents",
            ["File", "Title", "SHA-256", "Bytes"],
            ([row["name"], row["title"], row["sha256"], row["size"]] for row in pack["documents"]),
        ),
    )


_AT_GATES = {
    "signed": "first signature",
    "signature_refused": "signature refused",
    "signature_void": "signature void",
    "approval_void": "approval void",
    "override": "opened in an emergency",
    "alarm_acknowledged": "alarm acknowledged",
}
"""Events of the history about gates beside their decisions, in the words of the summary."""


def _detail(event: Mapping[str, Any]) -> Mapping[str, Any]:
    body = event.get("body")
    detail: Mapping[str, Any] = json.loads(body).get("detail", {}) if body else {}
    return detail


def _signed(event: Mapping[str, Any]) -> str:
    decision = str(_detail(event).get("decision", "")).replace("_", " ")
    return _AT_GATES.get(_text(event["kind"]), decision)


def _meaning(event: Mapping[str, Any]) -> str:
    detail = _detail(event)
    parts = (detail.get("meaning"), detail.get("why") or detail.get("reason") or detail.get("comment"))
    return " ".join(str(part) for part in parts if part)


def _signer(event: Mapping[str, Any]) -> str:
    detail = _detail(event)
    who = detail.get("printed_name")
    name = f"{who} ({event['actor']})" if who else _by(event)
    return f"{name} for {detail['on_behalf_of']}" if detail.get("on_behalf_of") else name


def _event(event: Mapping[str, Any]) -> str:
    kind = _text(event.get("kind")).replace("_", " ")
    return f"{event['name']}: {kind}" if event.get("name") else kind


def _by(event: Mapping[str, Any]) -> str:
    return _text(event.get("actor"))


def _address(order: Mapping[str, Any]) -> str:
    town = " ".join(part for part in (order["postal_code"], order["city"]) if part)
    parts = (order["street"], town, order["region"], order["country"])
    return papers.one_line(", ".join(part for part in parts if part))


def _moment(value: Any) -> str:
    """`23 Nov 2026, 14:05 UTC` from an ISO time."""
    if not value:
        return "–"
    return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _text(value: Any) -> str:
    return "" if value is None else papers.one_line(str(value))
