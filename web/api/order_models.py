"""Orders as JSON: the body that places one, the rows of lists, the whole of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

from pydantic import Field

from engine.views import EventView
from handlers.countries import names
from web.api.models import Input, Listing, Money, Output, Paging, Step, Time
from web.rows import IncidentRow, OpenTask, OrderDetail, OrderRow, ShipmentRow

State = Literal["open", "cancelling", "closed", "cancelled"]
DOCUMENTS = (
    "invoice.pdf", "invoice.xml", "credit-note.pdf", "packing-slip.pdf", "label.pdf", "label.zpl",
    "evidence.pdf", "evidence.json",
)  # fmt: skip

# --- in --------------------------------------------------------------------------------------------------------------


class CustomerIn(Input):
    """Who orders."""

    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    email: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")
    phone: str = Field(min_length=1, max_length=60, pattern=r"\S")


class AddressIn(Input):
    """Where to send it."""

    street: str = Field(min_length=1, max_length=300, pattern=r"\S")
    city: str = Field(min_length=1, max_length=120, pattern=r"\S")
    region: str = Field("", max_length=120, description="State or province, where addresses of the country have one.")
    postal_code: str = Field("", max_length=30, description="Where addresses of the country have one.")
    country: str = Field(
        min_length=2, max_length=80, description="ISO 3166-1, two letters.", json_schema_extra={"enum": list(names())}
    )


class ItemIn(Input):
    """One product and how many of it."""

    sku: str = Field(min_length=1, max_length=40, description="From the catalogue, e.g. product-a.")
    quantity: int = Field(ge=1, le=10_000)


class OrderIn(Input):
    """An order as a customer or a shop gives it."""

    customer: CustomerIn
    shipping_address: AddressIn
    items: list[ItemIn] = Field(min_length=1, max_length=100)
    payment_method: Literal["credit_card", "paypal", "bank_transfer"]
    payment_token: str | None = Field(
        None, min_length=1, max_length=120, description="What the payment provider gave the shop for this customer."
    )
    shipping_method: Literal["standard", "express", "overnight"]
    stock_region: Literal["north_america", "europe", "malaysia"] | None = Field(
        None, description="Where to take the stock from; by default near the customer."
    )
    follow_up: Literal["request_feedback", "offer_discount", "encourage_review"] | None = None


class OrderQuery(Paging):
    """Which orders."""

    state: State | None = None
    q: str | None = Field(None, max_length=200)


# --- out -------------------------------------------------------------------------------------------------------------


class OpenTaskOut(Output):
    """A task the order waits for."""

    id: str
    name: str
    step: int | None
    team: str
    assignee: str | None
    due_at: Time | None
    priority: int
    kind: Literal["form", "approval"]


class IncidentOut(Output):
    """A job that gave up; retry it with `POST /jobs/{id}/retry`."""

    id: str
    element: str | None
    name: str | None
    step: int | None
    error: str | None
    at: Time


class OrderOut(Output):
    """An order as a row of a list."""

    number: str
    state: State = Field(description="`open` until the journey has ended, after step 20.")
    placed_at: Time
    closed_at: Time | None = Field(description="Set by step 18.")
    cancelled_at: Time | None
    process_version: int
    step: Step | None = Field(description="The step reached last.")
    open_tasks: list[OpenTaskOut]
    incidents: list[IncidentOut]
    total: Money = Field(
        description="The newest invoice's total; before there is one, the lines without tax and discount."
    )
    customer_name: str
    country: str
    payment_method: str
    shipping_method: str
    stock_region: str
    source: str
    order_ref: str | None
    tracking_url: str | None = Field(description="The customer's page.")


class OrderList(Listing[OrderOut]):
    """A page of orders."""


class LineOut(Output):
    """One product of an order."""

    sku: str
    name: str
    quantity: int
    unit_price: Money


class InvoiceOut(Output):
    """An invoice, or a credit note on one; a credit note's amounts are positive and count against the invoice."""

    number: str
    kind: Literal["invoice", "credit_note"]
    credits: str | None
    net: Money
    discount: Money
    tax: Money
    tax_name: str
    total: Money
    issued_at: Time


class ShipmentOut(Output):
    """One booking with a courier."""

    reference: str
    round: int
    courier: str
    tracking_number: str
    state: str
    expected_on: date | None
    booked_at: Time
    picked_up_at: Time | None
    ended_at: Time | None


class ParcelOut(Output):
    """One packed parcel."""

    round: int
    position: int
    weight_g: int
    sscc: str | None


class CustomerOut(Output):
    """Who ordered."""

    name: str
    email: str
    phone: str


class AddressOut(Output):
    """Where it goes."""

    street: str
    city: str
    region: str
    postal_code: str
    country: str


class BalanceOut(Output):
    """How the money stands: invoices less credit notes, what was taken, what was given back, what is left to pay."""

    invoiced: Money
    captured: Money
    refunded: Money
    due: Money


class DocumentOut(Output):
    """A paper of the order."""

    name: str
    title: str
    content_type: str
    size: int
    made_at: Time
    url: str


class UnusedMessageOut(Output):
    """A message about the order that nothing waits for."""

    id: str
    name: str
    source: str
    received_at: Time
    text: str
    payload: dict[str, Any]


class OrderDetailOut(OrderOut):
    """One order, whole."""

    customer: CustomerOut
    shipping_address: AddressOut
    items: list[LineOut]
    follow_up: str
    placed_by: str
    invoices: list[InvoiceOut]
    money: BalanceOut
    parcels: list[ParcelOut]
    shipments: list[ShipmentOut]
    documents: list[DocumentOut]
    unused_messages: list[UnusedMessageOut] = Field(
        description="Received messages that nobody took and nothing waits for now, such as a second transfer."
    )


class EventOut(Output):
    """One line of a history. `hash` covers the line and `previous`, the hash of the line before."""

    seq: int
    at: Time
    actor: str
    kind: str
    step: int | None
    element: str | None
    name: str | None
    process: str
    detail: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    previous: str
    hash: str


class EventList(Listing[EventOut]):
    """A part of a history."""


# --- from rows -------------------------------------------------------------------------------------------------------


def order_body(row: OrderRow, incidents: Sequence[IncidentRow], public_url: str) -> dict[str, Any]:
    """The fields of `OrderOut`."""
    return {
        "number": row.number,
        "state": row.state,
        "placed_at": row.placed_at,
        "closed_at": row.closed_at,
        "cancelled_at": row.cancelled_at,
        "process_version": row.version,
        "step": {"number": row.step, "name": row.step_name or ""} if row.step is not None else None,
        "open_tasks": [_open_task(task) for task in row.open_tasks],
        "incidents": incidents,
        "total": _money(row.total, row.currency),
        "customer_name": row.customer_name,
        "country": row.country,
        "payment_method": row.payment_method,
        "shipping_method": row.shipping_method,
        "stock_region": row.stock_region,
        "source": row.source,
        "order_ref": row.order_ref,
        "tracking_url": f"{public_url}/track/{row.track_token}" if row.track_token else None,
    }


def detail_body(detail: OrderDetail, public_url: str) -> dict[str, Any]:
    """The fields of `OrderDetailOut`."""
    row, money = detail.row, detail.money
    return {
        **order_body(row, detail.incidents, public_url),
        "customer": {"name": row.customer_name, "email": detail.email, "phone": detail.phone},
        "shipping_address": {
            "street": detail.street, "city": detail.city, "region": detail.region,
            "postal_code": detail.postal_code, "country": detail.country,
        },
        "items": [
            {"sku": x.sku, "name": x.name, "quantity": x.quantity, "unit_price": _money(x.unit_price, row.currency)}
            for x in detail.lines
        ],
        "follow_up": detail.follow_up,
        "placed_by": detail.placed_by,
        "invoices": [
            {
                "number": i.number, "kind": i.kind, "credits": i.credits, "tax_name": i.tax_name,
                "issued_at": i.issued_at,
                **{name: _money(getattr(i, name), i.currency) for name in ("net", "discount", "tax", "total")},
            }
            for i in detail.invoices
        ],
        "money": {
            name: _money(getattr(money, name), money.currency) for name in ("invoiced", "captured", "refunded", "due")
        },
        "parcels": detail.parcels,
        "shipments": [_shipment(s) for s in detail.shipments],
        "documents": [
            {
                "name": d.name, "title": d.title, "content_type": d.content_type, "size": d.size, "made_at": d.made_at,
                "url": f"/api/v1/orders/{row.number}/documents/{d.name}",
            }
            for d in detail.documents
        ],
        "unused_messages": [
            {name: getattr(message, name) for name in UnusedMessageOut.model_fields} for message in detail.unused
        ],
    }  # fmt: skip


def event_body(event: EventView) -> dict[str, Any]:
    """The fields of `EventOut`."""
    return {name: getattr(event, name) for name in EventOut.model_fields}


def _open_task(task: OpenTask) -> Mapping[str, Any]:
    return {name: getattr(task, name) for name in OpenTaskOut.model_fields}


def _shipment(shipment: ShipmentRow) -> Mapping[str, Any]:
    return {name: getattr(shipment, name) for name in ShipmentOut.model_fields}


def _money(amount: int, currency: str) -> dict[str, Any]:
    return {"amount": amount, "currency": currency}
