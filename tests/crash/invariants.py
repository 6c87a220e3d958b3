"""What must hold when a run has ended: in the shop's books, in the counterparties' own, and between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import Parts
from demo.tally import broken
from engine.codec import unpack
from engine.store.tables import Event, Instance, Job, Task
from handlers.couriers.embedded import EmbeddedCourier
from handlers.couriers.ledger import Entry
from handlers.payments.embedded import EmbeddedProvider
from handlers.tables import Document, Mail, Order, Parcel, Payment, Shipment
from settings import ROOT
from tests.crash.steporder import StepOrder
from tests.crash.webhooks import Webhooks

_ENDED = ("closed", "cancelled")
_AFTER_REFUND = frozenset({15, 16, 17})
"""Steps that an order may skip when its delivery failed, or nobody heard of it, and all its money goes back."""


def violations(parts: Parts) -> list[str]:
    """Everything that does not hold, a line each: what every demo must keep, and what only a run of this kind can tell.
    """
    found = broken(parts.engine, parts.ports)
    with parts.engine.reading() as session:
        found += _orders(session)
        found += _open_work(session)
        found += _authorisations(session, parts)
        found += _parcels(session, parts)
        found += _labels(session)
        found += _mails(session, parts.settings.var / "outbox")
        found += _histories(session)
    found += _messages(parts)
    found += Webhooks(parts.settings.var / "outside" / "webhooks.db").faults()
    return found


def _orders(session: Session) -> Iterator[str]:
    """Every order has ended, and every instance has its order."""
    for number, status, step, awaits in session.execute(
        select(Instance.business_key, Instance.status, Instance.step, Instance.awaits)
        .where(Instance.status.not_in(_ENDED))
    ):
        dead = session.execute(select(Job.name, Job.error).where(Job.business_key == number, Job.state == "dead")).all()
        why = "; ".join(f"{name}: {error}" for name, error in dead) or f"awaits {awaits.strip() or 'nothing'}"
        yield f"orders: {number} is stuck, {status} at step {step}: {why}"
    orders, instances = (session.execute(select(func.count()).select_from(t)).scalar_one() for t in (Order, Instance))
    if orders != instances:
        yield f"orders: there are {orders} orders and {instances} journeys"


def _open_work(session: Session) -> Iterator[str]:
    """No job is left, and no task of an order that has ended."""
    for number, kind, operation, state, error in session.execute(
        select(Job.business_key, Job.kind, Job.operation, Job.state, Job.error)
        .where(Job.state.in_(("ready", "leased", "dead")))
    ):
        yield f"jobs: {number} has a {state} job left: {kind} {operation or ''} {error or ''}"
    for number, element in session.execute(
        select(Task.business_key, Task.element).join(Instance, Instance.id == Task.instance_id)
        .where(Task.state == "open", Instance.status.in_(_ENDED))
    ):
        yield f"tasks: {element} of {number} is still open, and the order has ended"


def _authorisations(session: Session, parts: Parts) -> Iterator[str]:
    """No money is blocked for nothing, and nothing is left pending in our books."""
    provider = parts.ports.payments
    assert isinstance(provider, EmbeddedProvider)
    statement = provider.statement()
    settled = {movement.of for movement in statement if movement.kind in ("capture", "void")}
    for movement in statement:
        if movement.kind == "authorise" and movement.reference not in settled:
            yield f"money: {movement.reference} of {movement.order} was authorised, and neither captured nor voided"
    for key, kind in session.execute(
        select(Payment.key, Payment.kind).join(Instance, Instance.business_key == Payment.order_number)
        .where(Payment.state == "pending", Instance.status.in_(_ENDED))
    ):
        yield f"money: the {kind} under {key} is still pending, and its order has ended"


def _bookings(parts: Parts) -> list[Entry]:
    return [entry for courier in parts.ports.couriers.values() if isinstance(courier, EmbeddedCourier)
            for entry in courier.bookings()]


def _parcels(session: Session, parts: Parts) -> Iterator[str]:
    """By the couriers' own books: one live booking for each parcel, and none for a cancelled order."""
    live: dict[str, list[str]] = defaultdict(list)
    ours = {shipment.reference: shipment for shipment in session.scalars(select(Shipment))}
    status = dict(session.execute(select(Instance.business_key, Instance.status)).tuples().all())
    for entry in _bookings(parts):
        known = ours.get(entry.reference)
        if entry.cancelled_at is not None:
            if known is not None and known.state != "cancelled":
                yield f"parcels: {entry.reference} is called off, in our books it is {known.state}"
            continue
        if known is not None and known.state == "given_up":
            continue  # settled by a person with the courier
        for package in entry.packages:
            live[package.sscc].append(entry.reference)
        if status.get(entry.order) == "cancelled":
            yield f"parcels: {entry.order} is cancelled, and the booking {entry.reference} stands"
    for sscc, references in live.items():
        if len(references) > 1:
            yield f"parcels: {sscc} is booked with {', '.join(references)}"


def _labels(session: Session) -> Iterator[str]:
    """Each label is one paper, and no parcel has two numbers or none when its shipment was booked."""
    made: Counter[str] = Counter(session.scalars(
        select(Event.instance_id).where(Event.kind.in_(("completed", "recorded")), Event.element == "create_label")))
    keys = dict(session.execute(select(Instance.business_key, Instance.id)).tuples().all())
    for name in ("label.pdf", "label.zpl"):
        for number, count in session.execute(
            select(Document.order_number, func.count()).where(Document.name == name).group_by(Document.order_number)
        ):
            if count != made[keys[number]]:
                yield f"labels: {number} has {count} {name}, made {made[keys[number]]} times"
    rounds = set(session.execute(select(Shipment.order_number, Shipment.round)).tuples())
    for parcel in session.scalars(select(Parcel).where(Parcel.sscc.is_(None))):
        if (parcel.order_number, parcel.round) in rounds:
            yield f"labels: a parcel of {parcel.order_number} was booked without a number"


def _mails(session: Session, outbox: Path) -> Iterator[str]:
    """Each mail was sent, under the one Message-ID that our books have."""
    parser = BytesParser(policy=policy.default)
    letters = (parser.parsebytes(file.read_bytes(), headersonly=True) for file in outbox.glob("*.eml"))
    sent = {str(letter["Message-ID"]).strip() for letter in letters}
    known = set()
    for mail in session.scalars(select(Mail)):
        known.add(mail.message_id)
        if mail.state not in ("sent", "refused"):
            yield f"mails: {mail.message_id} is still {mail.state}"
        if mail.state == "sent" and mail.message_id not in sent:
            yield f"mails: {mail.message_id} never left"
    for job in session.scalars(select(Job).where(Job.operation == "staff.mail")):
        message_id = unpack(job.arguments)["message_id"]
        known.add(message_id)
        if job.state != "done":
            yield f"mails: {message_id} to colleagues is still {job.state}"
        elif message_id not in sent and unpack(job.result)["value"]["sent"]:
            yield f"mails: {message_id} to colleagues never left"
    for message_id in sent - known:
        yield f"mails: {message_id} was sent, and our books have no such mail"


def _histories(session: Session) -> Iterator[str]:
    """Steps come in the diagram's order; a closed order has done them all."""
    order = StepOrder(ROOT / "processes" / "order_fulfillment.bpmn")
    completed: dict[str, list[str]] = defaultdict(list)
    steps: dict[int, str] = {}
    for instance, element, step in session.execute(
        select(Event.instance_id, Event.element, Event.step)
        .where(Event.kind == "completed", Event.process == "order_fulfillment", Event.element.is_not(None))
        .order_by(Event.instance_id, Event.seq)
    ):
        completed[instance].append(element or "")
        if step is not None:
            steps[step] = element or ""
    for instance, number, status in session.execute(select(Instance.id, Instance.business_key, Instance.status)):
        for fault in order.faults(completed[instance]):
            yield f"history: {number}: {fault}"
        missing = set(order.missing(completed[instance], steps)) if status == "closed" else set()
        refunded = "refund_exception" in completed[instance]
        if missing - (_AFTER_REFUND if refunded else frozenset()):
            yield f"history: {number} is closed without step {', '.join(map(str, sorted(missing)))}"


def _messages(parts: Parts) -> Iterator[str]:
    """Every message was taken, or a person has looked at it; or it says what was known already (see below)."""
    page = parts.engine.messages(state="unmatched", limit=1000)
    with parts.engine.reading() as session:
        shipments = {shipment.reference: shipment for shipment in session.scalars(select(Shipment))}
    for message in page.items:
        shipment = shipments.get(str(message.payload.get("booking")))
        # the courier's word of a pickup that somebody had confirmed already is nobody's task, and in no list
        if message.name == "courier.picked_up" and shipment is not None and shipment.picked_up_at is not None:
            continue
        yield f"messages: nobody has taken or looked at {message.name} {message.message_id} of {message.order}"
    for message in parts.engine.messages(state="waiting", limit=1000).items:
        yield f"messages: {message.name} {message.message_id} still waits for {message.order}"
