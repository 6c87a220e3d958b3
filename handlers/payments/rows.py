"""The payment rows of an order: how movements are written down, found again and belong together.

A row's key is the idempotency key its provider was asked with. Authorisation and capture of one attempt share the
attempt's key; a refund's key ends in the id of the capture that it pays back.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from handlers.balance import balance
from handlers.contract import Call, UtcTime
from handlers.tables import Payment

BY_HAND = "by_hand"
"""The method of money that a person moved another way than through the provider."""
TRANSFER = "bank_transfer"
_LONGEST_MESSAGE = 300


def payments_of(session: Session, order: str) -> Sequence[Payment]:
    """Every movement of the order and every attempt at one, oldest first."""
    return session.scalars(select(Payment).where(Payment.order_number == order).order_by(Payment.id)).all()


def movement(
    call: Call,
    key: str,
    kind: str,
    method: str,
    *,
    amount: int,
    currency: str,
    state: str = "pending",
    reference: str | None = None,
    message: str = "",
) -> Payment:
    """A movement of the order, not yet written down."""
    return Payment(
        key=key,
        order_number=call.order,
        kind=kind,
        method=method,
        amount=amount,
        currency=currency,
        state=state,
        reference=reference,
        message=message[:_LONGEST_MESSAGE],
        at=call.now,
    )


def book(call: Call, *movements: Payment) -> list[Payment]:
    """Writes movements down, once for each key: a row that is there stays as it is, and is what is returned for it."""
    known = {
        row.key: row for row in call.session.scalars(select(Payment).where(Payment.key.in_([m.key for m in movements])))
    }
    call.session.add_all(m for m in movements if m.key not in known)
    call.session.flush()
    return [known.get(m.key, m) for m in movements]


_INTEND = text(
    'INSERT INTO payment ("key", order_number, kind, method, amount, currency, state, message, at) '
    "VALUES (:key, :order_number, :kind, :method, :amount, :currency, :state, :message, :at) "
    'ON CONFLICT ("key") DO NOTHING'
).bindparams(bindparam("at", type_=UtcTime()))


def intend(call: Call, *movements: Payment) -> None:
    """Like `book`, in one statement, for movements of which only the outcome will be looked at (`settle`)."""
    columns = ("key", "order_number", "kind", "method", "amount", "currency", "state", "message", "at")
    call.session.execute(_INTEND, [{name: getattr(row, name) for name in columns} for row in movements])


def settle(
    call: Call, key: str, state: str, *, reference: str | None = None, message: str = "", method: str | None = None
) -> None:
    """Writes down how a pending movement ended. One that has ended before, or was never meant, stays as it is."""
    row = call.session.scalar(select(Payment).where(Payment.key == key, Payment.state == "pending"))
    if row is not None:
        row.state, row.reference, row.message, row.at = state, reference, message[:_LONGEST_MESSAGE], call.now
        row.method = method or row.method
        call.session.flush()


def refundable(rows: Sequence[Payment]) -> list[tuple[Payment, int]]:
    """The captures, newest first, each with what of it was neither paid back nor is being paid back."""
    back: dict[int, int] = {}
    for row in rows:
        if row.kind == "refund" and row.state != "refused":
            capture = _capture_of(row)
            back[capture] = back.get(capture, 0) + row.amount
    captures = (row for row in reversed(rows) if row.kind == "capture" and row.state == "done")
    return [(row, row.amount - back.get(row.id, 0)) for row in captures]


def to_pay_back(call: Call) -> list[tuple[Payment, int]]:
    """What is captured, no longer owed and not being paid back already: how much of which capture, newest first."""
    money = balance(call.session, call.order)
    left = money.owed_back - money.refunding
    portions = []
    for capture, amount in refundable(payments_of(call.session, call.order)):
        portion = min(left, amount)
        if portion > 0:
            portions.append((capture, portion))
            left -= portion
    return portions


def asked_under(session: Session, order: str, key: str) -> list[tuple[Payment, Payment]]:
    """The refunds of one call that are not settled, each with its capture."""
    rows = payments_of(session, order)
    captures = {row.id: row for row in rows if row.kind == "capture"}
    return [
        (row, captures[_capture_of(row)])
        for row in rows
        if row.kind == "refund" and row.state == "pending" and row.key.startswith(f"{key}:refund:")
    ]


def forget_unasked(call: Call) -> None:
    """Ends the intents of captures that nobody will ask for any more."""
    for row in payments_of(call.session, call.order):
        if row.state == "pending" and row.kind in ("authorise", "capture"):
            row.state, row.message, row.at = "refused", "Withdrawn before the provider was asked.", call.now
    call.session.flush()


def _capture_of(refund: Payment) -> int:
    return int(refund.key.rsplit(":", 1)[1])
