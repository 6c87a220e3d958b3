"""The shop's tables as typed models. Money is in minor units of the row's ISO 4217 currency, weight in grams."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    delete,
    event,
    insert,
    inspect,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from handlers.contract import UtcTime
from handlers.order_words import LONGEST, words_of_order

Amount = Annotated[int, mapped_column(BigInteger)]
"""Minor units of a currency: ten thousand dear things cost more than 32 bits hold."""


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime()}  # noqa: RUF012 - SQLAlchemy's way


class Counter(Base):
    """The last number given out of a series, e.g. `order`, `invoice`, `sscc`."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)


class Product(Base):
    """One catalogue entry."""

    __tablename__ = "product"
    sku: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    unit_price: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    weight_g: Mapped[int]
    fragile: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (CheckConstraint("unit_price >= 0"), CheckConstraint("weight_g > 0"))


class Stock(Base):
    """What one region has of one product. `available` is on_hand - reserved."""

    __tablename__ = "stock"
    sku: Mapped[str] = mapped_column(ForeignKey("product.sku"), primary_key=True)
    region: Mapped[str] = mapped_column(String(20), primary_key=True)
    on_hand: Mapped[int]
    reserved: Mapped[int] = mapped_column(default=0)
    location: Mapped[str] = mapped_column(String(40), default="")
    """Where it lies in the warehouse, e.g. `aisle 4`."""
    __table_args__ = (CheckConstraint("reserved >= 0"), CheckConstraint("on_hand >= reserved"))


class StockMovement(Base):
    """Every change of on_hand: per SKU and region they add up to what is there."""

    __tablename__ = "stock_movement"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(40))
    region: Mapped[str] = mapped_column(String(20))
    quantity: Mapped[int]
    """Positive: came in; negative: left."""
    reason: Mapped[str] = mapped_column(String(40))
    """delivery, count, shipped, returned."""
    order_number: Mapped[str | None] = mapped_column(String(80))
    at: Mapped[datetime]


class Order(Base):
    """One customer order. Its journey (state, step) is the engine's instance with the same business key."""

    __tablename__ = "orders"
    number: Mapped[str] = mapped_column(String(80), primary_key=True)
    customer_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str] = mapped_column(String(60))
    street: Mapped[str] = mapped_column(String(300))
    city: Mapped[str] = mapped_column(String(120))
    region: Mapped[str] = mapped_column(String(120))
    postal_code: Mapped[str] = mapped_column(String(30))
    country: Mapped[str] = mapped_column(String(2))
    """ISO 3166-1 alpha-2."""
    details_confirmed: Mapped[str | None] = mapped_column(Text)
    """The reason with which a person confirmed doubtful details as they are; cleared when they change."""
    payment_method: Mapped[str] = mapped_column(String(20))
    payment_token: Mapped[str | None] = mapped_column(String(120))
    shipping_method: Mapped[str] = mapped_column(String(20))
    stock_region: Mapped[str] = mapped_column(String(20))
    follow_up: Mapped[str] = mapped_column(String(30))
    currency: Mapped[str] = mapped_column(String(3))
    source: Mapped[str] = mapped_column(String(20))
    """page, api, file."""
    order_ref: Mapped[str | None] = mapped_column(String(80), unique=True)
    """The customer's or the file's own reference."""
    track_token: Mapped[str] = mapped_column(String(64), unique=True)
    """Unguessable part of the customer's tracking address."""
    placed_at: Mapped[datetime]
    placed_by: Mapped[str] = mapped_column(String(80))
    closed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    lines: Mapped[list[OrderLine]] = relationship(
        order_by="OrderLine.position", cascade="all, delete-orphan", lazy="selectin"
    )
    __table_args__ = (Index("orders_by_placed", "placed_at"),)


class OrderLine(Base):
    __tablename__ = "order_line"
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("product.sku"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int]
    unit_price: Mapped[Amount]
    """The catalogue's price when the order was taken."""
    product: Mapped[Product] = relationship(lazy="joined", innerjoin=False, viewonly=True)
    __table_args__ = (CheckConstraint("quantity > 0"),)


class OrderWord(Base):
    """A word by which an order is found. Kept by the order's own row, so that no operation can forget it."""

    __tablename__ = "order_word"
    word: Mapped[str] = mapped_column(
        String(LONGEST).with_variant(String(LONGEST, collation="C"), "postgresql"), primary_key=True
    )
    """In the order of its code points, so that a beginning is a range of the index on every database."""
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), primary_key=True)
    __table_args__ = (Index("order_word_of", "order_number", "word"), {"sqlite_with_rowid": False})


_NAMED_BY = ("customer_name", "city", "email", "order_ref")
"""Columns of an order in whose words it is found, besides its number."""


@event.listens_for(Order, "after_insert")
def _find_it(_mapper: object, connection: Connection, order: Order) -> None:
    found = words_of_order(order.number, *(getattr(order, name) for name in _NAMED_BY))
    rows: list[dict[str, Any]] = [{"word": word, "order_number": order.number} for word in found]
    connection.execute(insert(OrderWord), rows)


@event.listens_for(Order, "after_update")
def _find_it_anew(mapper: object, connection: Connection, order: Order) -> None:
    if any(inspect(order).attrs[name].history.has_changes() for name in _NAMED_BY):
        connection.execute(delete(OrderWord).where(OrderWord.order_number == order.number))
        _find_it(mapper, connection, order)


class IntakeKey(Base):
    """An Idempotency-Key that was used to place an order, with the hash of the body it came with."""

    __tablename__ = "intake_key"
    user: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    order_number: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]


class Reservation(Base):
    """Stock set aside for one order; at most one per order is held or picked."""

    __tablename__ = "reservation"
    reference: Mapped[str] = mapped_column(String(100), primary_key=True)
    """`R-<order number>-<how many-th of the order>`."""
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    state: Mapped[str] = mapped_column(String(10))
    """held, picked (off the shelf), shipped, released."""
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    lines: Mapped[list[ReservationLine]] = relationship(
        order_by="ReservationLine.sku", cascade="all, delete-orphan", lazy="selectin"
    )
    __table_args__ = (
        Index(
            "one_live_reservation",
            "order_number",
            unique=True,
            sqlite_where=text("state IN ('held', 'picked')"),
            postgresql_where=text("state IN ('held', 'picked')"),
        ),
    )


class ReservationLine(Base):
    __tablename__ = "reservation_line"
    reference: Mapped[str] = mapped_column(ForeignKey("reservation.reference"), primary_key=True)
    sku: Mapped[str] = mapped_column(String(40), primary_key=True)
    region: Mapped[str] = mapped_column(String(20), primary_key=True)
    quantity: Mapped[int]


class RestockProposal(Base):
    """What step 20 proposes to buy or move, from what the order took."""

    __tablename__ = "restock_proposal"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(String(80))
    sku: Mapped[str] = mapped_column(String(40))
    region: Mapped[str] = mapped_column(String(20))
    quantity: Mapped[int]
    at: Mapped[datetime]


class Invoice(Base):
    """An invoice, or a credit note on one. Amounts of a credit note are positive and count against the invoice."""

    __tablename__ = "invoice"
    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """invoice or credit_note."""
    credits: Mapped[str | None] = mapped_column(ForeignKey("invoice.number"))
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[Amount]
    discount: Mapped[Amount]
    tax: Mapped[Amount]
    tax_rate_bp: Mapped[int]
    """Tax rate in basis points: 2000 is 20 %."""
    tax_name: Mapped[str] = mapped_column(String(60))
    total: Mapped[Amount]
    reason: Mapped[str] = mapped_column(String(200), default="")
    issued_at: Mapped[datetime]
    lines: Mapped[list[InvoiceLine]] = relationship(
        order_by="InvoiceLine.position", cascade="all, delete-orphan", lazy="selectin"
    )


class InvoiceLine(Base):
    __tablename__ = "invoice_line"
    invoice_number: Mapped[str] = mapped_column(ForeignKey("invoice.number"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int]
    unit_price: Mapped[Amount]
    discount: Mapped[Amount]
    net: Mapped[Amount]
    """quantity × unit_price − discount."""


class Payment(Base):
    """One movement of money with the provider or the bank, or the attempt at one."""

    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    """The idempotency key it was or will be asked with."""
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    """authorise, capture, void, refund."""
    method: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    """pending, done, refused."""
    reference: Mapped[str | None] = mapped_column(String(120), index=True)
    """The provider's or the bank's own reference."""
    message: Mapped[str] = mapped_column(String(300), default="")
    at: Mapped[datetime]


class Parcel(Base):
    """One packed parcel. `round` counts shipments of the order: a lost one is packed again as round 2."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    round: Mapped[int]
    position: Mapped[int]
    weight_g: Mapped[int]
    length_cm: Mapped[int]
    width_cm: Mapped[int]
    height_cm: Mapped[int]
    fragile: Mapped[bool]
    sscc: Mapped[str | None] = mapped_column(String(18), unique=True)
    """GS1 Serial Shipping Container Code, 18 digits."""
    lines: Mapped[list[ParcelLine]] = relationship(cascade="all, delete-orphan", lazy="selectin")
    __table_args__ = (UniqueConstraint("order_number", "round", "position"),)


class ParcelLine(Base):
    __tablename__ = "parcel_line"
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(String(40), primary_key=True)
    quantity: Mapped[int]


class Shipment(Base):
    """One booking with a courier for one round of parcels."""

    __tablename__ = "shipment"
    reference: Mapped[str] = mapped_column(String(60), primary_key=True)
    """The courier's booking reference."""
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    round: Mapped[int]
    courier: Mapped[str] = mapped_column(String(20))
    tracking_number: Mapped[str] = mapped_column(String(60), index=True)
    state: Mapped[str] = mapped_column(String(12))
    """booked, picked_up, delivered, given_up, cancelled."""
    expected_on: Mapped[date | None]
    booked_at: Mapped[datetime]
    picked_up_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    proof: Mapped[str | None] = mapped_column(Text)
    """Who signed, when, as the courier or the operator reported."""


class TrackingReport(Base):
    """One report of a courier about a shipment."""

    __tablename__ = "tracking_report"
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(60), index=True)
    order_number: Mapped[str] = mapped_column(String(80), index=True)
    status: Mapped[str] = mapped_column(String(20))
    """picked_up, on_the_way, delayed, out_for_delivery, delivered, lost, refused, returned."""
    place: Mapped[str] = mapped_column(String(120), default="")
    note: Mapped[str] = mapped_column(String(300), default="")
    at: Mapped[datetime]


class Document(Base):
    """A rendered file of an order. The bytes lie in the file store under their hash."""

    __tablename__ = "document"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    """invoice.pdf, credit-note.pdf, packing-slip.pdf, label.pdf, evidence.pdf, evidence.json; the newest row counts."""
    title: Mapped[str] = mapped_column(String(120))
    """E.g. the invoice's number."""
    content_type: Mapped[str] = mapped_column(String(60))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    made_at: Mapped[datetime]
    key: Mapped[str] = mapped_column(String(200), unique=True)
    """The job's key: the same document is stored once."""


class Mail(Base):
    """One mail to a customer, rendered when it was decided on, sent by a job."""

    __tablename__ = "mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    """RFC 5322 Message-ID, the same on every attempt."""
    state: Mapped[str] = mapped_column(String(10))
    """queued, sent, refused (for good), by_hand (a person told the customer another way)."""
    made_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
