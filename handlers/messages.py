"""Mails to the customer: written with the order's state in a command (`message.*`), sent by a job (`mail.send`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from handlers import papers
from handlers.balance import balance
from handlers.contract import Call, External, Refused, RetryPolicy, operation
from handlers.mail import REFUSED, refusal_of
from handlers.money import format_money
from handlers.tables import Invoice, Mail, Order, Shipment
from handlers.words import COURIERS, SHIPPING_METHODS, word

if TYPE_CHECKING:
    from handlers.ports import Ports


def queue_mail(call: Call, kind: str, **context: Any) -> Mail:
    """Renders a mail of this kind to the order's customer, writes it down and has it sent by a job.

    `documents/README.md` says which variables a kind needs beside the ones every mail has. The Message-ID is made of
    the call's key and the kind, so the same call queues the same mail once.
    """
    order = call.session.get_one(Order, call.order, options=[joinedload(Order.lines)])
    message_id = _message_id(call, kind, str(call.ports.renderer.company["mail_domain"]))
    mail = call.session.scalar(select(Mail).where(Mail.message_id == message_id))
    if mail is not None:
        return mail
    track_url = f"{call.ports.public_url}/track/{order.track_token}"
    rendered = call.ports.renderer.mail(kind, {**papers.mail_facts(order), "track_url": track_url, **context})
    mail = Mail(
        order_number=order.number,
        kind=kind,
        recipient=order.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=message_id,
        state="queued",
        made_at=call.now,
    )
    call.session.add(mail)
    call.session.flush()
    call.later("mail.send", mail_id=mail.id)
    return mail


def _message_id(call: Call, kind: str, domain: str) -> str:
    digest = hashlib.sha256(f"{call.key}\n{kind}".encode()).hexdigest()[:24]
    readable = re.sub(r"[^A-Za-z0-9-]", "-", call.order)[:60]
    return f"<{readable}.{kind}.{digest}@{domain}>"


# --- what the diagram says to the customer ---------------------------------------------------------------------------


@operation("message.shipped", gives=("mail",), refuses=(), reads=("booking", "pickup"))
def shipped(call: Call, shipping_method: str) -> Mapping[str, Any]:
    """Step 14: the parcels are with the courier; says which, the tracking number and the expected day."""
    from handlers.shipping import ensure_picked_up

    shipment = ensure_picked_up(call) or _shipment(call)
    parcels = papers.newest_parcels(call.session, call.order)
    return _result(
        queue_mail(
            call,
            "shipped",
            shipping_method=word(SHIPPING_METHODS, shipping_method),
            courier=word(COURIERS, shipment.courier) if shipment else "",
            tracking_number=papers.one_line(shipment.tracking_number) if shipment else "",
            expected_on=papers.day(shipment.expected_on) if shipment and shipment.expected_on else "",
            parcels=len(parcels),
            again=bool(parcels and parcels[0].round > 1),
        )
    )


@operation("message.delivered", gives=("mail",), refuses=())
def delivered(call: Call, follow_up: str) -> Mapping[str, Any]:
    """Step 17: the parcels have arrived; asks for feedback or a review, or offers a discount (a follow-up's code)."""
    shipment = _shipment(call)
    proof = papers.one_line(shipment.proof or "") if shipment else ""
    return _result(queue_mail(call, "delivered", follow_up=follow_up, proof=proof))


@operation("message.payment_reminder", gives=("mail",), refuses=())
def payment_reminder(call: Call, invoice_number: str) -> Mapping[str, Any]:
    """Reminds the customer of an invoice that is not paid, with the bank details and what is still due."""
    invoice = call.session.get_one(Invoice, invoice_number)
    due = balance(call.session, call.order).due
    return _result(
        queue_mail(
            call,
            "payment_reminder",
            invoice=invoice.number,
            total=format_money(invoice.total, invoice.currency),
            due=format_money(due, invoice.currency),
        )
    )


@operation("message.cancelled", gives=("mail",), refuses=())
def cancelled(call: Call, reason: str) -> Mapping[str, Any]:
    """Tells the customer that and why the order ends, and what money comes back.

    An order that was cancelled before step 1 was done has no row, and no customer to tell.
    """
    order = call.session.get(Order, call.order, options=[joinedload(Order.lines)])
    if order is None:
        return {"mail": None}
    money = balance(call.session, call.order)

    def amount(minor: int) -> str:
        return format_money(minor, order.currency) if minor > 0 else ""

    return _result(
        queue_mail(
            call,
            "cancelled",
            reason=papers.one_line(reason),
            returned=amount(money.refunded),
            returning=amount(money.refunding),
            kept=amount(money.held - money.refunding),
        )
    )


def _shipment(call: Call) -> Shipment | None:
    """The newest booking that still counts."""
    return call.session.scalar(
        select(Shipment)
        .where(Shipment.order_number == call.order, Shipment.state.not_in(("cancelled", "given_up")))
        .order_by(Shipment.round.desc(), Shipment.booked_at.desc())
        .limit(1)
    )


def _result(mail: Mail) -> Mapping[str, Any]:
    return {"mail": mail.id}


# --- sending ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail as it goes out, the same on every attempt."""

    mail_id: int
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str
    date: str
    """As the header says it (RFC 5322): when the mail was written, not when it was sent."""
    order: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a mail: taken by the transport, or refused for good."""

    state: str
    note: str = ""


@operation("mail.send")
class SendMail(External):
    """Sends a mail that was queued.

    A mail that will never be taken (no such address) does not stop the order: its row says `refused`, the order page
    shows it. Everything else is tried again, for two days: that is how long mail servers wait for one another.
    """

    retry = RetryPolicy(attempts=20, first=timedelta(seconds=30), longest=timedelta(hours=4))

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call, mail_id: int) -> Letter:
        mail = call.session.get_one(Mail, mail_id)
        return Letter(
            mail_id=mail.id,
            sender=str(self.ports.renderer.company["mail_from"]),
            recipient=mail.recipient,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            message_id=mail.message_id,
            date=format_datetime(mail.made_at),
            order=mail.order_number,
        )

    def perform(self, letter: Letter, key: str) -> Delivery:
        refusal = refusal_of(self.ports.mail, lambda: compose(letter))
        return Delivery("sent") if refusal is None else Delivery("refused", refusal)

    def by_hand(self, call: Call, letter: Letter, reason: str, given: Mapping[str, Any]) -> None:
        """The customer has been told another way, or need not be."""
        call.session.get_one(Mail, letter.mail_id).state = "by_hand"

    def record(self, call: Call, letter: Letter, delivery: Delivery) -> Mapping[str, Any]:
        mail = call.session.get_one(Mail, letter.mail_id)
        mail.state = delivery.state
        mail.sent_at = call.now if delivery.state == "sent" else None
        return {"mail": mail.id, "state": delivery.state, **({"note": delivery.note} if delivery.note else {})}


def compose(letter: Letter) -> EmailMessage:
    """The mail with its headers. The same letter gives the same bytes."""
    return write_mail(
        sender=letter.sender, recipients=(letter.recipient,), subject=letter.subject, text=letter.text,
        html=letter.html, message_id=letter.message_id, date=letter.date, order=letter.order,
    )  # fmt: skip


def write_mail(
    *, sender: str, recipients: Sequence[str], subject: str, text: str, html: str, message_id: str, date: str,
    order: str | None = None,
) -> EmailMessage:  # fmt: skip
    """A mail with its headers; plain text first, HTML as the alternative. The same values give the same bytes.

    Refused when a recipient is not an e-mail address.
    """
    message = EmailMessage()
    message["From"] = sender
    message["To"] = [_address(recipient) for recipient in recipients]
    message["Subject"] = papers.one_line(subject)
    message["Message-ID"] = message_id
    message["Date"] = date
    message["Auto-Submitted"] = "auto-generated"
    if order is not None:
        message["X-Order"] = papers.one_line(order)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message.set_boundary(f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}")
    return message


def _address(recipient: str) -> Address:
    try:
        return Address(addr_spec=recipient)
    except (ValueError, IndexError, HeaderParseError) as error:
        raise Refused(REFUSED, f"“{papers.one_line(recipient)}” is not an e-mail address.") from error
