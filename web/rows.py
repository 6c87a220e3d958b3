"""What `web.queries` answers: plain, frozen values for pages and API.

Money is in minor units of the row's currency, weight in grams, times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class OpenTask:
    """What an order waits for a person to do."""

    id: str
    name: str
    team: str
    assignee: str | None
    due_at: datetime | None
    kind: str
    step: int | None = None
    priority: int = 0
    since: datetime | None = None
    """When it was opened."""
    claimed_at: datetime | None = None
    reason: str | None = None
    """Why it was opened, when something went another way than usual."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A job of an order that gave up."""

    id: str
    element: str | None
    name: str | None
    step: int | None
    error: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as a row of a list. An order whose intake is not done yet has no customer and no total."""

    number: str
    state: str
    """open, cancelling, closed or cancelled."""
    version: int
    step: int | None
    step_name: str | None
    customer_name: str
    city: str
    country: str
    total: int
    """The newest invoice's total; before there is one, the lines without tax and discount."""
    currency: str
    payment_method: str
    shipping_method: str
    stock_region: str
    source: str
    order_ref: str | None
    track_token: str | None
    placed_at: datetime
    closed_at: datetime | None
    cancelled_at: datetime | None
    open_tasks: tuple[OpenTask, ...] = ()
    incidents: int = 0
    awaits: tuple[str, ...] = ()
    """Names of the messages it waits for."""
    invoiced: bool = False
    """Whether `total` is an invoice's."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of orders; `next` is the cursor of the next page."""

    items: tuple[OrderRow, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of an order with what is set aside for it, region by region."""

    position: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    reserved: tuple[tuple[str, int], ...] = ()
    """Region and pieces of the reservation that is held, picked or shipped."""
    held: int = 0
    """Pieces that are held now: none once they were shipped or given back."""


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice, or a credit note on one (its amounts are positive and count against the invoice)."""

    number: str
    kind: str
    credits: str | None
    currency: str
    net: int
    discount: int
    tax: int
    tax_rate_bp: int
    tax_name: str
    total: int
    reason: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One movement of money, or the attempt at one."""

    order: str
    kind: str
    method: str
    amount: int
    currency: str
    state: str
    reference: str | None
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReservationRow:
    reference: str
    state: str
    made_at: datetime
    ended_at: datetime | None
    lines: tuple[tuple[str, str, int], ...] = ()
    """SKU, region, pieces."""


@dataclass(frozen=True, slots=True)
class ParcelRow:
    round: int
    position: int
    weight_g: int
    length_cm: int
    width_cm: int
    height_cm: int
    fragile: bool
    sscc: str | None
    contents: tuple[tuple[str, int], ...] = ()
    """SKU and pieces."""


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    reference: str
    round: int
    courier: str
    tracking_number: str
    state: str
    expected_on: date | None
    booked_at: datetime
    picked_up_at: datetime | None
    ended_at: datetime | None
    proof: str | None


@dataclass(frozen=True, slots=True)
class ReportRow:
    reference: str
    status: str
    place: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DocumentRow:
    name: str
    title: str
    content_type: str
    sha256: str
    size: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class MailRow:
    id: int
    order: str
    kind: str
    recipient: str
    subject: str
    state: str
    made_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Money:
    """How an order's balance stands: what is owed, what was taken, what is left."""

    currency: str
    invoiced: int
    """Invoices less credit notes."""
    captured: int
    refunded: int

    @property
    def paid(self) -> int:
        return self.captured - self.refunded

    @property
    def due(self) -> int:
        return self.invoiced - self.paid


@dataclass(frozen=True, slots=True)
class UnusedMessage:
    """A message about an order that nobody took and nothing waits for."""

    id: str
    """The sender's own."""
    order: str
    name: str
    source: str
    received_at: datetime
    payload: Mapping[str, Any]
    text: str
    """What it said, e.g. `Finance: a transfer of €35.52 was received`."""
    order_state: str | None
    """As `OrderRow.state`; None when there is no such order."""


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """Everything the shop knows of one order, newest rows last, documents newest first and one per name."""

    row: OrderRow
    email: str
    phone: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str
    follow_up: str
    placed_by: str
    details_confirmed: str | None
    lines: tuple[LineRow, ...]
    invoices: tuple[InvoiceRow, ...]
    payments: tuple[PaymentRow, ...]
    reservations: tuple[ReservationRow, ...]
    parcels: tuple[ParcelRow, ...]
    shipments: tuple[ShipmentRow, ...]
    reports: tuple[ReportRow, ...]
    documents: tuple[DocumentRow, ...]
    mails: tuple[MailRow, ...]
    incidents: tuple[IncidentRow, ...] = ()
    unused: tuple[UnusedMessage, ...] = ()
    change: str = ""
    """Another text as soon as anything about the order is other than it was; see `web.order_facts.change`."""

    @property
    def money(self) -> Money:
        return balance(self.invoices, self.payments, self.row.currency)


@dataclass(frozen=True, slots=True)
class StockRow:
    sku: str
    name: str
    region: str
    location: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


def balance(invoices: Iterable[InvoiceRow], moves: Iterable[PaymentRow], currency: str) -> Money:
    """Adds up what is owed and what was taken."""
    done = [p for p in moves if p.state == "done"]
    return Money(
        currency=currency,
        invoiced=sum(i.total if i.kind == "invoice" else -i.total for i in invoices),
        captured=sum(p.amount for p in done if p.kind == "capture"),
        refunded=sum(p.amount for p in done if p.kind == "refund"),
    )
