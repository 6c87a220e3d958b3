"""How the money of one order stands. Every operation that moves money asks this, not how often its task was visited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, literal, select, union_all
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
    """The balance of the order of this number, in one statement."""
    papers = (
        select(Invoice.kind, literal("done"), func.sum(Invoice.total))
        .where(Invoice.order_number == order)
        .group_by(Invoice.kind)
    )
    movements = (
        select(Payment.kind, Payment.state, func.sum(Payment.amount))
        .where(Payment.order_number == order, Payment.state.in_(("done", "pending")))
        .group_by(Payment.kind, Payment.state)
    )
    rows = session.execute(union_all(papers, movements)).tuples()
    return _balance({(kind, state): int(total) for kind, state, total in rows})


def balance_of(papers: Iterable[Invoice], movements: Iterable[Payment]) -> Balance:
    """The same, of all of an order's rows that are read already."""
    sums: Counter[tuple[str, str]] = Counter()
    for paper in papers:
        sums[paper.kind, "done"] += paper.total
    for row in movements:
        sums[row.kind, row.state] += row.amount
    return _balance(sums)


def _balance(sums: Mapping[tuple[str, str], int]) -> Balance:
    return Balance(
        invoiced=sums.get(("invoice", "done"), 0),
        credited=sums.get(("credit_note", "done"), 0),
        captured=sums.get(("capture", "done"), 0),
        refunded=sums.get(("refund", "done"), 0),
        refunding=sums.get(("refund", "pending"), 0),
    )
