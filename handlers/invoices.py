"""Steps 6 and 15: invoices and credit notes.

An invoice is never changed. When the order changed, the old one is credited whole and a new one is written. Numbers
have no gap: they are drawn from a locked counter in the transaction that writes the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from handlers.balance import balance
from handlers.contract import Call, operation
from handlers.messages import queue_mail
from handlers.money import format_money, percentage, share
from handlers.orders import load_order, next_number
from handlers.tables import Invoice, InvoiceLine, Order
from handlers.tax import Tax, tax_for

QUANTITY_DISCOUNT = ((50, 500),)
"""What a line is reduced by: (from how many pieces, basis points), the largest first. An example rule: 5 % from 50."""

INVOICE = "invoice"
CREDIT_NOTE = "credit_note"
_PREFIX = {INVOICE: "INV", CREDIT_NOTE: "CN"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it would stand on an invoice of today; amounts in minor units."""

    sku: str
    name: str
    quantity: int
    unit_price: int
    discount: int

    @property
    def net(self) -> int:
        return self.quantity * self.unit_price - self.discount


# --- step 6 ----------------------------------------------------------------------------------------------------------


@operation(
    "invoice.generate", refuses=(),
    gives={"number": "string", "total": "number", "due": "number", "currency": "string"},
)
def generate(call: Call) -> Mapping[str, Any]:
    """Invoices what the order holds now: lines, discount, tax by country, total.

    An invoice that already says so stands and none is added. `due` is what is still to be paid on the whole order, so
    it is 0 when the money is there from an earlier visit.
    """
    order = load_order(call.session, call.order)
    lines = compose(order)
    tax = tax_for(order.country, call.now.date())
    papers = papers_of(call.session, call.order)
    standing = next((paper for paper in papers if _says(paper, order, lines, tax, papers)), None)
    invoice = standing or _replace(call, order, lines, tax, papers)
    due = balance(call.session, call.order).due
    if standing is None:
        _send(call, invoice, due)
    return {"number": invoice.number, "total": invoice.total, "due": due, "currency": invoice.currency}


def _replace(call: Call, order: Order, lines: Sequence[Line], tax: Tax, papers: Sequence[Invoice]) -> Invoice:
    """Credits what is left of earlier invoices and writes a new one."""
    for old in papers:
        if old.kind == INVOICE:
            _credit(call, old, remaining(old, papers), "The order changed; a new invoice replaces this one.", papers)
    return _write(call, INVOICE, order.currency, dict(enumerate(lines, start=1)), tax)


def compose(order: Order) -> tuple[Line, ...]:
    """The lines of an invoice for the order as it is."""
    return tuple(
        Line(line.sku, line.name, line.quantity, line.unit_price, discount_of(line.quantity, line.unit_price))
        for line in order.lines
    )


def discount_of(quantity: int, unit_price: int) -> int:
    """What `QUANTITY_DISCOUNT` takes off a line, rounded half up."""
    for pieces, basis_points in QUANTITY_DISCOUNT:
        if quantity >= pieces:
            return percentage(quantity * unit_price, basis_points)
    return 0


def papers_of(session: Session, order: str) -> Sequence[Invoice]:
    """The order's invoices and credit notes, oldest first."""
    rows = session.scalars(select(Invoice).where(Invoice.order_number == order).options(joinedload(Invoice.lines)))
    return sorted(rows.unique(), key=lambda row: (row.issued_at, len(row.number), row.number))


def newest_invoice(session: Session, order: str) -> Invoice | None:
    """The invoice that counts: the last one written, also when it is credited."""
    return newest_of(papers_of(session, order))


def newest_of(papers: Sequence[Invoice]) -> Invoice | None:
    """The same, of an order's papers that are read already, oldest first."""
    return next((paper for paper in reversed(papers) if paper.kind == INVOICE), None)


def _says(paper: Invoice, order: Order, lines: Sequence[Line], tax: Tax, papers: Iterable[Invoice]) -> bool:
    """Whether this is an invoice, uncredited, for exactly these lines under this tax."""
    written = tuple(Line(x.sku, x.name, x.quantity, x.unit_price, x.discount) for x in paper.lines)
    return (
        paper.kind == INVOICE
        and (written, paper.currency) == (tuple(lines), order.currency)
        and (paper.tax_name, paper.tax_rate_bp) == (tax.name, tax.rate_bp)
        and not any(other.credits == paper.number for other in papers)
    )


# --- credit notes ----------------------------------------------------------------------------------------------------

_WHY = {
    "all": "The order was cancelled.",
    "refund": "The goods did not reach the customer.",
    "part": "A part of the goods did not reach the customer.",
}


_LONGEST_REASON = 200


@operation("invoice.credit", gives=("number", "total"), refuses=())
def credit(call: Call, scope: Literal["all", "refund", "part"]) -> Mapping[str, Any]:
    """Takes back on paper what is not to be paid: `all` (cancelled), `refund` (all of a lost delivery) or `part`.

    `part` credits the items of the form `handle_exception`, at most what is invoiced and not credited yet. When nothing
    is left to credit no paper is written and `number` is null. `total` is what was credited now, in minor units.
    """
    if scope not in _WHY:
        raise ValueError(f"invoice.credit knows the scopes {', '.join(_WHY)}, not {scope!r}.")
    papers = papers_of(call.session, call.order)
    wanted = _lost_items(call.variables) if scope == "part" else None
    reason = _reason(call.variables, scope)
    notes = []
    for invoice in papers:
        if invoice.kind != INVOICE:
            continue
        quantities = remaining(invoice, papers)
        if wanted is not None:
            quantities = _take(invoice, quantities, wanted)
        note = _credit(call, invoice, quantities, reason, papers)
        notes += [note] if note is not None else []
    return {"number": notes[-1].number if notes else None, "total": sum(note.total for note in notes)}


def _reason(variables: Mapping[str, Any], scope: str) -> str:
    """What stands on the credit note: why, and what the person wrote who decided it."""
    decided = variables.get("cancellation" if scope == "all" else "handle_exception") or {}
    words = " ".join(str(decided.get("reason") or "").split())
    return f"{_WHY[scope]} {words}".strip()[:_LONGEST_REASON]


def _lost_items(variables: Mapping[str, Any]) -> dict[str, int]:
    """How many of which SKU the form says will not be delivered."""
    wanted: dict[str, int] = {}
    for item in (variables.get("handle_exception") or {}).get("items") or ():
        wanted[item["sku"]] = wanted.get(item["sku"], 0) + int(item["quantity"])
    return wanted


def _take(invoice: Invoice, left: Mapping[int, int], wanted: dict[str, int]) -> dict[int, int]:
    """The wanted items by position of this invoice; what was found is taken off `wanted`."""
    taken = {}
    for line in invoice.lines:
        quantity = min(left[line.position], wanted.get(line.sku, 0))
        if quantity > 0:
            taken[line.position] = quantity
            wanted[line.sku] -= quantity
    return taken


def remaining(invoice: Invoice, papers: Iterable[Invoice]) -> dict[int, int]:
    """How many pieces of each line (by position) are invoiced and not credited."""
    credited = _credited(invoice, papers)
    return {line.position: line.quantity - credited.get(line.position, 0) for line in invoice.lines}


def _credited(invoice: Invoice, papers: Iterable[Invoice]) -> dict[int, int]:
    """Pieces credited so far by position: a credit note's line keeps the position of the line that it credits."""
    credited: dict[int, int] = {}
    for note in papers:
        if note.credits == invoice.number:
            for line in note.lines:
                credited[line.position] = credited.get(line.position, 0) + line.quantity
    return credited


def _credit(
    call: Call, invoice: Invoice, quantities: Mapping[int, int], reason: str, papers: Sequence[Invoice]
) -> Invoice | None:
    """Writes a credit note over these pieces and has it rendered; None when there are none."""
    drafted = draft_credit(invoice, quantities, papers)
    if drafted is None:
        return None
    lines, tax_amount = drafted
    tax = Tax(invoice.tax_name, invoice.tax_rate_bp)
    note = _write(
        call, CREDIT_NOTE, invoice.currency, lines, tax, tax_amount=tax_amount, on=invoice.number, reason=reason
    )
    call.later("document.render", name="credit-note", number=note.number)
    return note


def draft_credit(
    invoice: Invoice, quantities: Mapping[int, int], papers: Iterable[Invoice]
) -> tuple[dict[int, Line], int] | None:
    """The lines (by position) and the tax of a credit note over these pieces; None when there are none.

    Each amount is the share of everything credited up to now less the share credited before, so that the notes on an
    invoice add up to it exactly once all its pieces are credited.
    """
    notes = [note for note in papers if note.credits == invoice.number]
    before = _credited(invoice, notes)
    lines: dict[int, Line] = {}
    for line in invoice.lines:
        quantity, earlier = quantities.get(line.position, 0), before.get(line.position, 0)
        if quantity > 0:
            discount = share(line.discount, earlier + quantity, line.quantity)
            discount -= share(line.discount, earlier, line.quantity)
            lines[line.position] = Line(line.sku, line.name, quantity, line.unit_price, discount)
    if not lines:
        return None
    net = sum(note.net for note in notes) + sum(line.net for line in lines.values())
    return lines, percentage(net, invoice.tax_rate_bp) - sum(note.tax for note in notes)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(
    call: Call,
    kind: str,
    currency: str,
    lines: Mapping[int, Line],
    tax: Tax,
    *,
    tax_amount: int | None = None,
    on: str | None = None,
    reason: str = "",
) -> Invoice:
    """Adds a paper of these lines (by position) under the next number of its year; a credit note is `on` an invoice."""
    net = sum(line.net for line in lines.values())
    tax_amount = percentage(net, tax.rate_bp) if tax_amount is None else tax_amount
    year = call.now.year
    paper = Invoice(
        number=f"{_PREFIX[kind]}-{year}-{next_number(call.session, f'{kind}-{year}'):04d}",
        kind=kind,
        credits=on,
        order_number=call.order,
        currency=currency,
        net=net,
        discount=sum(line.discount for line in lines.values()),
        tax=tax_amount,
        tax_rate_bp=tax.rate_bp,
        tax_name=tax.name,
        total=net + tax_amount,
        reason=reason,
        issued_at=call.now,
    )
    paper.lines = [
        InvoiceLine(
            position=position,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount=line.discount,
            net=line.net,
        )
        for position, line in lines.items()
    ]
    call.session.add(paper)
    call.session.flush()
    return paper


def _send(call: Call, invoice: Invoice, due: int) -> None:
    """Has the invoice rendered and mailed; the order does not wait for either."""
    call.later("document.render", name="invoice", number=invoice.number, due=due)
    queue_mail(
        call,
        "invoice",
        invoice=invoice.number,
        total=format_money(invoice.total, invoice.currency),
        due=format_money(due, invoice.currency),
    )
