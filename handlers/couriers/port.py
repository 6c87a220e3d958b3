"""The courier port: what Waybill asks of a courier (rates, booking, label, tracking, proof, cancel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class Package:
    """One parcel as a courier sees it; `sscc` is its GS1 number, weight in grams, sides in centimetres."""

    sscc: str
    weight_g: int
    length_cm: int
    width_cm: int
    height_cm: int


@dataclass(frozen=True, slots=True)
class Rate:
    courier: str
    shipping_method: str
    amount: int
    currency: str
    days: int


@dataclass(frozen=True, slots=True)
class Booking:
    """A pickup that the courier has accepted."""

    reference: str
    tracking_number: str
    expected_on: date


@dataclass(frozen=True, slots=True)
class Report:
    """Where a shipment stands; statuses as in `handlers.tables.TrackingReport.status`."""

    status: str
    at: str
    """RFC 3339."""
    place: str = ""
    note: str = ""


class Courier(Protocol):
    """Every writing method may be repeated with the same key and then answers as the first time, within `key_window`.

    Raises `Refused("booking_failed" | "proof_missing" | "booking_stands", message)` for a no, `TryAgain` when the
    courier does not answer in time or answers 5xx.
    """

    key_window: timedelta
    """How long a key is remembered from its first use. Asked again later it acts anew: see `handlers.keys`."""

    def find(self, key: str) -> Booking | None:
        """The booking that was made, or called off, under this key, at any age; None when nothing was."""
        ...

    def rates(self, *, destination: Address, packages: Sequence[Package], shipping_method: str) -> list[Rate]: ...

    def book(
        self, key: str, *, order: str, destination: Address, packages: Sequence[Package], shipping_method: str
    ) -> Booking: ...

    def label(self, *, reference: str) -> bytes:
        """The courier's own routing label (ZPL), for the parcels of a booking."""
        ...

    def track(self, *, reference: str) -> list[Report]: ...

    def proof(self, *, reference: str) -> str:
        """Who signed for it and when, as one sentence. `Refused("proof_missing")` when there is none yet."""
        ...

    def cancel(self, key: str, *, reference: str) -> None:
        """Calls a booking off. `Refused("booking_stands")` when the parcel is already on its way."""
        ...
