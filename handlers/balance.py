"""How the money of one order stands. Every operation that moves money asks this, not how often its task was visited."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers.tables import Invoice, Payment


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of an order's invoices and finished payments, in minor units of the order's currency."""

    invoiced: int
    credited: int
    captured: int
    refunded: int
    refunding: int = 0
    """Refunds that were asked for and not answered yet."""

    @property
    def owed(self) -> int:
        """What the customer owes us in all: invoices less credit notes."""
        return self.invoiced - self.credited

    @property
    def held(self) -> int:
        """What we have of the customer's money: captures less refunds."""
        return self.captured - self.refunded

    @property
    def due(self) -> int:
        """What the customer has still to pay; never below 0."""
        return max(0, self.owed - self.held)

    @property
    def owed_back(self) -> int:
        """What we have still to pay back, refunds under way not counted out; never below 0."""
        return max(0, self.held - self.owed)

    @property
    def settled(self) -> bool:
        """Nothing is owed either way and nothing is under way."""
        return self.owed == self.held and not self.refunding


def balance(session: Session, order: str) -> Balance:
    """The balance of the order of this number, in two statements."""
    papers = select(Invoice.kind, func.sum(Invoice.total)).where(Invoice.order_number == order).group_by(Invoice.kind)
    totals: dict[str, int] = {kind: int(total) for kind, total in session.execute(papers)}
    movements = (
        select(Payment.kind, Payment.state, func.sum(Payment.amount))
        .where(Payment.order_number == order, Payment.state.in_(("done", "pending")))
        .group_by(Payment.kind, Payment.state)
    )
    moved: dict[tuple[str, str], int] = {
        (kind, state): int(amount) for kind, state, amount in session.execute(movements)
    }
    return Balance(
        invoiced=totals.get("invoice", 0),
        credited=totals.get("credit_note", 0),
        captured=moved.get(("capture", "done"), 0),
        refunded=moved.get(("refund", "done"), 0),
        refunding=moved.get(("refund", "pending"), 0),
    )
