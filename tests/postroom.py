"""Words for tests of papers and mails: the real renderer, an outbox, the read-back of pages, a whole order."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
import zxingcpp
from sqlalchemy.orm import Session

from engine.operations import freeze, thaw
from handlers.barcodes import sscc
from handlers.contract import Call, Clock, External, build_registry
from handlers.documents import FileStore, Renderer
from handlers.tables import (
    Invoice,
    InvoiceLine,
    Order,
    OrderLine,
    Parcel,
    ParcelLine,
    Payment,
    Product,
    Reservation,
    ReservationLine,
    Shipment,
    Stock,
    TrackingReport,
)

DOCUMENTS = Path(__file__).parent.parent / "documents"
ORDER = "WB-10001"
SSCCS = (sscc(41), sscc(42))


@cache
def renderer() -> Renderer:
    return Renderer(DOCUMENTS)


@dataclass
class Memory:
    """A transport that keeps what it is given, or raises what it is told to."""

    sent: list[EmailMessage] = field(default_factory=list)
    error: Exception | None = None

    def send(self, message: EmailMessage) -> None:
        if self.error:
            raise self.error
        self.sent.append(message)


@dataclass
class PostRoom:
    """The ports that papers and mails need."""

    files: FileStore
    renderer: Renderer = field(default_factory=renderer)
    mail: Memory = field(default_factory=Memory)
    public_url: str = "https://shop.example"


class Queue:
    """Takes what operations queue."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, operation: str, **arguments: Any) -> None:
        self.jobs.append((operation, arguments))


def make_call(
    session: Session, clock: Clock, room: PostRoom, later: Queue | None = None, *, visit: int = 1, **more: Any
) -> Call:
    key = f"{ORDER}:an_element:{visit}"
    return Call(ORDER, "waybill", clock, session, "an_element", key, {}, later or Queue(), ports=room, **more)


def run(external: type[External], call: Call, **parameters: Any) -> Any:
    """An external operation from end to end, frozen and thawed between its parts as the engine does it."""
    operation = build_registry(call.ports, {"it": external})["it"]
    assert operation.external is not None
    frozen = freeze(operation.external.prepare(call, **parameters))
    result = freeze(operation.external.perform(thaw(operation.arguments_type, frozen), call.key))
    arguments = thaw(operation.arguments_type, frozen)
    return operation.external.record(call, arguments, thaw(operation.result_type, result))


# --- reading back ---------------------------------------------------------------------------------------------------


def text_of(pdf: bytes) -> str:
    """What a reader can select and copy, blanks and line ends made single blanks."""
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def scan(pdf: bytes, *, dpi: int = 203) -> list[list[Any]]:
    """The barcodes that a scanner finds on each page, drawn as an office label printer would."""
    document = pypdfium2.PdfDocument(pdf)
    found = []
    for page in document:
        bitmap = page.render(scale=dpi / 72, grayscale=True)
        rows = memoryview(bytes(bitmap.buffer)).cast("B", (bitmap.height, bitmap.stride))
        found.append(zxingcpp.read_barcodes(rows))
    document.close()
    return found


def page_sizes(pdf: bytes) -> list[tuple[int, int]]:
    """Width and height of each page in whole millimetres."""
    boxes = [page.mediabox for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    return [(round(float(box.width) / 72 * 25.4), round(float(box.height) / 72 * 25.4)) for box in boxes]


# --- an order -------------------------------------------------------------------------------------------------------


def place(session: Session, clock: Clock, **changes: Any) -> Order:
    """An order of two products with stock and a reservation."""
    now = clock.now()
    session.add_all(
        [
            Product(sku="product-a", name="Product A", unit_price=129_900, currency="EUR", weight_g=800),
            Product(sku="product-b", name="Product B", unit_price=2_500, currency="EUR", weight_g=150, fragile=True),
        ]
    )
    session.flush()
    session.add_all(
        [
            Stock(sku="product-a", region="europe", on_hand=10, reserved=2, location="aisle 7"),
            Stock(sku="product-b", region="europe", on_hand=10, reserved=3, location="aisle 4"),
        ]
    )
    values: dict[str, Any] = {
        "number": ORDER,
        "customer_name": "Erika Müller-Łukasz",
        "email": "erika@example.com",
        "phone": "+49 251 123456",
        "street": "Prinzipalmarkt 12",
        "city": "Münster",
        "region": "",
        "postal_code": "48143",
        "country": "DE",
        "payment_method": "bank_transfer",
        "payment_token": "secret-token",
        "shipping_method": "express",
        "stock_region": "europe",
        "follow_up": "request_feedback",
        "currency": "EUR",
        "source": "api",
        "track_token": "unguessable",
        "placed_at": now,
        "placed_by": "sales",
    }
    order = Order(**{**values, **changes})
    order.lines = [
        OrderLine(position=1, sku="product-a", name="Product A", quantity=2, unit_price=129_900),
        OrderLine(position=2, sku="product-b", name="Product B", quantity=3, unit_price=2_500),
    ]
    session.add(order)
    session.flush()
    reservation = Reservation(reference="R-1", order_number=ORDER, state="held", made_at=now)
    reservation.lines = [
        ReservationLine(sku="product-a", region="europe", quantity=2),
        ReservationLine(sku="product-b", region="europe", quantity=3),
    ]
    session.add(reservation)
    session.flush()
    return order


def invoice(session: Session, clock: Clock, number: str = "INV-1", **changes: Any) -> Invoice:
    """The invoice over the order: 5 % off the second line, 19 % tax."""
    values: dict[str, Any] = {
        "number": number,
        "kind": "invoice",
        "order_number": ORDER,
        "currency": "EUR",
        "net": 266_925,
        "discount": 375,
        "tax": 50_716,
        "tax_rate_bp": 1900,
        "tax_name": "VAT",
        "total": 317_641,
        "issued_at": clock.now(),
    }
    row = Invoice(**{**values, **changes})
    row.lines = [
        InvoiceLine(
            position=1, sku="product-a", name="Product A", quantity=2, unit_price=129_900, discount=0, net=259_800
        ),
        InvoiceLine(
            position=2, sku="product-b", name="Product B", quantity=3, unit_price=2_500, discount=375, net=7_125
        ),
    ]
    session.add(row)
    session.flush()
    return row


def pay(session: Session, clock: Clock, amount: int, kind: str = "capture", state: str = "done") -> None:
    key = f"{kind}:{amount}:{state}"
    session.add(
        Payment(
            key=key,
            order_number=ORDER,
            kind=kind,
            method="bank_transfer",
            amount=amount,
            currency="EUR",
            state=state,
            reference="BANK-77",
            at=clock.now(),
        )
    )
    session.flush()


def pack(session: Session, round_: int = 1) -> list[Parcel]:
    """Two parcels with their SSCCs, the second fragile."""
    parcels = []
    for position, number in enumerate(SSCCS, 1):
        parcel = Parcel(order_number=ORDER, round=round_, position=position, weight_g=7_400 if position == 1 else 450,
                        length_cm=40, width_cm=30, height_cm=20, fragile=position == 2, sscc=number)  # fmt: skip
        sku = "product-a" if position == 1 else "product-b"
        parcel.lines = [ParcelLine(sku=sku, quantity=position + 1)]
        parcels.append(parcel)
    session.add_all(parcels)
    session.flush()
    return parcels


def ship(session: Session, clock: Clock, **changes: Any) -> Shipment:
    values: dict[str, Any] = {
        "reference": "BK-1",
        "order_number": ORDER,
        "round": 1,
        "courier": "courier_b",
        "tracking_number": "TRACK-4711",
        "state": "picked_up",
        "expected_on": date(2026, 11, 25),
        "booked_at": clock.now(),
        "picked_up_at": clock.now(),
    }
    row = Shipment(**{**values, **changes})
    session.add(row)
    session.add(TrackingReport(reference=row.reference, order_number=ORDER, status="picked_up", place="Münster",
                               at=clock.now()))  # fmt: skip
    session.flush()
    return row
