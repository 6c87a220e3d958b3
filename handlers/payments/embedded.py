"""The embedded payment provider: a counterparty that works, with its own books, rules, refusals and bad days.

What it does on demand is asked for by the payment token of an order (`TOKENS`) or by a hook (`Fault`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from handlers.contract import Clock, Refused, TryAgain, seconds_left
from handlers.payments.ledger import Book, Ledger, Movement
from handlers.payments.port import Receipt, WrongRequest

TOKENS = {
    "tok_declined": "every payment is declined",
    "tok_insufficient_funds": "every payment is declined for want of money",
    "tok_expired": "every payment is declined because the card has expired",
    "tok_declined_once": "the order's first payment is declined",
    "tok_capture_declined": "the amount is authorised, its capture is declined",
    "tok_refund_refused": "every refund is refused",
    "tok_lost_reply": "the order's first capture is done and its reply is lost",
    "tok_lost_reply_once_per_call": "every request is done and its first reply is lost",
    "tok_unavailable_once": "the order's first request is answered 503",
    "tok_slow": "every reply takes a while",
}
"""What each test token does. Any other token, or none, is a card or account in good order."""

METHODS = ("credit_card", "paypal")
AUTHORISATION_LASTS = timedelta(days=7)
KEY_WINDOW = timedelta(hours=24)
SLOW_SECONDS = 2.0

_DECLINES = {
    "tok_declined": "The card was declined.",
    "tok_insufficient_funds": "The card was declined: insufficient funds.",
    "tok_expired": "The card was declined: it has expired.",
}
_OWN_REFERENCE = re.compile(r"(AUT|CAP|VOI|REF|TRF)-\d{8,}")
_DECLINED, _REFUSED = "payment_declined", "refund_refused"


class Fault(StrEnum):
    """What the hook can make of a request."""

    UNAVAILABLE = "unavailable"
    """Nothing is done; 503."""
    LOST_REPLY = "lost_reply"
    """It is done; the reply is lost."""
    SLOW = "slow"
    """It is done; the reply takes a while."""
    REFUSED = "refused"
    """A refusal, for good: the same key is refused again."""


class EmbeddedProvider:
    """Implements `PaymentProvider`. `faults(method, key)` is asked on every request, also on repeated ones.

    Keys are forgotten after `key_window`, as real providers do: then the same request moves money once more.
    """

    key_window = KEY_WINDOW

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        faults: Callable[[str, str], Fault | None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ledger = Ledger(path, clock)
        self.faults = faults
        self._clock = clock
        self._sleep = sleep

    # --- the port ---------------------------------------------------------------------------------------------------

    def authorise(self, key: str, *, order: str, method: str, token: str | None, amount: int, currency: str) -> Receipt:
        body = {"order": order, "method": method, "token": token, "amount": amount, "currency": currency}

        def act(book: Book) -> Receipt:
            if method not in METHODS:
                raise Refused(_DECLINED, f"This provider takes no payments by {method}.")
            if token in _DECLINES:
                raise Refused(_DECLINED, _DECLINES[token])
            if _asks(token, "declined_once") and book.first_time(f"declined {order}"):
                raise Refused(_DECLINED, "The card was declined. Another attempt may pass.")
            reference = book.add("authorise", order, method, amount, currency, token=token, key=key)
            return Receipt(reference, amount, currency)

        return self._request("authorise", key, body, act)

    def capture(self, key: str, *, order: str, authorisation: str, amount: int, currency: str) -> Receipt:
        body = {"order": order, "of": authorisation, "amount": amount, "currency": currency}

        def act(book: Book) -> Receipt:
            held = _known(book, authorisation, ("authorise",), order, currency)
            if _asks(held.token, "capture_declined"):
                raise Refused(_DECLINED, "The card's bank withdrew the authorisation.")
            if book.of(authorisation, "void"):
                raise Refused(_DECLINED, "The authorisation was voided.")
            if self._clock.now() > held.at + AUTHORISATION_LASTS:
                raise Refused(_DECLINED, "The authorisation has expired.")
            if amount + _sum(book.of(authorisation, "capture")) > held.amount:
                raise Refused(_DECLINED, "More was asked for than was authorised.")
            reference = book.add(
                "capture", order, held.method, amount, currency, of=authorisation, token=held.token, key=key
            )
            return Receipt(reference, amount, currency)

        return self._request("capture", key, body, act)

    def void(self, key: str, *, order: str, authorisation: str) -> Receipt:
        def act(book: Book) -> Receipt:
            held = _known(book, authorisation, ("authorise",), order)
            if book.of(authorisation, "capture"):
                raise Refused(_REFUSED, "The amount was captured already; it can only be refunded.")
            earlier = book.of(authorisation, "void")
            reference = (
                earlier[0].reference
                if earlier
                else book.add(
                    "void", order, held.method, held.amount, held.currency, of=authorisation, token=held.token, key=key
                )
            )
            return Receipt(reference, held.amount, held.currency)

        return self._request("void", key, {"order": order, "of": authorisation}, act)

    def refund(self, key: str, *, order: str, capture: str, amount: int, currency: str) -> Receipt:
        body = {"order": order, "of": capture, "amount": amount, "currency": currency}

        def act(book: Book) -> Receipt:
            source = _transfer_from_elsewhere(book, capture, order, amount, currency)
            taken = _known(book, source, ("capture", "transfer"), order, currency)
            if _asks(taken.token, "refund_refused"):
                raise Refused(_REFUSED, "The customer's account takes no refunds.")
            if amount + _sum(book.of(source, "refund")) > taken.amount:
                raise Refused(_REFUSED, "More was to be refunded than was captured.")
            reference = book.add("refund", order, taken.method, amount, currency, of=source, token=taken.token, key=key)
            return Receipt(reference, amount, currency)

        return self._request("refund", key, body, act)

    def find(self, key: str) -> Receipt | None:
        fault = self.faults("find", key) if self.faults is not None else None
        if fault is Fault.UNAVAILABLE:
            raise TryAgain("The payment provider answered 503.")
        with self.ledger.reading() as book:
            found = book.under(key)
        self._reply(slow=fault is Fault.SLOW, lost=fault is Fault.LOST_REPLY)
        return Receipt(found.reference, found.amount, found.currency) if found else None

    # --- what its owner can look at --------------------------------------------------------------------------------

    def statement(self) -> list[Movement]:
        """Every movement so far, oldest first."""
        with self.ledger.reading() as book:
            return book.all()

    def balances(self) -> dict[str, int]:
        """What the shop has of each order in the provider's books: captures and transfers less refunds."""
        sums: dict[str, int] = {}
        for movement in self.statement():
            sign = {"capture": 1, "transfer": 1, "refund": -1}.get(movement.kind, 0)
            sums[movement.order] = sums.get(movement.order, 0) + sign * movement.amount
        return sums

    # --- one request ------------------------------------------------------------------------------------------------

    def _request(self, method: str, key: str, body: Mapping[str, Any], act: Callable[[Book], Receipt]) -> Receipt:
        """Answers from the books when the key is known, else acts; then the reply may be slow or get lost."""
        if body.get("amount", 1) <= 0:
            raise WrongRequest(f"An amount must be more than 0, not {body['amount']}.")
        asked = {"method": method, **body}
        fault = self.faults(method, key) if self.faults is not None else None
        if fault is Fault.UNAVAILABLE:
            raise TryAgain("The payment provider answered 503.")
        with self.ledger.writing() as book:
            token = body.get("token") or _token_of(book, body.get("of"))
            unavailable = _asks(token, "unavailable_once") and book.first_time(f"unavailable {body['order']}")
            if not unavailable:
                answer = self._answer(book, key, asked, act, fault)
                lost = fault is Fault.LOST_REPLY or _loses_reply(book, method, key, body["order"], token)
        if unavailable:
            raise TryAgain("The payment provider answered 503.")
        self._reply(slow=fault is Fault.SLOW or _asks(token, "slow"), lost=lost)
        if "refused" in answer:
            raise Refused(answer["refused"], answer["message"])
        return Receipt(**answer)

    def _reply(self, *, slow: bool, lost: bool) -> None:
        """What was done is on its way back: late, or never."""
        if slow:
            left = seconds_left()
            self._sleep(min(SLOW_SECONDS, left))
            lost = lost or left < SLOW_SECONDS
        if lost:
            raise TryAgain("The payment provider's reply was lost.")

    def _answer(
        self, book: Book, key: str, asked: Mapping[str, Any], act: Callable[[Book], Receipt], fault: Fault | None
    ) -> Mapping[str, Any]:
        known = book.answer(key, window=self.key_window)
        if known is not None:
            if known[0] != asked:
                raise WrongRequest(f"The key {key!r} was used before for another request.")
            return known[1]
        answer: Mapping[str, Any]
        if fault is Fault.REFUSED:
            code = _DECLINED if asked["method"] in ("authorise", "capture") else _REFUSED
            answer = {"refused": code, "message": "The payment provider refused."}
        else:
            try:
                answer = asdict(act(book))
            except Refused as refusal:
                answer = {"refused": refusal.code, "message": refusal.message}
        book.remember(key, asked, answer)
        return answer


def _asks(token: str | None, behaviour: str) -> bool:
    """Whether a token asks for this of `TOKENS`."""
    return token == f"tok_{behaviour}"


def _known(book: Book, reference: str, kinds: tuple[str, ...], order: str, currency: str | None = None) -> Movement:
    movement = book.find(reference)
    if movement is None or movement.kind not in kinds or movement.order != order:
        raise WrongRequest(f"The provider has no {' or '.join(kinds)} {reference!r} of order {order}.")
    if currency not in (None, movement.currency):
        raise WrongRequest(f"{reference} is in {movement.currency}, not in {currency}.")
    return movement


def _sum(movements: list[Movement]) -> int:
    return sum(movement.amount for movement in movements)


def _transfer_from_elsewhere(book: Book, reference: str, order: str, amount: int, currency: str) -> str:
    """The reference to refund. A transfer that reached the shop past this bank is booked when it is to be paid back."""
    if _OWN_REFERENCE.fullmatch(reference):
        return reference
    return book.add("transfer", order, "bank_transfer", amount, currency, of=reference)


def _token_of(book: Book, reference: str | None) -> str | None:
    movement = book.find(reference) if reference else None
    return movement.token if movement else None


def _loses_reply(book: Book, method: str, key: str, order: str, token: str | None) -> bool:
    if _asks(token, "lost_reply"):
        return method == "capture" and book.first_time(f"lost {order}")
    return _asks(token, "lost_reply_once_per_call") and book.first_time(f"lost {key}")
