"""The embedded courier: a counterparty with books of its own, rules of its own and bad days on demand."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NoReturn

from handlers import zpl
from handlers.barcodes import check_digit
from handlers.contract import Clock, Refused, TryAgain, seconds_left
from handlers.couriers.journeys import Plan, Webhook, journey
from handlers.couriers.ledger import Answer, Books, Entry, Ledger, webhook_place
from handlers.couriers.port import Address, Booking, Package, Rate, Report
from handlers.couriers.profiles import Profile, objection, quote

Method = Literal["rates", "book", "find", "label", "track", "proof", "cancel"]
KEY_WINDOW = timedelta(hours=24)
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 signs that nobody mistakes for one another


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call."""

    kind: Literal["unavailable", "lost_reply", "refuse", "slow"]
    """`unavailable`: 503, nothing done. `lost_reply`: all done, but no answer arrives. `refuse`: a no. `slow`: late."""
    seconds: float = 0.0
    """How late a slow answer is."""


Faults = Callable[[str, str], Fault | None]
"""Asked with method and key (the reference, where a method has no key) before each call."""
Plans = Callable[[str, str], Plan]
"""Asked with order and courier when a booking is taken, while the books are locked: it must not ask the courier."""


class EmbeddedCourier:
    """One courier, repeat-safe by key. Couriers may share a file; threads and processes may share a courier.

    `scale` stretches what happens to bookings: 1 is real life, 1/3600 makes an hour a second. Keys are forgotten after
    `key_window`, as real couriers do: then the same request sends a second van.
    """

    key_window = KEY_WINDOW

    def __init__(
        self,
        code: str,
        profile: Profile,
        path: Path,
        clock: Clock,
        *,
        plan: Plans = lambda _order, _courier: Plan(),
        faults: Faults = lambda _method, _key: None,
        scale: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.code = code
        self.profile = profile
        self.plan = plan
        self.faults = faults
        self.scale = scale
        self._ledger = Ledger(path)
        self._clock = clock
        self._sleep = sleep

    # --- the port ---

    def rates(self, *, destination: Address, packages: Sequence[Package], shipping_method: str) -> list[Rate]:
        self._meet(self._fault("rates", shipping_method))
        rate = quote(self.profile, destination=destination, packages=packages, shipping_method=shipping_method)
        return [] if rate is None else [rate]

    def book(
        self, key: str, *, order: str, destination: Address, packages: Sequence[Package], shipping_method: str
    ) -> Booking:
        fault = self._fault("book", key)
        self._meet(fault)
        subject = " ".join([order, shipping_method, *(package.sscc for package in packages)])
        with self._ledger.writing() as books:
            answer = self._remembered(books, "book", key)
            if answer is None:
                refusal = objection(
                    self.profile, destination=destination, packages=packages, shipping_method=shipping_method
                )
                if fault and fault.kind == "refuse":
                    refusal = f"{self.profile.label} has no van free for this pickup."
                reference = None
                if refusal is None:
                    again = len(books.under(self.code, key))
                    entry = self._entry(key, again, order, destination, packages, shipping_method)
                    reference = self._enter(books, entry, destination.city)
                answer = Answer(subject, refusal, reference, self._clock.now())
                books.keep_answer(self.code, "book", key, answer)
            taken = books.entry(self.code, answer.reference) if answer.reference else None
        self._lose(fault)
        self._check(answer, subject, "booking_failed")
        assert taken is not None
        return taken.booking

    def find(self, key: str) -> Booking | None:
        fault = self._fault("find", key)
        self._meet(fault)
        with self._ledger.reading() as books:
            made = books.under(self.code, key)
            asked = books.answer(self.code, "cancel", key)
            ended = books.entry(self.code, asked.subject) if asked else None
        self._lose(fault)
        if made:
            return made[0].booking
        return ended.booking if ended is not None and ended.cancelled_at is not None else None

    def label(self, *, reference: str) -> bytes:
        self._meet(self._fault("label", reference))
        with self._ledger.reading() as books:
            entry = books.entry(self.code, reference)
        if entry is None:
            raise Refused("booking_failed", self._unknown(reference))
        return zpl.routing_label(
            courier=self.profile.label,
            tracking_number=entry.tracking_number,
            recipient=entry.recipient,
            numbers=[package.sscc for package in entry.packages],
        )

    def track(self, *, reference: str) -> list[Report]:
        self._meet(self._fault("track", reference))
        with self._ledger.reading() as books:
            return books.reports(reference, self._clock.now()) if books.entry(self.code, reference) else []

    def proof(self, *, reference: str) -> str:
        fault = self._fault("proof", reference)
        self._meet(fault)
        with self._ledger.reading() as books:
            entry = books.entry(self.code, reference)
            reports = books.reports(reference, self._clock.now()) if entry else []
        delivered = next((report for report in reports if report.status == "delivered"), None)
        self._lose(fault)
        refused = fault is not None and fault.kind == "refuse"
        if entry is None or delivered is None or not entry.proof or refused:
            raise Refused("proof_missing", f"{self.profile.label} has no proof of delivery for {reference} yet.")
        at = datetime.fromisoformat(delivered.at).astimezone(UTC)
        return f"Signed by {entry.recipient} in {delivered.place} on {at.day} {at:%b %Y, %H:%M} UTC."

    def cancel(self, key: str, *, reference: str) -> None:
        fault = self._fault("cancel", key)
        self._meet(fault)
        with self._ledger.writing() as books:
            answer = self._remembered(books, "cancel", key)
            if answer is None:
                refusal = self._call_off(books, reference)
                if fault and fault.kind == "refuse":
                    refusal = f"{self.profile.label} does not call {reference} off: its van is already on the way."
                if refusal is None:
                    books.cancel(reference, self._clock.now())
                answer = Answer(reference, refusal, None, self._clock.now())
                books.keep_answer(self.code, "cancel", key, answer)
        self._lose(fault)
        self._check(answer, reference, "booking_stands")

    # --- what it sends by itself ---

    def due_webhooks(self, now: datetime, *, limit: int = 500) -> list[Webhook]:
        """What the courier wants to tell now, in the order of sending. Comes again until it is acknowledged."""
        with self._ledger.reading() as books:
            return books.due_webhooks(self.code, now, limit)

    def acknowledge(self, webhook_id: str) -> None:
        """A webhook was taken. One that is to come twice is due once more. An unknown id changes nothing."""
        try:
            reference, position = webhook_place(webhook_id)
        except ValueError:
            return
        with self._ledger.writing() as books:
            books.acknowledge(reference, position)

    def next_webhook_at(self) -> datetime | None:
        """When the next webhook falls due, perhaps in the past; None when there is nothing to tell."""
        with self._ledger.reading() as books:
            return books.next_webhook_at(self.code)

    def bookings(self, order: str | None = None) -> list[Entry]:
        """The courier's own list, of one order or of all, oldest first; called-off ones have `cancelled_at`."""
        with self._ledger.reading() as books:
            return books.entries(self.code, order)

    # --- parts ---

    def _remembered(self, books: Books, method: Method, key: str) -> Answer | None:
        """What was answered to a key, while it is remembered."""
        answer = books.answer(self.code, method, key)
        return answer if answer is not None and self._clock.now() < answer.at + self.key_window else None

    def _entry(
        self, key: str, again: int, order: str, destination: Address, packages: Sequence[Package], shipping_method: str
    ) -> Entry:
        """`again`: how often this key has made a booking before and was forgotten."""
        now = self._clock.now()
        name = f"{key} {again}" if again else key
        return Entry(
            reference=self._reference(name),
            courier=self.code,
            order=order,
            tracking_number=self._tracking_number(name),
            shipping_method=shipping_method,
            recipient=destination.name,
            expected_on=(now + timedelta(days=self.profile.services[shipping_method].days)).date(),
            packages=tuple(packages),
            proof=True,
            booked_at=now,
            cancelled_at=None,
            key=key,
        )

    def _enter(self, books: Books, entry: Entry, city: str) -> str:
        """Writes a booking down together with what will happen to it. Its reference."""
        plan = self.plan(entry.order, self.code)
        days = self.profile.services[entry.shipping_method].days
        happenings = journey(plan, booked_at=entry.booked_at, days=days, scale=self.scale, city=city)
        books.add(replace(entry, proof=plan.proof), happenings, copies=2 if plan.twice else 1)
        return entry.reference

    def _call_off(self, books: Books, reference: str) -> str | None:
        """Why a booking cannot be called off; None when it can, or was already."""
        entry = books.entry(self.code, reference)
        if entry is None:
            return self._unknown(reference)
        if entry.cancelled_at is None and books.reports(reference, self._clock.now()):
            return f"{self.profile.label} has already picked up {reference}."
        return None

    def _reference(self, key: str) -> str:
        """Follows from the key, so that it is the same even when the books were lost."""
        number = int.from_bytes(hashlib.sha256(f"{self.code} {key}".encode()).digest()[:8])
        signs = "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))
        return f"{self.code[-1].upper()}-{signs}"

    def _tracking_number(self, key: str) -> str:
        number = int.from_bytes(hashlib.sha256(f"{self.code} tracking {key}".encode()).digest()[:8]) % 10**12
        return f"{self.code[-1].upper()}{number:012d}{check_digit(f'{number:012d}')}"

    def _unknown(self, reference: str) -> str:
        return f"{self.profile.label} knows no booking {reference}."

    def _check(self, answer: Answer, subject: str, code: str) -> None:
        if answer.subject != subject:
            raise Refused(code, f"{self.profile.label} was asked something else under this key before.")
        if answer.refusal is not None:
            raise Refused(code, answer.refusal)

    # --- bad days ---

    def _fault(self, method: Method, key: str) -> Fault | None:
        return self.faults(method, key)

    def _meet(self, fault: Fault | None) -> None:
        """The part of a fault that comes before the work."""
        if fault is None:
            return
        if fault.kind == "unavailable":
            self._no_answer("is not available at the moment (503)")
        if fault.kind == "slow":
            left = seconds_left()
            self._sleep(min(fault.seconds, left))
            if fault.seconds > left:
                self._no_answer("did not answer in time")

    def _lose(self, fault: Fault | None) -> None:
        """The part of a fault that comes after the work: it is done, but nobody hears of it."""
        if fault is not None and fault.kind == "lost_reply":
            self._no_answer("did not answer in time")

    def _no_answer(self, what: str) -> NoReturn:
        raise TryAgain(f"{self.profile.label} {what}.")
