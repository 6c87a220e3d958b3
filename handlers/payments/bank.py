"""The embedded bank: customers' transfers into the shop's account, as the demo and tests make them happen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from handlers.payments.embedded import EmbeddedProvider
from handlers.payments.port import WrongRequest


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that arrived on the shop's account."""

    amount: int
    currency: str
    reference: str
    """The bank's own, different for every transfer."""
    payer: str

    def payload(self) -> dict[str, Any]:
        """The payload of the message `bank.transfer_received`."""
        return asdict(self)


class BankTransfers:
    """Transfers, in the same books as the embedded provider's, which pays them back."""

    def __init__(self, provider: EmbeddedProvider) -> None:
        self._ledger = provider.ledger

    def receive(
        self, key: str, *, order: str, amount: int, currency: str, payer: str, token: str | None = None
    ) -> Transfer:
        """A customer pays in. The same key is the same transfer; `token` as in `embedded.TOKENS` spoils its refund."""
        asked = {"method": "transfer", "order": order, "amount": amount, "currency": currency, "payer": payer}
        if amount <= 0:
            raise WrongRequest(f"An amount must be more than 0, not {amount}.")
        with self._ledger.writing() as book:
            known = book.answer(key)
            if known is None:
                reference = book.add("transfer", order, "bank_transfer", amount, currency, token=token)
                known = asked, asdict(Transfer(amount, currency, reference, payer))
                book.remember(key, *known)
        if known[0] != asked:
            raise WrongRequest(f"The key {key!r} was used before for another transfer.")
        return Transfer(**known[1])
