"""Step 7 and paying back: `payment.capture` and `payment.refund`.

Both work on the order's balance, not on how often their task was visited: capture takes what is invoiced and not yet
there, refund what is there and no longer owed. So a send-back never charges twice and a retry never pays back twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from handlers.balance import balance
from handlers.contract import Call, External, Refused, RetryPolicy, operation
from handlers.keys import once
from handlers.messages import queue_mail
from handlers.money import format_money
from handlers.orders import load_order
from handlers.payments.rows import (
    BY_HAND,
    TRANSFER,
    asked_under,
    book,
    forget_unasked,
    intend,
    movement,
    settle,
    to_pay_back,
)
from handlers.tables import Order

if TYPE_CHECKING:
    from handlers.payments.port import PaymentProvider, Receipt
    from handlers.ports import Ports

PROVIDER_METHODS = ("credit_card", "paypal")
RETRY = RetryPolicy(attempts=12, longest=timedelta(minutes=10))
"""Half an hour: a provider that is away is mostly back by then, and a customer's money should not hang longer."""


class _Amount(TypedDict):
    """What authorise and capture are told alike."""

    order: str
    amount: int
    currency: str


# --- capture ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capture:
    """What to collect, as it was when the step was reached."""

    order: str
    method: str
    token: str | None
    amount: int
    """Minor units; 0: everything is paid."""
    currency: str
    missing: str = ""
    """For a transfer: the sentence that says what has not arrived."""
    asked_at: datetime | None = None
    """Since when the keys may be in use: since the order was placed, because after a restore to an earlier time they
    were used in a time that we know nothing of. None in jobs that were queued before this was kept."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The provider's references; None when there was nothing to ask for."""

    authorisation: str | None = None
    capture: str | None = None


@operation("payment.capture", gives=("status", "reference"), refuses=("payment_declined",), reads=("transfer",))
class CapturePayment(External):
    """Collects what is invoiced and not yet paid. Refuses with `payment_declined`.

    Credit card and PayPal are authorised and captured at the provider. A bank transfer came by itself, as the message
    in the variable `transfer` (`amount`, `currency`, `reference`): it is written down in the command that takes the
    message, so that it is known whatever happens next, and refused only when something is still missing.
    """

    retry = RETRY

    def __init__(self, ports: Ports) -> None:
        self._provider: PaymentProvider = ports.payments
        self._clock = ports.clock

    def prepare(self, call: Call, method: str) -> Capture:
        order = load_order(call.session, call.order)
        if method == TRANSFER:
            note = _book_transfer(call, order)
            due = balance(call.session, call.order).due
            missing = f"{format_money(due, order.currency)} is still missing.{note}"
            return Capture(call.order, method, None, due, order.currency, missing)
        if method not in PROVIDER_METHODS:
            raise ValueError(
                f"There is no payment method {method!r}; there are {', '.join(PROVIDER_METHODS)}, {TRANSFER}."
            )
        due = balance(call.session, call.order).due
        if due:
            intents = (
                movement(call, f"{call.key}:{kind}", kind, method, amount=due, currency=order.currency)
                for kind in ("authorise", "capture")
            )
            intend(call, *intents)
        return Capture(call.order, method, order.payment_token, due, order.currency, asked_at=order.placed_at)

    def perform(self, capture: Capture, key: str) -> Captured:
        if capture.amount == 0:
            return Captured()
        if capture.method == TRANSFER:
            raise Refused("payment_declined", capture.missing)
        amount: _Amount = {"order": capture.order, "amount": capture.amount, "currency": capture.currency}
        held = self._once(
            capture,
            f"{key}:authorise",
            lambda k: self._provider.authorise(k, method=capture.method, token=capture.token, **amount),
        )
        try:
            taken = self._once(
                capture,
                f"{key}:capture",
                lambda k: self._provider.capture(k, authorisation=held.reference, **amount),
            )
        except Refused:
            with suppress(Refused):  # it has expired or was voided: the customer's money is free all the same
                self._once(
                    capture,
                    f"{key}:void",
                    lambda k: self._provider.void(k, order=capture.order, authorisation=held.reference),
                )
            raise
        return Captured(held.reference, taken.reference)

    def _once(self, capture: Capture, key: str, act: Callable[[str], Receipt]) -> Receipt:
        return once(self._provider, key, asked_at=capture.asked_at, clock=self._clock, act=act)

    def record(self, call: Call, _: Capture, captured: Captured) -> Mapping[str, Any]:
        if captured.capture is not None:
            settle(call, f"{call.key}:authorise", "done", reference=captured.authorisation)
            settle(call, f"{call.key}:capture", "done", reference=captured.capture)
        if to_pay_back(call):  # paid too much, or the new invoice is smaller: what is not owed goes back by itself
            call.later("payment.refund")
        status = "captured" if captured.capture is not None else "nothing_due"
        return {"status": status, "reference": captured.capture}

    def by_hand(self, call: Call, capture: Capture, reason: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The money has come another way than through the provider."""
        settle(call, f"{call.key}:authorise", "refused", message=reason)
        settle(call, f"{call.key}:capture", "done", method=BY_HAND, message=reason)
        return {"status": BY_HAND, "reference": None, **given}

    def refused(self, call: Call, capture: Capture, refusal: Refused) -> None:
        if capture.method == TRANSFER:
            return
        for kind in ("authorise", "capture"):
            settle(call, f"{call.key}:{kind}", "refused", message=refusal.message)
        if "cancellation" not in call.variables:
            queue_mail(call, "payment_declined", reason=refusal.message)


# --- bank transfers --------------------------------------------------------------------------------------------------

LONGEST_REFERENCE = 100


def _book_transfer(call: Call, order: Order) -> str:
    """Writes down the transfer that was reported, once for each reference; returns what a person must know about it.

    Money in another currency than the order's cannot count towards it: it is kept on record for a person to return.
    """
    transfer = call.variables.get("transfer")
    if transfer is None:
        return ""
    amount, currency, reference = (transfer.get(name) for name in ("amount", "currency", "reference"))
    readable = (
        isinstance(amount, int) and not isinstance(amount, bool) and amount > 0
        and isinstance(currency, str) and len(currency) == 3
        and isinstance(reference, str) and 0 < len(reference) <= LONGEST_REFERENCE
    )  # fmt: skip
    if not readable:
        raise Refused(
            "payment_declined",
            "The bank's report of the transfer cannot be read: it needs amount (minor units), currency and reference. "
            "Look the transfer up at the bank.",
        )
    same = currency == order.currency
    note = "" if same else f" Transfer {reference} came in {currency}, not {order.currency}: return it by hand."
    arrived = movement(
        call,
        f"{call.order}:transfer:{reference}",
        "capture",
        TRANSFER,
        amount=amount,
        currency=currency,
        state="done" if same else "refused",
        reference=reference,
        message=note.strip(),
    )
    book(call, arrived)
    return note


# --- refund ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Portion:
    """What to pay back of one capture."""

    key: str
    capture: str
    """The provider's or the bank's reference of the capture."""
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class PayBack:
    """Everything to pay back, as it was when the step was reached."""

    order: str
    portions: tuple[Portion, ...]
    asked_at: datetime | None = None
    """Since when the keys may be in use; None in jobs that were queued before this was kept."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the provider said to each portion, by its key."""

    references: dict[str, str]
    """Paid back, under this reference."""
    refusals: dict[str, str]
    """Refused, for this reason."""


class _AsksForRefunds(External):
    """What the two operations below share: each portion is asked for under a key of its own."""

    retry = RETRY

    def __init__(self, ports: Ports) -> None:
        self._provider: PaymentProvider = ports.payments
        self._clock = ports.clock

    def _ask(self, back: PayBack) -> Answers:
        answers = Answers({}, {})
        for portion in back.portions:
            try:
                receipt = self._pay_back(back, portion)
                answers.references[portion.key] = receipt.reference
            except Refused as refusal:
                answers.refusals[portion.key] = refusal.message
        return answers

    def _pay_back(self, back: PayBack, portion: Portion) -> Receipt:
        def act(key: str) -> Receipt:
            return self._provider.refund(
                key, order=back.order, capture=portion.capture, amount=portion.amount, currency=portion.currency
            )

        return once(self._provider, portion.key, asked_at=back.asked_at, clock=self._clock, act=act)

    def by_hand(self, call: Call, back: PayBack, reason: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What was to be paid back has been, another way than through the provider."""
        for portion in back.portions:
            settle(call, portion.key, "done", method=BY_HAND, message=reason)
        return {"status": BY_HAND, "amount": sum(portion.amount for portion in back.portions), **given}

    def record(self, call: Call, back: PayBack, answers: Answers) -> Mapping[str, Any]:
        for key, reference in answers.references.items():
            settle(call, key, "done", reference=reference)
        for key, message in answers.refusals.items():
            settle(call, key, "refused", message=message)
        paid = sum(portion.amount for portion in back.portions if portion.key in answers.references)
        return {"status": "refunded" if paid else "nothing_owed", "amount": paid}


@operation("payment.refund", gives=("status", "amount"), refuses=("refund_refused",))
class RefundPayment(_AsksForRefunds):
    """Pays back what is captured and no longer owed, newest capture first. Refuses with `refund_refused`.

    When the provider will not pay one of them back, the others are paid back all the same.
    """

    def prepare(self, call: Call) -> PayBack:
        # An order is undone only after every call that was begun has been recorded, so what is pending was never asked.
        forget_unasked(call)
        owed = to_pay_back(call)
        if not owed:
            return PayBack(call.order, ())
        rows = book(
            call,
            *(
                movement(
                    call,
                    f"{call.key}:refund:{capture.id}",
                    "refund",
                    capture.method,
                    amount=amount,
                    currency=capture.currency,
                )
                for capture, amount in owed
            ),
        )
        portions = (
            Portion(row.key, capture.reference or "", row.amount, row.currency)
            for row, (capture, _) in zip(rows, owed, strict=True)
        )
        return PayBack(call.order, tuple(portions), load_order(call.session, call.order).placed_at)

    def perform(self, back: PayBack, key: str) -> Answers:
        answers = self._ask(back)
        if answers.refusals:
            raise Refused("refund_refused", " ".join(dict.fromkeys(answers.refusals.values())))
        return answers

    def refused(self, call: Call, back: PayBack, refusal: Refused) -> None:
        if len(back.portions) == 1:
            settle(call, back.portions[0].key, "refused", message=refusal.message)
        else:  # a refusal does not say which: ask again under the same keys, which moves nothing twice
            call.later("payment.confirm_refunds", asked=call.key)


@operation("payment.confirm_refunds")
class ConfirmRefunds(_AsksForRefunds):
    """Finds out which of several refunds was refused, by asking for each again under its own key."""

    def prepare(self, call: Call, asked: str) -> PayBack:
        """`asked`: the key of the `payment.refund` call."""
        rows = asked_under(call.session, call.order, asked)
        return PayBack(
            call.order,
            tuple(Portion(row.key, capture.reference or "", row.amount, row.currency) for row, capture in rows),
            min((row.at for row, _ in rows), default=call.now),
        )

    def perform(self, back: PayBack, key: str) -> Answers:
        return self._ask(back)
