"""The payment port: what Waybill asks of a payment provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of one movement."""

    reference: str
    """The provider's own reference."""
    amount: int
    currency: str


class PaymentProvider(Protocol):
    """Every method may be repeated with the same key and then answers as the first time.

    Raises `Refused("payment_declined" | "refund_refused", message)` when the provider says no, `TryAgain` when it does
    not answer in time or answers 5xx.
    """

    def authorise(self, key: str, *, order: str, method: str, token: str | None, amount: int, currency: str) -> Receipt:
        """Blocks the amount on the customer's card or account."""
        ...

    def capture(self, key: str, *, order: str, authorisation: str, amount: int, currency: str) -> Receipt:
        """Takes an authorised amount."""
        ...

    def void(self, key: str, *, order: str, authorisation: str) -> Receipt:
        """Gives an authorised, not captured amount free."""
        ...

    def refund(self, key: str, *, order: str, capture: str, amount: int, currency: str) -> Receipt:
        """Pays back all or a part of a captured amount."""
        ...
