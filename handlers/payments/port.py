"""The payment port: what Waybill asks of a payment provider and of its bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from handlers.contract import GiveUp


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of one movement."""

    reference: str
    """The provider's own reference."""
    amount: int
    currency: str


class WrongRequest(GiveUp):
    """The provider cannot make sense of what we asked: a key used for something else, an unknown reference.

    Our mistake, so neither the customer's refusal nor worth trying again.
    """


class PaymentProvider(Protocol):
    """Every writing method may be repeated with the same key and then answers as the first time, within `key_window`.

    Amounts are positive minor units. Raises `Refused("payment_declined" | "refund_refused", message)` when the provider
    says no, `TryAgain` when it does not answer in time or answers 5xx (it may have done the work), and `WrongRequest`.
    """

    key_window: timedelta
    """How long a key is remembered from its first use. Asked again later it acts anew: see `handlers.keys`."""

    def find(self, key: str) -> Receipt | None:
        """What was authorised, captured, voided or refunded under this key, at any age; None when nothing was.

        Looked up by the key as our own reference of the movement, which a provider keeps with it for ever.
        """
        ...

    def authorise(self, key: str, *, order: str, method: str, token: str | None, amount: int, currency: str) -> Receipt:
        """Blocks the amount on the customer's card or account. Without a token it is the one on file.

        Refused: `payment_declined`.
        """
        ...

    def capture(self, key: str, *, order: str, authorisation: str, amount: int, currency: str) -> Receipt:
        """Takes an authorised amount or a part of it.

        Refused: `payment_declined`, also when it was voided or has expired meanwhile.
        """
        ...

    def void(self, key: str, *, order: str, authorisation: str) -> Receipt:
        """Gives an authorised, not captured amount free; again with another key changes nothing.

        Refused: `refund_refused` when something of it was captured already.
        """
        ...

    def refund(self, key: str, *, order: str, capture: str, amount: int, currency: str) -> Receipt:
        """Pays back all or a part of a captured amount, or of a bank transfer under the reference the bank gave it.

        Refused: `refund_refused`, also for more than was captured and not refunded yet.
        """
        ...
