"""What happened in a demo run, counted from the history, and what must hold at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.codec import unpack
from engine.store.tables import Event, Instance, Job, Message
from handlers.couriers.embedded import EmbeddedCourier
from handlers.payments.embedded import EmbeddedProvider
from handlers.payments.rows import BY_HAND
from handlers.reports_in import TRANSFER
from handlers.tables import (
    Invoice,
    Mail,
    Order,
    Payment,
    Reservation,
    ReservationLine,
    Shipment,
    Stock,
    StockMovement,
    TrackingReport,
)

if TYPE_CHECKING:
    from engine import Engine
    from handlers.ports import Ports

_ELEMENTS = {
    "correct_details": "doubtful details corrected or confirmed",
    "resolve_shortage": "stock shortages resolved",
    "reservation_expired": "reservations expired unsigned",
    "transfer_reminder": "payment reminders sent",
    "transfer_expired": "bank transfers expired",
    "resolve_payment": "payment problems resolved",
    "choose_courier": "couriers chosen by hand",
    "pickup_late": "late pickups",
    "picked_up": "pickups reported by the courier",
    "no_report": "couriers silent for days",
    "handle_exception": "delivery exceptions handled",
    "ask_for_proof": "missing proofs asked for",
}
_GATES = {"approve_reservation": "gate 5", "approve_payment": "gate 8"}
_CODES = {"payment_declined": "payments declined", "booking_failed": "bookings failed",
          "booking_stands": "cancelled bookings refused by the courier", "refund_refused": "refunds refused"}
_ENDED = ("closed", "cancelled")
_REPORTS = ("delayed", "lost", "refused", "returned", "delivered")


def happened(engine: Engine) -> Counter[str]:
    """What happened so far, in words, with how often."""
    told: Counter[str] = Counter()
    with engine.reading() as session:
        for status, count in session.execute(select(Instance.status, func.count()).group_by(Instance.status)):
            told[f"orders {status}"] = count
        for kind, element, body in session.execute(select(Event.kind, Event.element, Event.body)):
            told.update(_words(kind, element or "", body))
        for status in _REPORTS:
            told[f"couriers reported {status}"] = session.execute(
                select(func.count(func.distinct(TrackingReport.reference))).where(TrackingReport.status == status)
            ).scalar_one()
        told["mails sent"] = session.execute(
            select(func.count()).select_from(Mail).where(Mail.state == "sent")).scalar_one()
        told["calls repeated after a failure"] = session.execute(
            select(func.count()).select_from(Job).where(Job.kind == "operation", Job.attempts > 1)).scalar_one()
    return told


def _words(kind: str, element: str, body: bytes) -> Iterator[str]:
    if element in _GATES and kind in ("completed", "signed"):
        yield f"{_GATES[element]}: {orjson.loads(body)['detail']['decision']}"
    elif kind == "refused":
        code = orjson.loads(body)["detail"]["code"]
        if code in _CODES:
            yield _CODES[code]
    elif kind in ("completed", "timer", "message") and element in _ELEMENTS:
        yield _ELEMENTS[element]
    elif kind in ("incident", "retried", "escalated", "reminder"):
        yield {"incident": "incidents", "retried": "incidents retried", "escalated": "tasks escalated",
               "reminder": "reminders of due tasks"}[kind]


def broken(engine: Engine, ports: Ports) -> list[str]:
    """Every invariant that does not hold, a line each."""
    found: list[str] = []
    with engine.reading() as session:
        found += _stock(session)
        found += _money(session, ports)
        found += _parcels(session, ports)
        found += _work(session)
    return found + list(_messages(engine)) + engine.verify_audit()


def _stock(session: Session) -> Iterator[str]:
    moved = {
        (sku, region): total for sku, region, total in session.execute(
            select(StockMovement.sku, StockMovement.region, func.sum(StockMovement.quantity))
            .group_by(StockMovement.sku, StockMovement.region))
    }
    held = {
        (sku, region): total for sku, region, total in session.execute(
            select(ReservationLine.sku, ReservationLine.region, func.sum(ReservationLine.quantity))
            .join(Reservation, Reservation.reference == ReservationLine.reference)
            .where(Reservation.state.in_(("held", "picked")))
            .group_by(ReservationLine.sku, ReservationLine.region))
    }
    for row in session.scalars(select(Stock)):
        place = (row.sku, row.region)
        if moved.get(place, 0) != row.on_hand:
            yield f"stock: {place} has {row.on_hand} on hand, its movements add up to {moved.get(place, 0)}"
        if held.get(place, 0) != row.reserved:
            yield f"stock: {place} has {row.reserved} reserved, its reservations add up to {held.get(place, 0)}"
    for reference, state in session.execute(
        select(Reservation.reference, Reservation.state)
        .join(Instance, Instance.business_key == Reservation.order_number)
        .where(Instance.status.in_(_ENDED), Reservation.state.in_(("held", "picked")))
    ):
        yield f"stock: {reference} is still {state}, and its order has ended"


def _money(session: Session, ports: Ports) -> Iterator[str]:
    owed: Counter[str] = Counter()
    for order, kind, total in session.execute(select(Invoice.order_number, Invoice.kind, Invoice.total)):
        owed[order] += total if kind == "invoice" else -total
    paid: Counter[str] = Counter()
    by_hand: Counter[str] = Counter()
    for order, kind, method, total in session.execute(
        select(Payment.order_number, Payment.kind, Payment.method, Payment.amount).where(Payment.state == "done")
    ):
        moved = {"capture": total, "refund": -total}.get(kind, 0)
        paid[order] += moved
        if method == BY_HAND:
            by_hand[order] += moved
    ledger = ports.payments.balances() if isinstance(ports.payments, EmbeddedProvider) else None
    left = _left_at_the_bank(session)
    for number, status in session.execute(
        select(Instance.business_key, Instance.status).where(Instance.status.in_(_ENDED))
    ):
        if owed[number] != paid[number]:
            yield f"money: {number} ({status}) owes {owed[number]} and has paid {paid[number]}"
        if status == "cancelled" and owed[number] != 0:
            yield f"money: {number} is cancelled and still invoiced {owed[number]}"
        expected = paid[number] - by_hand[number] + left[number]
        if ledger is not None and ledger.get(number, 0) != expected:
            yield f"money: by our books the provider has {expected} of {number}, by its own {ledger.get(number, 0)}"


def _left_at_the_bank(session: Session) -> Counter[str]:
    """Transfers that came when their order asked for none any more: the messages stand in the list for a person."""
    found: Counter[str] = Counter()
    for message in session.scalars(select(Message).where(Message.name == TRANSFER, Message.consumed_at.is_(None))):
        found[message.correlation] += int(unpack(message.payload)["amount"])
    return found


def _parcels(session: Session, ports: Ports) -> Iterator[str]:
    live: Counter[tuple[str, int]] = Counter()
    ours = set()
    for shipment in session.scalars(select(Shipment)):
        ours.add(shipment.reference)
        if shipment.state != "cancelled":
            live[shipment.order_number, shipment.round] += 1
    for (order, round_), count in live.items():
        if count > 1:
            yield f"parcels: {order} has {count} bookings for its shipment {round_}"
    for code, courier in ports.couriers.items():
        for entry in courier.bookings() if isinstance(courier, EmbeddedCourier) else ():
            if entry.cancelled_at is None and entry.reference not in ours:
                yield f"parcels: {code} has a booking {entry.reference} that the shop does not know"


def _work(session: Session) -> Iterator[str]:
    for number, in session.execute(
        select(Order.number).join(Instance, Instance.business_key == Order.number)
        .where(Instance.status == "closed", Order.closed_at.is_(None))
    ):
        yield f"orders: {number} has ended and was not closed in the system"
    for state, count in session.execute(
        select(Job.state, func.count()).join(Instance, Instance.id == Job.instance_id)
        .where(Instance.status.in_(_ENDED), Job.state.in_(("ready", "leased", "dead")))
        .group_by(Job.state)
    ):
        yield f"jobs: {count} {state} jobs of orders that have ended"
    twice = session.execute(
        select(Mail.message_id, func.count()).group_by(Mail.message_id).having(func.count() > 1)).all()
    for message_id, count in twice:
        yield f"mails: {message_id} was written {count} times"


def _messages(engine: Engine) -> Iterator[str]:
    """Messages that ought to have been taken.

    Allowed leftovers are those of an order that has ended, those that an open order does not ask for (now, any more, or
    by its expression), those with an incident, and those that a person has set aside. In a house whose orders are never
    deleted, each message is about an order that exists.
    """
    for message in engine.overlooked():
        yield (f"messages: {message.order} waits for {message.name} and has not taken {message.message_id} "
               f"of {message.source}")
    before: int | None = None
    while True:
        page = engine.messages(state="unmatched", limit=500, before=before)
        for message in page.items:
            if message.why == "no_order":
                yield f"messages: {message.message_id} of {message.source} is about {message.order}, which is not there"
        if page.next is None:
            return
        before = int(page.next)
